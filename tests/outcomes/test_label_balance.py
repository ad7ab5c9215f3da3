"""Balance of facets and of their labels against SciPy and formulas, and their intervals by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.spatial.distance import jensenshannon
from tests.outcomes.samples import assert_sound, coverage

from tidegauge.outcomes.label_balance import (
    class_imbalance,
    jensen_shannon,
    kullback_leibler,
    label_proportion_difference,
    largest_difference,
    lp_norm,
    total_variation,
)

DISTANCES = {
    kullback_leibler: stats.entropy,
    jensen_shannon: lambda p, q: jensenshannon(p, q) ** 2,
    lp_norm: lambda p, q: np.sqrt(((p - q) ** 2).sum()),
    total_variation: lambda p, q: np.abs(p - q).sum() / 2,
    largest_difference: lambda p, q: np.abs(p - q).max(),
}
P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.32, 0.38])
COUNTS = arrays(np.float64, 3, elements=st.sampled_from([0.0, 1.0, 2.5, 40.0]))


@pytest.mark.parametrize("metric", DISTANCES)
def test_it_is_the_formula(metric) -> None:
    a, d = np.array([50, 30, 20, 7]), np.array([9, 9, 30, 1])
    found = metric(a, d)
    assert found.name == metric.__name__
    assert found.value == pytest.approx(DISTANCES[metric](a / a.sum(), d / d.sum()), abs=1e-12)
    assert found.direction == "higher_is_worse"


@pytest.mark.parametrize("metric", DISTANCES)
def test_intervals_hold_the_truth_in_95_of_100(metric) -> None:
    rng = np.random.default_rng(1)
    draws = zip(rng.multinomial(1_000, P, 2_000), rng.multinomial(600, Q, 2_000), strict=True)
    found = [metric(a, d) for a, d in draws]
    assert 0.93 <= coverage(found, DISTANCES[metric](P, Q)) <= 0.97


def test_intervals_of_shares_hold_the_truth_in_95_of_100() -> None:
    rng = np.random.default_rng(2)
    sizes = rng.binomial(400, 0.8, 2_000)
    assert 0.93 <= coverage([class_imbalance(n, 400 - n) for n in sizes], 0.6) <= 0.97
    draws = zip(rng.binomial(300, 0.4, 2_000), rng.binomial(90, 0.25, 2_000), strict=True)
    found = [label_proportion_difference(a, 300, d, 90) for a, d in draws]
    assert 0.93 <= coverage(found, 0.15) <= 0.97


@given(COUNTS, COUNTS)
def test_any_counts_give_a_sound_answer(a: np.ndarray, d: np.ndarray) -> None:
    for metric in DISTANCES:
        found = metric(a, d)
        assert_sound(found)
        if a.sum() > 0:
            assert metric(a, a).value == pytest.approx(0, abs=1e-12)
        if metric is not kullback_leibler and found.value is not None:
            assert metric(d, a).value == pytest.approx(found.value, abs=1e-12)
    assert_sound(class_imbalance(a[0], d[0]))
    assert_sound(label_proportion_difference(a[0], a.sum(), d[0], d.sum()))


def test_nothing_to_tell() -> None:
    for metric in DISTANCES:
        assert metric([0, 0], [1, 2]).reason == "a facet has no row"
    assert kullback_leibler([1, 2], [0, 3]).reason == "the disadvantaged facet lacks a class"
    assert class_imbalance(0, 0).reason == "there is no row"
    assert label_proportion_difference(0, 0, 1, 2).reason == "a facet has no row"


@pytest.mark.parametrize(("a", "d", "message"), [([1, 2], [1], "shape"), ([1, -2], [1, 2], "negative")])
def test_what_is_refused(a: list, d: list, message: str) -> None:
    for metric in DISTANCES:
        with pytest.raises(ValueError, match=message):
            metric(a, d)
