"""The state of a binary classifier's outcomes: rows by cell of the score and by label."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BinaryCounts:
    """Rows of a binary classifier by cell of its score: cells are (-inf, e0), [e0, e1), ..., [e_last, inf).

    `edges` `[cells - 1]` ascend strictly and are frozen by the reference (up to 1,000 cells of near equal mass).
    The others are `[cells]` of float64: `positives`, `negatives` and `unlabelled` count the rows (or sum the
    weights) with label 1, with label 0 and with none yet; `score_sums` and `score_squares` sum the score and
    its square over all rows of the cell, labelled or not. Merging is `+`, taking a part away is `-`; both
    refuse counts over other edges (ValueError).
    """

    edges: Floats
    positives: Floats
    negatives: Floats
    unlabelled: Floats
    score_sums: Floats
    score_squares: Floats

    def __add__(self, other: BinaryCounts) -> BinaryCounts:
        """Return the counts of the rows of both."""
        return self._combined(other, 1.0)

    def __sub__(self, other: BinaryCounts) -> BinaryCounts:
        """Return the counts of the rows of this that are not in `other`, which must be a part of it."""
        return self._combined(other, -1.0)

    def _combined(self, other: BinaryCounts, sign: float) -> BinaryCounts:
        if not np.array_equal(self.edges, other.edges):
            raise ValueError(
                f"binary counts over {len(self.edges)} edges cannot be combined with counts over "
                f"{len(other.edges)} other edges; count both with the edges of one reference"
            )
        return replace(
            self,
            positives=self.positives + sign * other.positives,
            negatives=self.negatives + sign * other.negatives,
            unlabelled=self.unlabelled + sign * other.unlabelled,
            score_sums=self.score_sums + sign * other.score_sums,
            score_squares=self.score_squares + sign * other.score_squares,
        )


def count_binary(
    scores: npt.ArrayLike, labels: npt.ArrayLike, edges: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> BinaryCounts:
    """Count raw rows: the plain way, which the fast ones are held to.

    `scores`, `labels` and `weights` are `[rows]`; a label is 1, 0, or NaN or None where it has not come. Rows
    whose score is NaN or infinite are left out: they have no cell. ValueError for unlike lengths, other
    labels, weights that are negative or not finite, and edges that do not ascend.
    """
    bounds = np.asarray(edges, dtype=np.float64)
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    weight = np.ones(score.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    _check(bounds, score, label, weight)
    kept = np.isfinite(score)
    score, label, weight = score[kept], label[kept], weight[kept]
    cell = np.searchsorted(bounds, score, side="right")

    def summed(values: Floats) -> Floats:
        return np.bincount(cell, weights=values, minlength=len(bounds) + 1)

    return BinaryCounts(
        edges=bounds,
        positives=summed(weight * (label == 1)),
        negatives=summed(weight * (label == 0)),
        unlabelled=summed(weight * np.isnan(label)),
        score_sums=summed(weight * score),
        score_squares=summed(weight * score * score),
    )


def _check(edges: Floats, scores: Floats, labels: Floats, weights: Floats) -> None:
    if edges.ndim != 1 or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
        raise ValueError("edges of score cells must be one row of finite numbers that ascend strictly")
    if scores.ndim != 1 or not scores.shape == labels.shape == weights.shape:
        raise ValueError(
            f"scores, labels and weights are of shape {scores.shape}, {labels.shape} and {weights.shape}; "
            "pass one of each for every row"
        )
    unknown = labels[~(np.isnan(labels) | (labels == 0) | (labels == 1))]
    if unknown.size:
        raise ValueError(f"label {unknown[0]:g} is neither 1, 0 nor missing; map the labels to 1 and 0 first")
    wrong = weights[~(np.isfinite(weights) & (weights >= 0))]
    if wrong.size:
        raise ValueError(f"weight {wrong[0]:g} is negative or not finite; drop the row or give it weight 0")
