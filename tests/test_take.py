"""Rows taken from a batch are those rows: whatever the layout, the same bytes as a plain batch of them."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tidegauge as tg
from tidegauge import _core, arrow
from tidegauge.errors import SchemaError

N = 300
RANDOM = np.random.default_rng(5)
MASK = RANDOM.random(N) < 0.2
WORDS = [f"{w} of a text that is longer than a view" if w % 3 else str(w) for w in RANDOM.integers(0, 40, N)]
INTEGERS = RANDOM.integers(-50, 50, N)
ENDS = np.cumsum(RANDOM.integers(1, 9, 100))


def decimals(type_: pa.DataType, mask: np.ndarray | None) -> pa.Array:
    return pa.array([Decimal(int(i)) / 4 for i in INTEGERS], type_, mask=mask)


def coded(values: pa.Array, index: pa.DataType) -> pa.Array:
    """`values` by codes, some codes null and some values null."""
    return pa.DictionaryArray.from_arrays(
        pa.array(RANDOM.integers(0, len(values), N), index, mask=MASK), values
    )


def runs(values: pa.Array, ends: pa.DataType) -> pa.Array:
    return pa.RunEndEncodedArray.from_arrays(pa.array(ENDS).cast(ends), values).slice(7, N)


def floats(width: int, null_items: bool) -> pa.Array:
    items = pa.array(
        RANDOM.normal(size=N * width).astype(np.float32), mask=RANDOM.random(N * width) < 0.05 * null_items
    )
    return pa.FixedSizeListArray.from_arrays(items, width, mask=pa.array(MASK))


SOME = pa.array([1.5, None, -2.0, 7.25] * 25)
FEW = pa.array(["a", None, "a text that is longer than a view", "é"] * 25)
LAYOUTS = {
    "int8": pa.array(INTEGERS, pa.int8(), mask=MASK),
    "uint16": pa.array(np.abs(INTEGERS), pa.uint16()),
    "int64": pa.array(INTEGERS, pa.int64(), mask=MASK),
    "half": pa.array(INTEGERS.astype(np.float16), mask=MASK),
    "float": pa.array(INTEGERS.astype(np.float32)),
    "double": pa.array(RANDOM.normal(size=N), mask=MASK),
    "decimal32": decimals(pa.decimal32(9, 3), MASK),
    "decimal128": decimals(pa.decimal128(30, 3), MASK),
    "decimal256": decimals(pa.decimal256(50, 3), None),
    "boolean": pa.array(INTEGERS > 3, mask=MASK),
    "date": pa.array(INTEGERS.astype("M8[D]"), mask=MASK),
    "timestamp": pa.array(INTEGERS.astype("M8[us]"), mask=MASK),
    "duration": pa.array(INTEGERS.astype("m8[ms]")),
    "text": pa.array(WORDS, mask=MASK),
    "large text": pa.array(WORDS, pa.large_string()),
    "text view": pa.array(WORDS, pa.string_view(), mask=MASK),
    "binary": pa.array([w.encode() for w in WORDS], pa.binary(), mask=MASK),
    "fixed bytes": pa.array([w[:1].encode() * 5 for w in WORDS], pa.binary(5), mask=MASK),
    "bytes of no width": pa.array([b""] * N, pa.binary(0), mask=MASK),
    "embedding": floats(3, null_items=False),
    "embedding with null items": floats(4, null_items=True),
    "codes of texts": coded(FEW, pa.int8()),
    "codes of views": coded(FEW.cast(pa.string_view()), pa.uint32()),
    "codes of numbers": coded(SOME, pa.int64()),
    "codes of nothing": pa.DictionaryArray.from_arrays(pa.nulls(N, pa.int8()), pa.array([], pa.string())),
    "runs of texts": runs(FEW, pa.int32()),
    "runs of numbers": runs(SOME, pa.int16()),
    "runs of booleans": runs(pa.array([True, None, False, True] * 25), pa.int64()),
    "runs of codes": runs(
        pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2] * 25, pa.int8()), FEW[:3]), pa.int32()
    ),
    "null": pa.nulls(N),
    "list": pa.array([[1]] * N, mask=MASK),
    "struct": pa.array([{"a": 1}] * N),
}  # fmt: skip


def batch_of(data: object) -> _core.Batch:
    (batch,) = arrow.batches(data)
    return batch


def sliced_table(offset: int) -> pa.StructArray:
    """All layouts as one struct with nulls of its own, sliced."""
    mask = pa.array(RANDOM.random(N) < 0.1)
    return pa.StructArray.from_arrays(list(LAYOUTS.values()), list(LAYOUTS), mask=mask).slice(offset)


def values(batch: _core.Batch) -> list[list[object]]:
    return [batch.to_pylist(i) for i in range(len(batch.fields))]


def assert_taken(batch: _core.Batch, rows: list[int]) -> None:
    """The values of the rows; and in profiles, the bytes of the rows handed over one by one."""
    taken = batch.take(np.array(rows, np.int64))
    assert taken.n_rows == len(rows)
    assert repr(values(taken)) == repr([[column[row] for row in rows] for column in values(batch)])
    one_by_one, at_once = tg.Profile.empty(), tg.Profile.empty()
    for row in rows:
        one_by_one.update(batch.slice(row, 1))
    at_once.update(taken)
    if rows:
        assert at_once.to_bytes() == one_by_one.to_bytes()


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("offset", [0, 1, 63])
def test_rows_of_every_layout(name, offset):
    batch = batch_of({name: LAYOUTS[name].slice(offset)})
    n = batch.n_rows
    for rows in ([], [n - 1], list(range(n)), RANDOM.permutation(n), RANDOM.integers(0, n, 2 * n)):
        assert_taken(batch, [int(row) for row in rows])


@pytest.mark.parametrize("offset", [0, 1, 9, 64])
def test_rows_of_a_sliced_struct_with_nulls_of_its_own(offset):
    batch = batch_of(sliced_table(offset))
    assert_taken(batch, [int(row) for row in RANDOM.permutation(batch.n_rows)])
    assert_taken(batch.slice(5, 70), [int(row) for row in RANDOM.permutation(70)])


@settings(max_examples=60)
@given(st.lists(st.integers(0, N - 1), max_size=200), st.lists(st.integers(0, 199), max_size=50))
def test_taking_from_what_was_taken_is_taking_once(first, second):
    batch = batch_of(sliced_table(0))
    rows = np.array(first, np.int64)
    again = np.array([i for i in second if i < len(first)], np.int64)
    assert repr(values(batch.take(rows).take(again))) == repr(values(batch.take(rows[again])))


def test_what_is_no_row_is_refused():
    batch = batch_of({"x": [1, 2, 3]})
    for row in (-1, 3, 2**63 - 1, -(2**63)):
        with pytest.raises(SchemaError, match=f"row {row} of a batch of 3 rows; rows count from 0"):
            batch.take(np.array([0, row], np.int64))


def test_taken_rows_outlive_their_batch_and_let_it_go():
    held = np.arange(1_000.0)
    batch = batch_of({"x": held})
    gone = weakref.ref(held)
    taken = batch.take(np.array([999, 0]))
    del batch, held
    gc.collect()
    assert gone() is None, "plain columns share nothing"
    assert taken.to_pylist(0) == [999.0, 0.0]
    codes = batch_of({"s": LAYOUTS["codes of views"]}).take(np.arange(N))
    gc.collect()
    assert codes.to_pylist(0) == LAYOUTS["codes of views"].to_pylist()


def test_threads_take_at_once_and_python_goes_on():
    batch = batch_of({"x": RANDOM.normal(size=2_000_000), "s": ["a", "b"] * 1_000_000})
    rows = RANDOM.permutation(2_000_000)
    expected = tg.profile(batch.take(rows)).to_bytes()
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(tg.profile(batch.take(rows)).to_bytes()))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    steps = 0
    while any(thread.is_alive() for thread in threads):
        steps += 1
        os.sched_yield()
    for thread in threads:
        thread.join()
    assert found == [expected] * 3
    assert steps > 10
