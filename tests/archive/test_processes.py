"""Processes that fork, die, compact and read at once: nothing lost, nothing twice."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tidegauge.archive import Archive, Key, Record, sqlite_file
from tidegauge.archive.catalog import Catalog
from tidegauge.archive.directory import Directory
from tidegauge.archive.parquet import ParquetStore
from tidegauge.archive.urls import opened
from tidegauge.errors import ArchiveError
from tidegauge.window import DAY, HOUR, Window

ROOT = Path(__file__).parent.parent.parent


def keys_of(store):
    return [each.key for each in store.find()]


def in_child(work) -> None:
    """Fork, run, and fail where the child does."""
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            os.write(2, f"child: {error!r}\n".encode())
        finally:
            os._exit(1)
    deadline = time.monotonic() + 30
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        assert time.monotonic() < deadline, "the child hangs"
        time.sleep(0.002)
    assert ended[1] == 0


# Fork.


def test_a_child_opens_the_archive_anew(local_url, make):
    with Archive(local_url) as archive:
        archive.store.append([make.record(0), make.record(10, final=False)])

        def work():
            archive.store.append([make.record(1), make.record(11, final=False)])
            assert len(keys_of(archive.store)) == 4
            in_child(lambda: archive.store.append([make.record(2)]))

        in_child(work)
        assert keys_of(archive.store) == [make.key(hour) for hour in (0, 1, 2, 10, 11)]
        archive.store.append([make.record(3)])
    with Archive(local_url) as archive:
        assert {each.key for each in archive.store.find()} == {
            make.key(hour) for hour in (0, 1, 2, 3, 10, 11)
        }


def test_what_a_child_commits_survives_its_parents_close(tmp_path, make):
    """The parent's close deletes the log, unless the child's connection shows that it is in use."""
    archive = Archive(tmp_path / "a.db")
    archive.store.append([make.record(0)])
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            archive.store.append([make.record(1)])
            os.read(reader, 1)
            archive.store.append([make.record(2)])
            os._exit(0)
        finally:
            os._exit(1)
    while len(keys_of(archive.store)) < 2:
        time.sleep(0.002)
    archive.close()
    os.write(writer, b"x")
    assert os.waitpid(child, 0)[1] == 0
    assert keys_of(Archive(tmp_path / "a.db").store) == [make.key(hour) for hour in range(3)]
    for each in (reader, writer):
        os.close(each)


def test_sqlite_loses_what_such_a_child_commits_without_us(tmp_path):
    """Why connections are closed before a fork. Should this fail, SQLite has learned it: think again."""
    probe = """
import os, sqlite3, sys
def opened():
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    return connection
parent = opened()
parent.execute("CREATE TABLE t (x)")
(from_child, to_parent), (from_parent, to_child) = os.pipe(), os.pipe()
if not os.fork():
    child = opened()
    child.execute("INSERT INTO t VALUES (1)")
    os.write(to_parent, b"x")
    os.read(from_parent, 1)
    child.execute("INSERT INTO t VALUES (2)")
    assert child.execute("SELECT count(*) FROM t").fetchone() == (2,)
    os._exit(0)
os.read(from_child, 1)
parent.close()
os.write(to_child, b"x")
os.wait()
print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM t").fetchone()[0])
"""
    run = [sys.executable, "-c", probe, str(tmp_path / "a.db")]
    assert subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout == "1\n"


def test_a_fork_waits_for_a_transaction(tmp_path, make):
    archive = Archive(tmp_path / "a.db")
    archive.store.append([make.record(0)])
    stop = threading.Event()
    count = 0

    def append():
        nonlocal count
        while not stop.is_set():
            count += 1
            archive.store.append([make.record(count, bytes(50_000))])

    thread = threading.Thread(target=append)
    thread.start()
    try:
        for i in range(10):
            in_child(lambda i=i: archive.store.append([make.record(i, writer="child")]))
    finally:
        stop.set()
        thread.join()
    assert len(keys_of(archive.store)) == count + 1 + 10
    archive.close()


def test_a_fork_that_python_did_not_make_is_refused(tmp_path, make):
    """The child can neither use what it inherited nor open the file again: it says so, and harms nothing."""
    archive = Archive(tmp_path / "a.db")
    archive.store.append([make.record(0)])
    held = archive.store._file._connection
    assert held is not None

    def work():
        with pytest.raises(ArchiveError, match="open the archive in the parent after the fork"):
            archive.store.append([make.record(1)])
        with pytest.raises(ArchiveError, match="forked"):
            archive.models()
        archive.close()

    hooks = sqlite_file._FILES
    sqlite_file._FILES = set()  # the hooks see no file, as if nobody called them
    try:
        in_child(work)
    finally:
        sqlite_file._FILES = hooks
    assert archive.store._file._connection is held
    archive.store.append([make.record(2)])
    assert keys_of(archive.store) == [make.key(0), make.key(2)]
    archive.close()


POOLED: dict[str, Archive] = {}  # what a forked worker finds in its memory


def appended_in_pool(number: int) -> int:
    POOLED["archive"].store.append([Record(Key("m", "1", "r", Window(0, HOUR), "", f"w{number}"), 1, b"x")])
    return os.getpid()


@pytest.mark.parametrize("name", ["a.db", "a"])
def test_a_pool_of_forked_workers(tmp_path, name):
    archive = POOLED["archive"] = Archive(tmp_path / name)
    archive.store.put_document("any", "thing", b"")
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pids = pool.map(appended_in_pool, range(100), chunksize=5)
    assert len(set(pids)) > 1
    assert len(keys_of(archive.store)) == 100
    archive.close()


# Readers while others compact.


@pytest.mark.parametrize("name", ["a.db", "a"])
def test_readers_see_the_same_rows_during_compaction(tmp_path, name, reference, profiled):
    """A process compacts, in ever longer steps, while threads here read totals: always the same."""
    path = tmp_path / name
    with Archive(path) as archive:
        rid = archive.put_reference(reference)
        for hour in range(0, 21 * 24, 6):
            window = Window(hour * HOUR, (hour + 1) * HOUR)
            state = profiled(hour % 7, 10).to_bytes()
            archive.store.append([Record(Key("m", "1", rid, window, s, "w"), 10, state) for s in ("", "{}")])
        expected = archive.merged("m").n_rows
        compactor = subprocess.Popen([sys.executable, "-c", COMPACT, str(path)])
        seen: list[int] = []
        failed: list[Exception] = []

        def read(segment: str) -> None:
            own = Archive(path, read_only=True)
            try:
                while compactor.poll() is None or not seen:
                    seen.append(own.merged("m", segment=segment).n_rows)
                    assert sum(each.n_rows for each in own.store.find(model="m", segment=segment)) == expected
                    time.sleep(0.005)  # the others have two cores at most
            except Exception as error:
                failed.append(error)
            own.close()

        threads = [threading.Thread(target=read, args=(segment,)) for segment in ("", "{}", "")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert compactor.wait() == 0
        assert not failed, failed
        assert len(seen) > 5
        assert set(seen) == {expected}
        assert len(archive.windows("m")) < 21


COMPACT = """
import sys
from tidegauge.archive import Archive
from tidegauge.window import DAY
with Archive(sys.argv[1]) as archive:
    for step in ("6h", "1d", "1w"):
        archive.compact(older_than=21 * DAY, to=step, now_ns=0)
"""


@pytest.mark.parametrize("name", ["a.db", "a"])
def test_two_compact_at_once(tmp_path, name, reference, profiled):
    path = tmp_path / name
    with Archive(path) as archive:
        rid = archive.put_reference(reference)
        for hour in range(0, 14 * 24, 2):
            window = Window(hour * HOUR, (hour + 1) * HOUR)
            archive.store.append([Record(Key("m", "1", rid, window), 10, profiled(hour % 5, 10).to_bytes())])
        workers = [subprocess.Popen([sys.executable, "-c", COMPACT, str(path)]) for _ in range(3)]
        assert [worker.wait(120) for worker in workers] == [0, 0, 0]
        archive.compact(older_than=21 * DAY, to="1d", now_ns=0)
        assert archive.merged("m").n_rows == 14 * 12 * 10


@pytest.mark.parametrize("after", range(1, 40))
def test_a_compaction_cut_off_is_harmless_and_is_completed(tmp_path, make, monkeypatch, after):
    """Each step of it that changes the disk is the last one once."""
    store = opened(tmp_path / "a", read_only=False)
    for hour in range(24):
        store.append([make.record(hour, n_rows=hour + 1)])
    keys = keys_of(store)
    day = Record(Key("m", "1", "r", Window(0, DAY), "", "merged"), 300, b"day")
    count = 0

    def until(true):
        def call(*args, **named):
            nonlocal count
            count += 1
            if count > after:
                raise SystemExit("killed")
            return true(*args, **named)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", until(os.rename))
        patched.setattr(Directory, "delete", until(Directory.delete))
        with suppress(SystemExit):
            store.replace([day], keys)
    expected = [day.key] if after else keys
    other = opened(tmp_path / "a", read_only=False)
    assert keys_of(other) == expected
    assert sum(each.n_rows for each in other.find()) == 300
    assert [key for key, _ in other.read([*keys, day.key])] == expected
    # The next compaction, of something else in the same time, deletes what is left.
    other.append([make.record(5, writer="late"), make.record(6, writer="late")])
    both = Record(Key("m", "1", "r", Window(0, DAY), "", "both"), 2, b"late")
    other.replace([both], [make.key(5, writer="late"), make.key(6, writer="late")])
    assert len(list((tmp_path / "a").rglob("*.parquet"))) == 2
    assert sum(each.n_rows for each in other.find()) == 302
    for each in (store, other):
        each.close()


def test_what_was_replaced_stays_so_when_its_file_is_merged_again(tmp_path, make, monkeypatch):
    """The first compaction dies before it deletes; the second merges its file, and must remember for it."""
    store = opened(tmp_path / "a", read_only=False)
    store.append([make.record(hour) for hour in range(4)])
    two = Record(Key("m", "1", "r", Window(0, 2 * HOUR), "", "two"), 2, b"two")
    four = Record(Key("m", "1", "r", Window(0, 4 * HOUR), "", "four"), 4, b"four")
    with monkeypatch.context() as patched:
        patched.setattr(ParquetStore, "_delete_replaced", lambda *args: None)
        store.replace([two], [make.key(0), make.key(1)])
        assert keys_of(store) == [two.key, make.key(2), make.key(3)]
        store.replace([four], [two.key, make.key(2), make.key(3)])
    assert keys_of(store) == [four.key]
    (first,) = (each for each in (tmp_path / "a" / "merged").rglob("*.parquet") if "_two_" in each.name)
    first.unlink()
    assert keys_of(opened(tmp_path / "a", read_only=False)) == [four.key]
    store.close()


def test_a_listing_that_a_compaction_overtakes(tmp_path, make, monkeypatch):
    """Between two folders' listings everything moves: rows are neither missed nor seen twice."""
    store = opened(tmp_path / "a", read_only=False)
    store.append([make.record(0)])
    store.append([make.record(1)])
    reader = opened(tmp_path / "a", read_only=True)
    day = Record(Key("m", "1", "r", Window(0, DAY), "", "day"), 2, b"day")
    week = Record(Key("m", "1", "r", Window(-3 * DAY, 4 * DAY), "", "week"), 2, b"week")
    moves = iter(
        [
            lambda: store.replace([day], [make.key(0), make.key(1)]),
            lambda: store.replace([week], [day.key]),
        ]
    )
    listed = Catalog._listed

    def overtaken(self, folder, model):
        found = listed(self, folder, model)
        if self is reader._catalog and (move := next(moves, None)) is not None:
            move()
        return found

    monkeypatch.setattr(Catalog, "_listed", overtaken)
    assert sum(each.n_rows for each in reader.find()) == 2
    assert next(moves, None) is None
    for each in (store, reader):
        each.close()


# Death.


SPOOLER = """
import json, sys
from tidegauge.archive import Key, Record
from tidegauge.archive.urls import opened
from tidegauge.window import HOUR, Window
store = opened(sys.argv[1], read_only=False, spool=sys.argv[2])
for hour in range(3):
    for n in (1, 2):
        window = Window(hour * HOUR, (hour + 1) * HOUR)
        store.append([Record(Key("m", "1", "r", window, s, "dead"), n, b"x" * n, False) for s in ("", "{}")])
print("waiting", flush=True)
sys.stdin.readline()
"""


def test_the_checkpoints_of_the_dead_are_recovered(url, tmp_path, make):
    """By the next process that writes on this machine, as final, once; those of the living are left."""
    if url.startswith("sqlite"):
        pytest.skip("SQLite has no spool: its checkpoints are in the archive")
    spool = tmp_path / "spool"
    run = [sys.executable, "-c", SPOOLER, url, str(spool)]
    dead = subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert dead.stdout.readline() == "waiting\n"
    store = opened(url, read_only=False, spool=spool)
    store.append([make.record(50)])
    store._recovered = None
    store.append([make.record(51)])
    of_dead = [each for each in store.find() if each.key.writer == "dead"]
    assert len(of_dead) == 6
    assert not any(each.final for each in of_dead), "it lives"
    dead.kill()
    dead.communicate()
    assert [each for each in store.find() if each.key.writer == "dead"] == of_dead
    other = opened(url, read_only=False, spool=spool)
    for each in (store, other):
        each._recovered = None
        each.append([make.record(52)])
        found = [each for each in store.find() if each.key.writer == "dead"]
        assert [(each.key, each.n_rows) for each in found] == [(each.key, 2) for each in of_dead]
        assert all(each.final for each in found)
    assert {state for key, state in store.read([each.key for each in of_dead])} == {b"xx"}
    folders = [Path(url.removeprefix("file://")) / ".spool", spool]
    assert not [each for folder in folders for each in folder.rglob("*") if each.is_file()]
    for each in (store, other):
        each.close()


def test_the_spool_of_another_user_is_refused(s3, tmp_path, make):
    if os.getuid():
        pytest.skip("only root can give a folder away")
    url = f"s3://key:secret@any/x?endpoint_override={s3}&scheme=http"
    store = opened(url, read_only=False, spool=tmp_path)
    theirs = Path(store._spool.place.root)
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    with pytest.raises(ArchiveError, match="belongs to another user: pass spool="):
        store.append([make.record(final=False)])
    theirs.rmdir()
    theirs.symlink_to(tmp_path)
    with pytest.raises(ArchiveError, match="belongs to another user"):
        store.append([make.record(final=False)])


def test_the_serving_path_of_each_kind_loads_no_more_than_it_needs(tmp_path):
    """SQLite without pyarrow; Parquet without pandas, which pyarrow.array loads in half a second."""
    probe = """
import sys
import tidegauge as tg
assert "sqlite3" not in sys.modules
from tidegauge.archive import Archive, Key, Record
from tidegauge.window import HOUR, Window
profile = tg.Profile.empty()
state, window = profile.to_bytes(), Window(0, HOUR)
with Archive(sys.argv[1]) as archive:
    archive.store.append([Record(Key("m", "1", "r", window, s), 0, state) for s in ("", "{}")])
    archive.store.append([Record(Key("m", "1", "r", window, "", "w"), 0, state, False)])
    archive.store.put_document("verdicts", "x", b"{}")
    assert len(archive.store.find()) == 3
    assert len(list(archive.store.read([each.key for each in archive.store.find()]))) == 3
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    kinds = {"a.db": {"pyarrow", "pandas", "scipy", "numba"}, "a": {"pandas", "scipy", "numba"}}
    for name, unwanted in kinds.items():
        run = [sys.executable, "-c", probe, str(tmp_path / name)]
        loaded = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout.split()
        assert not unwanted & set(loaded), name
