"""What of a metric's change the inputs explain, as scores show them, and what they do not: concept drift."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge.measurement import defined
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.calibrator import Calibrator
from tidegauge.outcomes.estimated import first_predicted
from tidegauge.outcomes.intervals import Interval
from tidegauge.outcomes.metric_change import around
from tidegauge.outcomes.metric_sets import Worth
from tidegauge.outcomes.sensitivities import Sensitivity, sensitivities

Floats = npt.NDArray[np.float64]

_COUNTS = ("true_positives", "false_positives", "false_negatives", "true_negatives")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftParts:
    """The change of metric `name` of a score, in its unit, in two parts with 95 % intervals.

    `inputs` = `expected_value` - `reference_value`: what other rows explain (covariate shift), if a score
    still means what it meant in the reference; `concept` = `realised_value` - `expected_value`: what they do
    not. They add up to the change. Without (mature) labels `concept` is None. Both are of the same `n_rows`
    rows: those with a label, or without labels all. `base_rate`, the share of positive labels, is among the
    metrics: its two parts say whether labels shifted, and whether scores had told so.
    """

    name: str
    column: str
    reference_value: float
    expected_value: float
    realised_value: float | None
    inputs: float
    inputs_interval: Interval
    concept: float | None
    concept_interval: Interval | None
    n_rows: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: list(each) if isinstance(each, tuple) else each for name, each in found.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Rows by cell, and the metrics that a calibrator's probabilities make of them."""

    rows: Floats
    p: Floats
    metrics: dict[str, Sensitivity]


def shift_parts(
    column: str,
    reference: BinaryCounts,
    window: BinaryCounts,
    calibrator: Calibrator,
    threshold: float,
    *,
    labelled: bool,
    worth: Worth | None = None,
) -> dict[str, ShiftParts]:
    """Return both parts of every metric's change, of a window's labelled rows, or else of all.

    `reference` are the labelled rows that the `[cells]` calibrator was fitted on, `threshold` is an edge.
    The interval of `inputs` holds the luck in which rows came on both sides, by the influence of a row on
    what is expected of it, and what the calibrator does not know; where the rows did not change, both know
    as much and that cancels. That of `concept` holds the chance in the labels of these very rows and what
    the calibrator does not know, as that of an estimate does. {} where nothing is known of a cell with rows.
    """
    if labelled:
        window = replace(window, unlabelled=np.zeros_like(window.unlabelled))
    first = first_predicted(calibrator.edges, threshold)
    then = _expected(reference, calibrator, first, worth)
    now = _expected(window, calibrator, first, worth)
    if then is None or now is None:
        return {}
    before = _metrics(reference.positives, reference.negatives, first, worth)
    realised = _metrics(window.positives, window.negatives, first, worth) if labelled else {}
    found: dict[str, ShiftParts] = {}
    for name, each in now.metrics.items():
        start, end = before[name].value, each.value
        if name in _COUNTS or not np.isfinite([start, end]).all():
            continue
        truth = defined(realised[name].value) if labelled else None
        error = sqrt(_drawn(then, name) + _drawn(now, name) + _unknown([then, now], name, calibrator))
        own = sqrt(_labels(now, name) + _unknown([now], name, calibrator))
        found[name] = ShiftParts(
            name=name,
            column=column,
            reference_value=float(start),
            expected_value=float(end),
            realised_value=truth,
            inputs=float(end - start),
            inputs_interval=around(float(end - start), error),
            concept=None if truth is None else truth - float(end),
            concept_interval=None if truth is None else around(truth - float(end), own),
            n_rows=float(now.rows.sum()),
        )
    return found


def _expected(
    counts: BinaryCounts, calibrator: Calibrator, first: int, worth: Worth | None
) -> Expected | None:
    rows = np.maximum(counts.positives + counts.negatives + counts.unlabelled, 0.0)
    p = np.where(rows > 0, calibrator.probabilities, 0.0)
    if np.isnan(p).any():
        return None
    return Expected(rows, p, _metrics(rows * p, rows * (1.0 - p), first, worth))


def _metrics(positives: Floats, negatives: Floats, first: int, worth: Worth | None) -> dict[str, Sensitivity]:
    """Return all metrics with their derivatives, and the share of positive labels."""
    n, cells = float(positives.sum() + negatives.sum()), np.ones(len(positives))
    share = float(positives.sum()) / n if n > 0 else np.nan
    scale = 1.0 / n if n > 0 else np.nan
    base_rate = Sensitivity(share, (1.0 - share) * scale * cells, -share * scale * cells)
    return {**sensitivities(positives, negatives, first, worth), "base_rate": base_rate}


def _drawn(side: Expected, name: str) -> float:
    """Return the variance of what is expected by which rows came."""
    metric = side.metrics[name]
    of_row = side.p * metric.by_positives + (1.0 - side.p) * metric.by_negatives
    return float(side.rows @ of_row**2)


def _labels(side: Expected, name: str) -> float:
    """Return the variance of a metric of these very rows by the chance in their labels."""
    metric = side.metrics[name]
    return float((side.rows * side.p * (1.0 - side.p)) @ (metric.by_positives - metric.by_negatives) ** 2)


def _unknown(sides: list[Expected], name: str, calibrator: Calibrator) -> float:
    """Return the variance by the calibrator's error, of the last side's value less the first's if any."""
    moved = np.zeros(len(calibrator.probabilities))
    for sign, side in zip((1.0, -1.0), reversed(sides), strict=False):
        metric = side.metrics[name]
        pull = (metric.by_positives - metric.by_negatives) * np.sqrt(side.p * (1.0 - side.p))
        moved += sign * side.rows * pull
    pooled = np.bincount(calibrator.pools, weights=moved, minlength=len(calibrator.pool_weights))
    return float((pooled**2 / calibrator.pool_weights).sum())
