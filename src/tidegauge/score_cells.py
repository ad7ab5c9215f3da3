"""Where to cut a reference's scores into cells, so that cells lose nothing that calibration needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tidegauge.isotonic import isotonic

Floats = npt.NDArray[np.float64]


def score_edges(
    scores: npt.ArrayLike, labels: npt.ArrayLike, thresholds: Sequence[float] = (), cells: int = 1_000
) -> Floats:
    """Return ascending edges of at most `cells` cells for a reference's `scores` and `labels` `[rows]`.

    Edges are the `thresholds`; the scores at which the isotonic calibration of the labelled rows steps, so
    that one fitted on the cells equals the one fitted on the rows; and, in the room that is left, scores at
    equal steps of rank (each score its own cell where they are few). Rows with a NaN or infinite score have
    no say. The steps are left out where they would take more than half of the room; about n^(1/3) of them are
    usual.
    """
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    kept = np.isfinite(score)
    score, label = score[kept], label[kept]
    wanted = np.unique(np.asarray(thresholds, dtype=np.float64))
    if not np.isfinite(wanted).all() or len(wanted) > cells - 1:
        raise ValueError(f"{len(wanted)} thresholds: pass finite ones, at most {cells - 1} for {cells} cells")
    room = cells - 1 - len(wanted)
    steps = _steps(score[~np.isnan(label)], label[~np.isnan(label)])
    if len(steps) <= room // 2:
        wanted = np.union1d(wanted, steps)
    room = cells - 1 - len(wanted)
    if not (score.size and room):
        return wanted
    ranks = np.linspace(0.0, 1.0, room)
    return np.union1d(wanted, np.quantile(score, ranks, method="inverted_cdf"))


def balanced_edges(scores: npt.ArrayLike, labels: npt.ArrayLike, cells: int) -> Floats:
    """Return ascending edges of at most `cells` cells at equal steps of both labels together, each one half.

    `labels` `[rows]` are 1, 0 or NaN: not known. So a rare label is told apart as well as the other is, which
    is what an area needs. Edges lie between rows: one at a row would put it first in its cell, and the area
    of few rows too high. Where only one label is known, all rows count alike. Rows with a NaN or infinite
    score have no say; of no others the one edge is .5.
    """
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    kept = np.isfinite(score)
    score, label = score[kept], label[kept]
    if not score.size:
        return np.array([0.5])
    sides = [label == side for side in (0.0, 1.0)]
    weight = np.ones(len(score))
    if all(side.any() for side in sides):
        weight = sum((side / side.sum() for side in sides), np.zeros(len(score)))
    order = np.argsort(score, kind="stable")
    ordered, reached = score[order], np.cumsum(weight[order])
    steps = np.linspace(0.0, reached[-1], cells + 1)[1:-1]
    with np.errstate(over="ignore", invalid="ignore"):  # of scores too far apart for a number between them
        edges = np.unique(np.interp(steps, reached - weight[order] / 2, ordered))
    edges = edges[np.isfinite(edges)] + 0.0
    return edges if len(edges) else ordered[:1] + 0.0


def _steps(score: Floats, label: Floats) -> Floats:
    """Return the scores at which the isotonic regression of the label rises."""
    if not score.size:
        return score
    values, of_row = np.unique(score, return_inverse=True)
    rows = np.bincount(of_row).astype(np.float64)
    fitted = isotonic(np.bincount(of_row, weights=label) / rows, rows)
    return values[1:][np.diff(fitted) > 0]
