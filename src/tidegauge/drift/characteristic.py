"""Epps-Singleton: the test of two characteristic functions, on values rounded to one point per cell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_TIMES = (0.4, 0.8)  # in units of 1 / semi-interquartile range; Epps & Singleton's recommendation
_FEW_ROWS = 25  # below which the statistic is shrunk


def epps_singleton(
    reference: npt.ArrayLike, current: npt.ArrayLike, points: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Return (statistic, p), each `[...]`, of counts `[..., cells]` with `points [..., cells]`.

    A cell's rows count as its point (its middle, or its edge where it is open): the test is exact about the
    rounded variable, whose cells must be narrow beside the semi-interquartile range if it is to tell what
    Epps & Singleton's (1986) tells of the raw one. The points must not depend on the current rows. The
    statistic is d' S^-1 d, d the gaps of the means of cos and sin of x t at t = 0.4 and 0.8 / sigma, S their
    covariance within the samples, sigma half the interquartile range of the pooled rows (inverse of the
    distribution function, no interpolation). It is chi-square with as many degrees of freedom as S has rank
    (4 as a rule), which is also its mean when nothing changed. Range [0, inf), higher is worse. Feels changes
    of shape and spread more than small shifts. NaN where a side has fewer than 5 rows, or sigma is 0.
    """
    from scipy.special import chdtrc

    a, b, x = np.broadcast_arrays(
        *(np.asarray(each, dtype=np.float64) for each in (reference, current, points))
    )
    n, m = a.sum(axis=-1), b.sum(axis=-1)
    sigma = _half_range(a + b, x)
    defined = (n >= 5) & (m >= 5) & (sigma > 0)
    with np.errstate(over="ignore"):
        scaled = x / np.where(defined, sigma, 1.0)[..., None]
    # Beyond 10^15 half ranges a double does not know where on the circle it is.
    scaled = np.clip(scaled, -1e15, 1e15)
    angles = np.where((a + b > 0)[..., None, :], np.stack([t * scaled for t in _TIMES], axis=-2), 0.0)
    scores = np.concatenate([np.cos(angles), np.sin(angles)], axis=-2)  # [..., 4, cells]
    p, q = a / np.where(defined, n, 1.0)[..., None], b / np.where(defined, m, 1.0)[..., None]
    gap = (scores * (p - q)[..., None, :]).sum(axis=-1)
    n, m = np.where(defined, n, 1.0), np.where(defined, m, 1.0)
    within = _covariance(scores, p) / n[..., None, None] + _covariance(scores, q) / m[..., None, None]
    inverse = np.linalg.pinv(within, hermitian=True)
    statistic = np.einsum("...i,...ij,...j->...", gap, inverse, gap)
    few = np.maximum(n, m) < _FEW_ROWS
    shrunk = 1.0 / (1.0 + (n + m) ** -0.45 + 10.1 * (n**-1.7 + m**-1.7))
    statistic = np.where(defined, np.where(few, shrunk, 1.0) * statistic, np.nan)
    rank = np.maximum(np.linalg.matrix_rank(within, hermitian=True), 1).astype(np.float64)
    return statistic, np.asarray(chdtrc(rank, statistic))


def _half_range(counts: Floats, points: Floats) -> Floats:
    """Return half the distance of the points where a quarter and three quarters of the rows are reached."""
    through = np.cumsum(counts, axis=-1)
    total = through[..., -1:]
    ends = [np.argmax(through >= quarter * total, axis=-1)[..., None] for quarter in (0.25, 0.75)]
    low, high = (np.take_along_axis(points, end, axis=-1)[..., 0] for end in ends)
    return np.asarray((high - low) / 2.0)


def _covariance(scores: Floats, share: Floats) -> Floats:
    """Return the covariance `[..., 4, 4]` of the scores of one sample, divisor its rows."""
    mean = (scores * share[..., None, :]).sum(axis=-1, keepdims=True)
    centred = scores - mean
    return np.asarray((centred * share[..., None, :]) @ np.swapaxes(centred, -1, -2))
