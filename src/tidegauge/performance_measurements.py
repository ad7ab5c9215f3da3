"""The measurements of one score or prediction: its metrics, their limits, and why some are not judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import nan, sqrt

import numpy as np

from tidegauge.measurement import Kind, Measurement, Status
from tidegauge.outcomes.class_scores import ClassScores, class_area
from tidegauge.outcomes.counted import Counted
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
from tidegauge.outcomes.metric_sets import QUANTILES, Worth, metrics_of_class
from tidegauge.outcomes.regression import RegressionSums
from tidegauge.outcomes.windowed import WindowedMetrics
from tidegauge.performance_estimates import AnyEstimator
from tidegauge.reference_windows import ReferenceWindows
from tidegauge.window import SECOND, Window

MIN_LABELLED = 100  # rows; with fewer a metric is told and not judged
MIN_RARER = 20  # labelled rows of the rarer class, where there are classes
_MEANS_OF_QUERIES = (
    *("mean_average_precision", "mean_reciprocal_rank", "hit_rate", "recall"),
    "precision",
)
# Told and not judged unless asked for: another one says the same (2 AUC - 1, lift times q, accuracy, an error
# squared or halved), chance moves it to one side (the calibration error, which is never below 0), or it is
# the loss of a quantile that a prediction need not be.
TOLD_ONLY = frozenset(
    (
        *("gini", "capture_at_0.1", "mean_squared_error"),
        *(f"pinball_loss_{q:g}" for q in QUANTILES),
        *("micro_precision", "micro_recall", "micro_f1", "expected_calibration_error"),
        *("weighted_roc_auc", *(f"top_{k}_accuracy" for k in range(2, 11))),
        *(f"{name}_at_{k}" for name in ("ndcg", *_MEANS_OF_QUERIES) for k in (1, 5)),
        *("hit_rate_at_10", "recall_at_10", "precision_at_10"),
    )
)
# Metrics of a predicted number that are not of all labelled rows, and what the others are like.
_LEFT_OUT = {
    "mean_absolute_percentage_error": "have a label of 0",
    "mean_squared_log_error": "have a label or a prediction of -1 or less",
    "interval_coverage": "lack a bound",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """How strictly metrics are judged, and of what."""

    budget: float
    tolerance: float
    mature_coverage: float
    judged: frozenset[str] | None
    worth: Worth | None


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


def mature_share(before: Counted, mature_coverage: float) -> float:
    """Return the share of rows that must have a label before these are a fair sample."""
    return mature_coverage * (before.n_labelled / before.n_rows if before.n_rows else 1.0)


@dataclass(frozen=True, slots=True)
class Told:
    """What is common to the metrics of a column and a kind: of `n` rows; `held` says why none is judged."""

    kind: Kind
    n: int
    held: Status | None
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes the measurements of one column.

    `columns` says how many share the budget of each kind; `notes` are sentences with the metrics they are of;
    `age_ns` is how old labels are, None where that is not known.
    """

    settings: Settings
    before: Counted
    now: Counted
    history: History | None
    window: tuple[int, int] | None
    columns: Mapping[Kind, int]
    notes: dict[str, list[str]]
    age_ns: int | None = None

    def realised(self) -> Iterator[Measurement]:
        """Yield the metrics of the labelled rows, then those of each class."""
        before, now = self.before, self.now
        metrics, reference = now.metrics(self.settings.worth), before.metrics(self.settings.worth)
        coverage = now.n_labelled / now.n_rows if now.n_rows else 0.0
        wanted = mature_share(before, self.settings.mature_coverage)
        what = "queries" if now.task == "ranking" else "rows"
        held: Status | None
        if now.n_rows and coverage < wanted:
            held = "immature"
            self.note(
                f"{coverage:.1%} of {now.n_rows:,} {what} have a label; realised metrics are judged from "
                f"{wanted:.1%} on"
            )
        else:
            held = self.held_back(now.n_labelled, now.n_rarer, f"labelled {what}")
        told = Told("realised", now.n_labelled, held, coverage)
        judged = self.judged(metrics, reference)
        for name, metric in metrics.items():
            if metric.value is None and now.n_labelled:
                self.note(f"{metric.reason}; so undefined:", name)
            yield self.measurement(metric, reference.get(name), told, judged)
        self.note_left_out(metrics)
        for label, metric, usual_metric in self.of_classes():
            yield replace(self.measurement(metric, usual_metric, told, frozenset()), label=label)

    def of_classes(self) -> Iterator[tuple[str, Metric, Metric | None]]:
        """Yield the metrics of each class, and those of the reference."""
        before, now = self.before, self.now
        if isinstance(now.state, ClassScores) and isinstance(before.state, ClassScores):
            for place, label in enumerate(now.classes):
                yield label, class_area(now.state, place), class_area(before.state, place)
        if now.matrix is None or now.task != "class":
            return
        for place, label in enumerate(now.classes):
            own = metrics_of_class(now.matrix, place)
            theirs = {}
            if before.matrix is not None and label in before.classes:
                theirs = metrics_of_class(before.matrix, before.classes.index(label))
            for name, metric in own.items():
                yield label, metric, theirs.get(name)

    def estimated(self, estimator: AnyEstimator) -> Iterator[Measurement]:
        """Yield the metrics that all rows are expected to have."""
        before, now = self.before, self.now
        reference = before.metrics(self.settings.worth)
        what = {"number": "rows with a prediction", "scores": "rows with all scores"}
        held = self.held_back(
            now.n_rows, int(estimator.expected_rarer), what.get(now.task, "rows with a score")
        )
        if estimator.warning:
            self.note(estimator.warning)
        found = estimator.estimates(self.settings.worth)
        metrics = {}
        for name in (name for name in reference if name in found):
            known, each = reference[name], found[name]
            low = high = None
            if each.value is not None and each.standard_error is not None:
                least, most = estimator.limits(name)
                low = max(each.value - Z * each.standard_error, least)
                high = min(each.value + Z * each.standard_error, most)
            metrics[name] = Metric(
                name=name, value=each.value, low=low, high=high, direction=known.direction, n=each.n_rows
            )
        told, judged = Told("estimated", now.n_rows, held, None), self.judged(metrics, reference)
        for name, metric in metrics.items():
            yield self.measurement(metric, reference[name], told, judged)

    def note_left_out(self, metrics: Mapping[str, Metric]) -> None:
        """Note how many labelled rows have no part in a metric of a number, how many queries in none."""
        now = self.now
        for name, why in _LEFT_OUT.items():
            metric = metrics.get(name)
            if metric is not None and metric.n < now.n_labelled:
                n = now.n_labelled - metric.n
                self.note(f"{n:,.0f} of {now.n_labelled:,} labelled rows {why}; without them:", name)
        if isinstance(now.state, tuple):
            left = now.state[0]
            for why, n_queries in (
                ("have one item", left.n_single),
                ("have no relevant item", left.n_without_relevant),
                ("have an item without a score or a relevance", left.n_incomplete),
            ):
                if n_queries:
                    self.note(f"{n_queries:,} queries {why} and are left out")

    def note(self, words: str, metric: str = "") -> None:
        """Keep a sentence about the column, and the metric it is true of."""
        names = self.notes.setdefault(f"{self.now.column}: {words}", [])
        if metric:
            names.append(metric)

    def held_back(self, n: int, rarer: int, what: str) -> Status | None:
        """Return "insufficient" where a side has too few rows to judge by, and note which."""
        now, before = self.now, self.before
        labelled = "labelled queries" if now.task == "ranking" else "labelled rows"
        of_reference = ("the reference: ", before.n_labelled, before.n_rarer, labelled)
        has_rarer = now.task not in {"number", "scores", "ranking"}
        for side, rows, few, of in (("", n, rarer, what), of_reference):
            if rows < MIN_LABELLED or (few < MIN_RARER and has_rarer):
                told = f", {few:,} of the rarer class" if has_rarer else ""
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

    def limit(self, reference: Metric, metric: Metric, told: Told, n_judged: int) -> Limit | None:
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
        level = self.settings.budget / n_judged / self.columns[told.kind]
        return limit_of(reference, told.n, error_of(metric), spread, level=level, tolerance=tolerance)

    def measurement(
        self, metric: Metric, reference: Metric | None, told: Told, judged: frozenset[str]
    ) -> Measurement:
        """Return the measurement of a metric, with its limit if it is one of those `judged`."""
        value, p = metric.value, metric.p_value
        limit = None
        known = value is not None
        if metric.name in judged and reference is not None:
            limit = self.limit(reference, metric, told, len(judged))
            if known and limit is None and told.held is None:
                known = False
                self.note("the reference has no value with an interval; so not judged:", metric.name)
        status: Status = told.held or ("ok" if known else "undefined")
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
            label_age=None if self.age_ns is None or told.kind == "estimated" else self.age_ns / SECOND,
        )
