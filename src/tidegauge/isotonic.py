"""Isotonic regression: the nearest values, in weighted squares, that never fall."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def isotonic(values: npt.ArrayLike, weights: npt.ArrayLike) -> Floats:
    """Return the never-falling `[n]` that minimise sum w (y - f)^2: pool adjacent violators, O(n).

    Places of weight 0 have no say: between others they lie on the straight line (by index), beyond the ends
    they repeat the end. All NaN where no weight is. Barlow et al. (1972). ValueError for unlike lengths,
    negative weights, or values that are not finite where there is weight.
    """
    y, w = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if y.ndim != 1 or y.shape != w.shape:
        raise ValueError(f"values and weights are of shape {y.shape} and {w.shape}; pass one of each a place")
    if not (np.isfinite(w).all() and (w >= 0).all()):
        raise ValueError("weights of an isotonic regression must be finite and not negative")
    held = np.flatnonzero(w > 0)
    if not held.size:
        return np.full(y.shape, np.nan)
    if not np.isfinite(y[held]).all():
        raise ValueError("values of an isotonic regression must be finite wherever their weight is not 0")
    return np.asarray(np.interp(np.arange(len(y)), held, _pooled(y[held], w[held])))


def _pooled(values: Floats, weights: Floats) -> Floats:
    """Pool whole runs that do not rise, which the result has in one pool anyway, for as long as that pays."""
    sums, masses, sizes = values * weights, weights, np.ones(len(values), dtype=np.int64)
    while True:
        means = sums / masses
        starts = np.flatnonzero(np.concatenate([[True], np.diff(means) > 0]))
        if len(starts) > 0.8 * len(sums):
            break
        sums, masses, sizes = (np.add.reduceat(each, starts) for each in (sums, masses, sizes))
    pools = _pooled_in_turn(sums.tolist(), masses.tolist(), sizes.tolist())
    return np.repeat(np.asarray(pools[0]) / np.asarray(pools[1]), pools[2])


def _pooled_in_turn(
    sums_in: list[float], masses_in: list[float], sizes_in: list[int]
) -> tuple[list[float], list[float], list[int]]:
    """Pool from the left: a new pool joins the one before it for as long as that is not below it; O(n)."""
    sums: list[float] = []
    masses: list[float] = []
    sizes: list[int] = []
    for each in zip(sums_in, masses_in, sizes_in, strict=True):
        total, mass, size = each
        while sums and sums[-1] * mass >= total * masses[-1]:
            total, mass, size = total + sums.pop(), mass + masses.pop(), size + sizes.pop()
        sums.append(total)
        masses.append(mass)
        sizes.append(size)
    return sums, masses, sizes
