"""Place: files by relative path, put whole, on a local disk or in an object store."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol


class Entry(NamedTuple):
    """A file: its path from the root, its size, and when it changed, in ns since 1970-01-01 UTC."""

    path: str
    n_bytes: int
    changed_ns: int


class Place(Protocol):
    """What Parquet archives need of a file system. Every method raises ArchiveError for what it forbids."""

    conditional: bool
    """Whether put(if_absent=True) is atomic between processes."""

    def put(self, path: str, body: bytes, *, if_absent: bool = False) -> bool:
        """Make or replace a file, whole or not at all, durable; False if it was there and `if_absent`."""

    def get(self, path: str) -> bytes | None:
        """Return a file's bytes, None if it is not there."""

    def opened(self, path: str) -> Any:
        """Return a file to read parts of, as pyarrow has them; None if it is not there."""

    def listed(self, folder: str) -> list[Entry]:
        """Return the files below a folder, hidden ones left out, in order of paths."""

    def delete(self, path: str) -> None:
        """Delete a file, if it is there."""

    def alone(self, what: str, wait_seconds: float | None = None) -> AbstractContextManager[None]:
        """Keep other processes from doing `what` meanwhile, where the place can do that.

        `wait_seconds`: how long to wait for one that does it, None for ever.
        """

    def tidy(self, before_ns: int) -> None:
        """Delete what processes that were killed before this time left half made."""

    def __str__(self) -> str:
        """Return the place for people: without passwords."""
