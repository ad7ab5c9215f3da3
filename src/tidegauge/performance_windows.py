"""Windows one after another: how right the model was in each, and since when it has been less so."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite, sqrt
from typing import Any

import numpy as np

from tidegauge.drift.onset import onset
from tidegauge.drift.verdict import BUDGET
from tidegauge.measurement import Measurement, Status, arrow_stream
from tidegauge.outcomes.bounded_sums import bounded_sums, error_of_mean
from tidegauge.outcomes.counted import Counted, all_counted
from tidegauge.outcomes.detector import Detector, start_detector, step
from tidegauge.outcomes.intervals import Z
from tidegauge.outcomes.limits import spread_of
from tidegauge.outcomes.metric_sets import Worth
from tidegauge.outcomes.sums import Sums
from tidegauge.performance_measurements import history_of, mature_share
from tidegauge.performance_result import MATURE_COVERAGE, TOLERANCE, Performance
from tidegauge.performances import alike, performance, status_of_all
from tidegauge.profiles import Profile, write_file
from tidegauge.reference import Reference
from tidegauge.tables import escaped, html_table, printable, text_table
from tidegauge.window import Window
from tidegauge.window_scan import in_order

# The metric of the reference's windows that says how much a mean differs between them.
_METRIC = {
    "error_rate": "accuracy",
    "top_1_error_rate": "top_1_accuracy",
    "brier": "brier",
    "ndcg_loss": "ndcg_at_10",
}
_HEADER = ("status", "window", "rows", "labelled", "what")
_ALARM_HEADER = ("alarm", "of", "since", "raised", "before", "since then", "rows")


@dataclass(frozen=True, slots=True)
class PerformanceAlarm:
    """A lasting rise of a labelled mean in [0, 1], for which higher is worse.

    `name` is "error_rate", "top_1_error_rate", "brier", "large_error_rate" or "ndcg_loss". It was `raised` in
    a window once there was evidence, `last` in the latest one that had it again; `since` is the best estimate
    of the first window that was worse: places in the sequence. `baseline` is the mean that is still right,
    `reference_value` the reference's, `value` the mean of the `n_rows` labelled rows from `since` to `last`.
    """

    name: str
    column: str
    raised: int
    last: int
    since: int
    baseline: float
    reference_value: float
    value: float
    n_rows: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class PerformanceScan:
    """The outcome of `performance_scan`: a `Performance` for each window, and alarms, the first first.

    `windows` are the times, None where profiles came without. `average_run_length`: the labelled rows that go
    by on average, at least, before a false alarm of any detector.
    """

    status: Status
    summary: str
    windows: tuple[Window | None, ...]
    performances: tuple[Performance, ...]
    alarms: tuple[PerformanceAlarm, ...]
    average_run_length: float

    @property
    def measurements(self) -> list[Measurement]:
        """All measurements of all windows, in their order."""
        return [each for one in self.performances for each in one.measurements]

    @property
    def since(self) -> Window | int | None:
        """When the first lasting rise began: a window, its place without times, None without any."""
        return self.when(self.alarms[0].since) if self.alarms else None

    def when(self, index: int) -> Window | int:
        """Return the window at a place in the sequence, or the place where its time is not known."""
        return self.windows[index] or index

    def to_dict(self) -> dict[str, Any]:
        """Return everything by name, JSON-able."""
        return {
            "status": self.status,
            "summary": self.summary,
            "average_run_length": self.average_run_length,
            "alarms": [each.to_dict() | {"window": str(self.when(each.since))} for each in self.alarms],
            "windows": [each.to_dict() for each in self.performances],
        }

    def to_html(self, path: str | os.PathLike[str], title: str | None = None) -> None:
        """Write the report, one offline page, whole or not at all (extra `report`). Raises OSError."""
        from tidegauge.report import render_performance

        write_file(path, render_performance(self.performances, title, summary=self.summary).encode())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the measurements, one a row, as an Arrow stream (PyCapsule); imports pyarrow."""
        return arrow_stream(self.measurements, requested_schema)

    def __repr__(self) -> str:
        """Return the summary, the alarms and a line for each window."""
        alarms = text_table(_ALARM_HEADER, self._alarms(), right=(4, 5, 6)) if self.alarms else ""
        table = text_table(_HEADER, self._rows(), right=(2, 3))
        return "\n".join(part for part in (printable(self.summary, None), alarms, table) if part)

    def _repr_html_(self) -> str:
        """Return the same as HTML, without scripts, everything escaped."""
        alarms = html_table(_ALARM_HEADER, self._alarms(), right=(4, 5, 6)) if self.alarms else ""
        table = html_table(_HEADER, self._rows(), right=(2, 3))
        return f"<div><p>{escaped(self.summary, None)}</p>{alarms}{table}</div>"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                each.status,
                str(self.when(i)),
                f"{each.n_rows:,}",
                "" if each.coverage is None else f"{each.coverage:.0%}",
                each.summary.partition(": ")[2],
            )
            for i, each in enumerate(self.performances)
        ]

    def _alarms(self) -> list[tuple[str, ...]]:
        return [
            (
                each.name,
                printable(each.column, 40),
                str(self.when(each.since)),
                str(self.when(each.raised)),
                f"{each.reference_value:.4g}",
                f"{each.value:.4g}",
                f"{each.n_rows:,.0f}",
            )
            for each in self.alarms
        ]


def performance_scan(
    windows: Mapping[Any, Profile] | Iterable[Any],
    reference: Reference,
    *,
    worth: Worth | None = None,
    budget: float = BUDGET,
    tolerance: float = TOLERANCE,
    mature_coverage: float = MATURE_COVERAGE,
    now_ns: int | None = None,
    segments: Callable[[Window], Mapping[str, Profile]] | None = None,
) -> PerformanceScan:
    """Tell of successive windows how right the model was in each, and since when it has been less so.

    `windows`: as `scan` takes them: a mapping of windows to profiles (`profile_windows` returns one), pairs,
    or profiles alone. Each is judged by `performance`. Small lasting rises, which no window shows alone, are
    found by e-detectors (`outcomes.detector`) of labelled means in [0, 1]: the error rate, the Brier score of
    probabilities, wrong first answers of all classes' scores, 1 - NDCG of ranked lists, and of predicted
    numbers the share of errors as large as the reference's largest tenth.
    Their baseline is the reference's mean plus 1.96 times its own error and how its windows differ; until it
    is exceeded, false alarms of all of them together come once in 1 / `budget` windows, or more rarely.
    Windows whose labels are not mature yet are passed over by those. `now_ns`: when the labels were gathered,
    see `performance`. An alarm makes the scan an `alert`. `segments` returns the profiles of a window's
    segments by key; it is asked of windows with a warning or an alert, to say what causes them.

    Raises what `performance` raises, and InputError for no windows or windows out of order.
    """
    times, profiles = in_order(windows)
    places: Sequence[Window | None] = [None] * len(profiles) if times is None else times
    judged = partial(
        performance,
        reference=reference,
        worth=worth,
        budget=budget,
        tolerance=tolerance,
        mature_coverage=mature_coverage,
        now_ns=now_ns,
    )
    found = []
    for place, profile in zip(places, profiles, strict=True):
        of_place = None if segments is None or place is None else partial(segments, place)
        found.append(judged(profile, window=place, segments=of_place))
    before = all_counted(reference.profile._core.outcomes, reference.schema)
    counted = [all_counted(profile._core.outcomes, reference.schema) for profile in profiles]
    watched = [(like, name) for like in before for name in bounded_sums(like, like)]
    series = [sums_of_windows(like, name, counted, before, mature_coverage) for like, name in watched]
    filled = [sums.n for column in series for sums in column if sums.n > 0]
    length = max(sum(filled) / len(filled), 1.0) / budget if filled else 1.0 / budget
    alarms: list[PerformanceAlarm] = []
    for (like, name), sums in zip(watched, series, strict=True):
        mean, baseline = baseline_of(like, name, reference)
        if 0 < baseline < 1:
            detector = start_detector(baseline, min(length * len(series), 1e15))
            alarms += alarms_of(like.column, name, sums, detector, mean)
    alarms.sort(key=lambda each: (each.since, each.raised, each.column, each.name))
    statuses: list[Status] = [each.status for each in found]
    status = "alert" if alarms else status_of_all(statuses)
    made = PerformanceScan(status, "", tuple(places), tuple(found), tuple(alarms), length)
    return replace(made, summary=summary_of(made))


def sums_of_windows(
    of: Counted, name: str, counted: Sequence[Sequence[Counted]], before: Sequence[Counted], mature: float
) -> list[Sums]:
    """Return one number's sums in each window; of no rows where its labels have not come yet."""
    found = []
    for window in counted:
        now = next((each for each in window if (each.column, each.task) == (of.column, of.task)), None)
        sums = Sums()
        if now is not None and now.n_rows:
            like = alike(now, before)
            if now.n_labelled >= mature_share(like, mature) * now.n_rows:
                sums = bounded_sums(now, like).get(name, sums)
        found.append(sums)
    return found


def baseline_of(like: Counted, name: str, reference: Reference) -> tuple[float, float]:
    """Return the reference's mean and up to which mean a window is as right; NaN, NaN without labelled rows.

    The shares of large errors that windows of the reference had are not kept: of these only their own error
    counts.
    """
    sums = bounded_sums(like, like)[name]
    own = error_of_mean(sums)
    variance = own * own
    history = history_of(reference.windows, like, None, like.n_rows)
    if history is not None and name in _METRIC:
        values, rows = history.metrics.of(_METRIC[name]), history.metrics.rows.astype(np.float64)
        spread = spread_of(values, rows, own * own * sums.n, 1)
        variance += 0.0 if spread is None else spread.variance
    return sums.mean, sums.mean + Z * sqrt(variance)


def alarms_of(
    column: str, name: str, series: Sequence[Sums], detector: Detector, reference_mean: float
) -> list[PerformanceAlarm]:
    """Return the alarms of one detector; started anew after each, it goes on with one until it is quiet."""
    found: list[PerformanceAlarm] = []
    rows = np.array([[each.total, max(each.n - each.total, 0.0)] for each in series])
    fresh, first, seen = detector, 0, detector
    for i, sums in enumerate(series):
        if not sums.n > 0:
            continue
        squares = sums.square if isfinite(sums.square) else None
        seen = step(seen, sums.n, min(max(sums.total, 0.0), sums.n), squares)
        if not seen.alarm:
            continue
        kept = rows[first : i + 1]
        right = np.array([detector.baseline, 1 - detector.baseline])
        since = first + onset(right, kept, len(kept) - 1, len(kept) - 1)
        last = found[-1] if found else None
        goes_on = last is not None and since <= last.last + 1
        start = last.since if last is not None and goes_on else since
        part = rows[start : i + 1].sum(axis=0)
        made = PerformanceAlarm(
            name,
            column,
            last.raised if last is not None and goes_on else i,
            i,
            start,
            detector.baseline,
            reference_mean,
            float(part[0] / part.sum()),
            float(part.sum()),
        )
        found = [*found[:-1], made] if goes_on else [*found, made]
        seen, first = fresh, i + 1
    return found


def summary_of(made: PerformanceScan) -> str:
    """Say in one sentence what was found: the first alarm and since when, else the worst window."""
    sizes = f"{len(made.performances):,} windows"
    if made.alarms:
        first = made.alarms[0]
        n = len(made.alarms)
        return (
            f"{made.status}: {n:,} lasting rise{'' if n == 1 else 's'}; {first.name} of {first.column} "
            f"{first.value:.3g} since {made.when(first.since)}, {first.reference_value:.3g} in the reference "
            f"({sizes})"
        )
    loud = [i for i, each in enumerate(made.performances) if each.status in ("alert", "warning")]
    if not loud:
        return f"{made.status}: no window is worse than the reference allows ({sizes})"
    worst = next((i for i in loud if made.performances[i].status == made.status), loud[0])
    return f"{made.status}: {len(loud):,} of {sizes}; {made.when(worst)}: {made.performances[worst].summary}"
