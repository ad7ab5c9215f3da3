"""95 % intervals of shares, their differences and ratios, and of anything that lies between two limits."""

from __future__ import annotations

from math import exp, hypot, isfinite, log, nan, sqrt

Z = 1.959963984540054  # the normal deviation that 2.5 % of draws exceed

Interval = tuple[float, float]
NO_INTERVAL: Interval = (nan, nan)


def wilson(share: float, n: float) -> Interval:
    """Return Wilson's interval (1927) of a share seen in `n` independent rows; NaN where there are none."""
    if not (n > 0 and isfinite(share)):
        return NO_INTERVAL
    z2 = Z * Z / n
    middle = (share + z2 / 2) / (1 + z2)
    half = sqrt(z2) * sqrt(max(share * (1 - share), 0.0) + z2 / 4) / (1 + z2)
    # At shares of 0 and 1 an end equals the share; rounding must not put it on the wrong side.
    return max(min(middle - half, share), 0.0), min(max(middle + half, share), 1.0)


def bounded(value: float, variance: float, fewest: float, low: float = 0.0, high: float = 1.0) -> Interval:
    """Return an interval of a number between `low` and `high` whose estimate has this sampling variance.

    Wilson's for the number of rows at which a plain share would vary as much (v (1 - v) / variance on the
    scale of 0 to 1), so that it never leaves the limits and stays wide near them. Where the estimated
    variance is 0 (a perfect score) or unknown, `fewest` independent rows stand for the data.
    """
    width = high - low
    share, spread = (value - low) / width, variance / width**2
    rows = share * (1 - share) / spread if spread > 0 and 0 < share < 1 else fewest
    ends = wilson(share, rows)
    return low + width * ends[0], low + width * ends[1]


def difference(a: float, n_a: float, b: float, n_b: float) -> Interval:
    """Return Newcombe's interval (1998, method 10) of a - b, shares of `n_a` and `n_b` independent rows."""
    return sum_of(a, wilson(a, n_a), -b, negative(wilson(b, n_b)))


def sum_of(a: float, of_a: Interval, b: float, of_b: Interval) -> Interval:
    """Return an interval of a + b from those of independent a and b (MOVER; Zou, Donner 2008)."""
    total = a + b
    return total - hypot(a - of_a[0], b - of_b[0]), total + hypot(of_a[1] - a, of_b[1] - b)


def ratio(hits_a: float, n_a: float, hits_b: float, n_b: float) -> Interval:
    """Return an interval of (hits_a / n_a) / (hits_b / n_b) by the delta method on its logarithm.

    Half a hit and half a row are added to each side (Walter 1975), so that no hits on one side still has an
    interval; it always holds the plain ratio, where that is defined.
    """
    if not (n_a > 0 and n_b > 0):
        return NO_INTERVAL
    parts = (hits_a + 0.5, n_a + 0.5, hits_b + 0.5, n_b + 0.5)
    middle = log(parts[0] / parts[1]) - log(parts[2] / parts[3])
    half = Z * sqrt(max(1 / parts[0] - 1 / parts[1] + 1 / parts[2] - 1 / parts[3], 0.0))
    plain = (hits_a / n_a) / (hits_b / n_b) if hits_b > 0 else exp(middle)
    return min(exp(middle - half), plain), max(exp(middle + half), plain)


def normal(value: float, variance: float) -> Interval:
    """Return the interval of an estimate that is near normal; NaN where its variance is unknown."""
    half = Z * sqrt(max(variance, 0.0)) if isfinite(variance) else nan
    return value - half, value + half


def negative(interval: Interval) -> Interval:
    """Return the interval of -a."""
    return -interval[1], -interval[0]
