"""The one thing told to the world: a number with its name, labels, sample sizes, interval and status."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["ok", "warning", "alert", "insufficient", "undefined", "immature"]
Direction = Literal["higher_is_worse", "lower_is_worse", "neutral"]
Kind = Literal["realised", "estimated"]

# From the least to the most worth a person's time. "Undefined" is below "immature" and "insufficient" because
# those say that an answer could be had with more rows or labels.
SEVERITY: tuple[Status, ...] = ("ok", "undefined", "immature", "insufficient", "warning", "alert")

_NUMBERS = (
    *("value", "low", "high", "p_value", "reference_value", "threshold"),
    *("bound", "constant", "coverage", "label_age"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One number about one column (or the whole profile, `column=None`) of one window.

    `value` is None where the number is undefined; no field ever holds NaN or an infinity (ValueError).
    `low` and `high` are the ends of a 95 % interval of `value`, None where there is none.
    `p_value` is for "nothing changed". `reference_value` is what `value` is held against: the reference's own
    value, or for a distance between the two samples the value expected from their sizes alone.
    `threshold` is the limit that decided `status`; None where the number is told but not judged.
    `window` is the half-open interval [start, end) in nanoseconds since 1970-01-01 UTC.
    `n_reference` and `n_current` are the rows each side contributed. Fractions are fractions, never percent.

    Of how right a model is (`performance`), else None: `kind` says whether labels tell it or scores alone,
    `label` which class it is of, where it is of one; `bound` is the most by which a realised `value` can
    differ from that of the raw rows because they were counted in cells; `constant` what the best constant
    answer gets; `coverage` the share of rows that have a label; `label_age` how many seconds after the
    window's end its labels were gathered.
    """

    name: str
    value: float | None
    column: str | None = None
    segment: str | None = None
    model: str | None = None
    version: str | None = None
    window: tuple[int, int] | None = None
    n_reference: int | None = None
    n_current: int | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    direction: Direction = "neutral"
    reference_value: float | None = None
    threshold: float | None = None
    status: Status = "ok"
    kind: Kind | None = None
    label: str | None = None
    bound: float | None = None
    constant: float | None = None
    coverage: float | None = None
    label_age: float | None = None

    def __post_init__(self) -> None:
        """Refuse NaN, infinities and unknown statuses, so that no reader has to check for them."""
        for field in _NUMBERS:
            number = getattr(self, field)
            if number is not None and not math.isfinite(number):
                raise ValueError(
                    f"measurement {self.name!r} of column {self.column!r}: {field} is {number}; "
                    "pass None for undefined"
                )
        if self.status not in SEVERITY:
            raise ValueError(
                f"measurement {self.name!r}: status is {self.status!r}; use one of {', '.join(SEVERITY)}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able; `window` as a list of two integers or None."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return fields | {"window": list(self.window) if self.window else None}


def arrow_stream(measurements: Iterable[Measurement], requested_schema: object = None) -> object:
    """Export measurements, one a row, as an Arrow stream (PyCapsule); imports pyarrow.

    Names are strings, sizes int64, numbers float64, the window a list of two int64.
    """
    import pyarrow as pa

    kinds = {"n_reference": pa.int64(), "n_current": pa.int64(), "window": pa.list_(pa.int64(), 2)}
    kinds |= dict.fromkeys(_NUMBERS, pa.float64())
    names = [field.name for field in dataclasses.fields(Measurement)]
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in names])
    rows = [each.to_dict() for each in measurements]
    return pa.Table.from_pylist(rows, schema=schema).__arrow_c_stream__(requested_schema)


def defined(number: float) -> float | None:
    """Return `number` as a Python float, or None where it is NaN or infinite."""
    return float(number) if math.isfinite(number) else None


def worst(statuses: Iterable[Status]) -> Status:
    """Return the most severe status: alert, warning, insufficient, immature, undefined, ok; "ok" of none."""
    return max(statuses, key=SEVERITY.index, default="ok")
