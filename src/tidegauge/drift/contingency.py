"""Pearson's chi-square test that two samples counted in the same cells come from one distribution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def chi_square(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return (statistic, degrees of freedom, p), each `[...]`, of counts `[..., cells]` of two samples.

    The two-sample statistic sum over cells and samples of (observed - expected)^2 / expected, which is N sum
    (p - q)^2 / h with h the pooled shares and N = nm / (n + m); the reference's noise is part of it. Degrees
    of freedom: cells that are not empty on both sides, less one. p is the chi-square tail, good where the
    expected counts are about 5 and more. Statistic in [0, inf), higher is worse; p is 1 for a single cell,
    NaN (with the statistic) where a side has no rows.
    """
    from scipy.special import chdtrc  # the tail behind scipy.stats.chi2.sf, without the import of scipy.stats

    a, b = np.broadcast_arrays(np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64))
    n, m = a.sum(axis=-1), b.sum(axis=-1)
    pooled = a + b
    full = pooled > 0
    # (p - q)^2 N / h, written so that equal shares cancel exactly: a m - b n is a whole number.
    cross = a * m[..., None] - b * n[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (np.where(full, cross * cross / np.where(full, pooled, 1.0), 0.0)).sum(axis=-1) / (n * m)
    degrees = np.maximum(full.sum(axis=-1) - 1, 0).astype(np.float64)
    rows = (n > 0) & (m > 0)
    statistic = np.where(rows, statistic, np.nan)
    p = np.where(degrees > 0, chdtrc(np.maximum(degrees, 1.0), statistic), np.where(rows, 1.0, np.nan))
    return statistic, degrees, np.where(rows, p, np.nan)
