"""Mann-Whitney: whether a current row tends to be larger than one of the reference."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def mann_whitney(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return (effect, p), each `[...]`, of counts `[..., cells]` in the order of the numbers.

    The effect is the common-language effect size P(current > reference) + P(equal) / 2 = U / (nm), with rows
    of one cell as equal: range [0, 1], 1/2 when neither tends to be larger; neither direction is worse. p is
    two-sided, normal, with the variance corrected for ties: nm / 12 (T + 1 - sum (t^3 - t) / (T (T - 1))), T
    = n + m, t the pooled counts of the cells. Mann & Whitney (1947), McGraw & Wong (1992). p is 1 where all
    rows are in one cell; NaN where a side has no rows.
    """
    from scipy.special import ndtr

    a, b, n, m = _counted(reference, current)
    # From the gap of the distribution functions, so that equal shares give exactly one half.
    before, after = np.cumsum(a, axis=-1) - a / 2.0, np.cumsum(b, axis=-1) - b / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (a + b) / (n + m)[..., None]
        gap = before / n[..., None] - after / m[..., None]
        excess = (gap * pooled).sum(axis=-1)  # effect - 1/2: the gap has no mean under either sample's half
        spread = np.sqrt(_variance(a + b, n, m))
        p = np.where(spread > 0, 2.0 * ndtr(-np.abs(excess) / spread), 1.0)
    rows = (n > 0) & (m > 0)
    return np.where(rows, 0.5 + excess, np.nan), np.where(rows, p, np.nan)


def mann_whitney_floor(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return E|effect - 1/2| under no change, `[...]`: sqrt(2 / pi) times its standard deviation."""
    a, b, n, m = _counted(reference, current)
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = np.sqrt(2.0 / np.pi * _variance(a + b, n, m))
    return np.where((n > 0) & (m > 0), floor, np.nan)


def _counted(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
    a, b = np.broadcast_arrays(np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64))
    return a, b, np.asarray(a.sum(axis=-1)), np.asarray(b.sum(axis=-1))


def _variance(ties: Floats, n: Floats, m: Floats) -> Floats:
    """Return the variance of U / (nm); the tie sum as shares, whose cubes cannot overflow."""
    total = n + m
    share = ties / total[..., None]
    # 1 - sum t^3 / T^3 exactly 0 for a single cell: sum over cells of h (1 - h^2).
    free = (share * (1.0 - share) * (1.0 + share)).sum(axis=-1)
    return np.asarray(np.maximum(free, 0.0) * total * total / (12.0 * n * m * (total - 1.0)))
