"""Choose the edges between which a column is counted, from an exact sort of a sample of its values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

MAX_CELLS = 256


def fit_edges(values: npt.NDArray[Any], max_cells: int = MAX_CELLS) -> npt.NDArray[Any]:
    """Choose strictly ascending edges with near equal mass between them; values that repeat become points.

    `values`: float64 (finite) or int64, shape [n], in any order, n >= 1. Returns edges of the same dtype,
    at most `max_cells` + 1. Cells are half-open, so a point mass at v is the cell from v to the next number
    that the dtype can hold, and the last edge is just above the largest value. A value that holds more than
    one cell's share of the rows is a point, and so is every value where all of them fit.
    Edges need not be perfect: the counts between them are exact whatever they are.
    """
    ordered = np.sort(values)
    distinct, counts = np.unique(ordered, return_counts=True)
    points = distinct
    if 2 * len(distinct) > max_cells:
        heavy = counts > len(ordered) / max_cells
        # Each point takes two edges; leave at least half of them to everything else.
        limit = max_cells // 4
        if heavy.sum() > limit:
            heaviest = np.argsort(-counts, kind="stable")[:limit]  # of equally heavy ones the smaller values
            heavy = np.isin(np.arange(len(counts)), heaviest)
        points = distinct[heavy]
        rest = ordered[~np.isin(ordered, points)] if len(points) else ordered
        spread = max_cells - 1 - 2 * len(points)
        at = (np.arange(spread) * len(rest)) // spread if len(rest) else np.empty(0, np.int64)
        points_and_spread = np.concatenate([points, following(points), rest[at]])
    else:
        points_and_spread = np.concatenate([points, following(points)])
    everything = np.concatenate([points_and_spread, ordered[:1], following(ordered[-1:])])
    edges: npt.NDArray[Any] = np.unique(everything)
    return edges


def following(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the next larger number of the dtype; the largest one stays."""
    if values.dtype == np.int64:
        return np.where(values == np.iinfo(np.int64).max, values, values + 1)
    floats: npt.NDArray[Any] = np.nextafter(values, np.finfo(np.float64).max) + 0.0
    return floats
