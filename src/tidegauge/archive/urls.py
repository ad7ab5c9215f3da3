"""What a URL or a path of an archive means."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

from tidegauge.archive.store import Store
from tidegauge.errors import InputError

SQLITE_ENDS = (".db", ".db3", ".sqlite", ".sqlite3")
SQLITE_MARK = b"SQLite format 3\0"
OBJECT_STORES = ("s3", "gs", "gcs", "abfs", "abfss")


def opened(
    url: str | os.PathLike[str], *, read_only: bool, spool: str | os.PathLike[str] | None = None
) -> Store:
    """Return the store of a URL or path, not opened yet. Raises InputError for one that means nothing."""
    text = os.fspath(url)
    scheme, colon, _ = text.partition("://")
    if not text or "\0" in text:
        raise InputError(f"archive: {text!r} is no path and no URL")
    if not colon or isinstance(url, os.PathLike):
        return of_path(text, read_only=read_only)
    if scheme == "sqlite":
        return of_sqlite(sqlite_path(text), read_only=read_only)
    from tidegauge.archive.parquet import ParquetStore

    if scheme == "file":
        return ParquetStore.of_directory(file_path(text), read_only=read_only)
    if scheme in OBJECT_STORES:
        return ParquetStore.of_url(text, read_only=read_only, spool=spool)
    raise InputError(
        f"archive: {shown(text)}: {scheme!r} is no kind of archive: sqlite:///FILE, file:///DIRECTORY, "
        f"{', '.join(f'{each}://' for each in OBJECT_STORES)} are"
    )


def of_path(path: str, *, read_only: bool) -> Store:
    """Return the store of a path: SQLite by its name or first bytes, else a directory of Parquet files."""
    if path.endswith(SQLITE_ENDS) or is_sqlite(path):
        return of_sqlite(path, read_only=read_only)
    if os.path.isfile(path):
        raise InputError(
            f"archive: {path} is a file, and no SQLite database: name a directory, or a file that ends in "
            f"{', '.join(SQLITE_ENDS)}"
        )
    from tidegauge.archive.parquet import ParquetStore

    return ParquetStore.of_directory(path, read_only=read_only)


def of_sqlite(path: str, *, read_only: bool) -> Store:
    """Return the store of a SQLite file."""
    from tidegauge.archive.sqlite import SqliteStore

    return SqliteStore(path, read_only=read_only)


def sqlite_path(url: str) -> str:
    """Return the path of sqlite:///relative.db or sqlite:////absolute.db. Raises InputError."""
    parts = urlsplit(url)
    path = unquote(parts.path[1:])
    if parts.netloc or not path or parts.query or parts.fragment:
        raise InputError(
            f"archive: {shown(url)} names no file: write sqlite:///relative.db or sqlite:////absolute/path.db"
        )
    return path


def file_path(url: str) -> str:
    """Return the path of file:///directory. Raises InputError."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path or parts.query or parts.fragment:
        raise InputError(f"archive: {shown(url)} names no directory here: write file:///absolute/path")
    return unquote(parts.path)


def is_sqlite(path: str) -> bool:
    """Tell whether a file begins as SQLite's do."""
    try:
        with open(path, "rb") as file:
            return file.read(len(SQLITE_MARK)) == SQLITE_MARK
    except OSError:
        return False


def shown(url: str) -> str:
    """Return a URL for people: no passwords, no keys."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
