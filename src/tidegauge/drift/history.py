"""How far to believe a small p: no farther than the p of the reference's own windows let it be believed.

The laws of over-dispersed statistics say how much windows differ, and take for granted that they do so as
normal variables do. Real ones come in bursts: a coach party books forty rooms. If the reference's own windows
had p of 10^-12 by those laws, 10^-12 is nothing strange.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_SMALLEST = 1e-300  # p of a history: a smaller one is as impossible
_LEAST = 3  # windows of the history that make up its tail


@dataclass(frozen=True, slots=True)
class Tail:
    """The p of a history's windows, and the law of the smallest of them.

    `p` `[windows]`, ascending. E = -ln p is exponential with mean 1 if their law is true. Beyond the
    `count`-th largest E, at `threshold`, the mean excess was `scale`, at least 1.
    """

    p: Floats
    count: int
    threshold: float
    scale: float


def tail_of(p: npt.ArrayLike) -> Tail:
    """Learn the tail of the p of a history's windows `[windows]`, 4 of them at least.

    Its part is the square root of their number; the mean excess is Hill's estimate (1975).
    """
    each = np.sort(np.maximum(np.asarray(p, dtype=np.float64), _SMALLEST))
    count = min(max(_LEAST, round(len(each) ** 0.5)), len(each) - 1)
    excess = -np.log(each[: count + 1])
    return Tail(each, count, float(excess[count]), max(float((excess[:count] - excess[count]).mean()), 1.0))


def calibrated(p: npt.ArrayLike, tail: Tail) -> Floats:
    """Return p `[...]` as the history lets it be believed: never smaller, NaN for NaN.

    Inside the history it is at least its rank, (1 + windows with a p as small) / (windows + 1). Beyond, the
    chance of an excess x over the threshold is (1 + x / (count scale))^-count, the predictive law of an
    exponential whose mean is known from `count` values: the fewer windows, the less of an extrapolation.
    """
    own = np.asarray(p, dtype=np.float64)
    n = len(tail.p)
    least = np.maximum(own, _SMALLEST)
    rank = (1.0 + np.searchsorted(tail.p, least, side="right")) / (n + 1.0)
    excess = np.maximum(-np.log(least) - tail.threshold, 0.0)
    beyond = (tail.count + 1.0) / (n + 1.0) * (1.0 + excess / (tail.count * tail.scale)) ** -tail.count
    believed = np.maximum(own, np.where(excess > 0, beyond, rank))
    return np.asarray(np.where(np.isnan(own), np.nan, believed))
