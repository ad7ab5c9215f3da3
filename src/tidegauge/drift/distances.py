"""Distances between two samples of numbers between the same edges: Kolmogorov-Smirnov and Wasserstein.

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
    with np.errstate(invalid="ignore"):
        gap = _at_knots(reference, knots, e, low[0], high[0]) - _at_knots(current, knots, e, low[1], high[1])
        left, right = np.abs(gap[..., :-1]), np.abs(gap[..., 1:])
        both = left + right
        crossing = gap[..., :-1] * gap[..., 1:] < 0
        # Under a straight line: a trapezium, or two triangles where it crosses zero.
        height = np.where(
            crossing, (left * left + right * right) / np.where(crossing, 2.0 * both, 1.0), both / 2.0
        )
        return np.asarray((height * np.diff(knots, axis=-1)).sum(axis=-1))


def _cumulative(counts: npt.ArrayLike) -> Floats:
    """Return F at the end of every cell but the last, where it is 1; NaN without rows."""
    through = np.cumsum(np.asarray(counts, dtype=np.float64), axis=-1)
    with np.errstate(invalid="ignore"):
        return np.asarray(through[..., :-1] / through[..., -1:])


def _at_knots(counts: npt.ArrayLike, knots: Floats, edges: Floats, low: Floats, high: Floats) -> Floats:
    """Return F at (outer low, inner low, edges, inner high, outer high)."""
    at_edges = _cumulative(counts)
    below, above = at_edges[..., :1], 1.0 - at_edges[..., -1:]
    start = _fraction(knots[..., :2] - low[..., None], edges[..., :1] - low[..., None])
    end = _fraction(high[..., None] - knots[..., -2:], high[..., None] - edges[..., -1:])
    return np.concatenate([below * start, at_edges, 1.0 - above * end], axis=-1)


def _fraction(part: Floats, whole: Floats) -> Floats:
    """Return part / whole within [0, 1], and 0 where the whole has no width."""
    return np.clip(np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 0.0), 0.0, 1.0)
