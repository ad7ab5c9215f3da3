"""Metrics of yes-or-no answers, from their four counts.

The labels fix how many rows are positive and negative, and every metric here grows with the true positives
and falls with the false positives (or is linear in both). So where a threshold lies inside a cell, the metric
on the raw rows lies between its values at the four corners of what is in doubt: that gives `bound`.
`constant` is the better of answering "positive" to all and to none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import nan

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.confusion import Confusion, corners
from tidegauge.outcomes.intervals import NO_INTERVAL, Interval, normal, sum_of, wilson
from tidegauge.outcomes.metric import Metric, measured
from tidegauge.outcomes.multiclass import matthews_correlation as correlation

Floats = npt.NDArray[np.float64]
# (tp, fp, fn, tn) -> value, NaN where undefined
Formula = Callable[[Floats, Floats, Floats, Floats], Floats]

_NO_ROWS = "no row is labelled"
_NO_POSITIVES = "no labelled row is positive"
_NO_NEGATIVES = "no labelled row is negative"


def accuracy(table: Confusion) -> Metric:
    """Return the share of right answers."""
    return _share("accuracy", table, lambda tp, fp, fn, tn: (tp + tn, tp + fp + fn + tn), _NO_ROWS)


def precision(table: Confusion) -> Metric:
    """Return the share of "positive" answers that are right."""
    return _share("precision", table, lambda tp, fp, fn, tn: (tp, tp + fp), "no answer is positive")


def recall(table: Confusion) -> Metric:
    """Return the share of positive rows that are found: the true positive rate."""
    return _share("recall", table, lambda tp, fp, fn, tn: (tp, tp + fn), _NO_POSITIVES)


def specificity(table: Confusion) -> Metric:
    """Return the share of negative rows that are left alone: 1 minus the false positive rate."""
    return _share("specificity", table, lambda tp, fp, fn, tn: (tn, fp + tn), _NO_NEGATIVES)


def negative_predictive_value(table: Confusion) -> Metric:
    """Return the share of "negative" answers that are right."""
    name = "negative_predictive_value"
    return _share(name, table, lambda tp, fp, fn, tn: (tn, fn + tn), "no answer is negative")


def selection_rate(table: Confusion) -> Metric:
    """Return the share of positive answers, which is neither good nor bad in itself."""
    metric = _share("selection_rate", table, lambda tp, fp, fn, tn: (tp + fp, tp + fp + fn + tn), _NO_ROWS)
    return replace(metric, direction="neutral", constant=None)


def balanced_accuracy(table: Confusion) -> Metric:
    """Return the mean of recall and specificity, with the interval of a sum of independent shares."""

    def formula(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
        mean: Floats = (tp / (tp + fn) + tn / (fp + tn)) / 2
        return mean

    positives, negatives = table.positives, table.negatives
    interval = NO_INTERVAL
    if positives > 0 and negatives > 0:
        a, b = table.true_positives / positives, table.true_negatives / negatives
        ends = sum_of(a, wilson(a, positives), b, wilson(b, negatives))
        interval = ends[0] / 2, ends[1] / 2
    reason = _NO_NEGATIVES if positives > 0 else _NO_POSITIVES
    return _metric("balanced_accuracy", table, formula, interval, reason)


def f_beta(table: Confusion, beta: float = 1.0) -> Metric:
    """Return (1 + b^2) tp / ((1 + b^2) tp + b^2 fn + fp); ValueError unless beta is above 0.

    Its odds are those of tp against f errors, up to a factor, where f is how many equal errors vary as b^2 fn
    + fp does. So the interval is Wilson's of tp / (tp + f), its odds scaled back; for beta 1 that of the
    Jaccard index tp / (tp + fn + fp), of which F1 is a function.
    """
    if not 0 < beta < np.inf:
        raise ValueError(f"beta is {beta:g}; pass a finite number above 0")
    square = beta * beta

    def formula(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
        return (1 + square) * tp / ((1 + square) * tp + square * fn + fp)

    hits, cost = table.true_positives, square * table.false_negatives + table.false_positives
    spread = square * square * table.false_negatives + table.false_positives
    errors = cost * cost / spread if spread > 0 else 0.0
    # Without an error the factor lies between its values for missed and for false positives: take the worse.
    factor = (1 + square) * (errors / cost if cost > 0 else 1 / max(square, 1.0))
    rows = hits + errors
    ends = wilson(hits / rows, rows) if rows > 0 else NO_INTERVAL
    interval = tuple(factor * end / (1 + (factor - 1) * end) for end in ends)
    reason = "no labelled row is positive and no answer is"
    return _metric(f"f{beta:g}", table, formula, (interval[0], interval[1]), reason)


def matthews_correlation(table: Confusion) -> Metric:
    """Return the correlation of label and answer (Matthews 1975), range [-1, 1]."""

    def formula(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
        scale = np.sqrt((tp + fp) * (tp + fn)) * np.sqrt((tn + fp) * (tn + fn))
        value: Floats = (tp * tn - fp * fn) / scale
        return value

    of_matrix = correlation(_matrix(table))
    # An answer that is nearly constant knows nearly nothing: so much for the corners and the constants.
    return _metric(
        "matthews_correlation", table, formula, of_matrix.interval, of_matrix.reason or "", limit=0.0
    )


def business_value(table: Confusion, worth: Sequence[Sequence[float]]) -> Metric:
    """Return the mean worth of a labelled row, in the units of `worth`.

    `worth` is [[true negative, false positive], [false negative, true positive]]: the row is the label, the
    column the answer, as in a confusion matrix; costs are negative. The interval is the central limit's.
    ValueError for another shape or numbers that are not finite.
    """
    each = np.asarray(worth, dtype=np.float64)
    if each.shape != (2, 2) or not np.isfinite(each).all():
        raise ValueError("worth must be [[true negative, false positive], [false negative, true positive]]")

    def formula(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
        total: Floats = each[0, 0] * tn + each[0, 1] * fp + each[1, 0] * fn + each[1, 1] * tp
        return total / (tp + fp + fn + tn)

    rows = np.array(_matrix(table))
    n = table.n
    mean = float((rows * each).sum() / n) if n > 0 else nan
    variance = float((rows * (each - mean) ** 2).sum() / n**2) if n > 0 else nan
    return _metric("business_value", table, formula, normal(mean, variance), _NO_ROWS)


def _share(
    name: str,
    table: Confusion,
    parts: Callable[[Floats, Floats, Floats, Floats], tuple[Floats, Floats]],
    reason: str,
) -> Metric:
    """Return a share of rows, by the numbers of hits and of rows in `parts`, with Wilson's interval."""

    def formula(tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> Floats:
        hits, rows = parts(tp, fp, fn, tn)
        return hits / rows

    hits, rows = (float(each[0]) for each in parts(*_cells(table)))
    return _metric(name, table, formula, wilson(hits / rows, rows) if rows > 0 else NO_INTERVAL, reason)


def _cells(table: Confusion) -> tuple[Floats, Floats, Floats, Floats]:
    """Return (tp, fp, fn, tn) as counted, at the other corners of what is in doubt, and of both constants."""
    tables = [*corners(table), Confusion(table.positives, table.negatives, 0.0, 0.0)]
    tables.append(Confusion(0.0, 0.0, table.positives, table.negatives))
    return (
        np.array([each.true_positives for each in tables]),
        np.array([each.false_positives for each in tables]),
        np.array([each.false_negatives for each in tables]),
        np.array([each.true_negatives for each in tables]),
    )


def _metric(
    name: str, table: Confusion, formula: Formula, interval: Interval, reason: str, *, limit: float = nan
) -> Metric:
    """Return the metric; `limit` stands for it at corners and constants where `formula` is undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values = formula(*_cells(table))
    value, others = values[0], np.where(np.isfinite(values[1:]), values[1:], limit)
    off, constants = np.abs(others[:-2] - value), others[-2:]
    return measured(
        name,
        value,
        interval,
        n=table.n,
        direction="lower_is_worse",
        reason=reason if table.n > 0 else _NO_ROWS,
        bound=np.max(off, initial=0.0, where=np.isfinite(off)),
        constant=np.max(constants, initial=-np.inf, where=np.isfinite(constants)),
    )


def _matrix(table: Confusion) -> list[list[float]]:
    """Return rows by label and answer, 0 before 1."""
    return [[table.true_negatives, table.false_positives], [table.false_negatives, table.true_positives]]
