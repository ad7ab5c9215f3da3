"""Tests that two samples counted in the same cells come from one distribution: Pearson's and the G-test.

Counts are `[..., cells]`, the order of the cells has no meaning, cells empty on both sides do not count.
"""

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


def g_test(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return (G, degrees of freedom, p), each `[...]`: the likelihood-ratio test of `chi_square`'s table.

    G = 2 sum over cells and samples of observed ln(observed / expected), which is 2(n + m) times the
    Jensen-Shannon divergence in nats with the samples' own weights. Range [0, inf), higher is worse; about B
    - 1 under no change, B the cells in use. p is the chi-square tail, which is too small where rows are few
    (below about 5 expected in a cell Pearson's holds its size better). NaN where a side has no rows.
    """
    from scipy.special import chdtrc, xlogy

    a, b = np.broadcast_arrays(np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64))
    n, m = a.sum(axis=-1), b.sum(axis=-1)
    full = a + b > 0
    degrees = np.maximum(full.sum(axis=-1) - 1, 0).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = np.where(full, (a + b) / (n + m)[..., None], 1.0)
        half = xlogy(a, a / (n[..., None] * pooled)) + xlogy(b, b / (m[..., None] * pooled))
    g = np.maximum(2.0 * half.sum(axis=-1), 0.0)
    rows = (n > 0) & (m > 0)
    p = np.where(degrees > 0, chdtrc(np.maximum(degrees, 1.0), g), 1.0)
    return np.where(rows, g, np.nan), degrees, np.where(rows, p, np.nan)


def cramers_v(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Cramer's V between cell and sample, corrected for bias: `[...]`, range [0, 1], higher is worse.

    Of T = n + m rows in B cells: phi^2 = max(chi^2 / T - (B - 1) / (T - 1), 0), V = sqrt(phi^2 / (min(B', 2')
    - 1)) with B' = B - (B - 1)^2 / (T - 1), 2' = 2 - 1 / (T - 1). Bergsma (2013). Its p is `chi_square`'s. It
    depends on the sizes of the samples: at most 2 sqrt(nm) / T times what it is for samples of one size. 0
    for a single cell and where every row has its own, NaN where a side has no rows.
    """
    statistic, degrees, _ = chi_square(reference, current)
    total = _total(reference, current)
    with np.errstate(divide="ignore", invalid="ignore"):
        square = np.maximum(statistic / total - degrees / (total - 1.0), 0.0)
        v = np.where(square > 0, np.sqrt(square / _free(degrees, total)), 0.0)
    return np.where(np.isnan(statistic), np.nan, np.minimum(v, 1.0))


def cramers_v_floor(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return about E[V] under no change, `[...]`: E sqrt(max(chi^2 - d, 0)) / sqrt(T), d = B - 1.

    The correction takes the bias of V^2 away, not that of V. E is an integral of the chi-square density,
    known as Tricomi's function U: Gamma(3/2) (d/2)^(d/2) e^(-d/2) / Gamma(d/2) sqrt(d) U(3/2, (d + 3)/2,
    d/2). Above 60 degrees of freedom chi^2 - d is normal, and E is E|Z|^(1/2) / 2 = 0.411 times (2d)^(1/4).
    """
    from scipy.special import gammaln, hyperu

    statistic, degrees, _ = chi_square(reference, current)
    total = _total(reference, current)
    few = np.clip(degrees, 1.0, 60.0)
    scale = np.exp(few / 2.0 * np.log(few / 2.0) - few / 2.0 - gammaln(few / 2.0) + gammaln(1.5)) * np.sqrt(
        few
    )
    exact = scale * hyperu(1.5, (few + 3.0) / 2.0, few / 2.0)
    root = np.where(degrees <= 60, exact, 0.411 * (2.0 * degrees) ** 0.25)
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = root / np.sqrt(total * _free(degrees, total))
    return np.where(np.isnan(statistic), np.nan, np.where(degrees > 0, np.minimum(floor, 1.0), 0.0))


def _total(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    return np.asarray(np.asarray(reference, dtype=np.float64).sum(-1) + np.asarray(current).sum(-1))


def _free(degrees: Floats, total: Floats) -> Floats:
    """Return min(B', 2') - 1, the corrected least dimension of the table."""
    cells = degrees - degrees * degrees / (total - 1.0)
    return np.asarray(np.minimum(cells, 1.0 - 1.0 / (total - 1.0)))
