"""What the Arrow importer reads is what PyArrow says is there: every type, slice, offset and null.

Long because each physical type and each producer has its own oracle here.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import math
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

contract = pytest.importorskip("tidegauge._contract")

NUMBERS = [
    pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
    pa.float16(), pa.float32(), pa.float64(),
    pa.decimal32(9, 2), pa.decimal64(18, 4), pa.decimal128(38, 10), pa.decimal256(76, 20),
    pa.decimal128(20, -3),
]  # fmt: skip
TEXTS = [
    pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view(),
    pa.binary(3), pa.binary(0),
]  # fmt: skip
TIMES = [
    pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"),
    pa.timestamp("s"), pa.timestamp("ms", "UTC"), pa.timestamp("us", "Europe/Berlin"), pa.timestamp("ns"),
    pa.duration("s"), pa.duration("ms"), pa.duration("us"), pa.duration("ns"),
]  # fmt: skip
SCALARS = [*NUMBERS, *TEXTS, *TIMES, pa.bool_()]
INDEX_TYPES = [
    pa.int8(),
    pa.int16(),
    pa.int32(),
    pa.int64(),
    pa.uint8(),
    pa.uint16(),
    pa.uint32(),
    pa.uint64(),
]
RUN_END_TYPES = [pa.int16(), pa.int32(), pa.int64()]
NANOSECONDS = {"day": 86_400 * 10**9, "second": 10**9, "milli": 10**6, "micro": 10**3, "nano": 1}


def read_one(data, **options):
    """The single column of the single batch of `data`."""
    ((column,),) = contract.arrow_read(data, **options)
    return column


def is_exact(value, as_integer):
    """Whether the state type holds an int, float or Decimal; decimals are rounded to doubles, so always."""
    if as_integer:
        if isinstance(value, float) and not math.isfinite(value):
            return False
        exact = fractions.Fraction(value)
        return exact.denominator == 1 and -(2**63) <= exact < 2**63
    return not isinstance(value, int) or int(float(value)) == value


def expected_value(value, type_, as_integer):
    if value is None:
        return None
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or type_ == pa.string_view():
        return value.encode()
    if type_ in NUMBERS:
        if not is_exact(value, as_integer):
            return "mistyped"
        return int(value) if as_integer else float(value)
    return value


def storage(array):
    """An array of times as the integers it is made of."""
    width = array.type.bit_width
    return array.view(pa.int32() if width == 32 else pa.int64())


def expected(array, as_integer):
    if array.type in TIMES:
        return expected(storage(array), as_integer)
    return [expected_value(value, array.type, as_integer) for value in array.to_pylist()]


def same(left, right):
    if isinstance(left, float) and isinstance(right, float):
        return struct.pack("d", left) == struct.pack("d", right) or (left != left and right != right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


def assert_reads(array, plain, *, tile=64, as_integer=False):
    """`array` reads as the plain array of the same values does in Python."""
    column = read_one(array, tile=tile, as_integer=as_integer)
    wanted = expected(plain, as_integer)
    wrong = [
        (i, a, b) for i, (a, b) in enumerate(zip(column["values"], wanted, strict=True)) if not same(a, b)
    ]
    assert wrong == []
    if pa.types.is_boolean(plain.type) or plain.type in TEXTS:
        assert column["n_mistyped"] == 0
    else:
        assert column["n_mistyped"] == wanted.count("mistyped")


def values_of(type_):
    """Values of a type that Python and Arrow both hold, the awkward ones included."""
    if pa.types.is_integer(type_):
        bits, signed = type_.bit_width, pa.types.is_signed_integer(type_)
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        edges = [
            v for v in (0, 1, -1, 2**53, 2**53 + 1, -(2**53), -(2**53) - 1, 2**51, 2**63) if low <= v <= high
        ]
        return st.one_of(st.integers(low, high), st.sampled_from([*edges, low, high]))
    if pa.types.is_floating(type_):
        width = type_.bit_width
        whole = st.integers(-2048, 2048).map(float)
        edges = st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 0.5])
        far = (
            st.sampled_from([2.0**51, -(2.0**51), 2.0**52 + 1, 2.0**63, -(2.0**63), 2.0**62])
            if width == 64
            else whole
        )
        return st.one_of(st.floats(width=width), whole, edges, far)
    if pa.types.is_decimal(type_):
        limit = 10**type_.precision - 1
        small = st.integers(-10_000, 10_000)
        digits = st.one_of(
            small, st.integers(-limit, limit), small.map(lambda n: n * 10 ** max(type_.scale, 0) % limit)
        )
        context = decimal.Context(prec=100)
        return digits.map(lambda n: decimal.Decimal(n).scaleb(-type_.scale, context))
    if type_ in TIMES:
        if pa.types.is_time(type_):
            return st.integers(0, 86_399)
        if type_ == pa.date64():
            return st.integers(-10_000, 10_000).map(lambda day: day * 86_400_000)
        return st.integers(-(2**31), 2**31 - 1)
    if type_ in (pa.string(), pa.large_string(), pa.string_view()):
        return st.text(st.characters(codec="utf-8"), max_size=20)
    if pa.types.is_fixed_size_binary(type_):
        return st.binary(min_size=type_.byte_width, max_size=type_.byte_width)
    if pa.types.is_boolean(type_):
        return st.booleans()
    return st.binary(max_size=20)


@st.composite
def arrays(draw, types=SCALARS, max_size=200):
    """(plain array, the same rows as exported: sliced from an array with more rows around them)."""
    type_ = draw(st.sampled_from(types))
    null_share = draw(st.sampled_from([0.0, 0.3, 1.0]))
    seen = draw(st.lists(values_of(type_), min_size=1, max_size=12))
    n = draw(st.integers(0, max_size))
    offset = draw(st.sampled_from([0, 1, 7, 8, 63, 64, 65]))
    random = draw(st.randoms(use_true_random=False))
    rows = [None if random.random() < null_share else random.choice(seen) for _ in range(offset + n + 3)]
    if type_ == pa.float16():
        rows = [None if row is None else np.float16(row) for row in rows]
    if type_ in TIMES:
        integers = pa.int32() if type_.bit_width == 32 else pa.int64()
        whole = pa.array(rows, integers).view(type_)
    else:
        whole = pa.array(rows, type_)
    return whole.slice(offset, n), whole


@settings(max_examples=400, deadline=None)
@given(arrays(), st.sampled_from([64, 128, 1000, 4096]), st.booleans())
def test_every_type_reads_as_pyarrow_does(pair, tile, as_integer):
    array, _ = pair
    assert_reads(array, array, tile=tile, as_integer=as_integer)


@settings(max_examples=200, deadline=None)
@given(arrays(max_size=100), st.sampled_from(INDEX_TYPES), st.booleans(), st.data())
def test_dictionaries_of_every_index_type(pair, index_type, as_integer, data):
    values, _ = pair
    n = data.draw(st.integers(0, 150))
    offset = data.draw(st.sampled_from([0, 1, 8, 63]))
    code = st.none() if len(values) == 0 else st.one_of(st.none(), st.integers(0, len(values) - 1))
    codes = pa.array(data.draw(st.lists(code, min_size=n + offset, max_size=n + offset)), index_type)[offset:]
    array = pa.DictionaryArray.from_arrays(codes, values)
    column = read_one(array, tile=64, as_integer=as_integer)
    decoded = expected(values, as_integer)
    wanted = [None if c is None else decoded[c] for c in codes.to_pylist()]
    assert all(same(a, b) for a, b in zip(column["values"], wanted, strict=True))
    assert column["codes"] == [c or 0 for c in codes.to_pylist()]
    assert column["n_mistyped"] == wanted.count("mistyped")


@settings(max_examples=200, deadline=None)
@given(arrays(max_size=40), st.sampled_from(RUN_END_TYPES), st.booleans(), st.data())
def test_runs_of_every_run_end_type(pair, end_type, dictionary, data):
    values, _ = pair
    lengths = data.draw(st.lists(st.integers(1, 90), min_size=len(values), max_size=len(values)))
    ends = pa.array(np.cumsum(lengths, dtype=np.int64), pa.int64()).cast(end_type)
    n_rows = sum(lengths)
    begin = data.draw(st.integers(0, n_rows))
    n = data.draw(st.integers(0, n_rows - begin))
    run_values = values
    if dictionary:
        run_values = pa.DictionaryArray.from_arrays(pa.array(range(len(values))[::-1], pa.int16()), values)
    array = pa.RunEndEncodedArray.from_arrays(ends, run_values).slice(begin, n)
    column = read_one(array, tile=64)
    decoded = expected(values, as_integer=False)[:: -1 if dictionary else 1]
    wanted = [value for value, length in zip(decoded, lengths, strict=True) for _ in range(length)]
    assert all(same(a, b) for a, b in zip(column["values"], wanted[begin : begin + n], strict=True))
    assert column["kind"] != "unsupported"


def test_columns_share_the_nulls_and_the_offset_of_a_sliced_table():
    n = 300
    children = [pa.array(range(n)), pa.array([None if i % 5 == 0 else str(i) for i in range(n)])]
    mask = pa.array([i % 3 == 0 for i in range(n)])
    table = pa.StructArray.from_arrays(children, ["a", "b"], mask=mask).slice(63, 130)
    ((a, b),) = contract.arrow_read(table, tile=64)
    rows = [row or {"a": None, "b": None} for row in table.to_pylist()]
    assert a["values"] == [None if row["a"] is None else float(row["a"]) for row in rows]
    assert b["values"] == [None if row["b"] is None else row["b"].encode() for row in rows]


@settings(max_examples=100, deadline=None)
@given(arrays(), st.data())
def test_slices_of_a_batch_are_rows_of_it(pair, data):
    array, _ = pair
    begin = data.draw(st.integers(0, len(array)))
    n = data.draw(st.integers(0, len(array) - begin))
    part = read_one(array, begin=begin, n=n)
    whole = read_one(array)
    assert all(same(a, b) for a, b in zip(part["values"], whole["values"][begin : begin + n], strict=True))


@settings(max_examples=100, deadline=None)
@given(arrays(types=[pa.float16(), pa.float32(), pa.float64()]), st.integers(0, 5))
def test_embeddings(pair, width):
    items, _ = pair
    n = len(items) // width if width else 3
    array = (
        pa.FixedSizeListArray.from_arrays(items[: n * width], width)
        if width
        else pa.array([[]] * 3, pa.list_(items.type, 0))
    )
    array = array.slice(min(1, n))
    column = read_one(array)
    assert column["kind"] == "embedding"
    wanted = [[math.nan if v is None else float(v) for v in row] for row in array.to_pylist()]
    assert same(column["values"], wanted)


def test_times_change_unit_exactly_or_are_mistyped():
    units = {"s": "second", "ms": "milli", "us": "micro", "ns": "nano"}
    ticks = [
        0,
        1,
        -1,
        999,
        1000,
        -1000,
        10**6,
        -(10**9),
        86_400,
        86_400_000,
        10**15,
        2**62,
        -(2**63) + 1,
        None,
    ]
    for short, unit in units.items():
        array = pa.array(ticks, pa.int64()).view(pa.timestamp(short))
        for target in [*units.values(), "day"]:
            column = read_one(array, unit=target, as_integer=True)
            wanted = []
            for tick in ticks:
                exact = (
                    None
                    if tick is None
                    else fractions.Fraction(tick * NANOSECONDS[unit], NANOSECONDS[target])
                )
                fits = exact is not None and exact.denominator == 1 and -(2**63) <= exact < 2**63
                wanted.append(None if exact is None else int(exact) if fits else "mistyped")
            assert column["values"] == wanted
            assert column["unit"] == unit
            assert column["n_mistyped"] == wanted.count("mistyped")


def test_times_as_doubles_are_exact_or_mistyped():
    column = read_one(pa.array([2**53, 2**53 + 1, 3, None], pa.int64()).view(pa.timestamp("us")), unit="nano")
    assert column["values"] == [float(2**53 * 1000), "mistyped", 3000.0, None]
    column = read_one(
        pa.array([2**53, 2**53 + 1, 3, None], pa.int64()).view(pa.timestamp("us")), unit="micro"
    )
    assert column["values"] == [2.0**53, "mistyped", 3.0, None]


def test_every_half_float():
    bits = np.arange(65_536, dtype=np.uint16)
    array = pa.array(bits.view(np.float16))
    column = read_one(array, tile=4096)
    np.testing.assert_array_equal(np.array(column["values"]), bits.view(np.float16).astype(np.float64))
    signs = np.signbit(np.array(column["values"]))
    finite = ~np.isnan(bits.view(np.float16))
    np.testing.assert_array_equal(signs[finite], (bits >= 0x8000)[finite])


DECIMALS = {4: pa.decimal32, 8: pa.decimal64, 16: pa.decimal128, 32: pa.decimal256}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(DECIMALS)), st.integers(-40, 80), st.data())
def test_decimals_are_rounded_once(width, scale, data):
    limit = 1 << (8 * width - 1)
    near = st.integers(-200, 200)
    power = st.builds(lambda shift, n: (1 << shift) + n, st.integers(0, 8 * width - 9), near)
    digits = data.draw(
        st.lists(
            st.one_of(st.integers(-limit, limit - 1), near.filter(lambda n: -128 <= n < 128), power),
            min_size=1,
            max_size=5,
        )
    )
    digits = [max(-limit, min(limit - 1, n)) for n in digits]
    buffer = pa.py_buffer(b"".join(n.to_bytes(width, "little", signed=True) for n in digits))
    array = pa.Array.from_buffers(DECIMALS[width](width, scale), len(digits), [None, buffer])
    exact = [fractions.Fraction(n) / fractions.Fraction(10) ** scale for n in digits]
    assert read_one(array)["values"] == [float(value) for value in exact]
    whole = read_one(array, as_integer=True)["values"]
    fits = [value.denominator == 1 and -(2**63) <= value < 2**63 for value in exact]
    assert whole == [int(v) if fit else "mistyped" for v, fit in zip(exact, fits, strict=True)]


def test_decimals_too_large_for_a_double_are_mistyped():
    array = pa.Array.from_buffers(pa.decimal128(5, -400), 2, [None, pa.py_buffer(bytes([7] + [0] * 31))])
    assert read_one(array)["values"] == ["mistyped", 0.0]
    array = pa.Array.from_buffers(pa.decimal128(5, 400), 1, [None, pa.py_buffer(bytes([7] + [0] * 15))])
    assert read_one(array)["values"] == [0.0]


@pytest.mark.parametrize(
    "type_", [t for t in SCALARS if t.id not in (pa.bool_().id, pa.binary(0).id)], ids=str
)
def test_buffers_need_no_alignment(type_):
    if type_ in TEXTS:
        rows = [b"a", None, b"a text of more than twelve bytes", b""] * 40
    else:
        rows = [1000, None, 0, 2000] * 40 if pa.types.is_decimal(type_) else [1, None, 0, 2] * 40
    if type_ in TIMES:
        aligned = pa.array(rows, pa.int32() if type_.bit_width == 32 else pa.int64()).view(type_)
    else:
        aligned = pa.array(rows, type_)
    moved = [buffer and pa.py_buffer(b"x" + buffer.to_pybytes()).slice(1) for buffer in aligned.buffers()]
    array = pa.Array.from_buffers(type_, len(rows) - 7, moved, offset=7)
    assert_reads(array, aligned[7:])


UNSUPPORTED = [
    pa.array([None, None], pa.null()),
    pa.array([[1], [2, 3]]),
    pa.array([[1], [2, 3]], pa.large_list(pa.int8())),
    pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2)),
    pa.array([["a"], ["b"]], pa.list_(pa.string(), 1)),
    pa.array([{"a": 1}, {"a": 2}]),
    pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
    pa.array([[1], [2, 3]], pa.list_view(pa.int64())),
    pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]),
    pa.UnionArray.from_dense(
        pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array([1]), pa.array(["b"])]
    ),
    pa.array([pa.MonthDayNano([1, 2, 3]), None], pa.month_day_nano_interval()),
    pa.DictionaryArray.from_arrays(pa.array([0, 0]), pa.array([[1, 2]])),
    pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array([[1, 2]])),
    pa.DictionaryArray.from_arrays(pa.array([0, 0]), pa.nulls(1)),
]


@pytest.mark.parametrize("array", UNSUPPORTED, ids=lambda array: str(array.type))
def test_a_column_that_cannot_be_read_leaves_the_others(array):
    table = pa.record_batch({"odd": array, "x": pa.array([1, 2])})
    ((odd, x),) = contract.arrow_read(table)
    assert (odd["kind"], odd["values"]) == ("unsupported", [None, None])
    assert x["values"] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("type_", "kind"),
    [(t, "number") for t in NUMBERS]
    + [(t, "category") for t in TEXTS]
    + [(t, "time") for t in TIMES]
    + [(pa.bool_(), "boolean"), (pa.list_(pa.float32(), 3), "embedding")],
    ids=str,
)
def test_kinds_and_empty_arrays(type_, kind):
    column = read_one(pa.array([], type_))
    assert (column["kind"], column["values"]) == (kind, [])


def test_extension_name_timezone_and_format_are_kept():
    type_ = pa.timestamp("us", "Europe/Berlin")
    field = pa.field("when", type_, metadata={"ARROW:extension:name": "tide.when", "other": "x" * 1000})
    table = pa.table(
        [pa.array([datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)], type_)], pa.schema([field])
    )
    column = read_one(table)
    assert column["extension"] == b"tide.when"
    assert column["timezone"] == b"Europe/Berlin"
    assert column["format"] == b"tsu:Europe/Berlin"
    assert column["name"] == b"when"


def test_two_columns_of_one_name_are_both_there():
    table = pa.Table.from_arrays([pa.array([1]), pa.array(["a"])], ["x", "x"])
    ((first, second),) = contract.arrow_read(table)
    assert (first["values"], second["values"]) == ([1.0], [b"a"])


def test_metadata_of_the_table_may_be_long():
    table = pa.table({"x": [1]}).replace_schema_metadata({"pandas": "x" * (3 << 20)})
    assert read_one(table)["values"] == [1.0]


def test_chunked_tables_come_batch_by_batch():
    table = pa.concat_tables([pa.table({"x": [1, 2]}), pa.table({"x": [3]})])
    assert [batch[0]["values"] for batch in contract.arrow_read(table)] == [[1.0, 2.0], [3.0]]


def test_columns_of_equal_length_are_combined():
    first, second = contract.arrow_combine({"a": pa.array([1, 2, 3])[1:], "b": pa.array(["x", None])})
    assert (first["name"], first["values"]) == (b"a", [2.0, 3.0])
    assert (second["name"], second["values"]) == (b"b", [b"x", None])
    with pytest.raises(Exception, match='column "b" has 3 rows, the table has 2'):
        contract.arrow_combine({"a": pa.array([1, 2]), "b": pa.array([1, 2, 3])})
    with pytest.raises(Exception, match="batch of 2 columns"):
        contract.arrow_combine({"a": pa.record_batch({"x": [1], "y": [2]})})


def test_a_slice_past_the_end_is_refused():
    for begin, n in [(0, 3), (3, 0), (1, 2), (2**62, 2**62), (-1, 1)]:
        with pytest.raises(Exception, match="the batch has 2 rows"):
            contract.arrow_read(pa.array([1, 2]), begin=begin, n=n)


def test_a_capsule_is_consumed_once():
    array = pa.array([1, 2])
    pair = array.__arrow_c_array__()

    class Twice:
        def __arrow_c_array__(self):
            return pair

    contract.arrow_read(Twice())
    with pytest.raises(contract.ArrowError, match="already consumed"):
        contract.arrow_read(Twice())


def test_other_producers():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(
        {
            "text": ["a", None, "a text longer than twelve bytes"],
            "category": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
            "enum": pl.Series(["x", "y", None], dtype=pl.Enum(["x", "y"])),
            "null": [None, None, None],
            "wide": pl.Series([1, 2, 3], dtype=pl.Int128),
            "money": pl.Series(["1.25", "-2.50", None]).cast(pl.Decimal(10, 2)),
            "list": [[1], [2], None],
            "vector": pl.Series([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=pl.Array(pl.Float32, 2)),
        }
    )
    columns = {c["name"].decode(): c for c in contract.arrow_read(frame)[0]}
    assert columns["text"]["values"] == [b"a", None, b"a text longer than twelve bytes"]
    assert columns["category"]["values"] == [b"x", b"y", b"x"]
    assert columns["enum"]["values"] == [b"x", b"y", None]
    assert columns["money"]["values"] == [1.25, -2.5, None]
    assert columns["vector"]["values"] == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    kinds = {name: column["kind"] for name, column in columns.items()}
    assert [kinds[name] for name in ("null", "wide", "list")] == ["unsupported"] * 3
    for name in frame.columns:
        ((alone,),) = contract.arrow_read(frame[name])
        assert same(alone["values"], columns[name]["values"])


def test_duckdb_batches():
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.sql(
        "select i, i::varchar as t, case when i % 3 = 0 then null else i / 2 end as f from range(3000) r(i)"
    )
    batches = contract.arrow_read(relation)
    rows = [[value for batch in batches for value in batch[c]["values"]] for c in range(3)]
    assert rows[0] == [float(i) for i in range(3000)]
    assert rows[1] == [str(i).encode() for i in range(3000)]
    assert rows[2] == [None if i % 3 == 0 else i / 2 for i in range(3000)]
