"""Means of numbers in [0, 1] over labelled rows, for which higher is worse: what a detector watches."""

from __future__ import annotations

import numpy as np

from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.class_scores import ClassScores
from tidegauge.outcomes.counted import Counted
from tidegauge.outcomes.intervals import Z, wilson
from tidegauge.outcomes.proper_scores import brier
from tidegauge.outcomes.regression import RegressionSums
from tidegauge.outcomes.sums import Sums

OUTER = 0.1  # of the reference's rows: those with the largest errors


def bounded_sums(window: Counted, reference: Counted) -> dict[str, Sums]:
    """Return the sums of each such number over the labelled rows of a window.

    `error_rate`: wrong answers, of a score at its threshold. `brier`: (label - score)^2 of scores that are
    probabilities; its squares are not summed and NaN. `large_error_rate`: errors of a predicted number that
    fall in the outer cells, which a tenth of the reference's rows at most are in. `top_1_error_rate`: rows in
    which another class than the label's has the highest score. `ndcg_loss`: what the NDCG of a query's first
    ten items lacks to 1.
    """
    if isinstance(window.state, tuple):
        gain = window.state[-1].ndcg
        return {"ndcg_loss": Sums(gain.n, gain.n - gain.total, gain.n - 2 * gain.total + gain.square)}
    if isinstance(window.state, ClassScores):
        n = window.state.n_labelled
        wrong = n - float(window.state.ranks[0])
        return {"top_1_error_rate": Sums(n, wrong, wrong)}
    if isinstance(window.state, RegressionSums) and isinstance(reference.state, RegressionSums):
        low, high = inner_cells(reference.state)
        cells = window.state.cells
        outside = float(cells.sum() - cells[low:high].sum())
        return {"large_error_rate": Sums(float(cells.sum()), outside, outside)}
    found: dict[str, Sums] = {}
    if window.matrix is not None:
        n = total = float(window.matrix.sum())
        wrong = n - float(np.trace(window.matrix))
        if isinstance(window.state, BinaryCounts) and total > 0:  # of weights: as many rows as they are worth
            n = float(window.state.positives.sum() + window.state.negatives.sum())
            wrong *= n / total
        found["error_rate"] = Sums(n, wrong, wrong)
    if isinstance(window.state, BinaryCounts):
        score = brier(window.state)
        if score.value is not None:
            found["brier"] = Sums(score.n, score.value * score.n, np.nan)
    return found


def inner_cells(reference: RegressionSums) -> tuple[int, int]:
    """Return which cells of the error, [from, to), leave at most half of OUTER of the rows on each side."""
    through = np.cumsum(reference.cells) / max(float(reference.cells.sum()), 1.0)
    low = int(np.searchsorted(through, OUTER / 2, side="right"))
    high = int(np.searchsorted(through, 1.0 - OUTER / 2, side="left")) + 1
    return low, max(high, low + 1)


def error_of_mean(sums: Sums) -> float:
    """Return the standard error of a mean of numbers in [0, 1]; of unknown squares, as of 0s and 1s."""
    if np.isfinite(sums.square):
        low, high = wilson(sums.mean, sums.n)
        return (high - low) / (2 * Z)
    return float(np.sqrt(max(sums.mean * (1.0 - sums.mean), 0.0) / max(sums.n, 1.0)))
