"""Normal scores of a column's cells: what stands for its values where columns are watched together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge import _core

SCORE_UNIT = 20.0  # scores to one standard deviation
N_WAVES = 32  # random directions: docs/design/0009-joint.md tells what more of them would find and cost
_RANKED = 1 << 16  # values are enough to know the rank of a cell

Scores = npt.NDArray[np.int8]


def normal_scores(counts: npt.ArrayLike) -> Scores:
    """Return the score of each cell, int8 `[cells]`: `counts` `[cells]` in the order of values, not all 0.

    round(20 (q - mean)), with q = Phi^-1 of the cell's mid-rank (the share below it and half its own) and
    the mean over the counts, so that the scores of the counted values average to about 0 and missing values,
    which score 0, move nothing; within +-63. Ranks make it free of units, of monotone transformations and of
    outliers (van der Waerden 1952).
    """
    from statistics import NormalDist  # loads a dozen modules that profiling never needs

    count = np.asarray(counts, dtype=np.float64)
    total = count.sum()
    rank = (np.cumsum(count) - count / 2) / total
    end = _core.MAX_SCORE / SCORE_UNIT
    normal = NormalDist()
    smallest = normal.cdf(-end)
    q = np.array([normal.inv_cdf(min(max(r, smallest), 1.0 - smallest)) for r in rank.tolist()])
    scores = np.rint(SCORE_UNIT * (q - (q * count).sum() / total))
    clipped: Scores = np.clip(scores, -_core.MAX_SCORE, _core.MAX_SCORE).astype(np.int8)
    return clipped


def sampled_scores(spec: _core.ColumnSpec, values: npt.NDArray[Any]) -> Scores:
    """Return the scores of a column's cells (below, between its edges, above; or false, true), from values.

    They need not be perfect, only frozen: some 2^16 of the values, spread evenly, are ranked.
    """
    ranked = values[:: -(-len(values) // _RANKED)]
    edges = spec.edges
    cells = ranked.astype(np.int64) if edges is None else np.searchsorted(edges, ranked, side="right")
    return normal_scores(np.bincount(cells, minlength=2 if edges is None else len(edges) + 1))
