"""The outcomes that a profile has counted, as the states that metrics are functions of."""

from __future__ import annotations

from math import inf, nan, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.confusion import Confusion
from tidegauge.outcomes.ranking import RankingSums
from tidegauge.outcomes.regression import RegressionSums
from tidegauge.outcomes.sums import Sums

Floats = npt.NDArray[np.float64]


def binary_counts(
    outcomes: _core.BinaryOutcomes, *, labelled: bool = False, whole: _core.BinaryOutcomes | None = None
) -> BinaryCounts:
    """Return the counts of a score and a label that is one of two; with a weight, the weighted ones.

    `labelled`: only of rows with a label, whose sums of scores are kept apart. Weights are scaled to add up
    to rows that would tell as much if all weighed the same (`rows_of_weight`): metrics are those of the
    weights, intervals those of so many rows. Parts of a `whole` are scaled as it is, so that they add up.
    """
    counts, sums, squares = outcomes.counts()
    rows = counts.astype(np.float64)
    weighted = outcomes.weighted()
    if weighted is not None:
        scale = min(rows_of_weight(whole or outcomes)[: 2 if labelled else 3], default=inf)
        rows, sums, squares = ((scale if scale < inf else 0.0) * each for each in weighted)
    kept = slice(0, 2 if labelled else 3)
    unlabelled = np.zeros_like(rows[2]) if labelled else rows[2]
    return BinaryCounts(
        outcomes.edges, rows[1], rows[0], unlabelled, sums[kept].sum(axis=0), squares[kept].sum(axis=0)
    )


def rows_of_weight(outcomes: _core.BinaryOutcomes) -> tuple[float, float, float]:
    """Return how many rows of one weight a weight of 1 tells as much as: negative, positive, unlabelled.

    (sum of w)^2 / sum of w^2 rows (Kish 1965) over the sum of w, infinite of an outcome without weight. Where
    all weights are 1 it is 1; a few large ones make it small.
    """
    weighted, squares = outcomes.weighted(), outcomes.weight_squares()
    if weighted is None or squares is None:
        return 1.0, 1.0, 1.0
    weights, rows = weighted[0].sum(axis=1), outcomes.counts()[0].sum(axis=1)

    def worth(weight: float, square: float, n: float) -> float:
        if not weight > 0:
            return inf
        # Squares that vanish do not tell how weights vary: all of them are one row then.
        return min(weight / square if square > 0 else 1.0 / weight, n / weight)

    return (
        worth(weights[0], squares[0], rows[0]),
        worth(weights[1], squares[1], rows[1]),
        worth(weights[2], squares[2], rows[2]),
    )


def told_apart(outcomes: _core.BinaryOutcomes) -> tuple[float, float]:
    """Return by how much more negatives and positives count where rows of one label stand for themselves.

    `binary_counts` scales both labels by the one whose weights vary more, so that no interval is too narrow.
    What is a share of one label alone, or compares such shares, may count each by its own: 1 or more.
    """
    negatives, positives, _ = rows_of_weight(outcomes)
    if inf in (negatives, positives):
        return 1.0, 1.0
    least = min(negatives, positives)
    return negatives / least, positives / least


def coarser(counts: BinaryCounts, edges: Floats) -> BinaryCounts:
    """Return the same rows between fewer edges, all of which `counts` has; ValueError for others."""
    if np.array_equal(counts.edges, edges):
        return counts
    at = np.searchsorted(counts.edges, edges)
    if (at == len(counts.edges)).any() or (counts.edges[at] != edges).any():
        raise ValueError("the edges to coarsen to are not all edges of the counts")
    starts = np.concatenate([[0], at + 1])
    parts = (counts.positives, counts.negatives, counts.unlabelled, counts.score_sums, counts.score_squares)
    return BinaryCounts(edges, *(np.add.reduceat(part, starts) for part in parts))


def confusion_matrix(outcomes: _core.ConfusionOutcomes) -> tuple[Floats, tuple[str, ...]]:
    """Return labelled rows `[label, prediction]` and the classes' names; "(other)" last, if it has rows."""
    matrix = outcomes.counts()[:, :-1].T.astype(np.float64)
    names = tuple(map(class_name, outcomes.classes))
    if matrix[-1].any() or matrix[:, -1].any():
        return matrix, (*names, "(other)")
    return matrix[:-1, :-1], names


def class_name(value: Any) -> str:
    """Return a class as people write it: whole numbers without a point."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def two_by_two(matrix: Floats, positive: int) -> Confusion:
    """Return a matrix `[label, prediction]` as one class against all others."""
    hits = float(matrix[positive, positive])
    labels, answers = float(matrix[positive].sum()), float(matrix[:, positive].sum())
    return Confusion(hits, answers - hits, labels - hits, float(matrix.sum()) - labels - answers + hits)


def regression_sums(outcomes: _core.RegressionOutcomes) -> RegressionSums:
    """Return the sums of a prediction and a numeric label.

    Sums of e^4, from which the intervals of squared errors come, are put together from the cells of the
    error: evenly spread within a cell, and in the outer ones as the tail of an exponential whose squares add
    up to what the cells within leave of the sum of e^2.
    """
    cells = outcomes.counts().astype(np.float64)
    n = float(cells.sum())
    sums, edges = outcomes.sums(), outcomes.edges
    square = sums["squared"][1]
    sides = outcomes.sides()

    def both(value: str, squared: str) -> Sums:
        rows, total = sums[value]
        return Sums(float(rows), total, sums[squared][1])

    return RegressionSums(
        errors=both("residual", "squared"),
        absolute=sums["absolute"][1],
        labels=both("label", "label_squared"),
        edges=edges,
        cells=cells,
        squares=Sums(n, square, fourth_powers(edges, cells, square)) if n else Sums(),
        relative=both("relative", "relative_squared"),
        symmetric=both("symmetric", "symmetric_squared"),
        logs=both("log_squared", "log_fourth"),
        over_square=sums["over_squared"][1],
        sides=np.zeros(3) if sides is None else np.array(sides, np.float64),
    )


def ranking_sums(outcomes: _core.RankingOutcomes) -> tuple[RankingSums, ...]:
    """Return the sums of ranked lists among the first 1, 5 and 10 items."""
    queries = outcomes.queries
    n = float(queries["counted"])
    return tuple(
        RankingSums(
            k,
            **{name: Sums(n, *sums) for name, sums in of_first.items()},
            n_without_relevant=queries["without_relevant"],
            n_single=queries["single"],
            n_incomplete=queries["incomplete"],
        )
        for k, of_first in outcomes.sums().items()
    )


def fourth_powers(edges: Floats, cells: Floats, square: float) -> float:
    """Return about what e^4 sums to over rows by cell of e, given the sum of e^2; NaN beyond a number.

    The outermost edges are the reference's extremes, so the tails begin at the ones within.
    """
    within = edges[1:-1]
    low, high = within[:-1], within[1:]
    inner, outer = cells[2:-2], float(cells[:2].sum() + cells[-2:].sum())
    if len(within) < 2:
        inner, outer = cells[:0], float(cells.sum())
    with np.errstate(over="ignore", invalid="ignore"):
        width = np.maximum(high - low, 1e-300)
        of_squares = float(inner @ ((high**3 - low**3) / (3 * width)))
        fourth = float(inner @ ((high**5 - low**5) / (5 * width)))
    if outer > 0:
        # x = a + y with y exponential of mean m: E x^2 = a^2 + 2 a m + 2 m^2 = q.
        a = float(np.abs(within[[0, -1]]).min()) if len(within) > 1 else 0.0
        q = max((square - of_squares) / outer, a * a)
        m = (sqrt(max(2 * q - a * a, 0.0)) - a) / 2 if q < inf else inf
        fourth += outer * (a**4 + 4 * a**3 * m + 12 * a**2 * m**2 + 24 * a * m**3 + 24 * m**4)
    return fourth if fourth < inf else nan
