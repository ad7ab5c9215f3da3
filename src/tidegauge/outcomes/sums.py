"""Sums of a number and of its square over rows or queries: the state of a mean and of its interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.intervals import Interval, normal
from tidegauge.outcomes.row_weights import less


@dataclass(frozen=True, slots=True)
class Sums:
    """`n` rows (or their weight), the sum of their values and of the squares; `+` merges, `-` takes away."""

    n: float = 0.0
    total: float = 0.0
    square: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.n + other.n, self.total + other.total, self.square + other.square)

    def __sub__(self, other: Sums) -> Sums:
        n = float(less(self.n, other.n))
        return Sums(n, self.total - other.total, self.square - other.square) if n else Sums()

    @property
    def mean(self) -> float:
        """The mean; NaN of no rows."""
        return self.total / self.n if self.n > 0 else nan

    @property
    def variance_of_mean(self) -> float:
        """The sampling variance of the mean; NaN with fewer than two rows."""
        if not self.n > 1:
            return nan
        return max(self.square / self.n - self.mean * self.mean, 0.0) / (self.n - 1)

    @property
    def interval(self) -> Interval:
        """The central limit's 95 % interval of the mean; NaN with fewer than two rows."""
        return normal(self.mean, self.variance_of_mean)


def sums_of(values: npt.ArrayLike, weights: npt.ArrayLike = 1.0) -> Sums:
    """Return the sums of `[rows]` values with `weights`."""
    value, weight = np.broadcast_arrays(np.asarray(values, dtype=np.float64), weights)
    with np.errstate(over="ignore", invalid="ignore"):  # a sum that is infinite is told as undefined
        total, square = float((weight * value).sum()), float((weight * value * value).sum())
    return Sums(float(weight.sum()), total, square)
