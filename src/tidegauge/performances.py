"""How right a model is: measured where labels are, estimated where not, held against its reference."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, nan, sqrt
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from tidegauge.drift.verdict import BUDGET, verdict_of_columns
from tidegauge.errors import InputError, MergeError
from tidegauge.measurement import Kind, Measurement, Status, arrow_stream
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.calibration import ReliabilityCurve, reliability_curve
from tidegauge.outcomes.calibrator import Calibrator, fit_calibrator
from tidegauge.outcomes.counted import Counted, all_counted, in_cells_of
from tidegauge.outcomes.estimated import estimate
from tidegauge.outcomes.intervals import Z
from tidegauge.outcomes.limits import (
    Limit,
    error_of,
    limit_of,
    per_row_variance,
    span_of,
    spread_of,
    status_of,
)
from tidegauge.outcomes.metric import Metric
from tidegauge.outcomes.metric_sets import Worth, metrics_of_class
from tidegauge.outcomes.realised_error import RealisedError, realised_errors
from tidegauge.outcomes.regression import RegressionSums
from tidegauge.outcomes.windowed import WindowedMetrics
from tidegauge.profiles import Profile, write_file
from tidegauge.reference import Reference
from tidegauge.reference_windows import ReferenceWindows
from tidegauge.seasons import time_of
from tidegauge.tables import escaped, html_table, printable, text_table
from tidegauge.window import Window, as_window

TOLERANCE = 0.01
MATURE_COVERAGE = 0.9
MIN_LABELLED = 100  # rows; with fewer a metric is told and not judged
MIN_RARER = 20  # labelled rows of the rarer class, where there are classes
KINDS: tuple[Kind, ...] = get_args(Kind)
# Told and not judged unless asked for: another one says the same (2 AUC - 1, lift times q, accuracy, an error
# squared or halved), or chance moves it to one side (the calibration error, which is never below 0).
TOLD_ONLY = frozenset(
    (
        *("gini", "capture_at_0.1", "mean_squared_error", "pinball_loss_0.5"),
        *("micro_precision", "micro_recall", "micro_f1", "expected_calibration_error"),
    )
)
MAX_LINES = 40  # of a repr
_HEADER = ("status", "metric", "of", "kind", "value", "95 % interval", "reference", "limit", "rows")
_ROWS_OF_MATRIX = ("true_positives", "false_positives", "false_negatives", "true_negatives")


@dataclass(frozen=True, slots=True, eq=False)
class ConfusionTable:
    """Labelled rows by label and answer, `[label, answer]`, with the names of the classes."""

    column: str
    classes: tuple[str, ...]
    rows: npt.NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able."""
        return {"column": self.column, "classes": list(self.classes), "rows": self.rows.tolist()}


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Performance:
    """The outcome of `performance`: a status, a sentence, and every metric as a Measurement.

    `performance.value("roc_auc", kind="estimated")` is one number; `pyarrow.table(performance)` all of them,
    one row a measurement. `n_rows` are the rows with a score or a prediction, `n_labelled` those of them with
    a label, `coverage` their share (None of no rows), all of the first score or prediction. `reliability` is
    the curve of the first score that is a probability, `confusion` a table for each column with classes.
    `errors` say of an estimate how far off it was on the rows that have labels by now (estimated - realised).
    `notes` tell in sentences what could not be judged and why, `assumptions` what the verdict rests on.
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
        lines = [self.summary, table, left, *self.notes]
        return "\n".join(line if line is table else printable(line, None) for line in lines if line)

    def _repr_html_(self) -> str:
        """Return the same as HTML, without scripts, everything escaped."""
        rows, left = self._rows()
        table = html_table(_HEADER, rows, right=(4, 6, 7, 8)) if rows else ""
        notes = "".join(f"<p>{escaped(note, None)}</p>" for note in (left, *self.notes) if note)
        return f"<div><p>{escaped(self.summary, None)}</p>{table}{notes}</div>"

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


@dataclass(frozen=True, slots=True)
class Settings:
    """How strictly metrics are judged, and of what."""

    budget: float
    tolerance: float
    mature_coverage: float
    judged: frozenset[str] | None
    worth: Worth | None


def performance(
    profile: Profile,
    reference: Reference,
    *,
    kinds: Collection[Kind] = KINDS,
    worth: Worth | None = None,
    judged: Collection[str] | None = None,
    budget: float = BUDGET,
    tolerance: float = TOLERANCE,
    mature_coverage: float = MATURE_COVERAGE,
    window: Window | tuple[Any, Any] | None = None,
) -> Performance:
    """Tell how right a model was on the rows of `profile`, and whether it is less right than on `reference`.

    Both must have counted outcomes: the reference was fitted with a schema that has a label and a score or a
    prediction, the profile was made with it. "realised" metrics are of the rows with a label, "estimated"
    ones of all rows, expected by what scores meant in the reference (CBPE: isotonic calibration; blind to a
    change of what a score means; of binary scores only). The interval of an estimate says where the realised
    metric of the very same rows is to be expected.

    A metric is judged on its worse side only. Its threshold is where clean windows do not come in more than
    `budget` of cases, all judged metrics of a kind together: from the error of the reference's own value, of
    sampling in so many rows, and from how the reference's windows differed beyond that (of a reference fitted
    with `window=`, 8 or more); and at least `tolerance` away from the reference, as a fraction of what the
    metric spans (`limits.span_of`). The whole interval beyond it is an `alert`, the value alone a `warning`.
    With fewer than 100 labelled rows, or 20 of the rarer class, or where no value would be beyond the
    threshold, it is `insufficient`; realised metrics are
    `immature` until the share of rows with a label is `mature_coverage` times the reference's, because labels
    that come first are not a fair sample.

    `worth` [[true negative, false positive], [false negative, true positive]], in any unit, adds the
    `business_value` of a row. `judged` names the metrics to judge; None takes all but those that say the same
    as another. `window`: the time of the rows, (start, end); None takes it from the timestamp column. Windows
    of the reference that overlap it are left out.

    Raises InputError for settings out of range, and where there are no outcomes; MergeError for outcomes that
    were counted with another reference.
    """
    chosen = None if judged is None else checked_names(judged)
    settings = checked(kinds, Settings(budget, tolerance, mature_coverage, chosen, worth))
    before = all_counted(reference.profile._core.outcomes, reference.schema)
    now = all_counted(profile._core.outcomes, reference.schema)
    require_outcomes(before, now)
    windows, interval = reference.windows, None if window is None else as_window(window)
    if interval is None and windows is not None:
        interval = time_of(profile, reference.schema, windows.width_ns)
    if windows is not None and interval is not None:
        windows = windows.without(interval)
    found: list[Measurement] = []
    notes: dict[str, list[str]] = {}
    curve: ReliabilityCurve | None = None
    tables: list[ConfusionTable] = []
    errors: dict[str, RealisedError] = {}
    for current in now:
        like = alike(current, before)
        history = history_of(windows, current, interval, profile.n_rows)
        span = None if interval is None else (interval.start_ns, interval.end_ns)
        teller = Teller(settings, like, current, history, span, notes)
        if "realised" in kinds:
            found += teller.realised()
        if isinstance(current.every, BinaryCounts):
            assert isinstance(like.state, BinaryCounts)
            calibrator = fit_calibrator(like.state)
            if "estimated" in kinds:
                found += teller.estimated(calibrator)
            if current.n_labelled and not errors:
                errors = told_errors(current, calibrator, worth)
        if isinstance(current.state, BinaryCounts) and curve is None:
            curve = reliability_curve(current.state)
            curve = curve if len(curve.rows) else None
        if current.matrix is not None:
            tables.append(ConfusionTable(current.column, current.classes, current.matrix))
    refuse_unknown(settings.judged, found)
    made = Performance(
        status_of_all([each.status for each in found]),
        "",
        tuple(found),
        now[0].n_rows,
        now[0].n_labelled,
        before[0].n_labelled,
        interval,
        curve,
        tuple(tables),
        errors,
        tuple(" ".join(part for part in (told, ", ".join(names)) if part) for told, names in notes.items()),
        assumptions_of(windows),
        budget,
        tolerance,
        mature_coverage,
    )
    return replace(made, summary=summary_of(made))


def status_of_all(statuses: Collection[Status]) -> Status:
    """Return the worst status of what could be judged; "immature" where nothing but labels is wanting."""
    status = verdict_of_columns(statuses)
    waiting = status == "insufficient" and set(statuses) - {"undefined"} == {"immature"}
    return "immature" if waiting else status


def checked(kinds: Collection[Kind], settings: Settings) -> Settings:
    """Return the settings. Raises InputError for what nothing could be judged by."""
    if isinstance(kinds, str) or not kinds or any(kind not in KINDS for kind in kinds):
        raise InputError(f"kinds is {kinds!r}: pass 'realised', 'estimated' or both, as a tuple")
    if not 0 < settings.budget < 0.5:
        raise InputError(f"budget is {settings.budget!r}, it must lie above 0 and below 0.5")
    if not 0 <= settings.tolerance < 1:
        raise InputError(
            f"tolerance is {settings.tolerance!r}, it must be 0 or a fraction below 1, such as 0.01"
        )
    if not 0 <= settings.mature_coverage <= 1:
        raise InputError(f"mature_coverage is {settings.mature_coverage!r}, it must be a share from 0 to 1")
    if settings.worth is not None and not is_square(settings.worth):
        raise InputError(
            f"worth is {settings.worth!r}: pass four finite numbers [[true negative, false positive], [false "
            "negative, true positive]], costs as negative ones"
        )
    return settings


def checked_names(judged: Collection[str]) -> frozenset[str]:
    """Return the names of metrics to judge. Raises InputError for a text, which is a collection too."""
    if isinstance(judged, str):
        raise InputError(f"judged is {judged!r}: pass a list of names of metrics")
    return frozenset(judged)


def refuse_unknown(judged: frozenset[str] | None, found: Collection[Measurement]) -> None:
    """Raise InputError for a metric that is to be judged and that there is none of."""
    names = {each.name for each in found if each.direction != "neutral"}
    for name in sorted((judged or frozenset()) - names):
        there = ", ".join(sorted(names))
        raise InputError(f"judged: no metric {name!r} can be judged here; there are {there}")


def is_square(worth: Any) -> bool:
    """Tell whether these are two rows of two numbers."""
    try:
        return [len(row) for row in worth] == [2, 2] and all(isfinite(float(x)) for row in worth for x in row)
    except (TypeError, ValueError):
        return False


def require_outcomes(before: Sequence[Counted], now: Sequence[Counted]) -> None:
    """Raise InputError unless both sides have counted outcomes."""
    if not before:
        raise InputError(
            "performance: the reference has no outcomes: fit it on rows with labels, with a schema that "
            "names the label and a score or a prediction, such as Schema.infer(data, score='p', label='y', "
            "positive=1)"
        )
    if not now:
        raise InputError(
            "performance: the profile has no outcomes: make it with the reference, as "
            "tidegauge.profile(data, reference)"
        )


def alike(current: Counted, before: Sequence[Counted]) -> Counted:
    """Return the reference's outcomes of the same column, in the same cells. Raises MergeError."""
    for each in before:
        if (each.column, each.task) == (current.column, current.task):
            try:
                return in_cells_of(each, current)
            except ValueError:
                break
    raise MergeError(
        f"performance: the outcomes of column {current.column!r} were counted with another reference, whose "
        "cells or classes are others: make the profile with this reference"
    )


@dataclass(frozen=True, slots=True)
class History:
    """One column's metrics in the reference's windows, of which `block` make up the one that is judged."""

    metrics: WindowedMetrics
    block: int


def history_of(
    windows: ReferenceWindows | None, current: Counted, interval: Window | None, n_rows: int
) -> History | None:
    """Return how a column's metrics were in the windows of a reference, None where that is not known."""
    if windows is None or not len(windows):
        return None
    for each in windows.metrics:
        if each.column == current.column:
            if interval is not None:
                ratio = (interval.end_ns - interval.start_ns) / windows.width_ns
            else:
                ratio = n_rows / max(float(windows.rows.mean()), 1.0)
            return History(each, max(round(ratio), 1))
    return None


def assumptions_of(windows: ReferenceWindows | None) -> tuple[str, ...]:
    """Say what thresholds rest on."""
    if windows is None or not windows.metrics:
        return (
            "rows are taken as independent: the reference has no windows of its own (Reference.fit(window=))",
        )
    return (f"windows differ as the reference's own {len(windows):,} windows did",)


@dataclass(frozen=True, slots=True)
class Told:
    """What is common to the metrics of a column and a kind: of `n` rows; `held` says why none is judged."""

    kind: Kind
    n: int
    held: Status | None
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes the measurements of one column; `notes` has sentences, each with the metrics it is of."""

    settings: Settings
    before: Counted
    now: Counted
    history: History | None
    window: tuple[int, int] | None
    notes: dict[str, list[str]]

    def realised(self) -> Iterator[Measurement]:
        """Yield the metrics of the labelled rows, then those of each class."""
        before, now = self.before, self.now
        metrics, reference = now.metrics(self.settings.worth), before.metrics(self.settings.worth)
        coverage = now.n_labelled / now.n_rows if now.n_rows else 0.0
        usual = before.n_labelled / before.n_rows if before.n_rows else 1.0
        wanted = self.settings.mature_coverage * usual
        held: Status | None
        if now.n_rows and coverage < wanted:
            held = "immature"
            self.note(
                f"{coverage:.1%} of {now.n_rows:,} rows have a label; realised metrics are judged from "
                f"{wanted:.1%} on"
            )
        else:
            held = self.held_back(now.n_labelled, now.n_rarer, "labelled rows")
        told = Told("realised", now.n_labelled, held, coverage)
        judged = self.judged(metrics, reference)
        for name, metric in metrics.items():
            if metric.value is None and now.n_labelled:
                self.note(f"{metric.reason}; so undefined:", name)
            yield self.measurement(metric, reference.get(name), told, judged)
        if now.matrix is None or now.task != "class":
            return
        for place, label in enumerate(now.classes):
            own = metrics_of_class(now.matrix, place)
            theirs = {}
            if before.matrix is not None and label in before.classes:
                theirs = metrics_of_class(before.matrix, before.classes.index(label))
            for name, metric in own.items():
                yield replace(self.measurement(metric, theirs.get(name), told, frozenset()), label=label)

    def estimated(self, calibrator: Calibrator) -> Iterator[Measurement]:
        """Yield the metrics that all rows are expected to have."""
        before, now = self.before, self.now
        assert now.every is not None
        reference = before.metrics(self.settings.worth)
        rows = now.every.positives + now.every.negatives + now.every.unlabelled
        expected = float(np.nansum(rows * calibrator.probabilities))
        rarer = min(expected, float(rows.sum()) - expected)
        held = self.held_back(now.n_rows, int(rarer), "rows with a score")
        found = estimate(now.every, calibrator, now.threshold, self.settings.worth)
        metrics = {}
        for name in (name for name in reference if name in found):
            known, each = reference[name], found[name]
            low = high = None
            if each.value is not None and each.standard_error is not None:
                low, high = (each.value - Z * each.standard_error, each.value + Z * each.standard_error)
                if name != "business_value":
                    low, high = max(low, 0.0), min(high, 1.0)
            metrics[name] = Metric(
                name=name, value=each.value, low=low, high=high, direction=known.direction, n=each.n_rows
            )
        told, judged = Told("estimated", now.n_rows, held, None), self.judged(metrics, reference)
        for name, metric in metrics.items():
            yield self.measurement(metric, reference[name], told, judged)

    def note(self, words: str, metric: str = "") -> None:
        """Keep a sentence about the column, and the metric it is true of."""
        names = self.notes.setdefault(f"{self.now.column}: {words}", [])
        if metric:
            names.append(metric)

    def held_back(self, n: int, rarer: int, what: str) -> Status | None:
        """Return "insufficient" where a side has too few rows to judge by, and note which."""
        now, before = self.now, self.before
        of_reference = ("the reference: ", before.n_labelled, before.n_rarer, "labelled rows")
        for side, rows, few, of in (("", n, rarer, what), of_reference):
            if rows < MIN_LABELLED or (few < MIN_RARER and now.task != "number"):
                told = f", {few:,} of the rarer class" if now.task != "number" else ""
                rare = f", and {MIN_RARER} of the rarer class" if told else ""
                self.note(f"{side}{rows:,} {of}{told}; {MIN_LABELLED} are needed{rare}")
                return "insufficient"
        return None

    def judged(self, metrics: Mapping[str, Metric], reference: Mapping[str, Metric]) -> frozenset[str]:
        """Return the names of the metrics to judge: those asked for that have a worse side."""
        names = {
            name for name, metric in metrics.items() if metric.direction != "neutral" and name in reference
        }
        asked = self.settings.judged
        return frozenset(names - TOLD_ONLY if asked is None else names & asked)

    def limit(self, reference: Metric, metric: Metric, n: int, n_judged: int) -> Limit | None:
        """Return the limit of one of `n_judged` metrics, None where none is known."""
        spread = None
        if self.history is not None:
            values = self.history.metrics.of(reference.name, self.settings.worth)
            rows = self.history.metrics.rows.astype(np.float64)
            spread = spread_of(values, rows, per_row_variance(reference), self.history.block)
        deviation = nan
        if isinstance(self.before.state, RegressionSums):
            labels = self.before.state.labels
            deviation = sqrt(max(labels.square / labels.n - labels.mean**2, 0.0)) if labels.n else nan
        tolerance = self.settings.tolerance * span_of(reference, deviation, self.settings.worth)
        level = self.settings.budget / n_judged
        return limit_of(reference, n, error_of(metric), spread, level=level, tolerance=tolerance)

    def measurement(
        self, metric: Metric, reference: Metric | None, told: Told, judged: frozenset[str]
    ) -> Measurement:
        """Return the measurement of a metric, with its limit if it is one of those `judged`."""
        value, p = metric.value, metric.p_value
        limit = None
        if metric.name in judged and reference is not None:
            limit = self.limit(reference, metric, told.n, len(judged))
        status: Status = told.held or ("undefined" if value is None else "ok")
        if value is not None and limit is not None:
            p = limit.p_value(value)
            enough = limit.can_be_exceeded(metric.name)
            status = told.held or (status_of(value, *metric.interval, limit) if enough else "insufficient")
            if not enough and told.held is None:
                self.note(f"no loss can be told from chance in {told.n:,} {told.kind} rows of:", metric.name)
            limit = limit if enough else None
        return Measurement(
            name=metric.name,
            value=value,
            column=self.now.column,
            window=self.window,
            n_reference=self.before.n_labelled,
            n_current=told.n,
            low=metric.low,
            high=metric.high,
            p_value=p,
            direction=metric.direction,
            reference_value=None if reference is None else reference.value,
            threshold=None if limit is None else limit.threshold,
            status=status,
            kind=told.kind,
            bound=metric.bound if told.kind == "realised" else None,
            constant=metric.constant,
            coverage=told.coverage,
        )


def told_errors(current: Counted, calibrator: Calibrator, worth: Worth | None) -> dict[str, RealisedError]:
    """Return how far estimates of the labelled rows were off."""
    assert isinstance(current.state, BinaryCounts)
    found = realised_errors(current.state, calibrator, current.threshold, worth)
    return {name: each for name, each in found.items() if name not in _ROWS_OF_MATRIX}


def error_dict(error: RealisedError) -> dict[str, Any]:
    """Return the fields by name."""
    names = ("estimated", "realised", "error", "standard_error", "n_labelled")
    return {name: getattr(error, name) for name in names}


def summary_of(made: Performance) -> str:
    """Say in one sentence what was found: the worst metric first, else the first metric of each kind."""
    share = "no rows" if made.coverage is None else f"{made.n_rows:,} rows, {made.coverage:.0%} labelled"
    loud = [each for each in made.measurements if each.status in ("alert", "warning")]
    if loud:
        first = max(loud, key=lambda each: (each.status == "alert", -(each.p_value or 0.0)))
        alerts = sum(each.status == "alert" for each in loud)
        counts = [
            f"{n} {word}{'' if n == 1 else 's'}"
            for n, word in ((alerts, "alert"), (len(loud) - alerts, "warning"))
            if n
        ]
        told = f"{' and '.join(counts)}; {words_of(first)}, limit {first.threshold:.3g}"
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
