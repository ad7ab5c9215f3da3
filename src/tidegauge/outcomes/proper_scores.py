"""Losses that only the true probabilities minimise, from score cells: Brier and log loss.

Of the raw rows the cells know the sums of the scores and of their squares, but not how the labels fall within
a cell; `value` takes a good guess, `bound` covers every way that the sums allow. Higher is worse.
"""

from __future__ import annotations

from math import log, nan

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.intervals import NO_INTERVAL, normal
from tidegauge.outcomes.metric import Metric, measured
from tidegauge.outcomes.probability_cells import ProbabilityCells, probability_cells

Floats = npt.NDArray[np.float64]

_EPSILON = float(np.finfo(np.float64).eps)  # scores are kept this far from 0 and 1, as in scikit-learn


def brier(counts: BinaryCounts) -> Metric:
    """Return the mean of (label - score)^2 over labelled rows, range [0, 1].

    The sum of squared scores is exact where every row of a cell is labelled, and else taken in proportion;
    the sum of scores of positive rows is bounded by the spread of the scores in the cell and by its edges,
    and taken to be what it is where labels follow scores within the cell (their covariance is the variance).
    """
    cells = probability_cells(counts)
    if cells.reason:
        return _undefined("brier", cells)
    positives, negatives, mean, labelled = cells.positives, cells.negatives, cells.mean, cells.labelled
    least, greatest = (positives * each for each in cells.mean_between(positives))
    of_positives = np.clip(positives * mean + labelled * cells.variance, least, greatest)
    sums = positives - 2 * of_positives + labelled * (mean**2 + cells.variance)
    by_spread = 2 * np.maximum(greatest - of_positives, of_positives - least)
    highest = positives * (1 - cells.low) ** 2 + negatives * cells.high**2
    lowest = positives * (1 - cells.high) ** 2 + negatives * cells.low**2
    by_edges = np.maximum(highest - sums, sums - lowest)
    complete = cells.rows <= labelled
    bound = float(np.where(complete, np.minimum(by_spread, by_edges), by_edges).sum()) / cells.n
    share, value = float(positives.sum()) / cells.n, float(sums.sum()) / cells.n
    losses = (1 - mean) ** 2, mean**2
    return _loss("brier", cells, value, losses, bound=bound, constant=share * (1 - share))


def log_loss(counts: BinaryCounts) -> Metric:
    """Return the mean of -log of the probability given to the label over labelled rows, in nats.

    Taken at the mean score of each cell and corrected for their variance; scores are kept 2^-52 away from 0
    and 1. A convex loss is least where the rows of a class share one score, and greatest where they lie at
    the edges of the cell.
    """
    cells = probability_cells(counts)
    if cells.reason:
        return _undefined("log_loss", cells)
    mean = np.clip(cells.mean, _EPSILON, 1 - _EPSILON)
    losses = -np.log(mean), -np.log1p(-mean)
    sums = cells.positives * losses[0] + cells.negatives * losses[1]
    low, high = np.clip(cells.low, _EPSILON, 1 - _EPSILON), np.clip(cells.high, _EPSILON, 1 - _EPSILON)
    least, greatest = (np.clip(each, low, high) for each in cells.mean_between(cells.positives))
    lowest, highest = _log_range(least, greatest, low, high)
    least, greatest = (np.clip(each, low, high) for each in cells.mean_between(cells.negatives))
    lowest_0, highest_0 = _log_range(1 - greatest, 1 - least, 1 - high, 1 - low)
    most = cells.positives * highest + cells.negatives * highest_0
    fewest = cells.positives * lowest + cells.negatives * lowest_0
    # Of labels that follow scores the loss is the entropy, which scores that vary lessen to second order.
    sums = np.clip(sums - cells.labelled * cells.variance / (2 * mean * (1 - mean)), fewest, most)
    bound = max(float((most - sums).sum()), float((sums - fewest).sum()), 0.0) / cells.n
    share = float(cells.positives.sum()) / cells.n
    entropy = -sum(each * log(each) for each in (share, 1 - share) if each > 0)
    value = float(sums.sum()) / cells.n
    return _loss("log_loss", cells, value, losses, bound=bound, constant=entropy)


def _log_range(least: Floats, greatest: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return the range of the mean of -log p, p in [low, high] with its mean in [least, greatest]."""
    width = high - low
    part = np.divide(high - least, width, out=np.ones_like(width), where=width > 0)
    return -np.log(greatest), -(part * np.log(low) + (1 - part) * np.log(high))


def _loss(
    name: str,
    cells: ProbabilityCells,
    value: float,
    losses: tuple[Floats, Floats],
    *,
    bound: float,
    constant: float,
) -> Metric:
    """Return the metric with the interval of the mean of `losses`: of a positive, a negative row."""
    n = cells.n
    mean = float(cells.positives @ losses[0] + cells.negatives @ losses[1]) / n
    square = float(cells.positives @ (losses[0] - mean) ** 2 + cells.negatives @ (losses[1] - mean) ** 2) / n
    low, high = normal(value, square / (n - 1) if n > 1 else nan)
    return measured(
        name,
        value,
        (max(low, 0.0), high),
        n=n,
        direction="higher_is_worse",
        reason="",
        bound=bound,
        constant=constant,
    )


def _undefined(name: str, cells: ProbabilityCells) -> Metric:
    reason = cells.reason or ""
    return measured(name, nan, NO_INTERVAL, n=cells.n, direction="higher_is_worse", reason=reason)
