"""How well scores put positive rows above negative ones, from score cells.

Rows of one cell count as ties. `bound` covers every order that the raw rows of a cell can have. Sampling
variances are by the influence of a row on the metric, which DeLong's is for the area. Undefined without a
labelled row of each class.
"""

from __future__ import annotations

from math import inf, nan

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.intervals import NO_INTERVAL, Interval, bounded, difference
from tidegauge.outcomes.metric import Metric, measured

Floats = npt.NDArray[np.float64]


def roc_auc(counts: BinaryCounts) -> Metric:
    """Return the share of pairs of a positive and a negative row where the positive one scores higher.

    Ties count half (midranks); |error| is at most sum of pos neg / (2 P N) over the cells. The variance is
    DeLong's (1988). A class with one row has no variance: the interval then is that of one pair in as many as
    there are pairs without a row in common, min(P, N).
    """
    positives, negatives = counts.positives, counts.negatives
    p, n = float(positives.sum()), float(negatives.sum())
    if not _both(p, n):
        return _undefined("roc_auc", p, n)
    below = (np.cumsum(negatives) - negatives / 2) / n  # of a positive row: the negatives below it
    above = 1 - (np.cumsum(positives) - positives / 2) / p  # of a negative row: the positives above it
    area = float(positives @ below) / p
    variance = nan
    if p > 1 and n > 1:
        of_positives = float(positives @ (below - area) ** 2) / (p * (p - 1))
        variance = of_positives + float(negatives @ (above - area) ** 2) / (n * (n - 1))
    bound = float(positives @ negatives) / (2 * p * n)
    return _score_metric("roc_auc", area, bounded(area, variance, min(p, n)), p + n, bound, constant=0.5)


def gini(counts: BinaryCounts) -> Metric:
    """Return 2 AUC - 1 (accuracy ratio), range [-1, 1], with twice the interval and the bound."""
    area = roc_auc(counts)
    if area.value is None:
        return _undefined("gini", float(counts.positives.sum()), float(counts.negatives.sum()))
    low, high = area.interval
    interval = 2 * low - 1, 2 * high - 1
    return _score_metric("gini", 2 * area.value - 1, interval, area.n, 2 * area.bound, constant=0.0)


def average_precision(counts: BinaryCounts) -> Metric:
    """Return the mean over positive rows of the precision among rows with at least their score.

    The sum of (R_k - R_{k-1}) P_k over thresholds, as scikit-learn has it, without interpolation. On the raw
    rows it is highest where the positives of each cell come first, at one score, and lowest where they come
    last and one by one.
    """
    positives, negatives = counts.positives[::-1], counts.negatives[::-1]
    p, n = float(positives.sum()), float(negatives.sum())
    if not _both(p, n):
        return _undefined("average_precision", p, n)
    hits, misses = np.cumsum(positives), np.cumsum(negatives)
    seen = _at_least_tiny(hits + misses)
    value = float(positives @ (hits / seen)) / p
    # A row weighs in on the precision of its own cell and of every lower one.
    later_hits = np.cumsum((positives * misses / seen**2)[::-1])[::-1]
    later_misses = np.cumsum((positives * hits / seen**2)[::-1])[::-1]
    of_positives = (hits / seen - value + later_hits) / p
    variance = float(positives @ of_positives**2 + negatives @ (later_misses / p) ** 2)
    best = float(positives @ (hits / _at_least_tiny(hits + misses - negatives))) / p
    # One by one they add up to more than the integral of (h + x) / (h + x + m) over positives x.
    worst = float((positives - misses * np.log1p(positives / _at_least_tiny(seen - positives))).sum()) / p
    bound = max(best - value, value - worst, 0.0)
    return _score_metric(
        "average_precision", value, bounded(value, variance, p), p + n, bound, constant=p / (p + n)
    )


def ks(counts: BinaryCounts) -> Metric:
    """Return the largest distance of the shares of positives and of negatives below an edge, range [0, 1].

    The interval is Newcombe's of the difference at that edge, taken as if it had been known beforehand.
    """
    positives, negatives = counts.positives, counts.negatives
    p, n = float(positives.sum()), float(negatives.sum())
    if not _both(p, n):
        return _undefined("ks", p, n)
    a, b = np.cumsum(positives) / p, np.cumsum(negatives) / n
    where = int(np.argmax(np.abs(a - b)))
    value = float(abs(a[where] - b[where]))
    inside = np.maximum(a - (b - negatives / n), b - (a - positives / p)).max()
    high, low = max(a[where], b[where]), min(a[where], b[where])
    sizes = (p, n) if a[where] >= b[where] else (n, p)
    ends = difference(min(float(high), 1.0), sizes[0], min(float(low), 1.0), sizes[1])
    interval = max(ends[0], 0.0), ends[1]
    return _score_metric("ks", value, interval, p + n, max(float(inside) - value, 0.0), constant=0.0)


def capture(counts: BinaryCounts, q: float = 0.1) -> Metric:
    """Return the share of positive rows that are among the share `q` of labelled rows with top scores.

    Range [0, 1], also called cumulative gain. A cell that `q` cuts gives its rows in proportion. ValueError
    unless 0 < q <= 1.
    """
    return _top("capture", counts, q, 1.0)


def lift(counts: BinaryCounts, q: float = 0.1) -> Metric:
    """Return how many times as many positives are in the top share `q` as in as many rows at random.

    That is capture / q, range [0, 1 / q]; 1 is what chance gives. ValueError unless 0 < q <= 1.
    """
    return _top("lift", counts, q, q)


def _top(name: str, counts: BinaryCounts, q: float, unit: float) -> Metric:
    if not 0 < q <= 1:
        raise ValueError(f"q is {q:g}; pass a share of the rows above 0 and up to 1")
    name = f"{name}_at_{q:g}"
    positives, negatives = counts.positives[::-1], counts.negatives[::-1]
    p, n = float(positives.sum()), float(negatives.sum())
    if not _both(p, n):
        return _undefined(name, p, n)
    rows = positives + negatives
    reached = np.cumsum(rows)
    wanted = q * (p + n)
    cut = min(int(np.searchsorted(reached, wanted, side="left")), int(np.flatnonzero(rows)[-1]))
    taken = min(wanted - (reached[cut] - rows[cut]), rows[cut])
    full = float(positives[:cut].sum())
    local = positives[cut] / rows[cut]
    value = min((full + taken * local) / p, 1.0)
    fewest, most = max(0.0, taken - negatives[cut]), min(taken, positives[cut])
    bound = max(most - taken * local, taken * local - fewest) / p
    # Rows weigh in by themselves and by moving the cut, where one row in 1 / local is positive.
    top = value * p, wanted - value * p
    variance = top[0] * (1 - value - local * (1 - q)) ** 2 + top[1] * (local * (1 - q)) ** 2
    variance += (p - top[0]) * (local * q - value) ** 2 + (n - top[1]) * (local * q) ** 2
    ends = bounded(value, float(variance) / p**2, p) if q < 1 else NO_INTERVAL
    interval = ends[0] / unit, min(ends[1], 1.0) / unit
    return _score_metric(name, value / unit, interval, p + n, float(bound) / unit, constant=q / unit)


def _at_least_tiny(rows: Floats) -> Floats:
    """Return `rows` fit to divide by: where there is none, what is divided is 0 too."""
    return np.maximum(rows, 1e-100)


def _both(positives: float, negatives: float) -> bool:
    return 0 < positives < inf and 0 < negatives < inf


def _undefined(name: str, positives: float, negatives: float) -> Metric:
    if not positives + negatives > 0:
        reason = "no row is labelled"
    else:
        reason = f"no labelled row is {'negative' if positives > 0 else 'positive'}"
    return measured(
        name, nan, NO_INTERVAL, n=positives + negatives, direction="lower_is_worse", reason=reason
    )


def _score_metric(
    name: str, value: float, interval: Interval, n: float, bound: float, *, constant: float
) -> Metric:
    return measured(
        name, value, interval, n=n, direction="lower_is_worse", reason="", bound=bound, constant=constant
    )
