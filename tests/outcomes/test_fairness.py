"""Fairness between two facets against the formulas on raw rows, and their intervals by simulation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.outcomes.samples import assert_sound, coverage, equal_mass_edges, scored_rows

from tidegauge.outcomes.binary_counts import count_binary
from tidegauge.outcomes.confusion import Confusion, confusion_at
from tidegauge.outcomes.fairness import (
    acceptance_rate_difference,
    accuracy_difference,
    conditional_acceptance_difference,
    conditional_demographic_disparity,
    conditional_rejection_difference,
    demographic_parity_difference,
    disparate_impact,
    generalized_entropy,
    recall_difference,
    rejection_rate_difference,
    specificity_difference,
    treatment_equality,
    violates_four_fifths,
)
from tidegauge.outcomes.metric import Metric


@dataclass
class Rows:
    """One facet's labels y and answers f."""

    y: np.ndarray
    f: np.ndarray

    def table(self) -> Confusion:
        y, f = self.y, self.f
        return Confusion(*(float(each.sum()) for each in (y & f, ~y & f, y & ~f, ~y & ~f)))


def total(of: np.ndarray) -> float:
    return float(of.sum())


# SageMaker Clarify's definitions, on rows.
CASES: dict[Callable[[Confusion, Confusion], Metric], Callable[[Rows, Rows], float]] = {
    demographic_parity_difference: lambda a, d: a.f.mean() - d.f.mean(),
    disparate_impact: lambda a, d: d.f.mean() / a.f.mean(),
    recall_difference: lambda a, d: a.f[a.y].mean() - d.f[d.y].mean(),
    specificity_difference: lambda a, d: (~d.f)[~d.y].mean() - (~a.f)[~a.y].mean(),
    acceptance_rate_difference: lambda a, d: a.y[a.f].mean() - d.y[d.f].mean(),
    rejection_rate_difference: lambda a, d: (~d.y)[~d.f].mean() - (~a.y)[~a.f].mean(),
    accuracy_difference: lambda a, d: (a.y == a.f).mean() - (d.y == d.f).mean(),
    conditional_acceptance_difference: lambda a, d: total(a.y) / total(a.f) - total(d.y) / total(d.f),
    conditional_rejection_difference: lambda a, d: total(~d.y) / total(~d.f) - total(~a.y) / total(~a.f),
    treatment_equality: lambda a, d: (
        total(d.y & ~d.f) / total(~d.y & d.f) - total(a.y & ~a.f) / total(~a.y & a.f)
    ),
}
CHANCES = np.array([[0.25, 0.10, 0.12, 0.53], [0.15, 0.12, 0.14, 0.59]])  # tp, fp, fn, tn of a and of d
TABLES = st.tuples(*[st.sampled_from([0.0, 1.0, 2.5, 40.0])] * 4).map(lambda cells: Confusion(*cells))


def facet(n: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.3
    return Rows(y, rng.random(n) < np.where(y, 0.7, 0.2))


@pytest.mark.parametrize("metric", CASES)
def test_it_is_clarifys_definition(metric: Callable[[Confusion, Confusion], Metric]) -> None:
    a, d = facet(900, 1), facet(350, 2)
    found = metric(a.table(), d.table())
    assert found.name == metric.__name__
    assert found.value == pytest.approx(CASES[metric](a, d), abs=1e-12)
    assert (found.n, found.bound) == (1_250, 0)


@pytest.mark.parametrize("metric", CASES)
def test_intervals_hold_the_truth_in_95_of_100(metric: Callable[[Confusion, Confusion], Metric]) -> None:
    rng = np.random.default_rng(3)
    truth = metric(Confusion(*CHANCES[0] * 1e9), Confusion(*CHANCES[1] * 1e9)).value
    draws = zip(rng.multinomial(600, CHANCES[0], 2_000), rng.multinomial(300, CHANCES[1], 2_000), strict=True)
    found = [metric(Confusion(*map(float, a)), Confusion(*map(float, d))) for a, d in draws]
    assert 0.93 <= coverage(found, truth) <= 0.97


@pytest.mark.parametrize("metric", CASES)
def test_inside_a_cell_it_is_within_the_bound(metric: Callable[[Confusion, Confusion], Metric]) -> None:
    off = []
    for seed in range(8):
        rows = [scored_rows(n, 10 * seed + i) for i, n in enumerate((1_000, 400))]
        edges = equal_mass_edges(rows[0][0], 12)
        for threshold in (0.21, 0.3, 0.42):
            tables = [confusion_at(count_binary(*each, edges), threshold) for each in rows]
            raw = [Rows(labels == 1, scores >= threshold) for scores, labels in rows]
            found = metric(*tables)
            off.append(abs(found.value - CASES[metric](*raw)))
            assert off[-1] <= found.bound + 1e-12
    assert max(off) > 0.01


@given(TABLES, TABLES)
def test_any_counts_give_a_sound_answer(a: Confusion, d: Confusion) -> None:
    for metric in CASES:
        assert_sound(metric(a, d))
    assert_sound(generalized_entropy(a))
    one, other = demographic_parity_difference(a, d), demographic_parity_difference(d, a)
    if one.value is not None:
        assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))


def test_four_fifths_needs_evidence() -> None:
    def impact(n: int) -> Metric:
        return disparate_impact(Confusion(0.5 * n, 0, 0, 0.5 * n), Confusion(0.35 * n, 0, 0, 0.65 * n))

    assert impact(20).value == impact(1_000).value == pytest.approx(0.7)
    assert violates_four_fifths(impact(20)) is False
    assert violates_four_fifths(impact(1_000)) is True
    assert violates_four_fifths(disparate_impact(Confusion(0, 0, 0, 0), Confusion(1, 1, 1, 1))) is None


def test_disparity_within_strata_is_clarifys_definition() -> None:
    rng = np.random.default_rng(4)
    group, is_d, accepted = rng.integers(0, 3, 500), rng.random(500) < 0.4, rng.random(500) < 0.6
    expected = 0.0
    for each in range(3):
        inside = group == each
        of_rejected, of_accepted = (is_d[inside & (accepted == yes)].mean() for yes in (False, True))
        expected += inside.sum() / 500 * (of_rejected - of_accepted)
    a, d = (
        [[(facet & (group == i) & (accepted == yes)).sum() for yes in (False, True)] for i in range(3)]
        for facet in (~is_d, is_d)
    )
    found = conditional_demographic_disparity(a, d)
    assert found.value == pytest.approx(expected, abs=1e-12)
    with_empty = conditional_demographic_disparity([*a, [0, 7]], [*d, [0, 9]])
    assert (with_empty.value, with_empty.n) == (found.value, 500)


def test_the_paradox_that_strata_are_for() -> None:
    # Berkeley: d applies where few are accepted; within each department there is no disparity.
    a, d = np.array([[10, 90], [90, 10]]), np.array([[2, 18], [180, 20]])
    assert conditional_demographic_disparity(a, d).value == pytest.approx(0)
    assert conditional_demographic_disparity(a.sum(0, keepdims=True), d.sum(0, keepdims=True)).low > 0.1


def test_the_interval_of_disparity_holds_the_truth() -> None:
    rng = np.random.default_rng(5)
    # [facet, stratum, outcome]
    chances = np.array([[[0.10, 0.20], [0.15, 0.05]], [[0.12, 0.10], [0.18, 0.10]]])
    truth = conditional_demographic_disparity(*(chances * 1e9)).value
    draws = rng.multinomial(500, chances.reshape(-1), 2_000).reshape(-1, 2, 2, 2)
    assert 0.93 <= coverage([conditional_demographic_disparity(*draw) for draw in draws], truth) <= 0.97


def test_generalized_entropy_is_the_formula_on_rows() -> None:
    rows = facet(800, 6)
    benefit = rows.f.astype(float) - rows.y + 1
    expected = np.mean((benefit / benefit.mean()) ** 2 - 1) / 2
    assert generalized_entropy(rows.table()).value == pytest.approx(expected, abs=1e-12)


def test_the_interval_of_generalized_entropy_holds_the_truth() -> None:
    rng = np.random.default_rng(7)
    truth = generalized_entropy(Confusion(*CHANCES[0] * 1e9)).value
    draws = rng.multinomial(500, CHANCES[0], 2_000)
    found = [generalized_entropy(Confusion(*map(float, each))) for each in draws]
    assert 0.93 <= coverage(found, truth) <= 0.97


def test_the_bound_of_generalized_entropy_holds_at_its_peak() -> None:
    # The largest is at 30 false positives, between the two ends.
    found = generalized_entropy(Confusion(10, 20, 10, 60, negatives_in_doubt=20))
    between = [generalized_entropy(Confusion(10, 20 + k, 10, 60 - k)).value for k in range(21)]
    assert np.argmax(between) == 10
    assert found.bound == pytest.approx(max(between) - found.value, abs=1e-12)


def test_nothing_to_tell() -> None:
    some, none = Confusion(1, 1, 1, 1), Confusion(0, 0, 0, 0)
    for metric in CASES:
        assert metric(some, none).value is None
        assert metric(none, some).reason
    assert "advantaged facet is positive" in disparate_impact(Confusion(0, 0, 2, 2), some).reason
    assert recall_difference(some, Confusion(0, 1, 0, 1)).reason == "of a facet, no labelled row is positive"
    assert treatment_equality(some, Confusion(1, 0, 1, 1)).reason == "a facet has no false positive"
    assert "no row has a benefit" in generalized_entropy(Confusion(0, 0, 3, 0)).reason
    assert conditional_demographic_disparity(np.zeros((0, 2)), np.zeros((0, 2))).value is None


@pytest.mark.parametrize(
    ("a", "d", "message"),
    [
        ([[1, 2, 3]], [[1, 2, 3]], "strata, 2"),
        ([[1, 2]], [[1, 2], [3, 4]], "strata, 2"),
        ([[1, -2]], [[1, 2]], "negative"),
    ],
)
def test_what_is_refused(a: list, d: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conditional_demographic_disparity(a, d)
