"""KS and Wasserstein against SciPy on raw values, hand-worked figures, and their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

import tidegauge as tg
from tidegauge.drift import energy, energy_floor, ks, ks_floor, ks_p_value, wasserstein, wasserstein_floor

CELLS = arrays(np.int64, 6, elements=st.integers(0, 1_000)).filter(lambda c: c.sum() > 0)
EDGES = np.array([0.0, 1.0, 1.5, 4.0, 10.0])
RANGE = (-2.0, 12.0)


def cells_of(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def test_ks_by_hand() -> None:
    # F = .1 .3 .6 1 and G = .4 .5 .6 1 at the ends of the first four places.
    assert ks([1, 2, 3, 4], [4, 1, 1, 4]) == pytest.approx(0.3)


def test_ks_is_scipys_when_every_value_has_its_cell() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.poisson(5.0, 400), rng.poisson(5.6, 300)
    edges = np.arange(0, 30)
    found = ks(cells_of(x, edges), cells_of(y, edges))
    assert found == pytest.approx(stats.ks_2samp(x, y).statistic)


def test_ks_is_below_the_exact_distance_by_a_cell_at_most() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(0, 1, 5_000), rng.normal(0.1, 1.1, 3_000)
    edges = np.quantile(x, np.linspace(0, 1, 33))
    a, b = cells_of(x, edges), cells_of(y, edges)
    exact = stats.ks_2samp(x, y).statistic
    most = max((a / a.sum()).max(), (b / b.sum()).max())
    assert exact - most <= ks(a, b) <= exact


@given(CELLS, CELLS)
def test_laws_of_ks(a: np.ndarray, b: np.ndarray) -> None:
    assert ks(a, b) == pytest.approx(ks(b, a))
    assert 0 <= ks(a, b) <= 1
    assert ks(a, a) == 0
    assert ks(a, b) == pytest.approx(ks(a[::-1], b[::-1]))


def test_ks_p_is_near_scipys() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(0, 1, 2_000), rng.normal(0.06, 1, 1_500)
    exact = stats.ks_2samp(x, y)
    assert ks_p_value(exact.statistic, 2_000, 1_500) == pytest.approx(exact.pvalue, rel=0.05)
    assert ks_p_value(0.0, 10, 10) == 1.0


def test_the_floor_of_ks() -> None:
    rng = np.random.default_rng(6)
    found = [stats.ks_2samp(rng.random(2_000), rng.random(1_000)).statistic for _ in range(300)]
    assert np.mean(found) == pytest.approx(ks_floor(2_000, 1_000), rel=0.06)


def test_wasserstein_by_hand() -> None:
    # All mass moves from [0, 1) to [2, 3), evenly spread: by 2.
    edges = [0.0, 1.0, 2.0, 3.0]
    moved = wasserstein([0, 5, 0, 0, 0], [0, 0, 0, 7, 0], edges, (0.0, 1.0), (2.0, 3.0))
    assert moved == pytest.approx(2.0)
    # From evenly spread over [0, 2) to two halves of unlike mass: F - G is a triangle of height 1/4 and base
    # 2.
    assert wasserstein([0, 1, 1, 0, 0], [0, 1, 3, 0, 0], edges, (0, 2), (0, 2)) == pytest.approx(0.25)
    # All mass from [3, 13) above to [3, 5) above: means 8 and 4.
    assert wasserstein([0, 0, 0, 0, 5], [0, 0, 0, 0, 9], edges, (3, 13), (3, 5)) == pytest.approx(4.0)
    # And below: [-10, 0) against [-2, 0).
    assert wasserstein([5, 0, 0, 0, 0], [9, 0, 0, 0, 0], edges, (-10, 0), (-2, 0)) == pytest.approx(4.0)


def test_wasserstein_where_the_distributions_cross_inside_a_cell() -> None:
    # F - G goes from +1/4 to -1/4 along the middle cell: two triangles of base 1/2, and one at each side.
    found = wasserstein([0, 2, 0, 2, 0], [0, 1, 2, 1, 0], [0.0, 1.0, 2.0, 3.0], (0, 3), (0, 3))
    assert found == pytest.approx(0.125 + 0.125 + 0.125)


def test_wasserstein_is_scipys_within_the_bound() -> None:
    rng = np.random.default_rng(7)
    for scale, shift in ((1.0, 0.0), (1.3, 0.2), (1.0, 3.0), (5.0, -1.0)):
        x, y = rng.gamma(2.0, 1.0, 4_000), rng.gamma(2.0, scale, 3_000) + shift
        edges = np.quantile(x, np.linspace(0.01, 0.99, 65))
        a, b = cells_of(x, edges), cells_of(y, edges)
        found = wasserstein(a, b, edges, (x.min(), x.max()), (y.min(), y.max()))
        bound = 0.0
        for counts, values in ((a, x), (b, y)):
            ends = np.r_[min(values.min(), edges[0]), edges, max(values.max(), edges[-1])]
            bound += (counts / counts.sum() * np.diff(ends)).sum() / 2
        assert abs(found - stats.wasserstein_distance(x, y)) <= bound


@given(CELLS, CELLS)
def test_laws_of_wasserstein(a: np.ndarray, b: np.ndarray) -> None:
    distance = wasserstein(a, b, EDGES, RANGE, RANGE)
    assert distance == pytest.approx(wasserstein(b, a, EDGES, RANGE, RANGE), rel=1e-9, abs=1e-12)
    assert wasserstein(a, a, EDGES, RANGE, RANGE) == 0
    assert 0 <= distance <= RANGE[1] - RANGE[0]
    # Moving and stretching the axis moves nothing and stretches the distance.
    stretched = wasserstein(a, b, 3 * EDGES + 7, (1.0, 43.0), (1.0, 43.0))
    assert stretched == pytest.approx(3 * distance, rel=1e-9, abs=1e-9)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4))
def test_stacked_columns_are_treated_one_by_one(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    a, b = (np.stack(side) for side in zip(*pairs, strict=True))
    edges = np.broadcast_to(EDGES, (len(pairs), len(EDGES)))
    ends = np.full(len(pairs), RANGE[0]), np.full(len(pairs), RANGE[1])
    together = wasserstein(a, b, edges, ends, ends)
    alone = [float(wasserstein(x, y, EDGES, RANGE, RANGE)) for x, y in pairs]
    assert together == pytest.approx(alone, rel=1e-12, abs=1e-15)
    assert ks(a, b) == pytest.approx([float(ks(x, y)) for x, y in pairs])


def test_no_rows_is_undefined() -> None:
    nothing = (np.nan, np.nan)
    assert np.isnan(ks([0, 0, 0], [1, 1, 1]))
    assert np.isnan(wasserstein([0, 0, 0], [0, 1, 0], [0.0, 1.0], nothing, (0.0, 1.0)))
    assert np.isnan(ks_p_value(np.nan, 0, 5))


def test_distances_beyond_a_double_warn_of_nothing() -> None:
    edges, ends = np.array([-1.7e308, 0.0, 1.7e308]), (-1.79e308, 1.79e308)
    for distance in (wasserstein, wasserstein_floor, energy, energy_floor):
        assert distance([9, 1, 0, 0], [0, 0, 1, 9], edges, ends, ends) > 0, distance


def test_a_comparison_of_numbers_near_the_largest_warns_of_nothing() -> None:
    rows = np.arange(100.0)
    reference = tg.Reference.fit({"x": np.r_[rows, 1.7e308], "y": np.r_[-1.7e308, rows]})
    current = {"x": np.full(100, 1.7e308), "y": np.full(100, 1.7e308)}
    comparison = tg.compare(reference, tg.profile(current, reference))
    assert comparison.value("energy", "x") is None
    assert comparison.value("ks", "x") == pytest.approx(100 / 101)
