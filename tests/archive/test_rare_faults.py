"""What happens to an archive once in years: each is made to happen, and does no harm."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sqlite3
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.archive.test_processes import in_child

from tidegauge.archive import Archive, Key, SqliteStore, sqlite_file
from tidegauge.archive import catalog as catalog_module
from tidegauge.archive import spool as spool_module
from tidegauge.archive.bucket import connected
from tidegauge.archive.catalog import Catalog, File, GoneError
from tidegauge.archive.parquet_file import encode, head_of, open_file, states_of
from tidegauge.archive.places import Entry
from tidegauge.archive.sqlite_file import SqliteFile
from tidegauge.archive.urls import opened
from tidegauge.errors import ArchiveError, ArchiveWarning, InputError
from tidegauge.window import HOUR, Window


def keys_of(store):
    return [each.key for each in store.find()]


@pytest.fixture
def folder(tmp_path):
    """A Parquet archive on this machine's disk."""
    store = opened(tmp_path / "a", read_only=False)
    yield store
    store.close()


# Any archive.


def test_nothing_is_appended(local_url):
    store = opened(local_url, read_only=False)
    store.append([])
    assert keys_of(store) == []


def test_a_text_that_is_none_is_refused():
    with pytest.raises(InputError, match="model is a int: a text is needed"):
        Key(5, "1", "r", Window(0, HOUR))


def test_an_id_that_another_begins_with_is_another(local_url):
    with Archive(local_url) as archive:
        archive.store.put_document("references", "abc", b"{}")
        with pytest.raises(ArchiveError, match="it has no reference 'ab'"):
            archive.reference("ab")


def test_a_writer_whose_words_are_damaged_hides_no_other(local_url):
    with Archive(local_url) as archive:
        archive.store.put_document("writers", "w", b"{")
        with pytest.warns(ArchiveWarning, match="what writer 'w' said of itself is left out"):
            assert archive.writers() == {}


def test_documents_by_the_beginning_of_their_names(local_url):
    store = opened(local_url, read_only=False)
    for name in ("a", "ab", "b"):
        store.put_document("k", name, name.encode())
    assert list(store.documents("k", "a")) == [("a", b"a"), ("ab", b"ab")]


# Files.


def test_a_listing_that_never_holds_is_given_up(folder, make, monkeypatch):
    folder.append([make.record()])

    def overtaken(*_):
        raise GoneError

    monkeypatch.setattr(Catalog, "_read", overtaken)
    with pytest.raises(ArchiveError, match="it changed under 20 attempts to list it"):
        folder.find()


def test_heads_are_forgotten_when_there_are_too_many(folder, make, monkeypatch):
    monkeypatch.setattr(catalog_module, "MOST_HEADS", 0)
    folder.append([make.record(segment=s) for s in ("", "{}")])
    folder.append([make.record(1, segment=s) for s in ("", "{}")])
    for _ in range(2):
        assert len(keys_of(folder)) == 4
    assert len(folder._catalog._heads) <= 2


def test_who_only_reads_leaves_damaged_files_where_they_are(folder, make, tmp_path):
    folder.append([make.record(segment=s) for s in ("", "{}")])
    (file,) = (tmp_path / "a" / "profiles").rglob("*.parquet")
    file.write_bytes(b"damaged")
    with pytest.warns(ArchiveWarning, match="is left out: it is no whole Parquet file"):
        assert keys_of(opened(tmp_path / "a", read_only=True)) == []
    assert file.read_bytes() == b"damaged"


def test_a_damaged_file_that_another_process_moved_is_moved_once(folder, make):
    folder.append([make.record()])
    gone = File(folder._place, Entry("profiles/gone.parquet", 1, 1))
    with pytest.warns(ArchiveWarning, match="gone.parquet is moved"):
        folder._catalog.set_file_aside(gone, "it is damaged")
    assert folder.quarantined() == []


@pytest.mark.parametrize(
    "note", [b"", b"{", b"[]", b"{}", b'{"key": [1], "why": "", "when_ns": 1, "at": ""}']
)
def test_a_note_that_is_damaged_itself_hides_nothing(folder, make, tmp_path, note):
    folder.append([make.record()])
    notes = tmp_path / "a" / "quarantine" / "notes"
    notes.mkdir(parents=True)
    (notes / "x.json").write_bytes(note)
    assert folder.quarantined() == []
    assert keys_of(folder) == [make.key()]


def test_what_is_deleted_between_finding_and_reading_is_left_out(folder, make, tmp_path):
    folder.append([make.record()])
    found = keys_of(folder)
    shutil.rmtree(tmp_path / "a" / "profiles")
    assert list(folder.read(found)) == []


def test_what_is_not_there_is_not_set_aside(folder, make):
    folder.append([make.record()])
    folder.quarantine([make.key(9), make.key(0)], "why")
    assert [each.key for each in folder.quarantined()] == [make.key(0)]


def test_states_of_another_type_are_damaged(make):
    file = pq.read_table(io.BytesIO(encode([make.record()], written_ns=1)))
    states = file.column_names.index("state")
    sink = io.BytesIO()
    pq.write_table(file.set_column(states, "state", pa.array([7])), sink)
    altered = open_file(sink.getvalue())
    assert len(head_of(altered).found) == 1, "its list is whole"
    assert states_of(altered, [0]) == [b""]


def test_names_too_long_for_a_path(folder, make):
    model = "m/" * 150
    folder.append([make.record(model=model), make.record(1, model=model)])
    assert keys_of(folder) == [make.key(model=model), make.key(1, model=model)]
    assert folder.find(model="m") == []
    with pytest.raises(InputError, match="800 is the limit"):
        folder.put_document("k", "n" * 801, b"")
    with pytest.raises(InputError, match="is longer than 200 characters in a path"):
        folder.put_document("k" * 201, "n", b"")


def test_urls_of_buckets():
    url = "s3://key:secret@bucket/x?endpoint_override=localhost:1&scheme=http&region=us-east-1"
    for each in (url, f"{url}&allow_delayed_open=false"):
        assert connected(each)[1] == "bucket/x"
    with pytest.raises(pa.ArrowInvalid, match="nonsense"):
        connected(f"{url}&nonsense=1")


# The spool.


def dead(tmp_path, make, *hours: int) -> Path:
    """Leave the checkpoints of a process that is gone; return the file of its lock."""
    store = opened(tmp_path / "a", read_only=False)
    store.append([make.record(hour, final=False) for hour in hours])
    store.close()
    (lock,) = (tmp_path / "a" / ".spool" / "open").glob(".*.lock")
    return lock


def recovered(store) -> None:
    store._recovered = None
    store._recover()


def test_a_spool_of_nothing(folder, make):
    spool = folder._spool
    spool.put([], written_ns=1)
    folder.append([make.record(0, final=False)])
    before = spool._token
    spool.after_fork()
    assert spool._token == before, "it was no fork"


def test_checkpoints_that_are_final_by_now_are_not_put_again(folder, make, tmp_path):
    folder.append([make.record(9)])
    lock = dead(tmp_path, make, 0)
    folder.append([make.record(0, b"final")])
    recovered(folder)
    assert not lock.exists()
    assert dict(folder.read([make.key(0)])) == {make.key(0): b"final"}
    assert len(list((tmp_path / "a" / "profiles").rglob("*.parquet"))) == 2


def test_the_locks_of_others_are_theirs(folder, make, tmp_path, monkeypatch):
    folder.append([make.record(9)])
    lock, real = dead(tmp_path, make, 0), os.open

    def forbidden(path, *how):
        if str(path).endswith(".lock"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, *how)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", forbidden)
        recovered(folder)
    assert lock.exists()
    recovered(folder)
    assert not lock.exists()
    assert keys_of(folder) == [make.key(0), make.key(9)]


def test_a_lock_whose_name_is_used_again_is_left_alone(folder, make, tmp_path, monkeypatch):
    """Between opening the file of a lock and taking it, another process recovers it, and reuses its name."""
    folder.append([make.record(9)])
    lock, real = dead(tmp_path, make, 0), spool_module.fcntl.flock

    def late(descriptor, how):
        lock.unlink()
        lock.touch()
        real(descriptor, how)

    with monkeypatch.context() as patched:
        patched.setattr(spool_module.fcntl, "flock", late)
        recovered(folder)
    assert lock.exists()


def test_a_lock_without_checkpoints_is_deleted(folder, make, tmp_path):
    folder.append([make.record(9)])
    lock = dead(tmp_path, make, 0)
    lock.with_name(f"{lock.stem[1:]}.parquet").unlink()
    recovered(folder)
    assert not lock.exists()


def test_checkpoints_that_are_damaged_wait_for_readers(folder, make, tmp_path):
    folder.append([make.record(9)])
    lock = dead(tmp_path, make, 0)
    file = lock.with_name(f"{lock.stem[1:]}.parquet")
    file.write_bytes(b"damaged")
    recovered(folder)
    assert lock.exists()
    with pytest.warns(ArchiveWarning, match="no whole Parquet file"):
        assert keys_of(folder) == [make.key(9)]


# SQLite.


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("it says no")
    error.sqlite_errorcode = code
    return error


class Journal:
    """A connection that refuses the write-ahead log with these codes, one after the other."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.mode = ""

    def execute(self, statement: str) -> None:
        if statement.endswith("WAL") and self.codes:
            raise sqlite_error(self.codes.pop(0))
        self.mode = statement.rpartition(" ")[2]


def set_journal(journal: Journal, folder: Path) -> str:
    file = SqliteFile(str(folder / "a.db"), read_only=False, timeout_seconds=0.05)
    file._set_journal(journal)
    return journal.mode


def test_the_journal_where_the_disk_is_odd(tmp_path):
    assert set_journal(Journal(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED), tmp_path) == "WAL"
    assert set_journal(Journal(sqlite3.SQLITE_IOERR), tmp_path) == "DELETE"
    for codes in ([sqlite3.SQLITE_FULL], [sqlite3.SQLITE_READONLY], [sqlite3.SQLITE_BUSY] * 1000):
        with pytest.raises(sqlite3.OperationalError, match="it says no"):
            set_journal(Journal(*codes), tmp_path)


@pytest.mark.parametrize("ending", ["", "ROLLBACK;"])
def test_tables_that_cannot_be_made_are_made_at_the_next_attempt(tmp_path, make, monkeypatch, ending):
    """A disk that is full has rolled back by itself."""
    store = SqliteStore(tmp_path / "a.db")
    with monkeypatch.context() as patched:
        patched.setattr(sqlite_file, "SCHEMA", f"CREATE TABLE profiles (x);{ending} no statement;")
        with pytest.raises(ArchiveError, match="syntax error"):
            store.append([make.record()])
    store.append([make.record()])
    assert keys_of(store) == [make.key()]


def test_a_reader_waits_for_a_database_held_alone(tmp_path, make):
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    store.append([make.record()])
    store.close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ArchiveError, match="holds it locked"):
        SqliteStore(path, read_only=True, timeout_seconds=0.05).find()
    holder.close()
    assert keys_of(SqliteStore(path, read_only=True)) == [make.key()]


def test_the_log_of_a_replaced_database_stays_with_whoever_uses_the_new_one(tmp_path, make):
    path = tmp_path / "a.db"
    first = SqliteStore(path)
    first.append([make.record(0)])
    for each in tmp_path.iterdir():
        each.unlink()
    second = SqliteStore(path)
    second.append([make.record(1)])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert keys_of(first) == [make.key(1)]
    assert ["removed or replaced" in str(each.message) for each in told] == [True]
    assert keys_of(second) == [make.key(1)]


def test_a_row_whose_key_is_damaged_is_left_out_by_who_only_reads(tmp_path, make):
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    store.append([make.record(0), make.record(1)])
    store.close()
    other = sqlite3.connect(path)
    other.execute("UPDATE profiles SET n_rows = 7 WHERE start_ns = 0")
    other.commit()
    other.close()
    reader = SqliteStore(path, read_only=True)
    for _ in range(2):
        with pytest.warns(ArchiveWarning, match="changed on the disk"):
            assert keys_of(reader) == [make.key(1)]
    assert reader.quarantined() == []


def test_a_row_set_aside_whose_key_is_none_is_listed_without_one(tmp_path, make):
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    store.append([make.record(0)])
    store.close()
    other = sqlite3.connect(path)
    other.execute("UPDATE profiles SET start_ns = end_ns + 1")
    other.commit()
    other.close()
    with pytest.warns(ArchiveWarning, match="changed on the disk"):
        assert keys_of(store) == []
    assert [each.key for each in store.quarantined()] == [None]


def test_a_read_that_the_disk_refuses_is_no_damage(tmp_path, make, monkeypatch):
    store = SqliteStore(tmp_path / "a.db")
    store.append([make.record()])
    store.append([make.record(1)])

    class Refusing:
        def execute(self, *_):
            raise sqlite_error(sqlite3.SQLITE_IOERR)

    with monkeypatch.context() as patched:
        patched.setattr(store._file, "_opened", Refusing)
        with pytest.raises(ArchiveError, match="the disk does not read or write it"):
            list(store.read([make.key()]))
    assert [key for key, _ in store.read([make.key()])] == [make.key()]
    assert store.quarantined() == []


def test_a_fork_in_a_long_transaction_leaves_the_child_without_the_archive(tmp_path, make, monkeypatch):
    monkeypatch.setattr(sqlite_file, "FORK_WAIT_SECONDS", 0.02)
    store = SqliteStore(tmp_path / "a.db")
    store.append([make.record()])

    def work():
        with pytest.raises(ArchiveError, match="forked while a transaction ran"):
            store.append([make.record(1)])

    with store._file.transaction("take long"):
        in_child(work)
    store.append([make.record(2)])
    assert keys_of(store) == [make.key(0), make.key(2)]


def test_a_child_that_python_did_not_fork_may_close(tmp_path, make, monkeypatch):
    store = SqliteStore(tmp_path / "a.db")
    store.append([make.record()])
    with monkeypatch.context() as patched:
        patched.setattr(sqlite_file, "_FILES", set())
        in_child(store.close)
    store.append([make.record(1)])
    assert keys_of(store) == [make.key(0), make.key(1)]


def test_a_reader_undoes_what_a_writer_that_died_had_begun(tmp_path):
    """It read the half-written pages: a reader may not undo, and was told to look at nothing but the file."""
    whole, torn = tmp_path / "whole.db", tmp_path / "torn" / "a.db"
    with Archive(whole) as archive:
        archive.store.put_document("kind", "name", b"body" * 1_000)
    writer = sqlite3.connect(whole, isolation_level=None)
    writer.execute("PRAGMA journal_mode = DELETE")
    writer.execute("PRAGMA cache_size = 1")  # pages are written before the commit
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM documents")
    for i in range(200):
        writer.execute(
            "INSERT INTO documents (kind, name, seal, body) VALUES ('k', ?, 0, ?)", (i, b"x" * 9_000)
        )
    torn.parent.mkdir()
    shutil.copy(whole, torn)
    shutil.copy(f"{whole}-journal", f"{torn}-journal")
    writer.execute("ROLLBACK")
    writer.close()
    assert torn.read_bytes() != whole.read_bytes()
    with Archive(torn, read_only=True) as archive:
        assert list(archive.store.documents("kind")) == [("name", b"body" * 1_000)]


def test_a_file_that_could_once_only_be_read_is_opened_anew(tmp_path):
    """As after a file system that was read-only for a moment: SQLite's connection would stay so for ever."""
    store = SqliteStore(tmp_path / "a.db")
    store.put_document("kind", "name", b"body")
    store.close()
    name = f"file:{tmp_path}/a.db?mode=ro"
    store._file._connection = sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False)
    found = os.stat(tmp_path / "a.db")
    store._file._inode = (found.st_dev, found.st_ino)
    with pytest.raises(ArchiveError, match="readonly"):
        store.put_document("kind", "other", b"body")
    store.put_document("kind", "other", b"body")
    assert store.document_names("kind") == ["name", "other"]
    store.close()
