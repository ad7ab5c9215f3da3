"""L-infinity distance: the largest change of one cell's share, with its exact p and its floor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidegauge.drift.intervals import cell_scan

Floats = npt.NDArray[np.float64]

_NODES = 24  # of the Gauss-Legendre rule: good to 0.1 %


def l_infinity(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """L-infinity (Chebyshev) distance: max |p - q| over the cells; range [0, 1], higher is worse.

    Counts `[..., cells]` -> `[...]`; the order of the cells has no meaning. NaN where a side has no rows.
    """
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        gap = a / a.sum(axis=-1, keepdims=True) - b / b.sum(axis=-1, keepdims=True)
    return np.asarray(np.abs(gap).max(axis=-1))


def l_infinity_p_value(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return the p of "no cell's share changed", `[...]`; NaN where a side has no rows.

    The smallest exact hypergeometric p of a cell, times the cells in use (Bonferroni). That cell need not be
    the one whose share changed most: rare cells are judged by what is rare.
    """
    a, b = np.broadcast_arrays(np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64))
    cells = a.shape[-1]
    return np.asarray(cell_scan(a.reshape(-1, cells), b.reshape(-1, cells)).p.reshape(a.shape[:-1]))


def l_infinity_floor(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return about E under no change, `[...]`: E max of independent |Z_j|, Z_j normal.

    The variance of Z_j is h_j (1 - h_j) / N, with h the pooled shares and N = nm / (n + m). E max = Int 1 -
    prod (1 - P(|Z_j| > x)) dx. The cells depend on each other, which makes this up to a tenth too large for a
    few of them; of two the second follows from the first and is left out.
    """
    from scipy.special import erf

    a, b = np.broadcast_arrays(np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64))
    n, m = a.sum(axis=-1), b.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (a + b) / (n + m)[..., None]
        spread = np.sqrt(share * (1.0 - share) * (1.0 / n + 1.0 / m)[..., None])
    if spread.shape[-1] > 1:
        # Leave out the cell of the smallest spread in use when few are in use.
        used = (spread > 0).sum(axis=-1)
        least = np.where(spread > 0, spread, np.inf).argmin(axis=-1)[..., None]
        few = (used <= 2)[..., None] & (np.arange(spread.shape[-1]) == least)
        spread = np.where(few, 0.0, spread)
    widest = spread.max(axis=-1)
    end = 7.0 * widest
    floor = np.zeros_like(end)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    scale = np.divide(1.0 / np.sqrt(2.0), spread, out=np.full_like(spread, np.inf), where=spread > 0)
    for node, weight in zip(nodes, weights, strict=True):
        at = end * (node + 1.0) / 2.0
        with np.errstate(invalid="ignore"):
            inside = np.where(spread > 0, erf(at[..., None] * scale), 1.0).prod(axis=-1)
        floor += weight / 2.0 * (1.0 - inside)
    return np.where((n > 0) & (m > 0), floor * end, np.nan)
