"""Metrics of a confusion matrix against scikit-learn on raw rows, and their intervals by simulation."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk
from tests.outcomes.samples import assert_sound, coverage

from tidegauge.outcomes.multiclass import accuracy, f1, kappa, matthews_correlation, precision, recall

AVERAGES = ("macro", "micro", "weighted")
CASES = {
    "accuracy": (accuracy, sk.accuracy_score),
    "kappa": (kappa, sk.cohen_kappa_score),
    "matthews_correlation": (matthews_correlation, sk.matthews_corrcoef),
} | {
    f"{average}_{name}": (partial(metric, average=average), partial(oracle, average=average, zero_division=0))
    for average in AVERAGES
    for name, metric, oracle in (
        ("precision", precision, sk.precision_score),
        ("recall", recall, sk.recall_score),
        ("f1", f1, sk.f1_score),
    )
}
CHANCES = np.array([[0.40, 0.05, 0.03], [0.06, 0.20, 0.04], [0.02, 0.05, 0.15]])
MATRICES = arrays(np.float64, (4, 4), elements=st.sampled_from([0.0, 0.0, 1.0, 2.5, 40.0]))


def rows_of(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts = matrix.astype(int).reshape(-1)
    label, prediction = np.indices(matrix.shape).reshape(2, -1)
    return np.repeat(label, counts), np.repeat(prediction, counts)


@pytest.mark.parametrize("name", CASES)
def test_it_is_scikit_learns(name: str) -> None:
    metric, oracle = CASES[name]
    rng = np.random.default_rng(1)
    never_right, never_predicted = np.zeros((4, 4)), np.zeros((4, 4))
    never_right[:, :3] = never_predicted[:, :3] = rng.integers(1, 30, (4, 3))
    never_right[2, 2] = 0
    unused = np.zeros((5, 5))
    unused[:3, :3] = rng.integers(1, 30, (3, 3))
    for matrix in (rng.integers(0, 50, (6, 6)), never_right, never_predicted, never_predicted.T, unused):
        found = metric(matrix)
        assert found.name == name
        assert found.value == pytest.approx(oracle(*rows_of(matrix)), abs=1e-9)
        assert found.n == matrix.sum()
        assert_sound(found)


@pytest.mark.parametrize("name", CASES)
def test_the_constant_is_the_best_of_all_constants(name: str) -> None:
    metric, oracle = CASES[name]
    labels, _ = rows_of(CHANCES * 1_000)
    best = max(oracle(labels, np.full(len(labels), each)) for each in range(3))
    assert metric(CHANCES * 1_000).constant == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_the_variance_is_that_of_the_gradient_by_differences(name: str) -> None:
    metric, _ = CASES[name]
    counts = CHANCES * 1e6
    value = metric(counts).value
    variance = 0.0
    for place in np.ndindex(3, 3):
        moved = counts.copy()
        moved[place] += 1
        variance += counts[place] * (metric(moved).value - value) ** 2
    found = metric(counts)
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(np.sqrt(variance), rel=1e-3)


@pytest.mark.parametrize("name", CASES)
def test_intervals_hold_the_truth_in_95_of_100(name: str) -> None:
    metric, _ = CASES[name]
    rng = np.random.default_rng(2)
    truth = metric(CHANCES * 1e9).value
    draws = rng.multinomial(500, CHANCES.reshape(-1), size=2_000).reshape(-1, 3, 3)
    assert 0.93 <= coverage([metric(draw) for draw in draws], truth) <= 0.97


@given(MATRICES)
def test_any_counts_give_a_sound_answer(matrix: np.ndarray) -> None:
    for metric, _ in CASES.values():
        assert_sound(metric(matrix))
    assert (
        accuracy(matrix).value == recall(matrix, "weighted").value
        or matrix.sum() == 0
        or (accuracy(matrix).value == pytest.approx(recall(matrix, "weighted").value))
    )


@given(MATRICES, st.permutations(range(4)))
def test_the_order_of_the_classes_has_no_meaning(matrix: np.ndarray, order: list[int]) -> None:
    for metric, _ in CASES.values():
        a, b = metric(matrix), metric(matrix[np.ix_(order, order)])
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), abs=1e-9)


def test_nothing_to_tell() -> None:
    for metric, _ in CASES.values():
        for empty in (np.zeros((3, 3)), np.zeros((0, 0))):
            assert metric(empty).reason == "no row has both a label and a prediction"
    one_label = np.array([[3, 2], [0, 0]])
    assert "one class" in matthews_correlation(one_label).reason
    assert kappa(np.array([[5, 0], [0, 0]])).value is None


def test_a_perfect_matrix_is_as_sure_as_its_rarest_class() -> None:
    found = matthews_correlation(np.diag([1_000, 3]))
    assert found.value == 1
    assert found.low < 0


def test_a_thousand_classes_take_no_cube_of_memory() -> None:
    matrix = np.random.default_rng(3).integers(0, 5, (1_000, 1_000))
    assert_sound(f1(matrix))


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1, 2, 3]], r"\[classes, classes\]"),
        ([[1, -2], [0, 1]], "negative or not finite"),
        ([[1, np.nan], [0, 1]], "negative or not finite"),
    ],
)
def test_what_is_refused(matrix: list, message: str) -> None:
    for metric, _ in CASES.values():
        with pytest.raises(ValueError, match=message):
            metric(matrix)
    with pytest.raises(ValueError, match="use macro, micro or weighted"):
        f1([[1]], "samples")
