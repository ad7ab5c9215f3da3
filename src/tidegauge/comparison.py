"""Compare a profile with a reference: every judged column measured, judged, and told in words.

Longer than most files: the outcome, how it reads, and the one function that makes it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from tidegauge.column_profiles import ROLES_WITHOUT_VERDICT
from tidegauge.drift.causes import Cause, causes_of_column, kind_of_change
from tidegauge.drift.columns import ColumnCounts, ProfileCounts, Stack, stack_columns
from tidegauge.drift.evidence import Evidence, evidence
from tidegauge.drift.statistics import effect, moments_of, psi_of, statistics_of
from tidegauge.drift.together import Multivariate, multivariate_outcome
from tidegauge.drift.told import teller
from tidegauge.drift.verdict import BUDGET, TOLERANCE, TOLERANCE_SHARE, Verdict, decide, verdict_of_columns
from tidegauge.drift.words import reasons
from tidegauge.errors import InputError, MergeError
from tidegauge.measurement import SEVERITY, Measurement, Status, arrow_stream, defined
from tidegauge.profiles import write_file
from tidegauge.reference_windows import ReferenceWindows
from tidegauge.seasons import MIN_WINDOWS, baselines_of, slots_within, time_of
from tidegauge.tables import escaped, html_table, printable, text_table
from tidegauge.window import Window, as_window

ORDERED_KINDS = frozenset({"number", "time"})
CATEGORY_KINDS = frozenset({"category", "boolean"})
MAX_LINES = 24  # of a repr: columns that are well are left out first
MAX_NAME_CHARACTERS = 40
NOTABLE = 0.05  # p above which there is no kind of change to tell
_HEADER = ("status", "column", "kind of change", "effect", "p", "why")


@dataclass(frozen=True, slots=True)
class ColumnComparison:
    """What became of one column.

    `reasons` say why, the strongest evidence first; they are empty when all is well. `p_value`: that nothing
    changed (omnibus); `p_tolerance`: that PSI is at most the tolerance; `component`: the kind of change that
    the winning part of the omnibus stands for ("shift", "scale", "stuck value", "missing values", ...), told
    where p is at most 0.05 whatever the status. `effect` is d = sqrt(PSI), bias-corrected: the shift of a
    mean, in standard deviations, that is as large a change; `interval` its 95 % interval. `causes` are the
    places that changed, the largest part of the PSI first, of a column with a warning or an alert.

    A column that is not judged (`judged=False`: ids, timestamps, kinds without cells, columns that only one
    side has and nobody asked for) has status `undefined`, no measurements, and one reason that says why not.
    `before` and `after` are the column in the two profiles, None on a side that lacks it.
    """

    name: str
    kind: str
    role: str
    judged: bool
    status: Status
    reasons: tuple[str, ...]
    p_value: float | None = None
    p_tolerance: float | None = None
    component: str | None = None
    effect: float | None = None
    interval: tuple[float, float] | None = None
    causes: tuple[Cause, ...] = ()
    importance: float | None = None
    before: ColumnCounts | None = field(default=None, repr=False, compare=False)
    after: ColumnCounts | None = field(default=None, repr=False, compare=False)
    _measure: Callable[[], tuple[Measurement, ...]] = field(default=tuple, repr=False, compare=False)

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """Every statistic of the column; none if it is not judged."""
        return self._measure()

    def value(self, name: str) -> float | None:
        """Return the value of measurement `name`, None where it is undefined; KeyError if there is none."""
        measured = self.measurements
        for each in measured:
            if each.name == name:
                return each.value
        have = ", ".join(each.name for each in measured) or "none: it is not judged"
        raise KeyError(f"column {self.name!r} has no measurement {name!r}; it has {have}")

    def to_png(self, width: int = 720, scale: float = 2.0) -> bytes:
        """Draw the column's two distributions as a PNG; `report.column_png` says how. Extra `report`."""
        from tidegauge.report import column_png

        return column_png(self, width, scale)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able."""
        plain = ("name", "kind", "role", "judged", "status", "p_value", "p_tolerance", "component", "effect")
        return {
            **{name: getattr(self, name) for name in plain},
            "interval": None if self.interval is None else list(self.interval),
            "importance": self.importance,
            "reasons": list(self.reasons),
            "causes": [each.to_dict() for each in self.causes],
            "measurements": [each.to_dict() for each in self.measurements],
        }


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """The outcome of `compare`: a status, a sentence, and every column in the reference's order.

    `comparison["amount"]` is the column; `comparison.value("psi", column="amount")` one number;
    `pyarrow.table(comparison)` (or Polars, DuckDB, pandas: anything that reads Arrow streams) all of them,
    one row a measurement. `assumptions` say what the verdict rests on, in sentences. `multivariate` is what
    became of the numeric columns together, None where a side does not know. It is judged with the columns
    where rows are taken as independent, and only measured where windows of the reference say how they differ.
    """

    status: Status
    summary: str
    columns: Mapping[str, ColumnComparison]
    n_reference: int
    n_current: int
    budget: float
    tolerance: float
    window: tuple[int, int] | None = None
    assumptions: tuple[str, ...] = ()
    multivariate: Multivariate | None = None

    @property
    def measurements(self) -> list[Measurement]:
        """All measurements, column by column, then of the columns together."""
        told = [each for column in self.columns.values() for each in column.measurements]
        return told if self.multivariate is None else [*told, *self.multivariate.measurements]

    def __getitem__(self, column: str) -> ColumnComparison:
        """Return one column's outcome; KeyError if neither side has it."""
        try:
            return self.columns[column]
        except KeyError:
            have = ", ".join(map(repr, list(self.columns)[:10]))
            raise KeyError(f"no column {column!r} in the comparison; it has {have}") from None

    def value(self, name: str, column: str) -> float | None:
        """Return one number, None where undefined; KeyError if there is no such measurement or column."""
        return self[column].value(name)

    def worst_first(self) -> list[ColumnComparison]:
        """Return the columns, the worst first: by severity, evidence, then size times importance."""
        return sorted(self.columns.values(), key=_gravity)

    def to_dict(self) -> dict[str, Any]:
        """Return status, summary, sizes, settings and columns, JSON-able (no NaN, no NumPy)."""
        return {
            "status": self.status,
            "summary": self.summary,
            "n_reference": self.n_reference,
            "n_current": self.n_current,
            "budget": self.budget,
            "tolerance": self.tolerance,
            "window": None if self.window is None else list(self.window),
            "assumptions": list(self.assumptions),
            "multivariate": None if self.multivariate is None else self.multivariate.to_dict(),
            "columns": {name: column.to_dict() for name, column in self.columns.items()},
        }

    def to_html(self, path: str | os.PathLike[str], title: str | None = None) -> None:
        """Write the report, one offline page, whole or not at all (extra `report`). Raises OSError."""
        from tidegauge.report import render_html

        write_file(path, render_html(self, title).encode())

    def to_markdown(self) -> str:
        """Return the comparison as GitHub's Markdown, at most 60 KB, for a pull request."""
        from tidegauge.report import render_markdown

        return render_markdown(self)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the measurements, one a row, as an Arrow stream (PyCapsule); imports pyarrow."""
        return arrow_stream(self.measurements, requested_schema)

    def __repr__(self) -> str:
        """Return the summary and a table of the columns, the worst first."""
        rows, left = self._rows()
        table = text_table(_HEADER, rows, right=(3, 4)) if rows else ""
        return "\n".join(part for part in (printable(self.summary, None), table, left) if part)

    def _repr_html_(self) -> str:
        """Return the same as HTML, without scripts, everything escaped."""
        rows, left = self._rows()
        table = html_table(_HEADER, rows, right=(3, 4)) if rows else ""
        return f"<div><p>{escaped(self.summary, None)}</p>{table}<p>{escaped(left, None)}</p></div>"

    def _rows(self) -> tuple[list[tuple[str, ...]], str]:
        """Return the rows to show and a sentence about those left out."""
        columns = self.worst_first()
        quiet = [c for c in columns if c.status in ("ok", "undefined")]
        loud = columns[: len(columns) - len(quiet)]
        shown = loud + quiet[: max(MAX_LINES - len(loud), 0)]
        hidden = len(columns) - len(shown)
        rows: list[tuple[str, ...]] = [
            (
                c.status if c.judged else "-",
                printable(c.name, MAX_NAME_CHARACTERS),
                (c.component or "") if c.status in ("warning", "alert") else "",
                "" if c.effect is None else f"{c.effect:.3f}",
                "" if c.p_value is None else f"{c.p_value:.2g}",
                "; ".join(c.reasons),
            )
            for c in shown
        ]
        return rows, f"and {_count(hidden, 'more column')}, ok or not judged" if hidden else ""


def compare(
    reference: Any,
    profile: ProfileCounts,
    *,
    budget: float = BUDGET,
    tolerance: float = TOLERANCE,
    tolerance_share: float = TOLERANCE_SHARE,
    window: Window | tuple[Any, Any] | None = None,
) -> Comparison:
    """Compare `profile` with `reference` (a Reference, or a Profile made between the same edges).

    Every column that is judged (`judge=True` in the reference's schema, no id, timestamp, ignored, weight or
    query role) is asked two questions. Did it change? An omnibus p of its values' cells and of its missing
    rows, with Benjamini-Hochberg over all judged columns at `budget`, the false incidents to expect of a
    window in which nothing changed: `warning`. Does it matter? A test that its PSI is larger than `tolerance`
    (a column's own, where the schema gives one), or that the share of rows in one narrow place, or missing,
    moved by more than `tolerance_share`: `alert`. A judged column that the profile lacks is an `alert`; one
    with too few values is `insufficient`, unless even they prove a change. Every statistic is measured, by
    the usual name, with its interval, p and the value to expect without a change, where there are such. See
    docs/design/0004-verdict.md.

    Of a reference that knows its own windows (`Reference.fit(..., window=)`), `window`, the time that the
    profile's rows come from, (start, end) as datetimes, ISO texts or nanoseconds, selects the seasonal slots
    to compare with; how much windows of that length differ is learned from the reference's own. A window of
    more than a seventh of the reference's history, or in a slot that it has not, is `insufficient`. Rows of
    the reference that lie in the window itself are left out. Without `window` it is read from the column with
    the role timestamp; without that its length is told by its rows, and seasons are not matched. Of other
    references, rows are taken as independent. `assumptions` say which.

    Raises MergeError when a judged column has another kind or other edges on the two sides, and InputError
    for a budget or tolerance out of range.
    """
    require_settings(budget, tolerance, tolerance_share)
    given = profile
    before, profile = _Snapshot(getattr(reference, "profile", reference)), _Snapshot(profile)
    settings = getattr(reference, "schema", {})
    outcomes, stacks = _sorted_out(before, profile, settings)
    windows = getattr(reference, "windows", None)
    interval = None if window is None else as_window(window)
    if interval is None and windows is not None:
        interval = time_of(profile, settings, windows.width_ns)
    stacks, assumptions = _in_season(stacks, windows, profile.n_rows, interval)
    limits = [tolerances_of(stack.names, settings, tolerance, tolerance_share) for stack in stacks]
    found: list[Evidence] = []
    for stack, tolerances in zip(stacks, limits, strict=True):
        circular = np.array([bool(getattr(settings.get(name), "circular", False)) for name in stack.names])
        found.append(evidence(stack, *tolerances, circular))
    together = _together(getattr(reference, "profile", reference), given)
    judged_together = together is not None and all(stack.baseline is None for stack in stacks)
    verdicts = decide(found, budget, together.family if together and judged_together else ())
    if together is not None and judged_together:
        together = together.judged(verdicts[0].p_changed if verdicts else budget)
    for stack, each, verdict, tolerances in zip(stacks, found, verdicts, limits, strict=True):
        span = None if interval is None else (interval.start_ns, interval.end_ns)
        outcomes |= dict(
            column_outcomes(
                stack,
                each,
                verdict,
                tolerances,
                before=before,
                profile=profile,
                settings=settings,
                window=span,
            )
        )
    order = [*before, *(name for name in profile if name not in before)]
    columns = {name: outcomes[name] for name in order if name in outcomes}
    statuses = [column.status for column in columns.values() if column.judged]
    statuses += [together.status] if together is not None and together.status == "warning" else []
    status = verdict_of_columns(statuses)
    summary = _summary(status, columns, profile.n_rows, before.n_rows, together)
    return Comparison(
        status=status,
        summary=summary,
        columns=columns,
        n_reference=before.n_rows,
        n_current=profile.n_rows,
        budget=budget,
        tolerance=tolerance,
        window=None if interval is None else (interval.start_ns, interval.end_ns),
        assumptions=assumptions,
        multivariate=together,
    )


def _together(before: Any, after: Any) -> Multivariate | None:
    """Return what became of the columns together, where both profiles know of that."""
    if not hasattr(before, "joint") or not hasattr(after, "joint"):
        return None
    return multivariate_outcome(before, after)


def _in_season(
    stacks: list[Stack], windows: ReferenceWindows | None, n_rows: int, window: Window | None
) -> tuple[list[Stack], tuple[str, ...]]:
    """Return the stacks with the baselines of the reference's own windows, where it has enough of them."""
    if windows is None:
        return stacks, ("rows are taken as independent: the reference has no windows of its own",)
    if window is not None:
        windows = windows.without(window)
    if len(windows) < MIN_WINDOWS:
        few = f"the reference has {len(windows)} windows beside this one, and {MIN_WINDOWS} say how they vary"
        return stacks, (f"rows are taken as independent: {few}",)
    baselines = baselines_of(windows)
    wanted = None if window is None else slots_within(window, baselines.season, windows.width_ns)
    block = baselines.block_of(n_rows, window)
    told = [baselines.assumption]
    if window is None and baselines.season.name:
        told.append(f"the time of the window is not known, so its {baselines.season.name} is not matched")
    return [replace(stack, baseline=baselines.baseline(stack, block, wanted)) for stack in stacks], tuple(
        told
    )


class _Snapshot(dict[str, ColumnCounts]):
    """A profile's columns, each asked for once."""

    def __init__(self, profile: ProfileCounts) -> None:
        super().__init__((name, profile[name]) for name in profile)
        self.n_rows = profile.n_rows


def require_settings(budget: float, tolerance: float, tolerance_share: float) -> None:
    """Raise InputError for a budget or a tolerance that nothing could be judged by."""
    for name, value, most in (("budget", budget, 0.5), ("tolerance_share", tolerance_share, 1.0)):
        if not 0 < value < most:
            raise InputError(f"{name} is {value!r}, it must lie above 0 and below {most}")
    if not 0 < tolerance < float("inf"):
        raise InputError(f"tolerance is {tolerance!r}, it must be a PSI above 0, such as 0.01")


def tolerances_of(
    names: tuple[str, ...], settings: Any, tolerance: float, tolerance_share: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the tolerated PSI and share of each column: its own where the schema gives one."""
    own = [getattr(settings.get(name), "tolerance", None) for name in names]
    psi = np.array([tolerance if each is None else each for each in own])
    return psi, np.full(len(names), tolerance_share)


def _sorted_out(
    before: _Snapshot, profile: _Snapshot, settings: Any
) -> tuple[dict[str, ColumnComparison], list[Stack]]:
    """Return the outcomes of columns that need no statistics, and the others side by side."""
    outcomes: dict[str, ColumnComparison] = {}
    judged: list[str] = []
    for name in before:
        why_not = why_not_judged(before[name], settings.get(name))
        if why_not:
            outcomes[name] = _listed(name, before[name], profile.get(name), why_not)
            continue
        if name in profile:
            require_equal_cells(name, before[name], profile[name])
        if _lacks(profile, name) and before[name].role == "label":
            outcomes[name] = _listed(name, before[name], profile.get(name), "not judged: no labels yet")
        elif _lacks(profile, name) and not _lacks(before, name):
            outcomes[name] = missing_column(name, before[name], before.n_rows, profile.n_rows)
        elif name in profile:
            judged.append(name)
    for name in profile:
        if name not in before:
            outcomes[name] = _listed(name, None, profile[name], "not in the reference")
    stacks = []
    for ordered, kinds in ((True, ORDERED_KINDS), (False, CATEGORY_KINDS)):
        names = [name for name in judged if before[name].kind in kinds]
        if names:
            stacks.append(stack_columns(names, ordered, before, profile))
    return outcomes, stacks


def column_outcomes(
    stack: Stack,
    found: Evidence,
    verdict: Verdict,
    tolerances: tuple[Any, Any],
    *,
    before: ProfileCounts,
    profile: ProfileCounts,
    settings: Any,
    window: tuple[int, int] | None,
) -> Iterator[tuple[str, ColumnComparison]]:
    """Yield the outcome of every column of a stack that was weighed and decided."""
    told = {"psi": psi_of(found), **(moments_of(stack) if stack.ordered else {})}
    statuses = verdict.status.tolist()
    measure = teller(
        stack,
        found,
        partial(statistics_of, stack, found),
        statuses=statuses,
        tolerances=tolerances,
        window=window,
    )
    d, low, high = effect(found)
    for i, name in enumerate(stack.names):
        column, now = before[name], profile[name]
        loud = statuses[i] in ("warning", "alert")
        ends = defined(low[i]), defined(high[i])
        yield (
            name,
            ColumnComparison(
                name,
                column.kind,
                column.role,
                True,
                statuses[i],
                tuple(reasons(stack, found, told, verdict, i, columns=(column, now))),
                p_value=defined(found.p[i]),
                p_tolerance=defined(found.p_tolerance[i]),
                component=kind_of_change(stack, found, i) if found.p[i] <= NOTABLE else None,
                effect=defined(d[i]) if found.enough[i] else None,
                interval=(ends[0], ends[1])
                if found.enough[i] and ends[0] is not None and ends[1] is not None
                else None,
                causes=causes_of_column(stack, found, i, column) if loud else (),
                importance=getattr(settings.get(name), "importance", None),
                before=column,
                after=now,
                _measure=partial(measure, i),
            ),
        )


def why_not_judged(column: ColumnCounts, settings: Any) -> str:
    """Say why a column has no verdict, or "": `settings` is its Column of the reference's schema, or None."""
    if settings is not None and not settings.judge:
        return str(settings.notice or "not judged: judge=False in the schema")
    if column.role in ROLES_WITHOUT_VERDICT:
        return f"not judged: role {column.role}"
    if not column.judge:
        return "not judged: judge=False"
    if column.kind not in ORDERED_KINDS | CATEGORY_KINDS:
        return f"not judged: kind {column.kind}"
    return ""


def require_equal_cells(name: str, before: ColumnCounts, after: ColumnCounts) -> None:
    """Raise MergeError unless the cells of a judged column are the same ones on both sides."""
    remedy = "make the profile with this reference, or fit the reference with edges=old to keep the old edges"
    if before.kind != after.kind:
        raise MergeError(
            f"column {name!r} is a {before.kind} in the reference and a {after.kind} in the profile; {remedy}"
        )
    if before.edges_id != after.edges_id:
        raise MergeError(
            f"column {name!r} has edges {before.edges_id} in the reference and {after.edges_id} in the "
            f"profile, so their cells cannot be compared; {remedy}"
        )


def _lacks(profile: ProfileCounts, name: str) -> bool:
    """Say whether no row of the profile has the column."""
    return name not in profile or 0 < profile[name].n_rows == profile[name].n_absent


def _listed(name: str, before: ColumnCounts | None, after: ColumnCounts | None, why: str) -> ColumnComparison:
    """Return the outcome of a column that is not judged, of which one side at least has something."""
    column = before or after
    assert column is not None
    return ColumnComparison(
        name, column.kind, column.role, False, "undefined", (why,), before=before, after=after
    )


def missing_column(name: str, column: ColumnCounts, n_reference: int, n_current: int) -> ColumnComparison:
    """Return the outcome of a judged column that no row of the profile has."""
    share = column.n_absent / column.n_rows if column.n_rows else 0.0
    status: Status = "alert" if n_current else "insufficient"
    measured = Measurement(
        name="absent_share_change",
        value=1.0 - share if n_current else None,
        column=name,
        n_reference=n_reference,
        n_current=n_current,
        direction="higher_is_worse",
        reference_value=share,
        status=status,
    )
    why = "the column is missing" if n_current else "no rows"
    return ColumnComparison(
        name,
        column.kind,
        column.role,
        True,
        status,
        (why,),
        component="absent rows" if n_current else None,
        before=column,
        _measure=lambda: (measured,),
    )


def _gravity(column: ColumnComparison) -> tuple[bool, int, float, float]:
    """Order columns: judged, by severity, by evidence that the change matters, by size times importance.

    Evidence goes by orders of magnitude up to 10^-16: beyond, size tells more than a p.
    """
    size = (column.effect or 0.0) * (1.0 if column.importance is None else column.importance)
    p = 1.0 if column.p_tolerance is None else max(column.p_tolerance, 1e-16)
    return not column.judged, -SEVERITY.index(column.status), round(np.log10(p)), -size


def _summary(
    status: Status,
    columns: Mapping[str, ColumnComparison],
    n_current: int,
    n_reference: int,
    together: Multivariate | None,
) -> str:
    """Say in one sentence what was found, naming the gravest column and its cause."""
    judged = sorted((c for c in columns.values() if c.judged), key=_gravity)
    sizes = f"{n_current:,} rows against {n_reference:,}"
    counts = {s: sum(c.status == s for c in judged) for s in ("alert", "warning", "insufficient")}
    few = f", {counts['insufficient']} not to be judged" if counts["insufficient"] else ""
    if not judged:
        return f"insufficient: no column is judged ({sizes})"
    if status == "ok":
        return f"ok: {_count(len(judged), 'judged column')} as in the reference{few} ({sizes})"
    if status == "insufficient":
        return f"insufficient: {_count(len(judged), 'judged column')}{few} ({sizes})"
    named = " and ".join(f"{_count(counts[s], s)}" for s in ("alert", "warning") if counts[s])
    if not named and together is not None:
        return (
            f"{status}: {_count(len(judged), 'judged column')} each as before ({sizes}), {together.summary}"
        )
    cause = f"{judged[0].name}: {judged[0].reasons[0]}"
    return f"{status}: {named} in {_count(len(judged), 'judged column')}{few} ({sizes}); {cause}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
