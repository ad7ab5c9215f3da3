"""Ranks and quantiles of a numeric column: between its edges from the cells, elsewhere from the sketch."""

from __future__ import annotations

import math

import numpy as np

from tidegauge import _core
from tidegauge.edges import following

Numbers = _core.FloatColumn | _core.IntegerColumn


def quantile_of(column: Numbers, q: float) -> float:
    """Return the value at rank q in [0, 1] of a column with values; an int of an integer column."""
    edges = column.spec.edges
    if edges is None:
        return column.quantile(q)
    cells = column.cells
    ends = np.cumsum(cells.astype(np.float64))
    target = q * column.n_present
    at = min(int(np.searchsorted(ends, target, side="left")), len(cells) - 1)
    while cells[at] == 0:  # q = 0 before empty cells, or rounding behind the last full one
        at = at + 1 if ends[at] <= 0 else at - 1
    into = min(max(target - (ends[at] - float(cells[at])), 0.0), float(cells[at]))
    if 0 < at < len(cells) - 1:
        low, high = edges[at - 1].item(), edges[at].item()
        share = into / float(cells[at])
        if isinstance(low, int):
            value: float = min(low + int((high - low) * share), high - 1)
        else:
            # Rounding must not leave the cell, on either side.
            value = min(max(low * (1 - share) + high * share, low), math.nextafter(high, low))
        return min(max(value, column.min), column.max)
    if not column.n_quantiles:  # a light profile keeps no sketch: the end of the range is all it knows
        return column.min if at == 0 else column.max
    before = 0.0 if at == 0 else float(cells[0])
    return column.quantile(min((before + into) / column.n_quantiles, 1.0))


def rank_of(column: Numbers, x: float) -> float | None:
    """Return the fraction of values <= x, for x within the column's extremes; None outside light edges."""
    edges = column.spec.edges
    if edges is None:
        return sketched_rank(column, x)
    x = math.floor(x) if isinstance(column, _core.IntegerColumn) else x
    cells = column.cells
    at = int(np.searchsorted(edges, x, side="right"))
    n = column.n_present
    if 0 < at < len(edges):
        low, high = edges[at - 1].item(), edges[at].item()
        # Of integers, x itself is below or at x; of floats, the range of a cell may exceed a double.
        inside = (x + 1 - low) / (high - low) if isinstance(low, int) else part_of(x, low, high)
        return float((int(cells[:at].sum()) + int(cells[at]) * inside) / n)
    if not column.n_quantiles:
        return None
    outside = sketched_rank(column, x) * column.n_quantiles
    return float((outside if at == 0 else outside + int(cells[1:-1].sum())) / n)


def sketched_rank(column: Numbers, x: float) -> float:
    """Return the fraction of the values in the column's sketch that are <= x."""
    return column.rank(math.floor(x)) if isinstance(column, _core.IntegerColumn) else column.rank(x)


def rank_error(column: Numbers) -> float:
    """Return how far the two functions above may be off, as a fraction of the values."""
    edges = column.spec.edges
    if edges is None:
        return float(column.quantile_error)
    cells = column.cells
    # A cell that holds one number and no other leaves nothing to interpolate.
    spread = cells[1:-1][following(edges[:-1]) != edges[1:]]
    outside = float(int(cells[0]) + int(cells[-1]))
    sketched = float(column.quantile_error) * outside if column.n_quantiles else outside
    return max(float(spread.max(initial=0)), sketched) / column.n_present


def part_of(x: float, low: float, high: float) -> float:
    """Return how much of the cell [low, high) is <= x, in [0, 1]: all of a cell that holds one number."""
    if math.nextafter(low, math.inf) == high:
        return 1.0
    half = 1.0 if math.isfinite(high - low) else 0.5
    return (x * half - low * half) / (high * half - low * half)
