"""How far features have changed places in what a model goes by: rankings of mean absolute attributions."""

from __future__ import annotations

from math import nan

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.intervals import NO_INTERVAL, Interval

Floats = npt.NDArray[np.float64]

MIN_PARTS = 8  # with fewer, resampled parts say too little of how parts differ
RESAMPLED = 2_000


def attribution_ndcg(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Return nDCG of the current order of features, with reference attributions as gains; lower is worse.

    `reference` and `current` are `[features]` mean absolute attributions. DCG = sum a_i / log2(i + 1) over
    the features in falling order of `current`, a their reference attribution, divided by that of the best
    order, their own: 1 where no feature changed places. As SageMaker Clarify defines it. Features that are
    equal now come in the order that is best, so that ties are no drift. NaN where all attributions are 0.
    """
    gain, now = np.asarray(reference, np.float64), np.asarray(current, np.float64)
    return float(_ndcg(gain, now[np.newaxis])[0])


def rank_correlation(reference: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Return Spearman's correlation of both rankings, equal values sharing ranks; NaN of a flat side."""
    sides = [_ranks(np.asarray(each, np.float64)) for each in (reference, current)]
    off = [each - each.mean() for each in sides]
    scale = np.sqrt((off[0] @ off[0]) * (off[1] @ off[1]))
    return float(off[0] @ off[1] / scale) if scale > 0 else nan


def ndcg_interval(reference: Floats, sums: Floats, rows: Floats, seed: int = 0) -> Interval:
    """Return a 95 % interval of nDCG by how the parts that make up the current rows differ.

    `sums` and `rows` are `[parts, features]`: sums of absolute attributions, and the rows of each. 2,000
    times as many parts are drawn with replacement, and of the nDCG of each draw the .025 and .975 quantiles
    taken (Efron 1979); the draws depend on `seed` alone. NaN with fewer than 8 parts.
    """
    n = len(sums)
    if n < MIN_PARTS:
        return NO_INTERVAL
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), RESAMPLED).astype(np.float64)
    total, count = weights @ sums, weights @ rows
    means = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    low, high = np.quantile(_ndcg(reference, means), [0.025, 0.975])
    return float(low), float(high)


def _ndcg(gain: Floats, current: Floats) -> Floats:
    """Return nDCG of each of `[draws, features]`."""
    discount = 1.0 / np.log2(np.arange(len(gain)) + 2.0)
    best = float(np.sort(gain)[::-1] @ discount)
    if not best > 0:
        return np.full(len(current), nan)
    order = np.lexsort((np.broadcast_to(-gain, current.shape), -current), axis=-1)
    return np.asarray(gain[order] @ discount / best)


def _ranks(values: Floats) -> Floats:
    """Return ranks, equal values sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[inverse.reshape(-1)])
