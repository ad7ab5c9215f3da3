"""Exact tests of one share in two samples: the hypergeometric law of the rows that fell in a cell.

Given the sizes of both samples and the rows of both that fell in a cell, the rows of the current sample among
them are hypergeometric when nothing changed. Every argument broadcasts; sizes to 10^12 rows cost no more than
small ones.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_TERMS = 128  # of a tail that are added one by one
_NEGLIGIBLE = 40.0  # a term e^-40 times the first adds nothing in float64
_NODES = 40  # of the Gauss-Legendre rule for longer tails


def exact_log_p_value(
    hits_reference: npt.ArrayLike,
    n_reference: npt.ArrayLike,
    hits_current: npt.ArrayLike,
    n_current: npt.ArrayLike,
) -> Floats:
    """Return ln p of "the shares are equal", `[...]`: twice the smaller exact tail, at most p = 1.

    A logarithm, because the p of a billion rows is no float64. Twice the smaller tail is a valid p, and never
    below the truth of either side; Fisher's two-sided sum (`fisher_exact`) can be up to twice as small.
    Relative error of p below 1e-5 (measured in the tests). NaN where a side has no rows.
    """
    x, hits, draws, total, rows = _upper(hits_reference, n_reference, hits_current, n_current)
    log_p = np.minimum(np.log(2.0) + _log_tail(x, hits, draws, total), 0.0)
    return np.where(rows, log_p, np.nan)


def overdispersed_log_p_value(
    hits_reference: npt.ArrayLike,
    n_reference: npt.ArrayLike,
    hits_current: npt.ArrayLike,
    n_current: npt.ArrayLike,
    *,
    factor: npt.ArrayLike,
    denominator: npt.ArrayLike = np.inf,
) -> Floats:
    """Return ln p of "the shares are equal" for samples whose variance is `factor` times that of rows.

    Every `factor` rows are worth one: the exact p of so many fewer rows, whole numbers, rounded towards no
    change. That p is the tail of a squared normal deviation, which becomes one of F with 1 and `denominator`
    degrees of freedom, because the factor is an estimate. NaN where a side has no rows.
    """
    from scipy.special import fdtrc, ndtri_exp

    a, n, b, m, f, d = np.broadcast_arrays(
        *(
            np.asarray(each, dtype=np.float64)
            for each in (hits_reference, n_reference, hits_current, n_current, factor, denominator)
        )
    )
    more = b * n > a * m
    fewer_n, fewer_m = (
        np.maximum(np.floor(n / f), np.minimum(n, 1.0)),
        np.maximum(np.floor(m / f), np.minimum(m, 1.0)),
    )
    hits_n = np.minimum(np.where(more, np.ceil(a / f), np.floor(a / f)), fewer_n)
    hits_m = np.minimum(np.where(more, np.floor(b / f), np.ceil(b / f)), fewer_m)
    log_p = exact_log_p_value(hits_n, fewer_n, hits_m, fewer_m)
    square = ndtri_exp(np.minimum(log_p, 0.0) - np.log(2.0)) ** 2
    finite = np.isfinite(d)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(finite, np.log(fdtrc(1.0, np.where(finite, d, 1.0), square)), log_p))


def fisher_exact(
    hits_reference: npt.ArrayLike,
    n_reference: npt.ArrayLike,
    hits_current: npt.ArrayLike,
    n_current: npt.ArrayLike,
) -> Floats:
    """Return Fisher's two-sided exact p of "the shares are equal", `[...]`; NaN where a side has no rows.

    The probability of all tables that are at most as likely as the observed one (within 1e-7, so that equals
    count as equal): the tail at hand and the one beyond the equally unlikely table on the other side, which
    bisection finds because the probabilities rise to one peak and fall.
    """
    x, hits, draws, total, rows = _upper(hits_reference, n_reference, hits_current, n_current)
    limit = _log_probability(x, hits, draws, total) + 1e-7
    least = np.maximum(hits + draws - total, 0.0)
    # `low` is unlikely enough, or below the least table possible; `high` is too likely, or the table at hand.
    low, high = least - 1.0, x.copy()
    while (high - low > 1.0).any():
        middle = np.floor((low + high) / 2.0)
        unlikely = _log_probability(np.maximum(middle, least), hits, draws, total) <= limit
        low, high = np.where(unlikely, middle, low), np.where(unlikely, high, middle)
    p = np.exp(_log_tail(x, hits, draws, total))
    # The other tail is an upper one of the rows that were not drawn.
    found = low >= least
    other = np.where(found, low, least)
    p += np.where(found, np.exp(_log_tail(draws - other, total - hits, draws, total)), 0.0)
    p = np.where(x - low <= 1.0, 1.0, np.minimum(p, 1.0))  # the likeliest table: all others are below
    return np.where(rows, p, np.nan)


def _upper(
    hits_reference: npt.ArrayLike,
    n_reference: npt.ArrayLike,
    hits_current: npt.ArrayLike,
    n_current: npt.ArrayLike,
) -> tuple[Floats, Floats, Floats, Floats, Flags]:
    """Return (x, hits, draws, total, has rows) such that x of the draws are hits and x is not below its mean.

    A share below the mean is turned into that of the misses. Without rows the numbers are those of a single
    row.
    """
    a, n, x, m = np.broadcast_arrays(
        *(
            np.asarray(each, dtype=np.float64)
            for each in (hits_reference, n_reference, hits_current, n_current)
        )
    )
    rows = (n > 0) & (m > 0)
    a, n = np.where(rows, a, 0.0), np.where(rows, n, 1.0)
    x, m = np.where(rows, x, 0.0), np.where(rows, m, 1.0)
    below = x * n < a * m
    return np.where(below, m - x, x), np.where(below, n + m - a - x, a + x), m, n + m, rows


def _cells(x: Floats, hits: Floats, draws: Floats, total: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the 2 x 2 table: drawn hits, drawn misses, other hits, other misses."""
    return x, draws - x, hits - x, total - draws - hits + x


def _log_probability(x: Floats, hits: Floats, draws: Floats, total: Floats) -> Floats:
    """Return ln of hits! misses! draws! others! / (total! and the factorials of the four cells).

    Loader's (2000) form: Stirling's series for every factorial, whose large parts combine to the deviance sum
    y ln(y / E) of the table from its expectation, computed from the small difference d = y - E itself. So
    nothing large cancels, whatever the sizes. x need not be whole.
    """
    off = x - hits * draws / total
    deviance = _small_factorial(total)
    for side in (draws, total - draws):
        deviance = deviance - _small_factorial(side)
    for side in (hits, total - hits):
        deviance = deviance - _small_factorial(side)
    misses, others = total - hits, total - draws
    expected = (hits * draws, misses * draws, hits * others, misses * others)
    for y, e, d in zip(_cells(x, hits, draws, total), expected, (off, -off, -off, off), strict=True):
        deviance = deviance + _small_factorial(y) + _deviance(y, e / total, d)
    return -deviance


def _deviance(y: Floats, expected: Floats, off: Floats) -> Floats:
    """Return y ln(y / E) - y + E for y = E + off, without cancellation; E where y = 0."""
    from scipy.special import xlog1py

    ratio = np.divide(off, expected, out=np.zeros_like(off), where=expected > 0)
    return np.asarray(xlog1py(y, np.maximum(ratio, -1.0)) - off)


def _small_factorial(y: Floats) -> Floats:
    """Return ln y! - (y ln y - y), which is about ln(2 pi y) / 2, and 0 for y = 0."""
    from scipy.special import gammaln, xlogy

    large = np.maximum(y, 16.0)
    square = large * large
    series = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / large
    result = np.asarray(np.log(2.0 * np.pi * large) / 2.0 + series)
    small = y < 16.0
    if small.any():
        few = y[small]
        result[small] = gammaln(few + 1.0) - xlogy(few, few) + few
    return result


def _slope(x: Floats, hits: Floats, draws: Floats, total: Floats) -> Floats:
    """Return -ln of P(x + 1) / P(x), inf at the end of the support; it grows with x."""
    a, b, c, d = _cells(x, hits, draws, total)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log((a + 1.0) * (d + 1.0)) - np.log(np.maximum(b * c, 0.0)))


def _log_tail(x: Floats, hits: Floats, draws: Floats, total: Floats) -> Floats:
    """Return ln P(X >= x) for x not below the mean: ln P(x) + ln of the sum of the terms relative to it."""
    shape = x.shape
    x, hits, draws, total = (each.ravel() for each in (x, hits, draws, total))
    # The slopes grow, so the term at _TERMS is at most exp(-_TERMS / 2 (slope here + slope half way)).
    half = np.minimum(x + _TERMS / 2, np.minimum(draws, hits))
    drop = _slope(x, hits, draws, total) + _slope(half, hits, draws, total)
    short = _TERMS / 2 * drop >= _NEGLIGIBLE
    terms = np.empty_like(x)
    for which, sum_up in ((short, _sum_of_terms), (~short, _integral_of_terms)):
        if which.any():
            terms[which] = sum_up(*(each[which] for each in (x, hits, draws, total)))
    return np.asarray(_log_probability(x, hits, draws, total) + np.log(terms)).reshape(shape)


def _sum_of_terms(x: Floats, hits: Floats, draws: Floats, total: Floats) -> Floats:
    a, b, c, d = _cells(x, hits, draws, total)
    term = np.ones_like(x)
    terms = np.ones_like(x)
    for j in range(_TERMS):
        # Past the end of the support both factors are negative, but the term is already 0.
        term = term * ((b - j) * (c - j)) / ((a + (1 + j)) * (d + (1 + j)))
        terms += term
        if not (term > 1e-17 * terms).any():
            break
    return terms


def _integral_of_terms(x: Floats, hits: Floats, draws: Floats, total: Floats) -> Floats:
    """Sum a tail too long to add up, by Euler-Maclaurin: integral + f/2 - f'/12, f = 1 at x.

    The next part is f'''/720, less than 1e-5 of the sum for the slopes that come here (below 0.6; the sum is
    about 1 / slope terms). The integral ends where the tail is negligible.
    """
    a, b, c, d = _cells(x, hits, draws, total)
    slope = np.log((a + 0.5) * (d + 0.5)) - np.log((b + 0.5) * (c + 0.5))
    spread = np.sqrt(hits / total * (total - hits) / total * draws * (total - draws) / (total - 1.0))
    end = np.minimum(np.minimum(b, c), 13.0 * spread)
    end = np.minimum(end, _NEGLIGIBLE / np.maximum(slope, 1e-300))
    start = _log_probability(x, hits, draws, total)
    nodes, weights = _legendre()
    at = x + end * (nodes + 1.0) / 2.0
    area = (weights / 2.0 * np.exp(_log_probability(at, hits, draws, total) - start)).sum(axis=0)
    return np.asarray(area * end + 0.5 + slope / 12.0)


@cache
def _legendre() -> tuple[Floats, Floats]:
    """Return nodes and weights on [-1, 1], `[_NODES, 1]` each."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes[:, None], weights[:, None]
