"""What a score means: the share of label 1 in every cell of the score, learned where labels are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge.isotonic import isotonic
from tidegauge.outcomes.binary_counts import BinaryCounts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Calibrator:
    """P(label is 1) by cell of the score, or by leaf and cell: `[cells]` or `[leaves, cells]`.

    `edges` `[cells - 1]` are those of the counts it was learned from. `probabilities` are in [0, 1], NaN
    where nothing was known. Cells of one number in `pools`, which ascend from 0, share one learned value;
    `pool_weights` `[pools]` is the weight of labelled rows it was learned from (infinite where nothing was
    learned): what its error is made of.
    """

    edges: Floats
    probabilities: Floats
    pools: Ints
    pool_weights: Floats


def fit_calibrator(reference: BinaryCounts) -> Calibrator:
    """Learn P(label is 1) from the labelled rows of a reference: isotonic over its score cells.

    Cells without a labelled row lie between their neighbours. All NaN where the reference has no label.
    """
    labelled = np.maximum(reference.positives + reference.negatives, 0.0)
    # What is left of a cell by subtracting float weights may be a rounding: it says nothing.
    labelled = np.where(labelled > 1e-12 * labelled.sum(), labelled, 0.0)
    known = labelled > 0
    share = np.clip(reference.positives / np.where(known, labelled, 1.0), 0.0, 1.0)
    probabilities = isotonic(share, labelled)
    pools = pools_of(probabilities)
    weights = np.bincount(pools, weights=labelled)
    # A pool of only unlabelled cells stands between two others: it knows at most what a neighbour knows.
    weights = np.maximum(weights, labelled[known].min(initial=1.0))
    return Calibrator(reference.edges, probabilities, pools, weights)


def trust_scores(window: BinaryCounts) -> Calibrator:
    """Take the scores of a window for probabilities as they are: each cell's mean score. Nothing is learned.

    NaN in cells without rows. ValueError where a mean lies outside [0, 1]: such scores need `fit_calibrator`.
    """
    rows = window.positives + window.negatives + window.unlabelled
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(rows > 0, window.score_sums / rows, np.nan)
    wrong = np.flatnonzero((means < 0) | (means > 1))
    if wrong.size:
        raise ValueError(
            f"the mean score of cell {wrong[0]} is {means[wrong[0]]:g}, outside [0, 1]: not a probability; "
            "fit a calibrator on a labelled reference instead"
        )
    cells = len(means)
    return Calibrator(window.edges, means, np.arange(cells), np.full(cells, np.inf))


def pools_of(probabilities: Floats) -> Ints:
    """Number the runs of equal values `[cells]`, from 0: what isotonic regression has pooled."""
    unlike = np.diff(probabilities) != 0
    return np.concatenate([[0], np.cumsum(unlike & ~np.isnan(probabilities[1:]))]).astype(np.int64)
