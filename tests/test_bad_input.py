"""Whatever comes in is counted in a named home, or refused by an error that says what and where.

Long because it is a list of what can be wrong.
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidegauge as tg
from tidegauge.errors import ArrowError, DecodeError, InputError, SchemaError, TidegaugeError

HOMES = ("n_present", "n_null", "n_nan", "n_inf", "n_mistyped", "n_absent")
INT_MIN, INT_MAX = -(2**63), 2**63 - 1
REFERENCE = tg.Reference.fit({"x": np.arange(100.0), "s": ["a", "b"] * 50})


def homes(column) -> dict[str, int]:
    return {name: getattr(column, name) for name in HOMES if getattr(column, name)}


# ---- nothing, or nothing but nulls


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"x": []},
        {"x": np.array([]), "s": np.array([], "U3")},
        pa.table({"x": pa.array([], pa.float64())}),
        pa.table({}),
        pa.record_batch({"x": pa.array([], pa.float64())}),
    ],
    ids=[
        "no columns",
        "empty list",
        "empty arrays",
        "empty table",
        "empty table without columns",
        "empty batch",
    ],
)
@pytest.mark.parametrize("reference", [None, REFERENCE], ids=["open", "reference"])
def test_no_rows(data, reference):
    profile = tg.profile(data, reference)
    assert profile.n_rows == 0
    assert all(column.n_rows == 0 for column in profile.values())
    for column in profile.values():
        assert [column.min, column.mean, column.variance, column.quantile(0.5), column.rank(1.0)] == [
            None
        ] * 5
    assert tg.Profile.from_bytes(profile.to_bytes(), reference) == profile
    assert repr(profile).startswith("Profile of 0 rows")
    # And the first rows after that are counted like any others.
    profile.update({"x": [1.0, 2.0]})
    assert profile["x"].n_rows == 2


def test_rows_without_columns_are_absent_from_all():
    profile = tg.profile({"x": [1.0]})
    profile.update(pa.RecordBatch.from_struct_array(pa.array([{}] * 3, pa.struct([]))))
    assert profile.n_rows == 4
    assert homes(profile["x"]) == {"n_present": 1, "n_absent": 3}


@pytest.mark.parametrize(
    "type_",
    [
        pa.null(),
        pa.int64(),
        pa.float32(),
        pa.bool_(),
        pa.string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.timestamp("ns"),
        pa.decimal128(9, 2),
        pa.list_(pa.float32(), 3),
        pa.struct([("a", pa.int64())]),
    ],
    ids=str,
)
@pytest.mark.parametrize("reference", [None, REFERENCE], ids=["open", "reference"])
def test_nothing_but_nulls(type_, reference):
    profile = tg.profile({"x": pa.array([None] * 70, type_)}, reference)
    assert homes(profile["x"]) == {"n_null": 70}
    assert [profile["x"].min, profile["x"].mean, profile["x"].quantile(0.5)] == [None] * 3
    assert profile["x"].top(5) == []


def test_a_reference_of_nothing_but_nulls_has_no_edges_and_counts_on():
    reference = tg.Reference.fit(
        {"x": pa.array([None] * 10, pa.float64()), "s": pa.array([None] * 10, pa.string())}
    )
    assert homes(reference.profile["x"]) == {"n_null": 10}
    profile = tg.profile({"x": [1.0, 2.0, None], "s": ["a", "a", None]}, reference)
    assert homes(profile["x"]) == homes(profile["s"]) == {"n_present": 2, "n_null": 1}
    assert profile["s"].n_unseen == 2
    assert profile["x"].mean == 1.5


# ---- numbers of the strange sort


def test_nan_payloads_are_one_home_and_leave_the_bytes_alone():
    payloads = np.array(
        [0x7FF8000000000001, 0xFFF8DEADBEEF0000, 0x7FF0000000000001, 0x7FF8000000000000], np.uint64
    )
    with_payloads, plain = np.append(payloads.view(float), 1.0), np.array([math.nan] * 4 + [1.0])
    assert homes(tg.profile({"x": with_payloads})["x"]) == {"n_present": 1, "n_nan": 4}
    assert tg.profile({"x": with_payloads}).to_bytes() == tg.profile({"x": plain}).to_bytes()


def test_zero_has_no_sign_in_the_bytes():
    assert tg.profile({"x": [0.0, 1.0, -0.0]}) == tg.profile({"x": [-0.0, 1.0, 0.0]})
    column = tg.profile({"x": [-0.0, -0.0]})["x"]
    assert (column.n_zero, column.n_negative, column.n_distinct) == (2, 0, 1)
    assert math.copysign(1, column.min) == math.copysign(1, column.max) == 1
    reference = tg.Reference.fit({"x": [-0.0, 1.0, 2.0]})
    assert reference.profile["x"].edges_id == tg.Reference.fit({"x": [0.0, 1.0, 2.0]}).profile["x"].edges_id


def test_infinities_and_subnormals():
    tiny = 5e-324
    column = tg.profile({"x": [math.inf, -math.inf, tiny, -tiny, 2 * tiny, math.inf]})["x"]
    assert homes(column) == {"n_present": 3, "n_inf": 3}
    assert (column.min, column.max, column.n_zero, column.n_negative, column.n_distinct) == (
        -tiny,
        2 * tiny,
        0,
        1,
        3,
    )
    assert column.quantile(0.5) == tiny
    reference = tg.Reference.fit({"x": [tiny, 2 * tiny, 3 * tiny] * 10})
    now = tg.profile({"x": [0.0, tiny, 2 * tiny, 4 * tiny]}, reference)["x"]
    assert (now.n_below, now.n_above, now.counts.sum()) == (1, 1, 2)


@pytest.mark.parametrize("value", [INT_MIN, INT_MAX])
def test_extreme_integers(value):
    data = {"x": np.full(5_000, value)}
    column = tg.profile(data)["x"]
    assert (column.min, column.max, column.sum, column.n_distinct) == (value, value, 5_000 * value, 1)
    assert column.mean == float(value)
    assert column.variance == 0
    reference = tg.Reference.fit(data)
    now = tg.profile({"x": np.array([INT_MIN, INT_MAX, 0, value])}, reference)["x"]
    assert now.n_below + now.n_above + now.counts.sum() == 4
    assert now.sum == -1 + value


# ---- columns


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), "column 'a' is there twice: rename"),
        ({"a": [1, 2], "b": [1]}, "'b'.* 1 rows.* 2"),
        ({"a": np.zeros((2, 2, 2))}, "'a'.* 3 dimensions: a column has 1, an embedding 2"),
        ({"a": 5}, "'a' is a builtins.int, not an array"),
        (5, "cannot read a builtins.int: accepted are"),
        (None, "cannot read a builtins.NoneType: accepted are"),
        ([], "an empty list has no columns"),
        (iter([]), "a generator that yields nothing"),
    ],
    ids=lambda x: x if isinstance(x, str) else None,
)
def test_refusals_change_nothing(data, said):
    profile = tg.profile({"a": [1.5, 2.5]})
    before = profile.to_bytes()
    with pytest.raises(InputError, match=said):
        profile.update(data)
    assert profile.to_bytes() == before


def test_nested_types_are_counted_and_listed_and_the_frame_is_kept():
    table = pa.table(
        {
            "list": pa.array([[1], None, []]),
            "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
            "struct": pa.array([{"a": 1}, None, {"a": 2}]),
            "union": pa.UnionArray.from_sparse(pa.array([0, 0, 0], pa.int8()), [pa.array([1, 2, 3])]),
            "interval": pa.array([(1, 2, 3), None, (0, 0, 0)], pa.month_day_nano_interval()),
            "x": [1.0, 2.0, 3.0],
        }
    )
    profile = tg.profile(table)
    assert profile["x"].sum == 6
    for name in ("list", "map", "struct", "union", "interval"):
        column = profile[name]
        assert (column.kind, column.n_rows, column.judge) == ("unsupported", 3, False)
        assert column.n_rows == sum(homes(column).values())
        assert [column.min, column.mean, column.quantile(0.5), column.n_distinct, column.counts] == [None] * 5
    reference = tg.Reference.fit(table)
    assert not reference.schema["list"].judge
    assert "unsupported type '+l'" in reference.schema["list"].notice


def test_python_objects_of_no_kind_are_counted():
    profile = tg.profile({"x": [object(), None, {1}], "y": [1 + 2j, 3j, 0j]})
    assert profile["x"].kind == profile["y"].kind == "unsupported"
    assert profile["x"].n_rows == profile["y"].n_rows == 3


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31mred", "<script>", "naïve 🜲", "x" * 10_000])
def test_any_column_name(name):
    table = pa.table([pa.array([1.0, 2.0]), pa.array(["u", "v"])], names=[name, "other"])
    profile = tg.profile(table)
    assert list(profile) == [name, "other"]
    assert profile[name].sum == 3
    assert tg.Profile.from_bytes(profile.to_bytes()) == profile
    for text in (repr(profile), profile.table()):
        assert "\x1b" not in text
        assert "\0" not in text
        assert len(text.splitlines()) <= 6
    assert "<script>" not in profile._repr_html_()


def test_names_and_texts_that_are_not_utf8():
    """Arrow says UTF-8 and nobody checks; unlike bytes stay unlike, and nothing raises on reading."""
    bad = pa.array([b"\xff\xfe", b"ok", b"\xff\xfe"] * 5, pa.binary()).view(pa.string())
    profile = tg.profile({"x": bad})
    assert profile["x"].n_distinct == 2
    assert dict(profile["x"].top(2)) == {"\\xff\\xfe": 10, "ok": 5}
    assert tg.Reference.fit({"x": bad}).profile["x"].counts.sum() == 15
    named = pa.record_batch([pa.array([1, 2])], names=[b"caf\xe9"])
    profile = tg.profile(named)
    assert profile.n_rows == 2
    assert len(repr(profile).splitlines()) == 4
    assert [column.sum for column in profile.values()] == [3]


def test_endless_new_columns_do_not_grow_a_closed_profile():
    profile = tg.Profile.empty(REFERENCE)
    for begin in range(0, 3_000, 500):
        profile.update({f"new {i}": [1] for i in range(begin, begin + 500)})
    assert len(profile.unexpected) <= 1_001
    assert sum(profile.unexpected.values()) == 3_000
    assert homes(profile["x"]) == {"n_absent": 6}
    # Nor do merges: each part brings names of its own.
    for begin in range(3_000, 9_000, 1_000):
        part = tg.profile({f"new {i}": [1] for i in range(begin, begin + 1_000)}, REFERENCE)
        profile.merge(part)
    assert len(profile.unexpected) <= 1_001
    assert sum(profile.unexpected.values()) == 9_000


def test_a_long_value_is_counted_and_its_name_is_cut():
    profile = tg.profile({"x": ["y" * 100_000] * 6})
    ((name, count),) = profile["x"].top(1)
    assert count == 6
    assert name is not None
    assert name.startswith("yyy")
    assert len(name) <= 300
    assert len(profile.to_bytes()) < 2_000


# ---- what was accepted stays


def test_nothing_already_accepted_is_lost_when_a_stream_breaks():
    def stream():
        yield {"x": [1.0, 2.0]}
        yield {"x": [3.0]}
        yield {"x": np.zeros((1, 1, 1))}
        yield {"x": [4.0]}

    profile = tg.profile({"x": [0.5]})
    with pytest.raises(InputError, match="3 dimensions"):
        profile.update(stream())
    assert homes(profile["x"]) == {"n_present": 4}
    assert profile["x"].sum == 6.5
    profile.update({"x": [4.0]})
    assert profile["x"].sum == 10.5


def test_a_malformed_batch_amid_a_stream():
    offsets = pa.py_buffer(struct.pack("<4i", 0, 1000, 2, 3))
    bad = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"abc")])
    profile = tg.Profile.empty()
    parts = [pa.table({"s": ["a", "b"]}), pa.table({"s": bad}), pa.table({"s": ["c"]})]
    with pytest.raises(ArrowError, match='column "s"') as refused:
        profile.update(iter(parts))
    assert "1000" in str(refused.value)
    assert homes(profile["s"]) == {"n_present": 2}


def test_options_out_of_range():
    with pytest.raises(SchemaError, match="accumulators: 'heavy' is neither 'full' nor 'light'"):
        tg.Profile.empty(accumulators="heavy")
    column = tg.profile({"x": [1.0, 2.0]})["x"]
    for q in (-0.1, 1.1, math.nan, [0.5, 2.0]):
        with pytest.raises(ValueError, match=r"q must lie in \[0, 1\]"):
            column.quantile(q)
    with pytest.raises(ValueError, match="rank: x must be a number, not nan"):
        column.rank(math.nan)
    with pytest.raises(KeyError, match="no such"):
        tg.profile({"x": [1.0]})["no such"]
    with pytest.raises(TypeError, match="a Profile is needed, not a dict"):
        tg.profile({"x": [1.0]}).merge({})
    with pytest.raises(ValueError, match=r"merge: no profiles; start from Profile\.empty"):
        tg.merge([])


def test_ranks_of_whole_numbers_at_any_number():
    column = tg.profile({"x": [1, 2, 3, 4]})["x"]
    told = [column.rank(x) for x in (-math.inf, 0.5, 1, 2.5, 3.999, 4.0, math.inf)]
    assert told == [0, 0, 0.25, 0.5, 0.75, 1, 1]


# ---- files


@pytest.fixture
def saved(tmp_path) -> Path:
    tg.profile({"x": [1.0, 2.0], "s": ["a", "b"]}).save(tmp_path / "day.tg")
    return tmp_path / "day.tg"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a tidegauge profile"),
        (b"PAR1" + bytes(100), "not a tidegauge profile"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a tidegauge profile"),
        (b"\x89TIDE\n\x1a" + bytes(100), "not a tidegauge profile"),  # newlines were translated
        (b"\x89TIDE\r\n\x1a", "truncated"),
        (
            b"\x89TIDE\r\n\x1a" + struct.pack("<HH", 7, 1) + bytes(50),
            "format version 7.*reads version 1; upgrade",
        ),
        (b"\x89TIDE\r\n\x1a" + struct.pack("<HH", 1, 9) + bytes(50), "hold something else"),
        (b"\x89TIDE\r\n\x1a" + struct.pack("<HH", 1, 1) + bytes(50), "checksum does not match"),
    ],
)
def test_files_that_are_no_profile(saved, content, said):
    saved.write_bytes(content)
    with pytest.raises(DecodeError, match=said) as refused:
        tg.load(saved)
    assert str(saved) in str(refused.value)


def test_a_file_cut_short_or_grown(saved):
    whole = saved.read_bytes()
    for data in (whole[: len(whole) // 2], whole[:-1], whole + b"\n", whole.replace(b"\n", b"\r\n")):
        saved.write_bytes(data)
        with pytest.raises(DecodeError, match=str(saved)):
            tg.load(saved)


def test_what_cannot_be_opened(tmp_path, saved):
    for path in (tmp_path / "none.tg", tmp_path):
        with pytest.raises(OSError, match=str(path)):
            tg.load(path)
    with pytest.raises(OSError, match="nowhere"):
        tg.profile({"x": [1]}).save(tmp_path / "nowhere" / "x.tg")
    with pytest.raises(InputError, match=r"no file .*missing"):
        tg.profile(tmp_path / "missing.parquet")
    with pytest.raises(InputError, match="no file matches"):
        tg.profile(str(tmp_path / "*.parquet"))
    with pytest.raises(InputError, match="no data file in the folder"):
        tg.profile(tmp_path)
    with pytest.raises(InputError, match=r"day\.tg"):
        tg.profile(saved)
    (tmp_path / "text.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"text\.parquet"):
        tg.profile(tmp_path / "text.parquet")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "table.csv")
    with pytest.raises(InputError, match=r"table\.csv"):
        tg.profile(tmp_path / "table.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(saved):
    saved.chmod(0)
    with pytest.raises(PermissionError, match=str(saved)):
        tg.load(saved)


def test_saving_leaves_the_old_file_where_it_fails(tmp_path, saved, monkeypatch):
    before = saved.read_bytes()

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="disk full"):
        tg.profile({"x": [5.0]}).save(saved)
    assert saved.read_bytes() == before
    assert list(tmp_path.iterdir()) == [saved]


@pytest.mark.parametrize(
    "data", [b"", bytearray(b"abc"), memoryview(b"abc"), b"\x89TIDE\r\n\x1a\x01\0\x01\0"]
)
def test_foreign_bytes(data):
    for read in (tg.Profile.from_bytes, tg.Reference.from_bytes):
        with pytest.raises(DecodeError):
            read(data)


def test_bytes_of_odd_layout():
    data = tg.profile({"x": [1.0]}).to_bytes()
    spread = memoryview(bytes(b for pair in zip(data, data, strict=True) for b in pair))[::2]
    with pytest.raises(DecodeError, match="contiguous buffer of bytes"):
        tg.Profile.from_bytes(spread)
    with pytest.raises(TypeError):
        tg.Profile.from_bytes("text")


def test_every_error_has_one_base():
    for error in (ArrowError, DecodeError, InputError, SchemaError):
        assert issubclass(error, TidegaugeError)
    assert issubclass(TidegaugeError, ValueError)
