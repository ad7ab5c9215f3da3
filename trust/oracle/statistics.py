"""Drift statistics of small random tables against exact fractions, slow loops and SciPy.

Tables have ties, empty and single cells and unlike sizes. An oracle uses the definition in the statistic's
docstring and none of its code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from random import Random

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from tidegauge import drift

Counts = Sequence[int]


def close(found: object, expected: float, what: str, rel: float = 1e-9, absolute: float = 1e-12) -> None:
    """Raise AssertionError unless two numbers are nearly equal."""
    number = float(np.asarray(found))
    assert number == pytest.approx(float(expected), rel=rel, abs=absolute, nan_ok=True), (
        f"{what} is {number!r}, the oracle says {float(expected)!r}"
    )


def table(random: Random) -> tuple[list[int], list[int]]:
    """Draw the counts of both samples in the same cells; each has a row at least."""
    cells = random.choice([1, 2, 2, 3, 4, 5, 8, 12])

    def side() -> list[int]:
        most = random.choice([1, 3, 10, 60, 5_000])
        empty = random.choice([0.0, 0.3, 0.8])
        counts = [0 if random.random() < empty else random.randint(0, most) for _ in range(cells)]
        if not sum(counts):
            counts[random.randrange(cells)] = random.randint(1, most)
        return counts

    a = side()
    return a, list(a) if random.random() < 0.05 else side()


def check(random: Random) -> int:
    """Draw a table and compare every statistic that has an oracle. Returns how many; or AssertionError."""
    a, b = table(random)
    compared = 0
    for of in (cells_without_order, cells_in_order, values_at_points, shares, means):
        compared += of(random, a, b)
    return compared


def cells_without_order(random: Random, a: Counts, b: Counts) -> int:
    """Divergences, chi-square, G, Cramer's V, the largest change."""
    n, m = sum(a), sum(b)
    used = [(x, y) for x, y in zip(a, b, strict=True) if x + y]
    cells = len(used)
    p = [(x + 0.5) / (n + cells / 2) for x, _ in used]
    q = [(y + 0.5) / (m + cells / 2) for _, y in used]
    of_kl = math.fsum(y * math.log(y / x) for x, y in zip(p, q, strict=True))
    back = math.fsum(x * math.log(x / y) for x, y in zip(p, q, strict=True))
    close(drift.kl(a, b), max(of_kl, 0.0), "kl")
    close(drift.psi(a, b), of_kl + back, "psi")
    close(drift.psi_floor(a, b), (cells - 1) * (1 / n + 1 / m), "psi_floor")
    close(drift.jensen_shannon(a, b) ** 2, np.nan_to_num(jensenshannon(a, b, base=2)) ** 2, "jensen_shannon")
    gaps = [abs(Fraction(x, n) - Fraction(y, m)) for x, y in zip(a, b, strict=True)]
    close(drift.total_variation(a, b), sum(gaps) / 2, "total_variation")
    close(drift.l_infinity(a, b), max(gaps), "l_infinity")
    affinity = math.fsum(math.sqrt(Fraction(x, n) * Fraction(y, m)) for x, y in zip(a, b, strict=True))
    close(drift.hellinger(a, b) ** 2, max(0.0, 1 - affinity), "hellinger")
    square = likelihood = Fraction(0)
    terms = []
    for pair in used:
        for observed, rows in zip(pair, (n, m), strict=True):
            expected = Fraction(sum(pair) * rows, n + m)
            square += (observed - expected) ** 2 / expected
            terms.append(observed * math.log(observed / expected) if observed else 0.0)
    likelihood = 2 * math.fsum(terms)
    statistic, degrees, p_value = drift.chi_square(a, b)
    close(statistic, square, "chi_square")
    assert degrees == cells - 1
    close(p_value, tail(float(square), cells - 1), "the p of chi_square", 1e-7, 1e-300)
    g, _, p_of_g = drift.g_test(a, b)
    close(g, max(likelihood, 0.0), "g_test", 1e-7, 1e-9 * (n + m))
    close(p_of_g, tail(float(g), cells - 1), "the p of g_test", 1e-7, 1e-300)
    if cells > 1 and n + m > 2:
        reduced = max(0.0, float(square) / (n + m) - (cells - 1) / (n + m - 1))
        least = min(k - (k - 1) ** 2 / (n + m - 1) for k in (cells, 2)) - 1
        if least > 1e-9:
            close(drift.cramers_v(a, b), min(1.0, math.sqrt(reduced / least)), "cramers_v", 1e-9, 1e-7)
    return 12


def tail(statistic: float, degrees: int) -> float:
    """Return P(chi-square >= statistic): for even degrees the finite sum, else SciPy's."""
    if degrees == 0:
        return 1.0
    if degrees % 2:
        return float(stats.chi2.sf(statistic, degrees))
    half = statistic / 2
    return math.fsum(
        math.exp(k * math.log(half) - half - math.lgamma(k + 1)) if half else float(k == 0)
        for k in range(degrees // 2)
    )


def cells_in_order(random: Random, a: Counts, b: Counts) -> int:
    """Statistics of distribution functions and of ranks."""
    n, m = sum(a), sum(b)
    f = [Fraction(x, n) for x in accumulate(a)]
    g = [Fraction(y, m) for y in accumulate(b)]
    gaps = [x - y for x, y in zip(f, g, strict=True)]
    if len(a) > 1:
        close(drift.ks(a, b), max(map(abs, gaps)), "ks")
    close(drift.kuiper(a, b), max(0, *gaps) - min(0, *gaps), "kuiper")
    pooled = [Fraction(x + y, n + m) for x, y in zip(a, b, strict=True)]
    through = list(accumulate(pooled))
    scale = Fraction(n * m, n + m)
    von_mises = scale * sum(h * d * d for h, d in zip(pooled[:-1], gaps[:-1], strict=True))
    darling = scale * sum(
        h * d * d / (t * (1 - t))
        for h, d, t in zip(pooled[:-1], gaps[:-1], through[:-1], strict=True)
        if 0 < t < 1
    )
    if len(a) > 1:
        close(drift.cramer_von_mises(a, b)[0], von_mises, "cramer_von_mises")
        close(drift.anderson_darling(a, b)[0], darling, "anderson_darling")
    greater = sum(
        Fraction(x * y) * (Fraction(1, 2) if i == j else int(j > i))
        for i, x in enumerate(a)
        for j, y in enumerate(b)
    ) / (n * m)
    effect, p_value = drift.mann_whitney(a, b)
    close(effect, greater, "mann_whitney")
    ties = sum(Fraction((x + y) ** 3 - (x + y)) for x, y in zip(a, b, strict=True))
    total = n + m
    variance = Fraction(n * m, 12) * (total + 1 - ties / (total * (total - 1)))
    if variance:
        z = float(abs(greater - Fraction(1, 2)) * n * m) / math.sqrt(variance)
        close(p_value, math.erfc(z / math.sqrt(2)), "the p of mann_whitney", 1e-6, 1e-300)
    return 6


def values_at_points(random: Random, a: Counts, b: Counts) -> int:
    """Wasserstein and energy of atoms: cells that hold one number each, so SciPy's of the numbers."""
    points = sorted(random.sample(range(-50, 200), len(a)))
    if random.random() < 0.3:
        points = [x / 7 for x in points]
    edges = [edge for x in points for edge in (float(x), math.nextafter(float(x), math.inf))]
    counted = []
    for side in (a, b):
        cells = [0] * (len(edges) + 1)
        cells[1::2] = side
        counted.append(cells)
    ends = [
        (min(at), max(at)) for at in ([x for x, k in zip(points, side, strict=True) if k] for side in (a, b))
    ]
    expected = stats.wasserstein_distance(points, points, a, b)
    close(drift.wasserstein(*counted, edges, *ends), expected, "wasserstein", 1e-9, 1e-9)
    expected = stats.energy_distance(points, points, a, b) ** 2
    close(drift.energy(*counted, edges, *ends), expected, "energy", 1e-9, 1e-9)
    return 2


def shares(random: Random, a: Counts, b: Counts) -> int:
    """Exact tests of one share against every table of the same margins."""
    n, m = sum(a), sum(b)
    if n + m > 400:
        n, m = random.randint(1, 60), random.randint(1, 60)
    x, y = random.randint(0, n), random.randint(0, m)
    hits = x + y
    least, most = max(0, hits - n), min(m, hits)
    weights = {k: math.comb(m, k) * math.comb(n, hits - k) for k in range(least, most + 1)}
    total = math.comb(n + m, hits)
    low = Fraction(sum(w for k, w in weights.items() if k <= y), total)
    high = Fraction(sum(w for k, w in weights.items() if k >= y), total)
    close(
        np.exp(drift.exact_log_p_value(x, n, y, m)),
        min(1, 2 * min(low, high)),
        "exact_log_p_value",
        1e-5,
        1e-250,
    )
    # Tables as likely as the observed one but for rounding count, as everywhere.
    fisher = Fraction(sum(w for w in weights.values() if w * 10**7 <= weights[y] * (10**7 + 1)), total)
    close(drift.fisher_exact(x, n, y, m), min(1, fisher), "fisher_exact", 1e-5, 1e-250)
    expected = Fraction(min(hits, n + m - hits) * min(n, m), n + m)
    if expected < 5:
        close(drift.share_p_value(x, n, y, m), min(1, fisher), "share_p_value", 1e-5, 1e-250)
    if 0 < hits < n + m:
        share = Fraction(hits, n + m)
        z = float(Fraction(y, m) - Fraction(x, n)) / math.sqrt(
            share * (1 - share) * (Fraction(1, n) + Fraction(1, m))
        )
        close(drift.two_proportion_z(x, n, y, m)[0], z, "two_proportion_z", 1e-7, 1e-9)
    change, low_end, high_end = drift.share_change(x, n, y, m)
    close(change, Fraction(y, m) - Fraction(x, n), "share_change")
    (l1, u1), (l2, u2) = wilson(x, n), wilson(y, m)
    gap = y / m - x / n
    close(low_end, gap - math.hypot(y / m - l2, u1 - x / n), "the low end of share_change", 1e-7, 1e-9)
    close(high_end, gap + math.hypot(u2 - y / m, x / n - l1), "the high end of share_change", 1e-7, 1e-9)
    return 7


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share: the roots of (p - hits / n)^2 = z^2 p (1 - p) / n."""
    z2 = 1.959963984540054**2
    share = hits / n
    middle = share + z2 / (2 * n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))
    return (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)


def means(random: Random, a: Counts, b: Counts) -> int:
    """Welch's test of the means of two samples of raw values."""
    n, m = random.randint(2, 40), random.randint(2, 40)
    x = [random.choice([0.0, 1.0, random.gauss(5, 2)]) for _ in range(n)]
    y = [random.choice([0.0, 1.0, random.gauss(5, 3)]) for _ in range(m)]
    if len(set(x)) < 2 or len(set(y)) < 2:
        return 0
    change, _, _, p_value = drift.mean_change(
        (n, np.mean(x), np.var(x, ddof=1)), (m, np.mean(y), np.var(y, ddof=1))
    )
    close(change, (np.mean(y) - np.mean(x)) / np.std(x, ddof=1), "mean_change")
    close(p_value, stats.ttest_ind(x, y, equal_var=False).pvalue, "the p of mean_change", 1e-8)
    return 2
