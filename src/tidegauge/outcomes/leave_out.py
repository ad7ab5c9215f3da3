"""What a segment does to a change that is no sum over segments: the change, less the change without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from math import sqrt
from operator import add

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.binary_counts import BinaryCounts

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A segment's `part` of a change and its standard error; NaN where the metric is undefined without it.

    `values` and `rows` are of the segment alone, before and now: NaN where undefined, and labelled rows.
    """

    part: float
    error: float
    values: tuple[float, float]
    rows: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """ROC AUC, and by how much a further positive or negative of each cell moves it, `[cells]`."""

    value: float
    of_positive: Floats
    of_negative: Floats


def leave_out_auc(
    before: Mapping[str, BinaryCounts], after: Mapping[str, BinaryCounts]
) -> tuple[tuple[float, float], dict[str, LeftOut]]:
    """Return ROC AUC before and now, and of each segment how much more it changed than without it.

    `before` and `after` are the labelled counts of segments that add up to all rows, over equal edges; there
    is one at least on each side. AUC is a share of pairs of rows, also of pairs across segments, so no split
    over segments adds up; these parts do not. Errors by the influence of a row (DeLong 1988). O(segments x
    cells).
    """
    wholes = [reduce(add, side.values()) for side in (before, after)]
    areas = [area(whole.positives, whole.negatives) for whole in wholes]
    found: dict[str, LeftOut] = {}
    for key in sorted({*before, *after}):
        part, variance = 0.0, 0.0
        own: list[float] = []
        rows: list[float] = []
        for sign, side, whole, all_of in zip((-1.0, 1.0), (before, after), wholes, areas, strict=True):
            blank = np.zeros_like(whole.positives)
            inside = (side[key].positives, side[key].negatives) if key in side else (blank, blank)
            outside = whole.positives - inside[0], whole.negatives - inside[1]
            without = area(*outside)
            part += sign * (all_of.value - without.value)
            variance += float(
                inside[0] @ all_of.of_positive**2
                + inside[1] @ all_of.of_negative**2
                + outside[0] @ (all_of.of_positive - without.of_positive) ** 2
                + outside[1] @ (all_of.of_negative - without.of_negative) ** 2
            )
            own.append(area(*inside).value)
            rows.append(float(inside[0].sum() + inside[1].sum()))
        found[key] = LeftOut(part, sqrt(variance), (own[0], own[1]), (rows[0], rows[1]))
    return (areas[0].value, areas[1].value), found


def area(positives: Floats, negatives: Floats) -> Area:
    """Return the area of `[cells]` of both classes; NaN without a row of each."""
    p, n = float(positives.sum()), float(negatives.sum())
    if not (p > 0 and n > 0):
        nothing = np.full(len(positives), np.nan)
        return Area(np.nan, nothing, nothing)
    below = (np.cumsum(negatives) - negatives / 2) / n
    above = 1 - (np.cumsum(positives) - positives / 2) / p
    value = float(positives @ below) / p
    return Area(value, (below - value) / p, (above - value) / n)
