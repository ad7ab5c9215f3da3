"""Counts by leaf: what a tree makes of every kind of column, held to a slow walk; profiles that have them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tidegauge as tg
from tidegauge import _core
from tidegauge.arrow import batches
from tidegauge.errors import DecodeError, MergeError, SchemaError

NAMES = ("red", "green", "blue", "", "a name of more than sixteen bytes")


def table(n: int, seed: int, *, labels: bool = True) -> pa.Table:
    """A column of each kind, with its gaps, a score and a label."""
    draw = np.random.default_rng(seed)

    def gaps() -> np.ndarray:
        return draw.random(n) < 0.1

    x = draw.choice([-1.5, -0.5, -0.0, 0.0, 0.25, 1.0, 7.0, np.inf, -np.inf, np.nan], n)
    texts = pa.array(draw.choice([*NAMES, "never seen"], n).tolist(), mask=gaps())
    score = draw.choice([0.0, 0.1, 0.25, 0.5, 0.75, 1.0, np.nan, np.inf], n, p=[0.15] * 6 + [0.05] * 2)
    columns = {
        "x": pa.array(x, mask=gaps()),
        "plain": draw.normal(size=n),
        "i": pa.array(draw.integers(-5, 5, n), mask=gaps()),
        "text": texts,
        "dictionary": texts.dictionary_encode(),
        "flag": pa.array(draw.random(n) < 0.5, mask=gaps()),
        "full": pa.array(draw.random(n) < 0.5),
        "number as text": pa.array(draw.integers(0, 4, n)),
        "score": pa.array(score, mask=gaps()),
        "label": pa.array(draw.choice([0.0, 1.0, 2.0], n, p=[0.5, 0.4, 0.1]), mask=gaps()),
    }
    if not labels:
        del columns["label"]
    return pa.table(columns)


COLOURS = pa.array([name for name in NAMES for _ in range(50)])
FITTED = tg.Reference.fit(pa.table({"c": COLOURS}))._specs["c"]
HASH_OF = dict(zip(FITTED.category_names or [], FITTED.category_hashes, strict=True))  # type: ignore[arg-type]
DIGITS = tg.Reference.fit(pa.table({"c": pa.array([str(i % 3) for i in range(300)])}))._specs["c"]
DIGIT_HASH = dict(zip(DIGITS.category_names or [], DIGITS.category_hashes, strict=True))  # type: ignore[arg-type]

NUMBERS = {"x": [-1.0, 0.0, 1.0], "plain": [-0.5, 0.5], "i": [-2.0, 0.0, 3.0]}
CATEGORIES = {"text": ["blue", "red", ""], "dictionary": ["green", NAMES[-1]], "number as text": ["1", "2"]}
COLUMNS = {
    **{name: _core.LeafColumn(name, "number", cuts=np.array(cuts)) for name, cuts in NUMBERS.items()},
    **{
        name: _core.LeafColumn(
            name,
            "category",
            hashes=np.array([{**HASH_OF, **DIGIT_HASH}[value] for value in values], np.uint64),
        )
        for name, values in CATEGORIES.items()
    },
    **{name: _core.LeafColumn(name, "boolean") for name in ("flag", "full")},
}


def slow_code(name: str, value: object) -> int:
    """The code of one value, as the class says it."""
    column = COLUMNS[name]
    if value is None or value != value:
        return column.n_codes - 1
    if name in NUMBERS:
        return sum(value >= cut for cut in NUMBERS[name])  # type: ignore[operator]
    if name in CATEGORIES:
        known = CATEGORIES[name]
        return known.index(str(value)) if str(value) in known else len(known)
    return int(bool(value))


BINARY = _core.BinaryOutcomes("score", "label", np.array([0.25, 0.5]), positive=1, negative=0)
REGRESSION = _core.RegressionOutcomes("plain", "label", np.array([0.0]))


@st.composite
def trees(draw: st.DrawFn) -> _core.LeafOutcomes:
    names = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=4, unique=True))
    columns = [COLUMNS[name] for name in names]
    n_leaves = draw(st.integers(2, 16))
    nodes: list[tuple[int, np.ndarray, int, int]] = [(-1, np.empty(0, np.uint8), 0, 0)]
    while (len(nodes) + 1) // 2 < n_leaves:
        leaf = draw(st.sampled_from([i for i, node in enumerate(nodes) if node[0] < 0]))
        at = draw(st.integers(0, len(columns) - 1))
        n_codes = columns[at].n_codes
        sides = np.array(draw(st.lists(st.integers(0, 1), min_size=n_codes, max_size=n_codes)), np.uint8)
        nodes[leaf] = (at, sides, len(nodes), len(nodes) + 1)
        nodes += [(-1, np.empty(0, np.uint8), 0, 0)] * 2
    judged = draw(st.sampled_from([BINARY, REGRESSION]))
    return _core.LeafOutcomes(judged, columns, nodes)


def slow_leaf(tree: _core.LeafOutcomes, row: dict[str, object]) -> int:
    node = 0
    while tree.nodes[node][0] >= 0:
        column, sides, left, right = tree.nodes[node]
        name = tree.columns[column].name
        node = left if sides[slow_code(name, row.get(name))] else right
    return sum(each[0] < 0 for each in tree.nodes[:node])


def slow_counts(tree: _core.LeafOutcomes, rows: list[dict[str, object]]) -> tuple[np.ndarray, int]:
    counts, homeless = np.zeros_like(tree.counts()), 0
    for row in rows:
        label, judged = row.get("label"), row.get(tree.column)
        unlabelled = label is None or label != label
        usable = judged is not None and np.isfinite(judged)
        if not usable or not (unlabelled or tree.column == "plain" or label in {0, 1}):
            homeless += 1
            continue
        cell = 0 if tree.column == "plain" else (judged >= 0.25) + (judged >= 0.5)
        outcome = 2 if unlabelled else int(tree.column != "plain" and label == 1)
        counts[slow_leaf(tree, row), outcome, cell] += 1
    return counts, homeless


def counted(tree: _core.LeafOutcomes, data: object) -> _core.LeafOutcomes:
    made = _core.LeafOutcomes.from_bytes(tree.to_bytes())
    for batch in batches(data):
        made.update(batch)
    return made


@pytest.mark.parametrize("name", list(COLUMNS))
def test_codes_of_a_column_are_those_of_its_values(name):
    data = table(3_000, 1)
    rows = data.to_pylist()
    expected = [slow_code(name, row[name]) for row in rows]
    assert len(set(expected)) == COLUMNS[name].n_codes - (data[name].null_count == 0)
    (batch,) = batches(data)
    assert COLUMNS[name].read(batch).tolist() == expected
    assert COLUMNS[name].read(batch.slice(777, 1_111)).tolist() == expected[777 : 777 + 1_111]
    (without,) = batches(data.drop_columns([name]))
    assert set(COLUMNS[name].read(without).tolist()) == {COLUMNS[name].n_codes - 1}


@settings(max_examples=40, deadline=None)
@given(trees(), st.integers(0, 10**6), st.booleans(), st.integers(0, 1_200))
def test_rows_reach_the_leaf_of_a_slow_walk(tree, seed, labels, n):
    data = table(n, seed, labels=labels)
    rows = data.to_pylist()
    made = counted(tree, data)
    if n:
        (batch,) = batches(data)
        assert tree.leaf_of(batch).tolist() == [slow_leaf(tree, row) for row in rows]
    counts, homeless = slow_counts(tree, rows)
    np.testing.assert_array_equal(made.counts(), counts)
    assert (made.n_homeless, made.n_rows) == (homeless, n)


@settings(max_examples=25, deadline=None)
@given(trees(), st.lists(st.integers(0, 900), max_size=4))
def test_splits_merges_and_bytes_make_no_difference(tree, cuts):
    data = table(900, 5)
    whole = counted(tree, data).to_bytes()
    ends = sorted({0, 900, *cuts})
    parts = [counted(tree, data.slice(a, b - a)) for a, b in pairwise(ends)]
    total = _core.LeafOutcomes.from_bytes(tree.to_bytes())
    for part in reversed(parts):
        total.merge(part)
    assert total.to_bytes() == whole
    total.subtract(parts[0])
    assert total.to_bytes() == counted(tree, data.slice(ends[1])).to_bytes()
    with pytest.raises(MergeError, match="never added"):
        total.subtract(counted(tree, table(3_000, 6)))
    assert total.to_bytes() == counted(tree, data.slice(ends[1])).to_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.set_column(3, "text", t["text"].cast(pa.large_string())),
        lambda t: t.set_column(3, "text", t["text"].cast(pa.string_view())),
        lambda t: t.set_column(4, "dictionary", t["text"]),
        lambda t: t.set_column(2, "i", t["i"].cast(pa.int8())),
        lambda t: t.set_column(2, "i", t["i"].cast(pa.float32())),
        lambda t: t.set_column(6, "full", t["full"].combine_chunks().dictionary_encode()),
        pl.DataFrame,
    ],
)
def test_the_physical_type_of_a_column_does_not_show(change):
    data = table(2_000, 7)
    columns = list(COLUMNS.values())[:8]
    nodes = []
    for i in range(8):  # a chain: every column is asked once
        sides = (np.arange(columns[i].n_codes) % 2).astype(np.uint8)
        nodes += [(i, sides, 2 * i + 1, 2 * i + 2), (-1, np.empty(0, np.uint8), 0, 0)]
    nodes.append((-1, np.empty(0, np.uint8), 0, 0))
    tree = _core.LeafOutcomes(BINARY, columns, nodes)
    assert counted(tree, change(data)).to_bytes() == counted(tree, data).to_bytes()


def test_a_column_of_another_kind_has_no_value():
    data = table(500, 8)
    tree = two_leaves("x", [1, 0, 0, 0, 0])
    swapped = data.set_column(0, "x", data["text"])
    np.testing.assert_array_equal(
        counted(tree, swapped).counts(), counted(tree, data.drop_columns(["x"])).counts()
    )


def two_leaves(name: str, sides: list[int]) -> _core.LeafOutcomes:
    end = (-1, np.empty(0, np.uint8), 0, 0)
    return _core.LeafOutcomes(BINARY, [COLUMNS[name]], [(0, np.array(sides, np.uint8), 1, 2), end, end])


END = (-1, np.empty(0, np.uint8), 0, 0)
ASKS = (0, np.array([1, 0, 0], np.uint8), 1, 2)


@pytest.mark.parametrize(
    ("columns", "nodes", "why"),
    [
        ([], [ASKS, END, END], "1 to 15 columns"),
        ([COLUMNS["flag"]], [END], "2 to 16 leaves"),
        ([COLUMNS["flag"]], [ASKS, END], "2 to 16 leaves"),
        ([COLUMNS["flag"]] * 2, [ASKS, END, END], "twice"),
        ([COLUMNS["flag"]], [(0, np.array([1, 0], np.uint8), 1, 2), END, END], "has not"),
        ([COLUMNS["flag"]], [(3, np.array([1, 0, 0], np.uint8), 1, 2), END, END], "has not"),
        ([COLUMNS["flag"]], [(0, np.array([2, 0, 0], np.uint8), 1, 2), END, END], "0 or 1"),
        ([COLUMNS["flag"]], [(0, np.array([1, 0, 0], np.uint8), 0, 2), END, END], "come after"),
        ([COLUMNS["flag"]], [(0, np.array([1, 0, 0], np.uint8), 1, 9), END, END], "come after"),
        ([COLUMNS["flag"]], [(0, np.array([1, 0, 0], np.uint8), 2, 2), END, END], "with two"),
        ([COLUMNS["flag"]], [ASKS, (0, ASKS[1], 2, 3), END, END, END], "with two"),
        ([_core.LeafColumn("label", "boolean")], [ASKS, END, END], "cannot ask for the label"),
    ],
)
def test_what_is_no_tree_is_refused(columns, nodes, why):
    with pytest.raises(SchemaError, match=why):
        _core.LeafOutcomes(BINARY, columns, nodes)


@pytest.mark.parametrize(
    ("settings_of", "why"),
    [
        ({"kind": "time"}, "no number, boolean or category"),
        ({"kind": "number"}, "needs cuts"),
        ({"kind": "boolean", "cuts": np.array([1.0])}, "needs cuts if it is a number"),
        ({"kind": "number", "cuts": np.array([1.0, 1.0])}, "ascend"),
        ({"kind": "number", "cuts": np.array([np.inf])}, "ascend"),
        ({"kind": "number", "cuts": np.array([-0.0])}, "minus zero"),
        ({"kind": "number", "cuts": np.arange(255.0)}, "more than 256 codes"),
        ({"kind": "category", "hashes": np.array([3, 3], np.uint64)}, "categories"),
    ],
)
def test_what_is_no_column_is_refused(settings_of, why):
    def build() -> None:
        column = _core.LeafColumn("c", **settings_of)
        _core.LeafOutcomes(BINARY, [column], [(0, np.zeros(column.n_codes, np.uint8), 1, 2), END, END])

    with pytest.raises(SchemaError, match=why):
        build()


def test_a_weight_and_many_cells_are_refused():
    weighted = _core.BinaryOutcomes("score", "label", np.array([0.5]), positive=1, weight="x")
    fine = _core.BinaryOutcomes("score", "label", np.linspace(0, 1, 128), positive=1)
    for outcomes in (weighted, fine):
        with pytest.raises(SchemaError, match="no weight and at most 127 edges"):
            _core.LeafOutcomes(outcomes, [COLUMNS["flag"]], [ASKS, END, END])
    with pytest.raises(SchemaError, match="neither BinaryOutcomes nor"):
        _core.LeafOutcomes("score", [COLUMNS["flag"]], [ASKS, END, END])  # type: ignore[arg-type]


def test_bytes_cut_short_or_changed_are_refused_or_read_whole():
    made = counted(two_leaves("text", [1, 0, 1, 0, 0]), table(300, 9)).to_bytes()
    for end in range(len(made)):
        with pytest.raises(DecodeError):
            _core.LeafOutcomes.from_bytes(made[:end])
    with pytest.raises(DecodeError):
        _core.LeafOutcomes.from_bytes(made + b"\0")
    for at in range(len(made)):
        for bit in (1, 16, 128):
            changed = bytearray(made)
            changed[at] ^= bit
            try:
                read = _core.LeafOutcomes.from_bytes(changed)
            except DecodeError:
                continue
            assert read.to_bytes() == bytes(changed)  # one form only
            (batch,) = batches(table(50, 2))
            read.update(batch)


# In references, profiles, segments and monitors.


def scored(n: int, seed: int, *, labels: bool = True, shop: float = 0.5) -> pa.Table:
    """Rows of two channels in which a score means unlike things, beside columns without meaning."""
    draw = np.random.default_rng(seed)
    score = draw.beta(2, 2, n)
    web = draw.random(n) > shop
    truth = np.where(web, score, 0.3 + 0.2 * score)
    columns = {
        "channel": pa.array(np.where(web, "web", "shop")),
        "amount": pa.array(draw.lognormal(size=n), mask=draw.random(n) < 0.05),
        "known": draw.random(n) < 0.5,
        "score": score,
        "label": (draw.random(n) < truth).astype(np.int64),
        "time": np.datetime64("2026-01-05", "us") + np.sort(draw.integers(0, 3_600_000_000, n)),
    }
    if not labels:
        del columns["label"]
    return pa.table(columns)


SCHEMA = tg.Schema.infer(scored(10, 1), score="score", label="label", positive=1, timestamp="time")
REFERENCE = tg.Reference.fit(scored(12_000, 1), schema=SCHEMA, segments=["channel"])


def leaves_of(profile: tg.Profile) -> _core.LeafOutcomes:
    found = profile._core.leaves
    assert found is not None
    return found


def test_a_reference_finds_the_segments_and_counts_all_its_rows():
    leaves = leaves_of(REFERENCE.profile)
    assert "channel" in [column.name for column in leaves.columns]
    assert (leaves.n_rows, leaves.n_homeless) == (12_000, 0)
    again = tg.Reference.from_bytes(REFERENCE.to_bytes())
    assert leaves_of(again.profile).to_bytes() == leaves.to_bytes()
    assert tg.Reference.fit(scored(12_000, 1), schema=SCHEMA, segments=["channel"]) == REFERENCE


@pytest.mark.parametrize("sizes", [[12_000], [7, 4_000, 1, 7_992]])
def test_neither_batches_nor_a_stream_show_in_the_tree(sizes):
    data, begin, parts = scored(12_000, 1), 0, []
    for size in sizes:
        parts += data.slice(begin, size).combine_chunks().to_batches()
        begin += size
    stream = pa.RecordBatchReader.from_batches(data.schema, parts)
    made = tg.Reference.fit(stream, schema=SCHEMA)
    assert leaves_of(made.profile).to_bytes() == leaves_of(REFERENCE.profile).to_bytes()


def test_rows_are_thinned_by_their_number(monkeypatch):
    from tidegauge import feature_rows, leaf_trees

    monkeypatch.setattr(feature_rows, "SAMPLED_ROWS", 1_000)
    data = scored(5_003, 3)
    column = leaf_trees.leaf_column(REFERENCE._specs["amount"])
    assert column is not None
    found = []
    for sizes in ([5_003], [1, 2_500, 700, 1_802]):
        rows, begin = feature_rows.FeatureRows(SCHEMA), 0
        for size in sizes:
            for batch in batches(data.slice(begin, size)):
                rows.update(batch)
            begin += size
        assert 500 <= rows.n_rows <= 1_000
        found.append(rows.codes([column])[:, 0].tolist())
    (whole,) = batches(data)
    assert found[0] == found[1] == column.read(whole)[::8].tolist()


def test_scores_that_mean_the_same_everywhere_leave_one_leaf():
    for seed in range(5):
        draw = np.random.default_rng(seed)
        score = draw.beta(2, 2, 8_000)
        data = pa.table(
            {
                "a": draw.normal(size=8_000),
                "b": draw.choice(list("xyz"), 8_000),
                "score": score,
                "label": (draw.random(8_000) < score).astype(np.int64),
            }
        )
        made = tg.Reference.fit(data, schema=tg.Schema.infer(data, score="score", label="label", positive=1))
        assert made.profile._core.leaves is None


@pytest.mark.parametrize("reason", ["few rows", "few positives", "weights", "light"])
def test_what_leaves_one_leaf(reason):
    data, kind = scored(12_000, 1), "full"
    if reason == "few rows":
        data = data.slice(0, 1_900)
    if reason == "few positives":
        rare = data["label"].to_numpy() * (np.arange(12_000) % 100 == 0)
        data = data.set_column(4, "label", pa.array(rare))
    schema = tg.Schema.infer(
        data, score="score", label="label", positive=1, weight="amount" if reason == "weights" else None
    )
    made = tg.Reference.fit(data, schema=schema, accumulators="light" if reason == "light" else kind)
    assert made.profile._core.leaves is None


def test_a_profile_counts_leaves_as_they_are_counted_alone():
    data = scored(3_000, 2)
    profile = tg.profile(data, REFERENCE)
    expected = counted(tg_leaves(), data).to_bytes()
    assert leaves_of(profile).to_bytes() == expected
    parts = [tg.profile(data.slice(i, 1_000), REFERENCE) for i in range(0, 3_000, 1_000)]
    assert leaves_of(tg.merge(parts)).to_bytes() == expected
    assert leaves_of(tg.Profile.from_bytes(profile.to_bytes(), REFERENCE)).to_bytes() == expected
    light = tg.Profile.empty(REFERENCE, accumulators="light")
    light.update(data)
    assert light._core.leaves is None
    held = REFERENCE.profile._core
    specs = [column.spec for column in held.columns]
    without = tg.Profile(_core.Profile(specs, held.joint_spec, outcomes=held.outcomes))
    without.update(data)
    without.merge(profile)  # as a release before leaves wrote it: it takes none away
    assert leaves_of(without).to_bytes() == expected


def tg_leaves() -> _core.LeafOutcomes:
    """The reference's leaves, of no rows."""
    return leaves_of(tg.Profile.empty(REFERENCE))


def test_other_trees_are_refused_and_nothing_is_added():
    other = tg.Reference.fit(scored(12_000, 9), schema=SCHEMA, edges=None)
    specs = [column.spec for column in REFERENCE.profile._core.columns]
    one, two = (_core.Profile(specs, leaves=each) for each in (tg_leaves(), leaves_of(other.profile)))
    (batch,) = batches(scored(500, 3))
    one.update(batch, 1), two.update(batch, 1)
    before = one.to_bytes(False)
    with pytest.raises(MergeError, match="other trees"):
        one.merge(two)
    assert one.to_bytes(False) == before
    with pytest.raises(SchemaError, match="no column 'score'"):
        _core.Profile([spec for spec in specs if spec.name != "score"], leaves=tg_leaves())


def test_edges_of_an_older_reference_keep_its_tree():
    kept = tg.Reference.fit(scored(3_000, 4), schema=SCHEMA, edges=REFERENCE)
    assert leaves_of(kept.profile).id == leaves_of(REFERENCE.profile).id
    assert leaves_of(kept.profile).n_rows == 3_000


def test_bytes_of_a_profile_with_leaves_of_more_rows_are_refused():
    from tests import forging

    profile = tg.profile(scored(400, 5), REFERENCE).to_bytes()
    section = forging.sections(profile)["LEAF"]
    more = {"ROWS": b"\0\0" + forging.varint(399), "SPEC": b"\0", "COLS": b"", "LEAF": section}
    with pytest.raises(DecodeError, match="more rows than there are"):
        tg.Profile.from_bytes(forging.container(more))
    assert _core.Profile.from_bytes(forging.container(more | {"ROWS": b"\0\0" + forging.varint(400)}))


def test_rows_of_a_monitor_one_by_one_and_in_batches_are_those_of_a_profile(tmp_path):
    data = scored(900, 6)
    url = f"sqlite:///{tmp_path}/leaves.db"
    with tg.Monitor("m", REFERENCE, segments=["channel"], archive=url, timestamp="time") as monitor:
        for row in data.slice(0, 400).to_pylist():
            monitor.record(row)
        monitor.record({"channel": True, "amount": "no", "score": 0.5, "time": data["time"][0].as_py()})
        monitor.update(data.slice(400))
    with tg.Archive(url) as archive:
        total, segment = archive.merged("m"), archive.merged("m", segment={"channel": "web"})
    assert segment._core.leaves is None
    expected = tg.profile(data, REFERENCE)
    odd = pa.table({"score": [0.5], "time": data["time"][:1]})
    expected.update(odd)
    assert leaves_of(total).to_bytes() == leaves_of(expected).to_bytes()


def test_threads_lose_no_row():
    data = scored(60_000, 7)
    profile = tg.profile(data, REFERENCE, threads=4)
    assert leaves_of(profile).to_bytes() == counted(tg_leaves(), data).to_bytes()
