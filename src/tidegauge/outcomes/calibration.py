"""Whether rows with score p are positive in p of cases, from score cells.

Neighbouring cells are joined into at most `bins` of near equal numbers of labelled rows; the sums of a bin
are exact. Where a cell has unlabelled rows its labelled ones are taken to have its mean score; `bound` covers
that.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, nan, sqrt

import numpy as np
import numpy.typing as npt

from tidegauge.measurement import Direction
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.intervals import NO_INTERVAL, normal, wilson
from tidegauge.outcomes.metric import Metric, measured
from tidegauge.outcomes.probability_cells import ProbabilityCells, probability_cells
from tidegauge.outcomes.proper_scores import brier

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityCurve:
    """`[bins]` each, by rising score: mean score, share of positives with a 95 % interval, labelled rows."""

    scores: Floats
    shares: Floats
    low: Floats
    high: Floats
    rows: Floats


@dataclass(frozen=True, slots=True)
class BrierParts:
    """Brier = reliability - resolution + uncertainty + within; None where undefined, for `reason`.

    `reliability` is how far shares of positives are from scores (higher is worse), `resolution` how far they
    are from one another (lower is worse), `uncertainty` what no score can help; `within` comes from the
    scores of a bin not being one.
    """

    reliability: float | None
    resolution: float | None
    uncertainty: float | None
    within: float | None
    n: float
    reason: str | None = None


def reliability_curve(counts: BinaryCounts, bins: int = 10) -> ReliabilityCurve:
    """Return the curve; empty where no row is labelled or scores are not probabilities."""
    rows, scores, shares, _ = _bins(probability_cells(counts), bins)
    ends = np.array([wilson(share, n) for share, n in zip(shares, rows, strict=True)]).reshape(-1, 2)
    return ReliabilityCurve(scores, shares, ends[:, 0], ends[:, 1], rows)


def expected_calibration_error(counts: BinaryCounts, bins: int = 15) -> Metric:
    """Return the mean of |share of positives - score| over bins (Naeini 2015), less what chance adds to it.

    A gap g with standard error s is taken as 2 |g| - E |N(g, s^2)|, the first-order correction;
    of a perfectly calibrated model .59 of the bias remains. Range [0, 1], higher is worse.
    """
    cells = probability_cells(counts)
    if cells.reason:
        return _undefined("expected_calibration_error", cells)
    rows, scores, shares, spread = _bins(cells, bins)
    weights = rows / cells.n
    gap, variance = np.abs(shares - scores), _share_variance(shares, rows)
    folded = _folded_mean(gap, np.sqrt(variance))
    value = max(float(weights @ (2 * gap - folded)), 0.0)
    of_value = float(weights**2 @ np.maximum(gap**2 + variance - folded**2, 0.0))
    interval, bound = normal(value, of_value), 2 * float(weights @ spread)
    return _error("expected_calibration_error", cells, value, interval, bound)


def rms_calibration_error(counts: BinaryCounts, bins: int = 15) -> Metric:
    """Return the root of the mean of (share of positives - score)^2 over bins, debiased (Kumar et al. 2019).

    share (1 - share) / (rows - 1) is subtracted from each square, which is what chance adds; a mean below 0
    is told as 0. Range [0, 1], higher is worse.
    """
    cells = probability_cells(counts)
    if cells.reason:
        return _undefined("rms_calibration_error", cells)
    rows, scores, shares, spread = _bins(cells, bins)
    weights = rows / cells.n
    variance = _share_variance(shares, rows)
    gap = np.abs(shares - scores)
    square = float(weights @ (gap**2 - variance))
    of_square = float(weights**2 @ (4 * np.maximum(gap**2 - variance, 0.0) * variance + 2 * variance**2))
    value, moved = _root(square), float(weights @ (2 * gap * spread + spread**2))
    low, high = normal(square, of_square)
    bound = max(_root(square + moved) - value, value - _root(square - moved))
    return _error("rms_calibration_error", cells, value, (_root(low), _root(high)), bound)


def spiegelhalter_z(counts: BinaryCounts) -> Metric:
    """Return Spiegelhalter's Z (1986), standard normal for calibrated scores, with its two-sided p.

    sum (y - p)(1 - 2p) / sqrt(sum (1 - 2p)^2 p (1 - p)): above 0 where the Brier score is larger than the
    scores themselves promise. Within a cell labels are taken to follow scores, as it tests; `bound` covers
    every way that labels and scores may fall. Undefined where all scores are 0, .5 or 1.
    """
    cells = probability_cells(counts)
    if cells.reason:
        return _undefined("spiegelhalter_z", cells)
    positives, mean, variance, labelled = cells.positives, cells.mean, cells.variance, cells.labelled
    # The sum of 2 p^2 - 2 y p over a cell is 2 m^2 - 2 y m: variance and covariance of its rows cancel.
    top = float((positives - labelled * mean) @ (1 - 2 * mean))
    inner = (1 - 2 * mean) ** 2 * mean * (1 - mean)
    bottom = float(labelled @ inner)
    if bottom <= 1e-12 * cells.n:
        reason = "all scores are 0, .5 or 1, for which it has no variance"
        return measured("spiegelhalter_z", nan, NO_INTERVAL, n=cells.n, direction="neutral", reason=reason)
    least, greatest = cells.mean_between(positives)
    top_off = 2 * float(positives @ np.maximum(greatest - mean, mean - least))
    top_off += 2 * float(labelled @ variance)
    # Where rows are unlabelled: |d/dp (y - p)(1 - 2p)| <= 3 and |d/dp (1 - 2p)^2 p (1 - p)| <= 1.
    away = labelled * np.where(cells.spread > 0, cells.high - cells.low, 0.0)
    top_off += 3 * float(away.sum())
    # The second derivative of the summand below lies within [-10, 2].
    bottom_off = 5 * float(labelled @ variance) + float(away.sum())
    value = top / sqrt(bottom)
    ends = [
        (top + off) / sqrt(max(bottom + by, 1e-12))
        for off in (-top_off, top_off)
        for by in (-bottom_off, bottom_off)
    ]
    return measured(
        "spiegelhalter_z",
        value,
        NO_INTERVAL,
        n=cells.n,
        direction="neutral",
        reason="",
        bound=max(abs(end - value) for end in ends),
        p_value=erfc(abs(value) / sqrt(2)),
    )


def brier_parts(counts: BinaryCounts, bins: int = 15) -> BrierParts:
    """Return Murphy's parts (1973) of the Brier score, corrected for chance (Ferro, Fricker 2012).

    Of rows n_b with mean score p_b and share y_b: reliability = sum n_b (p_b - y_b)^2 / n, resolution = sum
    n_b (y_b - y)^2 / n, uncertainty = y (1 - y). Chance adds sum n_b / (n_b - 1) y_b (1 - y_b) / n to the
    first two; either may come out below 0 after correction.
    """
    cells = probability_cells(counts)
    whole = brier(counts)
    if whole.value is None or not cells.n > 1:
        return BrierParts(None, None, None, None, cells.n, whole.reason or "one labelled row is too few")
    rows, scores, shares, _ = _bins(cells, bins)
    weights = rows / cells.n
    share = float(cells.positives.sum()) / cells.n
    uncertainty = share * (1 - share)
    plain = float(weights @ (scores - shares) ** 2), float(weights @ (shares - share) ** 2)
    chance = float(weights @ _share_variance(shares, rows))
    of_share = uncertainty / (cells.n - 1)
    return BrierParts(
        reliability=plain[0] - chance,
        resolution=plain[1] - chance + of_share,
        uncertainty=uncertainty + of_share,
        within=whole.value - (plain[0] - plain[1] + uncertainty),
        n=cells.n,
    )


def _bins(cells: ProbabilityCells, bins: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return labelled rows, mean score, share of positives and how far the score may be off, `[bins]`."""
    if bins < 1:
        raise ValueError(f"bins is {bins}; pass 1 or more")
    labelled = cells.labelled
    if cells.reason:
        return (np.empty(0),) * 4
    middle = np.cumsum(labelled) - labelled / 2
    starts = np.unique((middle / cells.n * bins).astype(np.int64), return_index=True)[1]
    rows = np.add.reduceat(labelled, starts)
    parts = (labelled * cells.mean, cells.positives, labelled * cells.spread)
    scores, shares, spread = (np.add.reduceat(part, starts) / rows for part in parts)
    return rows, scores, shares, spread


def _share_variance(shares: Floats, rows: Floats) -> Floats:
    """Return the unbiased sampling variance of shares of rows; of a single row, the greatest: 1/4."""
    return np.where(rows > 1, shares * (1 - shares) / np.maximum(rows - 1, 1e-100), 0.25)


def _folded_mean(mean: Floats, deviation: Floats) -> Floats:
    """Return E |N(mean, deviation^2)|."""
    z = np.divide(mean, deviation, out=np.full_like(mean, 40.0), where=deviation > 0)
    z = np.minimum(z, 40.0)
    tail = np.array([erfc(each / sqrt(2)) for each in z])
    folded: Floats = deviation * sqrt(2 / np.pi) * np.exp(-z * z / 2) + mean * (1 - tail)
    return folded


def _root(square: float) -> float:
    return sqrt(max(square, 0.0))


def _error(
    name: str, cells: ProbabilityCells, value: float, interval: tuple[float, float], bound: float
) -> Metric:
    """Return a calibration error; a constant answer of the share of positives has none."""
    return measured(
        name,
        value,
        (max(interval[0], 0.0), interval[1]),
        n=cells.n,
        direction="higher_is_worse",
        reason="",
        bound=bound,
        constant=0.0,
    )


def _undefined(name: str, cells: ProbabilityCells) -> Metric:
    direction: Direction = "neutral" if name == "spiegelhalter_z" else "higher_is_worse"
    return measured(name, nan, NO_INTERVAL, n=cells.n, direction=direction, reason=cells.reason or "")
