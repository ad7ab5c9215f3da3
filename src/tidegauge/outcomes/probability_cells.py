"""Score cells with labelled rows whose scores are probabilities, and what is known of the scores in each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.binary_counts import BinaryCounts

Floats = npt.NDArray[np.float64]

_ROUNDING = 1e-9  # of sums of scores: a mean of ones may come out above 1


@dataclass(frozen=True, slots=True, eq=False)
class ProbabilityCells:
    """`[cells]` each, cells without a labelled row left out.

    `mean` and `variance` are of the scores of all rows of the cell; `low` and `high` its limits in [0, 1].
    `spread` is the most by which the mean score of the labelled rows can differ from `mean`, 0 where all are
    labelled. `reason` says why there is nothing to say of them, None where there is.
    """

    positives: Floats
    negatives: Floats
    rows: Floats
    mean: Floats
    variance: Floats
    low: Floats
    high: Floats
    spread: Floats
    reason: str | None

    @property
    def labelled(self) -> Floats:
        """Rows with a label."""
        return self.positives + self.negatives

    @property
    def n(self) -> float:
        """All rows with a label."""
        return float(self.labelled.sum())

    def mean_between(self, part: Floats) -> tuple[Floats, Floats]:
        """Return the least and greatest mean score that `part` rows of each cell can have, `[cells]` each.

        The mean of w of W rows is off by d only if d^2 w / (W - w) is within the variance of all; and no mean
        leaves the cell.
        """
        away = np.sqrt(self.variance * np.maximum(self.rows - part, 0.0) / np.maximum(part, 1e-100))
        return np.clip(self.mean - away, self.low, self.high), np.clip(self.mean + away, self.low, self.high)


def probability_cells(counts: BinaryCounts) -> ProbabilityCells:
    """Return the cells with labelled rows; `reason` tells of scores outside [0, 1] or of no such cell."""
    edges = counts.edges
    low, high = np.concatenate([[0.0], edges]), np.concatenate([edges, [1.0]])
    used = counts.positives + counts.negatives > 0
    rows = (counts.positives + counts.negatives + counts.unlabelled)[used]
    mean = counts.score_sums[used] / rows
    low, high = low[used], high[used]
    reason = None
    if not used.any():
        reason = "no row is labelled"
    elif mean.min() < -_ROUNDING or mean.max() > 1 + _ROUNDING or low.max() > 1 or high.min() < 0:
        reason = "scores are not probabilities: some lie outside [0, 1]"
    low, high = np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)
    mean = np.clip(mean, low, high)  # by rounding only, of scores in [0, 1]
    variance = np.zeros_like(mean)
    if reason is None:
        variance = np.maximum(counts.score_squares[used] / rows - mean * mean, 0.0)
    cells = ProbabilityCells(
        positives=counts.positives[used],
        negatives=counts.negatives[used],
        rows=rows,
        mean=mean,
        variance=variance,
        low=low,
        high=high,
        spread=np.zeros_like(mean),
        reason=reason,
    )
    least, greatest = cells.mean_between(cells.labelled)
    spread = np.where(cells.rows > cells.labelled, np.maximum(greatest - mean, mean - least), 0.0)
    return replace(cells, spread=spread)
