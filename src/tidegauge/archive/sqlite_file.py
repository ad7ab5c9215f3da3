"""The SQLite file of an archive: opening it, what can go wrong with it, and forks.

SQLite keeps a table of its open files in the process, which a fork copies: a child that opens the same file
again is taken to hold locks that only its parent holds, and when the parent closes, the write-ahead log is
deleted under the child, with all that the child has committed since. So connections are closed before a fork,
and opened again by whoever uses them next. Where that was not possible (a fork that Python did not make, or
during a long transaction) the child refuses, and neither uses nor closes what it inherited.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
import warnings
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from tidegauge.archive.directory import fsync_folder, told
from tidegauge.errors import ArchiveError, ArchiveWarning

APPLICATION_ID = 0x54474152  # "TGAR"
SCHEMA_VERSION = 1
FORK_WAIT_SECONDS = 10.0
WAL_LIMIT_BYTES = 64 << 20
SMALLEST_BYTES = 512  # a page
KEY_COLUMNS = """
    model TEXT NOT NULL, version TEXT NOT NULL, reference_id TEXT NOT NULL,
    start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
    segment TEXT NOT NULL, writer TEXT NOT NULL, sequence INTEGER NOT NULL,
    n_rows INTEGER NOT NULL, final INTEGER NOT NULL"""
# The key has end_ns first, for it is the latest windows that are looked for, in however long a history.
# `seal` covers what stands before it, of documents the body too: what changed on the disk is nothing else.
SCHEMA = f"""
CREATE TABLE profiles ({KEY_COLUMNS}, seal INTEGER NOT NULL, state BLOB NOT NULL,
    PRIMARY KEY (model, version, reference_id, end_ns, start_ns, segment, writer, sequence)) STRICT;
CREATE TABLE documents (kind TEXT NOT NULL, name TEXT NOT NULL, seal INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, name)) STRICT;
CREATE TABLE quarantined ({KEY_COLUMNS}, state BLOB, profile INTEGER, why TEXT NOT NULL,
    when_ns INTEGER NOT NULL) STRICT;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""
REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process holds it locked: try again, or look who does not let go",
    sqlite3.SQLITE_LOCKED: "another connection holds it locked: try again",
    sqlite3.SQLITE_FULL: "the disk, or the file size this process may have, is full: free some space",
    sqlite3.SQLITE_READONLY: "it, or its folder, may not be written: allow it, or pass read_only=True",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: look whether its folder exists and may be written",
    sqlite3.SQLITE_PERM: "it may not be opened: look at its permissions",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database: name another file, or move this one away",
    sqlite3.SQLITE_CORRUPT: "pages of it are damaged: `sqlite3 FILE .recover` saves the rest",
    sqlite3.SQLITE_IOERR: "the disk does not read or write it: look at the disk and the system's log",
}


class SqliteFile:
    """One file and at most one connection to it, behind a lock; opened when used first.

    `timeout_seconds`: how long to wait for other processes' transactions. Raises ArchiveError where it cannot
    be opened.
    """

    def __init__(self, path: str, *, read_only: bool, timeout_seconds: float) -> None:
        self.path = os.path.abspath(path)
        self.read_only = read_only
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode = (0, 0)
        self._pid = os.getpid()
        self._held = False  # by a fork that is being made
        self._stranded = False
        _FILES.add(self)

    @contextmanager
    def using(self, what: str) -> Iterator[sqlite3.Connection]:
        """Lend the connection, alone; `what` is being done says the error. Raises ArchiveError."""
        if self._pid != os.getpid():
            self.in_child()
        with self._lock:
            try:
                with told(f"open {self.path}"):
                    connection = self._opened()
                yield connection
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY:
                    self._let_go()  # SQLite opened it so, for a reason that may have passed: it stays so
                raise ArchiveError(f"archive {self.path}: cannot {what}: {explained(error)}") from error
            except UnicodeDecodeError as error:  # what SQLite says of a damaged schema quotes it
                remedy = REMEDIES[sqlite3.SQLITE_CORRUPT]
                raise ArchiveError(f"archive {self.path}: cannot {what}: {remedy}") from error

    @contextmanager
    def transaction(self, what: str) -> Iterator[sqlite3.Connection]:
        """Lend the connection inside a transaction: all or nothing. Raises ArchiveError."""
        if self.read_only:
            raise ArchiveError(f"archive {self.path}: cannot {what}: it was opened with read_only=True")
        with self.using(what) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has rolled back already
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connection, if there is one; it opens again when used."""
        if self._pid != os.getpid():
            self.in_child()
        with self._lock:
            self._let_go()

    def before_fork(self) -> None:
        """Wait for what runs, and leave nothing open that a child would inherit."""
        self._held = self._lock.acquire(timeout=FORK_WAIT_SECONDS)
        if self._held:
            self._let_go()

    def after_fork(self) -> None:
        """Go on in the parent."""
        if self._held:
            self._held = False
            self._lock.release()

    def in_child(self) -> None:
        """Begin anew in the child."""
        self._pid = os.getpid()
        self._lock, self._held = threading.Lock(), False
        if self._connection is not None:
            _keep_for_ever(self._connection)
            self._connection = None
            self._stranded = True

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _opened(self) -> sqlite3.Connection:
        if self._stranded:
            raise ArchiveError(
                f"archive {self.path}: this process was forked while a transaction ran, or not by Python, "
                "and SQLite cannot open the same file again: open the archive in the parent after the fork"
            )
        if self._connection is not None and self._moved():
            warnings.warn(
                f"archive {self.path}: the file was removed or replaced while it was open; what is at its "
                "path now is used, or made anew",
                ArchiveWarning,
                stacklevel=6,
            )
            self._let_go()
            self._set_stale_log_aside()
        if self._connection is None:
            self._connection = self._connected()
        return self._connection

    def _moved(self) -> bool:
        try:
            found = os.stat(self.path)
        except OSError:
            return True
        return self._inode != (found.st_dev, found.st_ino)

    def _connected(self) -> sqlite3.Connection:
        """Open the file, and make it where there is none."""
        exists = os.path.exists(self.path)
        if self.read_only and not exists:
            raise ArchiveError(f"archive {self.path}: there is no such file: look at the path")
        if not exists:
            self._set_stray_log_aside()
        elif 0 < os.path.getsize(self.path) < SMALLEST_BYTES:  # SQLite takes it for an empty one
            raise ArchiveError(
                f"archive {self.path}: {REMEDIES[sqlite3.SQLITE_NOTADB]} (it has less than a page)"
            )
        connection = self._connect("ro" if self.read_only else "rwc")
        connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")  # of a damaged page
        try:
            if not self.read_only:
                self._prepared(connection)
            self._recognised(connection)
            if not self.read_only:
                self._keep_names()
            found = os.stat(self.path)
            self._inode = found.st_dev, found.st_ino
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        name = f"file:{quote(self.path)}?mode={mode}"
        connection = sqlite3.connect(
            name, uri=True, timeout=self._timeout_seconds, isolation_level=None, check_same_thread=False
        )
        if mode != "ro":
            return connection
        try:
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK and self._rolled_back():
                return self._connect(mode)
            # Where no file can be made the log has no index; without a log none is needed.
            logs = [self.path + end for end in ("-wal", "-journal")]
            if error.sqlite_errorcode & 0xFF not in _UNWRITABLE or any(map(os.path.exists, logs)):
                raise
            return sqlite3.connect(
                f"{name}&immutable=1", uri=True, isolation_level=None, check_same_thread=False
            )
        return connection

    def _rolled_back(self) -> bool:
        """Undo what a writer that died had begun, which a reader may not; False where that cannot be done."""
        name = f"file:{quote(self.path)}?mode=rw"
        try:
            with closing(sqlite3.connect(name, uri=True, timeout=self._timeout_seconds)) as connection:
                connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        except sqlite3.Error:
            return False
        return True

    def _set_stale_log_aside(self) -> None:
        """Keep the log of a database that was replaced from being played into the one that is there now.

        Whoever uses that one holds a lock on it: then the log is theirs already. A second connection of this
        process is no holder to the system, and would lose its locks when the file is closed here.
        """
        if any(other.path == self.path and other._connection is not None for other in _FILES):
            return
        with suppress(OSError), open(self.path, "r+b") as database:
            fcntl.lockf(database, fcntl.LOCK_EX | fcntl.LOCK_NB, *_SHARED_LOCK)
            self._move_log()

    def _set_stray_log_aside(self) -> None:
        """Keep a log whose database is gone from being played into the new one."""
        if not os.path.exists(self.path):  # pragma: no branch (else it was made this moment)
            self._move_log()

    def _move_log(self) -> None:
        log = Path(self.path + "-wal")
        if not self.read_only and log.exists() and log.stat().st_size:
            aside = log.with_name(f"{log.name}.{time.time_ns()}")
            log.rename(aside)
            warnings.warn(
                f"archive {self.path}: there was the log of a database that is gone; it is now {aside.name}",
                ArchiveWarning,
                stacklevel=9,
            )

    def _prepared(self, connection: sqlite3.Connection) -> None:
        """Set how the file is written, and make its tables if it has none."""
        if not self._version(connection):
            connection.execute("BEGIN IMMEDIATE")
            try:
                if not self._version(connection) and not self._n_tables(connection):
                    for statement in SCHEMA.split(";"):
                        connection.execute(statement)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        self._recognised(connection)  # before a foreign file is changed
        self._set_journal(connection)
        # With the log that is FULL; without it, a commit is the deletion of the journal, which has to last.
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")

    def _keep_names(self) -> None:
        """Wait until the disk has the names of the database and of its log, which is open by now.

        SQLite does that only in the process that made the log, and goes on where the system could not do it:
        then a loss of power takes the log, with all that was committed to it.
        """
        with suppress(PermissionError):  # a folder that may be entered and not listed
            fsync_folder(os.path.dirname(self.path))

    def _set_journal(self, connection: sqlite3.Connection) -> None:
        """Take the write-ahead log where the file system can, else the rollback journal."""
        deadline = time.monotonic() + self._timeout_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                # Changing the mode asks for the file alone, and does not wait for it.
                busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                if busy and time.monotonic() < deadline:
                    time.sleep(0.005)
                    continue
                if busy or error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, *_UNWRITABLE):
                    raise
                connection.execute("PRAGMA journal_mode = DELETE")
                return

    def _recognised(self, connection: sqlite3.Connection) -> None:
        version = self._version(connection)
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        if not version and not application and not self._n_tables(connection):  # to who may not make them
            raise ArchiveError(f"archive {self.path}: nothing was ever stored in it, yet")
        if application != APPLICATION_ID or not version:
            raise ArchiveError(
                f"archive {self.path}: it is the SQLite database of something else: name another file"
            )
        if version > SCHEMA_VERSION:
            raise ArchiveError(
                f"archive {self.path}: it has version {version}, and this tidegauge knows {SCHEMA_VERSION} "
                "at most: upgrade tidegauge"
            )

    @staticmethod
    def _version(connection: sqlite3.Connection) -> int:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])

    @staticmethod
    def _n_tables(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])


def explained(error: sqlite3.Error) -> str:
    """Return what an error of SQLite means and what helps."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return f"{error}; {REMEDIES[code]}" if code in REMEDIES else str(error)


_SHARED_LOCK = 510, 0x40000002  # length and place of the bytes on which SQLite's readers hold a lock
_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
_FILES: weakref.WeakSet[SqliteFile] = weakref.WeakSet()


def _keep_for_ever(connection: sqlite3.Connection) -> None:
    """Keep a connection from being closed, even when the interpreter ends."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _each(step: str) -> None:
    for file in list(_FILES):
        getattr(file, step)()


os.register_at_fork(
    before=lambda: _each("before_fork"),
    after_in_parent=lambda: _each("after_fork"),
    after_in_child=lambda: _each("in_child"),
)
