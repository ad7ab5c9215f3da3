"""Metrics of a regression from sums over its rows; the error e is prediction minus label.

All are exact but the median absolute error, which comes from cells of the error with its bound. Errors are in
the units of the label (their squares in its square). The intervals take rows as independent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from math import isfinite, nan, sqrt
from operator import add, sub
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge.measurement import Direction
from tidegauge.outcomes.frozen_edges import frozen_edges
from tidegauge.outcomes.intervals import NO_INTERVAL, Interval, Z, normal, wilson
from tidegauge.outcomes.metric import Metric, measured
from tidegauge.outcomes.row_weights import row_weights
from tidegauge.outcomes.sums import Sums, sums_of

Floats = npt.NDArray[np.float64]

_NO_ROWS = "no row has both a label and a prediction"
_TOO_LARGE = "its sum is too large for a number"


@dataclass(frozen=True, slots=True, eq=False)
class RegressionSums:
    """Sums over rows with a label and a prediction, or over their weights; `+` merges, `-` takes a part away.

    `errors` sums e and e^2; `absolute` is the sum of |e|; `labels` sums the label and its square. `cells`
    `[edges + 1]` counts rows by e between `edges`, frozen and ascending: (-inf, e0), [e0, e1), ..., [e_last,
    inf). What was not summed is empty (n = 0): `squares` sums e^2 and e^4, `relative` |e / label| of rows
    with a label other than 0, `symmetric` 2 |e| / (|label| + |prediction|), `logs` the square of log(1 +
    prediction) - log(1 + label) of rows where both are above -1. `over_square` is the part of the sum of e^2
    that predictions above their label have, NaN where it was not summed. `sides` `[3]` counts labels below,
    inside and above their predicted interval.
    """

    errors: Sums
    absolute: float
    labels: Sums
    edges: Floats
    cells: Floats
    squares: Sums = field(default_factory=Sums)
    relative: Sums = field(default_factory=Sums)
    symmetric: Sums = field(default_factory=Sums)
    logs: Sums = field(default_factory=Sums)
    over_square: float = nan
    sides: Floats = field(default_factory=lambda: np.zeros(3))

    def __add__(self, other: RegressionSums) -> RegressionSums:
        """Return the sums of the rows of both; ValueError for other edges."""
        return self._combined(other, add)

    def __sub__(self, other: RegressionSums) -> RegressionSums:
        """Return the sums of the rows of this that are not in `other`, which must be a part of it."""
        return self._combined(other, sub)

    def _combined(self, other: RegressionSums, join: Callable[[Any, Any], Any]) -> RegressionSums:
        self._refuse_other_edges(other)
        names = [each.name for each in fields(self) if each.name != "edges"]
        joined = {name: join(getattr(self, name), getattr(other, name)) for name in names}
        return replace(self, **joined)

    def _refuse_other_edges(self, other: RegressionSums) -> None:
        if not np.array_equal(self.edges, other.edges):
            raise ValueError(
                f"errors in {len(self.cells)} cells cannot be combined with {len(other.cells)} cells of "
                "other edges; count both with the edges of one reference"
            )


def sum_regression(
    predictions: npt.ArrayLike,
    labels: npt.ArrayLike,
    edges: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
) -> RegressionSums:
    """Sum raw rows: the plain way, which the fast ones are held to.

    `predictions`, `labels` and `weights` are `[rows]`; rows where either is NaN or infinite are left out.
    ValueError for unlike lengths and weights that are negative or beyond reason (`row_weights`).
    """
    bounds = frozen_edges(edges)
    prediction, label = np.asarray(predictions, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    weight = row_weights(weights, label.shape)
    if label.ndim != 1 or not prediction.shape == label.shape == weight.shape:
        raise ValueError(
            f"predictions, labels and weights are of shape {prediction.shape}, {label.shape} and "
            f"{weight.shape}; pass one of each for every row"
        )
    kept = np.isfinite(prediction) & np.isfinite(label)
    prediction, label, weight = prediction[kept], label[kept], weight[kept]
    with np.errstate(over="ignore", invalid="ignore"):  # a sum that is infinite is told as undefined
        return _summed(prediction, label, weight, bounds)


def _summed(prediction: Floats, label: Floats, weight: Floats, bounds: Floats) -> RegressionSums:
    error, size = prediction - label, np.abs(label) + np.abs(prediction)
    nonzero, loggable = label != 0, (label > -1) & (prediction > -1)
    return RegressionSums(
        errors=sums_of(error, weight),
        absolute=float((weight * np.abs(error)).sum()),
        labels=sums_of(label, weight),
        edges=bounds,
        cells=np.bincount(
            np.searchsorted(bounds, error, side="right"), weights=weight, minlength=len(bounds) + 1
        ).astype(np.float64),
        squares=sums_of(error**2, weight),
        relative=sums_of(np.abs(error[nonzero] / label[nonzero]), weight[nonzero]),
        symmetric=sums_of(
            np.divide(2 * np.abs(error), size, out=np.zeros_like(size), where=size > 0), weight
        ),
        logs=sums_of((np.log1p(prediction[loggable]) - np.log1p(label[loggable])) ** 2, weight[loggable]),
        over_square=float((weight * np.maximum(error, 0.0) ** 2).sum()),
    )


def bias(sums: RegressionSums) -> Metric:
    """Return the mean error: above 0 where predictions are too high."""
    errors = sums.errors
    return _metric("bias", sums, errors.mean, errors.interval, direction="neutral", constant=0.0)


def mean_absolute_error(sums: RegressionSums) -> Metric:
    """Return the mean of |e|."""
    of_absolute = Sums(sums.errors.n, sums.absolute, sums.errors.square)
    return _metric("mean_absolute_error", sums, of_absolute.mean, _above_zero(of_absolute.interval))


def mean_squared_error(sums: RegressionSums) -> Metric:
    """Return the mean of e^2, with an interval where e^4 was summed; `constant` is the labels' variance."""
    value, interval, constant = _squared(sums)
    return _metric("mean_squared_error", sums, value, interval, constant=constant)


def root_mean_squared_error(sums: RegressionSums) -> Metric:
    """Return the root of the mean of e^2 and of the ends of its interval."""
    value, (low, high), constant = _squared(sums)
    interval = sqrt(low), sqrt(high)
    return _metric("root_mean_squared_error", sums, sqrt(value), interval, constant=sqrt(constant))


def r2(sums: RegressionSums) -> Metric:
    """Return 1 - sum e^2 / sum (label - mean)^2, range (-inf, 1]; lower is worse.

    Undefined where all labels are one number. The interval, where e^4 was summed, takes errors to be
    independent of labels and the variance of the labels to vary as that of a normal: heavier tails make it
    too narrow, lighter ones too wide.
    """
    value, _, spread = _squared(sums)
    # Below rounding of the sum of squares there is no variance.
    if not spread > 1e-14 * (sums.labels.square / sums.labels.n if sums.labels.n > 0 else nan):
        reason = "all labels are one number" if isfinite(spread) else _TOO_LARGE
        reason = reason if sums.errors.n > 0 else _NO_ROWS
        return measured("r2", nan, NO_INTERVAL, n=sums.errors.n, direction="lower_is_worse", reason=reason)
    lost, n = value / spread, sums.errors.n
    variance = sums.squares.variance_of_mean / spread / spread + 2 * lost * lost / n
    low, high = normal(1 - lost, variance)
    interval = low, (min(high, 1.0) if isfinite(high) else nan)
    return _metric("r2", sums, 1 - lost, interval, direction="lower_is_worse", constant=0.0)


def mean_absolute_percentage_error(sums: RegressionSums) -> Metric:
    """Return the mean of |e / label| as a fraction, of rows with a label other than 0."""
    reason = "no row has a label other than 0, or relative errors were not summed"
    return _mean("mean_absolute_percentage_error", sums.relative, reason)


def symmetric_absolute_percentage_error(sums: RegressionSums) -> Metric:
    """Return the mean of 2 |e| / (|label| + |prediction|), range [0, 2]; 0 where both are 0."""
    return _mean("symmetric_absolute_percentage_error", sums.symmetric, "symmetric errors were not summed")


def mean_squared_log_error(sums: RegressionSums) -> Metric:
    """Return the mean of (log(1 + prediction) - log(1 + label))^2, of rows where both are above -1."""
    reason = "no row has a label and a prediction above -1, or log errors were not summed"
    return _mean("mean_squared_log_error", sums.logs, reason)


def pinball_loss(sums: RegressionSums, q: float = 0.5) -> Metric:
    """Return the quantile loss, the mean of q max(-e, 0) + (1 - q) max(e, 0); ValueError unless 0 < q < 1.

    Exact: (|e| - e) / 2 and (|e| + e) / 2 are those parts. Where the squares of the parts were not summed
    apart, the interval takes every square with the larger of q and 1 - q: too wide, but for q = .5.
    """
    if not 0 < q < 1:
        raise ValueError(f"q is {q:g}; pass a quantile between 0 and 1")
    n, error = sums.errors.n, sums.errors.total
    total = q * (sums.absolute - error) / 2 + (1 - q) * (sums.absolute + error) / 2
    square, over = sums.errors.square, sums.over_square
    apart = q * q * max(square - over, 0.0) + (1 - q) ** 2 * over
    losses = Sums(n, total, apart if isfinite(over) else max(q, 1 - q) ** 2 * square)
    return _metric(f"pinball_loss_{q:g}", sums, losses.mean, _above_zero(losses.interval))


def interval_coverage(sums: RegressionSums) -> Metric:
    """Return the share of labels inside their predicted interval, to be held against the promised share.

    Of rows with a label and both bounds; a label on a bound is inside.
    """
    return _share_of_sides("interval_coverage", sums, 1)


def below_interval(sums: RegressionSums) -> Metric:
    """Return the share of labels below their predicted interval."""
    return _share_of_sides("below_interval", sums, 0)


def above_interval(sums: RegressionSums) -> Metric:
    """Return the share of labels above their predicted interval."""
    return _share_of_sides("above_interval", sums, 2)


def _share_of_sides(name: str, sums: RegressionSums, side: int) -> Metric:
    n = float(sums.sides.sum())
    share = float(sums.sides[side]) / n if n > 0 else nan
    reason = "no row has a label and both bounds"
    return measured(name, share, wilson(share, n), n=n, direction="neutral", reason=reason)


def median_absolute_error(sums: RegressionSums) -> Metric:
    """Return the median of |e|: the middle of what its cells allow, `bound` half of that.

    Undefined where an end lies beyond the edges. The interval is of the ranks n/2 +- 1.96 sqrt(n)/2, at the
    outer ends of their cells.
    """
    name, n = "median_absolute_error", sums.errors.n
    low_edge = np.concatenate([[-np.inf], sums.edges])
    high_edge = np.concatenate([sums.edges, [np.inf]])
    most = np.maximum(np.abs(low_edge), np.abs(high_edge))
    least = np.where((low_edge < 0) & (high_edge > 0), 0.0, np.minimum(np.abs(low_edge), np.abs(high_edge)))
    if not n > 0:
        return _metric(name, sums, nan, NO_INTERVAL)
    low, high = _median(least, sums.cells), _median(most, sums.cells)
    if not isfinite(high):
        reason = "it lies beyond the edges of the cells of the error"
        return measured(name, nan, NO_INTERVAL, n=n, direction="higher_is_worse", reason=reason)
    off = Z * sqrt(n) / 2
    interval = _ranked(least, sums.cells, n / 2 - off), _ranked(most, sums.cells, n / 2 + off)
    return _metric(name, sums, (low + high) / 2, interval, bound=(high - low) / 2)


def _median(values: Floats, counts: Floats) -> float:
    """Return the mean of the two middle rows, taking each row of a cell as its value."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(counts[order])
    places = [int(np.searchsorted(reached, reached[-1] / 2, side=side)) for side in ("left", "right")]
    return float(values[order][places].mean())


def _ranked(values: Floats, counts: Floats, rank: float) -> float:
    """Return the value that `rank` of the rows are at or below, taking each row of a cell as its value."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(counts[order])
    place = int(np.searchsorted(reached, rank, side="left"))
    return float(values[order][min(place, len(order) - 1)])


def _squared(sums: RegressionSums) -> tuple[float, Interval, float]:
    """Return the mean of e^2, its interval, and the variance of the labels."""
    n = sums.errors.n
    if not n > 0:
        return nan, NO_INTERVAL, nan
    value = sums.errors.square / n
    interval = _above_zero(normal(value, sums.squares.variance_of_mean))
    return value, interval, max(sums.labels.square / n - sums.labels.mean * sums.labels.mean, 0.0)


def _above_zero(interval: Interval) -> Interval:
    return (max(interval[0], 0.0) if isfinite(interval[0]) else nan), interval[1]


def _mean(name: str, sums: Sums, reason: str) -> Metric:
    interval = _above_zero(sums.interval)
    reason = _TOO_LARGE if sums.n > 0 else reason
    return measured(name, sums.mean, interval, n=sums.n, direction="higher_is_worse", reason=reason)


def _metric(
    name: str,
    sums: RegressionSums,
    value: float,
    interval: Interval,
    *,
    direction: Direction = "higher_is_worse",
    constant: float = nan,
    bound: float = 0.0,
) -> Metric:
    return measured(
        name,
        value,
        interval,
        n=sums.errors.n,
        direction=direction,
        reason=_TOO_LARGE if sums.errors.n > 0 else _NO_ROWS,
        constant=constant,
        bound=bound,
    )
