"""The archive: records appended, and a week of hours and segments merged."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import tidegauge as tg
from tidegauge.archive import Archive, Key, Record
from tidegauge.segments import segment_key
from tidegauge.window import HOUR, Window

Timed = Callable[..., None]
APPEND, WEEK = "archive, append, a record of 20 columns", "archive, a week of hours x 20 segments, a record"
SEGMENTS = ("", *(segment_key({"country": f"country{i}"}) for i in range(19)))
KINDS = {"SQLite": "archive.db", "Parquet files": "archive"}
N_HOURS = 168


@cache
def states(n: int = 60, n_rows: int = 1_000) -> tuple[tg.Reference, list[bytes]]:
    """Light profiles of 20 columns, some 13 KB each, and what they were counted against."""
    rng = np.random.default_rng(16)

    def rows(n_rows: int) -> dict[str, np.ndarray]:
        return {f"x{i}": rng.lognormal(3.0, 1.0, n_rows) for i in range(20)}

    against = tg.Reference.fit(rows(50_000))
    return against, [tg.profile(rows(n_rows), against, accumulators="light").to_bytes() for _ in range(n)]


def records(reference_id: str) -> Iterator[Record]:
    """Give records without end: hour by hour, each with its segments."""
    bodies = itertools.cycle(states()[1])
    for hour in itertools.count():
        window = Window(hour * HOUR, (hour + 1) * HOUR)
        for segment in SEGMENTS:
            yield Record(Key("fraud", "3", reference_id, window, segment, "ab" * 16), 1_000, next(bodies))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at_a_time", [20, 1])
def test_append(timed: Timed, tmp_path: Path, kind: str, at_a_time: int) -> None:
    with Archive(tmp_path / KINDS[kind]) as archive:
        more = records(archive.put_reference(states()[0]))

        def run() -> None:
            for _ in range(1_000 // at_a_time):
                archive.store.append(list(itertools.islice(more, at_a_time)))

        run()
        assert len(archive.store.find(model="fraud")) == 1_000
        timed(run, case=APPEND, who=f"{kind}, {at_a_time} an append", values=1_000, rounds=3)


@pytest.mark.parametrize("at_a_time", [20, 1])
def test_append_by_hand(timed: Timed, tmp_path: Path, at_a_time: int) -> None:
    """The same bytes in a table of SQLite with the same promise: what the disk asks for."""
    connection = sqlite3.connect(tmp_path / "by hand.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (key INTEGER PRIMARY KEY, state BLOB)")
    bodies = itertools.cycle(states()[1])

    def run() -> None:
        for _ in range(1_000 // at_a_time):
            connection.execute("BEGIN IMMEDIATE")
            rows = [(next(bodies),) for _ in range(at_a_time)]
            connection.executemany("INSERT INTO t (state) VALUES (?)", rows)
            connection.execute("COMMIT")

    timed(run, case=APPEND, who=f"sqlite3 by hand, {at_a_time} an append", values=1_000, rounds=3)
    connection.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_week_merged(timed: Timed, tmp_path: Path, kind: str) -> None:
    """3,360 records, one profile for each segment."""
    with week(tmp_path / KINDS[kind]) as archive:
        run = lambda: sum(archive.merged("fraud", segment=each).n_rows for each in SEGMENTS)  # noqa: E731
        assert run() == N_HOURS * len(SEGMENTS) * 1_000
        timed(run, case=WEEK, who=f"{kind}, merged", values=N_HOURS * len(SEGMENTS))


def week(path: Path) -> Archive:
    archive = Archive(path)
    more = records(archive.put_reference(states()[0]))
    for _ in range(N_HOURS):
        archive.store.append(list(itertools.islice(more, len(SEGMENTS))))
    return archive


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["1d", None])
def test_windows_of_a_week(timed: Timed, tmp_path: Path, kind: str, step: str | None) -> None:
    with week(tmp_path / KINDS[kind]) as archive:
        run = lambda: total(archive, step)  # noqa: E731
        assert run() == N_HOURS * len(SEGMENTS) * 1_000
        who = f"{kind}, {'by the hour' if step is None else 'by the day'}"
        timed(run, case=WEEK, who=who, values=N_HOURS * len(SEGMENTS))


def total(archive: Archive, step: str | None) -> int:
    return sum(
        profile.n_rows
        for segment in SEGMENTS
        for profile in archive.windows("fraud", step=step, segment=segment).values()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_compact(timed: Timed, tmp_path: Path, kind: str) -> None:
    """A week of hours to days, once: what is compacted is compacted."""
    n = N_HOURS * len(SEGMENTS)
    waiting = [week(tmp_path / f"{i}{KINDS[kind]}") for i in range(4)]

    def run() -> None:
        with waiting.pop() as archive:
            done = archive.compact(older_than=N_HOURS * HOUR, to="1d", now_ns=0)
            assert (done.n_records_before, done.n_records_after, done.n_rows) == (n, n // 24, n * 1_000)

    timed(run, case="archive, compaction to days, a record", who=kind, values=n, rounds=3)
