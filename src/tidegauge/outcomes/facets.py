"""Facets of a population: what is counted of each, and every metric of one facet against another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tidegauge import _core
from tidegauge.outcomes import fairness, label_balance
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.confusion import Confusion
from tidegauge.outcomes.counted import Counted, Outcomes, place_of
from tidegauge.outcomes.metric import Metric
from tidegauge.outcomes.metric_sets import named
from tidegauge.outcomes.states import confusion_matrix, two_by_two
from tidegauge.schema import Schema

# The names of SageMaker Clarify. Flip test (FT) needs neighbours of rows, which no counts have.
CLARIFY = {
    "class_imbalance": "CI",
    "label_proportion_difference": "DPL",
    "kullback_leibler": "KL",
    "jensen_shannon": "JS",
    "lp_norm": "LP",
    "total_variation": "TVD",
    "largest_difference": "KS",
    "conditional_demographic_disparity_labels": "CDDL",
    "demographic_parity_difference": "DPPL",
    "disparate_impact": "DI",
    "recall_difference": "RD",
    "specificity_difference": "SD",
    "acceptance_rate_difference": "DAR",
    "rejection_rate_difference": "DRR",
    "accuracy_difference": "AD",
    "conditional_acceptance_difference": "DCAcc",
    "conditional_rejection_difference": "DCR",
    "treatment_equality": "TE",
    "conditional_demographic_disparity": "CDDPL",
    "generalized_entropy": "GE",
}


@dataclass(frozen=True, slots=True)
class Facet:
    """Rows of one facet: the labelled ones by label and answer, and all of them by answer alone."""

    table: Confusion
    n_selected: float
    n_rejected: float

    @property
    def n_rows(self) -> float:
        """All rows that have an answer."""
        return self.n_selected + self.n_rejected

    @property
    def answers(self) -> Confusion:
        """All rows by answer, as if each were labelled negative: for metrics that look at answers alone."""
        return Confusion(0.0, self.n_selected, 0.0, self.n_rejected)


@dataclass(frozen=True, slots=True)
class FacetMetric:
    """A metric, and the fewest rows of a facet that it is a share of."""

    metric: Metric
    fewest: float


def facet_of(outcomes: Outcomes, of: Counted, schema: Schema) -> Facet:
    """Return the facet that counted these outcomes: a score at its threshold, or yes-or-no answers."""
    assert of.matrix is not None
    assert of.positive is not None
    table = two_by_two(of.matrix, of.positive)
    if isinstance(of.every, BinaryCounts):
        rows = of.every.positives + of.every.negatives + of.every.unlabelled
        first = int(np.searchsorted(of.every.edges, of.edge, side="right"))
        return Facet(table, float(rows[first:].sum()), float(rows[:first].sum()))
    assert isinstance(outcomes, _core.ConfusionOutcomes)
    answers = outcomes.counts().sum(axis=1)  # by prediction, labelled or not
    place = place_of(schema[outcomes.label], outcomes, confusion_matrix(outcomes)[1])
    assert place is not None
    return Facet(table, float(answers[place]), float(answers.sum() - answers[place]))


def turned(facet: Facet) -> Facet:
    """Return the facet with "negative" as the favourable answer and label."""
    table = facet.table
    return Facet(
        replace(
            table,
            true_positives=table.true_negatives,
            false_positives=table.false_negatives,
            false_negatives=table.false_positives,
            true_negatives=table.true_positives,
            positives_in_doubt=-table.negatives_in_doubt,
            negatives_in_doubt=-table.positives_in_doubt,
        ),
        facet.n_rejected,
        facet.n_selected,
    )


def together(facets: Iterable[Facet]) -> Facet:
    """Return the rows of all facets as one."""
    each = list(facets)
    tables = [one.table for one in each]
    counts = (
        "true_positives false_positives false_negatives true_negatives positives_in_doubt negatives_in_doubt"
    )
    sums = {name: float(sum(getattr(table, name) for table in tables)) for name in counts.split()}
    return Facet(
        Confusion(**sums),
        float(sum(one.n_selected for one in each)),
        float(sum(one.n_rejected for one in each)),
    )


def facet_metrics(
    a: Facet, d: Facet, strata: Sequence[tuple[Facet, Facet]] | None = None
) -> dict[str, FacetMetric]:
    """Return every metric of the disadvantaged facet `d` against the advantaged `a`, by name.

    Those of labels come first, then those of answers. `class_imbalance`, `demographic_parity_difference`,
    `disparate_impact` and conditional disparity of answers are of all rows, all else of labelled ones.
    `strata` are the same two facets in each stratum, for conditional demographic disparity.
    """
    one, other = a.table, d.table
    labels = [(table.negatives, table.positives) for table in (one, other)]
    fewest = min(one.n, other.n)
    found = [
        (label_balance.class_imbalance(a.n_rows, d.n_rows), min(a.n_rows, d.n_rows)),
        (
            label_balance.label_proportion_difference(one.positives, one.n, other.positives, other.n),
            fewest,
        ),
        *(
            (distance(*labels), fewest)
            for distance in (
                label_balance.kullback_leibler,
                label_balance.jensen_shannon,
                label_balance.lp_norm,
                label_balance.total_variation,
                label_balance.largest_difference,
            )
        ),
    ]
    if strata is not None:
        by_label = [
            [(each.table.negatives, each.table.positives) for each in side]
            for side in zip(*strata, strict=True)
        ]
        disparity = fairness.conditional_demographic_disparity(*by_label)
        found.append((replace(disparity, name="conditional_demographic_disparity_labels"), fewest))
    selected = min(one.true_positives + one.false_positives, other.true_positives + other.false_positives)
    rejected = min(
        one.n - one.true_positives - one.false_positives,
        other.n - other.true_positives - other.false_positives,
    )
    of_labelled: list[tuple[Callable[[Confusion, Confusion], Metric], float]] = [
        (fairness.recall_difference, min(one.positives, other.positives)),
        (fairness.specificity_difference, min(one.negatives, other.negatives)),
        (fairness.acceptance_rate_difference, selected),
        (fairness.rejection_rate_difference, rejected),
        (fairness.accuracy_difference, fewest),
        (fairness.conditional_acceptance_difference, selected),
        (fairness.conditional_rejection_difference, rejected),
        (fairness.treatment_equality, min(one.false_positives, other.false_positives)),
    ]
    all_rows = min(a.n_rows, d.n_rows)
    found += [
        (fairness.demographic_parity_difference(a.answers, d.answers), all_rows),
        (fairness.disparate_impact(a.answers, d.answers), all_rows),
        *((metric(one, other), rows) for metric, rows in of_labelled),
    ]
    if strata is not None:
        by_answer = [
            [(each.n_rejected, each.n_selected) for each in side] for side in zip(*strata, strict=True)
        ]
        found.append((fairness.conditional_demographic_disparity(*by_answer), all_rows))
    rows_of = [rows for _, rows in found]
    return {
        name: FacetMetric(metric, rows)
        for (name, metric), rows in zip(named(metric for metric, _ in found).items(), rows_of, strict=True)
    }
