"""Chi-square, shares and moments against SciPy, published examples, and simulated sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from tidegauge.drift import chi_square, mean_change, share_change, share_p_value, variance_ratio

COUNTS = arrays(np.int64, 5, elements=st.integers(0, 5_000)).filter(lambda c: c.sum() > 0)


@given(COUNTS, COUNTS)
def test_chi_square_is_scipys(a: np.ndarray, b: np.ndarray) -> None:
    table = np.stack([a, b])[:, (a + b) > 0]
    statistic, degrees, p = chi_square(a, b)
    expected = stats.chi2_contingency(table, correction=False)
    assert statistic == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
    assert degrees == expected.dof
    assert p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-300)


def test_chi_square_of_one_cell_and_of_no_rows() -> None:
    assert [float(each) for each in chi_square([7], [9])] == [0.0, 0.0, 1.0]
    statistic, degrees, p = chi_square([[0, 0], [1, 1]], [[3, 4], [0, 0]])
    assert np.isnan(statistic).all()
    assert np.isnan(p).all()
    assert degrees.tolist() == [1.0, 1.0]


def test_chi_square_holds_its_size() -> None:
    rng = np.random.default_rng(8)
    share = rng.dirichlet(np.full(20, 2.0))
    _, _, p = chi_square(rng.multinomial(50_000, share, 4_000), rng.multinomial(5_000, share, 4_000))
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.012)
    assert (p <= 0.01).mean() == pytest.approx(0.01, abs=0.006)


@pytest.mark.parametrize(
    ("hits", "low", "high"),
    # Newcombe (1998), "Interval estimation for the difference between independent proportions", table II,
    # method 10: 56/70 - 48/80, 9/10 - 3/10, 6/7 - 2/7, 0/10 - 0/20, 10/10 - 0/20.
    [
        ((48, 80, 56, 70), 0.0524, 0.3339),
        ((3, 10, 9, 10), 0.1705, 0.8090),
        ((2, 7, 6, 7), 0.0582, 0.8062),
        ((0, 20, 0, 10), -0.1611, 0.2775),
        ((0, 20, 10, 10), 0.6791, 1.0),
    ],
)
def test_newcombes_published_intervals(hits: tuple[int, int, int, int], low: float, high: float) -> None:
    change, lower, upper = share_change(*hits)
    assert change == pytest.approx(hits[2] / hits[3] - hits[0] / hits[1])
    assert lower == pytest.approx(low, abs=5e-5)
    assert upper == pytest.approx(high, abs=5e-5)


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_share_p_is_fishers_where_rows_are_few(n: int, m: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    p = float(share_p_value(a, n, b, m))
    expected = min(a + b, n + m - a - b) * min(n, m) / (n + m)
    if expected < 5:
        assert p == pytest.approx(stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue, rel=1e-6)
    else:
        table = stats.chi2_contingency([[a, n - a], [b, m - b]], correction=False)
        assert p == pytest.approx(table.pvalue, rel=1e-6, abs=1e-300)
    assert p == pytest.approx(float(share_p_value(b, m, a, n)), rel=1e-9)


def test_five_expected_rows_are_enough_for_the_normal_test() -> None:
    table = stats.chi2_contingency([[26, 10], [36, 0]], correction=False)
    assert float(share_p_value(26, 36, 36, 36)) == pytest.approx(table.pvalue, rel=1e-12)


def test_fishers_test_at_a_billion_rows() -> None:
    # 3 of 10^9 against 3 of 10^6: binomial, each of the six falls in the smaller sample with chance 1/1001.
    p = float(share_p_value(3, 10**9, 3, 10**6))
    assert p == pytest.approx(stats.binom.sf(2, 6, 1 / 1001), rel=1e-4)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.data())
def test_laws_of_share_change(n: int, m: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    change, low, high = (float(each) for each in share_change(a, n, b, m))
    assert -1 - 1e-12 <= low <= change <= high <= 1 + 1e-12
    back = [float(each) for each in share_change(b, m, a, n)]
    assert back == pytest.approx([-change, -high, -low], abs=1e-12)


def test_shares_without_rows_are_undefined() -> None:
    assert np.isnan(share_p_value(0, 0, 3, 9))
    assert np.isnan(share_change(0, 0, 3, 9)).all()
    assert share_p_value(0, 10, 0, 5) == 1.0
    assert share_p_value(10, 10, 5, 5) == 1.0


def test_mean_change_is_welchs() -> None:
    rng = np.random.default_rng(9)
    x, y = rng.normal(5.0, 2.0, 400), rng.normal(5.3, 3.0, 90)
    found = mean_change((400, x.mean(), x.var(ddof=1)), (90, y.mean(), y.var(ddof=1)))
    change, low, high, p = (float(each) for each in found)
    assert change == pytest.approx((y.mean() - x.mean()) / x.std(ddof=1))
    assert low < change < high
    assert p == pytest.approx(stats.ttest_ind(x, y, equal_var=False).pvalue, rel=1e-9)
    assert (change - low) == pytest.approx(
        1.959964 * np.sqrt(x.var(ddof=1) / 400 + y.var(ddof=1) / 90) / x.std(ddof=1), rel=1e-6
    )


def test_mean_change_where_nothing_varies() -> None:
    change, _, _, p = mean_change((10, 3.0, 0.0), (10, 3.0, 0.0))
    assert np.isnan(change)
    assert p == 1.0
    assert mean_change((10, 3.0, 0.0), (10, 4.0, 0.0))[3] == 0.0
    assert np.isnan(mean_change((0, np.nan, np.nan), (10, 4.0, 1.0))).all()
    assert np.isnan(mean_change((1, 3.0, np.nan), (10, 4.0, 1.0))).all()


def test_variance_ratio() -> None:
    assert variance_ratio(4.0, 9.0) == 2.25
    assert variance_ratio([4.0, 4.0], [4.0, 0.0]).tolist() == [1.0, 0.0]
    assert np.isnan(variance_ratio(0.0, 1.0))
    assert np.isnan(variance_ratio(1.0, np.nan))
