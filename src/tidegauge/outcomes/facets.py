"""Facets of a population: what is counted of each, and every metric of one facet against another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import sqrt

import numpy as np

from tidegauge import _core
from tidegauge.outcome_specs import Outcomes
from tidegauge.outcomes import fairness, label_balance
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.confusion import Confusion
from tidegauge.outcomes.counted import Counted, place_of
from tidegauge.outcomes.metric import Metric
from tidegauge.outcomes.metric_sets import named
from tidegauge.outcomes.states import confusion_matrix, two_by_two
from tidegauge.schema import Schema

Share = tuple[float, float]

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
    return reduce(joined, facets, Facet(Confusion(0.0, 0.0, 0.0, 0.0), 0.0, 0.0))


def joined(one: Facet, other: Facet, sign: float = 1.0) -> Facet:
    """Return the rows of both facets; with `sign` -1 those of the first that are not of the other one."""
    a, b = one.table, other.table

    def count(mine: float, theirs: float) -> float:
        return max(mine + sign * theirs, 0.0)  # weights are doubles: a difference may be a rounding below 0

    table = Confusion(
        count(a.true_positives, b.true_positives),
        count(a.false_positives, b.false_positives),
        count(a.false_negatives, b.false_negatives),
        count(a.true_negatives, b.true_negatives),
        positives_in_doubt=a.positives_in_doubt + sign * b.positives_in_doubt,
        negatives_in_doubt=a.negatives_in_doubt + sign * b.negatives_in_doubt,
    )
    return Facet(table, count(one.n_selected, other.n_selected), count(one.n_rejected, other.n_rejected))


def without(whole: Facet, part: Facet) -> Facet:
    """Return the rows of `whole` that are not of `part`, which it holds."""
    return joined(whole, part, -1.0)


def facet_metrics(
    a: Facet, d: Facet, strata: Sequence[tuple[Facet, Facet]] | None = None
) -> dict[str, Metric]:
    """Return every metric of the disadvantaged facet `d` against the advantaged `a`, by name.

    Those of labels come first, then those of answers. `class_imbalance`, `demographic_parity_difference`,
    `disparate_impact` and conditional disparity of answers are of all rows, all else of labelled ones.
    `strata` are the same two facets in each stratum, for conditional demographic disparity.
    """
    one, other = a.table, d.table
    labels = [(table.negatives, table.positives) for table in (one, other)]
    of_labels = [
        label_balance.class_imbalance(a.n_rows, d.n_rows),
        label_balance.label_proportion_difference(one.positives, one.n, other.positives, other.n),
        label_balance.kullback_leibler(*labels),
        label_balance.jensen_shannon(*labels),
        label_balance.lp_norm(*labels),
        label_balance.total_variation(*labels),
        label_balance.largest_difference(*labels),
    ]
    of_answers = [
        fairness.demographic_parity_difference(a.answers, d.answers),
        fairness.disparate_impact(a.answers, d.answers),
        fairness.recall_difference(one, other),
        fairness.specificity_difference(one, other),
        fairness.acceptance_rate_difference(one, other),
        fairness.rejection_rate_difference(one, other),
        fairness.accuracy_difference(one, other),
        fairness.conditional_acceptance_difference(one, other),
        fairness.conditional_rejection_difference(one, other),
        fairness.treatment_equality(one, other),
    ]
    if strata is not None:
        sides = list(zip(*strata, strict=True))
        by_label = [[(each.table.negatives, each.table.positives) for each in side] for side in sides]
        disparity = fairness.conditional_demographic_disparity(*by_label)
        of_labels.append(replace(disparity, name="conditional_demographic_disparity_labels"))
        by_answer = [[(each.n_rejected, each.n_selected) for each in side] for side in sides]
        of_answers.append(fairness.conditional_demographic_disparity(*by_answer))
    return named([*of_labels, *of_answers])


def of_selection(facet: Facet) -> Share:
    """Return (selected, all) rows."""
    return facet.n_selected, facet.n_rows


def of_recall(facet: Facet) -> Share:
    """Return (answered so, all) positive rows."""
    return facet.table.true_positives, facet.table.positives


def of_specificity(facet: Facet) -> Share:
    """Return (answered so, all) negative rows."""
    return facet.table.true_negatives, facet.table.negatives


def of_acceptance(facet: Facet) -> Share:
    """Return (right, all) positive answers."""
    return facet.table.true_positives, facet.table.true_positives + facet.table.false_positives


def of_rejection(facet: Facet) -> Share:
    """Return (right, all) negative answers."""
    return facet.table.true_negatives, facet.table.true_negatives + facet.table.false_negatives


def of_accuracy(facet: Facet) -> Share:
    """Return (right, all) answers."""
    return facet.table.true_positives + facet.table.true_negatives, facet.table.n


# Of metrics that compare one share of each facet: (rows that count, rows) of a facet.
SHARES: dict[str, Callable[[Facet], Share]] = {
    "demographic_parity_difference": of_selection,
    "disparate_impact": of_selection,
    "recall_difference": of_recall,
    "specificity_difference": of_specificity,
    "acceptance_rate_difference": of_acceptance,
    "rejection_rate_difference": of_rejection,
    "accuracy_difference": of_accuracy,
}


def unlike_p(a: Share, d: Share) -> float:
    """Return the two-sided p of "both shares are drawn alike"; 1 where a facet has no row.

    The chi-square test of a two-by-two table with Yates' correction: far out in the tail, where intervals of
    small facets promise too much, it stays within a few times Fisher's exact p.
    """
    from scipy.special import ndtr

    (hits_a, n_a), (hits_d, n_d) = a, d
    if not (n_a > 0 and n_d > 0):
        return 1.0
    pooled = (hits_a + hits_d) / (n_a + n_d)
    variance = pooled * (1 - pooled) * (1 / n_a + 1 / n_d)
    gap = abs(hits_a / n_a - hits_d / n_d) - (1 / n_a + 1 / n_d) / 2
    return float(2 * ndtr(-gap / sqrt(variance))) if variance > 0 and gap > 0 else 1.0
