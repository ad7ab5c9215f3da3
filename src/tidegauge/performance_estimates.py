"""What a score's estimates are made from: one calibrator for all rows, or one for each leaf of a tree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tidegauge import _core
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.calibrator import Calibrator, fit_calibrator
from tidegauge.outcomes.counted import Counted
from tidegauge.outcomes.leaf_calibrator import fit_leaf_calibrator, unsupported_leaves

# Rows that leaves may lack or have in excess, as a share: labels that came late move a row out of its cell,
# or into one, where they are of another type.
UNLIKE_ROWS = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Estimator:
    """Counts of a window, one set or one a leaf, and the calibrator that says what they mean.

    `threshold` is the edge of their cells from which on a row is predicted positive. `words` say what
    estimates rest on, "" for one calibrator.
    """

    window: BinaryCounts | list[BinaryCounts]
    calibrator: Calibrator
    threshold: float
    words: str = ""

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


def plain_estimator(current: Counted, like: Counted) -> Estimator:
    """Return one calibrator for all rows of a score, learned from the reference's outcomes `like`."""
    assert current.every is not None
    assert isinstance(like.state, BinaryCounts)
    return Estimator(current.every, fit_calibrator(like.state), current.edge)


def leaf_estimator(
    current: Counted, window: _core.LeafOutcomes | None, reference: _core.LeafOutcomes | None
) -> Estimator | None:
    """Return a calibrator a leaf; None unless both count all rows of the score by the same leaves."""
    if window is None or reference is None or window.id != reference.id or window.score != current.column:
        return None
    parts, before = counts_of(window), counts_of(reference)
    if current.edge not in before[0].edges:
        return None
    rows = np.array([part.positives.sum() + part.negatives.sum() + part.unlabelled.sum() for part in parts])
    if abs(rows.sum() - current.n_rows) > UNLIKE_ROWS * current.n_rows:
        return None
    far = unsupported_leaves(before, parts)
    asked = ", ".join(sorted(column.name for column in reference.columns))
    words = (
        f"{current.column}: estimates by {len(parts)} segments, a tree on {asked}, each with what its scores "
        "meant in the reference"
    )
    if far.any():
        words += (
            f"; {rows[far].sum() / rows.sum():.1%} of the rows are in segments over ten times as frequent as "
            "in the reference: there estimates rest on few rows"
        )
    return Estimator(parts, fit_leaf_calibrator(before), current.edge, words)


def counts_of(leaves: _core.LeafOutcomes) -> list[BinaryCounts]:
    """Return the counts of each leaf; the sums of scores, which leaves do not count, are 0."""
    edges, nothing = leaves.edges, np.zeros(len(leaves.edges) + 1)
    return [
        BinaryCounts(edges, positives, negatives, unlabelled, nothing, nothing)
        for negatives, positives, unlabelled in leaves.counts().astype(np.float64)
    ]
