"""How much a metric of so many rows differs by the luck of the draw alone, from the reference."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.estimated import first_predicted
from tidegauge.outcomes.sensitivities import Sensitivity, sensitivities


def sampling_errors(
    reference: BinaryCounts, threshold: float, n_rows: float, worth: npt.ArrayLike | None = None
) -> dict[str, float | None]:
    """Return the standard error of every metric over `n_rows` rows drawn as the reference's were.

    Metrics are those of `sensitivities`. Unlike an estimate's own error it counts the luck in which rows
    come, not only in their labels; None where the reference does not define the metric. The delta method on
    independent rows: sqrt(sum of a cell's rows times their squared derivative), scaled by the square root of
    the rows; counts of rows are binomial. NannyML's ("Estimation of Standard Error") is the same but for two:
    for `f1` it takes the denominator for known, for `roc_auc` it leaves out the luck in the rows of the
    larger class. These two follow NannyML here, so that a band means what it means there.
    """
    first = first_predicted(reference.edges, threshold)
    positives, negatives = reference.positives, reference.negatives
    n_labelled = float(positives.sum() + negatives.sum())
    if not (n_labelled > 0 and n_rows > 0):
        blank = np.zeros(len(positives))
        return dict.fromkeys(sensitivities(blank, blank, first, worth))
    found = sensitivities(positives, negatives, first, worth)
    errors = {name: _drawn(each, reference) * np.sqrt(n_labelled / n_rows) for name, each in found.items()}
    for name in ("true_positives", "false_positives", "false_negatives", "true_negatives"):
        share = found[name].value / n_labelled
        errors[name] = np.sqrt(share * (1.0 - share) * n_rows)
    errors["f1"] = _f1(found, n_labelled) / np.sqrt(n_rows)
    errors["roc_auc"] = _roc_auc(reference) / np.sqrt(n_rows)
    return {name: float(error) if np.isfinite(error) else None for name, error in errors.items()}


def _drawn(metric: Sensitivity, reference: BinaryCounts) -> float:
    """Every metric here is a ratio that doubling the rows leaves alone: its derivatives average to zero."""
    by_cell = reference.positives * metric.by_positives**2 + reference.negatives * metric.by_negatives**2
    return float(np.sqrt(by_cell.sum()))


def _f1(found: dict[str, Sensitivity], n: float) -> float:
    tp = found["true_positives"].value
    wrong = found["false_positives"].value + found["false_negatives"].value
    relevant = tp + wrong
    if not relevant > 0:
        return np.nan
    hits = tp / relevant
    return float(np.sqrt(hits * (1.0 - hits) * n / relevant) * relevant / (tp + wrong / 2.0))


def _roc_auc(reference: BinaryCounts) -> float:
    """The spread, over rows of the rarer class, of the share of the other class on their wrong side."""
    rare, common = reference.positives, reference.negatives
    if rare.sum() > common.sum():
        rare, common = common[::-1], rare[::-1]
    n_rare, n_common = rare.sum(), common.sum()
    if not n_rare > 0:
        return np.nan
    share = (np.cumsum(common) - common / 2.0) / n_common
    # Ties are broken at random there: within a cell the share is spread evenly over the width of the cell.
    within = (common / n_common) ** 2 / 12.0
    mean = float(rare @ share / n_rare)
    variance = float(rare @ ((share - mean) ** 2 + within) / n_rare)
    return float(np.sqrt(variance / (n_rare / (n_rare + n_common))))
