"""Tasks at the same time, in threads or in a forked child."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

LIMIT_SECONDS = 60
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def together(tasks: list[Callable[[], None]]) -> None:
    """Run the tasks in threads that start at once; raise what any of them raises."""
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], None]) -> None:
        start.wait()
        task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(run, task) for task in tasks]:
            done.result(timeout=LIMIT_SECONDS)


def in_child(task: Callable[[], None]) -> None:
    """Run the task in a forked child; fail if it raises, dies, or has not ended in time."""
    child = os.fork()
    if child == 0:
        signal.alarm(LIMIT_SECONDS)  # kills the child if it waits for a lock that nobody holds any more
        try:
            task()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, f"the child ended with {os.waitstatus_to_exitcode(status)}"
