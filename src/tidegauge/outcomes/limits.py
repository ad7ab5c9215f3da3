"""How bad a metric of a window may be before that is no chance: from the reference and its own windows.

Of a model that is as right as in its reference a window has the reference's metric, give or take three
errors: that of the reference's own value, of sampling so many rows, and how windows differ anyway (tau).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, sqrt

import numpy as np
import numpy.typing as npt

from tidegauge.measurement import Direction, Status
from tidegauge.outcomes.intervals import Z
from tidegauge.outcomes.metric import Metric
from tidegauge.outcomes.metric_sets import TOP, Worth

Floats = npt.NDArray[np.float64]

MIN_WINDOWS = 8  # of a reference; with fewer, nothing is known of how windows differ
CLIP = 3.0  # robust standard deviations beyond which a window of the reference counts as one that is so far
SMALLEST_PART = 0.25  # of the usual rows: smaller windows of a reference are left out

# What a metric of these names spans; others span 1, and those of numbers what the labels vary by.
_SPANS = {"gini": 2.0, "matthews_correlation": 2.0, "kappa": 2.0, f"lift_at_{TOP:g}": 1.0 / TOP}
_IN_UNITS = (
    "mean_absolute_error",
    "root_mean_squared_error",
    "median_absolute_error",
    "bias",
    "pinball_loss_0.5",
)


@dataclass(frozen=True, slots=True)
class Spread:
    """How blocks of a reference's windows differ in a metric.

    `variance` is what their `sampling` variance does not explain, `total` all of it, of one block; so many
    blocks told.
    """

    variance: float
    total: float
    sampling: float
    n_blocks: int


@dataclass(frozen=True, slots=True)
class Limit:
    """A `threshold` for a metric of clean windows around `centre`, with `error` and `degrees` of freedom."""

    threshold: float
    centre: float
    error: float
    degrees: float
    direction: Direction

    def p_value(self, value: float) -> float:
        """Return the chance of a clean window being this bad, or worse (Student's t)."""
        from scipy.special import stdtr

        worse = value - self.centre if self.direction == "higher_is_worse" else self.centre - value
        if not self.error > 0:
            return 0.0 if worse > 0 else 1.0
        return float(stdtr(min(self.degrees, 1e9), -worse / self.error))


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
    return Spread(max(total - sampling, 0.0), max(total, sampling), sampling, n_blocks)


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

    Clean windows are beyond the threshold with probability `level` at most, and never before the metric is
    `tolerance` (in its own unit) worse than the reference: so no number of rows makes a trifle matter.
    `current_error` is the standard error of the window's own value; the larger one of it and of sampling as
    in the reference counts. Degrees of freedom are Satterthwaite's, for tau is known from some blocks only.
    """
    own = error_of(reference)
    if reference.value is None or reference.direction == "neutral" or not (isfinite(own) and n > 0):
        return None
    sampling = own * own * reference.n / n
    if isfinite(current_error):
        sampling = max(sampling, current_error * current_error)
    variance, degrees = own * own + sampling, inf
    away = farthest(variance, degrees, level)
    if spread is not None:
        variance += spread.variance
        degrees = max((spread.n_blocks - 1) * (variance / spread.total) ** 2, 1.0) if spread.total else inf
        away = farthest(variance, degrees, level)
        if sampling <= spread.sampling:  # then it varies no more than the blocks did, however little is known
            away = min(away, farthest(own * own + spread.total, spread.n_blocks - 1, level))
    away = max(away, tolerance)
    sign = 1.0 if reference.direction == "higher_is_worse" else -1.0
    threshold = reference.value + sign * away
    return Limit(threshold, reference.value, sqrt(variance), degrees, reference.direction)


def farthest(variance: float, degrees: float, level: float) -> float:
    """Return what a deviation of this variance, known to so many degrees of freedom, exceeds with `level`."""
    from scipy.special import stdtrit

    return -float(stdtrit(min(degrees, 1e9), level)) * sqrt(variance)


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
