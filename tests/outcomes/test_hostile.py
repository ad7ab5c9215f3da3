"""Weights of any size, scores of any size, parts taken away again: an answer or a reason, never a NaN."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.outcomes.samples import assert_sound
from tests.outcomes.test_binary import CASES as OF_ANSWERS
from tests.outcomes.test_calibration import METRICS as OF_CALIBRATION
from tests.outcomes.test_discrimination import ORACLES as OF_SCORES
from tests.outcomes.test_fairness import CASES as OF_FACETS
from tests.outcomes.test_multiclass import CASES as OF_MATRICES
from tests.outcomes.test_proper_scores import ORACLES as OF_PROBABILITIES
from tests.outcomes.test_regression import CASES as OF_ERRORS

from tidegauge.outcomes.binary_counts import BinaryCounts, count_binary
from tidegauge.outcomes.calibration import brier_parts, reliability_curve
from tidegauge.outcomes.confusion import confusion_at
from tidegauge.outcomes.fairness import generalized_entropy
from tidegauge.outcomes.regression import median_absolute_error, sum_regression
from tidegauge.outcomes.sums import sums_of

WEIGHTS = st.sampled_from([0.0, 1e-30, 1e-9, 0.1, 1.0, 1e9, 1e30])
SCORES = st.sampled_from([-1e200, -1.0, 0.0, 1e-300, 0.3, 0.5, 1.0, 1e30])
EDGES = [0.1, 0.4, 0.9]


def assert_all_sound(counts: BinaryCounts) -> None:
    for metric in OF_SCORES.values():
        assert_sound(metric[0](counts))
    for metric in OF_PROBABILITIES.values():
        assert_sound(metric[0](counts))
    for metric in OF_CALIBRATION:
        assert_sound(metric(counts))
    parts = brier_parts(counts)
    assert (parts.reliability is None) == bool(parts.reason)
    assert np.isfinite(reliability_curve(counts).scores).all()
    tables = [confusion_at(counts, threshold) for threshold in (0.2, 0.4, np.inf)]
    for table in tables:
        for metric in OF_ANSWERS.values():
            assert_sound(metric[0](table))
        for metric in OF_FACETS:
            assert_sound(metric(table, tables[0]))
        assert_sound(generalized_entropy(table))


@given(st.lists(st.tuples(SCORES, st.sampled_from([0.0, 1.0, np.nan]), WEIGHTS), max_size=8))
def test_any_weight_and_score(rows: list[tuple[float, float, float]]) -> None:
    scores, labels, weights = zip(*rows, strict=True) if rows else ((), (), ())
    assert_all_sound(count_binary(scores, labels, EDGES, weights))


@given(st.lists(WEIGHTS, min_size=9, max_size=9))
def test_any_weight_in_a_matrix(weights: list[float]) -> None:
    for metric, _ in OF_MATRICES.values():
        assert_sound(metric(np.reshape(weights, (3, 3))))


@given(st.lists(st.tuples(SCORES, SCORES, WEIGHTS), max_size=8))
def test_any_weight_and_error(rows: list[tuple[float, float, float]]) -> None:
    predictions, labels, weights = zip(*rows, strict=True) if rows else ((), (), ())
    sums = sum_regression(predictions, labels, [-1.0, 0.0, 1.0], weights)
    for metric, _ in OF_ERRORS.values():
        assert_sound(metric(sums))
    assert_sound(median_absolute_error(sums))


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0, np.nan]), st.sampled_from([0.1, 0.3, 0.7])),
        max_size=12,
    ),
    st.integers(0, 12),
)
def test_what_is_taken_away_leaves_nothing_behind(rows: list[tuple[float, float, float]], at: int) -> None:
    def counted(part: list[tuple[float, float, float]]) -> BinaryCounts:
        scores, labels, weights = zip(*part, strict=True) if part else ((), (), ())
        return count_binary(scores, labels, EDGES, weights)

    left, right = counted(rows[at:] + rows[:at]) - counted(rows[:at]), counted(rows[at:])
    for name in ("positives", "negatives", "unlabelled"):
        ours, exact = getattr(left, name), getattr(right, name)
        np.testing.assert_array_equal(ours > 0, exact > 0)
        np.testing.assert_allclose(ours, exact, atol=1e-12)
    assert_all_sound(left)
    nothing = counted(rows) - counted(rows[:at]) - counted(rows[at:])
    assert OF_SCORES["roc_auc"][0](nothing).reason == "no row is labelled"


def test_sums_taken_away_leave_nothing_behind() -> None:
    values = np.array([0.1, 0.2, 0.7])
    left = sums_of(values, 0.1) - sums_of(values[:1], 0.1) - sums_of(values[1:], 0.1)
    assert left.n == 0
    assert np.isnan(left.mean)


@pytest.mark.parametrize("size", [1e-60, 1e60])
def test_the_smallest_and_the_largest_weights(size: float) -> None:
    counts = count_binary([0.0, 0.2, 0.5, 1.0], [0, 1, 0, 1], EDGES, [size] * 4)
    assert_all_sound(counts)
    assert OF_SCORES["roc_auc"][0](counts).value == pytest.approx(0.75)


@pytest.mark.parametrize("size", [-1.0, 1e-200, 1e200, np.nan, np.inf])
def test_weights_beyond_reason_are_refused(size: float) -> None:
    for count in (count_binary, sum_regression):
        with pytest.raises(ValueError, match="is neither 0 nor between 1e-60 and 1e60"):
            count([0.5, 0.5], [0, 1], EDGES, [1.0, size])
