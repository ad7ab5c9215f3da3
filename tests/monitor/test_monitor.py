"""The monitor: rows in, windows in the archive, and nothing raised in between."""

from __future__ import annotations

import gc
import logging
import pickle
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest
from tests.monitor.conftest import T0, payments
from tests.monitor.doubles import Flaky

import tidegauge as tg
from tidegauge.errors import ArchiveError, ArchiveWarning, InputError, TidegaugeError
from tidegauge.intake.segmentation import Segmentation
from tidegauge.window import HOUR, Window

HOUR_0 = Window(T0, T0 + HOUR)


def rows_of(data):
    names = list(data)
    return [
        dict(zip(names, row, strict=True))
        for row in zip(*(data[name].tolist() for name in names), strict=True)
    ]


def as_rows(data):
    return rows_of(data | {"time": data["time"].astype("datetime64[us]")})


def test_batches_and_rows_reach_the_archive(reference, archive, clock):
    data = payments(5_000)
    small = {name: values[:200] for name, values in data.items()}
    with tg.Monitor(
        "fraud", reference, version="3", segments=["country"], archive=archive, clock=clock
    ) as monitor:
        monitor.update(data)
        monitor.update(small)
        for row in as_rows(small):
            monitor.record(row)
        assert monitor.health.n_rows == 5_400
        assert monitor.health.n_rows_waiting == 5_400
    health = monitor.health
    assert (health.status, health.n_rows_archived, health.n_rows_waiting) == ("closed", 5_400, 0)
    assert health.errors == {}
    whole = archive.merged("fraud")
    assert whole.n_rows == 5_400
    assert whole["amount"].n_rows == 5_400
    swedish = archive.merged("fraud", segment={"country": "SE"})
    counts = [int((part["country"] == "SE").sum()) for part in (data, small, small)]
    assert swedish.n_rows == sum(counts)
    assert list(archive.windows("fraud")) == [HOUR_0]


def test_what_is_archived_is_what_a_profile_of_the_rows_is(reference, archive, clock):
    data = payments(3_000)
    with tg.Monitor("fraud", reference, archive=archive, clock=clock) as monitor:
        monitor.update(data)
    assert archive.merged("fraud") == tg.profile(data, reference)


def test_a_row_at_a_time_is_what_a_batch_of_them_is(reference, archive, clock):
    data = payments(6_000)
    data["time"] = data["time"].astype("datetime64[us]")
    with tg.Monitor("fraud", reference, archive=archive, clock=clock) as monitor:
        for row in as_rows(data):
            monitor.record(row)
    assert archive.merged("fraud") == tg.profile(data, reference)


@pytest.mark.parametrize(
    "convert", [pa.table, lambda data: pa.table(data).to_batches()[0], lambda data: [pa.table(data)] * 2]
)
def test_anything_arrow_is_taken(reference, archive, clock, convert):
    with tg.Monitor("fraud", reference, archive=archive, clock=clock, strict=True) as monitor:
        monitor.update(convert(payments(600)))
        assert monitor.health.n_rows in {600, 1_200}


BAD_ROWS = [
    {"amount": "a lot", "country": "SE", "time": "not a time"},
    {"amount": None, "country": None},
    {"amount": [1, 2], "country": {"a": 1}, "score": object()},
    {"amount": 2**80, "country": "x" * 100_000, "score": float("nan")},
    {},
    {"unknown": 1, "other": "x"},
    {"time": "2026-11-02T00:00:00Z", "amount": 1.0},
]


@pytest.mark.parametrize("row", BAD_ROWS, ids=range(len(BAD_ROWS)))
def test_rows_of_any_shape_are_taken_and_counted(reference, archive, clock, row):
    with tg.Monitor(
        "fraud", reference, segments=["country"], archive=archive, clock=clock, strict=True
    ) as monitor:
        monitor.record(row)
        monitor.record(row)
    profile = archive.merged("fraud")
    assert profile.n_rows == 2
    for column in profile.values():
        assert column.n_rows == 2
    if row and "unknown" not in row:
        assert profile["amount"].n_mistyped == (2 if isinstance(row["amount"], str | list) else 0)
    if "unknown" in row:
        assert profile.unexpected == {"unknown": 2, "other": 2}


@pytest.mark.parametrize("bad", [None, 3, "x", {1: 2}, {"a": 1, None: 2}, object()], ids=repr)
def test_what_is_no_row_or_batch_is_counted_and_not_raised(reference, archive, clock, bad, caplog):
    with tg.Monitor("fraud", reference, archive=archive, clock=clock) as monitor:
        with caplog.at_level(logging.WARNING, "tidegauge"):
            for _ in range(3):
                monitor.record(bad)
        assert monitor.health.n_rows_refused == 3
        assert monitor.health.status == "degraded"
        assert sum(monitor.health.errors.values()) == 3
        assert len(caplog.records) == 1
        monitor.update(object())
        assert monitor.health.errors["InputError"] >= 1
        monitor.record({"amount": 1.0})
    assert archive.merged("fraud").n_rows == 1


def test_an_id_can_be_a_segment_of_rows_and_of_batches(archive, clock):
    data = payments(2_000) | {"shop": np.arange(2_000) % 3}
    reference = tg.Reference.fit(data, schema=tg.Schema.infer(data, id=["shop"], timestamp="time"))
    with tg.Monitor("fraud", reference, segments=["shop"], archive=archive, clock=clock) as monitor:
        monitor.update(data)
        for row in as_rows({name: values[:30] for name, values in data.items()}):
            monitor.record(row)
        monitor.update({name: values[:30] for name, values in data.items()})
    found = {each["shop"]: archive.merged("fraud", segment=each).n_rows for each in archive.segments("fraud")}
    assert found == {"0": 667 + 20, "1": 667 + 20, "2": 666 + 20}


def test_strict_raises(reference, archive, clock):
    with tg.Monitor("fraud", reference, archive=archive, clock=clock, strict=True) as monitor:
        with pytest.raises((TypeError, TidegaugeError)):
            monitor.record(3)
        with pytest.raises(TidegaugeError):
            monitor.update(object())
        with pytest.raises(TidegaugeError):
            monitor.update({"a": [1], "b": [1, 2]})


def test_what_the_caller_means_to_get_passes(reference, archive, clock):
    class Row(Mapping):
        def __init__(self, error):
            self.error = error

        def __getitem__(self, key):
            raise self.error

        def __iter__(self):
            raise self.error

        def __len__(self):
            return 1

    with tg.Monitor("fraud", reference, archive=archive, clock=clock) as monitor:
        with pytest.raises(KeyboardInterrupt):
            monitor.record(Row(KeyboardInterrupt()))
        with pytest.raises(SystemExit):
            monitor.record(Row(SystemExit(3)))
        monitor.record(Row(MemoryError()))
        assert monitor.health.errors == {"MemoryError": 1}


def test_after_close_rows_are_refused_and_counted(reference, archive, clock):
    monitor = tg.Monitor("fraud", reference, archive=archive, clock=clock)
    monitor.record({"amount": 1.0})
    monitor.close()
    monitor.close()
    monitor.record({"amount": 1.0})
    monitor.update(payments(600))
    health = monitor.health
    assert (health.n_rows, health.n_rows_archived, health.n_rows_refused) == (1, 1, 601)
    assert "it is closed" in health.last_error


def test_with_the_archive_down_it_starts_holds_and_retries(reference, tmp_path, clock):
    store = Flaky(tg.Archive(f"sqlite:///{tmp_path / 'a.db'}").store)
    store.down = True
    archive = tg.Archive(store)
    with tg.Monitor("fraud", reference, archive=archive, clock=clock) as monitor:
        monitor.update(payments(2_000))
        assert not monitor.checkpoint()
        health = monitor.health
        assert (health.status, health.n_rows_waiting, health.n_rows_lost) == ("degraded", 2_000, 0)
        assert "it is away" in health.last_error
        assert health.seconds_since_archived is None
        store.down = False
        monitor.update(payments(1_000, 2))
        assert monitor.checkpoint()
        assert (monitor.health.status, monitor.health.n_rows_archived) == ("ok", 3_000)
        assert monitor.health.seconds_since_archived < 5
    assert archive.merged("fraud").n_rows == 3_000


def test_while_the_archive_is_away_memory_stays_within_the_budget(reference, tmp_path, clock):
    store = Flaky(tg.Archive(f"sqlite:///{tmp_path / 'a.db'}").store)
    store.down = True
    budget = 6 << 20
    monitor = tg.Monitor(
        "fraud", reference, segments=["country"], archive=tg.Archive(store), clock=clock, budget_bytes=budget
    )
    for i in range(400):
        clock.now_ns = T0 + i * HOUR
        monitor.update(payments(600, i, begin_ns=clock.now_ns))
        monitor.checkpoint()
        assert monitor.health.memory_bytes <= budget
    health = monitor.health
    assert health.n_rows_lost > 0
    assert health.n_rows_waiting + health.n_rows_lost == 240_000
    store.down = False
    monitor.close()
    assert monitor.health.n_rows_archived + monitor.health.n_rows_lost == 240_000
    assert tg.Archive(store).merged("fraud").n_rows == monitor.health.n_rows_archived


def test_closing_while_the_archive_is_away_says_what_is_lost(reference, tmp_path, clock, caplog):
    store = Flaky(tg.Archive(f"sqlite:///{tmp_path / 'a.db'}").store)
    monitor = tg.Monitor("fraud", reference, archive=tg.Archive(store), clock=clock)
    monitor.update(payments(1_000))
    assert monitor.checkpoint()
    monitor.update(payments(500, 3))
    store.down = True
    with caplog.at_level(logging.ERROR, "tidegauge"):
        monitor.close(timeout_seconds=0.2)
    health = monitor.health
    assert (health.n_rows_archived, health.n_rows_lost) == (1_000, 500)
    assert "500 rows are lost" in caplog.text


def test_rows_are_taken_at_once_while_the_archive_is_slow(reference, tmp_path, clock):
    store = Flaky(tg.Archive(f"sqlite:///{tmp_path / 'a.db'}").store)
    monitor = tg.Monitor("fraud", reference, archive=tg.Archive(store), clock=clock, checkpoint_seconds=0.01)
    monitor.record({"amount": 1.0})
    store.released.clear()
    time.sleep(2.2)  # the background thread stands in `append` by now
    slowest = 0.0
    for i in range(2_000):
        began = time.perf_counter()
        monitor.record({"amount": float(i), "country": "SE"})
        slowest = max(slowest, time.perf_counter() - began)
    monitor.update(payments(600))
    store.released.set()
    monitor.close()
    assert slowest < 0.25
    assert monitor.health.n_rows_archived == 2_601


def test_windows_go_to_the_archive_by_themselves(reference, archive, clock):
    monitor = tg.Monitor("fraud", reference, archive=archive, clock=clock, checkpoint_seconds=0.05)
    monitor.update(payments(1_000))
    deadline = time.monotonic() + 20
    while monitor.health.n_rows_archived < 1_000 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert archive.merged("fraud").n_rows == 1_000
    assert not archive.store.find()[0].final
    clock.now_ns = T0 + 2 * HOUR
    while not archive.store.find()[0].final and time.monotonic() < deadline:
        time.sleep(0.05)
    assert archive.store.find()[0].final
    monitor.close()
    assert archive.merged("fraud").n_rows == 1_000


def test_by_the_clock_rows_are_of_the_hour_they_came_in(reference, archive, clock):
    with tg.Monitor("fraud", reference, archive=archive, timestamp="", clock=clock) as monitor:
        for i in range(3):
            clock.now_ns = T0 + i * HOUR
            for _ in range(i + 1):
                monitor.record({"amount": 1.0})
            monitor.update(payments(600, begin_ns=0))
    found = archive.windows("fraud")
    assert [(w.start_ns - T0) // HOUR for w in found] == [0, 1, 2]
    assert [profile.n_rows for profile in found.values()] == [601, 602, 603]


def test_days_by_the_clocks_of_a_timezone(reference, archive, clock):
    clock.now_ns = T0 + 48 * HOUR
    with tg.Monitor(
        "fraud", reference, archive=archive, window="1d", timezone="Europe/Stockholm", clock=clock
    ) as monitor:
        monitor.update(payments(5_000, begin_ns=T0 - 9 * 24 * HOUR, length_ns=2 * 24 * HOUR))
    hours = [(w.end_ns - w.start_ns) // HOUR for w in archive.windows("fraud")]
    assert hours == [24, 25, 24]  # 2026-10-25 has one hour twice


def test_two_versions_are_two_series(reference, archive, clock):
    for version, n in (("1", 600), ("2", 700)):
        with tg.Monitor("fraud", reference, version=version, archive=archive, clock=clock) as monitor:
            monitor.update(payments(n))
    assert archive.merged("fraud", version="1").n_rows == 600
    assert archive.merged("fraud", version="2").n_rows == 700
    assert archive.merged("fraud").n_rows == 1_300


BAD = [
    ({"model": ""}, "model is ''"),
    ({"window": "soon"}, "is no length of time"),
    ({"timezone": "Mars/Olympus", "window": "1d"}, "is not known here"),
    ({"timezone": "Europe/Paris"}, "whole days or weeks"),
    ({"segments": ["nowhere"]}, "no column 'nowhere'"),
    ({"budget_bytes": 1_000}, "of budget_bytes, 500"),
    ({"timestamp": "amount"}, "is a number in the reference"),
    ({"threads": -1}, "threads is -1"),
    ({"checkpoint_seconds": 0}, "checkpoint_seconds is 0"),
    ({"judge": "always"}, "neither None nor 'elect'"),
    ({"on_close": print}, "pass judge='elect'"),
    ({"archive": "ftp://x"}, "ftp"),
]


@pytest.mark.parametrize(("wrong", "words"), BAD, ids=[str(wrong) for wrong, _ in BAD])
def test_construction_raises_for_what_is_written_wrong(reference, tmp_path, wrong, words):
    arguments = {"model": "fraud", "archive": f"sqlite:///{tmp_path / 'a.db'}"} | wrong
    with pytest.raises(TidegaugeError, match=words):
        tg.Monitor(arguments.pop("model"), reference, **arguments)


def test_construction_does_not_touch_the_archive(reference, tmp_path):
    path = tmp_path / "folder" / "that" / "is not there" / "a.db"
    monitor = tg.Monitor("fraud", reference, archive=f"sqlite:///{path}")
    assert not path.parent.exists()
    monitor.close()


def test_a_reference_can_be_a_path(reference, archive, clock, tmp_path):
    reference.save(tmp_path / "r.tg")
    with tg.Monitor("fraud", tmp_path / "r.tg", archive=archive, clock=clock) as monitor:
        monitor.update(payments(600))
    tg.profile(payments(10), reference).save(tmp_path / "p.tg")
    with pytest.raises(InputError, match="holds a profile, not a reference"):
        tg.Monitor("fraud", tmp_path / "p.tg", archive=archive)


def test_a_monitor_that_is_dropped_is_collected(reference, archive):
    monitor = tg.Monitor("fraud", reference, archive=archive)
    gone = weakref.ref(monitor)
    del monitor
    gc.collect()
    assert gone() is None


SCRIPT = """
import sys
import numpy as np, tidegauge as tg
monitor = tg.Monitor("fraud", sys.argv[1], archive=sys.argv[2])
for i in range(1_000):
    monitor.record({"amount": float(i), "country": "SE"})
"""


def test_the_end_of_the_process_loses_nothing(reference, archive, tmp_path):
    reference.save(tmp_path / "r.tg")
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            SCRIPT,
            str(tmp_path / "r.tg"),
            f"sqlite:///{tmp_path / 'a.db'}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert archive.merged("fraud").n_rows == 1_000


def test_a_store_that_refuses_for_good_is_told_once(reference, tmp_path, clock, caplog):
    store = Flaky(tg.Archive(f"sqlite:///{tmp_path / 'a.db'}").store)
    store.down = True
    monitor = tg.Monitor("fraud", reference, archive=tg.Archive(store), clock=clock)
    with caplog.at_level(logging.WARNING, "tidegauge"):
        monitor.update(payments(600))
        for _ in range(5):
            monitor.checkpoint()
    assert len(caplog.records) == 1
    assert monitor.health.errors["archive"] == 5
    monitor.close(timeout_seconds=0.1)


def test_archive_errors_are_of_the_family():
    assert issubclass(ArchiveError, TidegaugeError)


def test_it_cannot_be_sent_to_another_process_and_says_so(reference, archive):
    with tg.Monitor("fraud", reference, archive=archive) as monitor:
        with pytest.raises(TypeError, match="make one there"):
            pickle.dumps(monitor)
        assert repr(monitor) == "Monitor of 'fraud': ok, 0 rows in this process"


def test_what_is_logged_is_one_line(reference, archive, clock, caplog):
    class HostileError(Exception):
        def __str__(self):
            return "a\nERROR forged\x1b[2J"

    class Row(Mapping):
        def __getitem__(self, key):
            raise HostileError

        __iter__ = __len__ = __getitem__

    with tg.Monitor("fraud", reference, archive=archive, clock=clock) as monitor:
        with caplog.at_level(logging.WARNING, "tidegauge"):
            monitor.record(Row())
        assert "\n" not in monitor.health.last_error + caplog.records[0].getMessage()
        assert "\x1b" not in monitor.health.last_error + caplog.records[0].getMessage()


def test_an_archive_that_vanishes_is_made_anew_and_can_be_judged(reference, tmp_path, clock):
    path = tmp_path / "a.db"
    monitor = tg.Monitor("fraud", reference, archive=path, clock=clock)
    monitor.update(payments(1_000))
    assert monitor.checkpoint()
    for each in tmp_path.iterdir():
        each.unlink()
    monitor.update(payments(600, 2))
    with pytest.warns(ArchiveWarning, match="was removed"):
        assert monitor.checkpoint()
    monitor.close()
    with tg.Archive(path) as archive:
        assert archive.merged("fraud").n_rows == 1_600  # the window was still open, and is written whole
        assert len(tg.judge(archive, now_ns=T0 + 2 * HOUR)) == 1


class Poor:
    """A window's profile that runs out of memory in its n-th update."""

    def __init__(self, inner, n: int) -> None:
        self.inner, self.n_left, self.whole = inner, n, True

    def update(self, batch, threads):
        self.n_left -= 1
        if self.n_left == 0:
            self.whole = False
        if not self.whole:
            raise MemoryError if self.n_left == 0 else TidegaugeError("profile: not whole")
        return self.inner.update(batch, threads)

    def take_changed(self, everything=False):
        if not self.whole:
            raise TidegaugeError("profile: not whole")
        return self.inner.take_changed(everything=everything)

    def __getattr__(self, name):
        return getattr(self.inner, name)


@pytest.mark.parametrize("checkpointed", ["no", "waiting", "archived"])
def test_memory_that_runs_out_in_a_window_is_counted_and_all_else_is_archived(
    reference, tmp_path, clock, monkeypatch, checkpointed
):
    """A profile that is left in part keeps nothing else from the archive; what a checkpoint has, is kept."""
    store = Flaky(tg.Archive(tmp_path / "a.db").store)
    archive = tg.Archive(store)
    monitor = tg.Monitor("m", reference, archive=archive, segments=["country"], clock=clock)
    empty, made = Segmentation.empty, []

    def poor(self):
        made.append(Poor(empty(self), 2 if not made else 99))
        return made[-1]

    monkeypatch.setattr(Segmentation, "empty", poor)
    monitor.update(payments(1_000))
    store.down = checkpointed == "waiting"
    assert checkpointed == "no" or monitor.checkpoint() == (not store.down)
    monitor.update(payments(600, 1))
    assert monitor.health.n_rows_refused == 600
    assert monitor.health.n_segments >= 0, "health says so of a window that is left in part"
    monitor.update(payments(700, 2))
    monitor.update(payments(800, 3, begin_ns=T0 + HOUR))
    store.down = False
    assert monitor.checkpoint()
    monitor.close()
    health = monitor.health
    n_lost = 1_000 if checkpointed == "no" else 0
    assert (health.n_rows, health.n_rows_refused, health.n_rows_lost) == (2_500, 600, n_lost)
    assert health.n_rows_archived == 2_500 - n_lost
    assert health.errors["MemoryError"] == 1
    whole = archive.merged("m")
    assert whole.n_rows == 2_500 - n_lost
    assert sum(archive.merged("m", segment=each).n_rows for each in archive.segments("m")) == whole.n_rows


def test_rows_that_wait_while_there_is_no_memory_are_taken_and_not_refused(
    reference, archive, clock, monkeypatch
):
    monitor = tg.Monitor("m", reference, archive=archive, timestamp="", clock=clock)
    real, broken = monitor._stage, []

    class Stage:
        def take(self):
            if broken:
                raise MemoryError
            return real.take()

        def record(self, row):
            return real.record(row) or True

        def __getattr__(self, name):
            return getattr(real, name)

    monitor._stage = Stage()
    broken.append(1)
    monitor.record({"amount": 1.0})
    assert (monitor.health.n_rows, monitor.health.n_rows_refused) == (1, 0)
    assert monitor.health.errors == {"MemoryError": 1}
    monitor.update(payments(1_000))  # which does not wait, and comes before
    broken.clear()
    monitor.close()
    assert monitor.health.n_rows == monitor.health.n_rows_archived == 1_001
    assert monitor.health.n_rows_refused == 0


def test_parts_that_find_no_memory_on_their_way_to_the_outbox_are_sent_later(
    reference, archive, clock, monkeypatch
):
    monitor = tg.Monitor("m", reference, archive=archive, clock=clock)
    monitor.update(payments(10))
    monitor.update(payments(20, begin_ns=T0 + HOUR))
    monitor.update(payments(30, begin_ns=T0 + 2 * HOUR))  # which closes the first
    real, calls = tg.Monitor._as_record, []

    def failing(self, part):
        calls.append(part)
        if len(calls) == 2:
            raise MemoryError
        return real(self, part)

    monkeypatch.setattr(tg.Monitor, "_as_record", failing)
    assert not monitor.checkpoint()
    assert monitor.checkpoint()
    assert archive.merged("m").n_rows == 60
    monitor.close()
    assert archive.merged("m").n_rows == monitor.health.n_rows_archived == 60


def test_a_log_handler_that_raises_does_not_reach_the_caller(reference, archive, clock):
    def refuse(record):
        raise RuntimeError("a filter of the application's")

    monitor = tg.Monitor("m", reference, archive=archive, clock=clock)
    logger = logging.getLogger("tidegauge")
    logger.addFilter(refuse)
    try:
        monitor.update(3)
    finally:
        logger.removeFilter(refuse)
    assert monitor.health.errors == {"InputError": 1}
