"""Bucket: files of an object store, through pyarrow.fs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tidegauge.archive.places import Entry
from tidegauge.archive.urls import shown
from tidegauge.errors import ArchiveError


class Bucket:
    """A `Place` at the URL of an object store, with the options of pyarrow.fs.FileSystem.from_uri.

    A file is one object, put in one piece: there whole or not at all. What only one process may do it cannot
    promise: pyarrow has no conditional put.
    """

    conditional = False

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._opened: tuple[Any, str] | None = None

    def put(self, path: str, body: bytes, *, if_absent: bool = False) -> bool:
        """See Place; without the promise, two puts if_absent at one time may both succeed."""
        with self._using("write", path) as (files, target):
            from pyarrow import fs

            if if_absent and files.get_file_info(target).type != fs.FileType.NotFound:
                return False
            with files.open_output_stream(target) as stream:
                stream.write(body)
        return True

    def get(self, path: str) -> bytes | None:
        """See Place."""
        file = self.opened(path)
        if file is None:
            return None
        with self._using("read", path), file:
            return bytes(file.read())

    def opened(self, path: str) -> Any:
        """See Place."""
        with self._using("read", path) as (files, target):
            try:
                return files.open_input_file(target)
            except FileNotFoundError:
                return None

    def listed(self, folder: str) -> list[Entry]:
        """See Place."""
        with self._using("list", folder) as (files, target):
            from pyarrow import fs

            found = files.get_file_info(fs.FileSelector(target, recursive=True, allow_not_found=True))
            cut = len(target) - len(folder)
            return sorted(
                Entry(each.path[cut:], each.size, each.mtime_ns or 0)
                for each in found
                if each.type == fs.FileType.File and not each.base_name.startswith(".")
            )

    def delete(self, path: str) -> None:
        """See Place."""
        with self._using("delete", path) as (files, target):
            try:
                files.delete_file(target)
            except FileNotFoundError:
                return

    @contextmanager
    def alone(self, what: str, wait_seconds: float | None = None) -> Iterator[None]:
        """See Place: an object store cannot."""
        yield

    def tidy(self, before_ns: int) -> None:
        """See Place: nothing is left half made."""

    @contextmanager
    def _using(self, what: str, path: str) -> Iterator[tuple[Any, str]]:
        import pyarrow as pa

        try:
            with self._lock:
                if self._opened is None:
                    self._opened = connected(self._url)
            files, root = self._opened
            yield files, f"{root}/{path}"
        except (OSError, pa.ArrowException) as error:
            raise ArchiveError(
                f"archive {self}: cannot {what} {path}: {error}; look at the bucket's name, its region, the "
                "credentials and the network"
            ) from error

    def __str__(self) -> str:
        """See Place."""
        return shown(self._url)


def connected(url: str) -> tuple[Any, str]:
    """Return the file system of a URL and the path in it. Raises OSError or ArrowException."""
    from pyarrow import fs
    from pyarrow.lib import ArrowInvalid

    if url.startswith("s3:") and "allow_delayed_open" not in url:
        try:  # one put instead of a multipart upload, where pyarrow knows how
            files, root = fs.FileSystem.from_uri(f"{url}{'&' if '?' in url else '?'}allow_delayed_open=true")
            return files, root.rstrip("/")
        except ArrowInvalid:
            pass
    files, root = fs.FileSystem.from_uri(url)
    return files, root.rstrip("/")
