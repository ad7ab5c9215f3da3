"""How a reference's metrics were in each of its own windows, and how that is written down."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tidegauge.errors import DecodeError

if TYPE_CHECKING:
    from tidegauge.outcomes.counted import Counted

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SHARES = ("true_positive_share", "false_positive_share", "false_negative_share")  # of labelled rows
MAX_METRICS = 100


@dataclass(frozen=True, slots=True, eq=False)
class WindowedMetrics:
    """One column's labelled rows `[windows]`, and its metrics by name, `[windows]` each, NaN where undefined.

    Of two classes the SHARES are there as well, of which any business value can be made. Metrics are rounded
    to 32 bits: so machines that add up in another order write the same bytes.
    """

    column: str
    rows: Integers
    values: Mapping[str, Floats]

    def at(self, chosen: npt.NDArray[np.bool_]) -> WindowedMetrics:
        """Return those of some windows."""
        values = {name: each[chosen] for name, each in self.values.items()}
        return WindowedMetrics(self.column, self.rows[chosen], values)

    def of(self, name: str, worth: Sequence[Sequence[float]] | None = None) -> Floats:
        """Return a metric, `[windows]`; all NaN where it was not kept. `worth` is the business value's."""
        if name == "business_value" and worth is not None and SHARES[0] in self.values:
            tp, fp, fn = (self.values[share] for share in SHARES)
            (of_tn, of_fp), (of_fn, of_tp) = worth
            return np.asarray(of_tp * tp + of_fp * fp + of_fn * fn + of_tn * (1.0 - tp - fp - fn))
        return self.values.get(name, np.full(len(self.rows), np.nan))


def windowed_metrics(windows: Iterable[Sequence[Counted]]) -> tuple[WindowedMetrics, ...]:
    """Return the metrics of windows, each given as what was counted in it; the same columns in all."""
    rows: dict[str, list[int]] = {}
    told: dict[str, list[dict[str, float]]] = {}
    for window in windows:
        for each in window:
            metrics = each.metrics()
            values = {name: metric.value for name, metric in metrics.items() if metric.value is not None}
            if each.positive is not None and each.n_labelled and each.matrix is not None:
                shares = each.matrix / each.matrix.sum()
                values |= dict(zip(SHARES, (shares[1, 1], shares[0, 1], shares[1, 0]), strict=True))
            rows.setdefault(each.column, []).append(each.n_labelled)
            told.setdefault(each.column, []).append({name: float(v) for name, v in values.items()})
    return tuple(
        WindowedMetrics(
            column,
            np.array(rows[column], np.int64),
            {
                name: np.array([window.get(name, np.nan) for window in each], np.float32).astype(np.float64)
                for name in sorted({name for window in each for name in window})
            },
        )
        for column, each in told.items()
    )


@dataclass(frozen=True, slots=True)
class WindowedNote:
    """WindowedMetrics as text: base85 of little-endian int64 `[windows]` and float32 `[metrics, windows]`."""

    column: str
    names: list[str]
    rows: str
    values: str


def to_note(metrics: WindowedMetrics) -> WindowedNote:
    """Write metrics down."""
    table = np.array([metrics.values[name] for name in metrics.values], "<f4")
    return WindowedNote(
        metrics.column,
        list(metrics.values),
        base64.b85encode(metrics.rows.astype("<i8").tobytes()).decode(),
        base64.b85encode(table.tobytes()).decode(),
    )


def from_note(note: WindowedNote, n_windows: int) -> WindowedMetrics:
    """Read what `to_note` wrote. Raises DecodeError."""
    where = f"reference windows: metrics of column {note.column!r}"
    try:
        rows = np.frombuffer(base64.b85decode(note.rows), "<i8").astype(np.int64)
        table = np.frombuffer(base64.b85decode(note.values), "<f4").astype(np.float64)
    except ValueError as error:
        raise DecodeError(f"{where}: not base85 of whole numbers: {error}") from None
    names = len(note.names)
    if len(rows) != n_windows or len(table) != names * n_windows or names > MAX_METRICS:
        raise DecodeError(f"{where}: {len(rows):,} rows and {len(table):,} values for {n_windows:,} windows")
    if (rows < 0).any() or np.isinf(table).any() or len(set(note.names)) < names:
        raise DecodeError(f"{where}: rows below 0, infinite values or names given twice")
    return WindowedMetrics(
        note.column, rows, dict(zip(note.names, table.reshape(names, n_windows), strict=True))
    )
