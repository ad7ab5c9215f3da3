"""How alike a model treats the facets of a population, from profiles of its segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Literal

from tidegauge.drift.multiplicity import benjamini_hochberg
from tidegauge.drift.verdict import verdict_of_columns
from tidegauge.errors import InputError
from tidegauge.fairness_result import FacetRows, Fairness
from tidegauge.measurement import Measurement, Status
from tidegauge.outcome_specs import Outcomes
from tidegauge.outcomes.binary import accuracy, selection_rate
from tidegauge.outcomes.counted import all_counted, counted
from tidegauge.outcomes.facets import (
    SHARES,
    Facet,
    facet_metrics,
    facet_of,
    of_selection,
    together,
    turned,
    unlike_p,
    without,
)
from tidegauge.outcomes.fairness import FOUR_FIFTHS, generalized_entropy
from tidegauge.outcomes.metric import Metric
from tidegauge.performance_causes import like
from tidegauge.performance_causes import together as all_of
from tidegauge.performance_measurements import MIN_LABELLED, MIN_RARER
from tidegauge.profiles import Profile
from tidegauge.reference import Reference
from tidegauge.schema import Schema
from tidegauge.segments import parse_segment, segment_key, shown_segment

SURE = 0.05  # false discoveries among the facets that are treated otherwise
TOLERANCE = 0.1
NOTHING = together(())


@dataclass(frozen=True, slots=True)
class Side:
    """The facets of a column by segment key, all together, and the same within each stratum, if told."""

    facets: Mapping[str, Facet]
    whole: Facet
    strata: tuple[Side, ...] = ()

    def pair(self, d: str, advantaged: str | None) -> tuple[Facet, Facet]:
        """Return (the advantaged facet, or all others; the disadvantaged one); of no rows if not there."""
        facet = self.facets.get(d, NOTHING)
        if advantaged is None:
            return without(self.whole, facet), facet
        return self.facets.get(advantaged, NOTHING), facet

    def metrics(self, d: str, advantaged: str | None) -> dict[str, Metric]:
        """Return every metric of one facet."""
        strata = [each.pair(d, advantaged) for each in self.strata]
        return facet_metrics(*self.pair(d, advantaged), strata or None)


def fairness(
    segments: Mapping[str, Profile],
    reference: Reference,
    by: str,
    *,
    advantaged: str | None = None,
    group: str | None = None,
    favourable: Literal["positive", "negative"] = "positive",
    column: str | None = None,
    tolerance: float = TOLERANCE,
) -> Fairness:
    """Tell how alike a model treats the facets of a population: the values of column `by`.

    `segments`: profiles of segments by key (`profile_segments`, `Archive.merged_segments`), those of `by`
    and, for conditional demographic disparity within the values of `group`, those of both together.
    `advantaged` is the value that each other one is held against; None holds each against all others, as
    SageMaker Clarify does. `favourable`: the answer, and label, that people want; "negative" where a score is
    of a risk. `column`: the score (at its threshold) or yes-or-no prediction; None takes the first.

    Told are the bias metrics of SageMaker Clarify that counts can tell (`outcomes.facets.CLARIFY`), before a
    model (of labels) and after it, each with its interval and the reference's value where the reference has
    such segments. Judged are disparate impact, which must not be below four fifths, and differences of
    shares, which must not be beyond `tolerance` on either side: an `alert` where the whole interval is, a
    `warning` where the value is and that the facets are treated unlike is sure (at a false discovery rate of
    .05 over all that are judged). `insufficient` with fewer than 100 rows in a facet, or 20 of those that a
    share is of. Selection is told of all rows, everything else of labelled ones.

    Raises InputError for a column that no segment has, fewer than two facets, and outcomes that are no
    yes-or-no answers.
    """
    if favourable not in ("positive", "negative") or not 0 <= tolerance < 1:
        raise InputError(
            f"fairness: favourable is {favourable!r} and tolerance {tolerance!r}: pass 'positive' or "
            "'negative', and 0 or a fraction below 1"
        )
    outcomes = the_answers(reference, column)
    name = counted(outcomes, reference.schema).column
    now, then = (
        side_of(each, outcomes, reference.schema, by=by, group=group, favourable=favourable)
        for each in (segments, reference.segments)
    )
    key = None if advantaged is None else segment_key({by: advantaged})
    if len(now.facets) < 2 or (key is not None and key not in now.facets):
        there = ", ".join(repr(shown_segment(parse_segment(each))) for each in now.facets)
        wanted = "two facets at least" if key is None else f"the facet {advantaged!r}"
        raise InputError(
            f"fairness: {wanted} of column {by!r} are needed; the segments have {there or 'none'}"
        )
    if group is not None and not now.strata:
        raise InputError(
            f"fairness: no segments by {by!r} and {group!r} together are given: make them with "
            f"tidegauge.profile_segments(data, reference, [{by!r}, ({by!r}, {group!r})])"
        )
    found: list[Measurement] = []
    notes: list[str] = []
    for d in now.facets:
        if d == key:
            continue
        a, facet = now.pair(d, key)
        metrics = now.metrics(d, key)
        before = then.metrics(d, key) if d in then.facets and len(then.facets) > 1 else {}
        few = [each for each in metrics if each in SHARES and not enough(each, a, facet)]
        if few:
            notes.append(f"{shown_segment(parse_segment(d))}: too few rows to judge {', '.join(few)}")
        for each, metric in metrics.items():
            made = measurement(metric, before.get(each), column=name, facet=d, tolerance=tolerance)
            if each in SHARES and made.value is not None:
                p = unlike_p(SHARES[each](a), SHARES[each](facet))
                made = replace(made, p_value=p, status="insufficient" if each in few else made.status)
            found.append(made)
    earlier = generalized_entropy(then.whole.table) if then.facets else None
    whole = generalized_entropy(now.whole.table)
    found.append(measurement(whole, earlier, column=name, facet=None, tolerance=tolerance))
    judged = sure_ones(found)
    outcome = Fairness(
        verdict_of_columns([each.status for each in judged if each.threshold is not None]),
        "",
        by,
        name,
        key,
        favourable,
        group,
        tuple(judged),
        tuple(facet_rows(each, facet) for each, facet in now.facets.items()),
        tuple(notes),
        tolerance,
    )
    return replace(outcome, summary=summary_of(outcome))


def the_answers(reference: Reference, column: str | None) -> Outcomes:
    """Return what the reference counted of yes-or-no answers. Raises InputError."""
    schema, all_of = reference.schema, reference.profile._core.outcomes
    answers = [each.column for each in all_counted(all_of, schema) if each.positive is not None]
    if not answers or column not in (None, *answers):
        raise InputError(
            f"fairness: {'no column' if column is None else f'column {column!r}'} of the reference has "
            f"yes-or-no answers and labels; {', '.join(answers) or 'none'} has"
        )
    wanted = column or answers[0]
    return next(each for each in all_of if counted(each, schema).column == wanted)


def side_of(
    segments: Mapping[str, Profile],
    outcomes: Outcomes,
    schema: Schema,
    *,
    by: str,
    group: str | None,
    favourable: str,
) -> Side:
    """Return the facets of a column, in the order of their keys."""
    facets: dict[str, Facet] = {}
    strata: dict[str, dict[str, Facet]] = {}
    found = {key: like(outcomes, each._core.outcomes) for key, each in sorted(segments.items())}
    there = [each for key, each in found.items() if each is not None and set(parse_segment(key)) == {by}]
    whole = all_of(there) if there else outcomes  # whose weights all facets are scaled as
    for key, own in found.items():
        values = parse_segment(key)
        if own is None or set(values) not in ({by}, {by, group}):
            continue
        facet = facet_of(own, counted(own, schema, whole), schema)
        facet = facet if favourable == "positive" else turned(facet)
        of = segment_key({by: values[by]})
        if len(values) == 1:
            facets[of] = facet
        elif group is not None:
            strata.setdefault(segment_key({group: values[group]}), {})[of] = facet
    inner = tuple(Side(each, together(each.values())) for each in strata.values())
    return Side(facets, together(facets.values()), inner)


def enough(name: str, a: Facet, d: Facet) -> bool:
    """Tell whether both facets have rows enough to judge a metric by."""
    share = SHARES[name]
    rows = [each.n_rows if share is of_selection else each.table.n for each in (a, d)]
    return min(rows) >= MIN_LABELLED and min(share(a)[1], share(d)[1]) >= MIN_RARER


def measurement(
    metric: Metric, before: Metric | None, *, column: str, facet: str | None, tolerance: float
) -> Measurement:
    """Return the measurement of a facet's metric, before it is known how sure all of them are."""
    limit = None
    if metric.name in SHARES:
        limit = FOUR_FIFTHS if metric.name == "disparate_impact" else tolerance
    status: Status = "undefined" if metric.value is None else "ok"
    if metric.value is not None and limit is not None:
        status = status_of(metric, limit)
    return Measurement(
        name=metric.name,
        value=metric.value,
        column=column,
        segment=facet,
        n_reference=None if before is None else round(before.n),
        n_current=round(metric.n),
        low=metric.low,
        high=metric.high,
        direction=metric.direction,
        reference_value=None if before is None else before.value,
        threshold=limit,
        status=status,
        kind="realised",
        bound=metric.bound,
    )


def status_of(metric: Metric, limit: float) -> Status:
    """Return "alert" where the whole interval is beyond the limit, "warning" where the value is."""
    assert metric.value is not None
    low, high = metric.interval
    if metric.name == "disparate_impact":
        return "alert" if high < limit else "warning" if metric.value < limit else "ok"
    if low > limit or high < -limit:
        return "alert"
    return "warning" if abs(metric.value) > limit else "ok"


def sure_ones(found: Sequence[Measurement]) -> list[Measurement]:
    """Return measurements, without the warnings that may be chance."""
    p = [nan if each.p_value is None or each.status == "insufficient" else each.p_value for each in found]
    passed, _ = benjamini_hochberg(p, SURE)
    return [
        replace(each, status="ok") if each.status == "warning" and not sure else each
        for each, sure in zip(found, passed, strict=True)
    ]


def facet_rows(key: str, facet: Facet) -> FacetRows:
    """Return what was counted of a facet."""
    table = facet.table
    return FacetRows(
        key,
        round(facet.n_rows),
        round(table.n),
        selection_rate(facet.answers).value,
        table.positives / table.n if table.n > 0 else None,
        accuracy(table).value,
    )


def summary_of(made: Fairness) -> str:
    """Say in one sentence which facet is treated worst, and how."""
    rows = sum(each.n_rows for each in made.facets)
    sizes = f"{len(made.facets)} facets of {made.by}, {rows:,} rows"
    loud = [each for each in made.measurements if each.status in ("alert", "warning")]
    if not loud and made.status == "ok":
        return f"ok: no facet is treated unlike beyond the limits ({sizes})"
    if not loud:
        return f"{made.status}: too few rows to tell whether facets are treated alike ({sizes})"
    worst = max(loud, key=extent)
    alerts = sum(each.status == "alert" for each in loud)
    counts = [
        f"{n} {word}{'' if n == 1 else 's'}"
        for n, word in ((alerts, "alert"), (len(loud) - alerts, "warning"))
        if n
    ]
    other = "all others" if made.advantaged is None else shown_segment(parse_segment(made.advantaged))
    ends = "" if worst.low is None or worst.high is None else f" ({worst.low:.3g} to {worst.high:.3g})"
    which = f"{worst.name} of {shown_segment(parse_segment(worst.segment or ''))} against {other}"
    size = f"{worst.value:.3g}{ends}, limit {worst.threshold:.3g}"
    return f"{made.status}: {' and '.join(counts)}; {which} {size} ({sizes})"


def extent(each: Measurement) -> tuple[bool, bool, float]:
    """Return by what the worst finding is chosen: alerts, then disparate impact, then the size."""
    is_ratio, value = each.name == "disparate_impact", each.value or 0.0
    return each.status == "alert", is_ratio, -value if is_ratio else abs(value)
