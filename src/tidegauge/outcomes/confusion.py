"""The four counts of a yes-or-no answer, given or made of a score by a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan

import numpy as np

from tidegauge.outcomes.binary_counts import BinaryCounts


@dataclass(frozen=True, slots=True)
class Confusion:
    """Labelled rows (or weights) by label and answer.

    `threshold` is the limit used: rows with a score of at least it are answered "positive"; None where
    answers were given. Where the one `asked` for lies inside a cell, the nearest edge is used instead: on the
    raw rows the true positives lie between `true_positives` and `true_positives + positives_in_doubt` (which
    may be negative), the false positives likewise.
    """

    true_positives: float
    false_positives: float
    false_negatives: float
    true_negatives: float
    threshold: float | None = None
    asked: float | None = None
    positives_in_doubt: float = 0.0
    negatives_in_doubt: float = 0.0

    @property
    def positives(self) -> float:
        """Rows with label 1."""
        return self.true_positives + self.false_negatives

    @property
    def negatives(self) -> float:
        """Rows with label 0."""
        return self.false_positives + self.true_negatives

    @property
    def n(self) -> float:
        """All labelled rows."""
        return self.positives + self.negatives


def corners(table: Confusion) -> list[Confusion]:
    """Return `table` as counted, then with the negatives, the positives or all in doubt moved, if any are."""
    tables = []
    for positives in {0.0: None, table.positives_in_doubt: None}:
        for negatives in {0.0: None, table.negatives_in_doubt: None}:
            hits, false = table.true_positives + positives, table.false_positives + negatives
            tables.append(Confusion(hits, false, table.positives - hits, table.negatives - false))
    return tables


def confusion_at(counts: BinaryCounts, threshold: float) -> Confusion:
    """Return the labelled rows of `counts` by label and whether their score is at least `threshold`.

    Exact where the threshold is an edge, or infinite (-inf answers "positive" to all, inf to none); else the
    nearest edge stands for it (with no edge at all, -inf). ValueError for NaN.
    """
    if isnan(threshold):
        raise ValueError("threshold is NaN; pass a number on the scale of the scores")
    edges, cells = counts.edges, len(counts.positives)
    cell = int(np.searchsorted(edges, threshold, side="left"))  # the cell it is in, or whose upper end it is
    doubt = 0
    if threshold in (-inf, inf):
        first, used = (0, -inf) if threshold < 0 else (cells, inf)
    elif cell < len(edges) and edges[cell] == threshold:
        first, used = cell + 1, threshold
    else:
        below = edges[cell - 1] if cell else -inf
        above = edges[cell] if cell < len(edges) else inf
        lower = threshold - below <= above - threshold
        first, used, doubt = (cell, below, -1) if lower else (cell + 1, above, 1)
    positives, negatives = counts.positives, counts.negatives
    return Confusion(
        true_positives=float(positives[first:].sum()),
        false_positives=float(negatives[first:].sum()),
        false_negatives=float(positives[:first].sum()),
        true_negatives=float(negatives[:first].sum()),
        threshold=float(used),
        asked=float(threshold),
        positives_in_doubt=doubt * float(positives[cell]) if doubt else 0.0,
        negatives_in_doubt=doubt * float(negatives[cell]) if doubt else 0.0,
    )
