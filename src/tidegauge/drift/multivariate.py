"""Drift of columns together: of means, of second moments, of the whole joint distribution; and how large.

Arrays in, arrays out: d columns, n reference rows, m current rows, K waves. Means `[d]`, matrices `[d, d]`.
All p take rows as independent.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_MIN_PARTS = 8
_MIN_PAIR_ROWS = 5  # in which a product is as large as it can be would vary as much
_RANK = 1e-9  # an eigenvalue below this part of the largest is a column that others determine


Moments = tuple[npt.ArrayLike, npt.ArrayLike]  # mean `[d]` and covariance `[d, d]`, unless said otherwise


class MeanTest(NamedTuple):
    """`statistic` is T^2, `rank` the dimensions tested, `shares` `[d]` each column's part of T^2."""

    statistic: float
    p: float
    rank: int
    shares: Floats


class CovarianceTest(NamedTuple):
    """The sum of z^2 over `n_pairs` pairs i <= j, its p; z `[d, d]`, NaN if left out; p of the largest."""

    statistic: float
    p: float
    n_pairs: int
    z: Floats
    p_largest: float


class KernelTest(NamedTuple):
    """The squared distance of two distributions under a Gaussian kernel, less what chance adds, and its p."""

    distance: float
    p: float


def hotelling_t2(reference: Moments, current: Moments, n: int, m: int) -> MeanTest:
    """Test whether two mean vectors differ, whatever the direction (higher is worse).

    `reference`, `current`: mean and covariance (divided by n and m). T^2 = nm / (n + m) dm' S^-1 dm with
    the pooled covariance S, of rank r; (n + m - r - 1) / (r (n + m - 2)) T^2 is F with r and n + m - r - 1
    degrees of freedom, exactly for normal rows (Hotelling 1931). Directions in which S has no variance are
    left out. NaN where nothing varies or n + m <= d + 1.
    """
    from scipy.special import fdtrc

    (before, a), (after, b) = _floats(reference), _floats(current)
    change = after - before
    pooled = (n * a + m * b) / max(n + m - 2, 1)
    values, vectors = np.linalg.eigh(pooled)
    kept = values > _RANK * max(float(values.max(initial=0.0)), np.finfo(float).tiny)
    rank = int(kept.sum())
    if rank == 0 or n + m <= len(change) + 1:
        return MeanTest(np.nan, np.nan, rank, np.full(len(change), np.nan))
    along = vectors[:, kept].T @ change
    parts = n * m / (n + m) * change * (vectors[:, kept] @ (along / values[kept]))
    statistic = float(parts.sum())
    degrees = n + m - rank - 1
    p = float(fdtrc(rank, degrees, degrees / (rank * (n + m - 2)) * statistic))
    with np.errstate(invalid="ignore", divide="ignore"):
        return MeanTest(statistic, p, rank, parts / statistic)


def covariance_test(
    reference: Moments, current: Moments, n: int, m: int, *, parts: Moments, largest: npt.ArrayLike
) -> CovarianceTest:
    """Test whether second moments differ, each against its own chance variation (higher is worse).

    `reference`, `current`: E z_i z_j and E (z_i z_j)^2, both `[d, d]`. z_ij = sqrt(nm / (n + m)) times the
    change of E z_i z_j over its pooled standard deviation sqrt(E (z_i z_j)^2 - (E z_i z_j)^2), whatever law
    the z have. The sum of z^2 over pairs i <= j has the null law of sum lambda chi^2_1, with lambda the
    eigenvalues of the correlation matrix R of the products; it is matched by its cumulants (see
    `mixture_p_value`), for which tr(R^2) and tr(R^3) come from `parts`: E z_i z_j `[h, d, d]` of h random
    parts of the reference, and how many rows each of them has `[h]`. Pairs left out: those that vary in too
    few rows for a normal law, nm / (n + m) variance < 5 largest_i^2 largest_j^2, where `largest` `[d]`
    bounds |z_i|. NaN where no pair is left; of fewer than 8 parts, the p of the sum.
    """
    from scipy.special import ndtr

    (a, a4), (b, b4), (moments, rows) = _floats(reference), _floats(current), _floats(parts)
    upper = np.triu_indices(len(a))
    variance = (n * (a4 - a * a) + m * (b4 - b * b)) / (n + m)
    bound = np.asarray(largest, dtype=np.float64) ** 2
    varied = (variance > 0) & (n * m / (n + m) * variance >= _MIN_PAIR_ROWS * np.outer(bound, bound))
    z = np.sqrt(n * m / (n + m) / np.where(varied, variance, np.nan)) * (b - a)
    pairs = z[upper]
    known = np.isfinite(pairs)
    n_pairs = int(known.sum())
    if n_pairs == 0:
        return CovarianceTest(np.nan, np.nan, 0, z, np.nan)
    statistic = float((pairs[known] ** 2).sum())
    own = (a4 - a * a)[upper][known]
    largest_p = min(1.0, 2.0 * float(ndtr(-np.abs(pairs[known]).max())) * n_pairs)
    if len(rows) < _MIN_PARTS:
        return CovarianceTest(statistic, np.nan, n_pairs, z, largest_p)
    each = (moments - a)[:, upper[0], upper[1]][:, known]
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(own > 0, each * np.sqrt(rows[:, None] / own), 0.0)
    second, third = power_traces(spread, float(n_pairs))
    # Rows far out in many columns at once add to the variance of so few rows: by their fourth power, so with
    # 1 / rows. The parts' own sums of squares tell how much at their size.
    own_size, this_size = float((1.0 / rows).mean()), (n * m / (n + m)) ** 2 * (1.0 / n**3 + 1.0 / m**3)
    excess = max(float((spread**2).sum(axis=1).var(ddof=1)) / 2.0 - second, 0.0) * this_size / own_size
    grown = 1.0 + excess / max(second, 1.0)
    p = mixture_p_value(statistic, float(n_pairs), second * grown, third * grown**3, len(rows) - 1.0)
    return CovarianceTest(statistic, p, n_pairs, z, largest_p)


def power_traces(deviations: npt.ArrayLike, first: float) -> tuple[float, float]:
    """Estimate tr(S^2) and tr(S^3) of a covariance matrix S whose trace is `first`, from `[h, k]` deviations.

    The h rows are h >= 4 independent normal vectors of covariance S, less their (weighted) mean. With the
    sample covariance C on f = h - 1 degrees of freedom, and t_k = tr(C^k), unbiased for tr(S^2), tr(S^3) are
    T2 = f^2 / ((f - 1)(f + 2)) (t_2 - t_1^2 / f),
    T3 = f^4 / ((f - 1)(f - 2)(f + 2)(f + 4)) (t_3 - 3 t_1 t_2 / f + 2 t_1^3 / f^2)
    (moments of the Wishart law; Srivastava 2005). Where few directions hold all variance these are as noisy
    as t_1; as its true value is known, they are returned in proportion to unbiased estimates of its powers.
    """
    x = np.asarray(deviations, dtype=np.float64)
    f = len(x) - 1
    gram = x @ x.T / f  # has the eigenvalues of C
    square = gram @ gram
    t1, t2, t3 = float(np.trace(gram)), float(np.trace(square)), float((square * gram).sum())
    if t1 <= 0.0:
        return 0.0, 0.0
    second = f * f / ((f - 1) * (f + 2)) * (t2 - t1 * t1 / f)
    third = f**4 / ((f - 1) * (f - 2) * (f + 2) * (f + 4)) * (t3 - 3 * t1 * t2 / f + 2 * t1**3 / f**2)
    squared = t1**2 - 2 * second / f
    cubed = t1**3 - 6 * (t1 * second - 4 * third / f) / f - 8 * third / f**2
    return first**2 * second / squared, first**3 * third / cubed


def mixture_p_value(
    statistic: float, first: float, second: float, third: float, freedom: float = np.inf
) -> float:
    """Return P(sum lambda_i chi^2_1 >= statistic), given sum lambda, sum lambda^2 and sum lambda^3.

    A shifted and scaled chi-square of the same mean, variance and skewness (Pearson 1959; Imhof 1961). Powers
    that no lambda >= 0 have, as estimates may be, are brought to the nearest that some have. `freedom`: the
    degrees of freedom f > 6 on which second and third were estimated. A single lambda so estimated makes the
    ratio F with 1 and f of them, whose variance and third cumulant are larger by known factors; many
    lambda, k of equal size, are known k times as well.
    """
    from scipy.special import chdtrc

    second = min(max(second, first * first * 1e-9), first * first)
    third = min(max(third, second * second / first), second**1.5)
    degrees = second**3 / third**2
    if np.isfinite(freedom):
        f = freedom
        mean, square = f / (f - 2), 3 * f * f / ((f - 2) * (f - 4))
        cube = 15 * f**3 / ((f - 2) * (f - 4) * (f - 6))
        second *= 1 + ((square - mean**2) / 2 - 1) / degrees
        third *= 1 + ((cube - 3 * mean * square + 2 * mean**3) / 8 - 1) / degrees
        degrees = second**3 / third**2
    shift = (statistic - first) / np.sqrt(2.0 * second)
    return float(chdtrc(degrees, max(degrees + np.sqrt(2.0 * degrees) * shift, 0.0)))


def rff_mmd(
    reference: npt.ArrayLike, current: npt.ArrayLike, n: int, m: int, *, parts: Moments
) -> KernelTest:
    """Test whether two joint distributions differ, by random Fourier features (higher is worse).

    `reference`, `current`: means of the waves `[K, 2]`, cosine and sine. |f1 - f2|^2 / K estimates the
    squared maximum mean discrepancy of a Gaussian kernel (Rahimi & Recht 2007; Gretton et al. 2012); the
    distance returned is that less its expectation (1/n + 1/m) tr(S), S the covariance of a row's waves, so it
    may be negative; it lies below 4. Null law: nm / (n + m) times the statistic is sum lambda chi^2_1 with
    the eigenvalues of S, tr(S) = 1 - |f|^2 / K, tr(S^2) and tr(S^3) from `parts`, waves `[h, K, 2]` and rows
    `[h]`, as in `covariance_test`. NaN of fewer than 8 parts, or where no wave varies.
    """
    (f1, f2), (waves, rows) = _floats((reference, current)), _floats(parts)
    if len(rows) < _MIN_PARTS:
        return KernelTest(np.nan, np.nan)
    k = len(f1)
    both = (n * f1 + m * f2) / (n + m)
    first = 1.0 - float((both**2).sum()) / k
    spread = (waves - f1) * np.sqrt(rows[:, None, None] / k)
    distance = float(((f1 - f2) ** 2).sum()) / k
    if first <= _RANK:
        return KernelTest(np.nan, np.nan)
    second, third = power_traces(spread.reshape(len(spread), -1), first)
    # A row's waves are at most 2 from their mean: the fourth power of the distance averages at most 4 tr S.
    second += 2.0 * first * (n * m / (n + m)) ** 2 * (1.0 / n**3 + 1.0 / m**3)
    p = mixture_p_value(n * m / (n + m) * distance, first, second, third, len(rows) - 1.0)
    return KernelTest(distance - (1.0 / n + 1.0 / m) * first, p)


def frechet(reference: Moments, current: Moments) -> float:
    """Return the squared Frechet distance of two normal laws of these moments (higher is worse), >= 0.

    |dm|^2 + tr(A + B - 2 (A B)^(1/2)), in squared units of the columns (Dowson & Landau 1982). Its size by
    chance is `frechet_floor`.
    """
    (before, a), (after, b) = _floats(reference), _floats(current)
    change = after - before
    values, vectors = np.linalg.eigh(a)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    crossed = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0.0)).sum()
    return max(float(change @ change + np.trace(a) + np.trace(b) - 2.0 * crossed), 0.0)


def frechet_floor(covariance: npt.ArrayLike, n: int, m: int) -> float:
    """Return about what `frechet` of two samples of one population is by chance, from the sizes alone.

    (1/n + 1/m) (tr C + (1/2) sum_ij l_i l_j / (l_i + l_j) (1 + [i = j])), l the eigenvalues of C: the mean's
    part, and the second order of the covariance's for normal rows.
    """
    values = np.maximum(np.linalg.eigvalsh(np.asarray(covariance, dtype=np.float64)), 0.0)
    sums = values[:, None] + values
    with np.errstate(invalid="ignore"):
        each = np.where(sums > 0, np.outer(values, values) / sums, 0.0)
    return float((1.0 / n + 1.0 / m) * (values.sum() + 0.5 * (each.sum() + np.trace(each))))


def pca_reconstruction_error(
    reference: Moments, current: Moments, share: float = 0.65
) -> tuple[float, float, int]:
    """Return the mean squared error of the current rows, that of the reference's, and the components kept.

    Rows are projected on the first components V of the reference that hold `share` of its variance;
    tr((I - V V') (C + dm dm')) is what is lost of a row on average (higher is worse, squared units).
    """
    (before, a), (after, b) = _floats(reference), _floats(current)
    change = after - before
    values, vectors = np.linalg.eigh(a)
    held = np.cumsum(values[::-1])
    n_kept = min(int(np.searchsorted(held, share * held[-1])) + 1, len(values))
    lost = vectors[:, : len(values) - n_kept]
    return (
        float(np.trace(lost.T @ b @ lost) + ((lost.T @ change) ** 2).sum()),
        float(values[: len(values) - n_kept].sum()),
        n_kept,
    )


def _floats(pair: Moments) -> tuple[Floats, Floats]:
    return np.asarray(pair[0], dtype=np.float64), np.asarray(pair[1], dtype=np.float64)
