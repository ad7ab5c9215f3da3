"""Stores that fail, wait or vanish, for monitors that must not mind; a clock for them."""

from __future__ import annotations

import threading
from typing import Any

from tidegauge.archive import Store
from tidegauge.errors import ArchiveError


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns


class Flaky:
    """A store whose writes fail while `down` is set, and wait while `slow_seconds` says so."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.down = False
        self.released = threading.Event()
        self.released.set()
        self.n_appends = 0

    def append(self, records: Any) -> None:
        self.released.wait(30)
        if self.down:
            raise ArchiveError("archive: it is away, as a test wants it")
        self.n_appends += 1
        self.inner.append(records)

    def put_document(self, kind: str, name: str, body: bytes, *, if_absent: bool = False) -> bool:
        if self.down:
            raise ArchiveError("archive: it is away, as a test wants it")
        return self.inner.put_document(kind, name, body, if_absent=if_absent)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
