"""Metrics of a classifier of any number of classes, from its confusion matrix.

Matrices are `[classes, classes]` of counts (or weights) without negative numbers: the row is the label, the
column the prediction. A class with neither label nor prediction is left out; one that is never predicted has
precision 0 and one without a label recall 0 in averages, as in scikit-learn. Intervals are by the delta
method: all metrics keep their value when counts are doubled, so with the gradient g of the value by the
counts c the sampling variance is the sum of c g^2.
"""

from __future__ import annotations

from collections.abc import Callable
from math import nan, sqrt
from typing import Literal

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.intervals import bounded, wilson
from tidegauge.outcomes.metric import Metric, measured

Floats = npt.NDArray[np.float64]
Average = Literal["macro", "micro", "weighted"]
PerClass = Callable[[Floats, Floats], tuple[Floats, Floats]]

_NO_ROWS = "no row has both a label and a prediction"


def accuracy(matrix: npt.ArrayLike) -> Metric:
    """Return the share of rows whose prediction is the label, with Wilson's interval."""
    counts = _checked(matrix)
    n = counts.sum()
    share = float(np.trace(counts) / n) if n else nan
    constant = counts.sum(axis=1).max() / n if n else nan
    return measured(
        "accuracy",
        share,
        wilson(share, n),
        n=n,
        direction="lower_is_worse",
        reason=_NO_ROWS,
        constant=constant,
    )


def precision(matrix: npt.ArrayLike, average: Average = "macro") -> Metric:
    """Return the average over classes of the share of rows predicted so that are so; range [0, 1]."""
    return _averaged("precision", matrix, average, _precisions)


def recall(matrix: npt.ArrayLike, average: Average = "macro") -> Metric:
    """Return the average over classes of the share of rows that are so and predicted so; range [0, 1]."""
    return _averaged("recall", matrix, average, _recalls)


def f1(matrix: npt.ArrayLike, average: Average = "macro") -> Metric:
    """Return the average over classes of the harmonic mean of precision and recall; range [0, 1]."""
    return _averaged("f1", matrix, average, _f1s)


def kappa(matrix: npt.ArrayLike) -> Metric:
    """Return Cohen's kappa (1960), (p - e) / (1 - e), of agreement p and that by chance e; range [-1, 1]."""
    counts = _checked(matrix)
    n = counts.sum()
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    chance = float(rows @ columns / n**2) if n else nan
    if not chance < 1:
        return _without_spread("kappa", n)
    agreement = float(np.trace(counts) / n)
    value = (agreement - chance) / (1 - chance)
    by_chance = (rows[None, :] + columns[:, None]) / n**2 - 2 * chance / n
    by_agreement = (np.eye(len(counts)) - agreement) / n
    slope = (by_agreement * (1 - chance) - (1 - agreement) * by_chance) / (1 - chance) ** 2
    return _correlation("kappa", value, counts, slope)


def matthews_correlation(matrix: npt.ArrayLike) -> Metric:
    """Return the correlation of label and prediction (Matthews 1975, Gorodkin 2004); range [-1, 1].

    With n rows, t right, r of each label and q of each prediction: (n t - sum r q) / sqrt((n^2 - sum q^2)
    (n^2 - sum r^2)).
    """
    counts = _checked(matrix)
    n, right = counts.sum(), float(np.trace(counts))
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    of_columns, of_rows = float(n * n - columns @ columns), float(n * n - rows @ rows)
    if not (of_columns > 0 and of_rows > 0):
        return _without_spread("matthews_correlation", n)
    scale = sqrt(of_columns) * sqrt(of_rows)
    value = float(n * right - rows @ columns) / scale
    covariance = right + n * np.eye(len(counts)) - columns[:, None] - rows[None, :]
    slope = covariance / scale - value * ((n - columns)[None, :] / of_columns + (n - rows)[:, None] / of_rows)
    return _correlation("matthews_correlation", value, counts, slope)


def _averaged(name: str, matrix: npt.ArrayLike, average: Average, per_class: PerClass) -> Metric:
    if average not in ("macro", "micro", "weighted"):
        raise ValueError(f"average is {average!r}; use macro, micro or weighted")
    counts = _checked(matrix)
    n = counts.sum()
    if average == "micro" or not n:  # every row is one right or wrong prediction of one class
        value, interval = accuracy(counts).value, wilson(float(np.trace(counts) / n) if n else nan, n)
        return _average_metric(name, average, nan if value is None else value, interval, counts)
    labels = counts.sum(axis=1)
    weights = labels / n if average == "weighted" else np.full(len(labels), 1 / len(labels))
    values, slope = per_class(counts, weights)
    value = float(weights @ values)
    if average == "weighted":
        slope = slope + ((values - value) / n)[:, None]
    interval = bounded(value, float(np.sum(counts * slope**2)), _fewest(counts))
    return _average_metric(name, average, value, interval, counts)


def _average_metric(
    name: str, average: Average, value: float, interval: tuple[float, float], counts: Floats
) -> Metric:
    n, labels = counts.sum(), counts.sum(axis=1)
    constant = nan
    if n:  # the most frequent class, always: recall 1, precision its share, all other classes 0
        share = labels.max() / n
        of_class = {"precision": share, "recall": 1.0, "f1": 2 * share / (1 + share)}[name]
        weight = {"macro": 1 / np.count_nonzero(labels), "micro": 1.0, "weighted": share}[average]
        constant = share if average == "micro" else weight * of_class
    return measured(
        f"{average}_{name}",
        value,
        interval,
        n=n,
        direction="lower_is_worse",
        reason=_NO_ROWS,
        constant=constant,
    )


def _recalls(counts: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return recalls `[classes]` and the gradient of their weighted sum by the counts."""
    labels = counts.sum(axis=1)
    inverse = np.divide(1.0, labels, out=np.zeros_like(labels), where=labels > 0)
    values = np.diagonal(counts) * inverse
    return values, np.diag(weights * inverse) - (weights * inverse * values)[:, None]


def _precisions(counts: Floats, weights: Floats) -> tuple[Floats, Floats]:
    values, slope = _recalls(counts.T, weights)
    return values, slope.T


def _f1s(counts: Floats, weights: Floats) -> tuple[Floats, Floats]:
    both = counts.sum(axis=1) + counts.sum(axis=0)  # above 0: empty classes were left out
    values = 2 * np.diagonal(counts) / both
    part = weights * values / both
    return values, np.diag(2 * weights / both) - part[:, None] - part[None, :]


def _correlation(name: str, value: float, counts: Floats, slope: Floats) -> Metric:
    variance = float(np.sum(counts * slope**2))
    interval = bounded(value, variance, _fewest(counts), -1.0, 1.0)
    return measured(
        name, value, interval, n=counts.sum(), direction="lower_is_worse", reason="", constant=0.0
    )


def _without_spread(name: str, n: float) -> Metric:
    reason = "all labels or all predictions are of one class" if n else _NO_ROWS
    return measured(name, nan, (nan, nan), n=n, direction="lower_is_worse", reason=reason)


def _fewest(counts: Floats) -> float:
    """Return the rows of the rarest label: what a perfect score has been seen on, at the least."""
    labels = counts.sum(axis=1)
    return float(labels[labels > 0].min())


def _checked(matrix: npt.ArrayLike) -> Floats:
    counts = np.asarray(matrix, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"confusion matrix is of shape {counts.shape}; pass [classes, classes] of counts")
    if not (np.isfinite(counts) & (counts >= 0)).all():
        raise ValueError("confusion matrix has counts that are negative or not finite; pass counts of rows")
    used = counts.sum(axis=0) + counts.sum(axis=1) > 0
    return counts[np.ix_(used, used)]
