"""Joint: what a profile knows of its columns together, as a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge.scores import SCORE_UNIT

Floats = npt.NDArray[np.float64]

_WAVE_UNIT = 4096.0
_ROUNDING = 1e-12  # of a difference of two numbers, in parts of them


@dataclass(frozen=True, slots=True)
class Joint:
    """Means over `n` rows of scores z, of their products, and of waves of random projections of them.

    A row's score in a column is the normal score of its cell in the reference, in the reference's standard
    deviations and within +-3.15; 0 without a usable value. `columns` are d names, None where the profile
    came from bytes without its reference; `id` tells by which scores. `largest` `[d]` bounds |z_i|. `means`
    `[d]` of z_i; `second_moments` `[d, d]` of z_i z_j; `fourth_moments` `[d, d]` of (z_i z_j)^2; `waves`
    `[k, 2]` of cosine and sine. All float64, NaN without rows. `parts` are the same of 32 random parts of a
    reference's rows, without fourth moments; else empty.
    """

    id: str
    n: int
    columns: tuple[str, ...] | None
    largest: Floats
    means: Floats
    second_moments: Floats
    fourth_moments: Floats | None
    waves: Floats
    parts: tuple[Joint, ...]

    @property
    def covariance(self) -> Floats:
        """The covariance matrix of the scores `[d, d]`, divided by n."""
        return self.second_moments - np.outer(self.means, self.means)

    @property
    def correlation(self) -> Floats:
        """The correlation matrix of the scores `[d, d]`; NaN for a column whose scores do not vary."""
        covariance = self.covariance
        variance, square = np.diagonal(covariance), np.diagonal(self.second_moments)
        sd = np.sqrt(np.where(variance > _ROUNDING * square, variance, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(np.outer(sd, sd) > 0, covariance / np.outer(sd, sd), np.nan)


def snapshot(core: _core.Joint) -> Joint:
    """Return what the engine has summed, as means."""
    spec = core.spec
    largest = np.full(core.n_columns, _core.MAX_SCORE / SCORE_UNIT)
    if spec is not None:
        largest = np.array([np.abs(scores).max() / SCORE_UNIT for scores in spec.scores])
    known = f"{core.id:016x}", None if spec is None else tuple(spec.names), largest
    return _means(known, core.total, tuple(_means(known, part, ()) for part in core.parts))


def _means(known: tuple[str, tuple[str, ...] | None, Floats], sums: Any, parts: tuple[Joint, ...]) -> Joint:
    n, first, products, squares, waves = sums
    with np.errstate(invalid="ignore"):
        rows = np.float64(n)
        d = len(first)
        return Joint(
            *(known[0], n, *known[1:]),
            first / (rows * SCORE_UNIT),
            symmetric(products / (rows * SCORE_UNIT**2), d),
            symmetric(squares / (rows * SCORE_UNIT**4), d) if len(squares) else None,
            (waves / (rows * _WAVE_UNIT)).reshape(-1, 2),
            parts,
        )


def symmetric(upper: Floats, d: int) -> Floats:
    """Return the matrix of an upper triangle that is given row after row."""
    matrix = np.empty((d, d))
    row, column = np.triu_indices(d)
    matrix[row, column] = matrix[column, row] = upper
    return matrix
