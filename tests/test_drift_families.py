"""The p and floors of unordered statistics, and the test of variances: SciPy, slow loops, simulated sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.spatial.distance import jensenshannon

from tidegauge.drift import (
    chi_square,
    cramers_v,
    cramers_v_floor,
    g_test,
    hellinger_p_value,
    jensen_shannon,
    jensen_shannon_divergence,
    jensen_shannon_divergence_floor,
    jensen_shannon_p_value,
    kl,
    kl_floor,
    kl_p_value,
    psi,
    psi_p_value,
    variance_ratio,
    variance_ratio_floor,
    variance_test,
)

COUNTS = arrays(np.int64, 5, elements=st.integers(0, 5_000)).filter(lambda c: c.sum() > 0)
P_VALUES = (psi_p_value, kl_p_value, jensen_shannon_p_value, hellinger_p_value)


@given(COUNTS, COUNTS)
def test_kl_is_half_of_psi_and_scipys(a: np.ndarray, b: np.ndarray) -> None:
    assert kl(a, b) + kl(b, a) == pytest.approx(psi(a, b), rel=1e-9, abs=1e-12)
    used = a + b > 0
    # Half a row in every cell; SciPy divides by the sums.
    expected = stats.entropy(b[used] + 0.5, a[used] + 0.5)
    assert kl(a, b) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert kl(np.append(a, 0), np.append(b, 0)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_kl_by_hand_and_its_direction() -> None:
    # Smoothed shares 50.5/101 twice, and 75.5/101, 25.5/101.
    expected = (75.5 * math.log(75.5 / 50.5) + 25.5 * math.log(25.5 / 50.5)) / 101
    assert kl([50, 50], [75, 25]) == pytest.approx(expected)
    assert kl([75, 25], [50, 50]) != pytest.approx(expected, rel=1e-3)
    # What the reference hardly has is dear; what the current rows lack is not.
    assert kl([999, 1], [500, 500]) > 3 * kl([500, 500], [999, 1])


@given(COUNTS, COUNTS)
def test_jensen_shannon_divergence_is_the_square_of_scipys_distance(a: np.ndarray, b: np.ndarray) -> None:
    divergence = jensen_shannon_divergence(a, b)
    assert divergence == pytest.approx(np.nan_to_num(jensenshannon(a, b, base=2)) ** 2, abs=1e-12)
    assert divergence == pytest.approx(jensen_shannon(a, b) ** 2, abs=1e-12)


@pytest.mark.parametrize(("n", "m", "n_cells"), [(50_000, 5_000, 20), (20_000, 2_000, 10)])
def test_the_p_and_floors_of_divergences(n: int, m: int, n_cells: int) -> None:
    rng = np.random.default_rng(24)
    share = rng.dirichlet(np.full(n_cells, 5.0))
    a, b = rng.multinomial(n, share, 4_000), rng.multinomial(m, share, 4_000)
    for p_value in P_VALUES:
        p = p_value(a, b)
        assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.014), p_value
        assert (p <= 0.01).mean() == pytest.approx(0.01, abs=0.007), p_value
    assert kl(a, b).mean() == pytest.approx(kl_floor(a, b).mean(), rel=0.05)
    floor = jensen_shannon_divergence_floor(a, b)
    assert jensen_shannon_divergence(a, b).mean() == pytest.approx(floor.mean(), rel=0.05)


def test_near_no_change_all_divergences_are_one_test() -> None:
    a, b = np.array([30_000, 50_000, 20_000]), np.array([3_150, 4_900, 1_950])
    exact = chi_square(a, b)[2]
    for p_value in P_VALUES:
        assert p_value(a, b) == pytest.approx(exact, rel=0.1)
    assert g_test(a, b)[2] == pytest.approx(exact, rel=0.1)


def test_p_of_divergences_at_the_ends() -> None:
    for p_value in P_VALUES:
        assert p_value([7], [11]) == 1.0
        assert p_value([[5, 5], [5, 0]], [[5, 5], [9, 0]]).tolist() == [1.0, 1.0]
        for a, b in (([0, 0], [1, 2]), ([1, 2], [0, 0])):
            assert np.isnan(p_value(a, b))
    for floor in (kl_floor, jensen_shannon_divergence_floor, cramers_v_floor):
        assert np.isnan(floor([0, 0], [1, 2]))


@given(COUNTS, COUNTS)
def test_g_is_scipys(a: np.ndarray, b: np.ndarray) -> None:
    table = np.stack([a, b])[:, (a + b) > 0]
    expected = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
    g, degrees, p = g_test(a, b)
    assert g == pytest.approx(expected.statistic, rel=1e-7, abs=1e-6)
    assert degrees == expected.dof
    assert p == pytest.approx(expected.pvalue, rel=1e-5, abs=1e-300)


def test_g_is_the_power_divergence_of_lambda_0() -> None:
    a, b = np.array([40, 60, 100]), np.array([70, 20, 30])
    expected = np.outer([200, 120], a + b) / 320
    found = stats.power_divergence(np.stack([a, b]).ravel(), expected.ravel(), lambda_="log-likelihood")
    assert g_test(a, b)[0] == pytest.approx(found.statistic)
    assert np.isnan(g_test([0, 0], [1, 2])[0])
    assert [float(each) for each in g_test([7], [9])] == [0.0, 0.0, 1.0]


def slow_v(a: list[int], b: list[int]) -> float:
    """Bergsma's formula by its own letters: r rows, c columns of the table."""
    used = [(x, y) for x, y in zip(a, b, strict=True) if x + y]
    r, c, total = len(used), 2, sum(a) + sum(b)
    if r == 1 or not sum(a) or not sum(b):
        return 0.0
    statistic = 0.0
    for pair in used:
        for observed, column in zip(pair, (sum(a), sum(b)), strict=True):
            expected = sum(pair) * column / total
            statistic += (observed - expected) ** 2 / expected
    square = max(0.0, statistic / total - (r - 1) * (c - 1) / (total - 1))
    rows, columns = (k - (k - 1) ** 2 / (total - 1) for k in (r, c))
    return min(1.0, math.sqrt(square / (min(rows, columns) - 1)))


@given(
    arrays(np.int64, 4, elements=st.integers(0, 500)).filter(lambda c: c.sum() > 3),
    arrays(np.int64, 4, elements=st.integers(0, 500)).filter(lambda c: c.sum() > 3),
)
def test_cramers_v_equals_a_slow_loop(a: np.ndarray, b: np.ndarray) -> None:
    assert cramers_v(a, b) == pytest.approx(slow_v(a.tolist(), b.tolist()), rel=1e-9, abs=1e-7)
    assert cramers_v(a, a) == 0.0


def test_cramers_v_at_the_ends_and_its_floor() -> None:
    assert cramers_v([900, 0], [0, 900]) == pytest.approx(1.0)
    assert cramers_v([5], [6]) == 0.0
    assert cramers_v([1, 1, 0], [0, 0, 1]) == 0.0
    assert cramers_v_floor([1, 1, 0], [0, 0, 1]) == 1.0
    assert cramers_v_floor([5], [6]) == 0.0
    assert np.isnan(cramers_v([0, 0], [1, 2]))
    rng = np.random.default_rng(25)
    for n_cells in (2, 5, 40, 100):
        share = np.full(n_cells, 1 / n_cells)
        a, b = rng.multinomial(20_000, share, 20_000), rng.multinomial(2_000, share, 20_000)
        assert cramers_v(a, b).mean() == pytest.approx(cramers_v_floor(a, b).mean(), rel=0.05)


def sums(x: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    off = x - x.mean(axis=-1, keepdims=True)
    return x.shape[-1], (off**2).sum(axis=-1), (off**4).sum(axis=-1)


def test_variance_test_equals_a_slow_formula() -> None:
    rng = np.random.default_rng(26)
    x, y = rng.gamma(3.0, 1.0, 400), rng.gamma(3.0, 1.3, 150)
    ratio, low, high, p = variance_test(sums(x), sums(y))
    assert ratio == pytest.approx(variance_ratio(x.var(ddof=1), y.var(ddof=1)))
    off = np.r_[x - x.mean(), y - y.mean()]
    kurtosis = stats.kurtosis(off, fisher=False) * (off**2).mean() ** 2 / (off**2).mean() ** 2
    error = math.sqrt((kurtosis - 3) * (1 / 400 + 1 / 150) + 2 / 399 + 2 / 149)
    assert p == pytest.approx(2 * stats.norm.sf(abs(math.log(ratio)) / error), rel=1e-9)
    assert [low, high] == pytest.approx(
        [ratio * math.exp(-1.959964 * error), ratio * math.exp(1.959964 * error)]
    )


@pytest.mark.parametrize("draw", ["normal", "uniform", "exponential", "binary"])
def test_variance_test_holds_its_size(draw: str) -> None:
    rng = np.random.default_rng(27)
    sample = {
        "normal": rng.standard_normal,
        "uniform": rng.random,
        "exponential": rng.standard_exponential,
        "binary": lambda size: (rng.random(size) < 0.2) * 1.0,
    }[draw]
    x, y = sample((1_500, 2_000)), sample((1_500, 500))
    ratio, low, high, p = variance_test(sums(x), sums(y))
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.02)
    assert ((low <= 1) & (high >= 1)).mean() == pytest.approx(0.95, abs=0.02)
    floor = variance_ratio_floor(sums(x), sums(y))
    assert np.abs(np.log(ratio)).mean() == pytest.approx(floor.mean(), rel=0.08)


def test_variance_test_where_nothing_varies() -> None:
    assert np.isnan(variance_test((10, 0.0, 0.0), (10, 1.0, 1.0))).all()
    assert np.isnan(variance_test((1, 0.0, 0.0), (10, 1.0, 1.0))).all()
    assert np.isnan(variance_test((10, np.nan, np.nan), (10, 1.0, 1.0))).all()
    # Two values, half and half: the variance cannot vary but by its size.
    assert variance_test((10, 10.0, 10.0), (10, 10.0, 10.0))[3] == 1.0
