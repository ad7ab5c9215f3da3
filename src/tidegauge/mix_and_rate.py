"""The change of a mean split exactly over segments: who is there (mix), and how it is with them (rate)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A change of a mean over `[segments]`: `rate` + `mix` of all of them add up to it.

    `excess` is by how much rate + mix exceed what the segment's mean weight (w_0 + w_1) / 2 would take of the
    change: 0 where all segments changed alike. `rate_error`, `mix_error`, `part_error` (of rate + mix) and
    `excess_error` are standard errors of each segment's; `whole_rate_error` and `whole_mix_error` of the sums
    over all segments.
    """

    rate: Floats
    mix: Floats
    excess: Floats
    rate_error: Floats
    mix_error: Floats
    part_error: Floats
    excess_error: Floats
    whole_rate_error: float
    whole_mix_error: float


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One side of a change: weights w and means p of `[segments]`, variances s2 of a row within each.

    `n` rows in all; `pull` is what of the mean of both sides' p moves with this side's: 1/2, or 1 where only
    this side has rows.
    """

    n: float
    w: Floats
    p: Floats
    s2: Floats
    pull: Floats


def split_change(hits_0: Floats, rows_0: Floats, hits_1: Floats, rows_1: Floats) -> tuple[Floats, Floats]:
    """Split the change of a mean over segments `[segments]`: (by their rates, by their mix).

    With weights w = rows / sum of rows, and p = hits / rows (of a segment without rows on a side, the other
    side's): (p_1 - p_0) (w_0 + w_1) / 2, and (w_1 - w_0) ((p_0 + p_1) / 2 - P), P the mean of both whole
    means. Their sum over all segments is the change of the whole mean, exactly (Kitagawa 1955; P takes
    nothing from the sum, and makes the mix of a segment with an average mean zero).
    """
    w_0, w_1 = rows_0 / rows_0.sum(), rows_1 / rows_1.sum()
    p_0, p_1 = means_of(hits_0, rows_0, hits_1, rows_1)
    whole = (hits_0.sum() / rows_0.sum() + hits_1.sum() / rows_1.sum()) / 2.0
    return (p_1 - p_0) * (w_0 + w_1) / 2.0, (w_1 - w_0) * ((p_0 + p_1) / 2.0 - whole)


def split_with_errors(before: tuple[Floats, Floats, Floats], after: tuple[Floats, Floats, Floats]) -> Split:
    """Return `split_change` with standard errors, for independent rows on both sides, O(segments).

    Each side is (rows, sums of the values, sums of their squares). By the delta method: a row moves its
    segment's mean, all weights, and the whole mean. So that a segment of few equal rows is not taken for
    certain, its variance leans by one row on that within all segments.
    """
    (rows_0, hits_0, squares_0), (rows_1, hits_1, squares_1) = before, after
    rate, mix = split_change(hits_0, rows_0, hits_1, rows_1)
    p_0, p_1 = means_of(hits_0, rows_0, hits_1, rows_1)
    one = _side(hits_0, rows_0, squares_0, p_0, rows_1)
    two = _side(hits_1, rows_1, squares_1, p_1, rows_0)
    gap, shift, middle, weight = p_1 - p_0, two.w - one.w, (p_0 + p_1) / 2, (one.w + two.w) / 2
    change = float(two.w @ p_1 - one.w @ p_0)
    off = middle - (one.w @ p_0 + two.w @ p_1) / 2
    by_rate = np.where((rows_0 > 0) & (rows_1 > 0), weight, 0.0)

    def error(of_rate: float, of_mix: float, of_change: float) -> Floats:
        """Return the standard error of of_rate rate + of_mix mix + of_change weight (whole change)."""
        variance = np.zeros_like(gap)
        for sign, side in ((-1.0, one), (1.0, two)):
            by_weight = of_rate * gap / 2 + of_mix * sign * off + of_change * change / 2
            by_mean = of_rate * sign * by_rate + of_mix * shift * side.pull
            variance += _variance(side, by_weight, by_mean, of_change * sign * weight - of_mix * shift / 2)
        return np.sqrt(variance)

    whole_rate = _variance_of_sum(one, gap / 2, -by_rate) + _variance_of_sum(two, gap / 2, by_rate)
    whole_mix = _variance_of_sum(one, -middle, shift * one.pull) + _variance_of_sum(
        two, middle, shift * two.pull
    )
    return Split(
        rate,
        mix,
        rate + mix - weight * change,
        error(1, 0, 0),
        error(0, 1, 0),
        error(1, 1, 0),
        error(1, 1, -1),
        float(np.sqrt(whole_rate)),
        float(np.sqrt(whole_mix)),
    )


def means_of(hits_0: Floats, rows_0: Floats, hits_1: Floats, rows_1: Floats) -> tuple[Floats, Floats]:
    """Return the means of each segment on both sides; one without rows has the other side's."""
    p_0 = np.divide(hits_0, rows_0, out=np.zeros_like(hits_0), where=rows_0 > 0)
    p_1 = np.divide(hits_1, rows_1, out=np.zeros_like(hits_1), where=rows_1 > 0)
    return np.where(rows_0 > 0, p_0, p_1), np.where(rows_1 > 0, p_1, p_0)


def _side(hits: Floats, rows: Floats, squares: Floats, p: Floats, other: Floats) -> Side:
    n = float(rows.sum())
    within = np.maximum(squares - hits * p, 0.0)
    pooled = float(within.sum()) / n
    s2 = (within + pooled) / np.maximum(rows, 1.0)
    return Side(n, rows / n, p, np.where(rows > 0, s2, 0.0), np.where(other > 0, 0.5, 1.0))


def _variance(side: Side, by_weight: Floats, by_mean: Floats, by_whole: Floats) -> Floats:
    """Return the variance that a side adds to by_weight w_k + by_mean p_k + by_whole P, P its whole mean.

    A row of segment j with value p_j + e moves w_k by (1 if j = k) - w_k, p_k by e / w_k if j = k, and P by
    p_j + e - P. All rows are summed as if outside k, then those of k are put right.
    """
    w, d = side.w, side.p - side.w @ side.p
    outside = (by_weight * w) ** 2 + by_whole**2 * (w @ (d * d) + w @ side.s2)
    as_outside = (by_whole * d - by_weight * w) ** 2 + by_whole**2 * side.s2
    slope = by_mean / np.where(w > 0, w, 1.0) + by_whole
    as_inside = (by_weight * (1.0 - w) + by_whole * d) ** 2 + slope**2 * side.s2
    return np.maximum(outside + w * (as_inside - as_outside), 0.0) / side.n


def _variance_of_sum(side: Side, by_weight: Floats, by_mean: Floats) -> float:
    """Return the variance that a side adds to the sum over k of by_weight w_k + by_mean p_k."""
    safe = np.where(side.w > 0, side.w, 1.0)
    d = by_weight - side.w @ by_weight
    return float(side.w @ (d * d + (by_mean / safe) ** 2 * side.s2)) / side.n
