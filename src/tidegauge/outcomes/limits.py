"""How bad a metric of a window may be before that is no chance: from the reference and its own windows.

Of a model that is as right as in its reference a window has the reference's metric, give or take three
errors: that of the reference's own value, of sampling so many rows, and how windows differ anyway (tau).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
import numpy.typing as npt

from tidegauge.measurement import Direction, Status
from tidegauge.outcomes.intervals import Z
from tidegauge.outcomes.metric import Metric
from tidegauge.outcomes.metric_sets import QUANTILES, TOP, Worth

Floats = npt.NDArray[np.float64]

MIN_WINDOWS = 8  # of a reference; with fewer, nothing is known of how windows differ
CLIP = 3.0  # robust standard deviations beyond which a window of the reference counts as one that is so far
SMALLEST_PART = 0.25  # of the usual rows: smaller windows of a reference are left out

# What a metric of these names spans; others span 1, and those of numbers what the labels vary by.
_SPANS = {"gini": 2.0, "matthews_correlation": 2.0, "kappa": 2.0, f"lift_at_{TOP:g}": 1.0 / TOP}
_SPANS |= {"symmetric_absolute_percentage_error": 2.0}
# Where a metric for which lower is worse ends; others end at 0.
_LOWEST = {"gini": -1.0, "matthews_correlation": -1.0, "kappa": -1.0, "r2": -inf, "business_value": -inf}
_IN_UNITS = (
    "mean_absolute_error",
    "root_mean_squared_error",
    "median_absolute_error",
    "bias",
    *(f"pinball_loss_{q:g}" for q in QUANTILES),
)


@dataclass(frozen=True, slots=True)
class Spread:
    """How blocks of a reference's windows differ in a metric.

    `total` is the variance of one block, at least their `sampling` variance, which explains that part of it;
    so many blocks told.
    """

    total: float
    sampling: float
    n_blocks: int

    @property
    def variance(self) -> float:
        """What sampling does not explain."""
        return self.total - self.sampling


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """A `threshold` for a metric of clean windows, which lie around `centre`.

    `variances` are those a clean window may have, with `weights` that add up to 1: how windows differ is
    known from some of them only.
    """

    threshold: float
    centre: float
    variances: Floats
    weights: Floats
    direction: Direction

    def can_be_exceeded(self, name: str) -> bool:
        """Tell whether metric `name` can be as bad as that: if not, no loss can be told from chance."""
        return self.direction == "higher_is_worse" or self.threshold > _LOWEST.get(name, 0.0)

    def p_value(self, value: float) -> float:
        """Return the chance of a clean window being this bad, or worse."""
        worse = value - self.centre if self.direction == "higher_is_worse" else self.centre - value
        return tail(worse, self.variances, self.weights)


def per_row_variance(reference: Metric) -> float:
    """Return the sampling variance of a metric in one row, by its interval in the reference; NaN of none."""
    return error_of(reference) ** 2 * reference.n


def error_of(metric: Metric) -> float:
    """Return the standard error that a metric's interval stands for; NaN where it has none."""
    low, high = metric.interval
    return (high - low) / (2 * Z)


def spread_of(values: Floats, rows: Floats, per_row: float, block: int) -> Spread | None:
    """Return how blocks of `block` windows differ; None with fewer than 8 windows.

    `values` and `rows` are `[windows]` in the order of time: a metric, NaN where undefined, and the labelled
    rows it is of; `per_row` is its sampling variance in one row. A block has the mean of its windows by rows,
    exactly so for a mean over rows and nearly for other metrics. Where the windows make up fewer than 8
    blocks, shorter ones are taken, and longer ones are supposed to be means of independent ones of these.
    Gaps to the median count up to 3 robust deviations (MAD), so that one bad day of the reference does not
    excuse the next.
    """
    known = np.isfinite(values) & (rows > 0)
    usual = float(np.median(rows[known])) if known.any() else 0.0
    known &= rows >= SMALLEST_PART * usual
    value, weight = values[known], rows[known]
    if len(value) < MIN_WINDOWS or not isfinite(per_row):
        return None
    taken = max(min(block, len(value) // MIN_WINDOWS), 1)
    n_blocks = len(value) // taken
    kept = slice(len(value) - n_blocks * taken, None)
    shape = n_blocks, taken
    of_block = weight[kept].reshape(shape).sum(axis=1)
    means = (value * weight)[kept].reshape(shape).sum(axis=1) / of_block
    gaps = np.abs(means - np.median(means))
    robust = 1.4826 * float(np.median(gaps))
    gaps = np.minimum(gaps, CLIP * robust) if robust > 0 else gaps
    longer = block / taken
    total = float((gaps * gaps).sum()) / (n_blocks - 1) / longer
    sampling = float((per_row / of_block).mean()) / longer
    return Spread(max(total, sampling), sampling, n_blocks)


def limit_of(
    reference: Metric,
    n: float,
    current_error: float,
    spread: Spread | None,
    *,
    level: float,
    tolerance: float,
) -> Limit | None:
    """Return how bad the metric may be in `n` rows; None of a neutral or undefined one, or without errors.

    Clean windows are beyond the threshold with probability `level`, and never before the metric is
    `tolerance` (in its own unit) worse than the reference: so no number of rows makes a trifle matter.
    `current_error` is the standard error of the window's own value; the larger one of it and of sampling as
    in the reference counts. How windows differ has the fiducial law of (blocks - 1) total / chi-square less
    their sampling, so that of windows of as many rows as the blocks the threshold is exactly Student's.
    """
    own = error_of(reference)
    if reference.value is None or reference.direction == "neutral" or not (isfinite(own) and n > 0):
        return None
    sampling = own * own * reference.n / n
    if isfinite(current_error):
        sampling = max(sampling, current_error * current_error)
    variances, weights = np.array([own * own + sampling]), np.ones(1)
    if spread is not None:
        between, weights = variances_between(spread)
        variances = own * own + sampling + between
    away = max(farthest(variances, weights, level), tolerance)
    sign = 1.0 if reference.direction == "higher_is_worse" else -1.0
    threshold = reference.value + sign * away
    return Limit(threshold, reference.value, variances, weights, reference.direction)


def variances_between(spread: Spread) -> tuple[Floats, Floats]:
    """Return by how much windows may differ beyond sampling, and the weights of these variances."""
    from scipy.special import chdtri

    logit = np.linspace(-18.0, 18.0, 181)  # of the rank: tails as fine as the smallest level
    rank = 1.0 / (1.0 + np.exp(-logit))
    weights = rank * (1.0 - rank)
    degrees = spread.n_blocks - 1
    total = spread.total * degrees / chdtri(degrees, rank)
    return np.maximum(total - spread.sampling, 0.0), weights / weights.sum()


def tail(deviation: float, variances: Floats, weights: Floats) -> float:
    """Return the chance of a deviation as large or larger under a mixture of normals around 0."""
    from scipy.special import ndtr

    deviations = np.sqrt(variances)
    scaled = np.divide(deviation, deviations, out=np.full_like(deviations, np.inf), where=deviations > 0)
    scaled = np.where(deviations > 0, scaled, np.inf if deviation > 0 else -np.inf)
    return float(weights @ ndtr(-scaled))


def farthest(variances: Floats, weights: Floats, level: float) -> float:
    """Return the deviation whose `tail` is `level`, by bisection; 0 where nothing varies."""
    low, high = 0.0, 40.0 * float(np.sqrt(variances.max()))
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle, variances, weights) > level else (low, middle)
    return high


def span_of(reference: Metric, label_deviation: float, worth: Worth | None) -> float:
    """Return what a tolerance is a fraction of: the range of a metric, or how much the labels vary.

    1 for shares and areas, 2 for correlations, 1 / q for the lift, the standard deviation of the labels (its
    square) for errors of numbers, the largest gap of `worth` for the business value, the reference's own
    value for a squared logarithm.
    """
    name = reference.name
    if name in _IN_UNITS:
        return label_deviation
    if name == "mean_squared_error":
        return label_deviation * label_deviation
    if name == "mean_squared_log_error":
        return abs(reference.value or 0.0)
    if name == "business_value":
        return float(np.ptp(np.asarray(worth, np.float64)))
    return _SPANS.get(name, 1.0)


def status_of(value: float, low: float, high: float, limit: Limit) -> Status:
    """Return "alert" where the whole interval is worse than the threshold, "warning" where the value is."""
    low, high = (value if not isfinite(end) else end for end in (low, high))
    if limit.direction == "higher_is_worse":
        beyond, surely = value > limit.threshold, low > limit.threshold
    else:
        beyond, surely = value < limit.threshold, high < limit.threshold
    return "alert" if surely else "warning" if beyond else "ok"
