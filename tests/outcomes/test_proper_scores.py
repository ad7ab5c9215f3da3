"""Brier score and log loss against scikit-learn on raw rows, their bounds, and simulated intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from tests.outcomes.samples import assert_sound, coverage, equal_mass_edges, one_score_a_cell, scored_rows

from tidegauge.outcomes.binary_counts import count_binary
from tidegauge.outcomes.proper_scores import brier, log_loss

ORACLES = {"brier": (brier, sk.brier_score_loss), "log_loss": (log_loss, sk.log_loss)}
ROWS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([0.0, 0.25, 1.0]), st.floats(0, 1)),
        st.sampled_from([0.0, 1.0, np.nan]),
        st.sampled_from([0.0, 0.5, 1.0, 4.0]),
    ),
    max_size=30,
)


@pytest.mark.parametrize("name", ORACLES)
def test_without_loss_it_is_scikit_learns(name: str) -> None:
    metric, oracle = ORACLES[name]
    scores, labels = scored_rows(2_000, 1)
    scores = np.round(scores, 2)
    scores[0], labels[0] = 0.0, 0.0
    found = metric(count_binary(scores, labels, one_score_a_cell(scores)))
    assert found.value == pytest.approx(oracle(labels, scores), abs=1e-9)
    assert found.constant == pytest.approx(oracle(labels, np.full(2_000, labels.mean())), abs=1e-9)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize(("cells", "close"), [(10, 2e-3), (100, 1e-4), (1_000, 5e-5)])
def test_in_cells_it_is_close(name: str, cells: int, close: float) -> None:
    metric, oracle = ORACLES[name]
    scores, labels = scored_rows(50_000, 2)
    found = metric(count_binary(scores, labels, equal_mass_edges(scores, cells)))
    assert abs(found.value - oracle(labels, scores)) <= min(close, found.bound)


@given(ROWS)
def test_the_bound_holds_for_any_rows(rows: list[tuple[float, float, float]]) -> None:
    scores, labels, weights = (np.array(each) for each in zip(*rows, strict=True)) if rows else ([], [], [])
    counts = count_binary(scores, labels, [0.2, 0.5, 0.9], weights)
    for metric, _ in ORACLES.values():
        assert_sound(metric(counts))
    known = np.isfinite(labels) & (np.asarray(weights) > 0) if len(rows) else np.zeros(0, dtype=bool)
    if not known.any():
        assert brier(counts).reason == "no row is labelled"
        return
    y, s, w = labels[known], scores[known], weights[known]
    clipped = np.clip(s, 2.0**-52, 1 - 2.0**-52)
    exact = {
        "brier": float(np.average((y - s) ** 2, weights=w)),
        "log_loss": float(np.average(-np.log(np.where(y == 1, clipped, 1 - clipped)), weights=w)),
    }
    for name, (metric, _) in ORACLES.items():
        found = metric(counts)
        assert abs(found.value - exact[name]) <= found.bound + 1e-7  # a variance of 0 is known to 1e-16


@pytest.mark.parametrize("name", ORACLES)
def test_intervals_hold_the_truth_in_95_of_100(name: str) -> None:
    metric, oracle = ORACLES[name]
    scores, labels = scored_rows(400_000, 3)
    truth, edges = oracle(labels, scores), equal_mass_edges(scores, 200)
    found = [metric(count_binary(*scored_rows(800, 50 + seed), edges)) for seed in range(1_000)]
    assert 0.93 <= coverage(found, truth) <= 0.97


@pytest.mark.parametrize("scores", [[1.5, 0.2], [-0.4, 0.2]])
def test_scores_that_are_no_probabilities_are_told(scores: list[float]) -> None:
    for metric, _ in ORACLES.values():
        assert "not probabilities" in metric(count_binary(scores, [1, 0], [0.0, 0.5, 1.0])).reason


def test_one_class_has_a_loss() -> None:
    counts = count_binary([0.1, 0.9], [1, 1], [0.5])
    assert brier(counts).value == pytest.approx((0.81 + 0.01) / 2)
    assert brier(counts).constant == 0
    assert log_loss(counts).constant == 0
