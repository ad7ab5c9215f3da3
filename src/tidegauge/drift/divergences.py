"""Divergences between two samples counted in the same cells: PSI, Kullback-Leibler, Jensen-Shannon and more.

Every function takes counts `[..., cells]` (whole numbers, the last axis are the cells, their order has no
meaning) of the reference and of the current rows, broadcasts the leading axes, and returns `[...]` of
float64. Higher is worse. NaN where a side has no rows. Cells empty on both sides do not count, so columns may
be padded with zeros. Each `*_floor` is the value to expect when nothing changed, from the sizes n and m
alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

Z_95 = 1.959963984540054  # two-sided 95 % of the normal distribution


def psi(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Population stability index, sum (q - p) ln(q / p), in nats; range [0, inf).

    Symmetric in its arguments; also known as Jeffreys divergence. Shares are (c + 1/2) / (n + B/2) over the B
    cells that are not empty on both sides, so that an empty cell adds what its size can prove and no more.
    For small shifts of a normal variable by d standard deviations it is d squared.
    """
    p, q, _, _, _ = _smoothed(reference, current)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=-1))


def psi_floor(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return E[PSI] under no change: (B - 1)(1/n + 1/m), B the cells that are not empty on both sides."""
    _, _, n, m, used = _smoothed(reference, current)
    return _floor(n, m, used)


def psi_interval(
    reference: npt.ArrayLike, current: npt.ArrayLike, dispersion: npt.ArrayLike = 1.0
) -> tuple[Floats, Floats, Floats]:
    """Return the bias-corrected PSI and its 95 % interval (estimate, low, high), each `[...]`; nats.

    estimate = PSI - (B - 1)(1/n + 1/m). Its variance is that of the delta method with the exact variance of
    the chi-square limit added: Var_p(ln p/q + 1 - q/p) / n + Var_q(ln q/p + 1 - p/q) / m + 2 (B - 1)(1/n +
    1/m)^2. The interval is normal, and covers 94.7 % or more from no change up to PSI 0.2 (measured in the
    tests). `dispersion` `[...]` is how many times more than rows drawn one by one the samples vary.
    """
    p, q, n, m, used = _smoothed(reference, current)
    factor = np.asarray(dispersion, dtype=np.float64)
    n, m = np.asarray(n / factor), np.asarray(m / factor)
    log_ratio = np.log(q / p)
    raw = ((q - p) * log_ratio).sum(axis=-1)
    of_p = _variance(p, 1.0 - log_ratio - q / p) / n
    of_q = _variance(q, 1.0 + log_ratio - p / q) / m
    noise = 2.0 * np.maximum(used - 1, 0) * (1.0 / n + 1.0 / m) ** 2
    half = Z_95 * np.sqrt(of_p + of_q + noise)
    estimate = raw - _floor(n, m, used)
    return np.asarray(estimate), np.asarray(estimate - half), np.asarray(estimate + half)


def kl(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Kullback-Leibler divergence of current from reference, sum q ln(q / p), in nats; range [0, inf).

    What the current rows cost more, per row, in a code made for the reference. Not symmetric: swap the
    arguments for the other direction. Both add up to `psi`, with the same smoothed shares.
    """
    p, q, _, _, _ = _smoothed(reference, current)
    return np.asarray(np.maximum((q * np.log(q / p)).sum(axis=-1), 0.0))


def kl_floor(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return E[KL] under no change: (B - 1)(1/n + 1/m) / 2."""
    return np.asarray(psi_floor(reference, current) / 2.0)


def jensen_shannon(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Jensen-Shannon distance: the square root of the divergence in base 2; range [0, 1], a metric.

    Base 2 makes disjoint samples 1. Libraries that use natural logarithms report sqrt(ln 2) = 0.83 of this.
    """
    return np.asarray(np.sqrt(jensen_shannon_divergence(reference, current)))


def jensen_shannon_floor(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return about the distance to expect under no change: sqrt((B - 1) / (8 ln 2 N)), N = nm / (n + m)."""
    return np.asarray(np.sqrt(jensen_shannon_divergence_floor(reference, current)))


def jensen_shannon_divergence(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Jensen-Shannon divergence in bits, the square of the distance `jensen_shannon`; range [0, 1].

    (sum p log2(p / h) + sum q log2(q / h)) / 2 with h = (p + q) / 2: how much one row tells of which sample
    it is from, when both are as likely.
    """
    p, q = _shares(reference), _shares(current)
    middle = (p + q) / 2.0
    divergence = (_entropy_terms(p, middle) + _entropy_terms(q, middle)) / 2.0
    return np.asarray(np.clip(divergence, 0.0, 1.0))


def jensen_shannon_divergence_floor(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return about the divergence to expect under no change: (B - 1)(1/n + 1/m) / (8 ln 2), in bits."""
    return np.asarray(psi_floor(reference, current) / (8.0 * np.log(2.0)))


def hellinger(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Hellinger distance: sqrt(1 - sum sqrt(p q)); range [0, 1], a metric.

    Computed as sqrt(sum (sqrt p - sqrt q)^2 / 2), which loses no digits when the samples are close.
    """
    gap = np.sqrt(_shares(reference)) - np.sqrt(_shares(current))
    return np.asarray(np.sqrt(np.minimum((gap * gap).sum(axis=-1) / 2.0, 1.0)))


def hellinger_floor(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return about the distance to expect under no change: sqrt((B - 1) / (8 N)), N = nm / (n + m)."""
    _, _, n, m, used = _smoothed(reference, current)
    return np.asarray(np.sqrt(_floor(n, m, used) / 8.0))


def total_variation(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Total variation distance: sum |p - q| / 2, the share of rows that would have to move; range [0, 1]."""
    return np.asarray(np.abs(_shares(reference) - _shares(current)).sum(axis=-1) / 2.0)


def total_variation_floor(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return E under no change: sum sqrt(h (1 - h)) / sqrt(2 pi N), h the pooled shares, N = nm / (n + m)."""
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    n, m = a.sum(axis=-1), b.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (a + b) / (n + m)[..., None]
        scale = np.sqrt((1.0 / n + 1.0 / m) / (2.0 * np.pi))
        return _where_rows(n, m, np.sqrt(pooled * (1.0 - pooled)).sum(axis=-1) * scale)


def _shares(counts: npt.ArrayLike) -> Floats:
    """Counts to shares `[..., cells]`; NaN where there are no rows."""
    c = np.asarray(counts, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(c / c.sum(axis=-1, keepdims=True))


def _smoothed(
    reference: npt.ArrayLike, current: npt.ArrayLike
) -> tuple[Floats, Floats, Floats, Floats, npt.NDArray[np.int64]]:
    """Return smoothed shares p and q (1 in cells empty on both sides, which then add nothing), n, m and B."""
    a, b = np.broadcast_arrays(np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64))
    n, m = a.sum(axis=-1), b.sum(axis=-1)
    full = (a + b) > 0
    used = full.sum(axis=-1)
    rows = (n > 0) & (m > 0)
    n, m = np.where(rows, n, np.nan), np.where(rows, m, np.nan)
    half = used[..., None] / 2.0
    p = np.where(full, (a + 0.5) / (n[..., None] + half), 1.0)
    q = np.where(full, (b + 0.5) / (m[..., None] + half), 1.0)
    # Without rows nothing is full, and the sums over "adds nothing" must still say "undefined".
    p = np.where(rows[..., None], p, np.nan)
    return p, q, n, m, used


def _floor(n: Floats, m: Floats, used: npt.NDArray[np.int64]) -> Floats:
    return np.asarray(np.maximum(used - 1, 0) * (1.0 / n + 1.0 / m))


def _variance(share: Floats, score: Floats) -> Floats:
    """Return the variance of `score` under `share`; scores are 0 in cells that do not count."""
    mean = (share * score).sum(axis=-1)
    return np.asarray(np.maximum((share * score * score).sum(axis=-1) - mean * mean, 0.0))


def _entropy_terms(p: Floats, middle: Floats) -> Floats:
    """Return sum p log2(p / middle), where 0 log 0 = 0."""
    ratio = np.where(p == 0, 1.0, p) / np.where(p == 0, 1.0, middle)
    return np.asarray((p * np.log2(ratio)).sum(axis=-1))


def _where_rows(n: Floats, m: Floats, value: Floats) -> Floats:
    return np.where((n > 0) & (m > 0), value, np.nan)
