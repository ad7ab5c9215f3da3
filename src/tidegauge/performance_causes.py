"""Why performance changed: metrics' changes, split over the segments that reference and profile share."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tidegauge import _core
from tidegauge.errors import InputError, MergeError
from tidegauge.measurement import Kind
from tidegauge.outcome_specs import Outcomes
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.calibrator import fit_calibrator
from tidegauge.outcomes.counted import Counted, counted, in_cells_of
from tidegauge.outcomes.leave_out import leave_out_auc
from tidegauge.outcomes.metric_change import MetricChange, left_out_metric, split_metric
from tidegauge.outcomes.metric_sets import Worth
from tidegauge.outcomes.row_means import expected_means, row_means
from tidegauge.outcomes.sums import Sums
from tidegauge.profiles import Profile
from tidegauge.reference import Reference
from tidegauge.schema import Schema
from tidegauge.segments import by_dimension, key_of

Parts = Mapping[str, Counted]
Means = Mapping[str, Mapping[str, Sums]]  # by segment, then by metric

_ROUNDING = 1e-9  # of the rows: sums of weights are doubles


@dataclass(frozen=True, slots=True)
class Split:
    """A column's outcomes over the segments `by` some columns, in the reference and now."""

    by: tuple[str, ...]
    before: Counted
    now: Counted
    parts_before: Parts
    parts_now: Parts


def causes_of(
    profile: Profile,
    reference: Reference,
    segments: Mapping[str, Profile],
    kinds: Collection[Kind],
    worth: Worth | None,
) -> tuple[MetricChange, ...]:
    """Return the change of each metric over each dimension of segments that both sides have.

    Realised ones of labelled rows that are means over rows are split into mix and rate; of ROC AUC the parts
    are those of leaving a segment out. Estimated ones hold what scores say of all rows now against what they
    say of all rows of the reference. Rows that no segment holds stand with the other ones. Raises InputError
    where segments hold more rows than the whole, MergeError where they were counted with another reference.
    """
    found: list[MetricChange] = []
    if not segments:
        return ()
    for split in splits_of(profile, reference, segments):
        if "realised" in kinds:
            found += realised(split, worth)
        if "estimated" in kinds and isinstance(split.before.state, BinaryCounts):
            found += estimated(split, worth)
    return tuple(found)


def splits_of(profile: Profile, reference: Reference, segments: Mapping[str, Profile]) -> Iterator[Split]:
    """Yield each column's outcomes over each dimension that both sides have."""
    schema = reference.schema
    dimensions, current = by_dimension(reference.segments), by_dimension(segments)
    for outcomes in profile._core.outcomes:
        theirs = like(outcomes, reference.profile._core.outcomes)
        if theirs is None:
            continue
        for by in dimensions:
            if by not in current:
                continue
            before = parts_of(theirs, dimensions[by], schema)
            now = parts_of(outcomes, current[by], schema)
            if before and now:
                cells = next(iter(before.values()))  # light ones, of which all others can be made
                yield Split(
                    by,
                    counted(theirs, schema),
                    counted(outcomes, schema),
                    {key: in_cells(each, cells) for key, each in before.items()},
                    {key: in_cells(each, cells) for key, each in now.items()},
                )


def realised(split: Split, worth: Worth | None) -> Iterator[MetricChange]:
    """Yield the changes of the labelled rows' metrics."""
    before, now = (
        complete(
            split.by, {key: row_means(each, worth) for key, each in parts.items()}, row_means(whole, worth)
        )
        for whole, parts in ((split.before, split.parts_before), (split.now, split.parts_now))
    )
    yield from split_all(split, "realised", before, now)
    if isinstance(split.before.state, BinaryCounts):
        values, parts = leave_out_auc(labelled(split.parts_before), labelled(split.parts_now))
        made = left_out_metric(values, parts, name="roc_auc", column=split.now.column, by=split.by)
        if made is not None:
            yield made


def estimated(split: Split, worth: Worth | None) -> Iterator[MetricChange]:
    """Yield the changes that scores alone tell."""
    cells = next(iter(split.parts_before.values()))
    whole = in_cells(split.before, cells)
    assert isinstance(whole.state, BinaryCounts)
    calibrator = fit_calibrator(whole.state)

    def expected(of: Counted) -> dict[str, Sums]:
        assert of.every is not None
        return expected_means(of.every, calibrator, of.edge, worth)

    before, now = (
        complete(
            split.by, {key: expected(each) for key, each in parts.items()}, expected(in_cells(of, cells))
        )
        for of, parts in ((split.before, split.parts_before), (split.now, split.parts_now))
    )
    yield from split_all(split, "estimated", before, now)


def split_all(split: Split, kind: Kind, before: Means, now: Means) -> Iterator[MetricChange]:
    """Yield the change of each metric that both sides have of every segment with rows."""
    names = {name: None for side in (before, now) for each in side.values() for name in each}
    for name in names:
        sides = [{key: each[name] for key, each in side.items() if name in each} for side in (before, now)]
        made = split_metric(*sides, name=name, column=split.now.column, kind=kind, by=split.by)
        if made is not None:
            yield made


def complete(by: Sequence[str], parts: Means, whole: Mapping[str, Sums]) -> Means:
    """Return segments that add up to the whole: what no segment holds is added to the other rows."""
    rest: dict[str, Sums] = {}
    for name, all_of in whole.items():
        held = sum((each[name] for each in parts.values() if name in each), Sums())
        left = all_of.n - held.n
        if left < -_ROUNDING * max(all_of.n, 1.0):
            raise InputError(
                f"segments: those by {', '.join(by)} hold {held.n:,.0f} rows of {name!r}, the profile "
                f"{all_of.n:,.0f}: pass the segments of the rows that the profile is of"
            )
        if left > _ROUNDING * all_of.n:
            square = max(all_of.square - held.square, 0.0)
            rest[name] = Sums(left, all_of.total - held.total, square)
    if not rest:
        return parts
    other = key_of(by, None)
    there = parts.get(other, {})
    joined = {name: there.get(name, Sums()) + rest.get(name, Sums()) for name in {**there, **rest}}
    return {**parts, other: joined}


def parts_of(whole: Outcomes, segments: Mapping[str, Profile], schema: Schema) -> dict[str, Counted]:
    """Return what segments counted of a column, those without any left out; they add up to the whole."""
    found: dict[str, Counted] = {}
    for key, profile in segments.items():
        outcomes = like(whole, profile._core.outcomes)
        if outcomes is not None:
            found[key] = counted(outcomes, schema, whole)
    return found


def like(outcomes: Outcomes, others: Sequence[Outcomes]) -> Outcomes | None:
    """Return those of the same column, None where there are none."""
    return next((each for each in others if of_column(each) == of_column(outcomes)), None)


def of_column(outcomes: Outcomes) -> tuple[type[Outcomes], str]:
    """Return what tells the outcomes of a profile apart."""
    if isinstance(outcomes, _core.BinaryOutcomes | _core.RankingOutcomes):
        return type(outcomes), outcomes.score
    if isinstance(outcomes, _core.MulticlassOutcomes):
        return type(outcomes), outcomes.label
    return type(outcomes), outcomes.prediction


def together(parts: Sequence[Outcomes]) -> Outcomes:
    """Return the outcomes of all parts, of which there is one at least."""
    whole = parts[0].copy()
    for each in parts[1:]:
        whole.merge(each)  # type: ignore[arg-type]
    return whole


def in_cells(of: Counted, cells: Counted) -> Counted:
    """Return a score in the cells of another one. Raises MergeError where those are other ones."""
    try:
        return in_cells_of(of, cells)
    except ValueError:
        raise MergeError(
            f"segments: the outcomes of column {of.column!r} were counted with another reference, whose "
            "cells are others: make the segments with this reference"
        ) from None


def labelled(parts: Parts) -> dict[str, BinaryCounts]:
    """Return the labelled counts of a score's segments."""
    return {key: each.state for key, each in parts.items() if isinstance(each.state, BinaryCounts)}
