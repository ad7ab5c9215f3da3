"""The change of a share of rows (missing, unseen, out of range) between two samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidegauge.drift.divergences import Z_95

Floats = npt.NDArray[np.float64]

_EXACT_BELOW = 5.0  # expected rows in the emptiest of the four cells


def share_change(
    hits_reference: npt.ArrayLike,
    n_reference: npt.ArrayLike,
    hits_current: npt.ArrayLike,
    n_current: npt.ArrayLike,
    z: npt.ArrayLike = Z_95,
) -> tuple[Floats, Floats, Floats]:
    """Return hits_current / n_current - hits_reference / n_reference and its interval (change, low, high).

    All `[...]`, range [-1, 1]. Newcombe's hybrid interval (1998, method 10), from the Wilson interval of each
    side at `z` normal deviations; it holds its coverage at 0 and 1 too. NaN where a side has no rows.
    """
    p, p_low, p_high = _wilson(hits_reference, n_reference, z)
    q, q_low, q_high = _wilson(hits_current, n_current, z)
    change = q - p
    low = change - np.sqrt((q - q_low) ** 2 + (p_high - p) ** 2)
    high = change + np.sqrt((q_high - q) ** 2 + (p - p_low) ** 2)
    return change, np.asarray(low), np.asarray(high)


def share_p_value(
    hits_reference: npt.ArrayLike,
    n_reference: npt.ArrayLike,
    hits_current: npt.ArrayLike,
    n_current: npt.ArrayLike,
) -> Floats:
    """Return the two-sided p of "the shares are equal", `[...]`; NaN where a side has no rows.

    Fisher's exact test where fewer than 5 rows are expected in one of the four cells of the 2 x 2 table, the
    pooled normal test elsewhere.
    """
    from scipy.special import ndtr

    a, n, b, m = np.broadcast_arrays(
        *(
            np.asarray(each, dtype=np.float64)
            for each in (hits_reference, n_reference, hits_current, n_current)
        )
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (a + b) / (n + m)
        z = (b / m - a / n) / np.sqrt(pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m))
        p = np.where((a + b == 0) | (a + b == n + m), 1.0, 2.0 * ndtr(-np.abs(z)))
        # Whole numbers before the division, so that 5 expected rows are 5 and not a rounding below.
        expected = np.minimum(a + b, n + m - a - b) * np.minimum(n, m) / (n + m)
    p = np.where((n > 0) & (m > 0), p, np.nan)
    exact = (expected > 0) & (expected < _EXACT_BELOW) & (n > 0) & (m > 0)
    for place in np.argwhere(exact):
        at = tuple(place)
        p[at] = _fisher(a[at], n[at], b[at], m[at])
    return np.asarray(p)


def two_proportion_z(
    hits_reference: npt.ArrayLike,
    n_reference: npt.ArrayLike,
    hits_current: npt.ArrayLike,
    n_current: npt.ArrayLike,
) -> tuple[Floats, Floats]:
    """Return (z, p) of "the shares are equal", `[...]`: the pooled normal test, whatever the sizes.

    z = (q - p) / sqrt(h (1 - h) (1/n + 1/m)), h the pooled share; range (-inf, inf), positive when the share
    grew, E|z| = 0.80 under no change; p is two-sided. Its square is `chi_square` of the 2 x 2 table. Good
    where 5 rows and more are expected in each of the four cells; `share_p_value` and `fisher_exact` are good
    everywhere. (0, 1) where all rows are alike, NaN where a side has no rows.
    """
    from scipy.special import ndtr

    a, n, b, m = (
        np.asarray(each, dtype=np.float64) for each in (hits_reference, n_reference, hits_current, n_current)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (a + b) / (n + m)
        z = (b / m - a / n) / np.sqrt(pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m))
    z = np.where((a + b == 0) | (a + b == n + m), 0.0, z)
    z = np.where((n > 0) & (m > 0), z, np.nan)
    return z, np.asarray(2.0 * ndtr(-np.abs(z)))


def _wilson(
    hits: npt.ArrayLike, rows: npt.ArrayLike, deviations: npt.ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Return the share and its Wilson score interval."""
    x, n, z = (np.asarray(each, dtype=np.float64) for each in (hits, rows, deviations))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = x / n
        middle = (x + z * z / 2.0) / (n + z * z)
        half = z * np.sqrt(x * (n - x) / n + z * z / 4.0) / (n + z * z)
        # At no hits and at all hits the ends are the share itself; rounding must not move them.
        low = np.where(x == 0, share, np.minimum(middle - half, share))
        high = np.where(x == n, share, np.maximum(middle + half, share))
    return np.asarray(share), low, high


def _fisher(a: float, n: float, b: float, m: float) -> float:
    """Return the sum of the hypergeometric probabilities not above that of the observed table.

    Given the row and column sums, the hits (or misses, whichever are fewer) of the smaller sample are
    hypergeometric. The tables run over at most sqrt(5 (n + m)) counts where the exact test is used.
    """
    from scipy.special import gammaln

    if n < m:
        a, n, b, m = b, m, a, n
    if a + b > (n + m) / 2.0:
        a, b = n - a, m - b
    hits = np.arange(0.0, min(a + b, m) + 1.0)
    rest = a + b - hits
    log_p = -(gammaln(hits + 1) + gammaln(m - hits + 1) + gammaln(rest + 1) + gammaln(n - rest + 1))
    p = np.exp(log_p - log_p.max())
    return float(min(p[p <= p[int(b)] * (1.0 + 1e-7)].sum() / p.sum(), 1.0))
