"""Does a change matter? Tests that it is larger than a tolerance, which no number of rows can force.

A test of "nothing changed" says yes to anything at a billion rows. These have the null hypothesis "it changed
by at most the tolerance", so their p falls only where the change is provably larger.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidegauge.drift.contingency import chi_square
from tidegauge.drift.divergences import psi
from tidegauge.drift.noncentral import noncentral_tail

Floats = npt.NDArray[np.float64]

_NODES = np.linspace(-9.0, 9.0, 37)  # normal deviations
_WEIGHTS = 0.5 * np.exp(-_NODES * _NODES / 2.0) / np.sqrt(2.0 * np.pi)


def psi_tolerance_p_value(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    tolerance: npt.ArrayLike,
    *,
    dispersion: npt.ArrayLike = 1.0,
    part: npt.ArrayLike = 1.0,
    degrees: npt.ArrayLike = np.inf,
    denominator: npt.ArrayLike = np.inf,
) -> Floats:
    """Return the p of "PSI is at most `tolerance`", `[...]`, of counts `[..., cells]` of both samples.

    N PSI with N = nm / (n + m) is noncentral chi-square with B - 1 degrees of freedom and noncentrality N
    tolerance, B the cells in use. Size at the boundary 4.4 to 5.6 % at a nominal 5 %. Where samples differ
    more than rows drawn one by one, N PSI under no change is `dispersion` (B - 1) times 1 - `part` + `part` F
    with `degrees` and `denominator` degrees of freedom (`drift.dispersion`). 1 for a single cell, NaN where a
    side has no rows.
    """
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    n, m = a.sum(axis=-1), b.sum(axis=-1)
    full = np.maximum(((a + b) > 0).sum(axis=-1) - 1, 0).astype(np.float64)
    own = np.minimum(degrees, full)
    with np.errstate(divide="ignore", invalid="ignore"):
        # What varies is `part` of the mean, spread over `own` directions; the rest is always there.
        mean = np.asarray(dispersion) * full
        scale = mean * np.asarray(part) / own
        size = n * m / (n + m) / scale
        always = mean * (1.0 - np.asarray(part)) / scale
        distance = psi(a, b)
        if np.any(np.asarray(dispersion) > 1.0):
            # Rows that come in bunches leave cells empty as if they were few; Pearson's distance, which is
            # the PSI to second order and less for more, bears that.
            distance = np.minimum(distance, chi_square(a, b)[0] * (1.0 / n + 1.0 / m))
        q = np.maximum(size * distance - always, 0.0)
        p = noncentral_tail(q, own, size * np.asarray(tolerance), denominator)
    return np.where((n > 0) & (m > 0), np.where(full > 0, p, 1.0), np.nan)


def share_tolerance_p_value(
    hits_reference: npt.ArrayLike,
    n_reference: npt.ArrayLike,
    hits_current: npt.ArrayLike,
    n_current: npt.ArrayLike,
    *,
    tolerance: npt.ArrayLike,
) -> Floats:
    """Return the one-sided p of "the share moved by at most `tolerance`", `[...]`, up or down.

    Of the binomial tail of the current hits at the reference's share plus the tolerance, the mean over what
    the reference's share can be: a beta with a + 1 and n - a, the one whose quantiles are Clopper & Pearson's
    upper limits. So it holds for one row as for a billion. A share that fell is one of the misses that rose.
    Divide the rows and hits of samples that are over-dispersed by their factor: they need not be whole. 1
    where it moved by less, NaN where a side has no rows.
    """
    from scipy.special import betainc, betaincinv, ndtr

    sides = (hits_reference, n_reference, hits_current, n_current, tolerance)
    a, n, b, m, limit = np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in sides))
    with np.errstate(divide="ignore", invalid="ignore"):
        change = b / m - a / n
    p = np.where(np.isnan(change) | (n <= 0) | (m <= 0), np.nan, 1.0)
    beyond = np.abs(change) > limit
    a, n, b, m, limit, change = (each[beyond][:, None] for each in (a, n, b, m, limit, change))
    a, b = np.where(change > 0, a, n - a), np.where(change > 0, b, m - b)
    # The binomial tail at a share is the beta law of b and m - b + 1 up to it, so p is the chance that this
    # beta and that of the reference's misses add up to at most 1 + limit. The mean is taken over the narrower
    # of the two, between whose nodes the law of the other is smooth; nodes are normal deviates, so that the
    # tails have theirs; trapezium rule.
    one, other = (np.maximum(n - a, 1e-9), a + 1.0), (np.maximum(b, 1e-9), m - b + 1.0)
    swap = _variance(*other) < _variance(*one)
    (k, rest), (k_other, rest_other) = (
        (np.where(swap, x, y) for x, y in zip(first, second, strict=True))
        for first, second in ((other, one), (one, other))
    )
    at = betaincinv(k, rest, ndtr(-_NODES))
    tail = betainc(k_other, rest_other, np.minimum(1.0 - at + limit, 1.0))
    p[beyond] = np.minimum((tail * _WEIGHTS).sum(axis=-1), 1.0)
    return p


def _variance(a: Floats, b: Floats) -> Floats:
    """Return the variance of a beta law."""
    return np.asarray(a * b / ((a + b) ** 2 * (a + b + 1.0)))
