"""What estimates are made from: a calibrator of all rows, one for each leaf of a tree, or errors by leaf."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.calibrator import Calibrator, fit_calibrator
from tidegauge.outcomes.class_estimate import (
    Calibrators,
    estimate_accuracy,
    fit_answers,
    one_against_the_rest_error,
)
from tidegauge.outcomes.class_scores import ClassScores
from tidegauge.outcomes.counted import Counted
from tidegauge.outcomes.estimated import Estimate, estimate
from tidegauge.outcomes.intervals import Interval, Z
from tidegauge.outcomes.leaf_calibrator import far_more, fit_leaf_calibrator, unsupported_leaves
from tidegauge.outcomes.leaf_errors import LeafErrors, estimate_errors
from tidegauge.outcomes.metric_sets import Worth

Floats = npt.NDArray[np.float64]

# Rows that leaves may lack or have in excess, as a share: labels that came late move a row out of its cell,
# or into one, where they are of another type.
UNLIKE_ROWS = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Estimator:
    """Counts of a window's score, one set or one a leaf, and the calibrator that says what they mean.

    `threshold` is the edge of their cells from which on a row is predicted positive. `words` say what
    estimates rest on, "" for one calibrator.
    """

    window: BinaryCounts | list[BinaryCounts]
    calibrator: Calibrator
    threshold: float
    words: str = ""
    warning: str = ""

    @property
    def parts(self) -> list[BinaryCounts]:
        """The counts as a list, of one or one a leaf."""
        return [self.window] if isinstance(self.window, BinaryCounts) else self.window

    @property
    def n_labelled(self) -> float:
        """Rows whose label is counted here."""
        return float(sum(part.positives.sum() + part.negatives.sum() for part in self.parts))

    @property
    def expected_rarer(self) -> float:
        """Rows expected of the rarer class."""
        rows = np.array([part.positives + part.negatives + part.unlabelled for part in self.parts])
        expected = float(np.nansum(rows * self.calibrator.probabilities))
        return min(expected, float(rows.sum()) - expected)

    def estimates(self, worth: Worth | None) -> dict[str, Estimate]:
        """Return the metrics that all rows are expected to have."""
        return estimate(self.window, self.calibrator, self.threshold, worth)

    def limits(self, metric: str) -> Interval:
        """Return between what a metric lies."""
        return (-inf, inf) if metric == "business_value" else (0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class ErrorEstimator:
    """Rows of a predicted number by leaf, `[leaves]`, and how far the reference's were off in each."""

    rows: Floats
    reference: LeafErrors
    words: str
    warning: str = ""

    @property
    def expected_rarer(self) -> float:
        """All rows: of numbers there are no classes."""
        return float(self.rows.sum())

    def estimates(self, worth: Worth | None) -> dict[str, Estimate]:
        """Return the metrics that all rows are expected to have."""
        return estimate_errors(self.rows, self.reference)

    def limits(self, metric: str) -> Interval:
        """Return between what a metric lies."""
        return (-inf, inf) if metric == "bias" else (0.0, inf)


@dataclass(frozen=True, slots=True, eq=False)
class AnswerEstimator:
    """Counts of all classes' scores, and what the highest of them says of being right (`fit_answers`)."""

    window: ClassScores
    calibrators: Calibrators
    warning: str
    words: str = ""

    @property
    def expected_rarer(self) -> float:
        """None: how rare a class is says nothing of the share of right answers."""
        return 0.0

    def estimates(self, worth: Worth | None) -> dict[str, Estimate]:
        """Return the metrics that all rows are expected to have."""
        return {"top_1_accuracy": estimate_accuracy(self.window, self.calibrators)}

    def limits(self, metric: str) -> Interval:
        """Return between what a metric lies."""
        return (0.0, 1.0)


AnyEstimator = Estimator | ErrorEstimator | AnswerEstimator


def plain_estimator(current: Counted, like: Counted) -> Estimator:
    """Return one calibrator for all rows of a score, learned from the reference's outcomes `like`."""
    assert current.every is not None
    assert isinstance(like.state, BinaryCounts)
    return Estimator(current.every, fit_calibrator(like.state), current.edge)


def answer_estimator(current: Counted, like: Counted) -> AnswerEstimator:
    """Return what the highest of all classes' scores says, learned from the reference's outcomes `like`."""
    assert isinstance(current.state, ClassScores)
    assert isinstance(like.state, ClassScores)
    error, own = one_against_the_rest_error(like.state)
    warning = ""
    if abs(error) > Z * own:
        warning = (
            "a score alone does not tell how often its class is right where it is the highest (one against "
            f"the rest is off by {error:+.3f} in the reference); the estimate is of such rows"
        )
    return AnswerEstimator(current.state, fit_answers(like.state), warning)


def leaf_estimator(
    current: Counted, window: _core.LeafOutcomes | None, reference: _core.LeafOutcomes | None
) -> Estimator | None:
    """Return a calibrator a leaf; None unless both count all rows of the score by the same leaves."""
    if window is None or reference is None or window.id != reference.id or window.column != current.column:
        return None
    parts, before = counts_of(window), counts_of(reference)
    if current.edge not in before[0].edges:
        return None
    rows = np.array([part.positives.sum() + part.negatives.sum() + part.unlabelled.sum() for part in parts])
    if abs(rows.sum() - current.n_rows) > UNLIKE_ROWS * current.n_rows:
        return None
    words = words_of(
        reference, current.column, rows, unsupported_leaves(before, parts), "what its scores meant"
    )
    return Estimator(parts, fit_leaf_calibrator(before), current.edge, words)


def error_estimator(
    current: Counted,
    window: _core.LeafOutcomes | None,
    reference: _core.LeafOutcomes | None,
    errors: LeafErrors | None,
) -> ErrorEstimator | None:
    """Return the errors of a predicted number by leaf; None unless both count all its rows by the same."""
    if window is None or reference is None or errors is None or window.id != reference.id:
        return None
    if window.column != current.column:
        return None
    rows, before = (each.counts().sum(axis=(1, 2)).astype(np.float64) for each in (window, reference))
    if abs(rows.sum() - current.n_rows) > UNLIKE_ROWS * current.n_rows:
        return None
    words = words_of(
        reference, current.column, rows, far_more(before, rows), "how far its predictions were off"
    )
    return ErrorEstimator(rows, errors, words)


def words_of(
    reference: _core.LeafOutcomes, column: str, rows: Floats, far: npt.NDArray[np.bool_], meant: str
) -> str:
    """Say what estimates by leaf rest on."""
    asked = ", ".join(sorted(each.name for each in reference.columns))
    words = (
        f"{column}: estimates by {len(rows)} segments, a tree on {asked}, each with {meant} in the reference"
    )
    if not far.any():
        return words
    return (
        f"{words}; {rows[far].sum() / rows.sum():.1%} of the rows are in segments over ten times as frequent "
        "as in the reference: there estimates rest on few rows"
    )


def counts_of(leaves: _core.LeafOutcomes) -> list[BinaryCounts]:
    """Return the counts of each leaf; the sums of scores, which leaves do not count, are 0."""
    edges, nothing = leaves.edges, np.zeros(len(leaves.edges) + 1)
    return [
        BinaryCounts(edges, positives, negatives, unlabelled, nothing, nothing)
        for negatives, positives, unlabelled in leaves.counts().astype(np.float64)
    ]
