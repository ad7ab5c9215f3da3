"""The outcome of a scan: a verdict for each window, and the alarms that were raised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge.comparison import ColumnComparison
from tidegauge.measurement import Status
from tidegauge.tables import escaped, html_table, printable, text_table
from tidegauge.window import Window

Floats = npt.NDArray[np.float64]

_HEADER = ("status", "column", "kind of change", "since", "raised", "windows", "effect", "p", "what")


@dataclass(frozen=True, slots=True)
class WindowVerdict:
    """What one window said, with all windows merged that end in it.

    `window` is its time, None where the profiles came without; `status` the worst of its columns; `columns`
    the statuses of those that are not ok.
    """

    index: int
    window: Window | None
    n_rows: int
    status: Status
    columns: Mapping[str, Status]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A change of one column: raised once there was evidence, over when there has been none for long.

    `raised` and `last` are the first and the last window with evidence, `since` the best estimate of the
    first window that changed, all as places in the sequence. `status` is the worst it reached. `windows` were
    merged in the strongest evidence; `comparison` is that merged window's column against the reference (p,
    effect, interval, kind of change, causes, measurements).
    """

    column: str
    status: Status
    raised: int
    last: int
    since: int
    windows: int
    comparison: ColumnComparison

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able."""
        names = ("column", "status", "raised", "last", "since", "windows")
        return {name: getattr(self, name) for name in names} | {"comparison": self.comparison.to_dict()}


@dataclass(frozen=True, slots=True, repr=False)
class ScanResult:
    """The outcome of `scan`: a verdict for each window, and alarms, the gravest first.

    `since` is the window with which the gravest began. `spent`, `[windows, columns]` in the order of
    `columns`, is the smallest p of the merged windows
    that end in each window, after the spending of the budget over their lengths: a weight to compare with the
    budget, not a probability.
    """

    status: Status
    summary: str
    columns: tuple[str, ...]
    verdicts: tuple[WindowVerdict, ...]
    alarms: tuple[Alarm, ...]
    spent: Floats
    budget: float
    tolerance: float
    scales: int
    assumptions: tuple[str, ...]

    @property
    def since(self) -> Window | int | None:
        """When the gravest change began: a window, its place if times are not known, None without any."""
        if not self.alarms:
            return None
        return self.when(self.alarms[0].since)

    def when(self, index: int) -> Window | int:
        """Return the window at a place in the sequence, or the place where its time is not known."""
        return self.verdicts[index].window or index

    def to_dict(self) -> dict[str, Any]:
        """Return everything but `spent`, JSON-able; windows as [start, end) in nanoseconds."""
        return {
            "status": self.status,
            "summary": self.summary,
            "budget": self.budget,
            "tolerance": self.tolerance,
            "scales": self.scales,
            "assumptions": list(self.assumptions),
            "alarms": [alarm.to_dict() for alarm in self.alarms],
            "windows": [
                {
                    "index": each.index,
                    "window": None if each.window is None else [each.window.start_ns, each.window.end_ns],
                    "n_rows": each.n_rows,
                    "status": each.status,
                    "columns": dict(each.columns),
                }
                for each in self.verdicts
            ],
        }

    def __repr__(self) -> str:
        """Return the summary and a table of the alarms."""
        table = text_table(_HEADER, self._rows(), right=(5, 6, 7)) if self.alarms else ""
        return "\n".join(part for part in (printable(self.summary, None), table) if part)

    def _repr_html_(self) -> str:
        """Return the same as HTML, without scripts, everything escaped."""
        table = html_table(_HEADER, self._rows(), right=(5, 6, 7)) if self.alarms else ""
        return f"<div><p>{escaped(self.summary, None)}</p>{table}</div>"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                each.status,
                each.column,
                each.comparison.component or "",
                str(self.when(each.since)),
                str(self.when(each.raised)),
                str(each.windows),
                "" if each.comparison.effect is None else f"{each.comparison.effect:.3f}",
                "" if each.comparison.p_value is None else f"{each.comparison.p_value:.2g}",
                "; ".join(each.comparison.reasons),
            )
            for each in self.alarms
        ]


def summary_of(made: ScanResult) -> str:
    """Say in one sentence what was found, naming the gravest alarm and since when."""
    sizes = f"{len(made.verdicts):,} windows, {len(made.columns):,} judged columns"
    if not made.alarms:
        return (
            f"{made.status}: no lasting change ({sizes})"
            if made.status == "ok"
            else f"{made.status} ({sizes})"
        )
    gravest = made.alarms[0]
    n = len(made.alarms)
    why = f": {gravest.comparison.reasons[0]}" if gravest.comparison.reasons else ""
    alarms = f"{n:,} alarm{'' if n == 1 else 's'}"
    return f"{made.status}: {alarms} in {sizes}; {gravest.column} since {made.when(gravest.since)}{why}"
