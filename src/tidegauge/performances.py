"""How right a model is: measured where labels are, estimated where not, held against its reference."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

from tidegauge.drift.verdict import BUDGET, verdict_of_columns
from tidegauge.errors import InputError, MergeError
from tidegauge.label_ages import LabelAge, known_by
from tidegauge.measurement import Kind, Measurement, Status
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.calibration import ReliabilityCurve, reliability_curve
from tidegauge.outcomes.class_estimate import realised_accuracy
from tidegauge.outcomes.class_scores import ClassScores
from tidegauge.outcomes.counted import Counted, all_counted, in_cells_of
from tidegauge.outcomes.limits import MIN_WINDOWS
from tidegauge.outcomes.metric_sets import Worth
from tidegauge.outcomes.realised_error import RealisedError, realised_errors
from tidegauge.outcomes.shift_parts import ShiftParts, shift_parts
from tidegauge.performance_causes import causes_of
from tidegauge.performance_estimates import (
    AnyEstimator,
    Estimator,
    answer_estimator,
    error_estimator,
    leaf_estimator,
    plain_estimator,
)
from tidegauge.performance_measurements import MIN_LABELLED, Settings, Teller, history_of, mature_share
from tidegauge.performance_result import (
    KINDS,
    MATURE_COVERAGE,
    TOLERANCE,
    ConfusionTable,
    Performance,
    decisive,
    summary_of,
)
from tidegauge.profiles import Profile
from tidegauge.reference import Reference
from tidegauge.reference_windows import ReferenceWindows
from tidegauge.schema import Schema
from tidegauge.seasons import time_of
from tidegauge.window import DAY, Window, as_window

ALMOST = 0.99  # of the reference's labels: that few more say nothing else
_ROWS_OF_MATRIX = ("true_positives", "false_positives", "false_negatives", "true_negatives")


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
    now_ns: int | None = None,
    segments: Mapping[str, Profile] | Callable[[], Mapping[str, Profile]] | None = None,
) -> Performance:
    """Tell how right a model was on the rows of `profile`, and whether it is less right than on `reference`.

    Both must have counted outcomes: the reference was fitted with a schema that has a label and a score or a
    prediction, the profile was made with it. "realised" metrics are of the rows with a label, "estimated"
    ones of all rows, expected by what scores meant in the reference (CBPE: isotonic calibration, by segments
    where `Reference.fit` found some in which a score means something else; blind to a change of what a score
    means); of a predicted number where it found segments in which errors are larger, as large as they were
    there; and how often the class with the highest score is right. The interval of an estimate says where the
    realised metric of the very same rows is to be expected.

    A metric is judged on its worse side only. Its threshold is where clean windows do not come in more than
    `budget` of cases, all judged metrics of a kind together: from the error of the reference's own value, of
    sampling in so many rows, and from how the reference's windows differed beyond that (of a reference fitted
    with `window=`, 8 or more); and at least `tolerance` away from the reference, as a fraction of what the
    metric spans (`limits.span_of`). The whole interval beyond it is an `alert`, the value alone a `warning`.
    With fewer than 100 labelled rows, or 20 of the rarer class, or where no value would be beyond the
    threshold, it is `insufficient`; realised metrics are
    `immature` until the share of rows with a label is `mature_coverage` times the reference's, because labels
    that come first are not a fair sample. An estimate has no part in the status of the whole where labels
    have judged the same metric, and found it within the estimate's limit.

    `worth` [[true negative, false positive], [false negative, true positive]], in any unit, adds the
    `business_value` of a row. `judged` names the metrics to judge; None takes all but those that say the same
    as another. `window`: the time of the rows, (start, end); None takes it from the timestamp column. Windows
    of the reference that overlap it are left out. `now_ns`: when the labels were gathered, in nanoseconds
    since 1970. It makes the age of the labels, counted from the window's end, a part of every realised
    measurement; and where the reference knows when its labels came (a column with the role `labelled_at`),
    these metrics are held against its rows with the labels that had come by that age. `segments`: profiles of
    the segments of the same rows by key, as `profile_segments` makes them; where the reference has segments
    by the same columns (`Reference.fit(segments=)`), `causes` say to which of them each change is owed; of
    realised metrics only against all of the reference's labels. Where reading them takes time, pass what
    returns them: it is called only for a warning or an alert.

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
    age_ns = None if now_ns is None or interval is None else max(now_ns - interval.end_ns, 0)
    then = None if age_ns is None else known_by(reference.label_ages, age_ns)
    as_known = before if then is None else known_then(then, before, reference.schema)
    found: list[Measurement] = []
    notes: dict[str, list[str]] = {}
    errors: dict[str, RealisedError] = {}
    rests: list[str] = []  # on what estimates do
    leaves = (profile._core.leaves, reference.profile._core.leaves)
    of_numbers = {
        each.column: error_estimator(each, *leaves, reference.leaf_errors)
        for each in now
        if each.task == "number"
    }
    n_estimated = sum(each.task in {"score", "scores"} for each in now) + sum(map(bool, of_numbers.values()))
    columns: dict[Kind, int] = {"realised": len(now), "estimated": n_estimated}
    shift: list[ShiftParts] = []
    for current in now:
        like = alike(current, before)
        by_then = alike(current, as_known)
        history = history_of(windows, current, interval, profile.n_rows)
        span = None if interval is None else (interval.start_ns, interval.end_ns)
        teller = Teller(settings, like, current, history, span, columns, notes)
        if "realised" in kinds:
            found += replace(teller, before=by_then, age_ns=age_ns).realised()
        told: AnyEstimator | None = of_numbers.get(current.column)
        if isinstance(current.every, BinaryCounts):
            plain = plain_estimator(current, like)
            told = by_leaf = leaf_estimator(current, *leaves) or plain
            assert isinstance(like.state, BinaryCounts)
            wanted = max(mature_share(like, mature_coverage) * current.n_rows, MIN_LABELLED)
            shift += shift_parts(
                current.column,
                like.state,
                current.every,
                plain.calibrator,
                current.edge,
                labelled=current.n_labelled >= wanted,
                worth=worth,
            ).values()
            if current.n_labelled and not errors:
                # Labels that came late are in no leaf.
                errors = told_errors(by_leaf if by_leaf.n_labelled == current.n_labelled else plain, worth)
        if isinstance(current.state, ClassScores):
            told = of_answers = answer_estimator(current, like)
            if current.n_labelled and not errors:
                errors = {"top_1_accuracy": realised_accuracy(current.state, of_answers.calibrators)}
        if told is not None and "estimated" in kinds:
            found += teller.estimated(told)
            rests += [told.words] if told.words else []
    refuse_unknown(settings.judged, found)
    # Of early labels the reference's segments know nothing.
    splits = kinds if as_known[0].n_labelled >= ALMOST * before[0].n_labelled else set(kinds) - {"realised"}
    status = status_of_all([each.status for each in decisive(found)])
    made = Performance(
        status,
        "",
        tuple(found),
        now[0].n_rows,
        now[0].n_labelled,
        as_known[0].n_labelled,
        interval,
        curve_of(now),
        tuple(
            ConfusionTable(each.column, each.classes, each.matrix) for each in now if each.matrix is not None
        ),
        errors,
        tuple(" ".join(part for part in (told, ", ".join(names)) if part) for told, names in notes.items()),
        (*assumptions_of(windows, then), *rests),
        budget,
        tolerance,
        mature_coverage,
        causes_of(profile, reference, read_segments(segments, status), splits, worth),
        tuple(shift),
    )
    return replace(made, summary=summary_of(made))


def known_then(then: LabelAge, before: Sequence[Counted], schema: Schema) -> list[Counted]:
    """Return what a reference knew at an age, in the order of what it knows; of ranked lists all of that."""
    early = {(each.column, each.task): each for each in all_counted(then.outcomes, schema)}
    return [early.get((each.column, each.task), each) for each in before]


def read_segments(
    segments: Mapping[str, Profile] | Callable[[], Mapping[str, Profile]] | None, status: Status
) -> Mapping[str, Profile]:
    """Return the segments; those that are to be read only where something is to be explained."""
    if callable(segments):
        return segments() if status in {"warning", "alert"} else {}
    return segments or {}


def curve_of(found: Sequence[Counted]) -> ReliabilityCurve | None:
    """Return the curve of the first score that is a probability with labels, None where there is none."""
    curves = (reliability_curve(each.state) for each in found if isinstance(each.state, BinaryCounts))
    return next((curve for curve in curves if len(curve.rows)), None)


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


def assumptions_of(windows: ReferenceWindows | None, then: LabelAge | None) -> tuple[str, ...]:
    """Say what thresholds rest on."""
    if windows is None or not windows.metrics or len(windows) < MIN_WINDOWS:
        rows = (
            "rows are taken as independent: the reference has no windows of its own (Reference.fit(window=))"
        )
    else:
        rows = f"windows differ as the reference's own {len(windows):,} windows did"
    if then is None:
        return (rows,)
    days = f"{then.age_ns / DAY:.3g}"
    return rows, f"realised metrics are held against the reference's labels as they were after {days} days"


def told_errors(estimator: Estimator, worth: Worth | None) -> dict[str, RealisedError]:
    """Return how far estimates of the labelled rows were off."""
    found = realised_errors(estimator.window, estimator.calibrator, estimator.threshold, worth)
    return {name: each for name, each in found.items() if name not in _ROWS_OF_MATRIX}
