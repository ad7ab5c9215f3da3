"""A monitor among threads and in an event loop: exact totals; a caller never waits for the archive."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tidegauge as tg

REFERENCE = tg.Reference.fit({"x": np.arange(1_000.0), "k": ["a", "b"] * 500})
SMALL = {"x": np.arange(100.0), "k": ["a", "b"] * 50}
LARGE = {"x": np.arange(5_000.0), "k": ["a", "b"] * 2_500}
LIMIT_SECONDS = 60


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/m.db"


def together(tasks: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_SECONDS)
        assert not thread.is_alive(), "it hangs"


def archived(url: str) -> dict[str, int]:
    """The rows by segment, counted in the profiles themselves."""
    with tg.Archive(url) as archive:
        rows: dict[str, int] = {}
        for key, state in archive.store.read([found.key for found in archive.store.find()]):
            rows[key.segment] = rows.get(key.segment, 0) + tg.Profile.from_bytes(state).n_rows
        return rows


def test_every_row_of_every_thread_is_archived_once(url):
    """While health is read, checkpoints are written and threads come and go."""
    torn: list[object] = []
    with tg.Monitor("m", REFERENCE, segments=["k"], archive=url, checkpoint_seconds=0.05) as monitor:

        def record() -> None:
            for i in range(2_000):
                monitor.record({"x": float(i), "k": "a"})

        def update(batch: dict[str, Any], times: int) -> Callable[[], None]:
            return lambda: [monitor.update(batch) for _ in range(times)] and None

        def read() -> None:
            last = 0
            for _ in range(200):
                health = monitor.health
                if health.n_rows < last or health.n_rows_archived > health.n_rows:
                    torn.append(health)
                last = health.n_rows

        together([record, record, update(SMALL, 500), update(SMALL, 500), update(LARGE, 50), read])
        together([lambda: monitor.record({"x": 1.0, "k": "b"})] * 50)
        together([monitor.checkpoint, monitor.checkpoint, record])
    n_rows = 3 * 2_000 + 2 * 500 * 100 + 50 * 5_000 + 50
    assert torn == []
    health = monitor.health
    assert (health.status, health.n_rows, health.n_rows_archived) == ("closed", n_rows, n_rows)
    found = archived(url)
    assert found.pop("") == n_rows
    n_b = 2 * 500 * 50 + 50 * 2_500 + 50
    assert found == {'{"k":"a"}': n_rows - n_b, '{"k":"b"}': n_b}


def test_rows_come_while_it_is_closed(url):
    """Each row is in the archive, or counted as refused: none is lost between."""
    monitor = tg.Monitor("m", REFERENCE, archive=url)
    started, sent = threading.Barrier(4), [0, 0, 0]

    def record(who: int) -> None:
        started.wait()
        while monitor.health.status != "closed":
            monitor.record({"x": 1.0, "k": "a"})
            sent[who] += 1

    def close() -> None:
        started.wait()
        time.sleep(0.05)
        monitor.close()

    together([lambda who=who: record(who) for who in range(3)] + [close])
    health = monitor.health
    assert health.n_rows + health.n_rows_refused == sum(sent)
    assert sum(archived(url).values()) == health.n_rows


def test_closing_waits_for_rows_on_their_way(url, monkeypatch):
    """They left the stage, or came as a batch, and another thread has yet to put them into their window."""
    monitor = tg.Monitor("m", REFERENCE, archive=url)
    placed, entered, go = monitor._intake.update, threading.Event(), threading.Event()

    def slow(*given: Any) -> Any:
        entered.set()
        assert go.wait(LIMIT_SECONDS)
        return placed(*given)

    monkeypatch.setattr(monitor._intake, "update", slow)

    def close() -> None:
        assert entered.wait(LIMIT_SECONDS)
        threading.Timer(0.2, go.set).start()
        monitor.close()

    together([lambda: monitor.update(LARGE), close])
    assert archived(url)[""] == 5_000
    assert (monitor.health.n_rows_archived, monitor.health.n_rows_waiting) == (5_000, 0)


class SlowStore:
    """A store that takes its time to append, as one far away does; everything else is the store's own."""

    def __init__(self, store: Any, seconds: float) -> None:
        self._store, self._seconds = store, seconds
        self.appending = threading.Event()

    def append(self, records: Any) -> None:
        self.appending.set()
        time.sleep(self._seconds)
        self._store.append(records)
        self.appending.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def slowed(url: str, seconds: float) -> tg.Archive:
    return tg.Archive(SlowStore(tg.Archive(url).store, seconds))


async def late(work: Callable[[], None], counted: Callable[[], bool], seconds: float) -> float:
    """How late a loop wakes that works now and then, in seconds: the 99 % quantile of the times counted."""
    found = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        work()
        begin = time.perf_counter()
        await asyncio.sleep(0.001)
        if counted():
            found.append(time.perf_counter() - begin - 0.001)
    assert len(found) > 200
    return float(np.quantile(found, 0.99))


def test_an_event_loop_does_not_wait_for_a_slow_archive(url):
    """It wakes at most 1 ms later than without a monitor: others keep the machine busy as well."""
    archive, others = slowed(url, 2.0), tg.Profile.empty(REFERENCE)
    with tg.Monitor("m", REFERENCE, segments=["k"], archive=archive, checkpoint_seconds=0.1) as monitor:

        def watched() -> None:
            for _ in range(20):
                monitor.record({"x": 1.0, "k": "a"})
            monitor.update(SMALL)

        extra = []
        for _ in range(4):
            alone = asyncio.run(late(lambda: others.update(SMALL), lambda: True, 1.5))
            extra.append(asyncio.run(late(watched, archive.store.appending.is_set, 3.0)) - alone)
            if extra[-1] < 0.001:
                break
        assert min(extra) < 0.001
    assert monitor.health.n_rows_archived == monitor.health.n_rows


def test_a_caller_does_not_wait_for_an_append(url):
    """No call of the caller's takes as long as the append that goes on meanwhile."""
    archive, longest = slowed(url, 1.0), 0.0
    with tg.Monitor("m", REFERENCE, archive=archive, checkpoint_seconds=0.1) as monitor:
        monitor.record({"x": 1.0})
        assert archive.store.appending.wait(LIMIT_SECONDS)
        while archive.store.appending.is_set():
            begin = time.perf_counter()
            monitor.record({"x": 1.0})
            monitor.update(LARGE)
            assert monitor.health.status == "ok"
            longest = max(longest, time.perf_counter() - begin)
    assert longest < 0.5


def test_recording_gives_way_to_other_threads(url):
    """A thread that records without end does not keep another from its turn for long."""
    with tg.Monitor("m", REFERENCE, archive=url) as monitor:
        stop = threading.Event()

        def record() -> None:
            while not stop.is_set():
                monitor.record({"x": 1.0, "k": "a"})

        recorder = threading.Thread(target=record)
        recorder.start()
        turns = []
        for _ in range(20):
            begin = time.perf_counter()
            time.sleep(0.001)
            turns.append(time.perf_counter() - begin)
        stop.set()
        recorder.join()
    assert np.median(turns) < 0.1 + 20 * sys.getswitchinterval()


def interrupt(monkeypatch: pytest.MonkeyPatch, monitor: tg.Monitor, *, after: bool) -> None:
    """Have the next placing of rows interrupted as by Ctrl-C, before it has begun or when it is done."""
    intake = monitor._intake
    place = intake.update

    def once(*arguments: Any) -> None:
        monkeypatch.setattr(intake, "update", place)
        if after:
            place(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(intake, "update", once)


def test_an_interrupted_update_is_counted_as_what_the_archive_holds(url, monkeypatch):
    with tg.Monitor("m", REFERENCE, archive=url) as monitor:
        interrupt(monkeypatch, monitor, after=True)
        with pytest.raises(KeyboardInterrupt):
            monitor.update(LARGE)
    assert monitor.health.n_rows == monitor.health.n_rows_archived == archived(url)[""] == 5_000


def test_an_interrupt_does_not_lose_what_others_recorded(url, monkeypatch):
    """Rows of two batches wait; Ctrl-C comes amid the first."""
    with tg.Monitor("m", REFERENCE, archive=url, timestamp="at") as monitor:
        for i in range(10):
            monitor.record({"x": 1.0, "k": "a", "at": i if i % 2 else dt.datetime.now(dt.UTC)})
        interrupt(monkeypatch, monitor, after=True)
        with pytest.raises(KeyboardInterrupt):
            monitor.checkpoint()
    assert monitor.health.n_rows == monitor.health.n_rows_archived == archived(url)[""] == 10
