"""References: where their edges come from, what they keep, and what they refuse to judge.

Long because each source, edge case and setting is one short case.
"""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tidegauge as tg
from tidegauge.arrow import batches
from tidegauge.edges import MAX_CELLS, fit_edges, following
from tidegauge.errors import DecodeError, InputError, SchemaError
from tidegauge.reference import NAMED_FROM, SAMPLED_ROWS

RANDOM = np.random.default_rng(1)
TABLE = pa.table(
    {
        "amount": RANDOM.lognormal(size=5_000),
        "items": RANDOM.poisson(3, 5_000),
        "country": RANDOM.choice(["de", "fr", "it", "es"], 5_000),
        "new": RANDOM.random(5_000) < 0.2,
        "at": np.sort(RANDOM.integers(0, 10**9, 5_000)).astype("M8[s]"),
    }
)


# ---- edges


@pytest.mark.parametrize("name", ["normal", "lognormal", "uniform", "integers", "ties"])
def test_cells_have_nearly_equal_mass(name):
    n = 100_000
    values = {
        "normal": RANDOM.normal(size=n),
        "lognormal": RANDOM.lognormal(sigma=3, size=n),
        "uniform": RANDOM.random(n),
        "integers": RANDOM.integers(0, 10**9, n),
        "ties": RANDOM.integers(0, 1000, n),
    }[name]
    counts = tg.Reference.fit({"x": values}).profile["x"].counts
    assert 200 <= len(counts) <= MAX_CELLS
    assert counts.sum() == n
    # No cell holds much more than its share; a tie cannot be cut.
    assert counts.max() <= 2.5 * n / MAX_CELLS


def test_atoms_are_points():
    values = np.concatenate([np.full(4_000, 0.0), np.full(2_000, 9.99), RANDOM.random(6_000) * 20 + 0.1])
    column = tg.Reference.fit({"x": values}).profile["x"]
    for atom, count in ((0.0, 4_000), (9.99, 2_000)):
        cell = int(np.searchsorted(column.edges, atom, side="right")) - 1
        assert column.edges[cell] == atom
        assert column.edges[cell + 1] == np.nextafter(atom, np.inf)
        assert column.counts[cell] == count
    assert len(column.counts) >= 200


@pytest.mark.parametrize("values", [[3], [1, 2], [5, 5, 5, 7], list(range(100)), [-(2**63), 2**63 - 2]])
def test_few_distinct_values_are_all_points(values):
    array = np.array(values, np.int64)
    column = tg.Reference.fit({"x": array}).profile["x"]
    distinct, counts = np.unique(array, return_counts=True)
    at = np.searchsorted(column.edges, distinct, side="right") - 1
    assert column.edges[at].tolist() == distinct.tolist()
    assert column.edges[at + 1].tolist() == (distinct + 1).tolist()
    assert column.counts[at].tolist() == counts.tolist()
    assert column.counts.sum() == len(values)


@example([0.0, 1.0, 2.0, 3.0, np.finfo(float).max, 0.5], 8)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=400), st.integers(8, 256)
)
def test_edges_of_any_floats(values, max_cells):
    array = np.array(values) + 0.0
    edges = fit_edges(array, max_cells)
    assert edges.dtype == np.float64
    assert 1 <= len(edges) <= max_cells + 1
    assert np.isfinite(edges).all()
    assert (edges[1:] > edges[:-1]).all()  # a difference may overflow
    assert edges[0] == array.min()
    assert edges[-1] == min(following(np.array([array.max()]))[0], np.finfo(float).max)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=400))
def test_edges_of_any_integers(values):
    array = np.array(values, np.int64)
    edges = fit_edges(array)
    assert edges.dtype == np.int64
    assert (edges[1:] > edges[:-1]).all()
    assert edges[0] == min(values)
    assert int(edges[-1]) == min(max(values) + 1, 2**63 - 1)


@pytest.mark.parametrize("n_distinct", [128, 129, 200, 255, 256, 257, 300, 5_000])
@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_equally_frequent_values(n_distinct, dtype):
    """Many values that all deserve a point, more than there are: none is above another."""
    column = tg.Reference.fit({"x": np.tile(np.arange(n_distinct) * 10, 20).astype(dtype)}).profile["x"]
    assert len(column.counts) <= MAX_CELLS
    assert column.counts.sum() == 20 * n_distinct
    assert column.counts.max() <= 20 * max(2, 5 * n_distinct / MAX_CELLS)


def test_one_outlier_does_not_move_the_cells():
    values = RANDOM.normal(size=50_000)
    calm = tg.Reference.fit({"x": values}).profile["x"]
    spiked = tg.Reference.fit({"x": np.append(values, 1e300)}).profile["x"]
    assert len(spiked.counts) == pytest.approx(len(calm.counts), abs=2)
    assert spiked.counts.max() <= 1.5 * calm.counts.max()


# ---- where rows come from


def test_every_source_counts_every_row(tmp_path):
    pq.write_table(TABLE, tmp_path / "day.parquet", row_group_size=700)
    chunks = TABLE.to_batches(max_chunksize=333)
    whole = tg.Reference.fit(TABLE)
    for data in (
        TABLE.to_batches()[0],
        tmp_path / "day.parquet",
        chunks,
        (chunk for chunk in chunks),
        pa.RecordBatchReader.from_batches(TABLE.schema, chunks),
        batches(TABLE),
        TABLE.to_pandas(),
    ):
        reference = tg.Reference.fit(data)
        assert reference.profile.n_rows == 5_000
        for name in TABLE.column_names:
            assert reference.profile[name].n_present == 5_000
            assert reference.profile[name].edges_id == whole.profile[name].edges_id


def test_a_stream_longer_than_the_sample_is_counted_to_its_end():
    n = SAMPLED_ROWS + 300_000
    values = np.arange(n) % 1000

    def stream():
        for begin in range(0, n, 100_000):
            yield {"x": values[begin : begin + 100_000]}
        yield {"x": [5_000]}  # beyond the sample, hence beyond the edges

    column = tg.Reference.fit(stream()).profile["x"]
    assert column.n_rows == n + 1
    assert column.n_above == 1
    assert column.counts.sum() == n


def test_a_long_table_is_sampled_from_all_of_it():
    n = 2 * SAMPLED_ROWS
    column = tg.Reference.fit({"x": np.repeat([1.0, 2.0], n // 2)}).profile["x"]
    assert (column.n_below, column.n_above) == (0, 0)
    assert {1.0, 2.0} <= set(column.edges.tolist())


@pytest.mark.parametrize(
    "data", [{"x": []}, {}, TABLE.slice(0, 0)], ids=["no rows", "no columns", "empty table"]
)
def test_nothing_to_compare_with(data):
    with pytest.raises(InputError, match="no rows, so there is nothing to compare with"):
        tg.Reference.fit(data)


def test_a_used_stream_is_refused():
    reader = pa.RecordBatchReader.from_batches(TABLE.schema, TABLE.to_batches())
    tg.Reference.fit(reader)
    with pytest.warns(tg.errors.InputWarning), pytest.raises(InputError, match="no rows"):
        tg.Reference.fit(reader)


# ---- old edges


def test_old_edges_re_baseline_without_losing_history():
    old = tg.Reference.fit(TABLE.select(["amount", "country"]))
    shifted = {
        "amount": RANDOM.lognormal(1.0, size=4_000),
        "country": ["de", "pl"] * 2_000,
        "score": RANDOM.random(4_000),
    }
    new = tg.Reference.fit(shifted, edges=old)
    fresh = tg.Reference.fit(shifted)
    for name in ("amount", "country"):
        assert new.profile[name].edges_id == old.profile[name].edges_id != fresh.profile[name].edges_id
        assert new.profile[name].n_rows == 4_000
    assert new.profile["score"].edges_id == fresh.profile["score"].edges_id
    assert new.profile["country"].n_unseen == 2_000
    assert new.profile["amount"].counts.sum() + new.profile["amount"].n_above == 4_000
    # What was counted with the old one still merges with what is counted with the new one.
    before, after = tg.profile(TABLE, old), tg.profile(shifted, new)
    total = tg.merge([before, after])
    assert total["amount"].n_present == 9_000


def test_old_edges_of_another_kind_are_not_taken():
    old = tg.Reference.fit({"x": ["a", "b"] * 10})
    new = tg.Reference.fit({"x": [1.0, 2.0]}, edges=old)
    assert new.profile["x"].kind == "number"
    assert new.profile["x"].edges is not None


@pytest.mark.parametrize(("then", "now"), [(np.int64, np.float64), (np.float64, np.int64)])
def test_old_edges_of_another_number_type(then, now):
    """Whole numbers that became floats, or the other way, are converted exactly and counted as before."""
    old = tg.Reference.fit({"x": np.arange(50).astype(then)})
    new = tg.Reference.fit({"x": np.arange(50).astype(now)}, edges=old)
    assert new.profile["x"].edges_id == old.profile["x"].edges_id
    assert new.profile["x"].counts.sum() == 50


# ---- what is not judged, what is not kept


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.arange(1_000), "always grow"),
        (-np.arange(1_000) * 3, "always fall"),
        (np.random.default_rng(2).permutation(1_000), "all its values differ"),
        ([f"user {i}" for i in range(1_000)], "all its values differ"),
    ],
)
def test_keys_and_row_numbers_are_profiled_but_not_judged(values, said):
    reference = tg.Reference.fit({"key": values, "amount": RANDOM.random(1_000)})
    column = reference.schema["key"]
    assert not column.judge
    assert column.notice.startswith("not judged")
    assert said in column.notice
    assert reference.profile["key"].n_present == 1_000
    assert reference.schema["amount"].judge  # floats may all differ
    assert tg.Reference.from_bytes(reference.to_bytes()).schema == reference.schema


@pytest.mark.parametrize(
    "values", [np.arange(99), np.arange(1_000) % 400, ["a", "b"] * 500, np.arange(1_000) * 0.5]
)
def test_what_is_no_key_is_judged(values):
    assert tg.Reference.fit({"x": values}).schema["x"].judge


def test_times_and_ids_are_not_judged():
    schema = tg.Schema.infer(TABLE, id="country")
    reference = tg.Reference.fit(TABLE, schema=schema)
    assert not reference.schema["at"].judge
    assert not reference.schema["country"].judge
    assert reference.profile["country"].counts is None
    assert b"de" not in counted_bytes(reference)


def counted_bytes(reference: tg.Reference) -> bytes:
    """What is stored of the rows themselves: the schema beside it is the user's own."""
    return reference.profile._core.to_bytes(with_edges=True)


def test_values_of_all_distinct_texts_are_not_kept():
    names = [f"secret-{i:05d}" for i in range(2_000)]
    reference = tg.Reference.fit({"user": names})
    assert reference.profile["user"].top(10) == [] or all(
        name is None for name, _ in reference.profile["user"].top(10)
    )
    assert b"secret" not in reference.to_bytes()
    # Nor are they by a profile counted against it, however often they come.
    now = tg.profile({"user": ["secret-00001"] * 100}, reference)
    assert b"secret" not in now._core.to_bytes(with_edges=True)
    assert now["user"].n_unseen == 100
    assert now["user"].unseen_top == []


def test_the_user_may_keep_what_is_all_distinct():
    names = [f"shop-{i:05d}" for i in range(2_000)]
    schema = tg.Schema([tg.Column("shop", "category", keep_values=True)])
    reference = tg.Reference.fit({"shop": names}, schema=schema)
    now = tg.profile({"shop": ["shop-00001"] * 100}, reference)
    assert now["shop"].unseen_top == [("shop-00001", 100)]


def test_no_names_where_values_are_not_kept():
    schema = tg.Schema([tg.Column("country", "category", keep_values=False)])
    reference = tg.Reference.fit({"country": ["nowhere"] * 50 + ["elsewhere"] * 50}, schema=schema)
    for name in (b"nowhere", b"elsewhere"):
        assert name not in reference.to_bytes()
    assert reference.profile["country"].categories == [None, None]
    assert sorted(reference.profile["country"].counts.tolist()) == [50, 50]


def test_rare_names_are_neither_stored_nor_shown():
    counts = {f"name-{n}-times": n for n in range(1, 12)}
    rows = [name for name, n in counts.items() for _ in range(n)]
    reference = tg.Reference.fit({"x": rows})
    data = reference.to_bytes()
    shown = set(reference.profile["x"].categories) - {None}
    assert shown == {name for name, n in counts.items() if n >= NAMED_FROM}
    for name, n in counts.items():
        assert (name.encode() in data) == (n >= NAMED_FROM), name
    assert reference.profile["x"].counts.sum() == len(rows)
    assert len(reference.profile["x"].counts) == len(counts)  # rare or not, each has its cell
    # A rare value has a cell and no name, in what is counted later too.
    now = tg.profile({"x": ["name-1-times"] * 100}, reference)
    assert b"name-1-times" not in now._core.to_bytes(with_edges=True)
    assert now["x"].n_unseen == 0


def test_more_categories_than_are_kept_still_add_up():
    draw = np.random.default_rng(3).zipf(1.2, 60_000) % 20_000
    reference = tg.Reference.fit({"x": draw.astype(str)})
    column = reference.profile["x"]
    assert len(column.counts) == 4_096
    assert column.counts.sum() + column.n_unseen == 60_000
    top = np.bincount(draw).max()
    assert column.counts.max() == top


# ---- schema


def test_an_integer_column_as_a_category():
    schema = tg.Schema([tg.Column("code", "category"), tg.Column("flag", "category")])
    data = {"code": [404, 200, 200, -1] * 25, "flag": [True, False, True, True] * 25}
    reference = tg.Reference.fit(data, schema=schema)
    column = reference.profile["code"]
    assert dict(zip(column.categories, column.counts.tolist(), strict=True)) == {
        "404": 25,
        "200": 50,
        "-1": 25,
    }
    assert set(reference.profile["flag"].categories) == {"true", "false"}
    # The same categories as text, as another width, as whole floats.
    for codes in (["404", "500"], np.array([404, 500], np.int16), np.array([404.0, 500.0])):
        now = tg.profile({"code": codes}, reference)["code"]
        assert (now.counts.sum(), now.n_unseen, now.n_mistyped) == (1, 1, 0)
    assert tg.profile({"code": [404.5]}, reference)["code"].n_mistyped == 1


def test_ignored_columns_are_not_there_and_light_ones_keep_no_sketches():
    schema = tg.Schema.infer(TABLE, ignored="new").replace("amount", accumulators="light")
    reference = tg.Reference.fit(TABLE, schema=schema)
    assert "new" not in reference
    assert list(reference) == ["amount", "items", "country", "at"]
    assert reference.profile["amount"].n_distinct is None
    assert reference.profile["items"].n_distinct is not None


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (tg.Schema([tg.Column("amuont", "number")]), "'amuont': the schema has it, but the data does not"),
        (
            tg.Schema([tg.Column("country", "number")]),
            "'country': the schema says number, but the data holds a category",
        ),
        (
            tg.Schema([tg.Column("amount", "time")]),
            "'amount': the schema says time, but the data holds a number",
        ),
    ],
)
def test_a_schema_that_the_data_does_not_fill(schema, said):
    with pytest.raises(SchemaError, match=said):
        tg.Reference.fit(TABLE, schema=schema)


def test_columns_the_reference_does_not_know_are_counted_by_name():
    reference = tg.Reference.fit(TABLE.select(["items"]))
    now = tg.profile(TABLE, reference)
    assert list(now) == ["items"]
    assert now.unexpected == dict.fromkeys(["amount", "country", "new", "at"], 5_000)
    twice = tg.merge([now, tg.Profile.from_bytes(now.to_bytes(), reference)])
    assert twice.unexpected["amount"] == 10_000


# ---- bytes


@pytest.mark.parametrize("accumulators", ["full", "light"])
def test_what_was_saved_is_loaded(tmp_path, accumulators):
    reference = tg.Reference.fit(TABLE, accumulators=accumulators)
    reference.save(tmp_path / "r.tg")
    for found in (tg.load(tmp_path / "r.tg"), tg.Reference.from_bytes(reference.to_bytes())):
        assert isinstance(found, tg.Reference)
        assert found == reference
        assert hash(found) == hash(reference)
        assert found.schema == reference.schema
        assert tg.profile(TABLE, found).to_bytes() == tg.profile(TABLE, reference).to_bytes()
    with pytest.raises(DecodeError, match=r"hold a profile; read it with Profile\.from_bytes"):
        tg.Reference.from_bytes(reference.profile.to_bytes())


def test_fitting_twice_gives_the_same_bytes():
    assert tg.Reference.fit(TABLE).to_bytes() == tg.Reference.fit(TABLE, threads=2).to_bytes()


def test_bytes_stay_small():
    wide = {f"x{i}": RANDOM.lognormal(size=20_000) for i in range(20)}
    reference = tg.Reference.fit(wide)
    full = tg.profile(wide, reference).to_bytes()
    light = tg.profile(wide, reference, accumulators="light").to_bytes()
    open_ = tg.profile(wide).to_bytes()
    assert len(full) <= 20 * 8_192
    assert len(open_) <= 20 * 9_216  # without edges every value goes through the sketch of quantiles
    assert len(light) <= 20 * 1_536


def test_a_reference_reads_as_a_table():
    text = repr(tg.Reference.fit(TABLE))
    assert text.startswith("Reference of 5,000 rows")
    assert "country" in text
    out = io.StringIO()
    print(tg.Reference.fit(TABLE)._repr_html_(), file=out)
    assert "<table" in out.getvalue()
