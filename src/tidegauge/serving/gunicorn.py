"""gunicorn's hook: `from tidegauge.serving.gunicorn import worker_exit` in gunicorn.conf.py.

There is no other to set: a monitor made before the fork (`preload_app`) starts over in each worker by itself.
"""

from __future__ import annotations

from typing import Any

from tidegauge.monitor.lifetimes import close_all

__all__ = ["worker_exit"]


def worker_exit(server: Any, worker: Any) -> None:
    """Close the monitors of a worker that ends, whatever ends it: a stop, a reload, max_requests, a timeout.

    Without it they are closed when the interpreter exits, which first waits for the threads of `gthread`; one
    that hangs there lasts until gunicorn kills the worker.
    """
    close_all()
