"""What goes in: real producers of every kind, each with the trap it is known for."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
import warnings
from decimal import Decimal

import duckdb
import nanoarrow as na
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tidegauge import _core
from tidegauge.arrow import batches
from tidegauge.errors import ArrowError, InputError, InputWarning


def values(data, **options):
    """Every value by column, as the engine reads it."""
    read = batches(data, **options)
    out = {field.name: [] for field in read.fields}
    for batch in read:
        for i, field in enumerate(batch.fields):
            out[field[0]] += batch.to_pylist(i)
    return out


def kinds(data):
    return {field.name: field.kind for field in batches(data).fields}


def one(array):
    """The values of one column, given as an array."""
    return values({"x": array})["x"]


# ---- NumPy


@pytest.mark.parametrize(
    "dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "f2", "f4", "f8", ">i4", ">f8", "g"]
)
def test_numbers_of_every_width_and_byte_order(dtype):
    assert one(np.array([0, 1, 100], dtype)) == [0, 1, 100]


def test_uint64_beyond_int64_is_announced_as_a_number():
    assert kinds({"x": np.array([2**64 - 1], "u8")}) == {"x": "number"}


def test_nan_stays_a_value_and_is_not_null():
    read = one(np.array([1.0, np.nan, np.inf]))
    assert read[0] == 1.0
    assert np.isnan(read[1])
    assert read[2] == np.inf


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 65])
def test_booleans_across_byte_borders(n):
    truth = [i % 3 == 0 for i in range(n)]
    assert one(np.array(truth, dtype=bool)) == truth


def test_strided_reversed_and_read_only_arrays():
    array = np.arange(10)
    assert one(array[::3]) == [0, 3, 6, 9]
    assert one(array[::-1]) == list(range(9, -1, -1))
    array.flags.writeable = False
    assert one(array) == list(range(10))


def test_contiguous_memory_is_not_copied():
    array = np.arange(4.0)
    read = batches({"x": array})
    array[0] = 42.0
    assert next(iter(read)).to_pylist(0)[0] == 42.0


def test_the_array_lives_as_long_as_a_slice_of_its_batch():
    array = np.arange(5.0)
    before = sys.getrefcount(array)
    batch = next(iter(batches({"x": array})))
    part = batch.slice(2, 2)
    del batch
    assert sys.getrefcount(array) == before + 1
    assert part.to_pylist(0) == [2.0, 3.0]
    del part
    assert sys.getrefcount(array) == before


def test_a_batch_may_be_let_go_on_another_thread():
    array = np.arange(5.0)
    before = sys.getrefcount(array)
    held = [next(iter(batches({"x": array})))]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert sys.getrefcount(array) == before


def test_masked_rows_are_null():
    assert one(np.ma.array([1, 2, 3], mask=[0, 1, 0])) == [1, None, 3]
    assert one(np.ma.array([True, False], mask=[1, 0])) == [None, False]
    assert one(np.ma.array(["a", "b"], mask=[0, 1])) == ["a", None]
    assert one(np.ma.array([None, "a", "b"], mask=[0, 0, 1], dtype=object)) == [None, "a", None]
    assert one(np.ma.array(["NaT", "1970-01-02", "1970-01-03"], mask=[0, 0, 1], dtype="M8[s]")) == [
        None,
        86400,
        None,
    ]
    assert one(np.ma.array([1, 2])) == [1, 2]


@pytest.mark.parametrize(
    ("unit", "per_day"), [("W", None), ("D", 1), ("h", 24), ("s", 86400), ("ms", 86400_000)]
)
def test_times_of_every_unit_and_nat(unit, per_day):
    times = np.array(["1970-01-08", "NaT"], dtype="M8[D]").astype(f"M8[{unit}]")
    scale = 1000 if unit == "ms" else 1
    assert one(times) == [7 * 86400 * scale, None], per_day


def test_a_multiple_of_a_unit_is_read_in_the_unit():
    assert one(np.array([3], dtype="M8[10ms]")) == [30]


def test_durations_months_and_units_too_fine():
    assert one(np.array([5, "NaT"], dtype="m8[us]")) == [5, None]
    assert one(np.array(["1970-02"], dtype="M8[M]")) == [31 * 86400]
    assert kinds({"x": np.array([1], dtype="m8[M]")}) == {"x": "unsupported"}
    assert kinds({"x": np.array([1], dtype="M8[fs]")}) == {"x": "unsupported"}


def test_text_of_fixed_width():
    assert one(np.array(["å", "", "x\0y", "日本🙂"])) == ["å", "", "x\0y", "日本🙂"]
    assert one(np.array([b"a", b"", b"bcd"])) == ["a", "", "bcd"]
    assert one(np.array(["", ""], dtype="U0")) == ["", ""]
    assert one(np.array(["a", "bc"])[::-1]) == ["bc", "a"]


def test_text_of_fixed_width_with_what_is_no_character():
    assert one(np.array([0xD800, 0x110000, 0x41], dtype="<u4").view("<U1")) == ["\ufffd", "\ufffd", "A"]


def test_numpy_string_dtype():
    dtype = np.dtypes.StringDType(na_object=None)
    assert one(np.array(["a", None, "long" * 10], dtype=dtype)) == ["a", None, "long" * 10]


@pytest.mark.parametrize(
    ("objects", "kind", "read"),
    [
        (["a", None, "å"], "category", ["a", None, "å"]),
        (["a", float("nan"), 3, 2.5, True], "category", ["a", None, "3", "2.5", "True"]),
        ([b"a", None], "category", ["a", None]),
        (["a\udc80"], "category", ["a?"]),
        ([1, None, 3], "number", [1, None, 3]),
        ([1, 2.5, None, True], "number", [1.0, 2.5, None, 1.0]),
        ([2**70, None], "number", [2.0**70, None]),
        ([Decimal("1.5"), np.float32(2), np.int8(3)], "number", [1.5, 2.0, 3.0]),
        ([np.int64(1), np.uint8(2)], "number", [1, 2]),
        ([True, None, np.False_], "boolean", [True, None, False]),
        ([True, float("nan")], "boolean", [True, None]),
        ([None, pd.NA, pd.NaT], "unsupported", [None, None, None]),
        (["a", pd.NA], "category", ["a", None]),
        ([object(), 1], "unsupported", [None, None]),
        ([1j], "unsupported", [None]),
        ([], "unsupported", []),
    ],
)
def test_objects(objects, kind, read):
    array = np.fromiter(objects, dtype=object, count=len(objects))
    assert kinds({"x": array}) == kinds({"x": objects}) == {"x": kind}
    assert one(array) == one(objects) == read


def test_nan_among_number_objects_stays_nan():
    read = one([1, float("nan"), None])
    assert (read[0], read[2]) == (1.0, None)
    assert np.isnan(read[1])


def test_lists_of_times_are_times_in_utc():
    noon = dt.datetime(1970, 1, 2, 12, tzinfo=dt.timezone(dt.timedelta(hours=12)))
    assert one([noon, None, dt.datetime(1970, 1, 2)]) == [86400_000_000, None, 86400_000_000]
    assert one([dt.date(1970, 1, 2), None]) == [86400_000_000, None]
    assert one([pd.Timestamp("1970-01-02"), pd.NaT]) == [86400_000_000, None]
    assert one([dt.timedelta(seconds=1), None]) == [1_000_000, None]
    assert one([np.datetime64(5, "ns"), None]) == [5, None]
    assert kinds({"x": [dt.date(1970, 1, 2), "a"]}) == {"x": "unsupported"}


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4", "?"])
def test_rows_of_numbers_are_embeddings(dtype):
    rows = np.array([[0, 1], [1, 0], [1, 1]], dtype=dtype)
    assert kinds({"x": rows}) == {"x": "embedding"}
    assert one(rows) == [[0, 1], [1, 0], [1, 1]]
    assert one(np.asfortranarray(rows)) == [[0, 1], [1, 0], [1, 1]]
    assert one([[0, 1], [1, 0]]) == [[0, 1], [1, 0]]
    assert next(iter(batches({"x": rows}))).slice(1, 2).to_pylist(0) == [[1, 0], [1, 1]]


@pytest.mark.parametrize("rows", [[[1, 2], [3]], [["1"], ["2"]], [[1], None], [[[1]], [[2]]], [{}, {}]])
def test_lists_that_are_no_embedding_are_unsupported(rows):
    assert kinds({"x": rows}) == kinds(pd.DataFrame({"x": rows})) == {"x": "unsupported"}


def test_objects_of_a_pandas_column_are_read_as_a_list_is():
    frame = pd.DataFrame({"d": [dt.date(1970, 1, 2), None], "e": [np.array([1.0, 2.0]), [3, 4]]})
    assert values(frame) == {"d": [86400_000_000, None], "e": [[1, 2], [3, 4]]}


def test_a_stream_within_a_mapping_is_read_once():
    reader = pa.RecordBatchReader.from_batches(TABLE.select(["a"]).schema, TABLE.select(["a"]).to_batches())
    assert not batches({"a": na.ArrayStream(TABLE["a"]), "s": TABLE["s"]}).rereadable
    assert batches({"a": TABLE["a"], "s": ["x", "y", "z"]}).rereadable
    assert not batches(reader).rereadable


def test_structured_arrays_are_tables():
    rows = np.array([(1, 0.5), (2, 1.5)], dtype=[("a", "i4"), ("b", "f8")])
    assert values(rows) == {"a": [1, 2], "b": [0.5, 1.5]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"a": [1, 2], "b": [1]}, "'b' has 1 rows, the first column 2"),
        ({"a": np.zeros((2, 2, 2))}, "'a' has 3 dimensions"),
        ({"a": np.array(1)}, "'a' has 0 dimensions"),
        ({"a": np.zeros((2, 0))}, "rows of 0 numbers"),
        ({"a": np.array([["x"]])}, "an embedding holds plain numbers"),
        ({"a": np.ma.zeros((2, 2))}, "a mask"),
        ({"a": 1}, "'a' is a builtins.int, not an array"),
        ({"a": "text"}, "single row through record"),
        ([{"a": 1}], "single row through record"),
        (np.zeros(3), "cannot read a numpy.ndarray"),
        (3, "accepted are objects with __arrow_c_stream__"),
        ([], "empty list"),
        (iter([]), "yields nothing"),
        (pa.array([1]), "without a name"),
        (pl.Series([1]), "without a name"),
        (pl.LazyFrame({"a": [1]}), r"\.collect\(\)"),
        ({"a": pa.table({"p": [1], "q": [2]})}, "'a' is a table of 2 columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' is there twice"),
        (pa.table([[1], [2]], names=["a", "a"]), "'a' is there twice"),
        ({"a": pl.Series([1, 2]), "b": pl.Series([1])}, "column 'b' ends before column 'a'"),
    ],
)
def test_refusals_say_what_and_why(data, said):
    with pytest.raises(InputError, match=said):
        list(batches(data))


# ---- Arrow producers

TABLE = pa.table(
    {"a": pa.chunked_array([[1, 2], [None]], pa.int64()), "s": pa.chunked_array([["x"], ["y", None]])}
)
ROWS = {"a": [1, 2, None], "s": ["x", "y", None]}


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        TABLE.combine_chunks().to_batches()[0],
        TABLE.to_reader(),
        TABLE.to_batches(),
        (part for part in TABLE.to_batches()),
        {"a": TABLE["a"], "s": TABLE["s"]},
        {"a": TABLE["a"].combine_chunks(), "s": ["x", "y", None]},
        {"a": np.ma.array([1, 2, 0], mask=[0, 0, 1]), "s": TABLE["s"]},
        pl.from_arrow(TABLE),
        [pl.from_arrow(TABLE)[:1], TABLE.slice(1)],
        batches(TABLE),
        list(batches(TABLE)),
        na.ArrayStream(TABLE),
        na.Array(TABLE.combine_chunks().to_batches()[0]),
    ],
    ids=lambda data: type(data).__name__,
)
def test_producers_give_the_same_rows(data):
    assert values(data) == ROWS


def test_duckdb_relation_runs_again():
    relation = duckdb.sql("select * from (values (1, 'x'), (2, 'y'), (null, null)) as t(a, s)")
    read = batches(relation)
    assert values(read) == ROWS
    assert read.rereadable
    assert values(read) == ROWS


def test_duckdb_enum_is_a_category():
    duckdb.sql("create or replace temp table e as select 'a'::enum('a', 'b') as x union all select null")
    assert sorted(values(duckdb.table("e"))["x"], key=str) == [None, "a"]


def test_timezone_and_extension_are_announced():
    table = pa.table(
        {"t": pa.array([0], pa.timestamp("ms", "Etc/UTC")), "u": pa.array([b"0" * 16], pa.uuid())},
    )
    time, uuid = batches(table).fields
    assert (time.kind, time.timezone) == ("time", "Etc/UTC")
    assert (uuid.kind, uuid.extension) == ("category", "arrow.uuid")


@pytest.mark.parametrize(
    "type_", [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary()]
)
def test_every_layout_of_text(type_):
    texts = [b"a", None, b"longer than twelve bytes", b""]
    array = (
        pa.array(texts, pa.binary()).cast(type_)
        if type_ != pa.string_view()
        else pa.array([None if text is None else text.decode() for text in texts], type_)
    )
    assert one(array) == ["a", None, "longer than twelve bytes", ""]
    assert one(array[1:3]) == [None, "longer than twelve bytes"]


@pytest.mark.parametrize("index", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_dictionaries_of_any_index_with_nulls_of_both_sorts(index):
    codes = pa.array([0, 1, None, 2], getattr(pa, index)())
    array = pa.DictionaryArray.from_arrays(codes, pa.array(["a", None, "c"]))
    assert one(array) == ["a", None, None, "c"]
    assert one(array[2:]) == [None, "c"]


def test_a_dictionary_that_changes_between_batches():
    first = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", "b"]))
    second = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["c", "a"]))
    reader = pa.RecordBatchReader.from_batches(
        pa.schema([("x", first.type)]),
        [pa.record_batch([first], names=["x"]), pa.record_batch([second], names=["x"])],
    )
    assert values(reader) == {"x": ["a", "b", "c", "a"]}


def test_run_ends_are_searched_from_the_logical_offset():
    array = pa.RunEndEncodedArray.from_arrays(pa.array([3, 5, 9], pa.int32()), pa.array(["a", None, "c"]))
    assert one(array) == ["a"] * 3 + [None] * 2 + ["c"] * 4
    assert one(array[4:7]) == [None, "c", "c"]


def test_offsets_of_a_sliced_struct_count_at_every_level():
    struct = pa.StructArray.from_arrays(
        [pa.array([9, 1, 2, 3, 4])[1:], pa.array(["p", "q", None, "s"])],
        names=["a", "s"],
        mask=pa.array([False, False, True, False]),
    )
    assert values(struct[1:]) == {"a": [2, None, 4], "s": ["q", None, "s"]}


@pytest.mark.parametrize("offset", [1, 7, 8, 9, 63, 64, 65])
def test_bitmaps_that_start_within_a_byte(offset):
    truth = [None if i % 3 == 0 else i % 2 == 0 for i in range(200)]
    assert one(pa.array(truth)[offset:]) == truth[offset:]


def test_zero_rows_of_every_layout():
    schema = pa.schema(
        [("a", pa.int64()), ("s", pa.string_view()), ("d", pa.dictionary(pa.int8(), pa.string()))]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert values(schema.empty_table()) == {"a": [], "s": [], "d": []}
    assert one(pa.array([], pa.int64())) == []


def test_a_used_up_reader_warns_that_it_has_no_rows():
    reader = TABLE.to_reader()
    assert values(reader) == ROWS
    with pytest.warns(InputWarning, match="no rows"):
        assert values(reader) == {"a": [], "s": []}


def test_what_is_read_once_says_so_the_second_time():
    read = batches(part for part in TABLE.to_batches())
    assert not read.rereadable
    assert values(read) == ROWS
    with pytest.raises(InputError, match="only once"):
        list(read)


@pytest.mark.parametrize(
    "data", [TABLE, pl.from_arrow(TABLE), {"a": [1]}, pd.DataFrame({"a": [1]}), [TABLE, TABLE]]
)
def test_tables_can_be_read_again(data):
    read = batches(data)
    assert read.rereadable
    assert values(read) == values(read)


def test_n_rows_is_known_for_tables_alone():
    assert batches(TABLE).n_rows == 3
    assert batches([TABLE, TABLE]).n_rows == 6
    assert batches(pl.from_arrow(TABLE)).n_rows == 3
    assert batches(TABLE.to_reader()).n_rows is None
    assert batches([TABLE, TABLE.to_reader()]).n_rows is None


def test_columns_are_selected_by_name_and_in_order():
    for data in (TABLE, pl.from_arrow(TABLE), {"a": [1, 2, None], "s": ["x", "y", None]}, TABLE.to_batches()):
        read = batches(data, columns=["s", "a"])
        assert [field.name for field in read.fields] == ["s", "a"]
        assert values(read) == ROWS
    with pytest.raises(InputError, match="no column 'aa': did you mean 'a'"):
        batches(TABLE, columns=["aa"])


def test_parts_of_a_list_unite_their_columns():
    assert values([{"a": [1]}, {"b": ["x"], "a": [2]}]) == {"a": [1, 2], "b": ["x"]}


def test_capsules_are_checked():
    with pytest.raises(ArrowError, match="expected a PyCapsule named 'arrow_array_stream', got a int"):
        _core.Stream(3)
    schema, array = TABLE.to_batches()[0].__arrow_c_array__()
    with pytest.raises(ArrowError, match="got one named 'arrow_schema'"):
        _core.Stream(schema)
    with pytest.raises(ArrowError, match="got one named 'arrow_schema'"):
        _core.batch_from_capsules(schema, schema)
    _core.batch_from_capsules(schema, array)
    with pytest.raises(ArrowError, match="already consumed"):
        _core.batch_from_capsules(schema, array)
    stream = TABLE.__arrow_c_stream__()
    _core.Stream(stream)
    with pytest.raises(ArrowError, match="already consumed"):
        _core.Stream(stream)


def test_a_producers_error_is_passed_on():
    def failing():
        yield TABLE.to_batches()[0]
        raise ValueError("the disk is gone")

    stream = batches(pa.RecordBatchReader.from_batches(TABLE.schema, failing()))
    with pytest.raises(ArrowError, match="the disk is gone"):
        list(stream)


def test_threads_share_a_stream():
    reader = pa.RecordBatchReader.from_batches(TABLE.schema, (TABLE.to_batches()[0] for _ in range(200)))
    stream = _core.Stream(reader.__arrow_c_stream__())
    counts = []
    threads = [threading.Thread(target=lambda: counts.append(sum(1 for _ in stream))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 200


# ---- Polars


def test_the_chunks_of_a_polars_frame_stay_as_they_are():
    parts = [pl.DataFrame({"a": [1, 2], "s": ["x", "y"]}), pl.DataFrame({"a": [3], "s": ["z"]})]
    frame = pl.concat(parts, rechunk=False)
    assert values(frame) == {"a": [1, 2, 3], "s": ["x", "y", "z"]}
    assert frame.n_chunks() == 2


def test_polars_columns_in_unequal_chunks():
    a = pl.concat([pl.Series("a", range(5)), pl.Series("a", range(5, 7))], rechunk=False)
    b = pl.concat([pl.Series("b", ["u"] * 2), pl.Series("b", ["v"] * 5)], rechunk=False)
    frame = pl.DataFrame({"a": range(7)}).with_columns(a, b)
    assert frame["b"].n_chunks() == 2
    sizes = [batch.n_rows for batch in batches(frame)]
    assert sum(sizes) == 7
    assert len(sizes) >= 2
    assert values(frame) == {"a": list(range(7)), "b": ["u"] * 2 + ["v"] * 5}


def test_polars_null_and_private_types_leave_the_frame_readable():
    frame = pl.DataFrame({"a": [1, 2], "n": [None, None], "w": pl.Series([1, 2], dtype=pl.Int128)})
    assert kinds(frame) == {"a": "number", "n": "unsupported", "w": "unsupported"}
    assert values(frame) == {"a": [1, 2], "n": [None, None], "w": [None, None]}


def test_polars_categories_lists_and_objects():
    frame = pl.DataFrame(
        {
            "c": pl.Series(["u", None, "u"], dtype=pl.Categorical),
            "e": pl.Series(["u", "v", None], dtype=pl.Enum(["u", "v"])),
            "v": pl.Series([[1.0, 2.0]] * 3, dtype=pl.Array(pl.Float32, 2)),
            "l": [[1], [], [2, 3]],
            "o": pl.Series([object()] * 3, dtype=pl.Object),
        }
    )
    assert kinds(frame) == {
        "c": "category",
        "e": "category",
        "v": "embedding",
        "l": "unsupported",
        "o": "unsupported",
    }
    read = values(frame)
    assert read["c"] == ["u", None, "u"]
    assert read["e"] == ["u", "v", None]
    assert read["v"] == [[1.0, 2.0]] * 3


def test_polars_series_by_its_name():
    assert values(pl.Series("a", [1, 2])) == {"a": [1, 2]}


# ---- pandas


def test_pandas_nan_is_a_value_and_null_is_null():
    frame = pd.DataFrame({"f": [1.0, np.nan], "i": pd.array([1, None], dtype="Int64"), "s": ["a", None]})
    read = values(frame)
    assert np.isnan(read["f"][1])
    assert read["i"] == [1, None]
    assert read["s"] == ["a", None]


def test_pandas_columns_of_every_sort():
    frame = pd.DataFrame(
        {
            "c": pd.Categorical(["u", None]),
            "t": pd.to_datetime(["1970-01-02", None]).as_unit("s"),
            "z": pd.to_datetime(["1970-01-02", "1970-01-03"]).tz_localize("Europe/Stockholm").as_unit("s"),
            "b": [True, False],
            "o": np.array([1, "x"], dtype=object),
            "p": pd.array([1.5, None], dtype=pd.ArrowDtype(pa.float64())),
            7: [1, 2],
        }
    )
    assert values(frame) == {
        "c": ["u", None],
        "t": [86400, None],
        "z": [82800, 169200],
        "b": [True, False],
        "o": ["1", "x"],
        "p": [1.5, None],
        "7": [1, 2],
    }
    assert {field.name: field.timezone for field in batches(frame).fields}["z"] == "Europe/Stockholm"


def test_pandas_numbers_are_not_copied():
    frame = pd.DataFrame(np.arange(6.0).reshape(2, 3), columns=list("abc"))
    column = frame["a"].to_numpy()
    assert np.shares_memory(column, frame["a"].to_numpy())
    assert values(frame)["b"] == [1.0, 4.0]


def test_a_named_index_is_a_column_and_an_unnamed_one_is_not():
    frame = pd.DataFrame({"a": [1, 2]}, index=[5, 6])
    assert values(frame) == {"a": [1, 2]}
    assert values(frame.rename_axis("k")) == {"a": [1, 2], "k": [5, 6]}


def test_a_subclass_of_a_frame_is_a_frame():
    class Frame(pd.DataFrame):
        pass

    assert values(Frame({"a": [1.0]})) == {"a": [1.0]}


# ---- what is loaded

WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
import numpy as np
from tidegauge.arrow import batches
assert not {"pandas", "polars", "duckdb"} & set(sys.modules)
def read(data):
    return [(field[0], batch.to_pylist(i)) for batch in batches(data) for i, field in enumerate(batch.fields)]
assert read({"a": np.arange(2), "s": ["x", None]}) == [("a", [0, 1]), ("s", ["x", None])]
import polars as pl
assert read(pl.DataFrame({"a": [1, None], "s": ["x", "y"]})) == [("a", [1, None]), ("s", ["x", "y"])]
import pandas as pd
frame = pd.DataFrame({"a": [1, 2], "s": ["x", None], "i": pd.array([1, None], dtype="Int64")})
assert read(frame) == [("a", [1, 2]), ("s", ["x", None]), ("i", [1, None])]
"""


def test_numpy_polars_and_pandas_are_read_without_pyarrow():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PYARROW], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
