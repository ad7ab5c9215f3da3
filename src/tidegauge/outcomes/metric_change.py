"""Why a metric changed: which segments its change is owed to, and whether by their mix or by their rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import numpy as np

from tidegauge.measurement import Kind, defined
from tidegauge.mix_and_rate import split_with_errors
from tidegauge.outcomes.intervals import Interval, Z
from tidegauge.outcomes.leave_out import LeftOut
from tidegauge.outcomes.sums import Sums

MAX_TOLD = 20  # segments of a change in `to_dict`, those with the largest parts


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPart:
    """A segment's `part` of a metric's change, in the metric's unit, with 95 % intervals.

    `rate` is what it owes to how right the model is for the segment's rows, `mix` to these being more or
    fewer; `part` = `rate` + `mix`. `share` is `part` / change: above 1 or below 0 where segments moved
    against each other, None without a change. `excess` is by how much `part` exceeds the segment's share of
    the rows times the change: 0 where all changed alike; `p_value` is for that.

    A change that does not decompose has no `rate`, `mix` and `excess`; its `part` is how much the change is
    owed to the segment being there at all, parts do not add up, and `p_value` is for a part of 0.

    `reference_value` and `current_value` are the segment's own, of `n_reference` and `n_current` rows (those
    that the metric is about); None without any.
    """

    segment: str
    part: float
    part_interval: Interval
    share: float | None
    rate: float | None = None
    rate_interval: Interval | None = None
    mix: float | None = None
    mix_interval: Interval | None = None
    excess: float | None = None
    p_value: float
    reference_value: float | None
    current_value: float | None
    n_reference: float
    n_current: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: list(each) if isinstance(each, tuple) else each for name, each in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricChange:
    """The change of one metric of `column` from the reference, over the segments `by` some columns.

    `rate` and `mix` are those of all segments together, which add up to `change` exactly; None where the
    metric does not decompose. `segments` come with the largest part in the direction of the change first.
    The values are of all rows in segments; of `brier` and `log_loss` within their bound of what `performance`
    tells, of all else the same.
    """

    name: str
    column: str
    kind: Kind
    by: tuple[str, ...]
    reference_value: float
    current_value: float
    rate: float | None
    rate_interval: Interval | None
    mix: float | None
    mix_interval: Interval | None
    segments: tuple[SegmentPart, ...]

    @property
    def change(self) -> float:
        """The value now less that of the reference."""
        return self.current_value - self.reference_value

    @property
    def decomposes(self) -> bool:
        """Whether the metric is a mean over rows, so that the parts add up to its change."""
        return self.rate is not None

    def segment(self, key: str) -> SegmentPart:
        """Return the part of a segment by its key (`segments.segment_key`). Raises KeyError."""
        for each in self.segments:
            if each.segment == key:
                return each
        raise KeyError(f"no segment {key!r} by {', '.join(self.by)}")

    def to_dict(self) -> dict[str, Any]:
        """Return everything by name, JSON-able; of many segments the 20 with the largest parts."""
        names = ("name", "column", "kind", "reference_value", "current_value", "change", "rate", "mix")
        found = {name: getattr(self, name) for name in names}
        for name in ("rate_interval", "mix_interval"):
            ends = getattr(self, name)
            found[name] = None if ends is None else list(ends)
        largest = {id(each) for each in sorted(self.segments, key=lambda each: -abs(each.part))[:MAX_TOLD]}
        shown = [each.to_dict() for each in self.segments if id(each) in largest]
        return found | {"by": list(self.by), "n_segments": len(self.segments), "segments": shown}


def split_metric(
    before: Mapping[str, Sums],
    after: Mapping[str, Sums],
    *,
    name: str,
    column: str,
    kind: Kind,
    by: tuple[str, ...],
) -> MetricChange | None:
    """Return the change of a mean over rows, split exactly into mix and rate; None without rows on a side.

    `before` and `after` are the sums of every segment by its key, which add up to all rows.
    """
    keys = sorted({*before, *after})
    sides = [[side.get(key, Sums()) for key in keys] for side in (before, after)]
    (rows_0, hits_0, squares_0), (rows_1, hits_1, squares_1) = (
        np.array([(each.n, each.total, each.square) for each in side]).T for side in sides
    )
    if not (rows_0.sum() > 0 and rows_1.sum() > 0):
        return None
    found = split_with_errors((rows_0, hits_0, squares_0), (rows_1, hits_1, squares_1))
    values = float(hits_0.sum() / rows_0.sum()), float(hits_1.sum() / rows_1.sum())
    change = values[1] - values[0]
    rate, mix = float(found.rate.sum()), float(found.mix.sum())
    parts = [
        SegmentPart(
            segment=key,
            part=float(found.rate[i] + found.mix[i]),
            part_interval=around(float(found.rate[i] + found.mix[i]), float(found.part_error[i])),
            share=float(found.rate[i] + found.mix[i]) / change if change else None,
            rate=float(found.rate[i]),
            rate_interval=around(float(found.rate[i]), float(found.rate_error[i])),
            mix=float(found.mix[i]),
            mix_interval=around(float(found.mix[i]), float(found.mix_error[i])),
            excess=float(found.excess[i]),
            p_value=two_sided(float(found.excess[i]), float(found.excess_error[i])),
            reference_value=defined(sides[0][i].mean),
            current_value=defined(sides[1][i].mean),
            n_reference=float(rows_0[i]),
            n_current=float(rows_1[i]),
        )
        for i, key in enumerate(keys)
    ]
    return MetricChange(
        name=name,
        column=column,
        kind=kind,
        by=by,
        reference_value=values[0],
        current_value=values[1],
        rate=rate,
        rate_interval=around(rate, found.whole_rate_error),
        mix=mix,
        mix_interval=around(mix, found.whole_mix_error),
        segments=in_order(parts, change),
    )


def left_out_metric(
    values: tuple[float, float],
    parts: Mapping[str, LeftOut],
    *,
    name: str,
    column: str,
    by: tuple[str, ...],
) -> MetricChange | None:
    """Return the change of a realised metric that does not decompose; None where it is undefined.

    `values` are of all rows, before and now, `parts` of each segment by its key.
    """
    change = values[1] - values[0]
    if not isfinite(change):
        return None
    told = [
        SegmentPart(
            segment=key,
            part=each.part,
            part_interval=around(each.part, each.error),
            share=each.part / change if change else None,
            p_value=two_sided(each.part, each.error),
            reference_value=defined(each.values[0]),
            current_value=defined(each.values[1]),
            n_reference=each.rows[0],
            n_current=each.rows[1],
        )
        for key, each in parts.items()
        if isfinite(each.part) and isfinite(each.error)
    ]
    return MetricChange(
        name=name,
        column=column,
        kind="realised",
        by=by,
        reference_value=values[0],
        current_value=values[1],
        rate=None,
        rate_interval=None,
        mix=None,
        mix_interval=None,
        segments=in_order(told, change),
    )


def in_order(parts: list[SegmentPart], change: float) -> tuple[SegmentPart, ...]:
    """Return parts, the largest in the direction of the change first."""
    return tuple(sorted(parts, key=lambda each: (-each.part if change >= 0 else each.part, each.segment)))


def around(value: float, error: float) -> Interval:
    """Return the 95 % interval of a number with this standard error."""
    return value - Z * error, value + Z * error


def two_sided(value: float, error: float) -> float:
    """Return the p of "it is 0" of a number with this standard error, 1 where it cannot vary and is 0."""
    from scipy.special import ndtr

    if not error > 0:
        return nan if not isfinite(value) else float(value == 0)
    return float(2 * ndtr(-abs(value) / error))
