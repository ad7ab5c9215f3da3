"""The outcome of `performance`: a status, a sentence, and every metric as a Measurement."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import numpy.typing as npt

from tidegauge.drift.multiplicity import benjamini_hochberg
from tidegauge.drift.verdict import BUDGET
from tidegauge.measurement import Kind, Measurement, Status, arrow_stream
from tidegauge.outcomes.calibration import ReliabilityCurve
from tidegauge.outcomes.metric_change import MetricChange, SegmentPart
from tidegauge.outcomes.realised_error import RealisedError
from tidegauge.outcomes.shift_parts import ShiftParts
from tidegauge.profiles import write_file
from tidegauge.segments import parse_segment, shown_segment
from tidegauge.tables import escaped, html_table, printable, text_table
from tidegauge.window import Window

if TYPE_CHECKING:
    from tidegauge.comparison import Comparison

KINDS: tuple[Kind, ...] = get_args(Kind)
TOLERANCE = 0.01
MATURE_COVERAGE = 0.9
MAX_LINES = 40  # of a repr
MAX_CAUSES = 8  # changes over segments that a repr tells
MAX_NAMED = 3  # segments to which a sentence says that a change is owed
SURE = 0.05  # false discoveries among these
_CAUSES = ("change of", "of", "by", "change", "by rate", "by mix", "largest part")
_HEADER = ("status", "metric", "of", "kind", "value", "95 % interval", "reference", "limit", "rows")


@dataclass(frozen=True, slots=True, eq=False)
class ConfusionTable:
    """Labelled rows by label and answer, `[label, answer]`, with the names of the classes."""

    column: str
    classes: tuple[str, ...]
    rows: npt.NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able."""
        return {"column": self.column, "classes": list(self.classes), "rows": self.rows.tolist()}


@dataclass(frozen=True, slots=True)
class ColumnPart:
    """What a metric's change owes to other shares of the values `by` a column, or several, in its unit.

    `share` is `part` / change, None without a change. `drift` and `effect` are the status and the size that
    `compare` told of a single column, None where it was not asked.
    """

    by: tuple[str, ...]
    part: float
    interval: tuple[float, float]
    share: float | None
    drift: Status | None = None
    effect: float | None = None


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Performance:
    """The outcome of `performance`: a status, a sentence, and every metric as a Measurement.

    `performance.value("roc_auc", kind="estimated")` is one number; `pyarrow.table(performance)` all of them,
    one row a measurement. `n_rows` are the rows with a score or a prediction, `n_labelled` those of them with
    a label, `coverage` their share (None of no rows), all of the first score or prediction. `reliability` is
    the curve of the first score that is a probability, `confusion` a table for each column with classes.
    `errors` say of an estimate how far off it was on the rows that have labels by now (estimated - realised).
    `notes` tell in sentences what could not be judged and why, `assumptions` what the verdict rests on.
    `causes` are the changes of metrics over the segments that were given; `cause` finds one. `shift` tells of
    scores which part of each metric's change the inputs explain, and which not (`outcomes.shift_parts`).
    """

    status: Status
    summary: str
    measurements: tuple[Measurement, ...]
    n_rows: int
    n_labelled: int
    n_reference: int
    window: Window | None = None
    reliability: ReliabilityCurve | None = None
    confusion: tuple[ConfusionTable, ...] = ()
    errors: Mapping[str, RealisedError] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    budget: float = BUDGET
    tolerance: float = TOLERANCE
    mature_coverage: float = MATURE_COVERAGE
    causes: tuple[MetricChange, ...] = ()
    shift: tuple[ShiftParts, ...] = ()

    @property
    def coverage(self) -> float | None:
        """Rows with a label over rows with a score; None where there are none."""
        return self.n_labelled / self.n_rows if self.n_rows else None

    def measurement(
        self,
        name: str,
        kind: Kind = "realised",
        *,
        average: str | None = None,
        column: str | None = None,
        label: str | None = None,
    ) -> Measurement:
        """Return one measurement; KeyError if there is none, and it says which there are.

        `average`: of precision, recall and F1 over classes, "macro", "micro" or "weighted". `column`: the
        score or prediction it is of; None takes the first that has it, scores before predictions. `label`:
        the class that it is of.
        """
        name = name if average is None else f"{average}_{name}"
        for each in self.measurements:
            same = each.name == name and each.kind == kind and each.label == label
            if same and column in (None, each.column):
                return each
        have = sorted({each.name for each in self.measurements if each.kind == kind and each.label == label})
        of = "" if label is None else f" of class {label!r}"
        raise KeyError(f"no {kind} metric {name!r}{of}; there are {', '.join(have) or 'none'}")

    def value(
        self,
        name: str,
        kind: Kind = "realised",
        *,
        average: str | None = None,
        column: str | None = None,
        label: str | None = None,
    ) -> float | None:
        """Return the value of `measurement`, None where it is undefined."""
        return self.measurement(name, kind, average=average, column=column, label=label).value

    def cause(
        self, name: str, by: str | tuple[str, ...], kind: Kind = "realised", *, column: str | None = None
    ) -> MetricChange:
        """Return the change of one metric over the segments `by` a column, or several; KeyError without."""
        columns = (by,) if isinstance(by, str) else tuple(sorted(by))
        for each in self.causes:
            if (each.name, each.by, each.kind) == (name, columns, kind) and column in (None, each.column):
                return each
        have = sorted({f"{each.name} by {', '.join(each.by)}" for each in self.causes if each.kind == kind})
        raise KeyError(
            f"no {kind} change of {name!r} by {', '.join(columns)}; there are {'; '.join(have) or 'none'}"
        )

    def shift_of(self, name: str, *, column: str | None = None) -> ShiftParts:
        """Return both parts of one metric's change; KeyError if there are none."""
        for each in self.shift:
            if each.name == name and column in (None, each.column):
                return each
        have = ", ".join(dict.fromkeys(each.name for each in self.shift)) or "none"
        raise KeyError(f"no parts of a change of {name!r}; there are {have}")

    def columns(
        self,
        name: str,
        kind: Kind = "estimated",
        *,
        column: str | None = None,
        comparison: Comparison | None = None,
    ) -> list[ColumnPart]:
        """Return the columns that segments were made by, the largest part in a metric's change first.

        A column's part is the mix of all its segments: what the change would be had only the shares of its
        values changed. Parts of columns overlap where these move together, and do not add up. `comparison`
        adds what `compare` found of each. `column`: the score or prediction, None the first. KeyError if no
        change of this metric was split.
        """
        found = [each for each in self.causes if (each.name, each.kind) == (name, kind) and each.decomposes]
        if not found:
            have = sorted({each.name for each in self.causes if each.kind == kind and each.decomposes})
            raise KeyError(f"no {kind} change of {name!r} is split; there are {', '.join(have) or 'none'}")
        of = found[0].column if column is None else column
        parts = [column_part(each, comparison) for each in found if each.column == of]
        sign = 1.0 if found[0].change >= 0 else -1.0
        return sorted(parts, key=lambda each: (-sign * each.part, each.by))

    def to_dict(self) -> dict[str, Any]:
        """Return everything by name, JSON-able (no NaN, no NumPy)."""
        curve = self.reliability
        return {
            "status": self.status,
            "summary": self.summary,
            "n_rows": self.n_rows,
            "n_labelled": self.n_labelled,
            "n_reference": self.n_reference,
            "coverage": self.coverage,
            "window": None if self.window is None else [self.window.start_ns, self.window.end_ns],
            "budget": self.budget,
            "tolerance": self.tolerance,
            "mature_coverage": self.mature_coverage,
            "notes": list(self.notes),
            "assumptions": list(self.assumptions),
            "measurements": [each.to_dict() for each in self.measurements],
            "errors": {name: error_dict(each) for name, each in self.errors.items()},
            "shift": [each.to_dict() for each in self.shift],
            "causes": [each.to_dict() for each in self.causes],
            "confusion": [each.to_dict() for each in self.confusion],
            "reliability": None
            if curve is None
            else {
                name: getattr(curve, name).tolist() for name in ("scores", "shares", "low", "high", "rows")
            },
        }

    def to_html(self, path: str | os.PathLike[str], title: str | None = None) -> None:
        """Write the report, one offline page, whole or not at all (extra `report`). Raises OSError."""
        from tidegauge.report import render_performance

        write_file(path, render_performance([self], title).encode())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the measurements, one a row, as an Arrow stream (PyCapsule); imports pyarrow."""
        return arrow_stream(self.measurements, requested_schema)

    def __repr__(self) -> str:
        """Return the summary, a table of the metrics, and the notes."""
        rows, left = self._rows()
        table = text_table(_HEADER, rows, right=(4, 6, 7, 8)) if rows else ""
        causes = text_table(_CAUSES, self._causes(), right=(3, 4, 5)) if self.causes else ""
        lines = [self.summary, table, left, causes, *self.notes]
        return "\n".join(line if line in (table, causes) else printable(line, None) for line in lines if line)

    def _repr_html_(self) -> str:
        """Return the same as HTML, without scripts, everything escaped."""
        rows, left = self._rows()
        table = html_table(_HEADER, rows, right=(4, 6, 7, 8)) if rows else ""
        causes = html_table(_CAUSES, self._causes(), right=(3, 4, 5)) if self.causes else ""
        notes = "".join(f"<p>{escaped(note, None)}</p>" for note in (left, *self.notes) if note)
        return f"<div><p>{escaped(self.summary, None)}</p>{table}{causes}{notes}</div>"

    def told_causes(self) -> list[MetricChange]:
        """Return the changes worth telling: of metrics with a warning or an alert, else of the first.

        Those by one column come before those by several.
        """
        loud = {
            (each.name, each.kind, each.column)
            for each in self.measurements
            if each.status in ("warning", "alert")
        }
        wanted = loud or {(each.name, each.kind, each.column) for each in self.causes[:1]}
        found = [each for each in self.causes if (each.name, each.kind, each.column) in wanted]
        return sorted(found, key=lambda each: len(each.by))

    def _causes(self) -> list[tuple[str, ...]]:
        """Return a row for each change that is told, with the segment that has the largest part in it."""
        rows: list[tuple[str, ...]] = []
        for each in self.told_causes()[:MAX_CAUSES]:
            first = each.segments[0] if each.segments else None
            largest = "" if first is None else shown_segment(parse_segment(first.segment))
            rows.append(
                (
                    f"{each.kind} {each.name}",
                    printable(each.column, 40),
                    printable(", ".join(each.by), 40),
                    f"{each.change:+.3g}",
                    "" if each.rate is None else f"{each.rate:+.3g}",
                    "" if each.mix is None else f"{each.mix:+.3g}",
                    "" if first is None else f"{printable(largest, 60)} {first.part:+.3g}",
                )
            )
        return rows

    def _rows(self) -> tuple[list[tuple[str, ...]], str]:
        """Return the rows to show, and a sentence about those left out: of classes there can be many."""
        shown = [each for each in self.measurements if each.value is not None and each.label is None]
        shown += [each for each in self.measurements if each.value is not None and each.label is not None]
        hidden = len(shown) - MAX_LINES
        rows: list[tuple[str, ...]] = [
            (
                each.status,
                each.name if each.label is None else f"{each.name} of {printable(each.label, 40)}",
                printable(each.column or "", 40),
                each.kind or "",
                f"{each.value:.4g}",
                "" if each.low is None or each.high is None else f"{each.low:.4g} to {each.high:.4g}",
                "" if each.reference_value is None else f"{each.reference_value:.4g}",
                "" if each.threshold is None else f"{each.threshold:.4g}",
                f"{each.n_current or 0:,}",
            )
            for each in shown[:MAX_LINES]
        ]
        return rows, f"and {hidden:,} more measurements" if hidden > 0 else ""


def column_part(change: MetricChange, comparison: Comparison | None) -> ColumnPart:
    """Return what a change owes to the mix of all segments by some columns."""
    assert change.mix is not None
    assert change.mix_interval is not None
    share = change.mix / change.change if change.change else None
    of = None if comparison is None or len(change.by) > 1 else comparison.columns.get(change.by[0])
    if of is None:
        return ColumnPart(change.by, change.mix, change.mix_interval, share)
    return ColumnPart(change.by, change.mix, change.mix_interval, share, of.status, of.effect)


def error_dict(error: RealisedError) -> dict[str, Any]:
    """Return the fields by name."""
    names = ("estimated", "realised", "error", "standard_error", "n_labelled")
    return {name: getattr(error, name) for name in names}


def decisive(found: Sequence[Measurement]) -> list[Measurement]:
    """Return those that say how right a model is: what was judged, and what could not be.

    An estimate is none of them where labels have judged the same metric, and found it within the estimate's
    limit.
    """
    heard = [each for each in found if each.threshold is not None or each.status != "ok"]
    by_labels = {
        (each.column, each.name): each.value
        for each in heard
        if each.kind == "realised" and each.threshold is not None and each.status != "immature"
    }
    return [each for each in heard if not is_refuted(each, by_labels.get((each.column, each.name)))]


def is_refuted(estimate: Measurement, realised: float | None) -> bool:
    """Tell whether a measurement is an estimate whose limit the realised value keeps."""
    if estimate.kind != "estimated" or realised is None or estimate.threshold is None:
        return False
    beyond = estimate.threshold - realised
    return beyond <= 0 if estimate.direction == "lower_is_worse" else beyond >= 0


def summary_of(made: Performance) -> str:
    """Say in one sentence what was found: the worst metric first, else the first metric of each kind."""
    share = "no rows" if made.coverage is None else f"{made.n_rows:,} rows, {made.coverage:.0%} labelled"
    loud = [each for each in decisive(made.measurements) if each.status in ("alert", "warning")]
    if loud:
        loud.sort(key=lambda each: (each.status == "alert", -(each.p_value or 0.0)), reverse=True)
        first = loud[0]
        alerts = sum(each.status == "alert" for each in loud)
        counts = [
            f"{n} {word}{'' if n == 1 else 's'}"
            for n, word in ((alerts, "alert"), (len(loud) - alerts, "warning"))
            if n
        ]
        told = f"{' and '.join(counts)}; {words_of(first)}, limit {first.threshold:.3g}"
        # Of what does not decompose only parts are told, of what does also whether by mix or by rate.
        splits = {(each.name, each.kind, each.column) for each in made.causes if each.decomposes}
        by_split = sorted(loud, key=lambda each: (each.name, each.kind, each.column) not in splits)
        why = next((words for each in by_split if (words := why_of(made.causes, each, first))), "")
        told += f"; {why}" if why else ""
        parts = next((words for each in loud if (words := words_of_shift(made.shift, each, first))), "")
        told += f"; {parts}" if parts else ""
        return f"{made.status}: {told} ({share})"
    firsts = []
    for kind in KINDS:
        known = [each for each in made.measurements if each.kind == kind and each.value is not None]
        firsts += [words_of(known[0])] if known else []
    if not firsts:
        return f"{made.status}: nothing to tell how right the model is ({share})"
    return f"{made.status}: {'; '.join(firsts)} ({share})"


def words_of(each: Measurement) -> str:
    """Return a metric, its value and the reference's."""
    before = "" if each.reference_value is None else f" against {each.reference_value:.3g}"
    return f"{each.kind} {each.name} {each.value:.3g}{before}"


def why_of(causes: Sequence[MetricChange], of: Measurement, named: Measurement) -> str:
    """Say to which segments the change of a metric is owed: "it fell .052: country=SE -.031 by rate".

    "It" is the metric that was `named` before; another one is named.

    Named are at most three of those that changed more than their share of the rows, beyond chance at a false
    discovery rate of .05 over all segments: of the columns with the surest of them.
    """
    known = [each for each in causes if (each.name, each.kind, each.column) == (of.name, of.kind, of.column)]
    p = [part.p_value for each in known for part in each.segments]
    if not p:
        return ""
    change = known[0].change
    name = "it" if of is named else f"{of.kind} {of.name}"
    told = f"{name} {'rose' if change > 0 else 'fell'} {abs(change):.3g}"
    sure, limit = benjamini_hochberg(p, SURE)
    out = [(each, stands_out(each, limit if sure.any() else -1.0)) for each in known]
    surest = min(
        (each for each in out if each[1]),
        key=lambda each: (least_p(each[1]), len(each[0].by)),
        default=None,
    )
    if surest is None:
        return f"{told}, and no segment stands out"
    words = [f"{shown_segment(parse_segment(part.segment))} {words_of_part(part)}" for part in surest[1]]
    return f"{told}: {', '.join(words[:MAX_NAMED])}"


def words_of_shift(shift: Sequence[ShiftParts], of: Measurement, named: Measurement) -> str:
    """Say what inputs explain of a change, and what not; "" where that is not known.

    "inputs explain -.05 (-.06 to -.04), concept drift .00 (...)", of another metric than was `named` before
    with its name.
    """
    for each in shift:
        if (each.name, each.column) == (of.name, of.column):
            name = "" if of is named else f"of the change of {each.name} "
            told = f"{name}inputs explain {each.inputs:+.3g} ({words_of_interval(each.inputs_interval)})"
            if each.concept is None or each.concept_interval is None:
                return told
            return f"{told}, concept drift {each.concept:+.3g} ({words_of_interval(each.concept_interval)})"
    return ""


def words_of_interval(interval: tuple[float, float]) -> str:
    """Return both ends."""
    return f"{interval[0]:+.3g} to {interval[1]:+.3g}"


def stands_out(change: MetricChange, limit: float) -> list[SegmentPart]:
    """Return the segments with more than their share of a change and a p up to `limit`, the most first."""

    def more(part: SegmentPart) -> float:
        return (part.part if part.excess is None else part.excess) * (1 if change.change > 0 else -1)

    found = [part for part in change.segments if part.p_value <= limit and more(part) > 0]
    return sorted(found, key=more, reverse=True)


def least_p(parts: Sequence[SegmentPart]) -> float:
    """Return the smallest p."""
    return min(part.p_value for part in parts)


def words_of_part(part: SegmentPart) -> str:
    """Return the larger of a segment's rate and mix, and which it is; of what does not decompose its part."""
    if part.rate is None or part.mix is None:
        return f"{part.part:+.3g}"
    by_rate = abs(part.rate) >= abs(part.mix)
    return f"{part.rate if by_rate else part.mix:+.3g} by {'rate' if by_rate else 'mix'}"
