"""A reference's own windows: counted as pandas does, kept in bytes, and never believed when the bytes lie."""

from __future__ import annotations

import base64
import struct
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tidegauge as tg
from tidegauge import reference_windows
from tidegauge.cells import coarsen
from tidegauge.errors import DecodeError, InputError, InputWarning, SchemaError
from tidegauge.homes import HOMES, OUTSIDE
from tidegauge.reference_windows import ReferenceWindows, from_text, groups_of, to_text

START = np.datetime64("2026-02-27T21:00", "ns")
N = 6_000


def table(n: int = N, days: float = 12, order: str = "ordered", seed: int = 1) -> pa.Table:
    """Rows of every judged kind, with nulls, NaN and infinities, over some days."""
    draw = np.random.default_rng(seed)
    seconds = draw.integers(0, int(days * 86_400), n)
    seconds = np.sort(seconds) if order == "ordered" else draw.permutation(seconds)
    missing = draw.random(n) < 0.1
    x = draw.normal(size=n)
    x[draw.random(n) < 0.02] = np.nan
    x[draw.random(n) < 0.01] = np.inf
    words = pa.array([f"w{i}" for i in np.minimum(draw.zipf(1.4, n), 300)], mask=missing)
    return pa.table(
        {
            "when": pa.array(START + seconds.astype("m8[s]")),
            "x": pa.array(x, mask=missing),
            "k": draw.poisson(3, n),
            "flag": pa.array(draw.random(n) < 0.3, mask=missing),
            "word": words,
            "code": words.dictionary_encode(),
        }
    )


def fit(data: object, **more: object) -> tg.Reference:
    return tg.Reference.fit(data, **{"timestamp": "when", "window": "1d", **more})


def by_pandas(reference: tg.Reference, rows: pa.Table, freq: str) -> dict[int, dict[str, tuple]]:
    """Count the rows of every window, cell by cell, with nothing but pandas, NumPy and the frozen cells."""
    frame = rows.to_pandas(types_mapper=pd.ArrowDtype)
    start = pd.Series(rows["when"].to_numpy()).dt.floor(freq)
    found = {}
    for begin, places in start.groupby(start).groups.items():
        columns = {}
        for name in reference.windows.columns:
            values = frame[name].iloc[np.asarray(places)].dropna()
            column = reference.profile[name]
            if column.kind == "number":
                plain = values.to_numpy(dtype=np.float64)
                n_inf = int(np.isinf(plain).sum())
                plain = plain[np.isfinite(plain)]
                edges = np.asarray(column.edges, dtype=np.float64)
                fine = np.bincount(np.searchsorted(edges, plain, side="right"), minlength=len(edges) + 1)
                outside = int(fine[0] + fine[-1])
            else:
                names = [str(value).lower() for value in values]
                place = {value: i for i, value in enumerate(column.categories)}
                at = [place.get(value, len(place)) for value in names]
                fine = np.bincount(at, minlength=len(place) + 1)
                n_inf, outside = 0, int(fine[-1])
            present = int(fine.sum())
            cells = coarsen(fine, groups_of(column)[None, :])[0]
            columns[name] = (cells, [0, 0, n_inf, len(places) - n_inf - present, outside], present)
        found[begin.value] = columns
    return found


@pytest.mark.parametrize("order", ["ordered", "shuffled"])
@pytest.mark.parametrize(("window", "freq"), [("1d", "1D"), ("6h", "6h"), ("90m", "90min")])
def test_windows_are_pandas_groups(order: str, window: str, freq: str):
    data = table(order=order)
    # Unlike categories are all named here, so that pandas can look them up.
    assert (np.unique(data["word"].drop_null().to_numpy(), return_counts=True)[1] >= 5).sum() > 10
    rare = pd.Series(data["word"].to_pandas()).value_counts()
    kept = data.filter(pa.array(data["word"].to_pandas().map(rare).fillna(99).to_numpy() >= 5))
    reference = fit(kept.combine_chunks(), window=window)
    expected = by_pandas(reference, kept, freq)
    own = reference.windows
    assert own.starts.tolist() == sorted(expected)
    assert own.rows.sum() == kept.num_rows
    assert list(own.columns) == ["x", "k", "flag", "word", "code"]
    for at, start in enumerate(own.starts.tolist()):
        for name, (cells, hits, present) in expected[start].items():
            column = own.columns[name]
            assert column.cells[at].tolist() == cells.tolist(), (name, at)
            assert column.hits[at].tolist() == hits, (name, at)
            rows = int(own.rows[at])
            assert column.exposed[at].tolist() == [rows, rows, rows, rows, present]


def test_windows_add_up_to_the_reference():
    reference = fit(table())
    for name, column in reference.windows.columns.items():
        whole = reference.profile[name]
        assert column.cells.sum() == whole.n_present
        assert column.hits[:, HOMES.index("missing")].sum() == whole.n_null + whole.n_nan
        assert column.hits[:, OUTSIDE].sum() == whole.n_unseen + whole.n_below + whole.n_above


def test_neither_order_nor_batches_nor_threads_show():
    ordered = table()
    shuffled = ordered.take(np.random.default_rng(0).permutation(N))
    # Eight windows are held at a time: shuffled rows of many windows go through bytes and back.
    one = fit(ordered, window="1h")
    two = fit(shuffled, window="1h", edges=one)
    assert len(one.windows) > 200
    assert to_text(one.windows) == to_text(two.windows)
    for size, threads in ((700, 1), (83, 2)):
        parts = fit(
            pa.Table.from_batches(ordered.to_batches(max_chunksize=size)), window="1h", threads=threads
        )
        assert parts.to_bytes() == one.to_bytes()


def test_a_stream_is_read_once_and_counted_whole():
    data = table()
    stream = pa.RecordBatchReader.from_batches(data.schema, data.to_batches(max_chunksize=500))
    assert to_text(fit(stream, edges=fit(data)).windows) == to_text(fit(data).windows)


def test_bytes_hold_the_windows():
    for data in (table(), table(50, 0.3), table(2_000, 400)):
        reference = fit(data)
        data_bytes = reference.to_bytes()
        again = tg.Reference.from_bytes(data_bytes)
        assert again == reference
        assert again.to_bytes() == data_bytes == fit(data).to_bytes()
        assert len(again.windows) == len(reference.windows)
        for name in reference.windows.columns:
            for field in ("cells", "hits", "exposed"):
                one, two = (getattr(each.windows.columns[name], field) for each in (reference, again))
                np.testing.assert_array_equal(one, two)
    assert tg.Reference.from_bytes(tg.Reference.fit(table()).to_bytes()).windows is None


def test_counts_take_the_bytes_they_need():
    few, many = fit(table(500, 3)), fit({"when": np.full(70_000, START), "x": np.arange(70_000) % 3})
    assert len(to_text(few.windows)) < 2_000
    again = tg.Reference.from_bytes(many.to_bytes())
    assert again.windows.columns["x"].cells.max() == 23_334
    assert again == many


def test_a_long_or_strange_name_is_kept():
    for name in ("x" * 70_000, "", "日本\n\x00"):
        reference = fit({"when": np.repeat(START, 500), name: np.random.default_rng(0).normal(size=500)})
        assert list(tg.Reference.from_bytes(reference.to_bytes()).windows.columns) == [name]


def test_rows_without_a_time_count_in_the_reference_alone():
    data = table()
    when = data["when"].to_pandas().mask(np.arange(N) % 10 == 0)
    lost = data.set_column(0, "when", pa.array(when))
    with pytest.warns(InputWarning, match=r"600 of 6,000 rows are in no window .*'when' is null"):
        reference = fit(lost)
    assert reference.profile.n_rows == N
    assert reference.windows.rows.sum() == N - 600
    assert tg.Reference.from_bytes(reference.to_bytes()) == reference
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        with pytest.raises(InputError, match="no row has a time in column 'when'"):
            fit(data.set_column(0, "when", pa.nulls(N, pa.timestamp("ns"))))


def test_a_column_absent_from_some_batches_is_absent_in_their_windows():
    data = table()
    first, rest = data.slice(0, N // 2), data.slice(N // 2).drop(["x"])
    reference = fit([first, rest])
    column = reference.windows.columns["x"]
    absent = column.hits[:, HOMES.index("absent")]
    assert absent.sum() == N - N // 2 == reference.profile["x"].n_absent
    assert absent[0] == 0
    assert absent[-1] == reference.windows.rows[-1]
    assert column.exposed[-1].tolist() == [absent[-1], 0, 0, 0, 0]
    assert tg.Reference.from_bytes(reference.to_bytes()) == reference


def test_only_judged_columns_have_windows():
    data = table().append_column("key", pa.array([f"id {i}" for i in range(N)]))
    data = data.append_column("row", pa.array(np.arange(N)))
    data = data.append_column("vector", pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(2 * N)), 2))
    assert list(fit(data).windows.columns) == ["x", "k", "flag", "word", "code"]
    nothing = fit(data.select(["when", "row"]))
    assert not nothing.windows.columns
    assert len(nothing.windows) == 13
    assert tg.Reference.from_bytes(nothing.to_bytes()) == nothing


def test_edges_of_an_older_reference_are_the_windows_cells():
    old = fit(table(seed=1))
    new = fit(table(seed=2), edges=old)
    for name in ("x", "word"):
        assert new.profile[name].edges_id == old.profile[name].edges_id
        column = new.profile[name]
        cells = new.windows.columns[name].cells
        assert cells.shape[1] == groups_of(column).max() + 1
        assert cells.sum() == column.n_present
    later = tg.profile(table(seed=3), old)
    assert tg.compare(new, later, window=("2026-04-01", "2026-04-13"))["x"].judged
    # A category that the old reference never saw is unseen in the new one's windows.
    words = pa.array(["new"] * 300 + ["w1"] * 300)
    renewed = fit({"when": np.repeat(START, 600), "word": words}, edges=old)
    assert renewed.windows.columns["word"].hits[0, OUTSIDE] == 300


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"timestamp": None}, SchemaError, "pass timestamp='COLUMN'"),
        ({"timestamp": "nope"}, SchemaError, "'nope'"),
        ({"timestamp": "x"}, SchemaError, "'x' is of kind number"),
        ({"timestamp": "word"}, SchemaError, "'word' is of kind category"),
        ({"window": None}, InputError, r"timestamp='when' is given without window=, such as '1d'"),
        ({"window": "0d"}, InputError, "'0d' is no length of time"),
        ({"window": "soon"}, InputError, "'soon' is no length of time"),
        ({"window": -1}, InputError, "-1 is no length of time"),
        ({"window": float("nan")}, InputError, "nan is no length of time"),
    ],
)
def test_errors_name_what_is_wrong(settings: dict[str, object], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        fit(table(100), **settings)


def test_the_schemas_timestamp_is_taken():
    data = table()
    schema = tg.Schema.infer(data, timestamp="when")
    assert fit(data, schema=schema, timestamp=None).windows.rows.sum() == N


def test_a_batch_without_the_timestamp_is_refused():
    data = table()
    with pytest.raises(SchemaError, match="column 'when': it is to tell the time"):
        fit([data, data.drop(["when"])])


def test_too_many_windows_are_refused_at_the_first_too_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reference_windows, "MAX_WINDOWS", 30)
    data = table(days=30)
    assert len(fit(data.slice(0, 5_700)).windows) == 30
    with pytest.raises(InputError, match="more than 30 windows, which is the limit; take longer windows"):
        fit(data)
    # Nothing is kept of the thousands of windows that a width of a microsecond would have.
    splitter = reference_windows.Splitter(list(fit(data, window="1w")._specs.values()), "when", 1e-6)
    batch = tg.arrow.at_once(data.to_batches()[0])
    with pytest.raises(InputError, match="more than 30 windows"):
        splitter.update(batch, 1)
    assert len(splitter._live) + len(splitter._put) == 31


def test_a_window_inside_is_left_out():
    own = fit(table(), window="6h").windows
    inside = tg.Window(int(own.starts[10]) + 1, int(own.starts[12]))
    left = own.without(inside)
    assert len(own) - len(left) == 2
    assert set(own.starts[10:12].tolist()).isdisjoint(left.starts.tolist())
    for name, column in left.columns.items():
        whole = own.columns[name]
        assert column.cells.sum() == whole.cells.sum() - whole.cells[10:12].sum()
        assert column.hits.sum() == whole.hits.sum() - whole.hits[10:12].sum()
        assert column.exposed.sum() == whole.exposed.sum() - whole.exposed[10:12].sum()
    # Half-open: neighbours stay.
    assert own.without(tg.Window(int(own.starts[-1]) + 6 * 3_600 * 10**9, 2**62)) is own
    assert own.without(tg.Window(0, int(own.starts[0]))) is own
    assert len(own.without(own.span())) == 0


# ---- hostile bytes


@pytest.fixture(scope="module")
def small() -> tuple[ReferenceWindows, tg.Profile, bytes]:
    """Few windows of two columns, and their bytes."""
    data = table(400, 3).select(["when", "k", "flag"])
    reference = fit(data)
    return reference.windows, reference.profile, base64.b85decode(to_text(reference.windows))


def decode(data: bytes, profile: tg.Profile) -> ReferenceWindows:
    return from_text(base64.b85encode(data).decode(), profile)


def test_every_truncation_is_refused(small: tuple[ReferenceWindows, tg.Profile, bytes]):
    _, profile, data = small
    for size in range(len(data)):
        with pytest.raises(DecodeError):
            decode(data[:size], profile)
    with pytest.raises(DecodeError, match="1 bytes too many"):
        decode(data + b"\0", profile)


def test_every_flip_is_refused_or_is_another_state(small: tuple[ReferenceWindows, tg.Profile, bytes]):
    _, profile, data = small
    refused = 0
    for at in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[at] ^= 1 << bit
            try:
                found = decode(bytes(damaged), profile)
            except DecodeError:
                refused += 1
                continue
            # Times may be others. What is believed must add up, and be written as it was read.
            assert base64.b85decode(to_text(found)) == bytes(damaged)
            assert found.rows.sum() <= profile.n_rows
            for column in found.columns.values():
                assert (column.cells.sum(axis=1) == column.exposed[:, OUTSIDE]).all()
                assert (column.hits <= column.exposed).all()
                assert (column.hits >= 0).all()
    assert refused > 7 * len(data)


def test_lies_about_sizes_allocate_nothing(small: tuple[ReferenceWindows, tg.Profile, bytes]):
    _, profile, data = small
    for windows, columns in ((2**32 - 1, 2), (0, 2), (20_001, 2), (20_000, 2), (3, 2**32 - 1)):
        with pytest.raises(DecodeError):
            decode(data[:12] + struct.pack("<II", windows, columns) + data[20:], profile)
    for width in (0, -1, -(2**63), 2**63 - 1):
        with pytest.raises(DecodeError):
            decode(data[:4] + struct.pack("<q", width) + data[12:], profile)


def of(width: int, starts: list[int], rows: list[int], columns: bytes = b"", n_columns: int = 0) -> bytes:
    packed = struct.pack(f"<{len(starts)}q{len(rows)}Q", *starts, *rows)
    return b"TGW1" + struct.pack("<qII", width, len(starts), n_columns) + packed + columns


def test_times_out_of_order_are_refused(small: tuple[ReferenceWindows, tg.Profile, bytes]):
    profile = small[1]
    assert len(decode(of(10, [-(2**63), 0, 2**63 - 11], [1, 1, 1]), profile)) == 3
    for starts in (
        [0, 0],
        [0, 9],
        [10, 0],
        [2**62, -(2**63) + 100],  # the distance is positive in 64 bits
        [2**63 - 1, -(2**63)],
        [0, 2**63 - 5],  # its end is not
    ):
        with pytest.raises(DecodeError, match="not in the order of time, or overlapping"):
            decode(of(10, starts, [1] * len(starts)), profile)


def test_rows_that_the_reference_has_not_are_refused(small: tuple[ReferenceWindows, tg.Profile, bytes]):
    profile = small[1]
    n = profile.n_rows
    assert decode(of(10, [0, 10], [n, 0]), profile).rows.tolist() == [n, 0]
    for rows in ([n, 1], [2**64 - 1, 1], [2**63, 2**63], [2**63 - 1, 1]):
        with pytest.raises(DecodeError, match="more rows than the 400 of the reference"):
            decode(of(10, [0, 10], rows), profile)


def test_sums_that_overflow_are_refused(small: tuple[ReferenceWindows, tg.Profile, bytes]):
    own, profile, _ = small
    n_cells = own.columns["flag"].cells.shape[1]
    for counts in (
        # Cells whose sum is 400 only in 64 bits; homes that add up to it the same way.
        [0, 0, 0, 0, 0, 400, 2**63 - 1, 2**63 - 1, *[402] * (n_cells - 2)][: 6 + n_cells],
        [2**62, 2**62, 2**62, 2**62, 0, 400, 400, *[0] * (n_cells - 1)],
        [0, 0, 0, 0, 401, 400, 400, *[0] * (n_cells - 1)],
    ):
        column = struct.pack("<I", 4) + b"flag" + struct.pack("<HB", n_cells, 8)
        column += struct.pack(f"<{len(counts)}Q", *counts)
        with pytest.raises(DecodeError, match="'flag' do not add up to its rows"):
            decode(of(10, [0], [400], column, 1), profile)


def test_names_that_lie_are_refused(small: tuple[ReferenceWindows, tg.Profile, bytes]):
    profile = small[1]
    for data in (small[2].replace(b"flag", b"gone"), small[2].replace(b"flag", b"when")):
        with pytest.raises(DecodeError):
            decode(data, profile)
    twice = small[2].replace(b"\x04\0\0\0flag", b"\x01\0\0\0k", 1)
    with pytest.raises(DecodeError):
        decode(twice, profile)


def test_texts_that_are_none_are_refused(small: tuple[ReferenceWindows, tg.Profile, bytes]):
    own, profile, _ = small
    text = to_text(own)
    for bad in ("", "TGW1", "é" + text, text + " ", text[1:], text.replace(text[7], '"'), "~" * 5, "\0"):
        with pytest.raises(DecodeError):
            from_text(bad, profile)


def test_windows_of_another_reference_are_refused():
    one, other = fit(table()), fit(table(3_000, seed=5))
    with pytest.raises(DecodeError):
        from_text(to_text(one.windows), other.profile)
    note = one.to_bytes()
    for at in range(0, len(note), 997):
        damaged = bytearray(note)
        damaged[at] ^= 0x40
        with pytest.raises(DecodeError):
            tg.Reference.from_bytes(bytes(damaged))
