"""A profile for each window is the profile of that window's rows: chosen by pandas, in their order."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tidegauge as tg
from tidegauge.errors import ArrowError, InputError, InputWarning, SchemaError

N = 20_000
START = np.datetime64("2026-10-30T21:17", "ns")


def table(order: str, n: int = N) -> pa.Table:
    """Twelve days of rows of every kind of column, in order of time, shuffled, or with some late ones."""
    draw = np.random.default_rng(8)
    seconds = np.sort(draw.integers(0, 12 * 86_400, n))
    if order == "shuffled":
        seconds = draw.permutation(seconds)
    if order == "late rows":
        seconds[::50] -= 40_000
    missing = draw.random(n) < 0.1
    words = pa.array([f"word {i}" for i in draw.zipf(1.5, n) % 50], mask=missing)
    return pa.table(
        {
            "when": pa.array(START + seconds.astype("m8[s]")),
            "amount": pa.array(draw.lognormal(3, 1, n), mask=missing),
            "count": draw.poisson(3, n),
            "flag": pa.array(draw.random(n) < 0.3, mask=missing),
            "word": words,
            "code": words.dictionary_encode(),
            "run": pa.array(np.sort(draw.integers(0, 40, n))),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(draw.normal(size=3 * n)), 3),
        }
    )


REFERENCE = tg.Reference.fit(
    table("ordered", 5_000), schema=tg.Schema.infer(table("ordered", 1), timestamp="when")
)


def by_pandas(data: pa.Table, window: str) -> dict[tg.Window, pa.Table]:
    """Rows of each window in their order, windows by pandas' own calendar."""
    when = pd.Series(data["when"].to_numpy())
    # Whole weeks from Monday; a number of days is counted from 1970 as pandas does when told to.
    if window == "7d":
        start = when.dt.to_period("W-SUN").dt.start_time
    else:
        start = when.dt.floor({"1d": "1D", "6h": "6h", "15m": "15min"}[window])
    width = pd.Timedelta(window.upper() if window.endswith("d") else window).value
    groups = start.groupby(start).groups
    return {
        tg.Window(int(first.value), int(first.value) + width): data.take(np.sort(rows))
        for first, rows in groups.items()
    }


@pytest.mark.parametrize("order", ["ordered", "shuffled", "late rows"])
@pytest.mark.parametrize("window", ["7d", "1d", "6h", "15m"])
@pytest.mark.parametrize("reference", [None, REFERENCE], ids=["open", "reference"])
def test_each_window_is_the_profile_of_its_rows(order, window, reference):
    data = table(order, 3_000 if window == "15m" else N)
    expected = by_pandas(data, window)
    found = tg.profile_windows(data, reference, timestamp="when", window=window)
    assert list(found) == sorted(expected)
    for key, profile in found.items():
        assert profile.to_bytes() == tg.profile(expected[key], reference).to_bytes(), str(key)


@pytest.mark.parametrize("order", ["ordered", "shuffled"])
def test_neither_batches_nor_threads_show(order):
    data = table(order)
    whole = tg.profile_windows(data, REFERENCE, window="1d")
    assert len(whole) == 13
    parts = pa.concat_tables([data.slice(i, 777) for i in range(0, N, 777)])
    stream = (data.slice(i, 1_001) for i in range(0, N, 1_001))
    for other in (
        tg.profile_windows(parts, REFERENCE, window="1d", threads=2),
        tg.profile_windows(stream, REFERENCE, window=86_400),
    ):
        assert {key: profile.to_bytes() for key, profile in other.items()} == {
            key: profile.to_bytes() for key, profile in whole.items()
        }


def test_run_ends_views_and_decimals_make_the_same_windows():
    data = table("shuffled").select(["when", "word", "count", "run"])
    other = pa.table(
        {
            "when": data["when"].combine_chunks().dictionary_encode(),
            "word": data["word"].cast(pa.string_view()),
            "count": data["count"].cast(pa.decimal128(20, 0)).cast(pa.decimal256(40, 0)),
            "run": pa.compute.run_end_encode(data["run"].combine_chunks()),
        }
    )
    assert other["run"].type != data["run"].type
    plain = tg.profile_windows(data, REFERENCE, window="1d")
    encoded = tg.profile_windows(other, REFERENCE, window="1d")
    for key, profile in plain.items():
        for name in ("when", "word", "run"):
            assert repr(encoded[key][name]) == repr(profile[name])
        assert encoded[key]["count"].n_mistyped == 0
        assert encoded[key]["count"].sum == profile["count"].sum


def test_light_profiles_and_the_windows_of_a_frame():
    frame = table("late rows").drop_columns(["vector"]).to_pandas()
    found = tg.profile_windows(frame, timestamp="when", window="1d", accumulators="light")
    assert sum(profile.n_rows for profile in found.values()) == N
    first = next(iter(found.values()))
    assert first["amount"].n_distinct is None
    day = frame[frame["when"].dt.strftime("%Y-%m-%d") == "2026-11-02"]
    found_day = found[tg.Window(*(pd.Timestamp(f"2026-11-0{d}").value for d in (2, 3)))]
    assert found_day.to_bytes() == tg.profile(day, accumulators="light").to_bytes()


def test_rows_without_a_time_are_told_and_counted_nowhere():
    data = {
        "t": pa.array([0, None, 86_400, None, 2**62], pa.int64()).view(pa.timestamp("s")),
        "x": [1, 2, 3, 4, 5],
    }
    with pytest.warns(
        InputWarning, match="3 of 5 rows are in no window: their time in column 't' is null"
    ) as told:
        found = tg.profile_windows(data, timestamp="t", window="1d")
    assert told[0].filename == __file__
    assert [(str(key), profile["x"].sum) for key, profile in found.items()] == [
        ("1970-01-01 UTC", 1),
        ("1970-01-02 UTC", 3),
    ]
    with pytest.warns(InputWarning, match="1 of 1 rows"):
        assert tg.profile_windows({"t": pa.nulls(1)}, timestamp="t", window="1d") == {}


def test_no_rows_make_no_windows_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tg.profile_windows(table("ordered").slice(0, 0), REFERENCE, window="1d") == {}


def test_a_column_of_time_must_be_named_somewhere_and_be_there():
    data = table("ordered", 100)
    with pytest.raises(SchemaError, match=r"without a reference.*pass timestamp='COLUMN'"):
        tg.profile_windows(data, window="1d")
    without = tg.Reference.fit(data)
    with pytest.raises(SchemaError, match=r"the schema does not say which column.*Schema\.infer"):
        tg.profile_windows(data, without, window="1d")
    with pytest.raises(InputError, match="no column 'wen': did you mean 'when'"):
        tg.profile_windows(data, timestamp="wen", window="1d")
    with pytest.raises(SchemaError, match='column "count" holds numbers'):
        tg.profile_windows(data, timestamp="count", window="1d")
    with pytest.raises(InputError, match="duration: '1 day' is no length"):
        tg.profile_windows(data, timestamp="when", window="1 day")


def test_a_malformed_batch_ends_it():
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 9], pa.int8()), ["a"], safe=False)
    good = {"t": np.array([1, 2], "M8[s]"), "s": ["a", "a"]}
    bad = pa.record_batch({"t": pa.array([1, 2], pa.timestamp("s")), "s": codes})
    with pytest.raises(ArrowError, match="dictionary code of row 1 is 9"):
        tg.profile_windows([good, bad], timestamp="t", window="1d")


def test_a_column_that_turns_into_another_kind_is_refused():
    parts = [{"t": np.array([1], "M8[s]")}, {"t": ["2026-01-01"]}]
    with pytest.raises(SchemaError, match='column "t" holds texts'):
        tg.profile_windows(parts, timestamp="t", window="1d")
