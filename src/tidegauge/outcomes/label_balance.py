"""How alike two facets of the population are before any model: their sizes and how their labels are spread.

These are the pre-training bias metrics of SageMaker Clarify, but for conditional demographic disparity, which
`fairness` has. Labels come as `[classes]` counts of the advantaged facet a and of the disadvantaged d, in one
order of classes. Distances are 0 where the labels are spread alike, and higher is worse; their intervals are
by the delta method, which is rough where the distance is within noise of 0.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, nan, sqrt

import numpy as np
import numpy.typing as npt

from tidegauge.measurement import Direction
from tidegauge.outcomes.intervals import NO_INTERVAL, difference, normal, wilson
from tidegauge.outcomes.metric import Metric, measured

Floats = npt.NDArray[np.float64]
# Shares of both facets -> the distance and its gradients by both
Distance = Callable[[Floats, Floats], tuple[float, Floats, Floats]]

_EMPTY = "a facet has no row"


def class_imbalance(n_a: float, n_d: float) -> Metric:
    """Return CI, (n_a - n_d) / (n_a + n_d) of the rows of both facets; range [-1, 1], 0 is balanced."""
    n = n_a + n_d
    low, high = wilson(n_a / n, n) if n > 0 else NO_INTERVAL
    value = (n_a - n_d) / n if n > 0 else nan
    interval = 2 * low - 1, 2 * high - 1
    return measured("class_imbalance", value, interval, n=n, direction="neutral", reason="there is no row")


def label_proportion_difference(positives_a: float, n_a: float, positives_d: float, n_d: float) -> Metric:
    """Return DPL, the share of positive labels in a minus that in d; range [-1, 1]."""
    value, interval = nan, NO_INTERVAL
    if n_a > 0 and n_d > 0:
        value = positives_a / n_a - positives_d / n_d
        interval = difference(positives_a / n_a, n_a, positives_d / n_d, n_d)
    name = "label_proportion_difference"
    return measured(name, value, interval, n=n_a + n_d, direction="neutral", reason=_EMPTY)


def kullback_leibler(a: npt.ArrayLike, d: npt.ArrayLike) -> Metric:
    """Return KL, the sum of p_a log(p_a / p_d), in nats; undefined where d lacks a class that a has."""

    def distance(p: Floats, q: Floats) -> tuple[float, Floats, Floats]:
        used = p > 0
        if (q[used] == 0).any():
            return nan, p, q
        logs = np.log(np.divide(p, q, out=np.ones_like(p), where=used))  # and 1, which adds no variance
        return float(p @ logs), logs, -np.divide(p, q, out=np.zeros_like(p), where=q > 0)

    reason = "the disadvantaged facet lacks a class"
    return _distance("kullback_leibler", a, d, distance, most=inf, reason=reason)


def jensen_shannon(a: npt.ArrayLike, d: npt.ArrayLike) -> Metric:
    """Return JS, (KL(p_a, m) + KL(p_d, m)) / 2 with the mean m of both, in nats; range [0, log 2]."""

    def distance(p: Floats, q: Floats) -> tuple[float, Floats, Floats]:
        middle = (p + q) / 2
        logs_p = np.log(np.divide(p, middle, out=np.ones_like(p), where=p > 0))
        logs_q = np.log(np.divide(q, middle, out=np.ones_like(q), where=q > 0))
        return float(p @ logs_p + q @ logs_q) / 2, logs_p / 2, logs_q / 2

    return _distance("jensen_shannon", a, d, distance, most=log(2))


def lp_norm(a: npt.ArrayLike, d: npt.ArrayLike) -> Metric:
    """Return LP, the root of the sum of (p_a - p_d)^2; range [0, sqrt 2]."""

    def distance(p: Floats, q: Floats) -> tuple[float, Floats, Floats]:
        value = float(np.linalg.norm(p - q))
        slope = (p - q) / value if value > 0 else np.zeros_like(p)
        return value, slope, -slope

    return _distance("lp_norm", a, d, distance, most=sqrt(2))


def total_variation(a: npt.ArrayLike, d: npt.ArrayLike) -> Metric:
    """Return TVD, half the sum of |p_a - p_d|; range [0, 1]."""

    def distance(p: Floats, q: Floats) -> tuple[float, Floats, Floats]:
        slope = np.sign(p - q) / 2
        return float(np.abs(p - q).sum()) / 2, slope, -slope

    return _distance("total_variation", a, d, distance, most=1.0)


def largest_difference(a: npt.ArrayLike, d: npt.ArrayLike) -> Metric:
    """Return KS as Clarify has it, the largest |p_a - p_d| of a class; range [0, 1]."""

    def distance(p: Floats, q: Floats) -> tuple[float, Floats, Floats]:
        place = int(np.argmax(np.abs(p - q)))
        slope = np.zeros_like(p)
        slope[place] = np.sign(p[place] - q[place])
        return float(abs(p[place] - q[place])), slope, -slope

    return _distance("largest_difference", a, d, distance, most=1.0)


def _distance(
    name: str, a: npt.ArrayLike, d: npt.ArrayLike, distance: Distance, *, most: float, reason: str = _EMPTY
) -> Metric:
    of_a, of_d = np.asarray(a, dtype=np.float64), np.asarray(d, dtype=np.float64)
    if of_a.ndim != 1 or of_a.shape != of_d.shape:
        raise ValueError(f"label counts are of shape {of_a.shape} and {of_d.shape}; pass [classes] of each")
    if not (np.isfinite([of_a, of_d]).all() and min(of_a.min(initial=0), of_d.min(initial=0)) >= 0):
        raise ValueError("label counts of a facet are negative or not finite; pass counts of rows")
    n_a, n_d = float(of_a.sum()), float(of_d.sum())
    direction: Direction = "higher_is_worse"
    if not (n_a > 0 and n_d > 0):
        return measured(name, nan, NO_INTERVAL, n=n_a + n_d, direction=direction, reason=_EMPTY)
    p, q = of_a / n_a, of_d / n_d
    value, by_p, by_q = distance(p, q)
    variance = float(p @ (by_p - p @ by_p) ** 2) / n_a + float(q @ (by_q - q @ by_q) ** 2) / n_d
    low, high = normal(value, variance)
    interval = max(low, 0.0), min(high, most)
    return measured(name, value, interval, n=n_a + n_d, direction=direction, reason=reason)
