"""What the absolute values of a column add up to, from its sum, its sum of squares and its cells."""

from __future__ import annotations

from math import inf, pi, sqrt

import numpy as np
import numpy.typing as npt

from tidegauge.column_profiles import ColumnProfile

Floats = npt.NDArray[np.float64]


def absolute_sum(column: ColumnProfile) -> tuple[float, float] | None:
    """Return (the sum of |x| over a number's finite values, by how much it can be off); None if not known.

    Of values of one sign it is the sum, exactly. Else sum |x| = S + 2 N, S the exact sum and N what the
    negative values fall short of 0: these lie between the edges of their cells, the positive ones, which
    exceed them by S, between theirs, and sum |x| is at most sqrt(n sum x^2). Within what this allows, values
    are taken as spread evenly over their cells, and beyond the outermost edges as normal (`beyond`). None for
    other kinds, and without cells where there are both signs.
    """
    total, negative, zero = column.sum, column.n_negative, column.n_zero
    if column.kind != "number" or total is None or negative is None or zero is None:
        return None
    n, total = column.n_present, float(total)
    positive = n - zero - negative
    if not negative or positive <= 0:
        return abs(total), 0.0
    mean, variance, edges = column.mean, column.variance, column.edges
    if edges is None or column.counts is None or mean is None or variance is None:
        return None
    square = variance * (n - 1) + n * mean * mean
    edges = edges.astype(np.float64)
    rows = np.concatenate([[column.n_below], column.counts, [column.n_above]]).astype(np.float64)
    ends = np.clip(np.concatenate([[-inf], edges, [inf]]), float(column.min), float(column.max))
    least, most = short_of_zero(ends[:-1], ends[1:], rows, float(negative))
    least_above, most_above = short_of_zero(-ends[1:], -ends[:-1], rows, float(positive))
    lowest = total + 2 * max(least, least_above - total)
    highest = max(min(total + 2 * min(most, most_above - total), sqrt(n * square)), lowest)
    inner, inner_square = spread_evenly(edges[:-1], edges[1:], rows[1:-1])
    tails = np.array([max(-edges[0], 0.0), max(edges[-1], 0.0)])
    guess = inner + beyond(tails, rows[[0, -1]], square - inner_square)
    value = min(max(guess, lowest), highest)
    return value, max(highest - value, value - lowest)


def short_of_zero(low: Floats, high: Floats, rows: Floats, negative: float) -> tuple[float, float]:
    """Return the least and most by which `negative` values in `[cells]` from `low` to `high` are below 0.

    The cell that holds 0 has what negative values the cells below it leave.
    """
    below = high <= 0
    around = (low < 0) & ~below
    within = rows[below]
    left = max(negative - float(within.sum()), 0.0)
    deepest = float((-low[around]).max(initial=0.0))
    return float(within @ -high[below]), float(within @ -low[below]) + left * deepest


def spread_evenly(low: Floats, high: Floats, rows: Floats) -> tuple[float, float]:
    """Return what |x| and x^2 add up to where the rows of each cell are spread evenly over it."""
    width = high - low
    size = np.abs(low + high) / 2
    around = (low < 0) & (high > 0)
    size = np.where(around, (low**2 + high**2) / (2 * np.where(width > 0, width, 1.0)), size)
    return float(rows @ size), float(rows @ (((low + high) / 2) ** 2 + width**2 / 12))


def beyond(edges: Floats, rows: Floats, square: float) -> float:
    """Return about what |x| adds up to over rows beyond the outermost edges, `[2]` each, given the squares.

    |x| = a + s |z| with a the mean of the edges by rows, z normal, and s such that the squares add up:
    a^2 + 2 a s sqrt(2 / pi) + s^2 = their mean.
    """
    n = float(rows.sum())
    if not n > 0:
        return 0.0
    a, part = float(edges @ rows) / n, sqrt(2 / pi)
    mean_square = max(square / n, a * a)
    spread = sqrt(max(mean_square - a * a * (1 - part * part), 0.0)) - a * part
    return n * (a + part * max(spread, 0.0))
