"""Kuiper's distance: the Kolmogorov-Smirnov distance for what goes round, such as hours and weekdays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def kuiper(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Kuiper's distance at the edges: max (F - G) + max (G - F); range [0, 1], higher is worse.

    `[..., cells]` -> `[...]`. It does not depend on where the circle was cut, so it is the distance for hours
    and weekdays, and feels the tails as much as the middle. Kuiper (1960).
    """
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        f = np.cumsum(a, axis=-1) / a.sum(axis=-1, keepdims=True)
        g = np.cumsum(b, axis=-1) / b.sum(axis=-1, keepdims=True)
    gap = f - g
    # F and G meet before the first cell and after the last.
    return np.asarray(np.maximum(gap.max(axis=-1), 0.0) - np.minimum(gap.min(axis=-1), 0.0))


def kuiper_p_value(distance: npt.ArrayLike, n_reference: npt.ArrayLike, n_current: npt.ArrayLike) -> Floats:
    """Return the asymptotic p of a two-sample Kuiper distance; conservative on cells.

    2 sum over j of (4 j^2 l^2 - 1) exp(-2 j^2 l^2) at l = V (sqrt N + 0.155 + 0.24 / sqrt N), N = nm / (n +
    m); Stephens (1970).
    """
    n, m = np.asarray(n_reference, dtype=np.float64), np.asarray(n_current, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(n * m / (n + m))
        size = np.asarray(distance) * (root + 0.155 + 0.24 / root)
    # Below 0.4 the tail is 1 to ten digits; there the sum would need many terms.
    square = np.maximum(size, 0.4)[..., None] ** 2 * np.arange(1.0, 13.0) ** 2
    return np.asarray(np.clip(2.0 * ((4.0 * square - 1.0) * np.exp(-2.0 * square)).sum(axis=-1), 0.0, 1.0))


def kuiper_floor(n_reference: npt.ArrayLike, n_current: npt.ArrayLike) -> Floats:
    """Return about E[V] under no change for a continuous variable: sqrt(pi / 2) / (sqrt N + 0.155).

    The range of a Brownian bridge has the mean sqrt(pi / 2), twice that of its maximum; the rest is Stephens'
    correction. Some percent too large on cells, between whose ends the extremes lie.
    """
    n, m = np.asarray(n_reference, dtype=np.float64), np.asarray(n_current, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(np.pi / 2.0) / (np.sqrt(n * m / (n + m)) + 0.155))
