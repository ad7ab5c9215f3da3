"""SqliteStore: an archive in one SQLite file, for the processes of one machine."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import takewhile
from typing import Any

from tidegauge.archive.directory import locked
from tidegauge.archive.records import (
    Found,
    Key,
    Quarantined,
    Record,
    checked_text,
    digest_of,
    fields_of,
    key_of,
)
from tidegauge.archive.sqlite_file import SqliteFile
from tidegauge.archive.store import ALONE_SECONDS, OvertakenError
from tidegauge.errors import ArchiveError, ArchiveWarning, InputError

TIMEOUT_SECONDS = 5.0
READ_AT_A_TIME = 64
KEYS = "model, version, reference_id, start_ns, end_ns, segment, writer, sequence"
HEAD = f"{KEYS}, n_rows, final"
THIS_KEY = " AND ".join(f"{name} = ?" for name in KEYS.split(", "))
APPEND = f"""
INSERT INTO profiles ({HEAD}, seal, state) VALUES ({", ".join("?" * 12)}) ON CONFLICT ({KEYS}) DO UPDATE SET
    n_rows = excluded.n_rows, final = excluded.final, seal = excluded.seal, state = excluded.state
    WHERE excluded.final >= profiles.final"""
# Those that are set aside but could not be moved, because their pages are damaged.
STUCK = "rowid NOT IN (SELECT profile FROM quarantined WHERE profile IS NOT NULL)"


class SqliteStore:
    """A `Store` in the SQLite file at `path`; durable when a call returns (WAL, synchronous=EXTRA)."""

    conditional = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        read_only: bool = False,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._file = SqliteFile(os.fspath(path), read_only=read_only, timeout_seconds=timeout_seconds)

    def append(self, records: Sequence[Record]) -> None:
        """See Store."""
        if not records:
            return
        rows = [row_of(record) for record in records]
        with self._file.transaction(f"store {len(rows)} profiles") as connection:
            connection.executemany(APPEND, rows)

    def find(
        self,
        *,
        model: str | None = None,
        version: str | None = None,
        reference_id: str | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        segment: str | None = None,
    ) -> list[Found]:
        """See Store."""
        asked = {
            "model = ?": model,
            "version = ?": version,
            "reference_id = ?": reference_id,
            "end_ns > ?": start_ns,
            "start_ns < ?": end_ns,
            "segment = ?": segment,
        }
        given = {clause: value for clause, value in asked.items() if value is not None}
        where = " AND ".join([STUCK, *given])
        with self._file.using("list what is stored") as connection:
            rows = connection.execute(
                f"SELECT {HEAD}, seal, rowid FROM profiles WHERE {where} ORDER BY {KEYS}",
                list(given.values()),
            ).fetchall()
        damaged = [row for row in rows if row[10] != seal_of(row[:10])]
        for row in damaged:
            self._set_row_aside(row)
        return [found_of(row) for row in rows if row not in damaged] if damaged else list(map(found_of, rows))

    def series(self) -> list[tuple[str, str, str]]:
        """See Store."""
        columns = "model, version, reference_id"
        with self._file.using("list its models") as connection:
            return connection.execute(
                f"SELECT DISTINCT {columns} FROM profiles ORDER BY {columns}"
            ).fetchall()

    def read(self, keys: Sequence[Key]) -> Iterator[tuple[Key, bytes]]:
        """See Store."""
        for begin in range(0, len(keys), READ_AT_A_TIME):
            with self._file.using("read what is stored") as connection:
                states = [state_of(connection, key) for key in keys[begin : begin + READ_AT_A_TIME]]
            for key, state in zip(keys[begin : begin + READ_AT_A_TIME], states, strict=True):
                if state is not None:
                    yield key, state

    def replace(self, merged: Sequence[Record], replaced: Sequence[Key]) -> None:
        """See Store."""
        rows = [row_of(record) for record in merged]
        with self._file.transaction(f"compact {len(replaced)} profiles") as connection:
            for key in set(replaced):
                if not connection.execute(f"DELETE FROM profiles WHERE {THIS_KEY}", fields_of(key)).rowcount:
                    raise OvertakenError(f"archive {self._file.path}: cannot compact {key}: it is not there")
            connection.executemany(APPEND, rows)

    def put_document(self, kind: str, name: str, body: bytes, *, if_absent: bool = False) -> bool:
        """See Store."""
        checked_text("document: kind", kind)
        checked_text("document: name", name)
        how = "INSERT OR IGNORE" if if_absent else "INSERT OR REPLACE"
        with self._file.transaction(f"store the document {kind}/{name}") as connection:
            done = connection.execute(
                f"{how} INTO documents (kind, name, seal, body) VALUES (?, ?, ?, ?)",
                (kind, name, document_seal(kind, name, body), body),
            )
            return done.rowcount == 1

    def documents(self, kind: str, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """See Store."""
        with self._file.using(f"read the documents {kind}/{prefix}") as connection:
            found = []
            asked = "SELECT name, body, seal FROM documents WHERE kind = ? AND name >= ? ORDER BY name"
            for row in connection.execute(asked, (kind, prefix)):
                whole = row[2] == document_seal(kind, *row[:2])
                if whole and not row[0].startswith(prefix):
                    break
                found.append((*row, whole))
        for name, body, _, whole in found:
            if whole:
                yield name, body
            else:
                warnings.warn(
                    f"archive {self._file.path}: the document {kind}/{name} is left out: it changed on the "
                    "disk after it was stored",
                    ArchiveWarning,
                    stacklevel=3,
                )

    def document_names(self, kind: str, prefix: str = "") -> list[str]:
        """See Store."""
        asked = "SELECT name FROM documents WHERE kind = ? AND name >= ? ORDER BY name"
        with self._file.using(f"list the documents {kind}/{prefix}") as connection:
            names = (name for (name,) in connection.execute(asked, (kind, prefix)))
            return list(takewhile(lambda name: name.startswith(prefix), names))

    def delete_documents(self, kind: str, names: Sequence[str]) -> None:
        """See Store."""
        with self._file.transaction(f"delete documents of {kind}") as connection:
            connection.executemany(
                "DELETE FROM documents WHERE kind = ? AND name = ?", [(kind, name) for name in names]
            )

    def alone(self, what: str) -> AbstractContextManager[None]:
        """See Store."""
        if self._file.read_only:
            raise ArchiveError(f"archive {self._file.path}: no {what}: it was opened with read_only=True")
        return locked(f"{self._file.path}-{what}", ALONE_SECONDS)

    def quarantine(self, keys: Sequence[Key], why: str) -> None:
        """See Store."""
        for key in keys:
            with self._file.using(f"set {key} aside") as connection:
                found = connection.execute(
                    f"SELECT rowid FROM profiles WHERE {THIS_KEY}", fields_of(key)
                ).fetchone()
            if found:
                self._move(found[0], why)

    def quarantined(self) -> list[Quarantined]:
        """See Store."""
        with self._file.using("list what was set aside") as connection:
            rows = connection.execute(
                f"SELECT {HEAD}, why, when_ns, rowid FROM quarantined ORDER BY when_ns, rowid"
            ).fetchall()
        where = f"{self._file.path}, table quarantined, row"
        return [
            Quarantined(known_key(row), why, when_ns, f"{where} {rowid}")
            for *row, why, when_ns, rowid in rows
        ]

    def close(self) -> None:
        """See Store."""
        self._file.close()

    def _set_row_aside(self, row: Sequence[Any]) -> None:
        """Take a row whose key is damaged out of sight."""
        told = ", ".join(map(repr, row[:10]))
        why = "its key or count changed on the disk after it was stored"
        warnings.warn(
            f"archive {self._file.path}: row {row[11]} ({told}) is left out: {why}",
            ArchiveWarning,
            stacklevel=4,
        )
        if not self._file.read_only:
            self._move(row[11], why)

    def _move(self, rowid: int, why: str) -> None:
        """Move a row to the table of those set aside, or mark it where its pages cannot be read."""
        when_ns = time.time_ns()
        try:
            with self._file.transaction("set a profile aside") as connection:
                connection.execute(
                    f"INSERT INTO quarantined ({HEAD}, state, why, when_ns) "
                    f"SELECT {HEAD}, state, ?, ? FROM profiles WHERE rowid = ?",
                    (why, when_ns, rowid),
                )
                connection.execute("DELETE FROM profiles WHERE rowid = ?", (rowid,))
        except ArchiveError as error:
            if not is_corrupt(error.__cause__):
                raise
            with self._file.transaction("mark a damaged profile") as connection:
                connection.execute(
                    f"INSERT INTO quarantined ({HEAD}, profile, why, when_ns) "
                    f"SELECT {HEAD}, rowid, ?, ? FROM profiles WHERE rowid = ?",
                    (why, when_ns, rowid),
                )


def row_of(record: Record) -> tuple[Any, ...]:
    """Return a record as columns."""
    head = (*fields_of(record.key), record.n_rows, int(record.final))
    return (*head, seal_of(head), record.state)


def known_key(row: Sequence[Any]) -> Key | None:
    """Return the key of a row that was set aside; None if it is none any more."""
    try:
        return key_of(row[:8])
    except InputError:
        return None


def found_of(row: Sequence[Any]) -> Found:
    """Return what a row says, whose seal was looked at."""
    return Found(key_of(row[:8]), row[8], bool(row[9]))


def seal_of(columns: Sequence[Any]) -> int:
    """Return a checksum of columns: 63 bits of BLAKE2b."""
    return int(digest_of(columns, 8), 16) >> 1


def document_seal(kind: str, name: Any, body: Any) -> int:
    """Return a checksum of a document."""
    told = hashlib.blake2b(body).hexdigest() if isinstance(body, bytes) else body
    return seal_of((kind, name, told))


def state_of(connection: sqlite3.Connection, key: Key) -> bytes | None:
    """Return a state, None of a key that is not there, b"" where its pages are damaged or of another row."""
    try:
        row = connection.execute(
            f"SELECT {HEAD}, seal, state FROM profiles WHERE {THIS_KEY} AND {STUCK}", fields_of(key)
        ).fetchone()
    except sqlite3.DatabaseError as error:
        if not is_corrupt(error):
            raise
        return b""
    if row is None:
        return None
    whole = row[:8] == fields_of(key) and row[10] == seal_of(row[:10]) and isinstance(row[11], bytes)
    return row[11] if whole else b""


def is_corrupt(error: BaseException | None) -> bool:
    """Tell whether an error says that pages are damaged."""
    return isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT
