"""Judge a sequence of windows: each one, and merged ones, in which small lasting changes show.

Longer than most files: one algorithm, whose steps share the cumulated counts and are of no use apart.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge.cells import coarsen
from tidegauge.comparison import (
    CATEGORY_KINDS,
    ORDERED_KINDS,
    ColumnComparison,
    column_outcomes,
    missing_column,
    require_equal_cells,
    require_settings,
    tolerances_of,
    why_not_judged,
)
from tidegauge.drift.baseline import Baseline, joined, rows_of
from tidegauge.drift.columns import ProfileCounts, Side, Stack, side_of, stack_columns
from tidegauge.drift.evidence import SCAN, Evidence, evidence
from tidegauge.drift.multiplicity import benjamini_hochberg
from tidegauge.drift.onset import onset
from tidegauge.drift.verdict import BUDGET, TOLERANCE, TOLERANCE_SHARE, Verdict, verdict_of_columns
from tidegauge.errors import InputError
from tidegauge.homes import ABSENT
from tidegauge.measurement import SEVERITY, Status
from tidegauge.profiles import Profile, merge
from tidegauge.reference_windows import ReferenceWindows
from tidegauge.scan_result import Alarm, ScanResult, WindowVerdict, summary_of
from tidegauge.seasons import LONGEST, MIN_WINDOWS, Baselines, baselines_of, slots_within
from tidegauge.window import Window, as_window

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SCALES = 7  # merged windows of 1, 2, 4, ..., 64
QUIET = 3  # windows without evidence after which an alarm has ended
MAX_ROWS = 4096  # columns times windows weighed at a time: some 100 MB


def scan(
    reference: Any,
    profiles: Mapping[Any, ProfileCounts] | Iterable[Any],
    *,
    budget: float = BUDGET,
    tolerance: float = TOLERANCE,
    tolerance_share: float = TOLERANCE_SHARE,
    scales: int = SCALES,
    model: str = "",
) -> ScanResult:
    """Judge windows one after another: what changed, and since when.

    `profiles`: profiles of successive windows, a mapping of windows to them (as `profile_windows` returns),
    or (window, profile) pairs; windows as `compare` takes them. Every window is tested alone, and merged with
    the 1, 3, 7, ..., 2^(scales - 1) - 1 before it, each length on its own turn (offset by a hash of `model`
    and column, so that not all come at once). Length 2^j is believed at `budget` 2^j / scales, when its turn
    comes, so a window in which nothing changed raises `budget` false incidents on average, whatever depends
    on what; Benjamini-Hochberg over the columns, as in `compare`. A change of the mean by 0.05 standard
    deviations, which single windows of 1,000 rows do not show, is found within some 20 of them.

    With a reference that knows its own windows, lengths of more than a seventh of its history are not tested.
    Raises InputError for no profiles, windows out of order and settings out of range, MergeError for profiles
    of other edges.
    """
    require_settings(budget, tolerance, tolerance_share)
    if not 1 <= scales <= 20:
        raise InputError(
            f"scan: scales is {scales!r}, it must be from 1 to 20 (merged windows of 1, 2, 4, ...)"
        )
    times, parts = in_order(profiles)
    before: ProfileCounts = getattr(reference, "profile", reference)
    settings = getattr(reference, "schema", {})
    judged = [name for name in before if not why_not_judged(before[name], settings.get(name))]
    for part in parts:
        for name in judged:
            if name in part:
                require_equal_cells(name, before[name], part[name])
    season, assumptions = _season(getattr(reference, "windows", None), times, parts, scales)
    stacks = [
        stack_columns(names, ordered, before, before)  # `_cumulated` has the windows' counts
        for ordered, kinds in ((True, ORDERED_KINDS), (False, CATEGORY_KINDS))
        if (names := [name for name in judged if before[name].kind in kinds])
    ]
    phases = [np.array([_phase(model, name) for name in stack.names], np.int64) for stack in stacks]
    series = [
        _Series(stack, settings, (tolerance, tolerance_share), phase, _cumulated(stack, parts, before))
        for stack, phase in zip(stacks, phases, strict=True)
    ]
    weighed = [_weigh(each, season, scales if season is None else season.scales) for each in series]
    flags = _flags(weighed, budget)
    alarms = [
        alarm
        for each, found, loud in zip(series, weighed, flags, strict=True)
        for alarm in _alarms(each, found, loud, season=season, parts=parts, before=before)
    ]
    alarms.sort(
        key=lambda alarm: (-SEVERITY.index(alarm.status), alarm.comparison.p_value or 0.0, alarm.raised)
    )
    verdicts = _verdicts(series, weighed, flags, times, parts)
    status = verdict_of_columns(verdict.status for verdict in verdicts)
    columns = tuple(name for stack in stacks for name in stack.names)
    spent = (
        np.concatenate([found.changed for found in weighed], axis=1) if weighed else np.empty((len(parts), 0))
    )
    made = ScanResult(
        status, "", columns, verdicts, tuple(alarms), spent, budget, tolerance, scales, assumptions
    )
    return replace(made, summary=summary_of(made))


@dataclass(frozen=True, slots=True)
class _Season:
    """How the reference's own windows bear on the sequence; `times` is None where they are not known."""

    baselines: Baselines
    times: tuple[Window, ...] | None
    unit: int
    scales: int

    def baseline(self, stack: Stack, first: int, last: int) -> Baseline:
        """Return what windows `first` to `last`, merged, compare with."""
        block = self.unit * (last - first + 1)
        if self.times is None:
            return self.baselines.baseline(stack, block, None)
        merged = Window(self.times[first].start_ns, self.times[last].end_ns)
        windows = self.baselines.windows.without(merged)
        baselines = self.baselines if windows is self.baselines.windows else Baselines(windows)
        wanted = np.concatenate(
            [slots_within(each, baselines.season, windows.width_ns) for each in self.times[first : last + 1]]
        )
        return baselines.baseline(stack, block, wanted)

    def key(self, first: int, last: int) -> Any:
        """Return the same for merged windows with the same baseline."""
        if self.times is None:
            return last - first
        merged = Window(self.times[first].start_ns, self.times[last].end_ns)
        windows = self.baselines.windows
        if windows.without(merged) is not windows:
            return merged
        return tuple(
            int(slot)
            for each in self.times[first : last + 1]
            for slot in slots_within(each, self.baselines.season, windows.width_ns)
        )


@dataclass(frozen=True, slots=True)
class _Series:
    """The columns of one sort, and the counts of all windows before each, `[windows + 1, columns, ...]`."""

    stack: Stack
    settings: Any
    tolerances: tuple[float, float]
    phase: Integers
    cumulated: dict[str, Integers]

    def merged(self, first: Integers, last: Integers, columns: Integers, baseline: Baseline | None) -> Stack:
        """Return a stack whose row i is column `columns[i]` of windows `first[i]` to `last[i]`."""
        counts: dict[str, Any] = {
            name: each[last + 1, columns] - each[first, columns] for name, each in self.cumulated.items()
        }
        nothing = np.full(len(columns), np.nan)
        moments: dict[str, Any] = dict.fromkeys(("mean", "variance", "kurtosis", "low", "high"), nothing)
        reference = {field.name: getattr(self.stack.reference, field.name)[columns] for field in fields(Side)}
        return Stack(
            tuple(self.stack.names[i] for i in columns),
            self.stack.ordered,
            Side(**reference),
            Side(**counts, **moments),
            None if self.stack.edges is None else self.stack.edges[columns],
            self.stack.outside_factor[columns],
            baseline,
        )

    def weigh(self, stack: Stack) -> Evidence:
        """Return the evidence of a stack that `merged` made."""
        circular = [bool(getattr(self.settings.get(name), "circular", False)) for name in stack.names]
        return evidence(
            stack, *tolerances_of(stack.names, self.settings, *self.tolerances), np.array(circular)
        )


@dataclass(frozen=True, slots=True)
class _Weighed:
    """The evidence in each window, `[windows, columns]`: p times the spending weight, smallest of all scales.

    `scale` is that of the smaller p; `enough` says whether the window alone, or one merged, sufficed for a
    verdict.
    """

    changed: Floats
    matters: Floats
    scale: Integers
    enough: npt.NDArray[np.bool_]


def _weigh(series: _Series, season: _Season | None, scales: int) -> _Weighed:
    n_windows, n_columns = len(series.cumulated["rows"]) - 1, len(series.stack.names)
    shape = n_windows, n_columns
    found = _Weighed(
        np.full(shape, np.inf), np.full(shape, np.inf), np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    )
    for scale in range(scales):
        length = 1 << scale
        last, column = np.nonzero((np.arange(1, n_windows + 1)[:, None] + series.phase) % length == 0)
        whole = last >= length - 1
        last, column = last[whole], column[whole]
        weight = scales / length
        for rows, baseline in _batches(series, season, last, column, length):
            t, c = last[rows], column[rows]
            each = series.weigh(series.merged(t - length + 1, t, c, baseline))
            changed, matters = (np.where(np.isnan(p), np.inf, p * weight) for p in (each.p, each.p_matters))
            smaller = np.minimum(changed, matters) < np.minimum(found.changed[t, c], found.matters[t, c])
            found.scale[t, c] = np.where(smaller, scale, found.scale[t, c])
            found.changed[t, c] = np.minimum(found.changed[t, c], changed)
            found.matters[t, c] = np.minimum(found.matters[t, c], matters)
            found.enough[t, c] |= each.enough
    return found


def _batches(
    series: _Series, season: _Season | None, last: Integers, column: Integers, length: int
) -> Iterator[tuple[Integers, Baseline | None]]:
    """Yield places in `last` that are weighed together, with what they compare with."""
    if season is None:
        for start in range(0, len(last), MAX_ROWS):
            yield np.arange(start, min(start + MAX_ROWS, len(last))), None
        return
    n_columns = len(series.stack.names)
    place: dict[Any, int] = {}
    baselines: list[Baseline] = []
    which = np.empty(len(last), np.int64)
    for at, t in enumerate(last.tolist()):
        key = season.key(t - length + 1, t)
        if key not in place:
            place[key] = len(baselines)
            baselines.append(season.baseline(series.stack, t - length + 1, t))
        which[at] = place[key]
    for start in range(0, len(last), MAX_ROWS):
        rows = np.arange(start, min(start + MAX_ROWS, len(last)))
        yield rows, rows_of(joined(baselines), which[rows] * n_columns + column[rows])


Flags = npt.NDArray[np.bool_]


def _flags(weighed: Sequence[_Weighed], budget: float) -> list[tuple[Flags, Flags]]:
    """Return which columns of each window are believed to have changed, and to matter, for each series."""
    if not weighed:
        return []
    ends = np.cumsum([found.changed.shape[1] for found in weighed])[:-1]
    changed = np.concatenate([found.changed for found in weighed], axis=1)
    matters = np.concatenate([found.matters for found in weighed], axis=1)
    known = np.isfinite(changed)
    alarmed = np.stack(
        [benjamini_hochberg(row, budget)[0] for row in np.where(np.isinf(matters), np.nan, matters)]
    )
    warned = np.stack([benjamini_hochberg(row, budget)[0] for row in np.where(known, changed, np.nan)])
    return list(zip(np.split(warned, ends, axis=1), np.split(alarmed & warned, ends, axis=1), strict=True))


def _alarms(
    series: _Series,
    found: _Weighed,
    flags: tuple[Flags, Flags],
    *,
    season: _Season | None,
    parts: Sequence[Profile],
    before: ProfileCounts,
) -> Iterator[Alarm]:
    """Yield the alarms of each column, in the order of time."""
    warned, alarmed = flags
    for column, name in enumerate(series.stack.names):
        at = np.array([column])
        loud = np.flatnonzero(warned[:, column])
        floor = 0
        for first, last in _incidents(loud, found.scale[:, column]):
            within = loud[(loud >= first) & (loud <= last)]
            best = int(
                within[np.argmin(np.minimum(found.changed[within, column], found.matters[within, column]))]
            )
            length = 1 << int(found.scale[best, column])
            status: Status = "alert" if alarmed[within, column].any() else "warning"
            baseline = None if season is None else season.baseline(series.stack, best - length + 1, best)
            outcome = _outcome(
                series,
                baseline,
                column,
                parts=parts[best - length + 1 : best + 1],
                before=before,
                status=status,
            )
            stack = series.merged(
                np.array([best - length + 1]),
                np.array([best]),
                at,
                None if baseline is None else rows_of(baseline, at),
            )
            since = _since(
                series, series.weigh(stack), season, column, (floor, first, best - length + 1, best)
            )
            yield Alarm(name, status, int(first), int(last), since, length, outcome)
            floor = int(last) + 1


def _incidents(loud: Integers, scale: Integers) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of windows with evidence that belong together.

    Evidence of 2^j merged windows can be there only every 2^j windows: it is over after two such turns.
    Merged windows that reach back into an incident that is known show its rows once more: nothing new.
    """
    first = last = None
    quiet = 0
    for t in loud.tolist():
        if first is None or last is None:
            first = t
        elif t - last > quiet:
            if t - (1 << int(scale[t])) < last:
                continue
            yield first, last
            first, quiet = t, 0
        last = t
        quiet = max(quiet, QUIET, 2 << int(scale[t]))
    if first is not None and last is not None:
        yield first, last


def _outcome(
    series: _Series,
    baseline: Baseline | None,
    column: int,
    *,
    parts: Sequence[Profile],
    before: ProfileCounts,
    status: Status,
) -> ColumnComparison:
    """Return the merged windows' column against the reference, with the status that the scan gave it."""
    name = series.stack.names[column]
    merged = merge(parts)
    if name not in merged:
        return missing_column(name, before[name], before.n_rows, merged.n_rows)
    stack = stack_columns([name], series.stack.ordered, before, merged)
    if baseline is not None:
        stack = replace(stack, baseline=rows_of(baseline, np.array([column])))
    each = series.weigh(stack)
    limit = float(np.nanmax([each.p[0], each.p_matters[0], 0.0]))
    verdict = Verdict(np.array([status], dtype=object), limit, limit)
    tolerances = tolerances_of(stack.names, series.settings, *series.tolerances)
    told = column_outcomes(
        stack, each, verdict, tolerances, before=before, profile=merged, settings=series.settings, window=None
    )
    return dict(told)[name]


def _since(
    series: _Series, found: Evidence, season: _Season | None, column: int, places: tuple[int, int, int, int]
) -> int:
    """Return the window with which a change began.

    `places`: the first window that may be it, the one that raised the alarm, and the first and last of those
    merged in the strongest evidence.
    """
    floor, raised, first, last = places
    winner = int(found.winner[0])
    counts = {
        name: np.diff(each[floor : last + 2, column], axis=0) for name, each in series.cumulated.items()
    }
    n = last + 1 - floor
    if winner > SCAN:
        home = winner - SCAN - 1
        hits, exposed = series.stack.reference_homes
        share = (hits[column, home] + 0.5) / (exposed[column, home] + 1.0)
        expected = np.broadcast_to([share, 1.0 - share], (n, 2))
        now = np.stack(
            [counts["hits"][:, home], counts["exposed"][:, home] - counts["hits"][:, home]], axis=1
        )
    else:
        groups = found.groups
        width = found.coarse[0].shape[1]
        now = np.zeros((n, width), np.int64)
        coarse = coarsen(counts["cells"], np.broadcast_to(groups, counts["cells"].shape))
        now[:, : coarse.shape[1]] = coarse
        if season is None:
            expected = np.broadcast_to(_smoothed(found.coarse[0][0]), now.shape)
        else:
            at = np.arange(floor, last + 1)
            expected = np.stack(
                [_smoothed(season.baseline(series.stack, t, t).cells[column]) for t in at.tolist()]
            )
    return floor + onset(expected, now, max(first - floor, 0), raised - floor)


def _smoothed(cells: Integers) -> Floats:
    """Return shares, with half a row more in every cell: what the reference never had may come."""
    return np.asarray((cells + 0.5) / (cells.sum() + 0.5 * len(cells)))


def _verdicts(
    series: Sequence[_Series],
    weighed: Sequence[_Weighed],
    flags: Sequence[tuple[Flags, Flags]],
    times: tuple[Window, ...] | None,
    parts: Sequence[ProfileCounts],
) -> tuple[WindowVerdict, ...]:
    made = []
    for t, part in enumerate(parts):
        columns: dict[str, Status] = {}
        n_judged = 0
        for each, found, (warned, alarmed) in zip(series, weighed, flags, strict=True):
            for i, name in enumerate(each.stack.names):
                status: Status = (
                    "alert"
                    if alarmed[t, i]
                    else "warning"
                    if warned[t, i]
                    else "ok"
                    if found.enough[t, i]
                    else "insufficient"
                )
                n_judged += status != "insufficient"
                if status != "ok":
                    columns[name] = status
        told: list[Status] = [*columns.values()]
        if n_judged > sum(each != "insufficient" for each in told):
            told.append("ok")
        status = verdict_of_columns(told)
        made.append(WindowVerdict(t, None if times is None else times[t], part.n_rows, status, columns))
    return tuple(made)


def in_order(
    profiles: Mapping[Any, Profile] | Iterable[Any],
) -> tuple[tuple[Window, ...] | None, list[Profile]]:
    """Return the times (None if not given) and the profiles of the windows. Raises InputError."""
    if isinstance(profiles, Profile):
        raise InputError("scan: one profile is no sequence of windows: pass a list of them, or compare it")
    items: list[Any] = list(profiles.items()) if isinstance(profiles, Mapping) else list(profiles)
    if not items:
        raise InputError("scan: no profiles; pass those of at least one window")
    pairs = [item for item in items if isinstance(item, tuple) and len(item) == 2]
    if not pairs:
        parts, times = items, None
    elif len(pairs) == len(items):
        parts = [item[1] for item in items]
        times = tuple(as_window(item[0]) for item in items)
        for one, two in itertools.pairwise(times):
            if two.start_ns < one.end_ns:
                raise InputError(
                    f"scan: window {two} does not come after {one}: give windows in the order of time"
                )
    else:
        raise InputError(
            "scan: some profiles come with a window and some without; give all of them one, or none"
        )
    for part in parts:
        if not isinstance(part, Profile):
            raise TypeError(f"scan: a Profile is needed for each window, not a {type(part).__qualname__}")
    return times, parts


def _season(
    windows: ReferenceWindows | None, times: tuple[Window, ...] | None, parts: Sequence[Profile], scales: int
) -> tuple[_Season | None, tuple[str, ...]]:
    """Return what the reference's own windows say about the sequence, and what is assumed."""
    if windows is None:
        return None, ("rows are taken as independent: the reference has no windows of its own",)
    if len(windows) < MIN_WINDOWS:
        few = f"the reference has {len(windows)} windows, and {MIN_WINDOWS} say how they vary"
        return None, (f"rows are taken as independent: {few}",)
    baselines = baselines_of(windows)
    n_rows = int(np.mean([part.n_rows for part in parts]))
    unit = baselines.block_of(n_rows, None if times is None else times[0])
    testable = [scale for scale in range(scales) if (unit << scale) * LONGEST <= len(windows)]
    told = [baselines.assumption]
    if len(testable) < scales:
        told.append(
            f"{1 << len(testable)} and more merged windows are not tested: a seventh of the reference's "
            f"{len(windows):,} windows is less"
        )
    if times is None and baselines.season.name:
        told.append(
            f"the times of the windows are not known, so their {baselines.season.name} is not matched"
        )
    return _Season(baselines, times, unit, max(len(testable), 1)), tuple(told)


def _cumulated(stack: Stack, parts: Sequence[ProfileCounts], before: ProfileCounts) -> dict[str, Integers]:
    """Return the counts of all windows before each, `[windows + 1, columns, ...]`.

    Labels that no row of a window has are still to come: of that column the window has no rows.
    """
    sides = [side_of(part, stack) for part in parts]
    label = np.array([before[name].role == "label" for name in stack.names])
    counted = ("rows", "present", "hits", "exposed", "cells")
    for side in sides:
        to_come = label & (side.hits[:, ABSENT] == side.rows)
        for name in counted:
            getattr(side, name)[to_come] = 0
    cumulated = {}
    for name in counted:
        each = np.stack([getattr(side, name) for side in sides])
        cumulated[name] = np.concatenate([np.zeros_like(each[:1]), np.cumsum(each, axis=0)])
    return cumulated


def _phase(model: str, column: str) -> int:
    """Return where in its turns a column of a model stands: the same everywhere, unlike for others."""
    return zlib.crc32(f"{model}\0{column}".encode(errors="surrogatepass"))
