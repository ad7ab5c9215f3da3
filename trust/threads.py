"""Exact totals: rows into one profile from 1 to 32 threads; every count and every sum is what it must be.

A case is a row, and a row's number says what is in it. Rows are given in rounds, each to one holder: a
profile that all threads share, a segmented profile that they share, or a profile of each thread, which are
then merged. The batches have from 1 to 65,536 rows. What must come out is counted by NumPy, apart from the
cells of numbers, for which it is what one thread counts.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

import tidegauge as tg
from tidegauge import _core
from trust.part import Outcome, Part

PERIOD = 1 << 16  # rows, after which their values come again
ROUND = 1 << 22  # rows
MOST_THREADS = 32
BATCHES = (65_536, 1, 20_000, 300, 65_536, 7, 50_000)  # rows of one update, in turns
HOLDERS = ("shared", "segmented", "own")
WORDS = [f"w{i}" for i in range(16)]


def base() -> pa.RecordBatch:
    """Return a period of rows: reals that are whole, with NaN and null; integers; words."""
    random = np.random.default_rng(20)
    reals = random.integers(-1_000, 1_000, PERIOD).astype(float)
    reals[random.random(PERIOD) < 0.02] = np.nan
    columns = {
        "x": pa.array(reals, mask=random.random(PERIOD) < 0.01),
        "i": pa.array(random.integers(-(2**40), 2**40, PERIOD)),
        "k": pa.DictionaryArray.from_arrays(random.integers(0, len(WORDS), PERIOD).astype(np.int32), WORDS),
    }
    return pa.record_batch(columns)


@dataclass(frozen=True)
class Rows:
    """A period of rows as the engine takes it, and as NumPy counts it."""

    batch: _core.Batch
    reference: tg.Reference
    specs: list[_core.ColumnSpec]  # light ones
    values: dict[str, np.ndarray]

    @classmethod
    def make(cls) -> Rows:
        rows = base()
        reference = tg.Reference.fit(rows)
        (batch,) = tg.arrow.batches(rows)
        light = tg.Profile.empty(reference, accumulators="light")._core
        x = rows["x"].to_numpy(zero_copy_only=False)
        values = {
            "x": np.where(np.isnan(x), 0.0, x),
            "nan": np.isnan(x) & np.asarray(rows["x"].is_valid()),
            "null": np.asarray(rows["x"].is_null()),
            "i": np.asarray(rows["i"]),
            "k": np.asarray(rows["k"].indices),
        }
        return cls(batch, reference, [column.spec for column in light.columns], values)

    def counted(self, n: int) -> Counted:
        """Return what the first n rows of a period come to."""
        one = tg.Profile.empty(self.reference, accumulators="light")
        one._core.update(self.batch.slice(0, n), 1)
        held = {name: values[:n] for name, values in self.values.items()}
        return Counted(
            n,
            int(held["null"].sum()),
            int(held["nan"].sum()),
            int(held["x"].sum()),
            int(held["i"].sum(dtype=object)) if n else 0,
            np.bincount(held["k"], minlength=len(WORDS)),
            np.asarray(one["x"].counts, np.int64),
            np.asarray(one["i"].counts, np.int64),
        )


@dataclass(frozen=True)
class Counted:
    """What some rows come to."""

    n_rows: int
    n_null: int
    n_nan: int
    sum_x: int
    sum_i: int
    words: np.ndarray
    cells_x: np.ndarray
    cells_i: np.ndarray

    def differs(self, profile: tg.Profile) -> str:
        """Return the first count of a profile that is another, "" if none is."""
        x, i, k = profile["x"], profile["i"], profile["k"]
        names = [str(name) for name in profile._core.column("k").spec.category_names]
        n_by_word = dict(zip(names, np.asarray(k.counts), strict=False))
        found = {
            "rows": (profile.n_rows, self.n_rows),
            "rows of x": (x.n_rows, self.n_rows),
            "null": (x.n_null, self.n_null),
            "NaN": (x.n_nan, self.n_nan),
            "sum of x": (x.sum, self.sum_x),
            "sum of i": (i.sum, self.sum_i),
            "words": ([n_by_word.get(word, 0) for word in WORDS], self.words.tolist()),
            "cells of x": (np.asarray(x.counts).tolist(), self.cells_x.tolist()),
            "cells of i": (np.asarray(i.counts).tolist(), self.cells_i.tolist()),
        }
        return next((f"{n}: {a}, not {b}" for n, (a, b) in found.items() if a != b and (a or b)), "")


class Oracle:
    """What rows before a number come to; differences of it are what a range of them does."""

    def __init__(self, rows: Rows) -> None:
        self.rows, self.whole = rows, rows.counted(PERIOD)

    def before(self, row: int) -> list[object]:
        times, rest = divmod(row, PERIOD)
        part = self.rows.counted(rest)
        return [times * a + b for a, b in zip(vars(self.whole).values(), vars(part).values(), strict=True)]

    def between(self, first: int, end: int) -> Counted:
        parts = zip(self.before(end), self.before(first), strict=True)
        return Counted(*(a - b for a, b in parts))


def parts(rows: Rows, first: int, end: int) -> Iterator[_core.Batch]:
    """Yield rows first … end - 1 in batches of unlike sizes."""
    turn = first
    while first < end:
        begin = first % PERIOD
        n = min(BATCHES[turn % len(BATCHES)], end - first, PERIOD - begin)
        yield rows.batch.slice(begin, n)
        first, turn = first + n, turn + 1


def together(tasks: list[Callable[[], None]]) -> None:
    """Run the tasks in threads that start at once; raise what any of them raises."""
    start, failures = threading.Barrier(len(tasks)), []

    def begin(task: Callable[[], None]) -> None:
        start.wait()
        try:
            task()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=begin, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        raise failure


def into_segmented(rows: Rows, ranges: list[tuple[int, int]]) -> tuple[tg.Profile, str]:
    """Return the total of a segmented profile, and a segment whose rows are not those of its word."""
    shared = _core.SegmentedProfile(rows.specs, None, dimensions=[["k"]], max_segments=len(WORDS))

    def task(first: int, end: int) -> Callable[[], None]:
        return lambda: [shared.update(part, 1) for part in parts(rows, first, end)] and None

    together([task(*each) for each in ranges])
    total = tg.Profile(shared.total())
    n_by_word = {key[0]: n for where, key, n, _ in shared.take_changed(True) if where == 0 and key}
    column = total._core.column("k")
    counts = dict(zip(column.spec.category_names, column.cells.tolist(), strict=False))
    wrong = [word for word in WORDS if counts.get(word, 0) != n_by_word.get(word, 0)]
    return total, f"segments {wrong}: {n_by_word}, not {counts}" if wrong else ""


def into_profiles(rows: Rows, ranges: list[tuple[int, int]], *, shared: bool) -> tg.Profile:
    """Return the one profile of all threads, or the merge of one of each."""
    held = [tg.Profile.empty(rows.reference, accumulators="light") for _ in ranges]
    if shared:
        held = held[:1] * len(ranges)

    def task(profile: tg.Profile, first: int, end: int) -> Callable[[], None]:
        return lambda: [profile._core.update(part, 1) for part in parts(rows, first, end)] and None

    together([task(profile, *each) for profile, each in zip(held, ranges, strict=True)])
    return held[0] if shared else tg.merge(held)


def one_round(rows: Rows, oracle: Oracle, first: int, end: int) -> str:
    """Give rows first … end - 1 to the holder of their round; return what is wrong with it, or ""."""
    number = first // ROUND
    n_threads = 1 + 7 * number % MOST_THREADS
    bounds = np.linspace(first, end, n_threads + 1).astype(int).tolist()
    ranges = list(pairwise(bounds))
    how, segments = HOLDERS[number % len(HOLDERS)], ""
    if how == "segmented":
        profile, segments = into_segmented(rows, ranges)
    else:
        profile = into_profiles(rows, ranges, shared=how == "shared")
    wrong = oracle.between(first, end).differs(profile) or segments
    again = f"python -m trust try threads {first} {end - first}"
    return f"{how}, {n_threads} threads: {wrong[:300]}; {again}" if wrong else ""


def run(first: int, n: int, seconds: float) -> Outcome:
    """Give rows first … first + n - 1, a round after the other."""
    rows = Rows.make()
    oracle, until = Oracle(rows), time.monotonic() + seconds
    findings, counts, at, began = [], Counter[str](), first, time.monotonic()
    while at < first + n and time.monotonic() < until:
        end = min(first + n, (at // ROUND + 1) * ROUND)
        if wrong := one_round(rows, oracle, at, end):
            findings.append(wrong)
        counts[f"rows, {HOLDERS[at // ROUND % len(HOLDERS)]}"] += end - at
        at = end
    rate = (at - first) / (time.monotonic() - began)
    return Outcome(at - first, findings, counts, {"10^6 rows a second": round(rate / 1e6, 1)})


PART = Part(
    "threads",
    "rows",
    "counts, sums, cells and categories are exact to the row, from 1 to 32 threads at once",
    run,
    change=10**8,
    deep=10**10,
    alone=True,
)
