"""Metrics of a binary classifier from its score cells, and what one more row in each cell would change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """A metric's value, and what it changes by for each further positive and negative of a cell, `[cells]`.

    `value` is NaN where the metric is undefined (0/0); the derivatives are then NaN too.
    """

    value: float
    by_positives: Floats
    by_negatives: Floats


def sensitivities(
    positives: Floats, negatives: Floats, first: int, worth: npt.ArrayLike | None = None
) -> dict[str, Sensitivity]:
    """Return every metric of `[cells]` of positives and negatives, counted or expected, with its derivatives.

    Rows in cell `first` and above are predicted 1. Fractions are in [0, 1] and lower is worse:
    `accuracy`, `precision` TP/(TP+FP), `recall` TP/(TP+FN), `specificity` TN/(TN+FP), `f1` 2TP/(2TP+FP+FN),
    `roc_auc` (rows of one cell count as ties, half each), `average_precision` sum (R_i - R_{i-1}) P_i (a cell
    is one step). `true_positives`, `false_positives`, `false_negatives`, `true_negatives` are rows. With
    `worth` [[of a true negative, of a false positive], [of a false negative, of a true positive]],
    `business_value` is their mean a row, in their unit.
    """
    above = np.arange(len(positives)) >= first
    below = ~above
    high, low = above.astype(np.float64), below.astype(np.float64)
    one, none = np.ones(len(positives)), np.zeros(len(positives))
    tp, fn = float(positives[above].sum()), float(positives[below].sum())
    fp, tn = float(negatives[above].sum()), float(negatives[below].sum())
    found = {
        "true_positives": Sensitivity(tp, high, none),
        "false_positives": Sensitivity(fp, none, high),
        "false_negatives": Sensitivity(fn, low, none),
        "true_negatives": Sensitivity(tn, none, low),
        "accuracy": _ratio(tp + tn, tp + fp + fn + tn, (high, low), (one, one)),
        "precision": _ratio(tp, tp + fp, (high, none), (high, high)),
        "recall": _ratio(tp, tp + fn, (high, none), (one, none)),
        "specificity": _ratio(tn, tn + fp, (none, low), (none, one)),
        "f1": _ratio(2.0 * tp, 2.0 * tp + fp + fn, (2.0 * high, none), (high + one, high)),
        "roc_auc": _roc_auc(positives, negatives),
        "average_precision": _average_precision(positives, negatives),
    }
    if worth is not None:
        (of_tn, of_fp), (of_fn, of_tp) = _checked(worth)
        total = tp * of_tp + fp * of_fp + fn * of_fn + tn * of_tn
        by_positives = np.where(above, of_tp, of_fn)
        by_negatives = np.where(above, of_fp, of_tn)
        found["business_value"] = _ratio(total, tp + fp + fn + tn, (by_positives, by_negatives), (one, one))
    return found


def _checked(worth: npt.ArrayLike) -> Floats:
    matrix = np.asarray(worth, dtype=np.float64)
    if matrix.shape != (2, 2) or not np.isfinite(matrix).all():
        raise ValueError(
            f"worth is of shape {matrix.shape}, or not finite; pass four numbers "
            "[[true negative, false positive], [false negative, true positive]]"
        )
    return matrix


def _ratio(
    numerator: float,
    denominator: float,
    by_numerator: tuple[Floats, Floats],
    by_denominator: tuple[Floats, Floats],
) -> Sensitivity:
    """The quotient and its rule: d(a/b) = (da - (a/b) db) / b."""
    if not denominator > 0:
        nothing = np.full(len(by_numerator[0]), np.nan)
        return Sensitivity(np.nan, nothing, nothing)
    value = numerator / denominator
    by_positives = (by_numerator[0] - value * by_denominator[0]) / denominator
    by_negatives = (by_numerator[1] - value * by_denominator[1]) / denominator
    return Sensitivity(value, by_positives, by_negatives)


def _roc_auc(positives: Floats, negatives: Floats) -> Sensitivity:
    """Mann-Whitney: the share of (positive, negative) pairs in the right order."""
    all_positives, all_negatives = float(positives.sum()), float(negatives.sum())
    negatives_before = np.cumsum(negatives) - negatives / 2.0
    positives_after = all_positives - np.cumsum(positives) + positives / 2.0
    pairs = float(positives @ negatives_before)
    return _ratio(
        pairs,
        all_positives * all_negatives,
        (negatives_before, positives_after),
        (np.full(len(positives), all_negatives), np.full(len(positives), all_positives)),
    )


def _average_precision(positives: Floats, negatives: Floats) -> Sensitivity:
    """(1/P) sum p_i T_i/R_i, where T_i positives and R_i rows lie in cell i or above."""
    through = np.cumsum(positives[::-1])[::-1]
    rows = through + np.cumsum(negatives[::-1])[::-1]
    safe = np.where(rows > 0, rows, 1.0)
    precision = np.where(rows > 0, through / safe, 0.0)
    # A row in cell i is counted in T and R of every cell up to i.
    more_found = np.cumsum(np.where(rows > 0, positives / safe, 0.0))
    more_rows = np.cumsum(np.where(rows > 0, positives * precision / safe, 0.0))
    one, none = np.ones(len(positives)), np.zeros(len(positives))
    return _ratio(
        float(positives @ precision),
        float(positives.sum()),
        (precision + more_found - more_rows, -more_rows),
        (one, none),
    )
