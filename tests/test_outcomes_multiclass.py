"""The engine's counts of the scores of all classes against plain Python: homes, bytes, late labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge import _core
from tidegauge.arrow import batches
from tidegauge.errors import DecodeError, MergeError, SchemaError

CLASSES = ["ant", "bee", "cow"]
SCORES = ["p_ant", "p_bee", "p_cow"]
EDGES = [np.array([0.2, 0.5]), np.array([0.3]), np.array([0.1, 0.4, 0.6])]
Row = tuple[Sequence[float | None], Any]


def multiclass(**changed: Any) -> _core.MulticlassOutcomes:
    given = {"scores": SCORES, "label": "is", "edges": EDGES, "classes": CLASSES} | changed
    return _core.MulticlassOutcomes(**given)


def counted(data: Any, outcomes: _core.MulticlassOutcomes | None = None) -> _core.MulticlassOutcomes:
    outcomes = outcomes or multiclass()
    for batch in batches(data):
        outcomes.update(batch)
    return outcomes


def table_of(rows: Sequence[Row]) -> pa.Table:
    columns = {
        name: pa.array([scores[i] for scores, _ in rows], pa.float64(), from_pandas=False)
        for i, name in enumerate(SCORES)
    }
    return pa.table(columns | {"is": pa.array([label for _, label in rows], pa.string())})


def home_of(scores: Sequence[float | None], label: Any) -> str | None:
    for score in scores:
        if score is None:
            return "score_null"
        if math.isnan(score):
            return "score_nan"
        if math.isinf(score):
            return "score_infinite"
    return None if label in (None, *CLASSES) else "label_unknown"


def check(outcomes: _core.MulticlassOutcomes, rows: Sequence[Row]) -> None:
    homes = dict.fromkeys(outcomes.homes, 0)
    cells = [np.zeros((len(edges) + 1, 2, 3), int) for edges in EDGES]
    ranks = [0, 0, 0]
    n = n_clipped = 0
    logs, briers = [], []
    for scores, label in rows:
        home = home_of(scores, label)
        if home:
            homes[home] += 1
            continue
        order = sorted(range(3), key=lambda c: (scores[c], c), reverse=True)
        for c in range(3):
            outcome = 2 if label is None else int(label == CLASSES[c])
            cells[c][int(np.sum(EDGES[c] <= scores[c])), int(order[0] == c), outcome] += 1
        if label is None:
            continue
        place = CLASSES.index(label)
        ranks[order.index(place)] += 1
        if all(-1e-9 <= score <= 1 + 1e-9 for score in scores):
            n += 1
            p = min(max(scores[place], 2.0**-52), 1 - 2.0**-52)
            n_clipped += p != scores[place]
            logs.append(-math.log(p))
            briers.append(sum((score - (c == place)) ** 2 for c, score in enumerate(scores)))
    assert outcomes.homes == homes
    assert outcomes.n_rows == len(rows)
    for told, expected in zip(outcomes.counts(), cells, strict=True):
        np.testing.assert_array_equal(told, expected)
    assert outcomes.ranks().tolist() == ranks
    losses = outcomes.losses()
    assert (losses["n"], losses["n_clipped"]) == (n, n_clipped)
    for name, values in (("log_loss", logs), ("brier", briers)):
        slack = 1e-12 * (n + 1)
        assert abs(losses[name] - math.fsum(values)) <= slack
        assert abs(losses[f"{name}_squared"] - math.fsum(v * v for v in values)) <= 100 * slack


NUMBERS = st.one_of(
    st.none(),
    st.sampled_from([0.0, 1.0, 0.2, 0.5, 1e-300, 1 - 2.0**-53, 1 + 1e-12, -1e-12]),
    st.floats(0, 1),
    st.sampled_from([math.nan, math.inf, -math.inf, -3.0, 1e300]),
)
ROWS = st.lists(
    st.tuples(st.tuples(NUMBERS, NUMBERS, NUMBERS), st.sampled_from([None, *CLASSES, "elk"])), max_size=40
)


@given(ROWS, st.lists(st.integers(0, 40), max_size=3))
def test_any_rows_split_merged_and_subtracted(rows: list[Row], cuts: list[int]) -> None:
    whole = counted(table_of(rows))
    check(whole, rows)
    bounds = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    parts = [counted(table_of(rows[begin:end])) for begin, end in pairwise(bounds)]
    merged = multiclass()
    for part in reversed(parts):
        merged.merge(part)
    assert merged.to_bytes() == whole.to_bytes()
    for part in parts:
        merged.subtract(part)
    assert merged.to_bytes() == multiclass().to_bytes()
    assert _core.MulticlassOutcomes.from_bytes(whole.to_bytes()).to_bytes() == whole.to_bytes()


@given(ROWS, st.lists(st.booleans(), min_size=40, max_size=40))
def test_labels_that_come_late_leave_what_labels_at_once_do(rows: list[Row], late: list[bool]) -> None:
    """The rows as they are read, kept, and counted again with a label: no more is known of them then."""
    known = [(scores, label if label in CLASSES else None) for scores, label in rows]
    first = [(s, None if is_late else y) for (s, y), is_late in zip(known, late, strict=False)]
    total = counted(table_of(first))
    (batch,) = batches(table_of(first)) if first else (None,)
    if batch is None:
        return
    values, codes, others = multiclass().read(batch)
    assert values.shape == (len(rows), 3)
    again = multiclass()
    again.add(values, codes, others)
    assert again.to_bytes() == total.to_bytes()
    (full,) = batches(table_of(known))
    labels, _ = multiclass().read_labels(full)
    taken = np.array([home_of(s, y) is None for s, y in known])
    given, before = multiclass(), multiclass()
    given.add(values[taken], labels[taken], None)
    before.add(values[taken], codes[taken], None)
    total.merge(given)
    total.subtract(before)
    assert total.to_bytes() == counted(table_of(known)).to_bytes()


def test_many_rows_and_slices_and_other_types() -> None:
    rng = np.random.default_rng(1)
    scores = rng.dirichlet([1, 2, 0.5], 3_000)
    labels = [None if rng.random() < 0.1 else CLASSES[rng.choice(3, p=p)] for p in scores]
    rows = [(tuple(map(float, p)), y) for p, y in zip(scores, labels, strict=True)]
    table = table_of(rows)
    check(counted(table), rows)
    check(counted(table.slice(511, 1_030)), rows[511:1_541])
    coded = table.set_column(3, "is", table["is"].dictionary_encode())
    assert counted(coded).to_bytes() == counted(table).to_bytes()
    single = table.set_column(0, "p_ant", table["p_ant"].cast(pa.float32()))
    rounded = [((float(np.float32(s[0])), *s[1:]), y) for s, y in rows]
    check(counted(single), rounded)
    assert counted(table.drop_columns(["p_bee"])).homes["score_null"] == 3_000
    assert counted(table.drop_columns(["is"])).counts()[0][:, :, 2].sum() == 3_000
    texts = table.set_column(1, "p_bee", pa.array(["0.5"] * 3_000))
    assert counted(texts).homes["score_mistyped"] == 3_000
    numbered = table.set_column(3, "is", pa.array(range(3_000)))
    assert counted(numbered).homes["label_mistyped"] == 3_000


def test_as_many_classes_as_there_may_be() -> None:
    n = _core.MAX_CLASSES
    names = [f"p{i}" for i in range(n)]
    rng = np.random.default_rng(2)
    scores = rng.dirichlet(np.ones(n), 700)
    labels = rng.integers(0, n, 700)
    outcomes = _core.MulticlassOutcomes(names, "y", [np.array([0.001, 0.01])] * n, list(range(n)))
    for batch in batches({name: scores[:, i] for i, name in enumerate(names)} | {"y": labels}):
        outcomes.update(batch)
    rank = (scores > scores[np.arange(700), labels][:, None]).sum(axis=1)
    np.testing.assert_array_equal(outcomes.ranks(), np.bincount(rank, minlength=n)[:10])
    logs = -np.log(scores[np.arange(700), labels])
    assert outcomes.losses()["log_loss"] == pytest.approx(logs.sum(), abs=1e-9)
    for i, of_class in enumerate(outcomes.counts()):
        assert of_class[:, :, 1].sum() == (labels == i).sum()
        assert of_class[:, 1].sum() == (scores.argmax(axis=1) == i).sum()
    assert _core.MulticlassOutcomes.from_bytes(outcomes.to_bytes()).to_bytes() == outcomes.to_bytes()


GOOD = counted(
    table_of(
        [((0.2, 0.3, 0.5), "cow"), ((0.6, 0.3, 0.1), "bee"), ((0.1, None, 0.2), "ant"), ((0, 0, 1), None)]
    )
)


def test_hostile_bytes() -> None:
    data = GOOD.to_bytes()
    for size in range(len(data)):
        with pytest.raises(DecodeError):
            _core.MulticlassOutcomes.from_bytes(data[:size])
    with pytest.raises(DecodeError):
        _core.MulticlassOutcomes.from_bytes(data + b"\0")
    n_read = 0
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            accepted = _core.MulticlassOutcomes.from_bytes(flipped)
        except DecodeError:
            continue
        n_read += 1
        assert accepted.to_bytes() == flipped
        if accepted.id != GOOD.id:
            with pytest.raises(MergeError):
                GOOD.copy().merge(accepted)
    assert n_read > 0


def test_what_was_never_added_cannot_be_taken_away() -> None:
    twice, state = GOOD.copy(), GOOD.copy()
    twice.merge(state)
    with pytest.raises(MergeError, match="was never added"):
        state.subtract(twice)
    assert state.to_bytes() == GOOD.to_bytes()
    twice.subtract(state)
    assert twice.to_bytes() == GOOD.to_bytes()
    other = counted(table_of([((0.6, 0.3, 0.1), "bee")] * 2))
    other.subtract(counted(table_of([((0.6, 0.3, 0.1), "bee")])))
    with pytest.raises(MergeError, match="was never added"):
        other.subtract(counted(table_of([((0.6, 0.3, 0.1), "ant")])))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scores": SCORES[:2]}, "3 classes of label 'is', 2 scores and edges of 3"),
        ({"edges": EDGES[:2]}, "edges of 2; there must be as many"),
        ({"scores": ["p_ant", "p_ant", "p_cow"]}, "'p_ant' is given twice"),
        ({"scores": ["p_ant", "is", "p_cow"]}, "'is' is given twice"),
        ({"classes": ["ant", "ant", "cow"]}, "named twice"),
        ({"classes": ["ant", 1, "cow"]}, "texts and numbers"),
        ({"edges": [*EDGES[:2], np.arange(200.0)]}, "200 of them; 1 to 199"),
        ({"scores": ["p"], "edges": EDGES[:1], "classes": ["ant"]}, "two at least"),
    ],
)
def test_what_cannot_be_counted_says_why(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        multiclass(**changed)


@pytest.mark.parametrize(
    ("values", "codes", "others"),
    [
        ([[0.1, 0.2, 0.7]], [6], None),
        ([[0.1, 0.2, math.nan]], [0], None),
        ([[math.nan, 0.0, 0.0]], [0], None),
        ([[math.nan, 4.0, 0.0]], [5], None),
        ([[math.nan, 0.5, 0.0]], [5], None),
        ([[math.nan, math.nan, 0.0]], [5], None),
        ([[0.1, 0.2]], [0], None),
        ([0.1, 0.2, 0.7], [0], None),
        ([[0.1, 0.2, 0.7]], [0], [1.0]),
        ([[0.1, 0.2, 0.7]], [0, 1], None),
    ],
)
def test_what_cannot_have_been_read_is_refused(values: list, codes: list, others: list | None) -> None:
    outcomes = GOOD.copy()
    with pytest.raises(SchemaError, match="no rows that were read"):
        outcomes.add(np.array(values), np.array(codes, np.uint8), others)
    assert outcomes.to_bytes() == GOOD.to_bytes()
