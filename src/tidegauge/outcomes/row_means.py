"""Which metrics are means over rows, as sums that add up over segments: realised, or expected of scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.calibrator import Calibrator
from tidegauge.outcomes.confusion import Confusion
from tidegauge.outcomes.counted import Counted
from tidegauge.outcomes.estimated import first_predicted
from tidegauge.outcomes.intervals import Z
from tidegauge.outcomes.metric import Metric
from tidegauge.outcomes.metric_sets import Worth
from tidegauge.outcomes.proper_scores import brier, log_loss
from tidegauge.outcomes.regression import RegressionSums
from tidegauge.outcomes.states import two_by_two
from tidegauge.outcomes.sums import Sums

Floats = npt.NDArray[np.float64]


def row_means(counted: Counted, worth: Worth | None = None) -> dict[str, Sums]:
    """Return each metric that is a mean over labelled rows, or over some of them, as the sums it is made of.

    Of two classes `accuracy`, `precision` (of the rows answered "positive"), `recall` (of the positive ones),
    `specificity` (of the negative ones), `selection_rate`, `base_rate` (the share of positive rows) and with
    `worth` `business_value`; of scores that are probabilities also `brier` and `log_loss`; of classes
    `accuracy`; of numbers `mean_absolute_error`, `mean_squared_error` and `bias`; none of scores of all
    classes, and of ranked lists. Areas, correlations, F1 and
    everything else that looks at rows together are none.
    """
    if isinstance(counted.state, RegressionSums):
        sums = counted.state
        of_absolute = Sums(sums.errors.n, sums.absolute, sums.errors.square)
        return {
            "mean_absolute_error": of_absolute,
            "mean_squared_error": sums.squares,
            "bias": sums.errors,
        }
    if counted.matrix is None:
        return {}
    if counted.positive is None:
        return {"accuracy": share(float(np.trace(counted.matrix)), float(counted.matrix.sum()))}
    found = _of_answers(two_by_two(counted.matrix, counted.positive), worth)
    if isinstance(counted.state, BinaryCounts):
        for loss in (brier(counted.state), log_loss(counted.state)):
            if loss.value is not None:
                found[loss.name] = _of_loss(loss)
    return found


def expected_means(
    rows: BinaryCounts, calibrator: Calibrator, threshold: float, worth: Worth | None = None
) -> dict[str, Sums]:
    """Return the same as is to be expected of all rows by their scores (`estimated.estimate`).

    A row of a cell whose probability is p counts p of a positive. Squares are those of what is expected of a
    row, where that is so simple: then they hold no chance of labels. {} where nothing is known of a cell with
    rows.
    """
    n = np.maximum(rows.positives + rows.negatives + rows.unlabelled, 0.0)
    p = np.where(n > 0, calibrator.probabilities, 0.0)
    if np.isnan(p).any():
        return {}
    above = np.arange(len(n)) >= first_predicted(rows.edges, threshold)
    of_1, of_0 = n * p, n * (1 - p)
    table = Confusion(*(float(each.sum()) for each in (of_1[above], of_0[above], of_1[~above], of_0[~above])))
    found = _of_answers(table, worth)

    def summed(values: Floats, of: npt.NDArray[np.bool_]) -> Sums:
        return Sums(float(n @ of), float((n * of) @ values), float((n * of) @ values**2))

    everywhere = np.ones_like(above)
    found["accuracy"] = summed(np.where(above, p, 1 - p), everywhere)
    found["precision"] = summed(p, above)
    found["base_rate"] = summed(p, everywhere)
    if worth is not None:
        each = np.asarray(worth, np.float64)[:, above.astype(np.int64)]  # by label, of a cell's answer
        found["business_value"] = summed((1 - p) * each[0] + p * each[1], everywhere)
    return found


def share(hits: float, rows: float) -> Sums:
    """Return the sums of a share of rows."""
    return Sums(rows, hits, hits)


def _of_answers(table: Confusion, worth: Worth | None) -> dict[str, Sums]:
    hits, false = table.true_positives, table.false_positives
    found = {
        "accuracy": share(hits + table.true_negatives, table.n),
        "precision": share(hits, hits + false),
        "recall": share(hits, table.positives),
        "specificity": share(table.true_negatives, table.negatives),
        "selection_rate": share(hits + false, table.n),
        "base_rate": share(table.positives, table.n),
    }
    if worth is not None:
        rows = np.array([[table.true_negatives, false], [table.false_negatives, hits]])
        each = np.asarray(worth, np.float64)
        found["business_value"] = Sums(table.n, float((rows * each).sum()), float((rows * each**2).sum()))
    return found


def _of_loss(loss: Metric) -> Sums:
    """Return the sums of a mean loss, its squares from what the interval says of a row's variance."""
    assert loss.value is not None
    low, high = loss.interval
    variance = ((high - low) / (2 * Z)) ** 2 * loss.n
    square = loss.n * (loss.value**2 + variance) if np.isfinite(variance) else loss.value * loss.n
    return Sums(loss.n, loss.value * loss.n, float(square))
