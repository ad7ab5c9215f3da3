"""How right a model probably is before any label has come: outcomes expected of calibrated scores (CBPE)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.calibrator import Calibrator
from tidegauge.outcomes.sensitivities import Sensitivity, sensitivities

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric expected of a window; None where it is undefined (no rows, or 0/0).

    `standard_error` is how far the realised metric of the very same rows will lie from `value`, one standard
    deviation, if the reference's share of label 1 by score still holds: the chance in the labels and what the
    calibrator does not know. It is blind to a change of that share (concept drift). `n_rows` is the rows it
    was estimated from; weights are taken for rows, by the error too.
    """

    value: float | None
    standard_error: float | None
    n_rows: float


def estimate(
    window: BinaryCounts | Sequence[BinaryCounts],
    calibrator: Calibrator,
    threshold: float,
    worth: npt.ArrayLike | None = None,
) -> dict[str, Estimate]:
    """Return every metric of `sensitivities` as expected of a window's rows, labelled or not, without labels.

    A row of a cell whose probability is p counts p positives and 1 - p negatives, so that TP = sum n p over
    the cells predicted 1, and so on; the ranking metrics keep the order of the scores. `window` is one set of
    counts for a `[cells]` calibrator, one for each leaf for a `[leaves, cells]` one. Rows with score >=
    `threshold`, an edge of the cells, are predicted 1. `worth` is that of `sensitivities`. The
    error is the delta method's: the variance of the metric over independent labels, sum n p (1-p) g^2, and
    over the calibrator's own sample, (sum of n g sqrt(p (1-p)) over a pool)^2 / its rows. Confidence-based
    performance estimation: NannyML, "How CBPE works". ValueError for counts over other edges, or a threshold
    that is no edge.
    """
    parts = [window] if isinstance(window, BinaryCounts) else list(window)
    rows = _rows(parts, calibrator)
    first = first_predicted(calibrator.edges, threshold)
    p = np.where(rows > 0, np.atleast_2d(calibrator.probabilities), 0.0)
    total = float(rows.sum())
    if np.isnan(p).any():  # a cell with rows of which nothing is known
        blank = np.zeros(rows.shape[1])
        return {name: Estimate(None, None, total) for name in sensitivities(blank, blank, first, worth)}
    expected = sensitivities((rows * p).sum(axis=0), (rows * (1.0 - p)).sum(axis=0), first, worth)
    spread = np.sqrt(p * (1.0 - p))
    errors = _errors(expected.values(), rows, spread, calibrator)
    return {
        name: Estimate(_or_none(each.value), _or_none(error), total)
        for (name, each), error in zip(expected.items(), errors, strict=True)
    }


def first_predicted(edges: Floats, threshold: float) -> int:
    """Return the first cell whose rows are predicted 1: the one that begins at `threshold`, an edge."""
    at = int(np.searchsorted(edges, threshold))
    if at == len(edges) or edges[at] != threshold:
        near = edges[max(at - 1, 0) : at + 1]
        raise ValueError(
            f"the threshold {threshold!r} is not an edge of the score cells (near: "
            f"{', '.join(f'{edge:.6g}' for edge in near)}), so rows of one cell would be predicted both "
            "ways; choose an edge, or fit the reference with the threshold as one"
        )
    return at + 1


def _rows(parts: list[BinaryCounts], calibrator: Calibrator) -> Floats:
    leaves = len(np.atleast_2d(calibrator.probabilities))
    if len(parts) != leaves:
        raise ValueError(f"{len(parts)} sets of counts for a calibrator of {leaves} leaves; pass one a leaf")
    for part in parts:
        if not np.array_equal(part.edges, calibrator.edges):
            raise ValueError(
                f"the window was counted over {len(part.edges)} edges, not the {len(calibrator.edges)} of "
                "the calibrator; count it with the edges of the reference that it was fitted on"
            )
    # Subtraction of float weights may leave a cell a rounding below zero.
    return np.maximum([part.positives + part.negatives + part.unlabelled for part in parts], 0.0)


def _errors(metrics: Iterable[Sensitivity], rows: Floats, spread: Floats, calibrator: Calibrator) -> Floats:
    """Return the standard error of each metric, `[metrics]`; `rows` and `spread` are `[leaves, cells]`."""
    # A label that turns out 1 adds a positive and takes a negative away.
    by_label = np.array([each.by_positives - each.by_negatives for each in metrics])
    pull = by_label[:, np.newaxis, :] * spread
    moved = (pull * rows).reshape(len(by_label), -1)
    chance = (moved * pull.reshape(len(by_label), -1)).sum(axis=1)
    starts = np.flatnonzero(np.diff(calibrator.pools.ravel(), prepend=-1))
    pooled = np.add.reduceat(moved, starts, axis=1)
    return np.asarray(np.sqrt(chance + (pooled * pooled / calibrator.pool_weights).sum(axis=1)))


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
