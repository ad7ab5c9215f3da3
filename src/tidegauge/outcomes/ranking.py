"""Metrics of ranked lists: one number a query, summed over queries.

Rows of one query are ranked by falling score; equal scores stay in the order of the rows. Relevance is 0 or
more; an item is relevant where it is above 0. A query without a relevant item has no right answer, and of one
item there is no wrong one: both are counted and left out. All metrics lie in [0, 1], lower is worse, and
their intervals are by the variance between queries, which must be whole: all rows of a query in one call.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import nan

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.intervals import NO_INTERVAL, bounded
from tidegauge.outcomes.metric import Metric, measured
from tidegauge.outcomes.sums import Sums, sums_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RankingSums:
    """Sums over queries of their metrics among the first `k` items; `+` merges, `-` takes a part away.

    Left out are queries of one item, those without a relevant one, and those with an item that lacks a score
    or a relevance.
    """

    k: int
    ndcg: Sums = field(default_factory=Sums)
    average_precision: Sums = field(default_factory=Sums)
    reciprocal_rank: Sums = field(default_factory=Sums)
    hit: Sums = field(default_factory=Sums)
    recall: Sums = field(default_factory=Sums)
    precision: Sums = field(default_factory=Sums)
    n_without_relevant: int = 0
    n_single: int = 0
    n_incomplete: int = 0

    def __add__(self, other: RankingSums) -> RankingSums:
        self._refuse_other_k(other)
        names = [each.name for each in fields(self) if each.name != "k"]
        return RankingSums(self.k, *(getattr(self, name) + getattr(other, name) for name in names))

    def __sub__(self, other: RankingSums) -> RankingSums:
        self._refuse_other_k(other)
        names = [each.name for each in fields(self) if each.name != "k"]
        return RankingSums(self.k, *(getattr(self, name) - getattr(other, name) for name in names))

    def _refuse_other_k(self, other: RankingSums) -> None:
        if self.k != other.k:
            raise ValueError(f"sums over the first {self.k} and the first {other.k} items cannot be combined")


def sum_ranking(
    queries: npt.ArrayLike, scores: npt.ArrayLike, relevance: npt.ArrayLike, k: int
) -> RankingSums:
    """Sum the metrics of `[rows]` of ranked items over their queries, O(rows log rows).

    `queries` are anything that sorts. Rows whose score or relevance is NaN are refused, as are negative or
    infinite relevance, unlike lengths and k below 1 (ValueError).
    """
    query, score = np.asarray(queries), np.asarray(scores, dtype=np.float64)
    gain = np.asarray(relevance, dtype=np.float64)
    if k < 1:
        raise ValueError(f"k is {k}; pass the number of first items to look at, 1 or more")
    if score.ndim != 1 or not query.shape == score.shape == gain.shape:
        raise ValueError(
            f"queries, scores and relevance are of shape {query.shape}, {score.shape} and {gain.shape}; "
            "pass one of each for every row"
        )
    if np.isnan(score).any() or not (np.isfinite(gain) & (gain >= 0)).all():
        raise ValueError("a score is NaN or a relevance is NaN, negative or infinite; drop these rows first")
    if not len(query):
        return RankingSums(k)
    group = np.unique(query, return_inverse=True)[1].reshape(-1).astype(np.int64)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(np.sort(group))) + 1])
    ranked, rank = _in_order(group, gain, score, starts)
    ideal, _ = _in_order(group, gain, gain, starts)
    first = rank <= k
    discount = np.where(first, 1 / np.log2(rank + 1.0), 0.0)
    relevant = (ranked > 0).astype(np.float64)
    so_far = _running(relevant, starts)

    def total(values: Floats) -> Floats:
        return np.add.reduceat(values, starts)

    n_relevant, single = total(relevant), total(np.ones_like(relevant)) == 1
    some = (n_relevant > 0) & ~single
    found = total(relevant * first)[some]
    n_relevant = n_relevant[some]
    firsts = np.where((relevant > 0) & first, 1.0 / rank, 0.0)
    return RankingSums(
        k=k,
        ndcg=sums_of(total(ranked * discount)[some] / total(ideal * discount)[some]),
        average_precision=sums_of(total(relevant * first * so_far / rank)[some] / np.minimum(n_relevant, k)),
        reciprocal_rank=sums_of(np.maximum.reduceat(firsts, starts)[some]),
        hit=sums_of((found > 0).astype(np.float64)),
        recall=sums_of(found / n_relevant),
        precision=sums_of(found / k),
        n_without_relevant=int((~some & ~single).sum()),
        n_single=int(single.sum()),
    )


def ndcg(sums: RankingSums) -> Metric:
    """Return the mean discounted gain, sum relevance / log2(rank + 1), as a share of the best order's."""
    return _mean(f"ndcg_at_{sums.k}", sums, sums.ndcg)


def mean_average_precision(sums: RankingSums) -> Metric:
    """Return the mean of the sum of precision at each relevant item of the first k, over min(relevant, k)."""
    return _mean(f"mean_average_precision_at_{sums.k}", sums, sums.average_precision)


def mean_reciprocal_rank(sums: RankingSums) -> Metric:
    """Return the mean of 1 / rank of the first relevant item; 0 where there is none among the first k."""
    return _mean(f"mean_reciprocal_rank_at_{sums.k}", sums, sums.reciprocal_rank)


def hit_rate(sums: RankingSums) -> Metric:
    """Return the share of queries with a relevant item among the first k."""
    return _mean(f"hit_rate_at_{sums.k}", sums, sums.hit)


def recall_at_k(sums: RankingSums) -> Metric:
    """Return the mean share of a query's relevant items that are among the first k."""
    return _mean(f"recall_at_{sums.k}", sums, sums.recall)


def precision_at_k(sums: RankingSums) -> Metric:
    """Return the mean share of the first k items that are relevant; of fewer items the others are not."""
    return _mean(f"precision_at_{sums.k}", sums, sums.precision)


def ranking_metrics(sums: RankingSums) -> dict[str, Metric]:
    """Return what is told of ranked lists among the first k items."""
    every = (ndcg, mean_average_precision, mean_reciprocal_rank, hit_rate, recall_at_k, precision_at_k)
    return {found.name: found for found in (metric(sums) for metric in every)}


def catalogue_coverage(times_shown: npt.ArrayLike) -> Metric:
    """Return the share of the catalogue that was shown; `times_shown` is `[items]`, merged by adding."""
    shown = np.asarray(times_shown, dtype=np.float64)
    share = np.count_nonzero(shown > 0) / shown.size if shown.size else nan
    reason = "the catalogue is empty"
    return measured(
        "catalogue_coverage", share, NO_INTERVAL, n=shown.size, direction="lower_is_worse", reason=reason
    )


def _in_order(group: Integers, gain: Floats, key: Floats, starts: Integers) -> tuple[Floats, Integers]:
    """Return gains by group and falling key, and the rank from 1 of each within its group."""
    order = np.lexsort((-key, group))
    lengths = np.diff(np.concatenate([starts, [len(group)]]))
    rank = np.arange(len(group), dtype=np.int64) - np.repeat(starts, lengths) + 1
    return gain[order], rank


def _running(values: Floats, starts: Integers) -> Floats:
    """Return sums of whole numbers from the start of each group on."""
    sums = np.cumsum(values)
    lengths = np.diff(np.concatenate([starts, [len(values)]]))
    return sums - np.repeat(sums[starts] - values[starts], lengths)


def _mean(name: str, sums: RankingSums, of: Sums) -> Metric:
    reason = "there is no query with a relevance" if not sums.n_single else "all queries are of one item"
    reason = "no query of several items has a relevant one" if sums.n_without_relevant else reason
    interval = bounded(of.mean, of.variance_of_mean, of.n)
    return measured(name, of.mean, interval, n=of.n, direction="lower_is_worse", reason=reason)
