"""The state of a binary classifier's outcomes: rows by cell of the score and by label."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.frozen_edges import frozen_edges
from tidegauge.outcomes.row_weights import less, row_weights

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BinaryCounts:
    """Rows of a binary classifier by cell of its score: cells are (-inf, e0), [e0, e1), ..., [e_last, inf).

    `edges` `[cells - 1]` ascend strictly and are frozen by the reference (up to 1,000 cells of near equal
    mass). The others are `[cells]` of float64: `positives`, `negatives` and `unlabelled` count the rows (or
    sum the weights) with label 1, with label 0 and with none yet; `score_sums` and `score_squares` sum the
    score and its square over all rows of the cell, labelled or not. Merging is `+`, taking a part away is
    `-`; both refuse counts over other edges (ValueError).
    """

    edges: Floats
    positives: Floats
    negatives: Floats
    unlabelled: Floats
    score_sums: Floats
    score_squares: Floats

    def __add__(self, other: BinaryCounts) -> BinaryCounts:
        """Return the counts of the rows of both."""
        self._refuse_other_edges(other)
        return replace(
            self,
            positives=self.positives + other.positives,
            negatives=self.negatives + other.negatives,
            unlabelled=self.unlabelled + other.unlabelled,
            score_sums=self.score_sums + other.score_sums,
            score_squares=self.score_squares + other.score_squares,
        )

    def __sub__(self, other: BinaryCounts) -> BinaryCounts:
        """Return the counts of the rows of this that are not in `other`, which must be a part of it."""
        self._refuse_other_edges(other)
        return replace(
            self,
            positives=less(self.positives, other.positives),
            negatives=less(self.negatives, other.negatives),
            unlabelled=less(self.unlabelled, other.unlabelled),
            score_sums=self.score_sums - other.score_sums,
            score_squares=self.score_squares - other.score_squares,
        )

    def _refuse_other_edges(self, other: BinaryCounts) -> None:
        if not np.array_equal(self.edges, other.edges):
            raise ValueError(
                f"binary counts over {len(self.edges)} edges cannot be combined with counts over "
                f"{len(other.edges)} other edges; count both with the edges of one reference"
            )


def count_binary(
    scores: npt.ArrayLike, labels: npt.ArrayLike, edges: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> BinaryCounts:
    """Count raw rows: the plain way, which the fast ones are held to.

    `scores`, `labels` and `weights` are `[rows]`; a label is 1, 0, or NaN or None where it has not come. Rows
    whose score is NaN or infinite are left out: they have no cell. ValueError for unlike lengths, other
    labels, weights that are negative or beyond reason (`row_weights`), and edges that do not ascend.
    """
    bounds = frozen_edges(edges)
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    weight = row_weights(weights, score.shape)
    _check(score, label, weight)
    kept = np.isfinite(score)
    score, label, weight = score[kept], label[kept], weight[kept]
    cell = np.searchsorted(bounds, score, side="right")

    def summed(values: Floats) -> Floats:
        return np.bincount(cell, weights=values, minlength=len(bounds) + 1).astype(np.float64)

    with np.errstate(over="ignore"):  # of scores that are no probabilities, which need no squares
        squares = summed(weight * score * score)
    return BinaryCounts(
        edges=bounds,
        positives=summed(weight * (label == 1)),
        negatives=summed(weight * (label == 0)),
        unlabelled=summed(weight * np.isnan(label)),
        score_sums=summed(weight * score),
        score_squares=squares,
    )


def _check(scores: Floats, labels: Floats, weights: Floats) -> None:
    if scores.ndim != 1 or not scores.shape == labels.shape == weights.shape:
        raise ValueError(
            f"scores, labels and weights are of shape {scores.shape}, {labels.shape} and {weights.shape}; "
            "pass one of each for every row"
        )
    unknown = labels[~(np.isnan(labels) | (labels == 0) | (labels == 1))]
    if unknown.size:
        raise ValueError(f"label {unknown[0]:g} is neither 1, 0 nor missing; map the labels to 1 and 0 first")
