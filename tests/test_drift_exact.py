"""Exact tests of shares and scans against SciPy and slow loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from tidegauge.drift import (
    cell_scan,
    exact_log_p_value,
    fisher_exact,
    interval_scan,
    l_infinity,
    l_infinity_floor,
    l_infinity_p_value,
    share_p_value,
    two_proportion_z,
)

CELLS = arrays(np.int64, 7, elements=st.integers(0, 300)).filter(lambda c: c.sum() > 0)
SIZES = st.integers(1, 4) | st.integers(1, 2_000)


def slow_p(a: int, n: int, b: int, m: int) -> float:
    """Twice the smaller tail, SciPy's."""
    law = stats.hypergeom(n + m, a + b, m)
    return min(1.0, 2 * min(law.cdf(b), law.sf(b - 1)))


@given(SIZES, SIZES, st.data())
def test_exact_tests_are_scipys(n: int, m: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    assert math.exp(exact_log_p_value(a, n, b, m)) == pytest.approx(slow_p(a, n, b, m), rel=1e-5, abs=1e-250)
    expected = stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue
    assert fisher_exact(a, n, b, m) == pytest.approx(expected, rel=1e-5, abs=1e-250)
    assert exact_log_p_value(a, n, b, m) == pytest.approx(float(exact_log_p_value(b, m, a, n)), abs=1e-5)


@pytest.mark.parametrize("deviations", [-20, -4, -1, 0, 2, 6, 30])
@pytest.mark.parametrize(("n", "m", "share"), [(200_000, 20_000, 0.3), (2_000_000, 500_000, 0.002)])
def test_long_tails_are_sums_of_their_terms(n: int, m: int, share: float, deviations: float) -> None:
    a = round(n * share)
    b = round(m * share + deviations * math.sqrt(m * share))
    law = stats.hypergeom(n + m, a + b, m)
    terms = law.logpmf(np.arange(0, b + 1) if deviations < 0 else np.arange(b, min(a + b, m) + 1))
    top = terms.max()
    expected = min(0.0, math.log(2) + top + math.log(np.exp(terms - top).sum()))
    assert exact_log_p_value(a, n, b, m) == pytest.approx(expected, rel=1e-6, abs=2e-5)


def test_a_billion_rows() -> None:
    # 3 of 10^9 against 3 of 10^6: each of the six falls in the smaller sample with chance 1/1001.
    assert fisher_exact(3, 10**9, 3, 10**6) == pytest.approx(stats.binom.sf(2, 6, 1 / 1001), rel=1e-4)
    # Near the middle of the law the normal test is right, with a correction for continuity.
    n, m, a, b = 10**9, 10**8, 300_000_000, 30_010_000
    z = (b - 0.5 - m * (a + b) / (n + m)) / math.sqrt(m * n / (n + m) * 0.3000091 * (1 - 0.3000091))
    assert math.exp(exact_log_p_value(a, n, b, m)) == pytest.approx(2 * stats.norm.sf(z), rel=1e-3)
    # Where a float64 is too small for the p: Chernoff's bound is near the logarithm of the tail.
    log_p = float(exact_log_p_value(5 * 10**8, 10**9, 6 * 10**8, 10**9))
    bound = sum(y * math.log(y / e) for y, e in ((5e8, 5.5e8), (5e8, 4.5e8), (6e8, 5.5e8), (4e8, 4.5e8)))
    assert log_p == pytest.approx(-bound, rel=1e-5)


def test_exact_p_where_nothing_can_differ() -> None:
    assert exact_log_p_value([0, 5, 3], [4, 5, 10], [0, 7, 3], [9, 7, 10]).tolist() == [0.0, 0.0, 0.0]
    assert fisher_exact([0, 5, 3], [4, 5, 10], [0, 7, 3], [9, 7, 10]).tolist() == [1.0, 1.0, 1.0]
    assert np.isnan(exact_log_p_value(0, 0, 1, 2))
    assert np.isnan(fisher_exact(1, 2, 0, 0))


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.data())
def test_two_proportion_z_is_chi_square(n: int, m: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    z, p = two_proportion_z(a, n, b, m)
    if 0 < a + b < n + m:
        table = stats.chi2_contingency([[a, n - a], [b, m - b]], correction=False)
        assert z**2 == pytest.approx(table.statistic, rel=1e-6, abs=1e-9)
        assert p == pytest.approx(table.pvalue, rel=1e-5, abs=1e-300)
        assert np.sign(z) == np.sign(b * n - a * m)
    else:
        assert (z, p) == (0.0, 1.0)


def test_two_proportion_z_agrees_with_the_p_of_shares() -> None:
    assert two_proportion_z(480, 800, 560, 700)[1] == share_p_value(480, 800, 560, 700)
    assert np.isnan(two_proportion_z(0, 0, 3, 9)).all()


def slow_scan(
    a: np.ndarray, b: np.ndarray, intervals: list[tuple[int, int]]
) -> tuple[float, set[tuple[int, int]]]:
    """Sidak's p over the sets of rows that differ, and the intervals that reach the smallest p."""
    n, m = int(a.sum()), int(b.sum())
    found: dict[tuple[int, ...], tuple[float, tuple[int, int]]] = {}
    for start, stop in intervals:
        inside = tuple(i for i in range(start, min(stop, len(a))) if a[i] + b[i] > 0)
        rest = tuple(i for i in range(len(a)) if a[i] + b[i] > 0 and i not in inside)
        if inside and rest and inside not in found and rest not in found:
            hits = int(a[start:stop].sum()), int(b[start:stop].sum())
            found[inside] = (slow_p(hits[0], n, hits[1], m), (start, stop))
    if not found:
        return 1.0, {(0, 0)}
    least = min(p for p, _ in found.values())
    p = -math.expm1(len(found) * math.log1p(-least)) if least < 1 else 1.0
    return p, {place for each, place in found.values() if each <= least * (1 + 1e-4)}


@given(CELLS, CELLS)
def test_scans_equal_slow_loops(a: np.ndarray, b: np.ndarray) -> None:
    dyadic = [(k << level, (k + 1) << level) for level in range(3) for k in range(8 >> level)]
    single = [(k, k + 1) for k in range(7)]
    for scan, intervals in ((interval_scan, dyadic), (cell_scan, single)):
        found = scan(a, b)
        p, places = slow_scan(a, b, intervals)
        assert found.p[0] == pytest.approx(p, rel=1e-4, abs=1e-250)
        start, stop = int(found.start[0]), int(found.stop[0])
        if p < 0.5 and len(places) == 1:
            # The same rows: an interval, its complement, or one that ends in other empty cells.
            (low, high) = next(iter(places))
            rows = set(np.flatnonzero(a + b))
            ours, theirs = rows & set(range(start, stop)), rows & set(range(low, high))
            assert ours in (theirs, rows - theirs)
        change = b[start:stop].sum() / b.sum() - a[start:stop].sum() / a.sum()
        assert found.change[0] == pytest.approx(change, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(20_000, 200), (2_000, 2_000), (300, 5_000)])
def test_the_screen_keeps_the_best_candidate(n: int, m: int) -> None:
    # 258 cells, most of them thin: where normal deviations of single cells mislead.
    rng = np.random.default_rng(11)
    share = rng.dirichlet(np.full(258, 0.3), 20)
    a = np.stack([rng.multinomial(n, p) for p in share])
    b = np.stack([rng.multinomial(m, p * rng.uniform(0.7, 1.3, 258) / (p * 1.3).sum() * 0.97) for p in share])
    found = interval_scan(a, b)
    for i in range(len(a)):
        least = np.inf
        for level in range(9):
            starts = np.arange(0, 258, 1 << level)
            hits = np.add.reduceat(a[i], starts), np.add.reduceat(b[i], starts)
            log_p = exact_log_p_value(hits[0], n, hits[1], b[i].sum())
            least = min(least, float(log_p.min()))
        chosen = a[i, found.start[i] : found.stop[i]].sum(), b[i, found.start[i] : found.stop[i]].sum()
        assert exact_log_p_value(chosen[0], n, chosen[1], b[i].sum()) == pytest.approx(least, abs=1e-9)


def test_scans_find_the_place() -> None:
    a = np.full((2, 256), 100)
    b = np.full((2, 256), 20)
    b[0, 77] += 60
    b[1, 128:192] += 5
    found = interval_scan(a, b)
    assert list(zip(found.start.tolist(), found.stop.tolist(), strict=True)) == [(77, 78), (128, 192)]
    assert (found.p < 1e-6).all()
    assert found.change == pytest.approx([80 / 5180 - 1 / 256, 1600 / 5440 - 1 / 4])
    assert cell_scan(a, b).start[0] == 77


def test_there_are_509_tests_of_256_cells() -> None:
    a, b = np.full(256, 50), np.full(256, 50)
    b[9] = 90
    log_p = exact_log_p_value(50, 256 * 50, 90, 256 * 50 + 40)
    assert interval_scan(a, b).p[0] == pytest.approx(-math.expm1(509 * math.log1p(-math.exp(log_p))))
    assert cell_scan(a, b).p[0] == pytest.approx(-math.expm1(256 * math.log1p(-math.exp(log_p))))


def test_scans_without_rows_or_with_one_cell() -> None:
    for scan in (interval_scan, cell_scan):
        assert np.isnan(scan([0, 0, 0], [1, 2, 3]).p).all()
        assert np.isnan(scan([0, 0, 0], [1, 2, 3]).change).all()
        for one in ([7], [0, 7, 0]):
            found = scan(one, one)
            assert [each[0] for each in (found.p, found.start, found.stop, found.change)] == [1, 0, 0, 0]


@given(CELLS, CELLS)
def test_l_infinity(a: np.ndarray, b: np.ndarray) -> None:
    slow = max(abs(x / a.sum() - y / b.sum()) for x, y in zip(a.tolist(), b.tolist(), strict=True))
    assert l_infinity(a, b) == pytest.approx(slow, abs=1e-12)
    assert l_infinity(np.stack([a, b]), b)[1] == 0
    assert l_infinity_p_value(a, b) == cell_scan(a, b).p[0]
    assert l_infinity_p_value(np.stack([[a, b]]), b).shape == (1, 2)
    assert l_infinity_p_value(b, b) == 1.0


@pytest.mark.parametrize("share", [[0.5, 0.5], [0.2] * 5, [0.7, 0.1, 0.1, 0.05, 0.05], [1 / 64] * 64])
def test_the_floor_of_l_infinity(share: list[float]) -> None:
    rng = np.random.default_rng(12)
    a, b = rng.multinomial(20_000, share, 3_000), rng.multinomial(4_000, share, 3_000)
    assert l_infinity_floor(a, b).mean() == pytest.approx(l_infinity(a, b).mean(), rel=0.08)
    assert (l_infinity_p_value(a, b) <= 0.05).mean() <= 0.065
    assert np.isnan(l_infinity_floor([0, 0], [1, 2]))
