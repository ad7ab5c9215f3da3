"""A window's total and segments: each segment is the light profile of its own rows, and they add up."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tidegauge as tg
from tidegauge import _core, arrow
from tidegauge.errors import ArrowError, SchemaError

Key = tuple[str | None, ...]
N = 400
RANDOM = np.random.default_rng(23)
COUNTRIES = ["SE", "DE", "", "é", "a country whose name is longer than a view", "NO"]
DEVICES = ["phone", "desk", None]


def frame(n: int = N, seed: int = 3) -> pa.Table:
    """Columns of every kind, with nulls, NaN, infinities and dictionaries."""
    rng = np.random.default_rng(seed)
    mask = rng.random(n) < 0.15
    x = rng.normal(size=n)
    x[rng.random(n) < 0.03] = np.nan
    x[rng.random(n) < 0.03] = np.inf
    codes = pa.array(rng.integers(0, 4, n).astype(np.int8), mask=rng.random(n) < 0.1)
    return pa.table(
        {
            "x": pa.array(x, mask=mask),
            "small": pa.array(rng.normal(size=n).astype(np.float32)),
            "count": pa.array(rng.integers(-3, 9, n)),
            "flag": pa.array(rng.random(n) < 0.4, mask=rng.random(n) < 0.1),
            "word": pa.array([f"w{i}" for i in rng.zipf(1.5, n) % 50], mask=mask),
            "coded": pa.DictionaryArray.from_arrays(codes, pa.array(["a", None, "b", "c" * 40])),
            "when": pa.array(rng.integers(0, 10**6, n).astype("M8[s]")),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(rng.normal(size=n * 3)), 3),
            "id": pa.array([f"id-{i}" for i in range(n)], pa.string_view(), mask=rng.random(n) < 0.05),
            "country": pa.array(rng.choice(COUNTRIES, n), mask=rng.random(n) < 0.05),
            "device": pa.array([DEVICES[i] for i in rng.integers(0, 3, n)], pa.string_view()),
            "store": pa.array(rng.integers(0, 12, n).astype(np.uint16), mask=rng.random(n) < 0.05),
        }
    )


TRAIN = frame(3_000, seed=1)
SCHEMA = tg.Schema.infer(TRAIN, id="id")
REFERENCE = tg.Reference.fit(TRAIN, schema=SCHEMA)
SPECS = [column.spec for column in REFERENCE.profile._core.columns]
JOINT = REFERENCE.profile._core.joint_spec
DIMENSIONS = [["country"], ["device", "flag"], ["store"], ["coded"]]


def batch_of(data: object) -> _core.Batch:
    (batch,) = arrow.batches(data)
    return batch


def segmented(
    dimensions: Sequence[Sequence[str]] = DIMENSIONS, max_segments: int = 1_000, **more: object
) -> _core.SegmentedProfile:
    return _core.SegmentedProfile(
        SPECS,
        JOINT,
        dimensions=dimensions,
        max_segments=max_segments,
        **more,  # type: ignore[arg-type]
    )


def value_text(value: object) -> str | None:
    """The definition: a text as it is, a whole number in decimal, a boolean as JSON has it."""
    if value is None or (isinstance(value, float) and not value.is_integer()):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, (int, float)) else str(value)


def keys_of(batch: _core.Batch, dimension: Sequence[str]) -> list[Key]:
    names = [field[0] for field in batch.fields]
    columns = [
        [value_text(value) for value in batch.to_pylist(names.index(name))]
        if name in names
        else [None] * batch.n_rows
        for name in dimension
    ]
    return list(zip(*columns, strict=True)) if batch.n_rows else []


def too_long(key: Key) -> bool:
    return any(value is not None and len(value.encode()) > 256 for value in key)


class Oracle:
    """Rows by segment in dictionaries, one Profile each: slow, and plain to see."""

    def __init__(
        self, dimensions: Sequence[Sequence[str]], max_segments: int, reserved: Sequence[Sequence[Key]] = ()
    ) -> None:
        self.dimensions = dimensions
        self.total = tg.Profile.empty(REFERENCE)
        self.segments: list[dict[Key | None, tg.Profile]] = [{} for _ in dimensions]
        self.admitted: list[set[Key]] = [set(keys) for keys in reserved] or [set() for _ in dimensions]
        self.left = max_segments - sum(len(keys) for keys in self.admitted)

    def update(self, batch: _core.Batch) -> None:
        self.total.update(batch)
        keys = [keys_of(batch, dimension) for dimension in self.dimensions]
        rows: list[dict[Key | None, list[int]]] = [{} for _ in self.dimensions]
        for row in range(batch.n_rows):
            for d, keys_of_rows in enumerate(keys):
                key = keys_of_rows[row]
                if key not in self.admitted[d] and self.left > 0 and not too_long(key):
                    self.admitted[d].add(key)
                    self.left -= 1
                rows[d].setdefault(key if key in self.admitted[d] else None, []).append(row)
        for d, found in enumerate(rows):
            for key, numbers in found.items():
                part = self.segments[d].setdefault(key, tg.Profile.empty(REFERENCE, accumulators="light"))
                part.update(batch.take(np.array(numbers, np.int64)))

    def parts(self) -> dict[tuple[int, Key | None], tuple[int, bytes]]:
        found = {(-1, None): (self.total.n_rows, self.total.to_bytes())}
        for d, parts in enumerate(self.segments):
            found |= {(d, key): (part.n_rows, part.to_bytes()) for key, part in parts.items()}
        return found


def parts(profile: _core.SegmentedProfile) -> dict[tuple[int, Key | None], tuple[int, bytes]]:
    taken = profile.take_changed()
    found = {(d, key): (n_rows, data) for d, key, n_rows, data in taken}
    assert len(found) == len(taken), "a part comes once"
    return found


def assert_adds_up(profile: _core.SegmentedProfile, dimensions: Sequence[Sequence[str]]) -> None:
    """For each dimension, segments and other rows merge to the total's counts."""
    total = tg.Profile(profile.total())
    taken = parts(profile)
    for d in range(len(dimensions)):
        of_dimension = [data for (where, _), (_, data) in taken.items() if where == d]
        merged = tg.merge(tg.Profile.from_bytes(data, REFERENCE) for data in of_dimension)
        assert merged.n_rows == total.n_rows
        for name, column in total.items():
            other = merged[name]
            assert (other.n_null, other.n_nan, other.n_mistyped) == (
                column.n_null,
                column.n_nan,
                column.n_mistyped,
            )
            if column.counts is not None:
                assert other.counts.tolist() == column.counts.tolist()


def test_segments_are_the_light_profiles_of_their_rows():
    profile, oracle = segmented(), Oracle(DIMENSIONS, 1_000)
    for seed in range(3):
        batch = batch_of(frame(seed=seed))
        assert profile.update(batch, 1)
        oracle.update(batch)
    expected = oracle.parts()
    assert len(expected) > 25
    assert profile.n_rows == 3 * N
    assert profile.n_segments == len(expected) - 1
    assert profile.n_other_rows == [0] * 4
    for (d, key), (n_rows, data) in expected.items():
        copy = profile.total() if d < 0 else profile.segment(d, key)
        assert copy is not None
        assert copy.n_rows == n_rows
        assert copy.to_bytes(with_edges=False) == data
    assert parts(profile) == expected
    assert profile.take_changed() == []


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=6),
    st.integers(0, 40),
    st.lists(st.sampled_from(["country", "store", "flag", "x", "word", "coded", "vector"]), max_size=3),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_any_batches_and_any_cap(bounds, cap, absent, with_struct, random):
    """Slices, takes, absent columns, structs with nulls of their own; the cap decides by order of rows."""
    data = frame(seed=7).drop_columns(sorted(set(absent)))
    source = batch_of(data)
    if with_struct:
        mask = pa.array([random.random() < 0.1 for _ in range(N)])
        names, columns = data.schema.names, [column.combine_chunks() for column in data.columns]
        source = batch_of(pa.StructArray.from_arrays(columns, names, mask=mask))
    profile, oracle = segmented(max_segments=cap), Oracle(DIMENSIONS, cap)
    for begin, n in bounds:
        batch = source.slice(begin, n)
        if random.random() < 0.3:
            batch = batch.take(np.array([random.randrange(n) for _ in range(n)], np.int64))
        profile.update(batch, 1)
        oracle.update(batch)
    others = [parts[None].n_rows if None in parts else 0 for parts in oracle.segments]
    assert profile.n_other_rows == others
    assert profile.n_segments <= cap
    assert parts(profile) == oracle.parts()


def test_a_split_into_batches_does_not_show():
    whole, split = segmented(max_segments=9), segmented(max_segments=9)
    batch = batch_of(frame(seed=5))
    whole.update(batch, 1)
    for begin in range(0, N, 7):
        split.update(batch.slice(begin, min(7, N - begin)), 1)
    assert parts(whole) == parts(split)


def test_more_threads_in_a_call_do_not_show():
    large = batch_of(frame(60_000, seed=2))
    one, four = segmented(), segmented()
    one.update(large, 1)
    four.update(large, 4)
    assert parts(one) == parts(four)


def test_rows_beyond_a_piece_come_in_order():
    """A batch of several pieces (of 2^17 rows) is the batches of its pieces."""
    n = 300_000
    data = {"x": RANDOM.normal(size=n), "store": RANDOM.integers(0, 50, n).astype(np.uint16)}
    profile, oracle = segmented([["store"]], 40), Oracle([["store"]], 40)
    profile.update(batch_of(data), 1)
    oracle.update(batch_of(data))
    assert profile.n_other_rows[0] > 0
    assert parts(profile) == oracle.parts()


# ---- what a value is


def keys(profile: _core.SegmentedProfile, dimension: int = 0) -> dict[Key | None, int]:
    return {key: n_rows for d, key, n_rows, _ in profile.take_changed() if d == dimension}


def keys_for(name: str, values: object, specs: list[_core.ColumnSpec] | None = None) -> dict[Key | None, int]:
    profile = _core.SegmentedProfile(
        SPECS if specs is None else specs, None, dimensions=[[name]], max_segments=100
    )
    profile.update(batch_of(pa.table({name: values})), 1)
    return keys(profile)


WHOLE = {("1",): 1, ("-2",): 1, (None,): 1}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([1, -2, None], pa.int8()), WHOLE),
        (pa.array([1, -2, None], pa.int64()), WHOLE),
        (pa.array([2**64 - 1, 0], pa.uint64()), {(None,): 1, ("0",): 1}),  # beyond the engine's integers
        (pa.array([1, -2, None]).dictionary_encode(), WHOLE),
        (pa.array([True, False, None, True]), {("true",): 2, ("false",): 1, (None,): 1}),
        (pa.array(["a", "", None]), {("a",): 1, ("",): 1, (None,): 1}),
        (pa.array(["a", None], pa.string_view()), {("a",): 1, (None,): 1}),
        (pa.array([b"a", b"\xff", b"\\xff"]), {("a",): 1, ("\\xff",): 2}),  # as Python is told of it
        (pa.array([b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xc0\xaf", b"\xe2\x82"], pa.binary()),
         {("\\xed\\xa0\\x80",): 1, ("\N{GRINNING FACE}",): 1, ("\\xc0\\xaf",): 1, ("\\xe2\\x82",): 1}),
        (pa.array(["x" * 256, "x" * 257, "é" * 128, "é" * 129]), {("x" * 256,): 1, ("é" * 128,): 1, None: 2}),
        (pa.array([b"\xff" * 64, b"\xff" * 65]), {("\\xff" * 64,): 1, None: 1}),
        (pa.array(["a\0b", "a"]), {("a\0b",): 1, ("a",): 1}),
        (pa.array([1.0, 2.0]), {(None,): 2}),
        (pa.array([1.0, 2.0]).dictionary_encode(), {(None,): 2}),
        (pa.array([Decimal(1)]), {(None,): 1}),
        (pa.array([datetime.datetime(2024, 1, 1)]), {(None,): 1}),
        (pa.array([[1.0, 2.0]], pa.list_(pa.float64(), 2)), {(None,): 1}),
        (pa.array([{"a": 1}]), {(None,): 1}),
        (pa.nulls(3), {(None,): 3}),
        (pa.RunEndEncodedArray.from_arrays([2, 5], ["a", None]), {("a",): 2, (None,): 3}),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), pa.array(["a", "a", None])),
         {("a",): 2, (None,): 2}),
        (pa.DictionaryArray.from_arrays(pa.nulls(2, pa.int8()), pa.array([], pa.string())), {(None,): 2}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["new", "id"])  # not among the specs; counted only
def test_values_of_columns_that_nobody_profiles(name, values, expected):
    assert keys_for(name, values) == expected


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("country", pa.array(["SE", None]), {("SE",): 1, (None,): 1}),
        ("country", pa.array([7, None]), {("7",): 1, (None,): 1}),  # as a category column reads it
        ("country", pa.array([True]), {("true",): 1}),
        ("country", pa.array([7.0, 7.5]), {("7",): 1, (None,): 1}),
        ("store", pa.array([7.0, 7.5, math.nan, None]), {("7",): 1, (None,): 3}),
        ("store", pa.array(["7"]), {(None,): 1}),  # mistyped
        ("flag", pa.array([True, None]), {("true",): 1, (None,): 1}),
        ("flag", pa.array([1, 0]), {(None,): 2}),
    ],
)
def test_a_profiled_columns_values_are_those_it_counts_as_present(name, values, expected):
    found = keys_for(name, values)
    assert found == expected
    (batch,) = arrow.batches({name: values})
    profile = tg.profile(batch, REFERENCE)
    assert profile[name].n_present == sum(n for key, n in found.items() if key != (None,))


def test_a_column_that_is_not_there_has_no_value():
    profile = segmented([["country"], ["nowhere", "store"]])
    profile.update(batch_of({"store": [1, 2, 1]}), 1)
    assert keys(profile) == {(None,): 3}
    profile.update(batch_of({"store": [1]}), 1)
    assert keys(profile, 1) == {(None, "1"): 3}


# ---- the cap, and reserved segments


def test_a_million_values_leave_memory_bounded_and_counts_exact():
    profile = segmented([["word"]], 100)
    for begin in range(0, 1_000_000, 50_000):
        profile.update(batch_of({"word": [f"v{i}" for i in range(begin, begin + 50_000)]}), 1)
        if begin == 0:
            before = profile.memory_bytes
    assert profile.n_segments == 100
    assert profile.n_other_rows == [1_000_000 - 100]
    assert profile.memory_bytes <= before + 50_000  # other rows' cells have become wider
    assert profile.memory_bytes < 101 * _core.light_profile_bytes(SPECS) + 2_000_000
    found = keys(profile)
    assert found[("v99",)] == 1
    assert ("v100",) not in found
    profile.update(batch_of({"word": ["v0", "v100", "v999999"]}), 1)
    assert keys(profile) == {("v0",): 1 + 1, None: 1_000_000 - 100 + 2}


def test_huge_values_take_no_memory():
    profile = segmented([["new"]], 10)
    for _ in range(3):
        profile.update(batch_of({"new": ["x" * 5_000_000, "y"]}), 1)
    assert keys(profile) == {None: 3, ("y",): 3}
    assert profile.memory_bytes < 1_000_000


def test_reserved_segments_are_admitted_and_take_their_place():
    reserved = [[("late",), (None,)], []]
    profile, oracle = (
        segmented([["word"], ["flag"]], 4, reserved=reserved),
        Oracle([["word"], ["flag"]], 4, reserved),
    )
    assert profile.n_segments == 0
    assert profile.segment(0, ("late",)) is None
    for words, flags in ((["a", "b", "c"], [True, True, False]), (["late", None, "a"], [False, True, True])):
        batch = batch_of({"word": words, "flag": flags})
        profile.update(batch, 1)
        oracle.update(batch)
    assert parts(profile) == oracle.parts()
    assert profile.n_segments == 4  # a, true, late, none: b, c and false came too late
    assert profile.n_other_rows == [2, 2]


def test_without_room_all_rows_are_other_rows():
    profile = segmented([["country"]], 0)
    profile.update(batch_of(frame()), 1)
    assert profile.n_segments == 0
    assert profile.n_other_rows == [N]
    everything = tg.profile(frame(), REFERENCE, accumulators="light")
    other = profile.segment(0, None)
    assert other is not None
    assert other.to_bytes(with_edges=False) == everything.to_bytes()


def test_unexpected_columns_are_told_of_each_segment():
    data = {"new": [1, 1, 2], "x": [1.0, 2.0, 3.0], "store": [1, 2, 2]}
    profile, oracle = segmented([["new"], ["store"]]), Oracle([["new"], ["store"]], 1_000)
    for names in (data, {f"column {i}": [1, 2] for i in range(1_100)} | {"store": [2, 3]}):
        batch = batch_of(names)
        profile.update(batch, 1)
        oracle.update(batch)
    assert parts(profile) == oracle.parts()
    assert tg.Profile(profile.segment(0, ("1",))).unexpected == {"new": 2}


# ---- no rows, refusals, the end


def test_no_rows_change_no_segment():
    profile = segmented()
    assert profile.take_changed() == []
    profile.update(batch_of(frame()).slice(0, 0), 1)
    assert parts(profile) == {(-1, None): (0, tg.Profile.empty(REFERENCE).to_bytes())}
    assert profile.n_segments == 0
    assert profile.n_other_rows == [0] * 4


@pytest.mark.parametrize(
    ("what", "more", "message"),
    [
        ([["x"]], {}, "'x' holds floats"),
        ([["small"]], {}, "'small' holds floats"),
        ([["when"]], {}, "'when' holds times"),
        ([["country", "vector"]], {}, "'vector' holds embeddings.*bands or classes"),
        ([[]], {}, "without a column; name one"),
        ([["store", "store"]], {}, r"\['store', 'store'\] names a column twice"),
        ([["store", "flag"], ["flag", "store"]], {}, r"\['flag', 'store'\] is given twice"),
        ([["store"]], {"reserved": [[], []]}, "for 2 dimensions, but there are 1"),
        ([["store"]], {"reserved": [[("1", "2")]]}, "2 values for a dimension of 1 columns"),
        ([["store"]], {"reserved": [[(str(i),) for i in range(6)]]}, "more are reserved than the 5"),
        ([["store"]], {"reserved": [[("x" * 257,)]]}, "'store' has 257 bytes; .* at most 256"),
        ([["store"]], {"max_segments": 2**30}, "1073741824 of them are asked for; the limit is 1048576"),
    ],
)
def test_what_cannot_be_segments_is_refused(what, more, message):
    with pytest.raises(SchemaError, match=message):
        segmented(what, **({"max_segments": 5} | more))


def test_a_refused_batch_changes_nothing_anywhere():
    profile = segmented([["country"], ["new"]], 50)
    profile.update(batch_of(frame()), 1)
    before, memory = parts(profile), profile.memory_bytes
    twice = _core.combine([("x", batch_of({"x": [1.0]})), ("x", batch_of({"x": [2.0]}))])
    broken = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 9, 1], np.int32)), pa.py_buffer(b"abcdefghi")]
    )
    of_codes = pa.DictionaryArray.from_arrays(pa.array([0, 7]), pa.array(["a", "b"]), safe=False)
    for bad, error in (
        (twice, SchemaError),
        (batch_of({"country": broken}), ArrowError),
        (batch_of({"country": ["SE", "fresh"], "new": broken}), ArrowError),  # known to the segments alone
        (batch_of({"country": ["SE", "fresh"], "new": of_codes}), ArrowError),
    ):
        with pytest.raises(error):
            profile.update(bad, 1)
    assert profile.take_changed() == []
    assert profile.memory_bytes == memory
    assert (profile.n_rows, profile.n_other_rows) == (N, [0, 0])
    for (d, key), (_, data) in before.items():
        copy = profile.total() if d < 0 else profile.segment(d, key)
        assert copy is not None
        assert copy.to_bytes(with_edges=False) == data


def test_segments_that_are_not_there():
    profile = segmented([["country", "store"]])
    profile.update(batch_of({"country": ["SE"], "store": [1]}), 1)
    assert profile.segment(0, ("SE", "2")) is None
    assert profile.segment(0, ("SE", None)) is None
    assert profile.segment(0, None) is None
    assert profile.segment(0, ("x" * 300, "1")) is None
    with pytest.raises(SchemaError, match="dimension 1 of 1"):
        profile.segment(1, None)
    with pytest.raises(SchemaError, match="1 values for a dimension of 2 columns"):
        profile.segment(0, ("SE",))
    with pytest.raises(TypeError):
        profile.segment(-1, None)


def test_a_sealed_profile_takes_no_rows_and_keeps_what_it_has():
    profile = segmented()
    profile.update(batch_of(frame()), 1)
    profile.seal()
    profile.seal()
    assert profile.update(batch_of(frame()), 1) is False
    assert profile.update(_core.combine([("x", batch_of({"x": [1]}))] * 2), 1) is False
    assert profile.n_rows == N
    assert len(profile.take_changed()) > 20


def test_detached_specs_are_refused_before_a_row():
    loaded, _ = _core.Profile.from_bytes(REFERENCE.profile.to_bytes())
    profile = _core.SegmentedProfile(
        [column.spec for column in loaded.columns], None, dimensions=[["store"]], max_segments=3
    )
    with pytest.raises(SchemaError, match="edges are not at hand"):
        profile.update(batch_of(frame()), 1)
    assert profile.n_rows == 0
    assert profile.take_changed() == []


def test_any_schema_without_frozen_columns():
    """Columns without edges have no cells; segments are profiles of them all the same."""
    batch = batch_of(frame())
    specs = _core.default_specs(batch, 0)
    profile = _core.SegmentedProfile(specs, None, dimensions=[["country"]], max_segments=3)
    profile.update(batch, 1)
    numbers: dict[Key, list[int]] = {}
    for row, key in enumerate(keys_of(batch, ["country"])):
        numbers.setdefault(key, []).append(row)
    for _, key, n_rows, data in profile.take_changed()[1:]:
        if key is None:
            continue
        slow = _core.Profile(specs)
        slow.update(batch.take(np.array(numbers[key], np.int64)), 1)
        assert (n_rows, data) == (len(numbers[key]), slow.to_bytes(with_edges=False))


def test_segments_and_other_rows_add_up_to_the_total():
    profile = segmented(max_segments=11)
    for seed in range(4):
        profile.update(batch_of(frame(seed=seed)), 1)
    assert min(profile.n_other_rows) > 0
    assert_adds_up(profile, DIMENSIONS)


def test_cells_grow_wider_with_the_rows():
    """More rows than 16 bits count, in one cell and in several batches."""
    profile, light = segmented([["store"]]), tg.Profile.empty(REFERENCE, accumulators="light")
    batch = batch_of({"x": np.full(50_000, 0.25), "store": np.full(50_000, 3), "word": ["w1"] * 50_000})
    for _ in range(3):
        profile.update(batch, 1)
        light.update(batch)
    copy = profile.segment(0, ("3",))
    assert copy is not None
    assert copy.to_bytes(with_edges=False) == light.to_bytes()
    assert tg.Profile(copy)["x"].counts.max() == 150_000


def test_cells_grow_wider_with_merges():
    """Counts beyond 16 and 32 bits, in any column that has cells; and rows go on being added."""
    batch = batch_of({"x": np.full(500, 0.25), "count": np.full(500, 2), "word": ["w1"] * 500})
    profile = tg.profile(batch, REFERENCE, accumulators="light")
    for _ in range(24):
        profile.merge(profile)
    profile.update(batch)
    assert profile.n_rows == 500 * 2**24 + 500 > 2**32
    for name in ("x", "count", "word"):
        assert profile[name].counts.sum() == profile[name].counts.max() == profile.n_rows
    loaded = tg.Profile.from_bytes(profile.to_bytes(), REFERENCE)
    assert loaded == profile
    loaded.merge(tg.profile(batch, REFERENCE, accumulators="light"))
    assert loaded["x"].counts.max() == profile.n_rows + 500


def test_memory_is_within_what_was_announced():
    """At most light_profile_bytes a segment, and not far from what the process takes."""
    profile = segmented([["id"]], 2_000)
    data = frame(2_000)
    profile.update(batch_of(data), 1)
    n = profile.n_segments
    assert 1_800 < n <= 2_000
    empty = segmented([["id"]], 0).memory_bytes
    assert 0.3 * n * _core.light_profile_bytes(SPECS) < profile.memory_bytes - empty
    assert profile.memory_bytes - empty < n * _core.light_profile_bytes(SPECS) + 500_000
