"""Ranking of scores against scikit-learn on raw rows, plain DeLong, a bootstrap, and simulated intervals."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk
from tests.outcomes.samples import assert_sound, coverage, equal_mass_edges, one_score_a_cell, scored_rows

from tidegauge.outcomes.binary_counts import count_binary
from tidegauge.outcomes.discrimination import average_precision, capture, gini, ks, lift, roc_auc
from tidegauge.outcomes.intervals import Z

ANY_ROWS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.2, 0.5, 1.0]),
        st.sampled_from([0.0, 1.0, None]),
        st.sampled_from([0.0, 0.3, 1.0, 8.0]),
    ),
    max_size=12,
)


def plain_capture(labels: np.ndarray, scores: np.ndarray, q: float) -> float:
    order = np.argsort(-scores, kind="stable")
    return float(labels[order][: round(q * len(labels))].sum() / labels.sum())


ORACLES = {
    "roc_auc": (roc_auc, sk.roc_auc_score),
    "gini": (gini, lambda y, s: 2 * sk.roc_auc_score(y, s) - 1),
    "average_precision": (average_precision, sk.average_precision_score),
    "ks": (ks, lambda y, s: stats.ks_2samp(s[y == 1], s[y == 0]).statistic),
    "capture_at_0.1": (capture, partial(plain_capture, q=0.1)),
    "lift_at_0.1": (lift, lambda y, s: plain_capture(y, s, 0.1) / 0.1),
    "lift_at_0.25": (partial(lift, q=0.25), lambda y, s: plain_capture(y, s, 0.25) / 0.25),
}


def delong(labels: np.ndarray, scores: np.ndarray) -> float:
    """DeLong's variance pair by pair."""
    x, y = scores[labels == 1], scores[labels == 0]
    wins = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    return float(wins.mean(axis=1).var(ddof=1) / len(x) + wins.mean(axis=0).var(ddof=1) / len(y))


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("seed", [1, 2])
def test_without_loss_it_is_the_oracles(name: str, seed: int) -> None:
    metric, oracle = ORACLES[name]
    scores, labels = scored_rows(2_000, seed)
    found = metric(count_binary(scores, labels, one_score_a_cell(scores)))
    assert found.name == name
    assert found.value == pytest.approx(oracle(labels, scores), abs=1e-9)
    assert_sound(found)


@pytest.mark.parametrize("name", ["roc_auc", "gini", "average_precision", "ks"])
def test_ties_are_treated_as_the_oracle_treats_them(name: str) -> None:
    metric, oracle = ORACLES[name]
    scores, labels = scored_rows(3_000, 3)
    scores = np.round(scores, 1)
    found = metric(count_binary(scores, labels, one_score_a_cell(scores)))
    assert found.value == pytest.approx(oracle(labels, scores), abs=1e-9)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("cells", [5, 20, 100])
def test_in_cells_it_is_within_the_bound(name: str, cells: int) -> None:
    metric, oracle = ORACLES[name]
    for seed in range(5):
        scores, labels = scored_rows(3_000, 10 + seed)
        found = metric(count_binary(scores, labels, equal_mass_edges(scores, cells)))
        assert abs(found.value - oracle(labels, scores)) <= found.bound + 1e-12
        assert found.bound < {5: 6.0, 20: 3.0, 100: 1.0}[cells]


def test_the_bound_holds_for_the_worst_and_the_best_order_within_cells() -> None:
    rng = np.random.default_rng(5)
    cell = np.sort(rng.integers(0, 6, 600))
    labels = (rng.random(600) < 0.1 + 0.12 * cell).astype(float)
    for best in (True, False):
        positives = 0.9 if best else 0.4 * rng.random(600)
        scores = cell + np.where(labels == 1, positives, 0.5)
        counts = count_binary(scores, labels, [1, 2, 3, 4, 5])
        for name in ("roc_auc", "gini", "average_precision", "ks"):
            metric, oracle = ORACLES[name]
            found = metric(counts)
            off = abs(found.value - oracle(labels, scores))
            assert off <= found.bound + 1e-9
            if best or name != "ks":  # which no order can make less than it is at the edges
                assert off >= 0.3 * found.bound  # the bound is not idle


def test_a_thousand_cells_give_the_area_to_a_ten_thousandth() -> None:
    for seed in range(5):
        scores, labels = scored_rows(50_000, 20 + seed)
        found = roc_auc(count_binary(scores, labels, equal_mass_edges(scores, 1_000)))
        assert abs(found.value - sk.roc_auc_score(labels, scores)) <= 1e-4


def test_the_variance_is_delongs() -> None:
    scores, labels = scored_rows(800, 6)
    found = roc_auc(count_binary(scores, labels, one_score_a_cell(scores)))
    share, variance = found.value, delong(labels, scores)
    n = share * (1 - share) / variance  # Wilson's interval with as many rows
    middle = (share + Z**2 / 2 / n) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / 4 / n**2)
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half), abs=1e-9)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "capture_at_0.1"])
def test_intervals_are_as_wide_as_a_bootstraps(name: str) -> None:
    metric, oracle = ORACLES[name]
    scores, labels = scored_rows(1_500, 7)
    rng = np.random.default_rng(8)
    drawn = []
    for _ in range(600):
        rows = rng.integers(0, 1_500, 1_500)
        drawn.append(oracle(labels[rows], scores[rows]))
    found = metric(count_binary(scores, labels, equal_mass_edges(scores, 200)))
    assert (found.high - found.low) / 2 / Z == pytest.approx(np.std(drawn), rel=0.12)


@pytest.mark.parametrize("name", ORACLES)
def test_intervals_hold_the_truth_in_95_of_100(name: str) -> None:
    metric, oracle = ORACLES[name]
    scores, labels = scored_rows(400_000, 9)
    truth = oracle(labels, scores)
    edges = equal_mass_edges(scores, 200)
    found = [metric(count_binary(*scored_rows(1_000, 100 + seed), edges)) for seed in range(1_000)]
    least = 0.93 if name != "ks" else 0.90  # the largest of many distances leans upwards
    assert least <= coverage(found, truth) <= 0.97


@given(ANY_ROWS)
def test_any_rows_give_a_sound_answer(rows: list[tuple[float, float | None, float]]) -> None:
    scores, labels, weights = zip(*rows, strict=True) if rows else ((), (), ())
    counts = count_binary(scores, labels, [0.1, 0.3, 0.6, 0.9], weights)
    for metric, _ in ORACLES.values():
        assert_sound(metric(counts))
    assert_sound(lift(counts, 1.0))


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([], "no row is labelled"),
        ([1, 1], "no labelled row is negative"),
        ([0, 0], "no labelled row is positive"),
    ],
)
def test_one_class_is_an_answer(labels: list[float], reason: str) -> None:
    counts = count_binary(np.linspace(0, 1, len(labels)), labels, [0.5])
    for metric, _ in ORACLES.values():
        assert metric(counts).value is None
        assert metric(counts).reason == reason


def test_a_perfect_score_keeps_a_wide_interval_for_few_rows() -> None:
    counts = count_binary([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], [0.5])
    found = roc_auc(counts)
    assert found.value == 1
    assert found.low < 0.5
    assert average_precision(counts).low < 0.5


@pytest.mark.parametrize("q", [0.0, 1.5, np.nan])
def test_q_is_a_share(q: float) -> None:
    with pytest.raises(ValueError, match="q is"):
        lift(count_binary([0.1], [1], [0.5]), q)


def test_all_ties_know_nothing() -> None:
    counts = count_binary(np.full(100, 0.3), np.arange(100) % 4 == 0, [0.5])
    assert roc_auc(counts).value == pytest.approx(0.5)
    assert ks(counts).value == pytest.approx(0)
    assert average_precision(counts).value == pytest.approx(0.25)
    assert lift(counts).value == pytest.approx(1.0)
