"""What a page shows of how right a model is: metrics over windows, labels to come, calibration, answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidegauge.drift.verdict import verdict_of_columns
from tidegauge.measurement import Measurement, Status, worst
from tidegauge.outcomes.metric_change import MetricChange, SegmentPart
from tidegauge.report.metric_chart import Point, metric_chart
from tidegauge.report.reliability_chart import reliability_chart
from tidegauge.segments import parse_segment, shown_segment

if TYPE_CHECKING:
    from tidegauge.performance_result import ColumnPart, ConfusionTable, Performance

MAX_CHARTS = 24
MAX_CLASSES = 20  # of a confusion matrix that is shown whole
MAX_CAUSES = 8  # metrics by some columns' segments
MAX_PARTS = 10  # segments of one
MAX_LISTED = 200  # windows with a row of their own, the last ones


@dataclass(frozen=True, slots=True)
class Chart:
    """One metric of one column over the windows."""

    name: str
    column: str
    status: Status
    svg: str


def section(performances: Sequence[Performance], summary: str | None = None) -> dict[str, Any]:
    """Return what the template of the section shows."""
    last = next((each for each in reversed(performances) if each.n_labelled), performances[-1])
    charts = charts_of(performances) if len(performances) > 1 else []
    known = [each for each in last.measurements if each.value is not None]
    return {
        "performances": performances,
        "performance": last,
        "performance_status": worst(each.status for each in performances),
        "performance_summary": summary or performances[-1].summary,
        "listed": list(enumerate(performances))[-MAX_LISTED:],
        "charts": charts[:MAX_CHARTS],
        "more_charts": max(len(charts) - MAX_CHARTS, 0),
        "reliability": "" if last.reliability is None else reliability_chart(last.reliability),
        "causes": causes_of(last),
        "ranked": columns_of(last),
        "shift": last.shift,
        "tables": [table_of(each) for each in last.confusion if len(each.classes) <= MAX_CLASSES],
        "numbers_of": [each for each in known if each.label is None],
        "classes_of": [each for each in known if each.label is not None],
    }


def charts_of(performances: Sequence[Performance]) -> list[Chart]:
    """Return a chart for each metric that was judged, the gravest first, else in the order they are told."""
    names: dict[tuple[str, str], list[Status]] = {}
    cells: list[dict[tuple[str, str, str], Measurement]] = []
    for performance in performances:
        found: dict[tuple[str, str, str], Measurement] = {}
        for each in performance.measurements:
            if each.label is None and each.value is not None:
                found[each.column or "", each.name, each.kind or ""] = each
                if each.threshold is not None:
                    names.setdefault((each.column or "", each.name), []).append(each.status)
        cells.append(found)
    charts = []
    for (column, name), statuses in names.items():
        kinds = ((column, name, "realised"), (column, name, "estimated"))
        points = [
            Point(moment_of(performance, i), *map(of.get, kinds))
            for i, (performance, of) in enumerate(zip(performances, cells, strict=True))
        ]
        status = verdict_of_columns(statuses)
        charts.append(Chart(name, column, status, metric_chart(f"{name} of {column}", points)))
    loud: tuple[Status, ...] = ("alert", "warning")
    return sorted(charts, key=lambda chart: loud.index(chart.status) if chart.status in loud else len(loud))


def causes_of(performance: Performance) -> list[tuple[MetricChange, list[tuple[str, SegmentPart]]]]:
    """Return the changes to show, each with its largest parts."""
    return [
        (each, [(shown_segment(parse_segment(part.segment)), part) for part in each.segments[:MAX_PARTS]])
        for each in performance.told_causes()[:MAX_CAUSES]
    ]


def columns_of(performance: Performance) -> tuple[str, list[ColumnPart]]:
    """Return a metric that is told of and that is split, and the columns by their part in its change."""
    for each in performance.told_causes():
        if each.decomposes:
            parts = performance.columns(each.name, each.kind, column=each.column)
            return f"{each.kind} {each.name}", parts if len(parts) > 1 else []
    return "", []


def moment_of(performance: Performance, place: int) -> str:
    """Return when a window begins, in UTC, or its place."""
    return f"window {place}" if performance.window is None else f"{performance.window.start:%Y-%m-%d %H:%M}"


def table_of(table: ConfusionTable) -> dict[str, Any]:
    """Return a confusion matrix with the share of each label's rows."""
    totals = table.rows.sum(axis=1)
    rows = [
        (name, [(round(float(n)), float(n / total) if total else 0.0) for n in cells])
        for name, cells, total in zip(table.classes, table.rows, totals, strict=True)
    ]
    return {"column": table.column, "classes": table.classes, "rows": rows}
