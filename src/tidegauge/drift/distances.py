"""Distances between samples of numbers between the same edges: Kolmogorov-Smirnov, Wasserstein, energy.

Counts are `[..., below + cells + above]`: the first and last places hold the values outside the edges. The
order of the cells is the order of the numbers. NaN where a side has no rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def ks(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Kolmogorov-Smirnov distance at the edges: max |F - G|; range [0, 1], higher is worse.

    `[..., below + cells + above]` -> `[...]`. It is at most the distance over all values, and short of it by
    at most the largest share that one cell holds.
    """
    return np.asarray(np.abs(_cumulative(reference) - _cumulative(current)).max(axis=-1))


def ks_p_value(distance: npt.ArrayLike, n_reference: npt.ArrayLike, n_current: npt.ArrayLike) -> Floats:
    """Return the asymptotic p of a two-sample distance with Stephens' correction; conservative on cells.

    Kolmogorov's tail at D (sqrt N + 0.12 + 0.11 / sqrt N), N = nm / (n + m); Stephens (1970).
    """
    from scipy.special import kolmogorov

    n, m = np.asarray(n_reference, dtype=np.float64), np.asarray(n_current, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(n * m / (n + m))
        return np.asarray(kolmogorov(np.asarray(distance) * (root + 0.12 + 0.11 / root)))


def ks_floor(n_reference: npt.ArrayLike, n_current: npt.ArrayLike) -> Floats:
    """Return about E[D] under no change for a continuous variable: 0.8687 / sqrt N, N = nm / (n + m)."""
    n, m = np.asarray(n_reference, dtype=np.float64), np.asarray(n_current, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(0.8687 * np.sqrt(1.0 / n + 1.0 / m))


def wasserstein(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    edges: npt.ArrayLike,
    reference_range: tuple[npt.ArrayLike, npt.ArrayLike],
    current_range: tuple[npt.ArrayLike, npt.ArrayLike],
) -> Floats:
    """Wasserstein-1 (earth mover's) distance, Int |F - G| dx, in the units of the edges; range [0, inf).

    `[..., cells + 2]` and `edges [..., cells + 1]` -> `[...]`; the ranges are (min, max) of each side,
    `[...]`. Divide by the reference's standard deviation for a number without units. Mass is spread evenly
    inside a cell, from `min` to the first edge below and from the last edge to `max` above; the integral is
    exact for that. The truth differs by at most half of sum (p_i + q_i) w_i over the cells (w_i the width):
    moving evenly spread mass anywhere inside its cell costs at most half a width. Cells may have no width.
    Higher is worse.
    """
    f, g, knots = _at_knots(reference, current, edges, reference_range, current_range)
    gap = f - g
    left, right = np.abs(gap[..., :-1]), np.abs(gap[..., 1:])
    both = left + right
    crossing = gap[..., :-1] * gap[..., 1:] < 0
    # Under a straight line: a trapezium, or two triangles where it crosses zero.
    height = np.where(
        crossing, (left * left + right * right) / np.where(crossing, 2.0 * both, 1.0), both / 2.0
    )
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray((height * np.diff(knots, axis=-1)).sum(axis=-1))


def wasserstein_floor(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    edges: npt.ArrayLike,
    reference_range: tuple[npt.ArrayLike, npt.ArrayLike],
    current_range: tuple[npt.ArrayLike, npt.ArrayLike],
) -> Floats:
    """Return E[W1] under no change, sqrt(2 / (pi N)) Int sqrt(H (1 - H)) dx, in the units of the edges.

    The arguments are those of `wasserstein`; H is the pooled distribution function, N = nm / (n + m). For a
    normal variable it is 1.288 standard deviations / sqrt N.
    """
    n, m = _rows(reference), _rows(current)
    f, g, knots = _at_knots(reference, current, edges, reference_range, current_range)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        area = _area(np.sqrt(_variance(f, n, g, m)), knots)
        return np.asarray(np.sqrt(2.0 / np.pi * (1.0 / n + 1.0 / m)) * area)


def energy(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    edges: npt.ArrayLike,
    reference_range: tuple[npt.ArrayLike, npt.ArrayLike],
    current_range: tuple[npt.ArrayLike, npt.ArrayLike],
) -> Floats:
    """Squared energy distance 2 E|X - Y| - E|X - X'| - E|Y - Y'| = 2 Int (F - G)^2 dx; range [0, inf).

    The arguments, the units (those of the edges: divide by the reference's standard deviation for a number
    without units) and the spread of mass inside a cell are those of `wasserstein`; the integral is exact for
    that. Higher is worse. Székely & Rizzo (2013).
    """
    f, g, knots = _at_knots(reference, current, edges, reference_range, current_range)
    left, right = (f - g)[..., :-1], (f - g)[..., 1:]
    with np.errstate(invalid="ignore", over="ignore"):
        # The square of a straight line from l to r has the mean (l^2 + l r + r^2) / 3.
        square = (left * left + left * right + right * right) / 3.0
        return np.asarray(2.0 * (square * np.diff(knots, axis=-1)).sum(axis=-1))


def energy_floor(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    edges: npt.ArrayLike,
    reference_range: tuple[npt.ArrayLike, npt.ArrayLike],
    current_range: tuple[npt.ArrayLike, npt.ArrayLike],
) -> Floats:
    """Return E under no change, 2 / N Int H (1 - H) dx, in the units of the edges."""
    n, m = _rows(reference), _rows(current)
    f, g, knots = _at_knots(reference, current, edges, reference_range, current_range)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(2.0 * (1.0 / n + 1.0 / m) * _area(_variance(f, n, g, m), knots))


def _cumulative(counts: npt.ArrayLike) -> Floats:
    """Return F at the end of every cell but the last, where it is 1; NaN without rows."""
    through = np.cumsum(np.asarray(counts, dtype=np.float64), axis=-1)
    with np.errstate(invalid="ignore"):
        return np.asarray(through[..., :-1] / through[..., -1:])


def _at_knots(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    edges: npt.ArrayLike,
    reference_range: tuple[npt.ArrayLike, npt.ArrayLike],
    current_range: tuple[npt.ArrayLike, npt.ArrayLike],
) -> tuple[Floats, Floats, Floats]:
    """Return (F, G, knots): both distribution functions at the edges and at the ends of both samples."""
    e = np.asarray(edges, dtype=np.float64)
    low = [
        np.minimum(np.asarray(side[0], dtype=np.float64), e[..., 0])
        for side in (reference_range, current_range)
    ]
    high = [
        np.maximum(np.asarray(side[1], dtype=np.float64), e[..., -1])
        for side in (reference_range, current_range)
    ]
    # The ends of both samples are knots, so that both distribution functions are linear between knots.
    knots = np.concatenate(
        [
            np.stack([np.minimum(*low), np.maximum(*low)], axis=-1),
            e,
            np.stack([np.minimum(*high), np.maximum(*high)], axis=-1),
        ],
        axis=-1,
    )
    with np.errstate(invalid="ignore", over="ignore"):
        f = _one_at_knots(reference, knots, e, low[0], high[0])
        g = _one_at_knots(current, knots, e, low[1], high[1])
    return f, g, knots


def _one_at_knots(counts: npt.ArrayLike, knots: Floats, edges: Floats, low: Floats, high: Floats) -> Floats:
    """Return F at (outer low, inner low, edges, inner high, outer high)."""
    at_edges = _cumulative(counts)
    below, above = at_edges[..., :1], 1.0 - at_edges[..., -1:]
    start = _fraction(knots[..., :2] - low[..., None], edges[..., :1] - low[..., None])
    end = _fraction(high[..., None] - knots[..., -2:], high[..., None] - edges[..., -1:])
    return np.concatenate([below * start, at_edges, 1.0 - above * end], axis=-1)


def _fraction(part: Floats, whole: Floats) -> Floats:
    """Return part / whole within [0, 1], and 0 where the whole has no width."""
    return np.clip(np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 0.0), 0.0, 1.0)


def _rows(counts: npt.ArrayLike) -> Floats:
    return np.asarray(np.asarray(counts, dtype=np.float64).sum(axis=-1))


def _variance(f: Floats, n: Floats, g: Floats, m: Floats) -> Floats:
    """Return H (1 - H) for the pooled H = (n F + m G) / (n + m)."""
    h = np.clip((n[..., None] * f + m[..., None] * g) / (n + m)[..., None], 0.0, 1.0)
    return np.asarray(h * (1.0 - h))


def _area(height: Floats, knots: Floats) -> Floats:
    """Return the integral by trapeziums; NaN where the heights are."""
    return np.asarray(((height[..., :-1] + height[..., 1:]) / 2.0 * np.diff(knots, axis=-1)).sum(axis=-1))
