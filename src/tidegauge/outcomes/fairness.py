"""How alike a model treats two facets of the population, from the confusion counts of each.

These are the post-training bias metrics of SageMaker Clarify; a is the advantaged facet, d the disadvantaged.
"Positive" is the favourable answer. Differences are 0 and ratios 1 where the facets are treated alike, and a
positive difference favours a, unless said otherwise. What Clarify tells as 0 or infinite for want of rows is
undefined here. Intervals are for independent rows: of differences by those of both sides (Newcombe 1998), of
ratios by the delta method on the logarithm. No constant answer is told beside them: it treats all alike.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, isfinite, log, nan, sqrt

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.binary import (
    accuracy,
    negative_predictive_value,
    precision,
    recall,
    selection_rate,
    specificity,
)
from tidegauge.outcomes.confusion import Confusion, corners
from tidegauge.outcomes.intervals import NO_INTERVAL, Interval, Z, negative, normal, ratio, sum_of, wilson
from tidegauge.outcomes.metric import Metric, measured

FOUR_FIFTHS = 0.8  # of the US Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4 D


def demographic_parity_difference(a: Confusion, d: Confusion) -> Metric:
    """Return DPPL, the share of positive answers in a minus that in d; range [-1, 1]."""
    return _difference("demographic_parity_difference", selection_rate, a, d)


def disparate_impact(a: Confusion, d: Confusion) -> Metric:
    """Return DI, the share of positive answers in d divided by that in a; lower is worse for d."""
    rates = selection_rate(a), selection_rate(d)
    reason = _reason(rates[0], rates[1]) or "no answer in the advantaged facet is positive"

    def quotient(one: Confusion, other: Confusion) -> float:
        top, bottom = selection_rate(other).value, selection_rate(one).value
        return top / bottom if top is not None and bottom else nan

    value = quotient(a, d)
    hits_a, hits_d = a.true_positives + a.false_positives, d.true_positives + d.false_positives
    interval = ratio(hits_d, d.n, hits_a, a.n)
    off = [abs(quotient(one, other) - value) for one in corners(a) for other in corners(d)]
    return measured(
        "disparate_impact",
        value,
        interval,
        n=a.n + d.n,
        direction="lower_is_worse",
        reason=reason,
        bound=max((each for each in off if isfinite(each)), default=0.0),
    )


def violates_four_fifths(impact: Metric) -> bool | None:
    """Return whether a `disparate_impact` is below four fifths beyond chance: its interval's upper end is.

    None where it is undefined.
    """
    return None if impact.high is None else impact.high < FOUR_FIFTHS


def recall_difference(a: Confusion, d: Confusion) -> Metric:
    """Return RD, recall in a minus that in d (equal opportunity); range [-1, 1]."""
    return _difference("recall_difference", recall, a, d)


def specificity_difference(a: Confusion, d: Confusion) -> Metric:
    """Return SD, specificity in d minus that in a; range [-1, 1]."""
    return _difference("specificity_difference", specificity, d, a)


def acceptance_rate_difference(a: Confusion, d: Confusion) -> Metric:
    """Return DAR, precision in a minus that in d; range [-1, 1]."""
    return _difference("acceptance_rate_difference", precision, a, d)


def rejection_rate_difference(a: Confusion, d: Confusion) -> Metric:
    """Return DRR, negative predictive value in d minus that in a; range [-1, 1]."""
    return _difference("rejection_rate_difference", negative_predictive_value, d, a)


def accuracy_difference(a: Confusion, d: Confusion) -> Metric:
    """Return AD, accuracy in a minus that in d; range [-1, 1]."""
    return _difference("accuracy_difference", accuracy, a, d)


def conditional_acceptance_difference(a: Confusion, d: Confusion) -> Metric:
    """Return DCAcc, positive labels per positive answer in a minus those in d."""

    def per_answer(table: Confusion) -> tuple[float, Interval]:
        hits, misses = table.true_positives, table.false_negatives
        return _labels_per_answer(hits, misses, table.false_positives)

    return _ratio_difference(
        "conditional_acceptance_difference", per_answer, a, d, "no answer in a facet is positive"
    )


def conditional_rejection_difference(a: Confusion, d: Confusion) -> Metric:
    """Return DCR, negative labels per negative answer in d minus those in a."""

    def per_answer(table: Confusion) -> tuple[float, Interval]:
        hits, misses = table.true_negatives, table.false_positives
        return _labels_per_answer(hits, misses, table.false_negatives)

    return _ratio_difference(
        "conditional_rejection_difference", per_answer, d, a, "no answer in a facet is negative"
    )


def treatment_equality(a: Confusion, d: Confusion) -> Metric:
    """Return TE, false negatives per false positive in d minus those in a."""

    def per_false_positive(table: Confusion) -> tuple[float, Interval]:
        missed, false = table.false_negatives, table.false_positives
        if not false > 0:
            return nan, NO_INTERVAL
        variance = 1 / (missed + 0.5) + 1 / (false + 0.5)
        return missed / false, _log_interval(missed / false, (missed + 0.5) / (false + 0.5), variance)

    return _ratio_difference("treatment_equality", per_false_positive, d, a, "a facet has no false positive")


def conditional_demographic_disparity(a: npt.ArrayLike, d: npt.ArrayLike) -> Metric:
    """Return CDD: d's share of the rejected minus its share of the accepted, averaged over strata by rows.

    `a` and `d` are `[strata, 2]` counts of (rejected, accepted) rows; of answers it is CDDPL, of labels CDDL.
    Range [-1, 1]. A stratum in which all are rejected or all accepted shows no disparity and is left out.
    ValueError for other shapes and counts below 0.
    """
    of_a, of_d = np.asarray(a, dtype=np.float64), np.asarray(d, dtype=np.float64)
    if of_a.ndim != 2 or of_a.shape != of_d.shape or of_a.shape[1] != 2:
        raise ValueError(f"counts are of shape {of_a.shape} and {of_d.shape}; pass [strata, 2] of each facet")
    if not (np.isfinite([of_a, of_d]).all() and min(of_a.min(initial=0), of_d.min(initial=0)) >= 0):
        raise ValueError("counts of a facet are negative or not finite; pass counts of rows")
    both = of_a + of_d
    used = (both > 0).all(axis=1)
    n = float(both[used].sum())
    value, below, above = 0.0, 0.0, 0.0
    for part, whole in zip(of_d[used], both[used], strict=True):
        rejected, accepted = part / whole
        weight = float(whole.sum()) / n
        ends = sum_of(rejected, wilson(rejected, whole[0]), -accepted, negative(wilson(accepted, whole[1])))
        value += weight * (rejected - accepted)
        below += (weight * (rejected - accepted - ends[0])) ** 2
        above += (weight * (ends[1] - rejected + accepted)) ** 2
    return measured(
        "conditional_demographic_disparity",
        value if n > 0 else nan,
        (value - sqrt(below), value + sqrt(above)),
        n=n,
        direction="neutral",
        reason="no stratum has both rejected and accepted rows",
    )


def generalized_entropy(table: Confusion) -> Metric:
    """Return GE with alpha 2 of the benefits b = answer - label + 1 of all rows; higher is worse, 0 is none.

    mean(b^2) / mean(b)^2 / 2 - 1 / 2 (Speicher 2018): half the squared coefficient of variation of b.
    """
    n = table.n
    value, variance = _entropy(table.false_positives, table.false_negatives, n)
    low, high = normal(value, variance)
    # It falls with the true positives; by the false positives it is largest where 3 fp + fn = n.
    off = [0.0]
    ends = sorted([table.false_positives, table.false_positives + table.negatives_in_doubt])
    for corner in corners(table):
        peak = min(max((n - corner.false_negatives) / 3, ends[0]), ends[1])
        for false in (corner.false_positives, peak):
            off.append(abs(_entropy(false, corner.false_negatives, n)[0] - value))
    return measured(
        "generalized_entropy",
        value,
        (max(low, 0.0), high),
        n=n,
        direction="higher_is_worse",
        reason="no row is labelled" if not n > 0 else "no row has a benefit: all are missed positives",
        bound=max(each for each in off if isfinite(each)),
    )


def _entropy(false_positives: float, false_negatives: float, n: float) -> tuple[float, float]:
    """Return GE and its sampling variance; NaN where it is undefined."""
    if not n > 0 or not n + false_positives - false_negatives > 0:
        return nan, nan
    benefits = np.array([0.0, 1.0, 2.0])
    shares = np.array([false_negatives, n - false_negatives - false_positives, false_positives]) / n
    mean, square = float(shares @ benefits), float(shares @ benefits**2)
    influence = (benefits**2 - square) / (2 * mean**2) - square * (benefits - mean) / mean**3
    return square / mean**2 / 2 - 0.5, float(shares @ influence**2) / n


def _difference(name: str, metric: Callable[[Confusion], Metric], one: Confusion, other: Confusion) -> Metric:
    """Return the metric of `one` minus that of `other`."""
    a, b = metric(one), metric(other)
    value, interval = nan, NO_INTERVAL
    if a.value is not None and b.value is not None:
        value = a.value - b.value
        interval = sum_of(a.value, a.interval, -b.value, negative(b.interval))
    return measured(
        name,
        value,
        interval,
        n=one.n + other.n,
        direction="neutral",
        reason=_reason(a, b),
        bound=a.bound + b.bound,
    )


def _ratio_difference(
    name: str,
    part: Callable[[Confusion], tuple[float, Interval]],
    one: Confusion,
    other: Confusion,
    reason: str,
) -> Metric:
    """Return the ratio of `one` minus that of `other`, which moves with each count of a table in one way."""
    a, of_a = part(one)
    b, of_b = part(other)
    bound = 0.0
    for table, value in ((one, a), (other, b)):
        off = [abs(part(corner)[0] - value) for corner in corners(table)]
        bound += max((each for each in off if isfinite(each)), default=0.0)
    interval = sum_of(a, of_a, -b, negative(of_b))
    return measured(name, a - b, interval, n=one.n + other.n, direction="neutral", reason=reason, bound=bound)


def _labels_per_answer(hits: float, misses: float, false: float) -> tuple[float, Interval]:
    """Return (hits + misses) / (hits + false) of one table; the hits are in both."""
    if not hits + false > 0:
        return nan, NO_INTERVAL
    h, m, f = hits + 0.5, misses + 0.5, false + 0.5
    variance = h * (1 / (h + m) - 1 / (h + f)) ** 2 + m / (h + m) ** 2 + f / (h + f) ** 2
    value = (hits + misses) / (hits + false)
    return value, _log_interval(value, (h + m) / (h + f), variance)


def _log_interval(value: float, middle: float, variance: float) -> Interval:
    half = Z * sqrt(variance)
    return min(exp(log(middle) - half), value), max(exp(log(middle) + half), value)


def _reason(one: Metric, other: Metric) -> str:
    return next((f"of a facet, {each.reason}" for each in (one, other) if each.reason), "")
