"""Rows through a stage give the bytes of the same rows one by one, whatever is in them."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import math
from collections import OrderedDict, UserDict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tidegauge as tg
from tidegauge import _core, arrow
from tidegauge.errors import ArrowError, SchemaError

RANDOM = np.random.default_rng(3)
N = 200
DAY = dt.datetime(2026, 3, 1)
REFERENCE = tg.Reference.fit(
    pa.table(
        {
            "real": RANDOM.normal(size=N),
            "whole": RANDOM.integers(0, 1000, N),
            "truth": RANDOM.integers(0, 2, N) == 1,
            "word": RANDOM.choice(["a", "b", "17", "true"], N),
            "micro": pa.array([DAY + dt.timedelta(seconds=i) for i in range(N)], pa.timestamp("us")),
            "nano": pa.array(np.arange(N).astype("M8[ns]")),
            "second": pa.array(np.arange(N).astype("M8[s]")),
            "day": pa.array(np.arange(N), pa.int32()).cast(pa.date32()),
            "vector": pa.array(RANDOM.normal(size=(N, 3)).tolist(), pa.list_(pa.float64(), 3)),
            "thing": pa.array([{"x": i} for i in range(N)]),
        }
    )
)
SPECS = [column.spec for column in REFERENCE.profile._core.columns]
COLUMNS = [spec.name for spec in SPECS]


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


VALUES: list[Any] = [
    *(None, True, False, 0, 1, -5, 17, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 + 1, 2**70),
    *(0.0, -0.0, 1.5, 3.0, 1e300, 5e-324, math.nan, math.inf, -math.inf, 2.0**53, 2.0**63),
    *("", "a", "17", "true", "zz", "ä", "日本", "🙂", "a\0b", "x" * 300, b"", b"a", b"\xff"),
    *("\ud800", "a\udfffb", "\ud83d\ude42"),
    *(np.float16(0.1), np.float32(0.1), np.float64(0.1), np.float32("nan"), np.int8(-3), np.uint8(200)),
    *(np.int64(-7), np.uint32(7), np.int64(2**62), np.bool_(True), np.str_("a"), np.bytes_(b"a")),
    *(decimal.Decimal("1.5"), decimal.Decimal(3), decimal.Decimal("NaN"), decimal.Decimal("Infinity")),
    *(Colour.RED, Level.HIGH, pd.NA, pd.NaT, pd.Timestamp("2026-03-01T10:00:00.123456789")),
    *(
        dt.date(2026, 3, 1),
        dt.date(1, 1, 1),
        dt.date(9999, 12, 31),
        DAY,
        dt.datetime(1969, 12, 31, 23, 59, 59, 7),
    ),
    *(DAY.replace(tzinfo=dt.UTC), DAY.replace(tzinfo=dt.timezone(dt.timedelta(hours=-7, minutes=30)))),
    *(
        pd.Timestamp("2026-03-01", tz="Europe/Stockholm"),
        dt.timedelta(days=-1, microseconds=3),
        dt.time(1, 2),
    ),
    *(np.datetime64("2026-03-01", unit) for unit in ("Y", "M", "W", "D", "h", "s", "ms", "us", "ns", "ps")),
    *(np.datetime64("NaT", "us"), np.timedelta64(5, "s"), np.timedelta64(5, "ns"), np.timedelta64(5, "M")),
    *(np.datetime64(7, "10us"), np.datetime64(7, "25s"), np.timedelta64(3, "2h"), np.datetime64(-1, "fs")),
    *([1.0, 2.0, 3.0], (1, 2, 3), [True, 2, 0.5], [1.0, math.nan, 2.0], [1.0, 2.0], [[1.0, 2.0, 3.0]]),
    *(
        [1, "a", 2],
        ["1", "2", "3"],
        [None, 1.0, 2.0],
        [2**53 + 1, 2**62 + 1, 3],
        [2**63, 1, 2],
        [2**70, 1, 2],
    ),
    *(np.arange(3.0), np.arange(3, dtype=np.float32), np.arange(3) > 1, np.arange(6.0)[::2], np.array(5.0)),
    *(np.array(["a", "b", "c"]), np.zeros((1, 3)), np.zeros((3, 1)), np.arange(3, dtype=">f8")),
    *({}, {"x": 1}, set(), object(), 1j, Ellipsis, range(3)),
]


def profiled(batches: Sequence[_core.Batch]) -> tg.Profile:
    profile = tg.Profile.empty(REFERENCE)
    for batch in batches:
        profile._core.update(batch, 1)
    return profile


def one_by_one(rows: Sequence[Mapping[str, Any]], accumulators: Any = "full") -> tg.Profile:
    """The slow, obvious way: each row a batch. A row without fields is a batch of one row, no columns."""
    profile = tg.Profile.empty(REFERENCE, accumulators=accumulators)
    nothing = next(iter(arrow.batches({"x": [0]}))).select([])
    for row in rows:
        profile.update({name: [value] for name, value in row.items()} if row else nothing)
    return profile


def staged(rows: Sequence[Mapping[str, Any]], extra: Sequence[str] = ()) -> list[_core.Batch]:
    stage = _core.Stage(SPECS, extra)
    for row in rows:
        stage.record(row)
    return stage.take()


def columns_of(batches: Sequence[_core.Batch], name: str) -> list[tuple[str, list[Any]]]:
    """One column in each batch that has it: its Arrow format and its values."""
    return [
        (batch.fields[i][2], batch.to_pylist(i))
        for batch in batches
        for i in range(len(batch.fields))
        if batch.fields[i][0] == name
    ]


def values_of(batches: Sequence[_core.Batch], name: str) -> list[Any]:
    """One column over all batches that have it."""
    return [value for _, values in columns_of(batches, name) for value in values]


# ---- the same bytes


@pytest.mark.parametrize("column", COLUMNS)
def test_every_value_in_every_column(column: str) -> None:
    for value in VALUES:
        row = {column: value}
        assert profiled(staged([row])) == one_by_one([row]), value
    rows = [{column: value} for value in VALUES]
    batches = staged(rows)
    assert [batch.n_rows for batch in batches] == [len(VALUES)]  # however unlike, they share a batch
    assert profiled(batches) == one_by_one(rows)


def test_rows_of_one_sort_equal_one_batch_of_lists() -> None:
    names = ["real", "whole", "word", "truth"]
    rows = [dict(zip(names, (float(x), int(x), f"w{x % 5}", bool(x % 2)), strict=True)) for x in range(5000)]
    batches = staged(rows)
    assert [batch.n_rows for batch in batches] == [5000]
    profile = tg.profile({name: [row[name] for row in rows] for name in names}, REFERENCE)
    assert profiled(batches) == profile == one_by_one(rows)


ANY_ROW = st.dictionaries(
    st.sampled_from([*COLUMNS, "other", "ö"]) | st.text(max_size=3),
    st.sampled_from(VALUES) | st.floats() | st.integers() | st.text(max_size=5) | st.none(),
    max_size=8,
)


@given(st.lists(ANY_ROW, max_size=12))
def test_any_rows(rows: list[dict[str, Any]]) -> None:
    assert profiled(staged(rows)) == one_by_one(rows)


@given(st.lists(ANY_ROW, max_size=12), st.lists(st.sampled_from(COLUMNS), max_size=3, unique=True))
def test_any_rows_with_some_columns_kept_as_they_are(rows: list[dict[str, Any]], extra: list[str]) -> None:
    """Free columns part rows of unlike types, so the profiler reads their values itself; order may change."""
    batches = staged(rows, extra)
    assert sum(batch.n_rows for batch in batches) == len(rows)
    found, expected = profiled(batches), one_by_one(rows)
    assert found.n_rows == expected.n_rows
    for name in COLUMNS:
        a, b = found[name], expected[name]
        assert (a.n_absent, a.n_null, a.n_mistyped, a.n_nan, a.n_present) == (
            *(b.n_absent, b.n_null, b.n_mistyped, b.n_nan, b.n_present),
        )


@given(st.lists(ANY_ROW, max_size=12), st.data())
def test_what_is_taken_can_be_cut_and_reordered(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    """Slices and taken rows keep which rows lacked a column, or had another type in it."""
    batches = staged(rows)
    cut = data.draw(st.integers(0, len(rows)))
    parts = [part for batch in batches for part in (batch.slice(0, cut), batch.slice(cut, len(rows) - cut))]
    assert profiled([part for part in parts if part.n_rows]) == one_by_one(rows)
    order = data.draw(st.permutations(range(len(rows))))
    taken = [batch.take(np.array(order, np.int64)) for batch in batches]
    assert profiled(taken) == one_by_one([rows[i] for i in order])


@given(st.lists(st.lists(ANY_ROW, max_size=5), max_size=4))
def test_taking_in_between_changes_nothing(parts: list[list[dict[str, Any]]]) -> None:
    stage, batches = _core.Stage(SPECS), []
    for rows in parts:
        for row in rows:
            stage.record(row)
        assert stage.n_rows == len(rows)
        batches += stage.take()
        assert stage.n_rows == 0
    assert stage.take() == []
    assert profiled(batches) == one_by_one([row for rows in parts for row in rows])


# ---- shapes


def test_rows_of_unlike_fields_share_a_batch() -> None:
    rows = [
        {name: 1.0 for i, name in enumerate(["real", "whole", "word"]) if mask >> i & 1} for mask in range(8)
    ] * 100
    (batch,) = staged(rows)
    assert batch.n_rows == 800
    profile = profiled([batch])
    assert profile == one_by_one(rows)
    assert profile["real"].n_absent == 400
    assert profile["micro"].n_absent == 800


def test_a_column_that_no_row_has_is_in_no_batch() -> None:
    (batch,) = staged([{"real": 1.0, "new": 2.0}])
    assert [field[0] for field in batch.fields] == ["real", "new"]


def test_rows_without_a_field_are_rows() -> None:
    (batch,) = staged([{}, {}])
    assert batch.n_rows == 2
    assert profiled([batch])["real"].n_absent == 2


def test_unknown_fields_are_unexpected() -> None:
    rows = [{"real": 1.0, "new": object()}, {"real": 2.0}, {"newer": None, "new": 3}]
    stage = _core.Stage(SPECS)
    for row in rows:
        stage.record(row)
    assert stage.n_unknown == 3
    assert profiled(stage.take()).unexpected == {"new": 2, "newer": 1}
    assert stage.n_unknown == 3


def test_more_unknown_names_than_a_profile_keeps() -> None:
    rows = [{f"new {i}": i} for i in range(1500)]
    assert profiled(staged(rows)) == one_by_one(rows)


def test_free_columns_keep_what_they_hold() -> None:
    rows = [
        *(
            {"when": DAY, "country": "SE"},
            {"when": DAY, "country": None},
            {"when": DAY.replace(tzinfo=dt.UTC)},
        ),
        *({"country": 3}, {"country": 3.5}, {"country": True}, {"country": b"SE"}, {"country": "DE"}),
        *({"country": [1.0]}, {"country": object()}, {"when": np.datetime64("2026-03-01", "ns")}),
        {"when": dt.timedelta(seconds=1), "country": "DE"},
    ]
    batches = staged(rows, ["country", "when"])
    assert sum(batch.n_rows for batch in batches) == len(rows)
    found = {(written, repr(values)) for written, values in columns_of(batches, "country")}
    assert found == {
        ("U", "['SE', None, None, 'DE']"),
        ("l", "[3]"),
        ("g", "[3.5]"),
        ("b", "[True]"),
        ("Z", "['SE']"),
        ("+w:1", "[[1.0], None]"),
        ("object", "[None]"),
        ("U", "['DE']"),
    }
    assert {written for written, _ in columns_of(batches, "when")} == {"tsu:", "tsn:", "tDu"}


def test_a_free_column_that_the_profile_knows() -> None:
    """It is profiled as what it is, and stays what it is."""
    rows = [{"whole": "gold"}, {"whole": 3}, {"whole": 3.5}, {"whole": None}]
    batches = staged(rows, ["whole"])
    assert {*values_of(batches, "whole")} == {"gold", 3, 3.5, None}
    assert profiled(batches)["whole"].n_mistyped == one_by_one(rows)["whole"].n_mistyped == 2


@pytest.mark.parametrize("n_free", range(1, 20))
def test_any_number_of_free_columns(n_free: int) -> None:
    extra = [f"key {i}" for i in range(n_free)]
    (batch,) = staged([{name: i for i, name in enumerate(extra)} | {"real": 1.0}], extra)
    assert [values_of([batch], name) for name in extra] == [[i] for i in range(n_free)]


def test_alternating_types_of_a_free_column_stay_in_few_batches() -> None:
    kinds: list[Any] = ["SE", 1, 1.5, True, b"x", DAY, dt.timedelta(1)]
    rows = [{"real": float(i), "key": kinds[i % len(kinds)]} for i in range(700)]
    batches = staged(rows, ["key"])
    assert [batch.n_rows for batch in batches] == [100] * len(kinds)
    assert [values_of([batch], "real")[0] for batch in batches] == list(range(len(kinds)))
    assert all(np.diff(values_of([batch], "real")).min() > 0 for batch in batches)


def test_rows_that_wait_can_be_parted_by_their_times() -> None:
    rows = [{"real": float(i), "when": DAY + dt.timedelta(hours=i % 3)} for i in range(9)]
    (batch,) = staged(rows, ["when"])
    place = [field[0] for field in batch.fields].index("when")
    parts = batch.partition(place, 3_600_000_000_000)
    assert [part.n_rows for _, part in parts] == [3, 3, 3]
    for hour, (_, part) in enumerate(parts):
        own = [row for row in rows if row["when"].hour == hour]
        assert profiled([part]) == one_by_one(own)


def test_unknown_fields_of_parts_are_those_of_their_rows() -> None:
    rows = [{"when": DAY + dt.timedelta(hours=i % 3)} | ({"new": 1} if i < 3 else {}) for i in range(9)]
    (batch,) = staged([row | {"late": 1} if i % 3 == 2 else row for i, row in enumerate(rows)], ["when"])
    place = [field[0] for field in batch.fields].index("when")
    unexpected = [profiled([part]).unexpected for _, part in batch.partition(place, 3_600_000_000_000)]
    assert unexpected == [{"new": 1, "when": 3}, {"new": 1, "when": 3}, {"new": 1, "when": 3, "late": 3}]


@given(st.lists(st.tuples(st.sampled_from(["SE", "DE", None]), ANY_ROW), max_size=12))
def test_segments_of_what_waited(keyed: list[tuple[str | None, dict[str, Any]]]) -> None:
    """Each segment is the light profile of its own rows, absent, mistyped and unknown fields included."""
    rows = [{**row, "key": key} for key, row in keyed]
    joint = REFERENCE.profile._core.joint_spec
    whole = _core.SegmentedProfile(SPECS, joint, dimensions=[["key"]], max_segments=9)
    for batch in staged(rows, ["key"]):
        assert whole.update(batch, 1)
    assert tg.Profile(whole.total()) == one_by_one(rows)
    for key in ("SE", "DE", None):
        own = [row for row in rows if row["key"] == key]
        part = whole.segment(0, (key,))
        assert (part is None) == (not own)
        if part is not None:
            assert tg.Profile(part) == one_by_one(own, accumulators="light")


# ---- limits


def test_due_by_rows() -> None:
    stage = _core.Stage(SPECS, max_rows=3)
    assert [stage.record({"real": 1.0}) for _ in range(5)] == [False, False, True, True, True]
    assert stage.n_rows == 5
    assert sum(batch.n_rows for batch in stage.take()) == 5
    assert stage.record({}) is False


def test_due_by_bytes_at_once() -> None:
    stage = _core.Stage(SPECS, max_bytes=1 << 20)
    assert stage.record({"word": "x" * 1000}) is False
    assert stage.record({"word": "x" * (1 << 20)}) is True
    assert profiled(stage.take())["word"].n_present == 2
    assert stage.record({"word": "x"}) is False


@pytest.mark.parametrize("field", ["many names", "long names", "wide", "many types"])
def test_whatever_grows_is_due(field: str) -> None:
    """Nothing that a caller can send makes a stage grow without its saying so."""
    stage = _core.Stage(SPECS, ["key"])
    rows: dict[str, Callable[[int], dict[str, Any]]] = {
        "many names": lambda i: {f"{i} {j}": 1 for j in range(50)},
        "long names": lambda i: {str(i) + "n" * 100_000: 1},
        "wide": lambda i: {"vector": [0.0] * 100_000},
        "many types": lambda i: {"key": [0.0] * (i + 1)},
    }
    n_rows = next(i for i in range(5000) if stage.record(rows[field](i))) + 1
    assert n_rows < 4096
    assert sum(batch.n_rows for batch in stage.take()) == n_rows


def test_limits_that_make_no_sense() -> None:
    for limits in (
        {"max_rows": 0},
        {"max_rows": -1},
        {"max_rows": 1 << 21},
        {"max_bytes": 0},
        {"max_bytes": -1},
    ):
        with pytest.raises(SchemaError, match="allowed are 1 to 1048576 rows"):
            _core.Stage(SPECS, **limits)
    with pytest.raises(SchemaError, match='"real" is named twice'):
        _core.Stage([*SPECS, SPECS[0]])
    with pytest.raises(SchemaError, match='"key" is named twice'):
        _core.Stage(SPECS, ["key", "key"])


# ---- mappings


@pytest.mark.parametrize(
    "of", [dict, OrderedDict, UserDict, MappingProxyType, pd.Series], ids=lambda kind: kind.__name__
)
def test_any_mapping_is_a_row(of: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    rows = [{"real": 1.5, "word": "a", "new": 1}, {"word": "b", "real": 3}]
    assert profiled(staged([of(row) for row in rows])) == one_by_one(rows)


def test_keys_that_are_equal_and_not_the_same() -> None:
    rows = [{"".join(["re", "al"]): float(i), "".join(["wo", "rd"]): "a"} for i in range(3)]
    rows += [{np.str_("real"): 1.0, Colour.RED: 2}, {"word": "b", "real": 2.0}]
    assert profiled(staged(rows)) == one_by_one([{str(k): v for k, v in row.items()} for row in rows])


@given(st.lists(st.permutations(["real", "whol", "word", "ö", "ö2"]), max_size=8), st.booleans())
def test_keys_that_come_and_go(orders: list[list[str]], keep: bool) -> None:
    """The key of the row before is known by its address, where another text of another name may lie next."""
    names = ["real", "whol", "word", "ö", "ö2"]
    schema = tg.Reference.fit({name: RANDOM.normal(size=N) for name in names})
    stage, kept = _core.Stage([column.spec for column in schema.profile._core.columns]), []
    for i, order in enumerate(orders):
        row = {"".join([*name]): float(i * len(names) + names.index(name)) for name in order}
        stage.record(row)
        if keep:
            kept.append(row)
    batches = stage.take()
    for place, name in enumerate(names):
        assert values_of(batches, name) == [float(i * len(names) + place) for i in range(len(orders))]


def test_rows_of_many_takes_lie_in_the_memory_of_those_before() -> None:
    """What a batch shows is its own: rows that come later do not write into it."""
    stage, taken = _core.Stage(SPECS, ["key"]), []
    for i in range(20):
        for j in range(50):
            row = {"real": float(i), "word": f"{i}" * (i + j), "vector": [i, j, 0], "key": i % 2 or "a"}
            stage.record(row)
        taken.append(stage.take())
    for i, batches in enumerate(taken):
        assert values_of(batches, "real") == [float(i)] * 50
        assert values_of(batches, "word") == [f"{i}" * (i + j) for j in range(50)]
        assert values_of(batches, "vector") == [[i, j, 0] for j in range(50)]
        assert values_of(batches, "key") == [i % 2 or "a"] * 50


@pytest.mark.parametrize("row", [None, 3, "real", b"real", [("real", 1.0)], {1, 2}, np.zeros(3), object()])
def test_what_is_no_row(row: Any) -> None:
    stage = _core.Stage(SPECS)
    with pytest.raises(SchemaError, match="a row is a mapping of column names to values, not a"):
        stage.record(row)
    assert stage.n_rows == 0


# ---- batches


SMALL = {
    "real": RANDOM.normal(size=32),
    "whole": RANDOM.integers(0, 1000, 32),
    "truth": RANDOM.integers(0, 2, 32) == 1,
    "word": RANDOM.choice(["a", "b"], 32),
    "micro": np.arange(32).astype("M8[us]"),
    "vector": RANDOM.normal(size=(32, 3)),
    "thing": RANDOM.normal(size=32),
    "new": RANDOM.normal(size=32),
}


def batch_of(data: Any) -> _core.Batch:
    (batch,) = arrow.batches(data)
    return batch


def test_a_small_batch_is_copied() -> None:
    data = {name: values.copy() for name, values in SMALL.items()}
    stage = _core.Stage(SPECS)
    assert stage.append(batch_of(data)) is False
    for values in data.values():
        values[:] = values[0]  # the caller's memory is the caller's again
    (batch,) = stage.take()
    assert batch.n_rows == 32
    assert profiled([batch]) == tg.profile(SMALL, REFERENCE)


def strange(column: str) -> list[pa.Array]:
    """Arrays of every layout and type, some of which the column can hold."""
    numbers = [3, None, 1, 2**53, 7]
    texts = ["a", None, "b", "17", "a"]
    code = pa.array([1, None, 0, 1, 2], pa.int8())
    runs = pa.RunEndEncodedArray.from_arrays([2, 3, 5], pa.array([1, None, 3]))
    return [
        *(pa.array(numbers, kind) for kind in (pa.int64(), pa.uint64(), pa.float64())),
        *(
            pa.array([1, None, 3, 4, 5], kind)
            for kind in (pa.int8(), pa.uint16(), pa.float32(), pa.float16())
        ),
        *(
            pa.array([1, None, 3, 4, 5], kind)
            for kind in (pa.decimal128(5, 2), pa.date32(), pa.timestamp("ms"))
        ),
        *(pa.array([1, None, 3, 4, 5], kind) for kind in (pa.duration("s"), pa.time32("s"), pa.time64("ns"))),
        *(pa.array(texts, kind) for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.binary())),
        pa.array([2.5, math.nan, None, math.inf, -0.0]),
        pa.array([True, None, False, True, True]),
        pa.array([None] * 5, pa.null()),
        pa.DictionaryArray.from_arrays(code, pa.array(["a", "b", None])),
        pa.DictionaryArray.from_arrays(code, pa.array([1.5, 2.0, 3.0])),
        pa.DictionaryArray.from_arrays(code, pa.array([True, False, None])),
        runs,
        pa.array([[1.0, 2.0, 3.0], None, [4.0, None, 6.0], [0.0] * 3, [1.0] * 3], pa.list_(pa.float64(), 3)),
        pa.array([[1.0, 2.0], None, [4.0, 6.0], [0.0] * 2, [1.0] * 2], pa.list_(pa.float32(), 2)),
        pa.array([{"x": 1}, None, {"x": 2}, None, None]),
        pa.array([[1], None, [2, 3], [], [4]]),
    ]


@pytest.mark.parametrize("column", COLUMNS)
def test_every_array_in_every_column(column: str) -> None:
    for array in strange(column):
        table = pa.table({column: array})
        for part in (table, table.slice(1, 3), table.slice(2)):
            stage = _core.Stage(SPECS)
            assert stage.append(batch_of(part)) is False, array.type
            expected = tg.profile(part, REFERENCE)
            assert profiled(stage.take()) == expected, array.type


@pytest.mark.parametrize("column", COLUMNS)
def test_rows_and_batches_in_turn(column: str) -> None:
    stage, expected = _core.Stage(SPECS), tg.Profile.empty(REFERENCE)
    for array, value in zip(strange(column) * 4, VALUES, strict=False):
        stage.append(batch_of(pa.table({column: array})))
        expected.update(pa.table({column: array}))
        stage.record({column: value})
        expected.merge(one_by_one([])) if not expected.n_rows else None
        expected.update({column: [value]})
    assert profiled(stage.take()) == expected


def test_nulls_of_the_table_itself() -> None:
    table = pa.StructArray.from_arrays(
        [pa.array([1.0, 2.0, 3.0])], ["real"], mask=pa.array([True, False, False])
    )
    batch = _core.batch_from_capsules(*table.__arrow_c_array__())
    stage = _core.Stage(SPECS)
    assert stage.append(batch) is False
    profile = profiled(stage.take())
    assert profile == profiled([batch])
    assert profile["real"].n_null == 1


def test_a_taken_batch_can_be_staged_again() -> None:
    rows = [{"real": 1.0}, {"real": "a"}, {"new": 3}, {"real": None, "word": 1.5}]
    stage = _core.Stage(SPECS)
    for batch in staged(rows):
        assert stage.append(batch) is False
    assert stage.n_unknown == 1
    assert profiled(stage.take()) == one_by_one(rows)


def test_free_columns_of_batches() -> None:
    kept = [
        *(pa.array([1, None, 3], kind) for kind in (pa.int64(), pa.int8(), pa.uint32(), pa.float64())),
        *(pa.array([1, None, 3], kind) for kind in (pa.timestamp("ns"), pa.timestamp("s", "UTC"))),
        *(pa.array(["a", None, "b"], kind) for kind in (pa.string(), pa.string_view(), pa.large_string())),
        pa.array(["a", None, "b"]).dictionary_encode(),
        pa.array([True, None, False]),
    ]
    for array in kept:
        stage, batch = _core.Stage(SPECS, ["key"]), batch_of(pa.table({"key": array}))
        assert stage.append(batch) is False
        (taken,) = stage.take()
        assert taken.to_pylist(0) == batch.to_pylist(0)
        assert taken.fields[0][:2] == batch.fields[0][:2]
    stage = _core.Stage(SPECS, ["key"])
    assert stage.append(batch_of(pa.table({"key": pa.array([1, 2], pa.date32())}))) is False
    assert stage.take()[0].to_pylist(0) == [86400, 172800]  # of seconds


@pytest.mark.parametrize(
    "array",
    [
        *(
            pa.array([1, 2], kind)
            for kind in (pa.uint64(), pa.float32(), pa.decimal128(5, 2), pa.time32("s"))
        ),
        *(pa.array([[1.0], [2.0]], pa.list_(pa.float64(), 1)), pa.array([{"x": 1}, None])),
    ],
    ids=lambda array: str(array.type),
)
def test_what_would_not_stay_the_same_is_not_staged(array: pa.Array) -> None:
    stage = _core.Stage(SPECS, ["key"])
    stage.record({"real": 1.0})
    assert stage.append(batch_of(pa.table({"real": [1.0, 2.0], "key": array}))) is None
    (batch,) = stage.take()
    assert batch.n_rows == 1


def test_large_batches_are_not_staged() -> None:
    stage = _core.Stage(SPECS, max_bytes=200_000)
    stage.record({"word": "a"})
    assert stage.append(batch_of({"real": np.zeros(1025)})) is None
    assert stage.append(batch_of({"word": ["x" * 200_001]})) is None
    assert stage.append(batch_of({"word": ["b"]})) is False
    assert stage.append(batch_of({"real": np.zeros(1024)})) is False
    assert stage.append(batch_of({"real": np.zeros(1024)})) is True
    profile = profiled(stage.take())
    assert (profile["word"].n_present, profile["real"].n_present) == (2, 2048)


def test_columns_of_one_name_are_left_to_the_profile() -> None:
    for name in ("real", "new"):
        one = batch_of({name: [1.0]})
        table = pa.Table.from_arrays([pa.array([1.0])] * 2, [name, name])
        stream = next(iter(_core.Stream(table.__arrow_c_stream__())))
        stage = _core.Stage(SPECS)
        assert stage.append(stream) is None
        assert stage.append(one) is False
        assert stage.n_rows == 1


def test_batches_of_no_rows() -> None:
    stage = _core.Stage(SPECS)
    empty = pa.record_batch({"real": pa.array([], pa.float64())})
    assert stage.append(_core.batch_from_capsules(*empty.__arrow_c_array__())) is False
    assert stage.take() == []


def test_a_batch_that_points_outside_its_memory_is_refused() -> None:
    backwards = pa.StringArray.from_buffers(
        2, pa.py_buffer(np.array([0, 2, 1], np.int32)), pa.py_buffer(b"ab")
    )
    stage = _core.Stage(SPECS)
    stage.record({"word": "a"})
    with pytest.raises(ArrowError, match="word"):
        stage.append(batch_of(pa.table({"real": [1.0, 2.0], "word": backwards})))
    assert stage.n_rows == 1
    assert profiled(stage.take()) == one_by_one([{"word": "a"}])


@settings(max_examples=50)
@given(st.lists(st.integers(0, 40), max_size=10), st.randoms(use_true_random=False))
def test_any_split_into_rows_and_batches(sizes: list[int], random: Any) -> None:
    """Rows of one sort are the same bytes however they come."""
    n = sum(sizes)
    data = {"real": RANDOM.normal(size=n), "whole": np.arange(n), "word": RANDOM.choice(["a", "b", "c"], n)}
    stage, at, taken = _core.Stage(SPECS, max_rows=50), 0, []
    for size in sizes:
        part = {name: values[at : at + size] for name, values in data.items()}
        if random.random() < 0.5:
            due = stage.append(batch_of(part))
        else:
            dues = [stage.record({k: v[i].item() for k, v in part.items()}) for i in range(size)]
            due = any(dues)
        if due:
            taken += stage.take()
        at += size
    taken += stage.take()
    assert profiled(taken) == profiled([batch_of(data)] if n else [])
