"""One number about how right a model is, with everything needed to read it."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from tidegauge.measurement import Direction, defined


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric of a set of rows; what `measured` makes.

    `value` is None where it is undefined, and `reason` says why in words. `low` and `high` are the ends of a
    95 % interval, None where there is none. `bound` is the most by which `value` can differ from the metric
    on the raw rows because they were counted in cells: 0 where it is exact. `constant` is what the best
    constant answer gets on the same rows. `n` is the rows it is about (queries for ranking), or the sum of
    their weights, which intervals take for a number of rows. No field holds NaN or an infinity.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    bound: float = 0.0
    constant: float | None = None
    p_value: float | None = None
    direction: Direction
    n: float
    reason: str | None = None

    @property
    def interval(self) -> tuple[float, float]:
        """`low` and `high`, NaN for None."""
        return nan if self.low is None else self.low, nan if self.high is None else self.high

_OVERFLOW = "its sums are too large for a number"


def measured(
    name: str,
    value: float,
    interval: tuple[float, float],
    *,
    n: float,
    direction: Direction,
    reason: str,
    bound: float = 0.0,
    constant: float = nan,
    p_value: float = nan,
) -> Metric:
    """Return the metric; a `value` that is NaN or infinite is undefined, for `reason` (else dropped)."""
    if defined(value) is None:
        return Metric(name=name, value=None, direction=direction, n=float(n), reason=reason or _OVERFLOW)
    low, high = interval  # rounding may put an end that is the value on its other side
    return Metric(
        name=name,
        value=float(value),
        low=defined(min(low, value)),
        high=defined(max(high, value)),
        bound=float(bound),
        constant=defined(constant),
        p_value=defined(p_value),
        direction=direction,
        n=float(n),
    )
