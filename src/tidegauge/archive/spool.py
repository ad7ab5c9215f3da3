"""Spool: checkpoints on the local disk, one file a process, until they are final or their process is dead."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from tidegauge.archive.directory import Directory, let_go, make_folder, told
from tidegauge.archive.parquet_file import encode, head_of, open_file, states_of
from tidegauge.archive.records import Record
from tidegauge.errors import ArchiveError

OPEN = "open"


class Spool:
    """The checkpoints of this process, in a file that only it writes and that a lock says is in use.

    The lock is the operating system's, so it goes with the process, however that ends: then whoever calls
    `recover` next on this machine takes the file over. `private`: the folder is for this user alone.
    """

    def __init__(self, folder: str, *, private: bool) -> None:
        self.place = Directory(folder)
        self._private = private
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._token = secrets.token_hex(16)
        self._lock: int | None = None
        self.holds_records = False

    def after_fork(self) -> None:
        """Begin a file of one's own in a child; the parent's lock stays with the parent."""
        if self._pid != os.getpid():
            if self._lock is not None:
                let_go(self._lock)
            self._begin()

    def records(self) -> list[Record]:
        """Return this process's checkpoints."""
        body = self.place.get(self._path()) if self.holds_records else None
        return [] if body is None else decoded(body)

    def put(self, records: Sequence[Record], *, written_ns: int) -> None:
        """Replace this process's checkpoints, whole or not at all. Raises ArchiveError."""
        if records:
            self._take_lock()
            self.place.put(self._path(), encode(records, written_ns=written_ns))
        elif self.holds_records:
            self.place.delete(self._path())
        self.holds_records = bool(records)

    def recover(self, take: Callable[[list[Record]], None]) -> None:
        """Hand the checkpoints of each process that is dead to `take`, and delete them when it returns."""
        folder = self.place.path_of(OPEN)
        with told(f"list {folder}"):
            try:
                names = os.listdir(folder)
            except (FileNotFoundError, NotADirectoryError):
                return
        for name in sorted(names):
            token = name.removeprefix(".").removesuffix(".lock")
            if name != f".{token}.lock" or token == self._token:
                continue
            lock_path = os.path.join(folder, name)
            with told(f"recover {lock_path}"), suppress(FileNotFoundError):
                self._recover_one(lock_path, self._path(token), take)

    def _recover_one(self, lock_path: str, path: str, take: Callable[[list[Record]], None]) -> None:
        try:
            lock = os.open(lock_path, os.O_RDWR | os.O_CLOEXEC)
        except PermissionError:
            return  # another user's, and theirs to recover
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # it lives
            if not is_at(lock, lock_path):
                return  # another process has recovered it, and its name is used again
            body = self.place.get(path)
            if body is not None:
                try:
                    records = decoded(body)
                except ArchiveError:
                    return  # readers set it aside, and say so
                take(records)
                self.place.delete(path)
            os.unlink(lock_path)
        finally:
            let_go(lock)

    def close(self) -> None:
        """Let go of the lock; checkpoints that are left are recovered by the next process."""
        if self._lock is not None and self._pid == os.getpid():
            if not self.holds_records:
                with suppress(OSError):  # one that is left is recovered like a dead process's
                    os.unlink(self._lock_path())
            let_go(self._lock)
            self._begin()

    def _path(self, token: str | None = None) -> str:
        return f"{OPEN}/{token or self._token}.parquet"

    def _lock_path(self) -> str:
        return self.place.path_of(f"{OPEN}/.{self._token}.lock")

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        with told(f"make {self._lock_path()}"):
            if self._private:
                make_private(self.place.root)
            self.place.make_folder(self.place.path_of(OPEN))
            # Between the two calls another process may have taken the file for a dead one's, and deleted it.
            while self._lock is None:
                lock = os.open(self._lock_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    if is_at(lock, self._lock_path()):
                        self._lock = lock
                finally:
                    if self._lock is None:
                        let_go(lock)


def is_at(lock: int, path: str) -> bool:
    """Tell whether an open file is the one at a path. Raises OSError."""
    try:
        found, held = os.stat(path), os.fstat(lock)
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)


def decoded(body: bytes) -> list[Record]:
    """Return the records of a file. Raises ArchiveError where it is damaged."""
    file = open_file(body)
    found = head_of(file).found
    states = states_of(file, range(len(found)))
    return [
        Record(each.key, each.n_rows, state, each.final) for each, state in zip(found, states, strict=True)
    ]


def make_private(folder: str) -> None:
    """Make a folder for this user alone; refuse one that another user made. Raises OSError, ArchiveError."""
    make_folder(os.path.dirname(folder))
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ArchiveError(
            f"archive: the spool {folder} belongs to another user: pass spool=, a folder of your own"
        )


def clock(last_ns: int) -> int:
    """Return the time, after `last_ns` at any rate: what is written later says so."""
    return max(last_ns + 1, time.time_ns())
