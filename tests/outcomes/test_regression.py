"""Metrics of a regression against scikit-learn on raw rows, and their intervals by simulation."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from tests.outcomes.samples import assert_sound, coverage

from tidegauge.outcomes.regression import (
    RegressionSums,
    above_interval,
    below_interval,
    bias,
    interval_coverage,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_log_error,
    median_absolute_error,
    pinball_loss,
    r2,
    root_mean_squared_error,
    sum_regression,
    symmetric_absolute_percentage_error,
)
from tidegauge.outcomes.sums import Sums

EDGES = np.linspace(-4, 4, 161)


def symmetric(y: np.ndarray, f: np.ndarray) -> float:
    return float(np.mean(2 * np.abs(f - y) / (np.abs(y) + np.abs(f))))


CASES = {
    "bias": (bias, lambda y, f: np.mean(f - y)),
    "mean_absolute_error": (mean_absolute_error, sk.mean_absolute_error),
    "mean_squared_error": (mean_squared_error, sk.mean_squared_error),
    "root_mean_squared_error": (root_mean_squared_error, sk.root_mean_squared_error),
    "r2": (r2, sk.r2_score),
    "mean_absolute_percentage_error": (mean_absolute_percentage_error, sk.mean_absolute_percentage_error),
    "symmetric_absolute_percentage_error": (symmetric_absolute_percentage_error, symmetric),
    "mean_squared_log_error": (mean_squared_log_error, sk.mean_squared_log_error),
    "pinball_loss_0.5": (pinball_loss, sk.mean_pinball_loss),
    "pinball_loss_0.9": (partial(pinball_loss, q=0.9), partial(sk.mean_pinball_loss, alpha=0.9)),
}
NUMBERS = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0, np.nan, np.inf])
ROWS = st.lists(
    st.tuples(NUMBERS, NUMBERS, st.sampled_from([0.0, 0.5, 2.0])),
    max_size=12,
)


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and labels, all well above 0."""
    rng = np.random.default_rng(seed)
    labels = 8 + 0.9 * rng.standard_normal(n)
    return labels + 0.2 + 0.6 * rng.standard_normal(n), labels


@pytest.mark.parametrize("name", CASES)
def test_it_is_scikit_learns(name: str) -> None:
    metric, oracle = CASES[name]
    predictions, labels = rows(2_000, 1)
    found = metric(sum_regression(predictions, labels, EDGES))
    assert found.name == name
    assert found.value == pytest.approx(oracle(labels, predictions), abs=1e-9)
    assert (found.n, found.bound) == (2_000, 0)


@pytest.mark.parametrize("name", CASES)
def test_intervals_hold_the_truth_in_95_of_100(name: str) -> None:
    metric, oracle = CASES[name]
    predictions, labels = rows(1_000_000, 2)
    truth = oracle(labels, predictions)
    found = [metric(sum_regression(*rows(400, 100 + seed), EDGES)) for seed in range(1_500)]
    assert 0.93 <= coverage(found, truth) <= 0.97


def test_constants_are_those_of_the_mean_label() -> None:
    predictions, labels = rows(500, 3)
    sums = sum_regression(predictions, labels, EDGES)
    assert mean_squared_error(sums).constant == pytest.approx(labels.var())
    assert root_mean_squared_error(sums).constant == pytest.approx(labels.std())
    assert r2(sums).constant == 0


@pytest.mark.parametrize("n", [1, 2, 7, 1_000])
def test_the_median_is_within_its_bound(n: int) -> None:
    for seed in range(20):
        predictions, labels = rows(n, 200 + seed)
        found = median_absolute_error(sum_regression(predictions, labels, EDGES))
        assert abs(found.value - sk.median_absolute_error(labels, predictions)) <= found.bound + 1e-12
        if n == 1_000:
            assert found.bound <= 0.05


def test_the_interval_of_the_median_holds_the_truth() -> None:
    predictions, labels = rows(1_000_000, 4)
    truth = sk.median_absolute_error(labels, predictions)
    fine = np.linspace(-4, 4, 4_001)
    found = [median_absolute_error(sum_regression(*rows(400, 300 + seed), fine)) for seed in range(1_000)]
    assert 0.93 <= coverage(found, truth) <= 0.975


def test_a_median_beyond_the_edges_is_undefined() -> None:
    found = median_absolute_error(sum_regression([9.0, 9.0], [0.0, 0.0], [-1.0, 0.0, 1.0]))
    assert found.value is None
    assert "beyond the edges" in found.reason


@given(ROWS, st.integers(0, 12))
def test_any_rows_are_sound_and_parts_merge(rows: list[tuple[float, float, float]], at: int) -> None:
    def summed(part: list[tuple[float, float, float]]) -> RegressionSums:
        predictions, labels, weights = zip(*part, strict=True) if part else ((), (), ())
        return sum_regression(predictions, labels, [-1.0, -0.1, 0.1, 1.0], weights)

    whole, first, second = summed(rows), summed(rows[:at]), summed(rows[at:])
    for metric in [case[0] for case in CASES.values()] + [median_absolute_error]:
        found, merged = metric(whole), metric(first + second)
        assert_sound(found)
        assert merged.value == pytest.approx(found.value, abs=1e-9)
        assert metric(whole - second).value == pytest.approx(metric(first).value, abs=1e-9)


def test_what_was_not_summed_is_said() -> None:
    sums = RegressionSums(Sums(3, 1.0, 2.0), 2.0, Sums(3, 9.0, 40.0), np.array([0.0]), np.array([1.0, 2.0]))
    assert mean_squared_error(sums).value == pytest.approx(2 / 3)
    assert mean_squared_error(sums).low is None
    assert "not summed" in mean_absolute_percentage_error(sums).reason
    assert "not summed" in mean_squared_log_error(sums).reason
    assert "not summed" in symmetric_absolute_percentage_error(sums).reason


def test_nothing_to_tell() -> None:
    empty = sum_regression([], [], EDGES)
    for metric in [case[0] for case in CASES.values()] + [median_absolute_error]:
        assert metric(empty).value is None
    one_label = sum_regression([1.0, 2.0, 4.0], [1e8 + 0.1] * 3, EDGES)
    assert r2(one_label).reason == "all labels are one number"
    for metric in (below_interval, interval_coverage, above_interval):
        assert metric(empty).value is None
    covered = replace(empty, sides=np.array([4.0, 90.0, 6.0]))
    assert interval_coverage(covered).low == pytest.approx(0.8256, abs=1e-4)
    assert (below_interval(covered).value, above_interval(covered).value) == (0.04, 0.06)


def test_without_squares_apart_a_quantile_loss_has_the_wider_interval() -> None:
    sums = sum_regression(*rows(500, 5), EDGES)
    exact, wide = pinball_loss(sums, 0.9), pinball_loss(replace(sums, over_square=np.nan), 0.9)
    assert exact.value == wide.value
    assert wide.low < exact.low < exact.high < wide.high


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="one of each for every row"):
        sum_regression([1.0, 2.0], [1.0], EDGES)
    with pytest.raises(ValueError, match="weight -1 is neither"):
        sum_regression([1.0], [1.0], EDGES, [-1.0])
    with pytest.raises(ValueError, match="edges of one reference"):
        sum_regression([], [], EDGES) + sum_regression([], [], [0.0])
    with pytest.raises(ValueError, match="q is 1"):
        pinball_loss(sum_regression([], [], EDGES), 1.0)
