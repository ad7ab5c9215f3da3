"""For which slices of rows a model is worse than for the rest: segments and crosses, from their profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import sqrt
from operator import add
from typing import Any

from tidegauge.errors import InputError
from tidegauge.measurement import defined
from tidegauge.outcome_specs import Outcomes
from tidegauge.outcomes.counted import Counted, all_counted, counted
from tidegauge.outcomes.regression import RegressionSums
from tidegauge.outcomes.row_means import row_means
from tidegauge.outcomes.slices import (
    Slice,
    confirmed_slices,
    discovered_slices,
    gap_in,
    slices_of,
    whole_of,
)
from tidegauge.outcomes.sums import Sums
from tidegauge.performance_causes import like, parts_of, together
from tidegauge.performance_result import TOLERANCE
from tidegauge.profiles import Profile, merge
from tidegauge.reference import Reference
from tidegauge.schema import Schema
from tidegauge.segments import by_dimension, parse_segment, shown_segment
from tidegauge.tables import escaped, html_table, printable, text_table

_HEADER = ("", "slice", "worse by", "95 % interval", "value", "others", "in the reference", "rows")
LOWER_IS_WORSE = frozenset(("accuracy", "precision", "recall", "specificity", "business_value"))
MAX_NAMED = 3
NEUTRAL = frozenset(("selection_rate", "base_rate", "bias"))


@dataclass(frozen=True, slots=True, repr=False)
class Slices:
    """The outcome of `find_slices`: for which rows the `metric` of `column` is worse than for the others.

    `found` are the slices that were chosen, the surest first; those not `confirmed` were not borne out by the
    other half. `held_out`: whether there was one. `n_slices` had enough rows to be looked at, `value` is the
    metric of all rows. `tolerance` is in the metric's unit.
    """

    metric: str
    column: str
    summary: str
    found: tuple[Slice, ...]
    held_out: bool
    n_slices: int
    value: float | None
    tolerance: float
    level: float

    @property
    def confirmed(self) -> tuple[Slice, ...]:
        """Those of `found` for which chance is ruled out."""
        return tuple(each for each in self.found if each.confirmed)

    def to_dict(self) -> dict[str, Any]:
        """Return everything by name, JSON-able."""
        names = ("metric", "column", "summary", "held_out", "n_slices", "value", "tolerance", "level")
        found = {name: getattr(self, name) for name in names}
        return found | {"found": [each.to_dict() for each in self.found]}

    def __repr__(self) -> str:
        """Return the summary and a line for each slice."""
        table = text_table(_HEADER, self._rows(), right=(2, 4, 5, 6, 7)) if self.found else ""
        return "\n".join(part for part in (printable(self.summary, None), table) if part)

    def _repr_html_(self) -> str:
        """Return the same as HTML, without scripts, everything escaped."""
        table = html_table(_HEADER, self._rows(), right=(2, 4, 5, 6, 7)) if self.found else ""
        return f"<div><p>{escaped(self.summary, None)}</p>{table}</div>"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                "confirmed" if each.confirmed else "not confirmed",
                shown_slice(each),
                f"{each.gap:.3g}",
                "{:.3g} to {:.3g}".format(*each.gap_interval),
                f"{each.value:.4g}",
                f"{each.other_value:.4g}",
                "" if each.reference_gap is None else f"{each.reference_gap:.3g}",
                f"{each.n_rows:,.0f}",
            )
            for each in self.found
        ]


def find_slices(
    parts: Mapping[str, Profile] | Sequence[Mapping[str, Profile]],
    reference: Reference,
    *,
    metric: str | None = None,
    column: str | None = None,
    tolerance: float = TOLERANCE,
    level: float = 0.05,
) -> Slices:
    """Tell which segments and crosses of segments have a worse metric than the rest, beyond chance.

    `parts`: profiles of segments by key (`profile_segments`, `Archive.merged_segments`) of disjoint rows, so
    windows in order; every second one confirms what the others suggest (`outcomes.slices`). Of a single
    mapping nothing can be held out: slices are told at a false discovery rate of `level`, with gaps that are
    conditional on having been told. Where no slice is worse, any is confirmed in at most `level` of cases;
    rows are taken as independent.

    `metric` is one of those that are means over rows (`outcomes.row_means`); None takes the accuracy, of
    numbers the mean absolute error. `column` is the score or prediction, None the first. A gap up to
    `tolerance` does not count: a fraction of what the metric spans, which is 1 for shares and the labels'
    deviation for errors of numbers. A slice within a worse one is told only if it is worse than the rest of
    that. Raises InputError for no outcomes, no segments, and a metric that is none of these.
    """
    given = [each for each in ([parts] if isinstance(parts, Mapping) else parts) if each]
    if not 0 < level < 0.5 or not 0 <= tolerance < 1:
        raise InputError(
            f"level is {level!r} and tolerance {tolerance!r}: pass a level above 0 and below .5, and a "
            "tolerance of 0 or a fraction below 1"
        )
    halves = [merged(given[i::2]) for i in range(2)] if len(given) > 1 else [merged(given[:1])]
    if not all(halves):
        raise InputError("find_slices: no segments are given: make them with tidegauge.profile_segments")
    outcomes, of = the_outcomes(reference, column)
    name = metric or ("mean_absolute_error" if of.task == "number" else "accuracy")
    there = [each for each in row_means(of) if each not in NEUTRAL]
    if name not in there:
        raise InputError(f"find_slices: metric {name!r} is no mean over rows of {of.column!r}: {there} are")
    higher_is_worse = name not in LOWER_IS_WORSE
    limit = tolerance * span_of(of, name)
    sums = [sums_of(half, outcomes, reference.schema, name) for half in halves]
    if len(sums) > 1:
        found = confirmed_slices(*sums, higher_is_worse=higher_is_worse, tolerance=limit, level=level)
    else:
        found = discovered_slices(*sums, higher_is_worse=higher_is_worse, tolerance=limit, level=level)
    before = sums_of(reference.segments, outcomes, reference.schema, name)
    told = [
        replace(each, reference_gap=gap_in(before, each, higher_is_worse=higher_is_worse)) for each in found
    ]
    value = defined(reduce(add, map(whole_of, sums)).mean)
    made = Slices(
        name,
        of.column,
        "",
        tuple(told),
        len(sums) > 1,
        len(slices_of(sums[0])),
        value,
        limit,
        level,
    )
    return replace(made, summary=summary_of(made))


def merged(parts: Sequence[Mapping[str, Profile]]) -> dict[str, Profile]:
    """Return the segments of all parts together."""
    keys = dict.fromkeys(key for part in parts for key in part)
    return {key: merge(part[key] for part in parts if key in part) for key in keys}


def the_outcomes(reference: Reference, column: str | None) -> tuple[Outcomes, Counted]:
    """Return what the reference counted of a column that has means over rows, the first by default.

    Raises InputError.
    """
    schema = reference.schema
    each_of = {counted(each, schema).column: each for each in reference.profile._core.outcomes}
    all_of = all_counted(reference.profile._core.outcomes, schema)
    names = [each.column for each in all_of if row_means(each)]
    if not names or column not in (None, *names):
        raise InputError(
            f"find_slices: the reference has no means over rows of {column or 'any score or prediction'!r}; "
            f"it has {', '.join(names) or 'none: fit it with a label and a score or a prediction'}"
        )
    outcomes = each_of[column or names[0]]
    return outcomes, counted(outcomes, schema)


def sums_of(
    segments: Mapping[str, Profile], outcomes: Outcomes, schema: Schema, metric: str
) -> dict[str, Sums]:
    """Return the sums of a metric in each segment that has labelled rows for it.

    Weights are scaled as those of all rows that the segments are of: of a dimension, which has each once.
    """
    dimension = next(iter(by_dimension(segments).values()), {})
    own = [each for of in dimension.values() if (each := like(outcomes, of._core.outcomes)) is not None]
    whole = together(own) if own else outcomes
    means = {key: row_means(each) for key, each in parts_of(whole, segments, schema).items()}
    return {key: each[metric] for key, each in means.items() if metric in each}


def span_of(of: Counted, metric: str) -> float:
    """Return what a tolerance is a fraction of."""
    if not isinstance(of.state, RegressionSums):
        return 1.0
    labels = of.state.labels
    variance = max(labels.square / labels.n - labels.mean**2, 0.0) if labels.n else 0.0
    return variance if metric == "mean_squared_error" else sqrt(variance)


def summary_of(made: Slices) -> str:
    """Say in one sentence what was found."""
    value = "no labelled rows" if made.value is None else f"{made.metric} {made.value:.4g}"
    looked = f"{value}, {made.n_slices:,} slices"
    named = [
        f"{shown_slice(each)} worse by {each.gap:.3g} ({each.gap_interval[0]:.3g} to "
        f"{each.gap_interval[1]:.3g}, {each.n_rows:,.0f} rows)"
        for each in made.confirmed[:MAX_NAMED]
    ]
    more = len(made.confirmed) - len(named)
    if named:
        return f"{'; '.join(named)}{f' and {more} more' if more else ''}; {looked}"
    return f"no slice is worse than the rest beyond chance; {looked}"


def shown_slice(each: Slice) -> str:
    """Return a slice for people, with what it is held against where that is not all other rows."""
    words = shown_segment(parse_segment(each.segment))
    if each.without:
        words += " without " + "; ".join(shown_segment(parse_segment(key)) for key in each.without)
    return words + (f" within {shown_segment(parse_segment(each.against))}" if each.against else "")
