"""Lifetimes: monitors meet forks and the end of the process."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from typing import Protocol


class Lasting(Protocol):
    """What has a life of its own in each process."""

    def start_over(self) -> None:
        """Begin anew in a child that was forked; what the parent gathered is the parent's."""

    def close(self) -> None:
        """End in order."""


_known: weakref.WeakSet[Lasting] = weakref.WeakSet()
_registering = threading.Lock()
_registered = False


def last_until_exit(one: Lasting) -> None:
    """Have `close` called at exit and `start_over` in every child; holds no reference."""
    global _registered  # noqa: PLW0603 - the hooks of a process are one thing
    with _registering:
        if not _registered:
            os.register_at_fork(after_in_child=_start_over)
            atexit.register(close_all)
            _registered = True
        _known.add(one)


def close_all() -> None:
    """Close every monitor of this process."""
    for each in list(_known):
        each.close()


def close_before_multiprocessing_ends() -> None:
    """Have the monitors closed at the end of a child of multiprocessing, which runs no exit handlers.

    Called when a monitor gets its first rows in this process; nothing to do where multiprocessing is not
    used.
    """
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, close_all, exitpriority=100)


def _start_over() -> None:
    global _registering  # noqa: PLW0603 - another thread may have held it
    _registering = threading.Lock()
    for each in list(_known):
        each.start_over()
