"""Divergences against SciPy, hand-worked figures and slow loops, and their laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon

from tidegauge.drift import (
    hellinger,
    hellinger_floor,
    jensen_shannon,
    jensen_shannon_floor,
    psi,
    psi_floor,
    psi_interval,
    total_variation,
    total_variation_floor,
)

EACH = (psi, jensen_shannon, hellinger, total_variation)
COUNTS = arrays(np.int64, 6, elements=st.integers(0, 10**6)).filter(lambda c: c.sum() > 0)


def slow_psi(a: list[int], b: list[int]) -> float:
    cells = [(x, y) for x, y in zip(a, b, strict=True) if x + y > 0]
    n, m = sum(a) + len(cells) / 2, sum(b) + len(cells) / 2
    return sum(((y + 0.5) / m - (x + 0.5) / n) * math.log((y + 0.5) / m / ((x + 0.5) / n)) for x, y in cells)


@given(COUNTS, COUNTS)
def test_psi_equals_a_slow_loop(a: np.ndarray, b: np.ndarray) -> None:
    assert psi(a, b) == pytest.approx(slow_psi(a.tolist(), b.tolist()), rel=1e-9, abs=1e-12)


def test_hand_worked_figures() -> None:
    a, b = [50, 50], [75, 25]
    # Smoothed shares 50.5/101 and 75.5/101, 25.5/101: 25/101 ln(75.5/25.5).
    assert psi(a, b) == pytest.approx(25 / 101 * math.log(75.5 / 25.5))
    assert total_variation(a, b) == pytest.approx(0.25)
    assert hellinger(a, b) == pytest.approx(math.sqrt(1 - math.sqrt(0.375) - math.sqrt(0.125)))
    assert psi_floor(a, b) == pytest.approx(0.02)
    assert hellinger_floor(a, b) == pytest.approx(math.sqrt(0.02 / 8))
    assert jensen_shannon_floor(a, b) == pytest.approx(math.sqrt(0.02 / 8 / math.log(2)))


@given(COUNTS, COUNTS)
def test_jensen_shannon_is_scipys_in_base_2(a: np.ndarray, b: np.ndarray) -> None:
    assert jensen_shannon(a, b) ** 2 == pytest.approx(
        np.nan_to_num(jensenshannon(a, b, base=2)) ** 2, abs=1e-12
    )


@given(COUNTS, COUNTS)
def test_ranges_and_symmetry(a: np.ndarray, b: np.ndarray) -> None:
    for statistic in EACH:
        assert statistic(a, b) == pytest.approx(statistic(b, a), rel=1e-12, abs=1e-12)
        assert statistic(a, a) == pytest.approx(0.0, abs=1e-7)
        assert statistic(a, b) >= 0
    for distance in EACH[1:]:
        assert distance(a, b) <= 1


def test_disjoint_samples_are_at_the_top_of_the_range() -> None:
    for distance in EACH[1:]:
        assert distance([5, 0], [0, 9]) == pytest.approx(1.0)


@given(COUNTS, COUNTS)
def test_empty_cells_and_stacking_change_nothing(a: np.ndarray, b: np.ndarray) -> None:
    padded_a, padded_b = np.append(a, [0, 0]), np.append(b, [0, 0])
    for statistic in (*EACH, psi_floor, hellinger_floor, jensen_shannon_floor, total_variation_floor):
        alone = statistic(a, b)
        assert statistic(padded_a, padded_b) == pytest.approx(alone, rel=1e-12, abs=1e-15)
        stacked = statistic(np.stack([a, b]), np.stack([b, b]))
        assert stacked.shape == (2,)
        assert stacked[0] == pytest.approx(alone, rel=1e-12, abs=1e-15)


def test_no_rows_is_undefined() -> None:
    for statistic in (*EACH, psi_floor, hellinger_floor, jensen_shannon_floor, total_variation_floor):
        for a, b in (([0, 0], [1, 2]), ([1, 2], [0, 0]), ([0, 0], [0, 0])):
            assert np.isnan(statistic(a, b)), (statistic, a, b)
    assert np.isnan(psi_interval([0, 0], [1, 2])).all()


def test_one_cell_is_no_distance() -> None:
    for statistic in EACH:
        assert statistic([7], [11]) == 0


def test_psi_of_a_small_normal_shift_is_its_square() -> None:
    from scipy.stats import norm

    edges = norm.ppf(np.linspace(0, 1, 257))
    a = np.rint(1e9 * np.diff(norm.cdf(edges)))
    b = np.rint(1e9 * np.diff(norm.cdf(edges - 0.1)))
    assert psi(a, b) == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize(
    ("n", "m", "n_cells"), [(100_000, 5_000, 32), (20_000, 2_000, 10), (670_000, 95_000, 34)]
)
@pytest.mark.parametrize("tilt", [0.0, 0.05, 0.2, 0.45])
def test_the_interval_covers_and_the_floor_is_the_bias(n: int, m: int, n_cells: int, tilt: float) -> None:
    rng = np.random.default_rng(n_cells)
    p = np.full(n_cells, 1 / n_cells)
    q = p * np.exp(tilt * np.linspace(-1.7, 1.7, n_cells))
    q /= q.sum()
    truth = ((q - p) * np.log(q / p)).sum()
    a, b = rng.multinomial(n, p, 2_000), rng.multinomial(m, q, 2_000)
    estimate, low, high = psi_interval(a, b)
    # 2,000 draws: the share has a standard error of 0.5 %.
    assert ((low <= truth) & (truth <= high)).mean() >= 0.935
    assert ((low > truth).mean()) <= 0.045
    spread = estimate.std() / math.sqrt(2_000)
    assert abs(estimate.mean() - truth) <= 4 * spread + 3e-4
    if tilt == 0.0:
        assert psi(a, b).mean() == pytest.approx(psi_floor(a, b).mean(), rel=0.05)
        assert total_variation(a, b).mean() == pytest.approx(total_variation_floor(a, b).mean(), rel=0.05)
        assert hellinger(a, b).mean() == pytest.approx(hellinger_floor(a, b).mean(), rel=0.05)
        assert jensen_shannon(a, b).mean() == pytest.approx(jensen_shannon_floor(a, b).mean(), rel=0.05)
