"""What the world does to an archive: it is told in words, nothing stored is harmed, and it goes on."""

from __future__ import annotations

import errno
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import tidegauge as tg
from tidegauge.archive import Archive, Key, Record, SqliteStore
from tidegauge.archive import directory as directory_module
from tidegauge.archive import spool as spool_module
from tidegauge.archive import sqlite_file as sqlite_file_module
from tidegauge.archive.sqlite_file import APPLICATION_ID, SCHEMA_VERSION
from tidegauge.archive.urls import opened
from tidegauge.errors import ArchiveError, ArchiveWarning, InputError, TidegaugeError
from tidegauge.window import HOUR, Window


def keys_of(store):
    return [each.key for each in store.find()]


# Where the archive is to be.


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("", "no path and no URL"),
        ("a\0b", "no path and no URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite://host/a.db", "names no file"),
        ("sqlite:///a.db?mode=ro", "names no file"),
        ("file://host/a", "names no directory"),
        ("file://", "names no directory"),
        ("ftp://host/a", "'ftp' is no kind of archive"),
        ("postgres://user:password@host/a", "postgres://host/a: 'postgres' is no kind"),
    ],
)
def test_urls_that_mean_nothing(url, match):
    with pytest.raises(InputError, match=match) as refused:
        Archive(url)
    assert "password" not in str(refused.value)


def test_what_a_path_means(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    for url, made in (
        ("sqlite:///a.db", "a.db"),
        (f"sqlite:///{tmp_path}/b.anything", "b.anything"),
        ("c.sqlite", "c.sqlite"),
        (tmp_path / "d.db", "d.db"),
        ("e", "e/profiles"),
        (f"file://{tmp_path}/f%20g", "f g/profiles"),
        (Path("h"), "h/profiles"),
    ):
        with Archive(url) as archive:
            assert not os.path.exists(made), "constructing opens nothing"
            archive.store.append([make.record()])
            assert os.path.exists(made), url
    os.rename("a.db", "no ending")
    with Archive("no ending") as archive:
        assert keys_of(archive.store) == [make.key()]
    Path("text").write_text("not a database at all")
    with pytest.raises(InputError, match="is a file, and no SQLite database"):
        Archive("text")


def test_constructing_never_fails_for_the_state_of_the_world(tmp_path, make):
    (tmp_path / "file").write_text("x")
    for place in ("file/under.db", "file/under", "none/of/these.db"):
        archive = Archive(tmp_path / place)
        with pytest.raises(ArchiveError, match=re.escape(str(tmp_path / place.split("/")[0]))):
            archive.store.append([make.record()])
    with pytest.raises(ArchiveError, match="there is no such file"):
        Archive(tmp_path / "none.db", read_only=True).models()
    assert not (tmp_path / "none.db").exists()
    assert Archive(tmp_path / "none", read_only=True).models() == []
    assert not (tmp_path / "none").exists()


def test_a_place_that_comes_later_is_used(tmp_path, make):
    archive = Archive(tmp_path / "later" / "a.db")
    with pytest.raises(ArchiveError, match="look whether its folder exists"):
        archive.store.append([make.record()])
    (tmp_path / "later").mkdir()
    archive.store.append([make.record()])
    assert keys_of(archive.store) == [make.key()]


# Permissions, space, locks.


def bound(command: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run Python as a user whom permissions bind: root without root's right to overrule them."""
    run = [sys.executable, "-c", command, *args]
    if not os.getuid():
        if shutil.which("setpriv") is None:
            pytest.skip(
                "root may write anywhere, and there is no setpriv (Debian: util-linux) to change that"
            )
        run = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", *run]
    return subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)


WRITE = """
import sys
from tidegauge.archive import Archive, Key, Record
from tidegauge.errors import ArchiveError
from tidegauge.window import HOUR, Window
record = Record(Key("m", "1", "r", Window(HOUR, 2 * HOUR)), 1, b"x")
try:
    Archive(sys.argv[1]).store.append([record])
except ArchiveError as error:
    print("refused:", error)
try:
    print(len(Archive(sys.argv[1], read_only=True).store.find()), "found")
except ArchiveError as error:
    print("unread:", error)
"""


@pytest.mark.parametrize("name", ["a.db", "a"])
@pytest.mark.parametrize("open_too", [False, True])
def test_what_may_not_be_written(tmp_path, make, name, open_too):
    """The folder and all in it; also while another process has the archive open for writing."""
    folder = tmp_path / "here"
    folder.mkdir()
    with Archive(folder / name) as archive:
        archive.store.append([make.record()])
        if not open_too:
            archive.close()
        for each in [*folder.rglob("*"), folder]:
            each.chmod(0o555 if each.is_dir() else 0o444)
        done = bound(WRITE, str(folder / name))
        for each in [folder, *folder.rglob("*")]:
            each.chmod(0o755 if each.is_dir() else 0o644)
        assert re.search(r"refused: .*(allow it|look at the permissions)", done.stdout), done
        assert "1 found" in done.stdout, "it is read all the same"
        archive.store.append([make.record(1)])
        assert keys_of(archive.store) == [make.key(), make.key(1)]


@pytest.mark.parametrize("name", ["a.db", "a"])
def test_a_full_disk(tmp_path, make, name):
    """RLIMIT_FSIZE: a write goes as far as the limit, and fails there, as on a disk that is full."""
    with Archive(tmp_path / name) as archive:
        archive.store.append([make.record(hour, bytes(1000)) for hour in range(20)])
        before = keys_of(archive.store)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, limits[1]))
        try:
            big = [make.record(hour, os.urandom(50_000)) for hour in range(100, 110)]
            for _ in range(3):
                with pytest.raises(ArchiveError, match=r"the disk|ulimit -f"):
                    archive.store.append(big)
                with pytest.raises(ArchiveError, match=r"the disk|ulimit -f"):
                    archive.store.append([*big, make.record(200, final=False), make.record(model="other")])
            assert keys_of(archive.store) == before
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        archive.store.append(big)
        assert len(keys_of(archive.store)) == 30
        assert dict(archive.store.read([big[3].key])) == {big[3].key: big[3].state}
    assert not list(tmp_path.rglob("*.tmp"))


def stored_until_full(archive, make):
    """Append until it is refused; return how many were not."""
    for hour in range(1, 200):
        try:
            archive.store.append([make.record(hour, os.urandom(30_000))])
        except ArchiveError as error:
            if "disk" in str(error):
                return hour
            raise
    raise AssertionError("the disk is never full")


def test_a_real_full_disk(tmp_path, make):
    """A tmpfs of 2 MB, where this process may mount one."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(tmp_path)]
    if os.getuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a tmpfs")
    try:
        for name in ("a.db", "a"):
            with Archive(tmp_path / name) as archive:
                archive.store.append([make.record()])
                stored = stored_until_full(archive, make)
                assert stored > 10
                assert keys_of(archive.store) == [make.key(hour) for hour in range(stored)]
                with pytest.raises(ArchiveError, match="disk"):
                    archive.store.append([make.record(999, os.urandom(30_000), final=False)])
                assert keys_of(archive.store) == [make.key(hour) for hour in range(stored)]
                subprocess.run(["mount", "-o", "remount,size=8m", str(tmp_path)], check=True)
                archive.store.append([make.record(stored, os.urandom(30_000))])
                assert len(keys_of(archive.store)) == stored + 1
            shutil.rmtree(tmp_path / name) if name == "a" else os.remove(tmp_path / name)
            subprocess.run(["mount", "-o", "remount,size=2m", str(tmp_path)], check=True)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.readline()
"""


def test_a_database_that_another_process_holds(tmp_path, make):
    path = tmp_path / "a.db"
    store = SqliteStore(path, timeout_seconds=0.2)
    store.append([make.record()])
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        began = time.monotonic()
        with pytest.raises(ArchiveError, match="another process holds it locked"):
            store.append([make.record(1)])
        assert 0.15 < time.monotonic() - began < 5
        assert keys_of(store) == [make.key()], "readers read on"
        fresh = SqliteStore(path, timeout_seconds=0.2)
        assert keys_of(fresh) == [make.key()]
    finally:
        holder.communicate("go\n", timeout=30)
    store.append([make.record(1)])
    assert keys_of(store) == [make.key(), make.key(1)]


# The file changes under us.


@pytest.mark.parametrize("how", ["unlinked", "unlinked alone", "replaced", "renamed"])
def test_a_database_that_vanished_while_open(tmp_path, make, how):
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    store.append([make.record()])
    if how == "replaced":
        other = SqliteStore(tmp_path / "b.db")
        other.append([make.record(7)])
        other.close()
        os.rename(tmp_path / "b.db", path)
    elif how == "renamed":
        os.rename(path, tmp_path / "moved.db")
    else:
        for name in os.listdir(tmp_path):
            if how == "unlinked" or name == "a.db":
                os.remove(tmp_path / name)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        store.append([make.record(1)])
    assert "was removed or replaced while it was open" in str(told[0].message)
    logs = how in ("unlinked alone", "replaced", "renamed")
    assert any("is now a.db-wal." in str(each.message) for each in told) == logs
    assert keys_of(store) == ([make.key(1), make.key(7)] if how == "replaced" else [make.key(1)])
    store.close()
    again = SqliteStore(path)
    assert make.key(1) in keys_of(again)
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_directory_that_vanished_while_open(tmp_path, make):
    store = opened(tmp_path / "a", read_only=False)
    store.append([make.record(), make.record(1, final=False)])
    shutil.rmtree(tmp_path / "a")
    assert keys_of(store) == []
    store.append([make.record(2)])
    store.append([make.record(3, final=False)])
    assert keys_of(store) == [make.key(2), make.key(3)]
    store.close()


# Files that are none, or of something else, or of later versions.


@pytest.mark.parametrize("bytes_", [b"not a database " * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database(tmp_path, make, bytes_):
    path = tmp_path / "a.db"
    path.write_bytes(bytes_)
    with pytest.raises(ArchiveError, match=r"no SQLite database|damaged"):
        SqliteStore(path).append([make.record()])
    assert path.read_bytes() == bytes_


def test_an_empty_file_becomes_an_archive(tmp_path, make):
    (tmp_path / "a.db").touch()
    store = SqliteStore(tmp_path / "a.db")
    store.append([make.record()])
    assert keys_of(store) == [make.key()]
    store.close()


def test_the_database_of_something_else_is_left_alone(tmp_path, make):
    path = tmp_path / "a.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(ArchiveError, match="of something else"):
            SqliteStore(path, read_only=read_only).find()
    assert path.read_bytes() == before


def test_a_later_version_says_upgrade(tmp_path, make):
    store = SqliteStore(tmp_path / "a.db")
    store.append([make.record()])
    store.close()
    later = sqlite3.connect(tmp_path / "a.db")
    later.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    later.close()
    with pytest.raises(ArchiveError, match=rf"version {SCHEMA_VERSION + 1}.*upgrade tidegauge"):
        store.append([make.record(1)])
    assert int.from_bytes(b"TGAR", "big") == APPLICATION_ID


def test_a_file_system_without_shared_memory_gets_a_rollback_journal(tmp_path, make, monkeypatch):
    connect = sqlite3.connect

    def without_wal(name, **options):
        return connect(name + "&vfs=unix-dotfile", **options)

    monkeypatch.setattr(sqlite3, "connect", without_wal)
    store = SqliteStore(tmp_path / "a.db")
    store.append([make.record()])
    assert keys_of(store) == [make.key()]
    assert not (tmp_path / "a.db-wal").exists()
    store.close()


# The k-th call of the operating system fails: once, and ever after.


@pytest.mark.parametrize("sticky", [False, True])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_every_call_of_a_directory_may_fail(tmp_path, make, monkeypatch, number, sticky):
    """Whatever fails, an append is all or none, and succeeds when the disk is well again."""
    calls = [(os, "fsync"), (os, "rename"), (os, "mkdir"), (directory_module, "write_durably")]
    completed = False
    for k in range(1, 60):
        root = tmp_path / f"{k}"
        store = opened(root, read_only=False)
        count = 0

        def failing(true, k=k):
            def call(*args, **named):
                nonlocal count
                count += 1
                if count == k or (sticky and count > k):
                    raise OSError(number, os.strerror(number))
                return true(*args, **named)

            return call

        store.append([make.record(9, b"old", 1, final=False)])
        records = [make.record(0), make.record(1, model="other"), make.record(9, b"new", 2, final=False)]
        failed = ""
        with monkeypatch.context() as patched:
            for module, name in calls:
                patched.setattr(module, name, failing(getattr(module, name)))
            try:
                store.append(records)
            except ArchiveError as error:
                failed = str(error)
        assert not failed or os.strerror(number) in failed
        there = {each.key for each in store.find()}
        if failed:
            # Once all of it is in the spool it counts, though the caller is not told so.
            assert there == {make.key(9)} or {each.key for each in records} <= there
        else:
            assert there == {each.key for each in records}
        store.append(records)
        assert {each.key: each.n_rows for each in store.find()} == {each.key: each.n_rows for each in records}
        store.close()
        if not failed:
            completed = True
            break
    assert completed
    assert k > 8, "the calls that may fail were reached"


# Damage.


def stored(path, make, profiled, n=12):
    """Store real profiles, and return their rows by key."""
    records = [
        Record(Key("m", "1", "r", make.key(hour).window, s, "w"), 40, profiled(hour, 40).to_bytes())
        for hour in range(n)
        for s in ("", '{"country":"SE"}')
    ]
    with Archive(path) as archive:
        for hour in range(n):
            archive.store.append(records[2 * hour : 2 * hour + 2])
        archive.store.put_document("verdicts", "name", b"told")
    return {each.key: each.n_rows for each in records}


def look(path, expected):
    """Read all there is; return how many rows are missing, and whether that was said."""
    found, said = {}, False
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with Archive(path) as archive:
            for segment in ("", '{"country":"SE"}'):
                try:
                    for window, profile in archive.windows("m", segment=segment).items():
                        found[window, segment] = profile.n_rows
                except TidegaugeError as error:
                    said |= "no profiles of model" not in str(error)
            try:
                list(archive.store.documents("verdicts"))
                archive.quarantined()
            except TidegaugeError:
                said = True
    assert all(issubclass(each.category, ArchiveWarning) for each in told), told
    wanted = {(key.window, key.segment): n for key, n in expected.items()}
    invented = {place: n for place, n in found.items() if wanted.get(place) != n}
    assert not invented, "what is told is what was stored"
    return len(wanted) - len(found), said or bool(told)


@pytest.mark.parametrize("seed", range(4))
def test_bit_flips_in_a_database(tmp_path, make, profiled, seed):
    """Each is an error, or a warning that names what was set aside; never other numbers, never silence."""
    expected = stored(tmp_path / "whole.db", make, profiled)
    whole = (tmp_path / "whole.db").read_bytes()
    chance = random.Random(seed)
    path = tmp_path / "a.db"
    outcomes = {"harmless": 0, "said": 0}
    for _ in range(40):
        damaged = bytearray(whole)
        for _ in range(chance.choice([1, 1, 8])):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        missing, said = look(path, expected)
        if missing and not said:
            # An entry of the index that another one hides: SQLite's own check tells it.
            connection = sqlite3.connect(path)
            connection.text_factory = bytes
            assert connection.execute("PRAGMA integrity_check").fetchall() != [(b"ok",)]
            connection.close()
        outcomes["said" if said else "harmless"] += 1
        for each in tmp_path.glob("a.db*"):
            each.unlink()
    assert outcomes["said"] > 10


def test_truncated_databases(tmp_path, make, profiled):
    expected = stored(tmp_path / "whole.db", make, profiled)
    whole = (tmp_path / "whole.db").read_bytes()
    path = tmp_path / "a.db"
    for size in [*range(1, 200, 37), *range(4096, len(whole), 4096 * 3 + 100)]:
        path.write_bytes(whole[:size])
        _, said = look(path, expected)
        assert said, size
        for each in tmp_path.glob("a.db*"):
            each.unlink()


def damage(path: Path, how: str, chance: random.Random) -> None:
    body = bytearray(path.read_bytes())
    if how == "flipped":
        for _ in range(chance.choice([1, 1, 8])):
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    elif how == "cut":
        body = body[: chance.randrange(len(body))]
    else:
        body = bytearray()
    path.write_bytes(body)


@pytest.mark.parametrize("how", ["flipped", "cut", "empty"])
def test_damaged_parquet_files(tmp_path, make, profiled, how):
    """In a process of its own: damage to its own format must not end even Arrow's reader."""
    expected = stored(tmp_path / "whole", make, profiled)
    chance = random.Random(how)
    n_said = 0
    for turn in range(60 if how == "flipped" else 10):
        root = tmp_path / f"{turn}"
        shutil.copytree(tmp_path / "whole", root)
        files = sorted(root.rglob("*.parquet"))
        damage(chance.choice(files), how, chance)
        before = sum(each.stat().st_size for each in files)
        missing, said = look(root, expected)
        assert said or not missing
        n_said += said
        assert said or how == "flipped"
        # Reading all rows alone may not have met the damage; when it is met, the file goes whole.
        settled, _ = look(root, expected)
        assert missing <= settled <= 2
        assert look(root, expected) == (settled, False), "what was set aside is not told again"
        assert sum(each.stat().st_size for each in root.rglob("*.parquet")) == before, "it is kept"
        shutil.rmtree(root)
    assert n_said >= 10


def test_a_damaged_spool_hides_nothing_else(tmp_path, make, profiled):
    store = opened(tmp_path / "a", read_only=False)
    store.append([make.record()])
    store.append([make.record(1, final=False)])
    (spooled,) = (tmp_path / "a" / ".spool").rglob("*.parquet")
    spooled.write_bytes(spooled.read_bytes()[:-7])
    other = opened(tmp_path / "a", read_only=False)
    with pytest.warns(ArchiveWarning, match="no whole Parquet file"):
        assert keys_of(other) == [make.key()]
    assert len(other.quarantined()) == 1
    store.append([make.record(2, final=False)])
    assert keys_of(other) == [make.key(), make.key(2)]
    for each in (store, other):
        each.close()


def test_a_process_that_was_killed_leaves_no_half_files_for_long(tmp_path, make):
    store = opened(tmp_path / "a", read_only=False)
    store.append([make.record(hour) for hour in range(24)])
    (old, new) = (tmp_path / "a" / "profiles" / name for name in (".old.tmp", ".new.tmp"))
    for half in (old, new):
        half.write_bytes(b"half")
    os.utime(old, (0, 0))
    day = Record(Key("m", "1", "r", Window(0, 24 * HOUR), "", "merged"), 24, b"day")
    store.replace([day], keys_of(store))
    assert (old.exists(), new.exists()) == (False, True)
    store.close()


def test_signals_do_not_harm(tmp_path, make):
    """A signal every millisecond, handled: calls of the system that it interrupts go on."""
    caught = 0

    def handler(number, frame):
        nonlocal caught
        caught += 1

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for name in ("a.db", "a"):
            with Archive(tmp_path / name) as archive:
                for hour in range(50):
                    archive.store.append([make.record(hour, bytes(20_000))])
                assert len(keys_of(archive.store)) == 50
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert caught > 20


def test_a_parquet_file_of_a_later_format_says_upgrade(tmp_path, make, monkeypatch):
    store = opened(tmp_path / "a", read_only=False)
    monkeypatch.setattr("tidegauge.archive.parquet_file.FORMAT", 2)
    store.append([make.record(segment=s) for s in ("", "{}")])
    monkeypatch.undo()
    with pytest.raises(ArchiveError, match=r"profiles/model=m/.*it has format 2, .*upgrade tidegauge"):
        store.find()
    assert len(list((tmp_path / "a").rglob("*.parquet"))) == 1, "it is left where it is"


def test_dead_processes_that_cannot_be_recovered_hold_nobody_up(tmp_path, make, monkeypatch):
    store = opened(tmp_path / "a", read_only=False)
    monkeypatch.setattr(store._spool, "recover", lambda take: take(None))
    with pytest.raises(TypeError):
        store.append([make.record()])  # a mistake of ours is not hidden

    def refused(take):
        raise ArchiveError("no")

    monkeypatch.setattr(store._spool, "recover", refused)
    store._recovered = None
    with pytest.warns(ArchiveWarning, match="dead processes wait on: no"):
        store.append([make.record()])
    assert keys_of(store) == [make.key()]
    store.append([make.record(1)])


def test_the_spool_of_an_object_store_goes_by_where_it_is_not_by_who_asks():
    places = {
        opened(url, read_only=False)._spool.place.root
        for url in (
            "s3://key:secret@bucket/x?endpoint_override=host:1&scheme=http",
            "s3://other:rotated@bucket/x?endpoint_override=host:1",
        )
    }
    assert len(places) == 1
    for unlike in ("s3://bucket/x?endpoint_override=host:2", "s3://bucket/y?endpoint_override=host:1"):
        assert opened(unlike, read_only=False)._spool.place.root not in places


# The system says no in the middle of things.


def failing_close(monkeypatch, ending: str) -> list[str]:
    """Have each close of a file whose name ends so fail, as the system may: the descriptor is gone."""
    real, closed = os.close, []

    def failing(descriptor):
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        real(descriptor)
        if name.endswith(ending):
            closed.append(name)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "close", failing)
    return closed


def test_a_lock_that_fails_to_close_is_let_go_all_the_same(tmp_path, make, monkeypatch):
    with Archive(tmp_path / "a") as archive:
        states = [tg.profile(make.rows(hour, 10), accumulators="light").to_bytes() for hour in range(3)]
        archive.store.append([make.record(hour, state, 10) for hour, state in enumerate(states)])
        closed = failing_close(monkeypatch, ".lock")
        for older in (2, 24):
            archive.compact(older_than=older * HOUR, to="2h", now_ns=0)
        archive.store.append([make.record(9, final=False)])
        archive.store.close()
        assert len(closed) >= 2
    assert len(keys_of(opened(tmp_path / "a", read_only=False))) == 3


def test_a_spool_that_cannot_be_locked_is_tried_again(tmp_path, make, monkeypatch):
    store, real, tries = opened(tmp_path / "a", read_only=False), spool_module.fcntl.flock, []

    def failing(lock, how):
        tries.append(how)
        if len(tries) == 1:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        real(lock, how)

    monkeypatch.setattr(spool_module.fcntl, "flock", failing)
    with pytest.raises(ArchiveError, match=r"make .*\.lock"):
        store.append([make.record(0, final=False)])
    store.append([make.record(0, final=False)])
    assert keys_of(store) == [make.key(0)]


def test_a_spool_whose_lock_file_is_taken_for_a_dead_ones_makes_another(tmp_path, make, monkeypatch):
    """Another process looks between the making of the file and its lock, and deletes what nobody holds."""
    store, real, taken = opened(tmp_path / "a", read_only=False), spool_module.fcntl.flock, []

    def late(lock, how):
        if not taken:
            taken.append(os.readlink(f"/proc/self/fd/{lock}"))
            os.unlink(taken[0])
        real(lock, how)

    monkeypatch.setattr(spool_module.fcntl, "flock", late)
    store.append([make.record(0, final=False)])
    assert os.path.exists(taken[0]), "who recovers goes by the files of locks"


def test_what_cannot_be_recovered_now_waits_on_and_is_told(tmp_path, make, monkeypatch):
    dead = opened(tmp_path / "a", read_only=False)
    dead.append([make.record(0, final=False)])
    dead.close()
    real = os.unlink

    def failing(path, **kwargs):
        if str(path).endswith(".lock"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(path, **kwargs)

    monkeypatch.setattr(os, "unlink", failing)
    store = opened(tmp_path / "a", read_only=False)
    with pytest.warns(ArchiveWarning, match="checkpoints of dead processes wait on"):
        store.append([make.record(1)])
    assert keys_of(store) == [make.key(0), make.key(1)]


@pytest.mark.parametrize("n_bytes", [10, 2 << 20])
def test_what_cannot_be_read_now_is_not_taken_for_damaged(tmp_path, make, monkeypatch, n_bytes):
    """A large file is read by Arrow, which says OSError of damaged pages as well."""
    store = opened(tmp_path / "a", read_only=False)
    body = random.Random(1).randbytes(n_bytes)
    store.append([make.record(0, body)])
    read_row_group = pq.ParquetFile.read_row_group

    def failing(*args, **kwargs):
        raise OSError(errno.EIO, "Error reading bytes from file")

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", failing)
    with pytest.raises(ArchiveError, match="cannot read a file"):
        list(store.read([make.key(0)]))
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", read_row_group)
    assert list(store.read([make.key(0)])) == [(make.key(0), body)]
    real = pq.ParquetFile
    monkeypatch.setattr(pq, "ParquetFile", failing)
    other = opened(tmp_path / "a", read_only=False)
    with pytest.raises(ArchiveError, match="cannot read a file"):
        list(other.read([make.key(0)]))
    monkeypatch.setattr(pq, "ParquetFile", real)
    assert list(other.read([make.key(0)])) == [(make.key(0), body)]
    assert other.quarantined() == []


def synced_folders(monkeypatch) -> list[str]:
    """Note the folders whose names are synced."""
    real, synced = directory_module.fsync_folder, []

    def noting(folder):
        synced.append(str(folder))
        real(folder)

    monkeypatch.setattr(directory_module, "fsync_folder", noting)
    return synced


def test_a_folder_that_somebody_else_made_is_synced_before_what_is_put_there_counts(tmp_path, monkeypatch):
    """Else the loss of power takes it, and all in it: who made it may not have come so far."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    place = directory_module.Directory(tmp_path / "a")
    synced = synced_folders(monkeypatch)
    place.put("b/c/file", b"x")
    assert synced == [str(tmp_path / each) for each in ("", "a", "a/b", "a/b/c")]
    synced.clear()
    place.put("b/c/other", b"x")
    assert synced == [str(tmp_path / "a/b/c")], "once is enough"


def test_a_folder_whose_sync_failed_is_synced_at_the_next_attempt(tmp_path, monkeypatch):
    place, real = directory_module.Directory(tmp_path / "a"), directory_module.fsync_folder

    def failing(folder):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(directory_module, "fsync_folder", failing)
    with pytest.raises(ArchiveError, match="does not read or write"):
        place.put("b/file", b"x")
    monkeypatch.setattr(directory_module, "fsync_folder", real)
    synced = synced_folders(monkeypatch)
    place.put("b/file", b"x")
    assert str(tmp_path) in synced
    assert str(tmp_path / "a") in synced


def test_a_document_that_was_there_is_durable_when_that_is_said(tmp_path, monkeypatch):
    place = directory_module.Directory(tmp_path / "a")
    assert place.put("d/name", b"x", if_absent=True)
    synced = synced_folders(monkeypatch)
    assert not directory_module.Directory(tmp_path / "a").put("d/name", b"y", if_absent=True)
    assert str(tmp_path / "a" / "d") in synced


def test_the_name_of_a_database_and_its_log_are_synced_by_whoever_opens_it(tmp_path, make, monkeypatch):
    """SQLite leaves that to the process that made the log, and does not mind if it fails."""
    real, seen = sqlite_file_module.fsync_folder, []

    def failing(folder):
        seen.append((folder, os.path.exists(tmp_path / "a.db-wal")))
        if len(seen) == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(folder)

    monkeypatch.setattr(sqlite_file_module, "fsync_folder", failing)
    store, other = SqliteStore(tmp_path / "a.db"), SqliteStore(tmp_path / "a.db")
    with pytest.raises(ArchiveError, match="the disk does not read or write"):
        store.append([make.record(0)])
    store.append([make.record(0)])
    other.append([make.record(1)])
    assert seen == [(str(tmp_path), True)] * 3
    assert keys_of(store) == [make.key(0), make.key(1)]


def test_a_log_that_cannot_be_moved_out_of_the_way_is_an_archive_error(tmp_path, make, monkeypatch):
    (tmp_path / "a.db-wal").write_bytes(b"of a database that is gone")

    def failing(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(ArchiveError, match="mount it for writing"):
        SqliteStore(tmp_path / "a.db").append([make.record(0)])


def test_without_a_log_a_commit_lasts_too(tmp_path, make, monkeypatch):
    """The deletion of the journal is the commit: synced with synchronous=EXTRA (3), not with FULL (2)."""
    delete = "PRAGMA journal_mode = DELETE"
    monkeypatch.setattr(sqlite_file_module.SqliteFile, "_set_journal", lambda _, made: made.execute(delete))
    store = SqliteStore(tmp_path / "a.db")
    store.append([make.record(0)])
    with store._file.using("look") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 3
