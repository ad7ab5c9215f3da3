"""The engine's sums over queries against the plain functions on raw rows: homes, groups, bytes."""

from __future__ import annotations

import math
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
from tidegauge.outcomes.ranking import sum_ranking
from tidegauge.outcomes.states import ranking_sums

Row = tuple[Any, float | None, float | None]
METRICS = ("ndcg", "average_precision", "reciprocal_rank", "hit", "recall", "precision")


def ranking() -> _core.RankingOutcomes:
    return _core.RankingOutcomes("q", "s", "y")


def counted(data: Any, outcomes: _core.RankingOutcomes | None = None) -> _core.RankingOutcomes:
    outcomes = outcomes or ranking()
    for batch in batches(data):
        outcomes.update(batch)
    return outcomes


def table_of(rows: list[Row]) -> pa.Table:
    return pa.table(
        {
            "q": pa.array([q for q, _, _ in rows], pa.string()),
            "s": pa.array([s for _, s, _ in rows], pa.float64(), from_pandas=False),
            "y": pa.array([y for _, _, y in rows], pa.float64(), from_pandas=False),
        }
    )


def home_of(row: Row) -> str:
    query, score, relevance = row
    if query is None:
        return "query_null"
    if score is None or not math.isfinite(score):
        return "score_null" if score is None else "score_nan" if math.isnan(score) else "score_infinite"
    if relevance is None or math.isnan(relevance):
        return "unlabelled"
    if math.isinf(relevance) and relevance > 0:
        return "relevance_infinite"
    return "relevance_negative" if relevance < 0 and math.isfinite(relevance) else "ranked"


def check(outcomes: _core.RankingOutcomes, rows: list[Row]) -> None:
    homes, queries = dict.fromkeys(outcomes.homes, 0), dict.fromkeys(outcomes.queries, 0)
    whole: list[Row] = []
    for row in rows:
        if row[0] is None:
            homes["query_null"] += 1
    for query in {q for q, _, _ in rows if q is not None}:
        own = [row for row in rows if row[0] == query]
        told = [home_of(row) for row in own]
        fine = all(each == "ranked" for each in told)
        if all(each == "unlabelled" for each in told):
            what = "unlabelled"
        elif not fine:
            what = "incomplete"
        elif len(own) == 1:
            what = "single"
        else:
            what = "counted" if any(y > 0 for _, _, y in own) else "without_relevant"
        queries[what] += 1
        for each in told:
            homes["set_aside" if each == "ranked" and what != "counted" else each] += 1
        if what == "counted":
            whole += own
    assert outcomes.homes == homes
    assert outcomes.queries == queries
    assert outcomes.n_rows == len(rows) == sum(homes.values())
    for told_sums in ranking_sums(outcomes):
        plain = sum_ranking(*zip(*whole, strict=True), told_sums.k) if whole else None
        for name in METRICS:
            found = getattr(told_sums, name)
            wanted = getattr(plain, name) if plain else found
            assert found.n == wanted.n == queries["counted"]
            assert abs(found.total - wanted.total) <= 1e-12 * (found.n + 1)
            assert abs(found.square - wanted.square) <= 1e-12 * (found.n + 1)


SCORES = st.one_of(st.sampled_from([0.0, -0.0, 0.5, 1.0, None, math.nan, -math.inf]), st.floats(-2, 2))
GAINS = st.sampled_from([0.0, 0.0, 0.0, 1.0, 1.0, 3.0, 0.5, 5e-324, None, math.nan, -1.0, math.inf])
GOOD = st.tuples(
    st.sampled_from("abcdefgh"), st.floats(-2, 2), st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.0, 0.25])
)
ROWS = st.one_of(
    st.lists(GOOD, max_size=60),
    st.lists(st.tuples(st.sampled_from([None, *"abcdefgh"]), SCORES, GAINS), max_size=40),
)


@given(ROWS)
def test_any_rows(rows: list[Row]) -> None:
    outcomes = counted(table_of(rows))
    check(outcomes, rows)
    assert _core.RankingOutcomes.from_bytes(outcomes.to_bytes()).to_bytes() == outcomes.to_bytes()


@given(st.lists(GOOD, max_size=60), st.randoms(use_true_random=False))
def test_whole_queries_split_merged_and_subtracted(rows: list[Row], chance: Any) -> None:
    """Queries next to each other or not, whole in one part each: any parts give the same bytes."""
    whole = counted(table_of(rows))
    parts = []
    for letters in ("abc", "d", "efgh"):
        parts.append(counted(table_of([row for row in rows if row[0] in letters])))
    chance.shuffle(parts)
    merged = ranking()
    for part in parts:
        merged.merge(part)
    assert merged.to_bytes() == whole.to_bytes()
    for part in parts:
        merged.subtract(part)
    assert merged.to_bytes() == ranking().to_bytes()


def test_a_query_in_two_batches_counts_as_two() -> None:
    rows = [("a", 0.9, 0.0), ("a", 0.8, 1.0), ("a", 0.7, 0.0), ("a", 0.6, 1.0)]
    parts = ranking()
    for begin in (0, 2):
        counted(table_of(rows[begin : begin + 2]), parts)
    assert parts.queries["counted"] == 2
    assert counted(table_of(rows)).queries["counted"] == 1


def many(n: int, seed: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    return [
        (
            f"query {rng.integers(0, n // 8)}",
            float(rng.normal()),
            float(rng.integers(0, 4) * (rng.random() < 0.3)),
        )
        for _ in range(n)
    ]


def test_queries_of_any_type_and_layout() -> None:
    rows = many(3_000, 1)
    table = table_of(rows)
    plain = counted(table)
    check(plain, rows)
    names = table["q"].to_pylist()
    numbers = np.array([int(name.split()[1]) for name in names])
    for queries in (
        table["q"].cast(pa.large_string()),
        table["q"].dictionary_encode(),
        pa.array(numbers),
        pa.array(numbers.astype(np.int16)),
        pa.array(numbers + 0.5),
        pa.array(numbers).dictionary_encode(),
    ):
        assert counted(table.set_column(0, "q", queries)).to_bytes() == plain.to_bytes()
    order = np.argsort(numbers, kind="stable")
    assert counted(table.take(order)).to_bytes() == plain.to_bytes()
    for begin, end in pairwise((5, 600, 1_113, 3_000)):
        check(counted(table.slice(begin, end - begin)), rows[begin:end])
    yes = pa.array([y > 0 for _, _, y in rows])
    check(counted(table.set_column(2, "y", yes)), [(q, s, float(y > 0)) for q, s, y in rows])
    whole = table.set_column(2, "y", pa.array([int(y) for _, _, y in rows], pa.int8()))
    assert counted(whole).to_bytes() == plain.to_bytes()


def test_every_home_of_columns_that_are_not_there_or_of_other_types() -> None:
    table = table_of(many(40, 2))
    assert counted(table.drop_columns(["q"])).homes["query_null"] == 40
    assert counted(table.drop_columns(["s"])).homes["score_null"] == 40
    unlabelled = counted(table.drop_columns(["y"]))
    assert unlabelled.homes["unlabelled"] == 40
    assert unlabelled.queries["unlabelled"] == len(set(table["q"].to_pylist()))
    texts = pa.array(["x"] * 40)
    assert counted(table.set_column(1, "s", texts)).homes["score_mistyped"] == 40
    assert counted(table.set_column(2, "y", texts)).homes["relevance_mistyped"] == 40
    truths = pa.array([True] * 40)
    assert counted(table.set_column(0, "q", truths)).homes["query_mistyped"] == 40
    assert (
        counted(table.set_column(0, "q", pa.array([2**64 - 1] * 40, pa.uint64()))).homes["query_mistyped"]
        == 40
    )
    assert counted(table.set_column(0, "q", pa.array([math.nan] * 40))).homes["query_null"] == 40
    assert counted(table.set_column(0, "q", pa.nulls(40))).homes["query_null"] == 40
    wide = table.set_column(2, "y", pa.array([1e200] * 40))
    assert counted(wide).homes["relevance_infinite"] == 40


SMALL = counted(table_of([*many(60, 3), (None, 1.0, 1.0), ("single", 1.0, 1.0), ("odd", None, 1.0)]))


def test_hostile_bytes() -> None:
    data = SMALL.to_bytes()
    assert all(SMALL.queries[name] for name in ("counted", "single", "incomplete"))
    for size in range(len(data)):
        with pytest.raises(DecodeError):
            _core.RankingOutcomes.from_bytes(data[:size])
    with pytest.raises(DecodeError):
        _core.RankingOutcomes.from_bytes(data + b"\0")
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            accepted = _core.RankingOutcomes.from_bytes(flipped)
        except DecodeError:
            continue
        assert accepted.to_bytes() == flipped
        if accepted.id != SMALL.id:
            with pytest.raises(MergeError):
                SMALL.copy().merge(accepted)


def test_what_was_never_added_cannot_be_taken_away() -> None:
    twice, state = SMALL.copy(), SMALL.copy()
    twice.merge(state)
    with pytest.raises(MergeError, match="was never added"):
        state.subtract(twice)
    assert state.to_bytes() == SMALL.to_bytes()
    right = counted(table_of([("a", 1.0, 1.0), ("a", 0.5, 0.0)]))
    wrong = counted(table_of([("a", 0.5, 1.0), ("a", 1.0, 0.0)]))
    with pytest.raises(MergeError, match="was never added"):
        wrong.subtract(right)
    with pytest.raises(MergeError, match="other columns"):
        right.merge(_core.RankingOutcomes("other", "s", "y"))
    for names in (("q", "q", "y"), ("q", "s", "q"), ("q", "s", "s")):
        with pytest.raises(SchemaError, match="different columns"):
            _core.RankingOutcomes(*names)
