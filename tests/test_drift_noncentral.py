"""Tails of chi-square and F laws against SciPy, against a slow sum, and at their ends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from tidegauge.drift.noncentral import noncentral_tail

DEGREES = np.array([1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 31.0, 100.0])
NONCENTRALITY = np.array([0.01, 0.3, 1.0, 10.0, 100.0, 1e3, 1e4])
DEVIATIONS = np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0])
DENOMINATORS = np.array([1.0, 3.0, 10.0, 50.0, 1e3, 1e6])


def mixture(q: float, d: float, nc: float, e: float = np.inf) -> float:
    """The obvious sum: a Poisson number of pairs of degrees of freedom is added to the central law.

    All terms are positive, so it keeps its digits in the far tail, which SciPy's series do not.
    """
    few = max(0, int(nc / 2.0 - 40.0 * np.sqrt(nc / 2.0 + 1.0)))
    # In the far tail the large numbers of pairs, unlikely as they are, are all there is.
    many = int(nc / 2.0 + 40.0 * np.sqrt(nc / 2.0 + 1.0) + 2.0 * np.sqrt(nc * q) + q)
    pairs = np.arange(few, many + 60, dtype=np.float64)
    weight = np.exp(pairs * np.log(nc / 2.0) - nc / 2.0 - special.gammaln(pairs + 1.0))
    each = d + 2.0 * pairs
    tail = special.chdtrc(each, q) if np.isinf(e) else special.fdtrc(each, e, q / each)
    return float((weight * tail).sum())


def test_central_laws_are_scipys():
    q = np.geomspace(1e-6, 2e3, 60)
    for d in DEGREES:
        np.testing.assert_allclose(noncentral_tail(q, d), stats.chi2.sf(q, d), rtol=1e-12)
        for e in DENOMINATORS:
            np.testing.assert_allclose(noncentral_tail(q, d, 0.0, e), stats.f.sf(q / d, d, e), rtol=1e-11)


def test_noncentral_chi_square_is_within_what_is_stated():
    # p below 0.5: at most 2 % too small; at most 5 % too large of 10 degrees and more, 20 % of one.
    for d in DEGREES:
        for nc in NONCENTRALITY:
            q = d + nc + DEVIATIONS * np.sqrt(2.0 * d + 4.0 * nc)
            q = q[q > 0]
            p = np.array([mixture(each, d, nc) for each in q])
            ratio = noncentral_tail(q, d, nc) / p
            small = (p < 0.5) & (p > 1e-290)
            assert (ratio[small] > 0.98).all(), (d, nc, ratio)
            assert (ratio[small] < (1.05 if d >= 10 else 1.2)).all(), (d, nc, ratio)
            assert (np.abs(ratio[p >= 0.5] - 1.0) < 0.01).all(), (d, nc, ratio)


def test_the_slow_sum_is_scipys_where_that_has_digits():
    for d in (1.0, 10.0, 31.0):
        for nc in (0.3, 10.0, 1e3):
            q = d + nc + np.array([-1.0, 0.0, 1.0, 3.0, 5.0]) * np.sqrt(2.0 * d + 4.0 * nc)
            q = q[q > 0]
            np.testing.assert_allclose(
                [mixture(each, d, nc) for each in q], stats.ncx2.sf(q, d, nc), rtol=1e-7, atol=1e-15
            )


def test_one_degree_of_freedom_in_the_farthest_tail():
    # (Z + sqrt(nc))^2: two normal tails, known to the smallest float.
    for nc in (1.0, 100.0, 1e4):
        root = np.sqrt(nc) + np.array([5.0, 10.0, 20.0, 36.0])
        p = special.ndtr(np.sqrt(nc) - root) + special.ndtr(-np.sqrt(nc) - root)
        ratio = noncentral_tail(root * root, 1.0, nc) / p
        assert p[-1] < 1e-280
        assert ((ratio > 0.98) & (ratio < 1.2)).all(), ratio


def test_noncentral_f_is_within_what_is_stated():
    for d in (1.0, 3.0, 10.0, 31.0):
        for e in DENOMINATORS:
            for nc in (0.1, 1.0, 10.0, 100.0):
                at = np.array([-0.5, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0])
                q = (d + nc) * (1.0 + at * np.sqrt(2.0 / d + 2.0 / e))
                q = q[q > 0]
                p = np.array([mixture(each, d, nc, e) for each in q])
                ratio = noncentral_tail(q, d, nc, e) / p
                assert (ratio[p < 0.5] > 0.98).all(), (d, e, nc, ratio)
                assert (ratio[p < 0.5] < (1.05 if d >= 10 else 1.2)).all(), (d, e, nc, ratio)
                assert (np.abs(ratio[p >= 0.5] - 1.0) < 0.04).all(), (d, e, nc, ratio)


def test_a_large_denominator_is_none():
    q, nc = np.array([5.0, 40.0, 90.0]), np.array([0.0, 10.0, 30.0])
    np.testing.assert_allclose(noncentral_tail(q, 12.0, nc, 1e12), noncentral_tail(q, 12.0, nc), rtol=1e-6)


@pytest.mark.parametrize("denominator", [np.inf, 10.0])
@pytest.mark.parametrize("noncentrality", [0.0, 2.0])
def test_ends(noncentrality: float, denominator: float):
    found = noncentral_tail([-1.0, 0.0, np.inf, np.nan], 3.0, noncentrality, denominator)
    np.testing.assert_array_equal(found, [1.0, 1.0, 0.0, np.nan])


def test_it_falls_with_the_statistic_and_grows_with_the_noncentrality():
    q = np.linspace(0.1, 400.0, 4_000)
    for d, nc, e in ((1.0, 5.0, np.inf), (31.0, 100.0, np.inf), (31.0, 50.0, 8.0), (5.0, 0.0, 3.0)):
        p = noncentral_tail(q, d, nc, e)
        assert ((p >= 0) & (p <= 1)).all()
        # The two formulas meet near the mean; what they differ by there is all that p may rise.
        assert (np.diff(p) <= 1e-6).all(), (d, nc, e, np.diff(p).max())
    # At a noncentrality of 0 the exact law takes over from the saddlepoint, 1 % away.
    nc = np.geomspace(1e-3, 1e5, 500)
    p = noncentral_tail(60.0, 31.0, nc)
    assert (np.diff(p) >= -1e-9).all()
    assert p[0] == pytest.approx(float(noncentral_tail(60.0, 31.0)), rel=0.01)


def test_it_broadcasts():
    p = noncentral_tail(np.array([[5.0], [9.0]]), np.array([1.0, 2.0, 3.0]), 1.0)
    assert p.shape == (2, 3)
    assert p[1, 2] == noncentral_tail(9.0, 3.0, 1.0)
