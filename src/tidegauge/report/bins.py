"""Bins of equal width to draw a number's distribution in, from counts between edges of near equal mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge.drift.columns import ColumnCounts

Floats = npt.NDArray[np.float64]

MAX_BINS = 48
TAIL = 0.005  # of either side's values, left out at each end: a tail would squeeze all else into one bin
SKEWED = 8.0  # (high - median) / (median - low) from which a positive column is drawn on a logarithmic axis
WIDE = 1_000.0  # high / low from which whole numbers are


@dataclass(frozen=True, slots=True)
class Bins:
    """The shares of present values in bins that are drawn equally wide.

    `edges` `[bins + 1]` ascend; `log` says that they grow by a factor, else by a step; `whole` that every bin
    holds whole numbers, from its edge up to the one before the next. `reference` and `current` `[bins]`, with
    `below` and `above` (reference, current), add up to 1, or are all zero on a side without values.
    """

    edges: Floats
    log: bool
    whole: bool
    reference: Floats
    current: Floats
    below: tuple[float, float]
    above: tuple[float, float]

    def place(self, x: npt.ArrayLike) -> Floats:
        """Return where values lie on the axis, 0 at the first edge and 1 at the last; clipped to that."""
        return np.interp(np.asarray(x, np.float64), self.edges, np.linspace(0.0, 1.0, len(self.edges)))


def display_bins(before: ColumnCounts, after: ColumnCounts | None, most: int = MAX_BINS) -> Bins | None:
    """Spread the fine cells of both sides over at most `most` bins; None without edges or without values.

    A cell's values are taken as spread evenly over it, so what is drawn is exact at the fine edges. The range
    drawn leaves out 0.5 % of either side at each end. The number of bins follows the smaller side (Rice's
    rule, 2 n^(1/3)): a window of a thousand rows would be mostly noise in 48.
    """
    if before.edges is None or before.counts is None or not before.n_present:
        return None
    edges = np.asarray(before.edges, np.float64)
    sides = [_cumulative(before), _cumulative(after) if after is not None else np.zeros(len(edges))]
    n = [before.n_present, after.n_present if after is not None else 0]
    wanted = int(np.clip(2.0 * min(size for size in n if size) ** (1 / 3), 8, most))
    low, middle, high = _range(edges, sides)
    occupied = edges[:-1][np.any(np.diff(sides) > 0, axis=0)]
    whole = bool(np.all(occupied == np.rint(occupied))) and abs(edges).max() < 2.0**53
    with np.errstate(over="ignore"):  # a range that no double can hold is drawn linearly
        log = bool(low > 0 and high - middle > SKEWED * (middle - low))
    if whole and not (log and high > WIDE * low):
        log, drawn = False, _whole_edges(low, high, wanted)
    else:
        whole, drawn = False, _even_edges(low, high, wanted, log)
    at = [np.interp(drawn, edges, cumulative) for cumulative in sides]
    return Bins(
        edges=drawn,
        log=log,
        whole=whole,
        reference=np.diff(at[0]),
        current=np.diff(at[1]),
        below=(float(at[0][0]), float(at[1][0])),
        above=(float((n[0] > 0) - at[0][-1]), float((n[1] > 0) - at[1][-1])),
    )


def _cumulative(column: ColumnCounts) -> Floats:
    """Return the share of present values below each edge; zeros without values."""
    counts = np.asarray(column.counts if column.counts is not None else (), np.float64)
    return np.cumsum(np.r_[column.n_below, counts]) / max(column.n_present, 1)


def _range(edges: Floats, sides: list[Floats]) -> tuple[float, float, float]:
    """Return the range to draw and the reference's median, all of them edges."""
    inside = [cumulative - cumulative[0] for cumulative in sides]
    inside = [each / each[-1] for each in inside if each[-1] > 0]
    if not inside:  # every value lies beyond the edges
        return float(edges[0]), float(edges[0]), float(edges[-1])
    low = min(int(np.searchsorted(each, TAIL, side="right")) - 1 for each in inside)
    high = max(int(np.searchsorted(each, 1.0 - TAIL)) for each in inside)
    middle = int(np.searchsorted(inside[0], 0.5))
    return float(edges[low]), float(edges[middle]), float(edges[high])


def _whole_edges(low: float, high: float, wanted: int) -> Floats:
    """Return whole edges, at least five bins of them: a constant is a spike, not a wall."""
    start, stop = np.floor(low), np.ceil(high)
    step = max(np.ceil((stop - start) / wanted), 1.0)
    start -= max(np.floor((5.0 - (stop - start)) / 2.0), 0.0)
    edges: Floats = start + step * np.arange(max(np.ceil((stop - start) / step), 5.0) + 1)
    return edges


def _even_edges(low: float, high: float, wanted: int, log: bool) -> Floats:
    part = np.linspace(0.0, 1.0, wanted + 1)
    if log:
        edges: Floats = np.exp(np.log(low) * (1.0 - part) + np.log(high) * part)
    else:
        margin = 1e-3 * abs(low) or 1.0
        if high / 2 - low / 2 < 1e-9 * margin:  # one value
            low, high = low - margin, high + margin
        edges = low * (1.0 - part) + high * part  # no difference, which could overflow
    edges[[0, -1]] = low, high
    return np.unique(edges)
