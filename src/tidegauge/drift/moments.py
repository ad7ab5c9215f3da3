"""Changes of the mean and of the variance, from each side's size, mean and variance alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidegauge.drift.divergences import Z_95

Floats = npt.NDArray[np.float64]


def mean_change(
    reference: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
    current: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the change of the mean (change, low, high, p), in standard deviations of the reference.

    Each side is (rows, mean, variance), all of them and the results `[...]`. change = (mean_current -
    mean_reference) / sd_reference, range (-inf, inf); the 95 % interval is normal, the p two-sided by Welch's
    t with Satterthwaite's degrees of freedom. Variances are those of the sample (divisor n - 1). NaN where a
    side has fewer than two rows, or where the reference does not vary; p is then 1 for equal constants and 0
    for unlike ones.
    """
    from scipy.special import stdtr

    n, x, v, m, y, w = (np.asarray(each, dtype=np.float64) for each in (*reference, *current))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        change = np.where((v > 0) & (n > 1) & (m > 1), (y - x) / np.sqrt(v), np.nan)
        of_x, of_y = v / n, w / m
        error = np.sqrt(of_x + of_y)
        part = of_x / (of_x + of_y)
        degrees = 1.0 / (part * part / (n - 1) + (1.0 - part) ** 2 / (m - 1))
        p = 2.0 * stdtr(degrees, -np.abs(y - x) / error)
        half = Z_95 * error / np.sqrt(v)
        p = np.where(error > 0, p, np.where(x == y, 1.0, 0.0))
        p = np.where((n > 1) & (m > 1) & np.isfinite(x) & np.isfinite(y), p, np.nan)
    return change, change - half, change + half, p


def variance_ratio(variance_reference: npt.ArrayLike, variance_current: npt.ArrayLike) -> Floats:
    """Return variance_current / variance_reference, `[...]`; range [0, inf), 1 when nothing changed.

    NaN where the reference does not vary. Its p is `variance_test`'s, which needs the fourth moments: without
    them it would be wrong for every variable that is not normal.
    """
    v, w = np.asarray(variance_reference, dtype=np.float64), np.asarray(variance_current, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(v > 0, w / v, np.nan)


def variance_test(
    reference: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
    current: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the ratio of the variances, current / reference, and its test (ratio, low, high, p), `[...]`.

    Each side is (rows, M2, M4): the sums of the squares and of the fourth powers of the deviations from its
    mean. ln ratio is normal with variance (k - 3)(1/n + 1/m) + 2 / (n - 1) + 2 / (m - 1), where k = (n + m)
    (M4 + M4') / (M2 + M2')^2 is the pooled kurtosis, which the interval (95 %) takes for that of both sides;
    Layard (1973). Range [0, inf), 1 when nothing changed, neither direction is worse. Right for every
    variable with eight moments and many rows; heavier tails make p too small. NaN where a side has fewer than
    two rows or does not vary.
    """
    from scipy.special import ndtr

    n, v, v4, m, w, w4 = (np.asarray(each, dtype=np.float64) for each in (*reference, *current))
    defined = (n > 1) & (m > 1) & (v > 0) & (w > 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_ratio = np.log((w / (m - 1.0)) / (v / (n - 1.0)))
        excess = (n + m) * ((v4 + w4) / (v + w)) / (v + w) - 3.0
        error = excess * (1.0 / n + 1.0 / m) + 2.0 / (n - 1.0) + 2.0 / (m - 1.0)
        # The kurtosis is at least 1, where two values alternate and the variance hardly varies.
        error = np.sqrt(np.maximum(error, 0.0))
        p = np.where(error > 0, 2.0 * ndtr(-np.abs(log_ratio) / error), np.where(log_ratio == 0, 1.0, 0.0))
        numbers = (log_ratio, log_ratio - Z_95 * error, log_ratio + Z_95 * error)
        ratio, low, high = (np.where(defined, np.exp(each), np.nan) for each in numbers)
    return ratio, low, high, np.where(defined, p, np.nan)


def power_sums(
    rows: npt.ArrayLike, variance: npt.ArrayLike, kurtosis: npt.ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Return a side of `variance_test`, (rows, M2, M4), from variance and excess kurtosis, `[...]` each."""
    n, v, k = (np.asarray(each, dtype=np.float64) for each in (rows, variance, kurtosis))
    square = v * np.maximum(n - 1.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return n, square, (k + 3.0) * square * square / n


def variance_ratio_floor(
    reference: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
    current: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
) -> Floats:
    """Return about E|ln ratio| of `variance_test` under no change, `[...]`: sqrt(2 / pi) of its deviation."""
    ratio, low, _, _ = variance_test(reference, current)
    with np.errstate(divide="ignore"):
        return np.asarray(np.sqrt(2.0 / np.pi) * np.log(ratio / low) / Z_95)
