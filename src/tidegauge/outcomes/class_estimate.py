"""How often the class with the highest score is right, before any label has come.

The answer of a row is its class with the highest score, and what matters is whether it is right. So for each
class P(right | the class is the answer, its score) is learned from the reference's rows in which it was the
answer: a calibrated binary score, as in `estimated`, by class. Nothing is to be normalised then, and on the
reference the expected and the realised share are equal. NannyML calibrates each class's score on all rows,
one against the rest, and normalises: that is right where a score tells as much of a row whose answer it is
as of any other. `one_against_the_rest_error` says how far that is from so.
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np

from tidegauge.outcomes.calibrator import Calibrator, fit_calibrator
from tidegauge.outcomes.class_scores import ClassScores, as_answer, one_against_the_rest
from tidegauge.outcomes.estimated import Estimate
from tidegauge.outcomes.realised_error import RealisedError

Calibrators = tuple[Calibrator, ...]


def fit_answers(reference: ClassScores) -> Calibrators:
    """Learn how often each class is right where it is the answer; what its score means if it never was."""
    found = []
    for i in range(len(reference.cells)):
        own = as_answer(reference, i)
        known = float((own.positives + own.negatives).sum()) > 0
        found.append(fit_calibrator(own if known else one_against_the_rest(reference, i)))
    return tuple(found)


def estimate_accuracy(window: ClassScores, calibrators: Calibrators) -> Estimate:
    """Return the share of right answers to be expected of the rows of a window, labelled or not.

    `standard_error` is how far the share that is realised will lie from it: the chance in the labels, and
    what the calibrators do not know. Undefined without rows, and where a class is the answer of which the
    reference has no label. ValueError for counts over other edges.
    """
    total = value = variance = 0.0
    for i, calibrator in enumerate(calibrators):
        counts = as_answer(window, i)
        if not np.array_equal(counts.edges, calibrator.edges):
            raise ValueError(
                "the window was counted over other edges than the calibrators; use one reference"
            )
        rows = counts.positives + counts.negatives + counts.unlabelled
        p = np.where(rows > 0, calibrator.probabilities, 0.0)
        spread = np.sqrt(p * (1.0 - p))
        pooled = np.bincount(calibrator.pools, weights=rows * spread)
        total += float(rows.sum())
        value += float(rows @ p)
        variance += float(rows @ spread**2) + float((pooled**2 / calibrator.pool_weights).sum())
    if not total > 0 or np.isnan(value):
        return Estimate(None, None, total)
    return Estimate(value / total, sqrt(variance) / total, total)


def realised_accuracy(window: ClassScores, calibrators: Calibrators) -> RealisedError:
    """Hold the estimate of a window's labelled rows against their labels."""
    cells = tuple(each * np.array([1.0, 1.0, 0.0]) for each in window.cells)
    expected = estimate_accuracy(replace(window, cells=cells), calibrators)
    n = window.n_labelled
    realised = float(window.ranks[0]) / n if n else None
    error = None if expected.value is None or realised is None else expected.value - realised
    return RealisedError(expected.value, realised, error, expected.standard_error, n)


def one_against_the_rest_error(reference: ClassScores) -> tuple[float, float]:
    """Return how far the share of right answers is off by scores alone, and the standard error of that.

    Of the reference, expected less realised, each class calibrated on all labelled rows, one against the
    rest. Far from 0 where being the highest tells more than the score does. NaN, NaN without labelled rows.
    """
    right, n = float(reference.ranks[0]), reference.n_labelled
    if not n:
        return np.nan, np.nan
    expected = 0.0
    for i in range(len(reference.cells)):
        answers = as_answer(reference, i)
        rows = answers.positives + answers.negatives
        p = fit_calibrator(one_against_the_rest(reference, i)).probabilities
        expected += float(rows @ np.where(rows > 0, p, 0.0))
    share = right / n
    return expected / n - share, sqrt(max(share * (1 - share), 1 / n) / n)
