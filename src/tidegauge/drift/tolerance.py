"""Does a change matter? Tests that it is larger than a tolerance, which no number of rows can force.

A test of "nothing changed" says yes to anything at a billion rows. These have the null hypothesis "it changed
by at most the tolerance", so their p falls only where the change is provably larger.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidegauge.drift.divergences import psi
from tidegauge.drift.noncentral import noncentral_tail
from tidegauge.drift.shares import share_change

Floats = npt.NDArray[np.float64]

_FARTHEST = 38.0  # normal deviations: a p of 1e-316
_HALVINGS = 50


def psi_tolerance_p_value(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    tolerance: npt.ArrayLike,
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
        q = np.maximum(size * psi(a, b) - always, 0.0)
        p = noncentral_tail(q, own, size * np.asarray(tolerance), denominator)
    return np.where((n > 0) & (m > 0), np.where(full > 0, p, 1.0), np.nan)


def share_tolerance_p_value(
    hits_reference: npt.ArrayLike,
    n_reference: npt.ArrayLike,
    hits_current: npt.ArrayLike,
    n_current: npt.ArrayLike,
    tolerance: npt.ArrayLike,
) -> Floats:
    """Return the one-sided p of "the share moved by at most `tolerance`", `[...]`, up or down.

    The level at which `share_change`'s interval, drawn from both sides' Wilson intervals, just reaches the
    tolerance: holds its size where few rows are in the cell, as the interval does. Divide the rows and hits
    of samples that are over-dispersed by their factor. NaN where a side has no rows.
    """
    from scipy.special import ndtr

    change, _, _ = share_change(hits_reference, n_reference, hits_current, n_current)
    low, high = np.zeros_like(change), np.full_like(change, _FARTHEST)
    for _ in range(_HALVINGS):
        z = (low + high) / 2.0
        _, lower, upper = share_change(hits_reference, n_reference, hits_current, n_current, z)
        beyond = np.where(change > 0, lower, -upper) > tolerance
        low, high = np.where(beyond, z, low), np.where(beyond, high, z)
    p = np.where(np.abs(change) > tolerance, ndtr(-low), 1.0)
    return np.where(np.isnan(change), np.nan, p)
