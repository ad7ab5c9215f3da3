"""Directory: files on a local disk, made under a hidden name and renamed when they are on the disk."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tidegauge.archive.places import Entry
from tidegauge.errors import ArchiveError

REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the quota is used up: free some space",
    errno.EFBIG: "the file would be larger than this process may write (ulimit -f)",
    errno.EROFS: "the file system is read-only: mount it for writing, or pass read_only=True",
    errno.EACCES: "this user may not: look at the permissions of the folder",
    errno.EPERM: "this user may not: look at the owner and permissions of the folder",
    errno.ENOTDIR: "a part of the path is a file: name another folder",
    errno.EMFILE: "this process has too many files open (ulimit -n)",
    errno.EIO: "the disk does not read or write: look at the system's log",
}


POLL_SECONDS = 0.01


class Directory:
    """A `Place` below the folder `root`, which is made when the first file is put."""

    conditional = True

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.path.abspath(root)
        self._synced: set[str] = set()

    def put(self, path: str, body: bytes, *, if_absent: bool = False) -> bool:
        """See Place."""
        target = self.path_of(path)
        folder = os.path.dirname(target)
        with told(f"write {target}"):
            self.make_folder(folder)
            if if_absent and os.path.lexists(target):
                fsync_folder(folder)  # who put it may not have come so far yet
                return False
            temporary = os.path.join(folder, f".{secrets.token_hex(8)}.tmp")
            try:
                write_durably(temporary, body)
                if if_absent:
                    try:
                        os.link(temporary, target)
                    except FileExistsError:
                        fsync_folder(folder)
                        return False
                else:
                    os.rename(temporary, target)
                fsync_folder(folder)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
        return True

    def get(self, path: str) -> bytes | None:
        """See Place."""
        target = self.path_of(path)
        with told(f"read {target}"):
            try:
                with open(target, "rb") as file:
                    return file.read()
            except FileNotFoundError:
                return None

    def opened(self, path: str) -> Any:
        """See Place."""
        import pyarrow as pa

        target = self.path_of(path)
        with told(f"read {target}"):
            try:
                return pa.OSFile(target)
            except FileNotFoundError:
                return None

    def listed(self, folder: str) -> list[Entry]:
        """See Place."""
        with told(f"list {self.path_of(folder)}"):
            return sorted(self._walk(folder))

    def _walk(self, folder: str) -> Iterator[Entry]:
        try:
            with os.scandir(self.path_of(folder)) as entries:
                found = [each for each in entries if not each.name.startswith(".")]
        except FileNotFoundError:
            return
        for each in found:
            path = f"{folder}/{each.name}"
            if each.is_dir():
                yield from self._walk(path)
            else:
                with suppress(FileNotFoundError):
                    seen = each.stat()
                    yield Entry(path, seen.st_size, seen.st_mtime_ns)

    def delete(self, path: str) -> None:
        """See Place."""
        target = self.path_of(path)
        with told(f"delete {target}"), suppress(FileNotFoundError):
            os.unlink(target)

    @contextmanager
    def alone(self, what: str, wait_seconds: float | None = None) -> Iterator[None]:
        """See Place."""
        with told(f"lock {self.root}"):
            self.make_folder(self.root)
        with locked(os.path.join(self.root, f".{what}.lock"), wait_seconds):
            yield

    def tidy(self, before_ns: int) -> None:
        """See Place."""
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = os.path.join(folder, name)
                if name.startswith(".") and name.endswith(".tmp"):
                    with told(f"delete {path}"), suppress(FileNotFoundError):
                        if os.stat(path).st_mtime_ns < before_ns:
                            os.unlink(path)

    def make_folder(self, folder: str) -> None:
        """Make the root, or a folder below it, and those between, durably. Raises OSError.

        One that is there may have been made by another process, or at an attempt that failed, and its name
        not be on the disk yet: so each is synced here once, whoever made it.
        """
        if folder in self._synced and os.path.isdir(folder):
            return
        if folder == self.root:
            make_folder(folder)
            with suppress(PermissionError):  # a folder that may be entered and not listed
                fsync_folder(os.path.dirname(folder))
        else:
            above = os.path.dirname(folder)
            self.make_folder(above)
            make_one(folder)
            fsync_folder(above)
        self._synced.add(folder)

    def path_of(self, path: str) -> str:
        """Return the absolute path of a relative one."""
        return os.path.join(self.root, path)

    def __str__(self) -> str:
        """See Place."""
        return self.root


@contextmanager
def told(what: str) -> Iterator[None]:
    """Raise ArchiveError in the place of OSError."""
    try:
        yield
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0)
        reason = error.strerror or str(error)
        raise ArchiveError(f"archive: cannot {what}: {reason}" + (f"; {remedy}" if remedy else "")) from error


@contextmanager
def locked(path: str, wait_seconds: float | None = None) -> Iterator[None]:
    """Hold the lock of a file, which is made; it goes with the process. Raises ArchiveError.

    Also where another process, perhaps one that is stopped, holds it for `wait_seconds`; None: no matter how
    long.

    A child that is forked meanwhile holds it no longer: it would until its own end.
    """
    with told(f"lock {path}"):
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    _held.add(lock)
    try:
        with told(f"lock {path}"):
            deadline = None if wait_seconds is None else time.monotonic() + wait_seconds
            while not taken(lock, wait=deadline is None):
                if deadline is not None and time.monotonic() > deadline:
                    raise ArchiveError(
                        f"archive: another process has held {path} for {wait_seconds:g} s: look if it is "
                        "stopped, or try again"
                    )
                time.sleep(POLL_SECONDS)
        yield
    finally:
        if lock in _held:  # else it was another process's
            _held.discard(lock)
            let_go(lock)


def taken(lock: int, *, wait: bool) -> bool:
    """Take the lock of an open file; False if another process has it and `wait` is not. Raises OSError."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


_held: set[int] = set()


def _let_go_in_child() -> None:
    for lock in _held:
        let_go(lock)
    _held.clear()


os.register_at_fork(after_in_child=_let_go_in_child)


def let_go(lock: int) -> None:
    """Close the file of a lock: the descriptor is gone and the lock with it, whatever the system says."""
    with suppress(OSError):
        os.close(lock)


def write_durably(path: str, body: bytes) -> None:
    """Write a new file, and wait until the disk has it. Raises OSError."""
    with open(path, "xb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def make_folder(folder: str) -> None:
    """Make a folder and those above it, durably. Raises OSError."""
    if os.path.isdir(folder):
        return
    above = os.path.dirname(folder)
    make_folder(above)
    make_one(folder)
    fsync_folder(above)


def make_one(folder: str) -> None:
    """Make a folder if it is not there. Raises OSError."""
    with suppress(FileExistsError):
        os.mkdir(folder)
    if not os.path.isdir(folder):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)


def fsync_folder(folder: str) -> None:
    """Wait until the disk has the names in a folder. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
