"""Every metric that a state tells, by name: of scores, of answers, of classes, of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes import binary, calibration, discrimination, multiclass, proper_scores, regression
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.confusion import Confusion, confusion_at
from tidegauge.outcomes.metric import Metric
from tidegauge.outcomes.regression import RegressionSums
from tidegauge.outcomes.states import two_by_two

Worth = Sequence[Sequence[float]]

TOP = 0.1  # the share of rows with top scores that lift and capture are told of
QUANTILES = (0.1, 0.5, 0.9)  # that quantile losses are told of


def score_metrics(
    counts: BinaryCounts,
    threshold: float,
    worth: Worth | None = None,
    apart: tuple[float, float] = (1.0, 1.0),
) -> dict[str, Metric]:
    """Return what is told of a score: how it ranks, how it is calibrated, and its answers at `threshold`.

    `apart`: by how much more negatives and positives count in what compares shares of one label.
    """
    alone = replace(counts, negatives=counts.negatives * apart[0], positives=counts.positives * apart[1])
    found = named(
        (
            discrimination.roc_auc(alone),
            discrimination.gini(alone),
            discrimination.average_precision(counts),
            discrimination.ks(alone),
            discrimination.lift(counts, TOP),
            discrimination.capture(counts, TOP),
            proper_scores.log_loss(counts),
            proper_scores.brier(counts),
            calibration.expected_calibration_error(counts),
            calibration.spiegelhalter_z(counts),
        )
    )
    tables = confusion_at(counts, threshold), confusion_at(alone, threshold)
    return found | answer_metrics(tables[0], worth, tables[1])


def answer_metrics(
    table: Confusion, worth: Worth | None = None, alone: Confusion | None = None
) -> dict[str, Metric]:
    """Return what is told of yes-or-no answers; `worth` is that of `binary.business_value`.

    `alone` is the same table with the rows of each label counted by themselves (`score_metrics`).
    """
    alone = alone or table
    found = [
        binary.accuracy(table),
        binary.balanced_accuracy(alone),
        binary.precision(table),
        binary.recall(alone),
        binary.specificity(alone),
        binary.f_beta(table),
        binary.matthews_correlation(table),
    ]
    return named([*found, *([] if worth is None else [binary.business_value(table, worth)])])


def class_metrics(matrix: npt.ArrayLike) -> dict[str, Metric]:
    """Return what is told of a confusion matrix `[label, prediction]` of any number of classes."""
    averages: tuple[multiclass.Average, ...] = ("macro", "micro", "weighted")
    each = (multiclass.precision, multiclass.recall, multiclass.f1)
    averaged = [metric(matrix, average) for metric in each for average in averages]
    whole = (multiclass.accuracy(matrix), multiclass.kappa(matrix), multiclass.matthews_correlation(matrix))
    return named((*whole, *averaged))


def metrics_of_class(matrix: npt.NDArray[np.float64], position: int) -> dict[str, Metric]:
    """Return precision, recall and F1 of one class against all others."""
    table = two_by_two(matrix, position)
    return named((binary.precision(table), binary.recall(table), binary.f_beta(table)))


def number_metrics(sums: RegressionSums) -> dict[str, Metric]:
    """Return what is told of a predicted number; relative errors and sides where they were summed."""
    found = [
        regression.mean_absolute_error(sums),
        regression.root_mean_squared_error(sums),
        regression.mean_squared_error(sums),
        regression.r2(sums),
        regression.median_absolute_error(sums),
        regression.bias(sums),
        *(regression.pinball_loss(sums, q) for q in QUANTILES),
    ]
    if sums.relative.n:
        found.append(regression.mean_absolute_percentage_error(sums))
    if sums.symmetric.n:
        found.append(regression.symmetric_absolute_percentage_error(sums))
    if sums.logs.n:
        found.append(regression.mean_squared_log_error(sums))
    if sums.sides.any():
        found += [
            regression.interval_coverage(sums),
            regression.below_interval(sums),
            regression.above_interval(sums),
        ]
    return named(found)


def named(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """Return metrics by name, in their order."""
    return {metric.name: metric for metric in metrics}
