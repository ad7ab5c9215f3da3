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
