"""Tolerance tests: their size where the change is just tolerated, and what no size of sample may break."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from tidegauge.drift.tolerance import psi_tolerance_p_value, share_tolerance_p_value


def at_psi(shares: np.ndarray, direction: np.ndarray, psi: float) -> np.ndarray:
    """Tilt shares in a direction until their PSI to the untilted ones is `psi`, by halving."""
    low, high = 0.0, 5.0
    for _ in range(80):
        middle = (low + high) / 2.0
        tilted = shares * np.exp(middle * direction)
        tilted /= tilted.sum()
        if ((tilted - shares) * np.log(tilted / shares)).sum() < psi:
            low = middle
        else:
            high = middle
    return tilted


@pytest.mark.parametrize("psi", [0.01, 0.1])
@pytest.mark.parametrize(("n", "m"), [(10_000, 2_000), (100_000, 100_000), (10**9, 10**9)])
@pytest.mark.parametrize("shape", ["tilt", "one cell"])
def test_size_of_psi_at_the_boundary(psi: float, n: int, m: int, shape: str):
    rng = np.random.default_rng(int(psi * 100) + m)
    shares = np.full(20, 0.05)
    direction = np.linspace(-1.0, 1.0, 20) if shape == "tilt" else np.eye(20)[7]
    now = at_psi(shares, direction, psi)
    draws = 8_000
    p = psi_tolerance_p_value(rng.multinomial(n, shares, draws), rng.multinomial(m, now, draws), psi)
    # 4 to 6 % of a nominal 5 %, and three standard errors of so many draws.
    assert 0.04 - 0.0073 < (p <= 0.05).mean() < 0.06 + 0.0073


def test_psi_below_the_tolerance_is_never_proved_and_above_always():
    shares = np.full(32, 1 / 32)
    n = 10**9
    for psi, expected in ((0.005, 1.0), (0.0099, 1.0), (0.0101, 0.0), (0.02, 0.0)):
        now = np.rint(at_psi(shares, np.linspace(-1.0, 1.0, 32), psi) * n)
        p = float(psi_tolerance_p_value(np.rint(shares * n), now, 0.01))
        assert p == pytest.approx(expected, abs=1e-6), psi


def test_psi_of_degenerate_counts():
    def p(reference: list[int], current: list[int]) -> float:
        return float(psi_tolerance_p_value(reference, current, 0.01))

    assert np.isnan(p([0, 0], [5, 5]))
    assert np.isnan(p([5, 5], [0, 0]))
    assert np.isnan(p([0, 0], [0, 0]))
    assert p([100, 0], [7, 0]) == 1.0
    # One row decides nothing, however strange; a billion in the other cell do.
    assert p([1_000, 0], [0, 1]) > 0.01
    assert p([10**9, 0], [0, 10**9]) < 1e-300
    # Cells that are empty on both sides are not there.
    one, two = np.array([300, 200, 500]), np.array([90, 40, 70])
    padded = [np.concatenate([each, [0, 0, 0]]) for each in (one, two)]
    assert p(one.tolist(), two.tolist()) == p(*(each.tolist() for each in padded))


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3_000)), min_size=2, max_size=12),
    st.floats(1e-4, 1.0),
)
def test_psi_p_is_one_and_falls_as_less_is_tolerated(counts: list[tuple[int, int]], tolerance: float):
    a, b = np.array(counts).T
    p = psi_tolerance_p_value(a, b, np.array([tolerance, tolerance * 2.0]))
    assert np.isnan(p).all() == (not a.sum() or not b.sum())
    if not np.isnan(p).any():
        assert ((p >= 0) & (p <= 1)).all()
        assert p[1] >= p[0] - 1e-6


def slow_share(a: int, n: int, b: int, m: int, tolerance: float) -> float:
    """The mean of the binomial tail at (share + tolerance) over a beta(a + 1, n - a) share, by quadrature."""
    if n == a:
        return 1.0

    def tail(share: float) -> float:
        at = min(share + tolerance, 1.0)
        return stats.binom.sf(b - 1, m, at) * stats.beta.pdf(share, a + 1, n - a)

    law = stats.beta(a + 1, n - a)
    # Cut where either of the two is steep, and where the share reaches 1.
    step, width = b / m - tolerance, 1.0 / np.sqrt(m)
    cuts = [float(law.ppf(each)) for each in (0.0, 1e-9, 0.01, 0.5, 0.99, 1.0)]
    cuts += [step - 3 * width, step, step + 3 * width, 1.0 - tolerance]
    pairs = itertools.pairwise(sorted(each for each in cuts if 0 <= each <= 1))
    return float(sum(integrate.quad(tail, *pair, limit=200)[0] for pair in pairs))


@pytest.mark.parametrize("n", [5, 100, 20_000])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.4])
@pytest.mark.parametrize("m", [1, 30, 3_000])
@pytest.mark.parametrize("tolerance", [0.001, 0.01, 0.2])
def test_shares_against_a_slow_integral(n: int, share: float, m: int, tolerance: float):
    a = round(n * share)
    just = m * (share + tolerance)
    for b in {m, round(just) + 1, round(just + 3.0 * np.sqrt(m * 0.1)) + 1}:
        if b > m or b / m - a / n <= tolerance:
            continue
        up = float(share_tolerance_p_value(a, n, b, m, tolerance=tolerance))
        assert up == pytest.approx(slow_share(a, n, b, m, tolerance), rel=0.02, abs=1e-12)
        # A share that fell is one of the misses that rose.
        assert float(share_tolerance_p_value(n - a, n, m - b, m, tolerance=tolerance)) == pytest.approx(up)


@pytest.mark.parametrize(
    ("n", "m"), [(100, 20), (300, 100_000), (1_000, 1_000), (100_000, 300), (10**6, 10**6), (10**9, 10**9)]
)
@pytest.mark.parametrize("share", [0.001, 0.1])
@pytest.mark.parametrize("way", [1, -1])
def test_size_of_shares_at_the_boundary(n: int, m: int, share: float, way: int):
    rng = np.random.default_rng(n + m)
    tolerance, draws = 0.01, 2_000
    before, after = (share, share + tolerance) if way > 0 else (share + tolerance, share)
    a, b = rng.binomial(n, before, draws), rng.binomial(m, after, draws)
    p = share_tolerance_p_value(a, n, b, m, tolerance=tolerance)
    # Never above 5 %, three standard errors allowed; not far below where rows are many.
    noise = 3.0 * np.sqrt(0.05 * 0.95 / draws)
    rate = ((p <= 0.05) & (np.sign(b / m - a / n) == way)).mean()
    assert rate < 0.05 + noise
    if min(n, m) * share >= 1_000:
        assert rate > 0.04 - noise


def test_shares_at_the_ends():
    def p(*sides: float, tolerance: float = 0.01) -> float:
        return float(share_tolerance_p_value(*sides, tolerance=tolerance))

    assert np.isnan(p(0, 0, 1, 2))
    assert np.isnan(p(0, 5, 0, 0))
    assert p(0, 1_000, 0, 1_000) == 1.0
    assert p(10, 1_000, 10, 1_000) == 1.0
    assert p(0, 100, 100, 100, tolerance=1.0) == 1.0
    # Nothing tolerated: the plain question whether the share rose.
    assert p(100, 1_000, 200, 1_000, tolerance=0.0) < 1e-6
    assert p(0, 10**9, 10**9, 10**9) == pytest.approx(0.0, abs=1e-300)
    assert p(10**9, 10**9, 0, 10**9) == pytest.approx(0.0, abs=1e-300)
    # A reference of one row knows nothing: half of what it may be is more than what is seen.
    assert p(0, 1, 1, 1) > 0.3


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.floats(0, 1), st.floats(0, 1), st.floats(0.0001, 0.5))
def test_shares_are_probabilities_and_fall_with_the_change(
    n: int, m: int, before: float, after: float, tolerance: float
):
    a, b = round(n * before), round(m * after)
    more = min(b + max(m // 50, 1), m)
    p, further = share_tolerance_p_value(a, n, np.array([b, more]), m, tolerance=tolerance)
    assert 0 <= further <= 1
    assert 0 <= p <= 1
    if b / m > a / n:
        assert further <= 1.1 * p + 1e-15  # the mean over the nodes is off by a few percent so far out


def test_shares_of_divided_rows_are_those_of_fewer_rows():
    whole = float(share_tolerance_p_value(10, 1_000, 40, 1_000, tolerance=0.01))
    fifth = float(share_tolerance_p_value(2.0, 200.0, 8.0, 200.0, tolerance=0.01))
    between = float(share_tolerance_p_value(4.5, 450.0, 18.0, 450.0, tolerance=0.01))
    assert whole < between < fifth


def test_the_binomial_is_scipys():
    # With a reference of a billion rows there is only the binomial tail.
    p = share_tolerance_p_value(10**7, 10**9, np.array([30, 45, 60]), 1_000, tolerance=0.01)
    np.testing.assert_allclose(p, stats.binom.sf(np.array([29, 44, 59]), 1_000, 0.02), rtol=1e-3)
    assert special.betainc(30, 971, 0.02) == pytest.approx(stats.binom.sf(29, 1_000, 0.02))
