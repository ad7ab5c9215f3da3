"""Metrics of ranked lists against a slow loop and scikit-learn, query by query."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score
from tests.outcomes.samples import assert_sound, coverage

from tidegauge.outcomes.ranking import (
    RankingSums,
    catalogue_coverage,
    hit_rate,
    mean_average_precision,
    mean_reciprocal_rank,
    ndcg,
    precision_at_k,
    ranking_metrics,
    recall_at_k,
    sum_ranking,
)

METRICS = (ndcg, mean_average_precision, mean_reciprocal_rank, hit_rate, recall_at_k, precision_at_k)
LISTS = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.sampled_from([0.0, 0.0, 1.0, 3.0])
    ),
    max_size=25,
)


def of_one_query(scores: list[float], gains: list[float], k: int) -> tuple[float, ...] | None:
    """NDCG, average precision, reciprocal rank, hit, recall and precision, item by item."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    ranked, ideal = [gains[i] for i in order], sorted(gains, reverse=True)
    relevant = sum(gain > 0 for gain in gains)
    if not relevant or len(gains) == 1:
        return None
    dcg = sum(gain / np.log2(i + 2) for i, gain in enumerate(ranked[:k]))
    best = sum(gain / np.log2(i + 2) for i, gain in enumerate(ideal[:k]))
    found, precisions, first = 0, 0.0, 0.0
    for i, gain in enumerate(ranked[:k]):
        if gain > 0:
            found += 1
            precisions += found / (i + 1)
            first = first or 1 / (i + 1)
    return dcg / best, precisions / min(relevant, k), first, float(found > 0), found / relevant, found / k


@given(LISTS, st.integers(1, 6))
def test_it_is_the_mean_over_queries(rows: list[tuple[str, float, float]], k: int) -> None:
    queries, scores, gains = zip(*rows, strict=True) if rows else ((), (), ())
    sums = sum_ranking(queries, scores, gains, k)
    each = [
        of_one_query([s for q, s, _ in rows if q == query], [g for q, _, g in rows if q == query], k)
        for query in sorted(set(queries))
    ]
    known = np.array([one for one in each if one is not None]).reshape(-1, 6)
    singles = sum([q for q, _, _ in rows].count(query) == 1 for query in set(queries))
    assert (sums.n_single, sums.n_without_relevant) == (singles, len(each) - len(known) - singles)
    for i, metric in enumerate(METRICS):
        found = metric(sums)
        assert_sound(found)
        assert found.n == len(known)
        if len(known):
            assert found.value == pytest.approx(known[:, i].mean(), abs=1e-12)
        if len(known) > 1:
            variance = known[:, i].var(ddof=1) / len(known)
            if variance > 1e-9:  # Wilson's ends are where the deviation is 1.96 standard errors
                for end in (found.low, found.high):
                    error = variance * end * (1 - end) / found.value / (1 - found.value)
                    assert (end - found.value) ** 2 == pytest.approx(1.959964**2 * error, abs=1e-6)


def test_ndcg_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    gains, scores = rng.integers(0, 4, (200, 12)).astype(float), rng.random((200, 12))
    gains[:, 0] = 1.0
    sums = sum_ranking(np.repeat(np.arange(200), 12), scores.ravel(), gains.ravel(), 5)
    assert ndcg(sums).value == pytest.approx(ndcg_score(gains, scores, k=5), abs=1e-9)
    assert ndcg(sums).name == "ndcg_at_5"
    assert list(ranking_metrics(sums)) == [metric(sums).name for metric in METRICS]


def test_queries_in_any_rows_and_parts_of_whole_queries_give_the_same() -> None:
    rng = np.random.default_rng(2)
    queries, scores = rng.integers(0, 50, 800), rng.random(800)
    gains = (rng.random(800) < 0.3).astype(float)
    whole, early = sum_ranking(queries, scores, gains, 3), queries < 20
    first = sum_ranking(queries[early], scores[early], gains[early], 3)
    second = sum_ranking(queries[~early], scores[~early], gains[~early], 3)
    order = rng.permutation(800)
    shuffled = sum_ranking(queries[order], scores[order], gains[order], 3)
    for metric in METRICS:
        for other in (first + second, second + first, shuffled, whole + second - second):
            assert metric(other).value == pytest.approx(metric(whole).value, abs=1e-12)
            assert metric(other).high == pytest.approx(metric(whole).high, abs=1e-9)


@cache
def drawn(n: int, seed: int) -> RankingSums:
    rng = np.random.default_rng(seed)
    gains = (rng.random(n * 8) < 0.3).astype(float)
    return sum_ranking(np.repeat(np.arange(n), 8), rng.random(n * 8) + 0.3 * gains, gains, 3)


@pytest.mark.parametrize("metric", METRICS)
def test_intervals_hold_the_truth_in_95_of_100(metric) -> None:
    truth = metric(drawn(200_000, 0)).value
    found = [metric(drawn(200, 1 + seed)) for seed in range(1_000)]
    assert 0.93 <= coverage(found, truth) <= 0.97


def test_nothing_to_tell() -> None:
    for metric in METRICS:
        assert metric(sum_ranking([], [], [], 3)).reason == "there is no query with a relevance"
        assert metric(sum_ranking([1], [0.5], [1.0], 3)).reason == "all queries are of one item"
        of_two = sum_ranking([1, 1], [0.5, 0.2], [0.0, 0.0], 3)
        assert metric(of_two).reason == "no query of several items has a relevant one"
        assert metric(sum_ranking([1, 1], [0.5, 0.2], [1.0, 0.0], 3)).low < 0.3  # one query says little
    assert catalogue_coverage([]).value is None
    assert catalogue_coverage([0, 3, 0, 1]).value == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1], [0.5], [1.0], 0), "k is 0"),
        (([1], [0.5, 0.1], [1.0], 3), "one of each for every row"),
        (([1], [np.nan], [1.0], 3), "a score is NaN"),
        (([1], [0.5], [-1.0], 3), "negative or infinite"),
        (([1], [0.5], [np.inf], 3), "negative or infinite"),
    ],
)
def test_what_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sum_ranking(*arguments)
    with pytest.raises(ValueError, match="first 3 and the first 4"):
        RankingSums(3) + RankingSums(4)
