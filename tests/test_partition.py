"""Rows fall into the windows that integer division says, in their order, whatever the unit, order and layout.

The oracle is Python's floor division over unbounded integers, a row at a time.
"""

from __future__ import annotations

import gc
import threading
import time
import weakref

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tidegauge as tg
from tidegauge import _core, arrow
from tidegauge.errors import ArrowError, SchemaError

UNITS = {"D": 86_400 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
LEAST, MOST = -(2**63), 2**63 - 1
HOUR = 3_600 * 10**9


def times(ticks: list[int | None], unit: str, zone: str | None = None) -> pa.Array:
    if unit == "D":
        return pa.array(ticks, pa.int32()).view(pa.date32())
    return pa.array(ticks, pa.int64()).view(pa.timestamp(unit, zone))


def batch_of(data: object) -> _core.Batch:
    batch = arrow.at_once(data)  # of no rows as well, which a stream would leave out
    if batch is None:
        (batch,) = arrow.batches(data)
    return batch


def expected(
    ticks: list[int | None], unit: str, width: int, origin: int
) -> list[tuple[int | None, list[int]]]:
    """(start, numbers of its rows), by the definition."""
    rows_of: dict[int | None, list[int]] = {}
    for row, tick in enumerate(ticks):
        start = None
        if tick is not None and LEAST <= tick * UNITS[unit] <= MOST:
            start = origin + (tick * UNITS[unit] - origin) // width * width
            if not LEAST <= start <= start + width <= MOST:
                start = None
        rows_of.setdefault(start, []).append(row)
    return sorted(rows_of.items(), key=lambda item: (item[0] is None, item[0] or 0))


def partition(array: pa.Array, width: int, origin: int = 0) -> list[tuple[int | None, list[int]]]:
    """The same of the engine, which carries the numbers of the rows along."""
    rows = pa.array(range(len(array)), pa.int64())
    table = {"row": rows, "t": array}
    batch = batch_of(pa.record_batch(table) if isinstance(array, pa.Array) else table)
    return [(start, part.to_pylist(0)) for start, part in batch.partition(1, width, origin)]


def ticks_of(unit: str) -> st.SearchStrategy[int]:
    most = 2**31 - 1 if unit == "D" else MOST
    near = st.integers(-50, 50)
    edges = st.sampled_from([-most - 1, -most, most, 0, -1, *(e // UNITS[unit] for e in (LEAST, MOST))])
    return st.one_of(near, edges, st.integers(-most - 1, most))


@st.composite
def columns(draw: st.DrawFn) -> tuple[list[int | None], str]:
    unit = draw(st.sampled_from(list(UNITS)))
    few = draw(st.lists(ticks_of(unit), min_size=1, max_size=8))
    ticks = draw(st.lists(st.one_of(st.none(), st.sampled_from(few)), max_size=300))
    order = draw(st.sampled_from(["as drawn", "ascending", "descending"]))
    if order != "as drawn":
        ticks.sort(key=lambda tick: (tick is None, tick or 0), reverse=order == "descending")
    return ticks, unit


WIDTHS = st.one_of(st.sampled_from([1, 2, 7, HOUR, 24 * HOUR, 168 * HOUR, 2**62, MOST]), st.integers(1, MOST))
ORIGINS = st.one_of(st.sampled_from([0, 96 * HOUR, -1, LEAST, MOST]), st.integers(LEAST, MOST))


@settings(max_examples=600)
@given(columns(), WIDTHS, ORIGINS)
@example(([LEAST, MOST, -1, 0], "ns"), 1, 0)
@example(([LEAST, MOST], "ns"), MOST, LEAST)
def test_windows_are_floor_division(column, width, origin):
    ticks, unit = column
    assert partition(times(ticks, unit), width, origin) == expected(ticks, unit, width, origin)


@pytest.mark.parametrize("n", [0, 1, 1023, 1024, 1025, 5000])
@pytest.mark.parametrize("shape", ["ordered", "shuffled", "one window", "all null", "late rows"])
def test_sizes_around_a_tile(n, shape):
    draw = np.random.default_rng(n)
    seconds = np.sort(draw.integers(-100_000, 100_000, n))
    if shape == "shuffled":
        seconds = draw.permutation(seconds)
    if shape == "one window":
        seconds = np.abs(seconds) % 3_600
    if shape == "late rows":
        seconds[::100] -= 7_200
    ticks = [None if shape == "all null" else int(second) for second in seconds]
    assert partition(times(ticks, "s"), HOUR) == expected(ticks, "s", HOUR, 0)


def test_zones_do_not_move_the_instant():
    ticks = [0, 3_599, 3_600, -1]
    assert partition(times(ticks, "s", "Asia/Kolkata"), HOUR) == expected(ticks, "s", HOUR, 0)


@pytest.mark.parametrize(
    "layout", ["dictionary", "runs", "runs of codes", "date64", "numpy", "sliced struct"]
)
def test_times_of_every_layout(layout):
    ticks = [5_000, 5_000, 5_000, None, None, -3, 7_200, 7_200, 3_600, 3_599]
    plain = times(ticks, "s")
    array, unit = plain, "s"
    if layout == "dictionary":
        array = plain.dictionary_encode()
    if layout.startswith("runs"):
        values = plain.dictionary_encode() if "codes" in layout else plain
        array = pa.RunEndEncodedArray.from_arrays(pa.array(range(1, 11), pa.int32()), values)
    if layout == "date64":
        unit, ticks = "D", [tick and tick // 100 for tick in ticks]
        array = times(ticks, "D").cast(pa.date64())
    if layout == "numpy":
        array = np.array([np.datetime64("NaT") if tick is None else tick for tick in ticks], "M8[s]")
    if layout == "sliced struct":
        children = [pa.array(range(-2, 10)), pa.concat_arrays([times([1, 2], "s"), plain])]
        mask = pa.array([False] * 8 + [True] + [False] * 3)
        batch = batch_of(pa.StructArray.from_arrays(children, ["row", "t"], mask=mask).slice(2))
        ticks[6] = None
        found = [
            (start, [r for r in part.to_pylist(0) if r is not None])
            for start, part in batch.partition(1, HOUR)
        ]
        assert found == [(s, [r for r in rows if r != 6]) for s, rows in expected(ticks, "s", HOUR, 0)]
        return
    assert partition(array, HOUR) == expected(ticks, unit, HOUR, 0)


def test_ordered_rows_are_not_copied():
    rows = np.arange(100_000.0)
    batch = batch_of({"x": rows, "t": np.arange(100_000).astype("M8[s]")})
    gone = weakref.ref(rows)
    parts = batch.partition(1, HOUR)
    del batch, rows
    gc.collect()
    assert gone() is not None
    assert [part.n_rows for _, part in parts] == [3_600] * 27 + [2_800]
    del parts
    gc.collect()
    assert gone() is None


def seconds_for(n_windows: int, shuffled: bool) -> float:
    ticks = np.arange(n_windows) * 3_600
    words = pa.array([f"word {i}" for i in range(n_windows)])
    codes = pa.DictionaryArray.from_arrays(pa.array(range(n_windows), pa.int32()), words)
    if shuffled:
        ticks = np.random.default_rng(1).permutation(ticks).repeat(2)[1:-1]
        codes = pa.concat_arrays([codes, codes])[1:-1]
    batch = batch_of({"t": ticks.astype("M8[s]"), "word": codes})
    start = time.perf_counter()
    parts = batch.partition(0, HOUR)
    profile = tg.Profile.empty(accumulators="light")
    for _, part in parts:
        profile._core.update(part, 1)
    taken = time.perf_counter() - start
    assert len(parts) == n_windows
    assert profile.n_rows == len(ticks)
    assert [s for s, _ in parts] == [HOUR * k for k in range(n_windows)]
    return taken


@pytest.mark.parametrize("shuffled", [False, True])
def test_many_windows_cost_what_they_are(shuffled):
    """Eight times the windows: eight times the time, not sixty-four, also over one large dictionary."""
    few = min(seconds_for(12_500, shuffled) for _ in range(3))
    many = min(seconds_for(100_000, shuffled) for _ in range(2))
    assert many < 32 * few


@pytest.mark.parametrize(
    ("array", "says"),
    [
        ([1, 2], "numbers, but windows need dates or timestamps: if they count seconds"),
        ([1.5], "numbers"),
        (["2026-01-01"], "texts.*pandas.to_datetime"),
        (pa.array(["a"]).dictionary_encode(), "texts"),
        ([True], "booleans"),
        ([[1.0, 2.0]], "embeddings"),
        (pa.array([[1]]), 'values of the unsupported type "\\+l"'),
        (np.array([1], "m8[s]"), "durations or times of day.*add the day"),
        (pa.array([1], pa.time32("s")), "durations or times of day"),
        (pa.array([1], pa.duration("us")).dictionary_encode(), "durations or times of day"),
    ],
    ids=str,
)
def test_what_is_no_time_is_refused(array, says):
    with pytest.raises(SchemaError, match=f'column "when" holds {says}'):
        batch_of({"when": array}).partition(0, HOUR)


def test_a_column_of_the_null_type_has_no_times():
    ((start, part),) = batch_of({"t": pa.nulls(3)}).partition(0, HOUR)
    assert (start, part.n_rows) == (None, 3)


def test_impossible_arguments_are_refused():
    batch = batch_of({"t": np.array([1], "M8[s]")})
    with pytest.raises(SchemaError, match="column 1 of a batch of 1"):
        batch.partition(1, HOUR)
    for width in (0, -1, LEAST):
        with pytest.raises(SchemaError, match=f"a window of {width} ns; it must last 1 ns or more"):
            batch.partition(0, width)


@pytest.mark.parametrize("ticks", [[1, 2, 3], [3, 9_999, 1]], ids=["ordered", "unordered"])
def test_malformed_rows_are_refused_before_any_is_used_and_let_go(ticks):
    held = np.array([0, 7, 1], np.int8)
    raw = pa.Array.from_buffers(pa.int8(), 3, [None, pa.py_buffer(held)])
    codes = pa.DictionaryArray.from_arrays(raw, ["a", "b"], safe=False)
    batch = batch_of({"t": times(ticks, "s"), "bad": codes})
    with pytest.raises(ArrowError, match='column "bad": dictionary code of row 1 is 7, allowed are 0 to 1'):
        batch.partition(0, HOUR)
    with pytest.raises(ArrowError, match="dictionary code of row 1"):
        batch.take(np.array([0]))
    gone = weakref.ref(held)
    del held, raw, codes, batch
    gc.collect()
    assert gone() is None


def test_threads_partition_one_batch_at_once():
    draw = np.random.default_rng(3)
    batch = batch_of({"x": draw.normal(size=500_000), "t": draw.integers(0, 10**6, 500_000).astype("M8[s]")})

    def told() -> list[tuple[int | None, bytes]]:
        return [(start, tg.profile(part).to_bytes()) for start, part in batch.partition(1, 24 * HOUR)]

    alone, found = told(), []
    threads = [threading.Thread(target=lambda: found.append(told())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 4


def test_the_gil_is_released():
    """A batch big enough to be interrupted in: this thread goes on while the other is inside one call."""
    draw = np.random.default_rng(4)
    batch = batch_of({"t": draw.integers(0, 10**9, 5_000_000).astype("M8[s]")})
    inside, done = threading.Event(), threading.Event()

    def run() -> None:
        inside.set()
        batch.partition(0, 10**6 * HOUR)
        batch.partition(0, 100 * HOUR)
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    inside.wait()
    steps = 0
    while not done.is_set():
        steps += 1
        time.sleep(0)
    thread.join()
    assert steps > 20
