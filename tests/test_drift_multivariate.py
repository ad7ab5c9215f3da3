"""Tests of many columns at once: against SciPy, a closed form or raw rows; null laws by simulation."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tidegauge.drift import multivariate as mv

RANDOM = np.random.default_rng(2)


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.mean(axis=0), np.cov(x.T, bias=True).reshape(x.shape[1], x.shape[1])


def samples(d: int, n: int, m: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    mix = RANDOM.normal(size=(d, d)) + 2 * np.eye(d)
    return RANDOM.normal(size=(n, d)) @ mix, RANDOM.normal(size=(m, d)) @ mix + shift


def t2(x: np.ndarray, y: np.ndarray) -> mv.MeanTest:
    return mv.hotelling_t2(moments(x), moments(y), len(x), len(y))


# ---- means


def test_hotelling_of_one_column_is_the_t_test():
    x, y = samples(1, 50, 30, 0.3)
    known = scipy.stats.ttest_ind(x[:, 0], y[:, 0])
    found = t2(x, y)
    assert found.statistic == pytest.approx(known.statistic**2)
    assert found.p == pytest.approx(known.pvalue)
    assert found.shares.tolist() == [pytest.approx(1.0)]


def test_hotelling_written_out():
    x, y = samples(4, 60, 25, 0.2)
    pooled = (59 * np.cov(x.T) + 24 * np.cov(y.T)) / 83
    change = y.mean(axis=0) - x.mean(axis=0)
    expected = 60 * 25 / 85 * change @ np.linalg.solve(pooled, change)
    found = t2(x, y)
    assert found.statistic == pytest.approx(expected)
    assert found.p == pytest.approx(scipy.stats.f(4, 80).sf(80 / (4 * 83) * expected))
    assert found.shares.sum() == pytest.approx(1.0)


def test_hotelling_does_not_see_units_or_mixing():
    x, y = samples(5, 80, 70, 0.1)
    mix = RANDOM.normal(size=(5, 5))
    assert t2(x @ mix, y @ mix).p == pytest.approx(t2(x, y).p)
    # A column that repeats others adds nothing, and neither does a constant.
    more = [np.column_stack([z, z[:, 0] + z[:, 1], np.full(len(z), 3.0)]) for z in (x, y)]
    assert t2(*more).rank == 5
    assert t2(*more).statistic == pytest.approx(t2(x, y).statistic)


def test_hotelling_of_too_little():
    assert np.isnan(t2(np.ones((5, 2)), np.ones((4, 2))).p)
    x, y = samples(6, 4, 3)  # seven rows cannot tell six columns that depend from six that do not
    assert np.isnan(t2(x, y).p)


# ---- traces and mixtures


def test_traces_are_unbiased_whatever_the_rank():
    for eigenvalues in ([1.0], [3.0, 1.0, 0.5], [1.0] * 40, [10.0, *[0.2] * 50]):
        root = np.sqrt(eigenvalues)
        found = []
        for _ in range(400):
            x = RANDOM.normal(size=(32, len(root))) * root
            found.append(mv.power_traces(x - x.mean(axis=0), float(np.sum(eigenvalues))))
        for k, each in zip((2, 3), np.transpose(found), strict=True):
            error = each.std() / 20
            assert abs(each.mean() - np.sum(np.power(eigenvalues, k))) < 4 * error + 0.02 * each.mean()


def test_traces_of_one_direction_are_exact():
    x = RANDOM.normal(size=(32, 1)) * 7
    assert mv.power_traces(x - x.mean(), 2.5) == (pytest.approx(2.5**2), pytest.approx(2.5**3))
    assert mv.power_traces(np.zeros((32, 3)), 1.0) == (0.0, 0.0)


@pytest.mark.parametrize("degrees", [1, 2, 10, 300])
def test_a_mixture_of_equals_is_a_chi_square(degrees):
    for q in (0.5, 0.05, 1e-6):
        x = scipy.stats.chi2(degrees).isf(q)
        assert mv.mixture_p_value(2 * x, 2.0 * degrees, 4.0 * degrees, 8.0 * degrees) == pytest.approx(q)


@pytest.mark.parametrize("eigenvalues", [[5.0, 1.0, 1.0], [1.0, 0.5, 0.25, 0.125], [4.0, *[0.1] * 60]])
def test_a_mixture_by_simulation(eigenvalues):
    lam = np.array(eigenvalues)
    drawn = RANDOM.chisquare(1, size=(200_000, len(lam))) @ lam
    for q in (0.05, 0.01):
        x = float(np.quantile(drawn, 1 - q))
        assert mv.mixture_p_value(x, lam.sum(), (lam**2).sum(), (lam**3).sum()) == pytest.approx(q, rel=0.12)


@given(*[st.floats(0, 1e6)] * 4)
def test_a_mixture_of_anything_is_a_probability(x, first, second, third):
    assert 0 <= mv.mixture_p_value(x, first + 1e-6, second, third) <= 1


# ---- second moments and waves


def second(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.T @ x / len(x), (x**2).T @ x**2 / len(x)


def covariance(x: np.ndarray, y: np.ndarray, largest: float = 6.0) -> mv.CovarianceTest:
    parts = np.array_split(x, 32)
    return mv.covariance_test(
        second(x),
        second(y),
        len(x),
        len(y),
        parts=(np.array([second(part)[0] for part in parts]), np.array([len(part) for part in parts])),
        largest=np.full(x.shape[1], largest),
    )


def test_second_moments_pair_by_pair():
    x, y = RANDOM.normal(size=(40_000, 3)), RANDOM.normal(size=(30_000, 3))
    found = covariance(x, y)
    for i in range(3):
        for j in range(3):
            a, b = x[:, i] * x[:, j], y[:, i] * y[:, j]
            error = np.sqrt((40_000 * a.var() + 30_000 * b.var()) / 70_000 * (1 / 40_000 + 1 / 30_000))
            assert found.z[i, j] == pytest.approx((b.mean() - a.mean()) / error)
    assert found.statistic == pytest.approx((found.z[np.triu_indices(3)] ** 2).sum())
    assert found.n_pairs == 6
    assert found.p_largest == pytest.approx(min(1, 12 * scipy.stats.norm.sf(np.abs(found.z).max())))
    # Six nearly independent pairs.
    assert found.p == pytest.approx(scipy.stats.chi2(6).sf(found.statistic), abs=0.1)


def test_pairs_that_vary_in_too_few_rows_are_left_out():
    x, y = RANDOM.normal(size=(5_000, 3)), RANDOM.normal(size=(1_000, 3))
    x[:, 2], y[:, 2] = RANDOM.random(5_000) < 0.001, RANDOM.random(1_000) < 0.001
    found = covariance(x, y, 3.0)
    assert np.isnan(found.z[2]).all()
    assert found.n_pairs == 3
    nothing = covariance(np.zeros((100, 2)), np.zeros((50, 2)))
    assert (nothing.n_pairs, np.isnan(nothing.p), np.isnan(nothing.p_largest)) == (0, True, True)


def waves_of(x: np.ndarray, directions: np.ndarray) -> np.ndarray:
    phase = x @ directions.T
    return np.stack([np.cos(phase), np.sin(phase)], axis=-1)


def test_the_kernel_distance_is_that_of_the_kernel():
    """Against the unbiased estimate from all pairs of rows with the Gaussian kernel itself."""
    x, y = RANDOM.normal(size=(400, 2)), RANDOM.normal(size=(300, 2)) + 0.5
    directions = RANDOM.normal(size=(20_000, 2))  # bandwidth 1

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-((a[:, None] - b) ** 2).sum(axis=-1) / 2)

    within = [(kernel(z, z).sum() - len(z)) / (len(z) * (len(z) - 1)) for z in (x, y)]
    expected = sum(within) - 2 * kernel(x, y).mean()
    f, g = (waves_of(z, directions).mean(axis=0) for z in (x, y))
    parts = np.array([waves_of(part, directions).mean(axis=0) for part in np.array_split(x, 20)])
    found = mv.rff_mmd(f, g, 400, 300, parts=(parts, np.full(20, 20)))
    assert found.distance == pytest.approx(expected, rel=0.05)
    assert found.p < 1e-6
    assert np.isnan(mv.rff_mmd([[1.0, 0.0]], [[1.0, 0.0]], 9, 9, parts=(np.ones((9, 1, 2)), np.ones(9))).p)


# ---- effects


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_frechet_against_the_matrix_root(seed, d):
    random = np.random.default_rng(seed)
    (a, c), (b, e) = (moments(random.normal(size=(40, d)) @ random.normal(size=(d, d))) for _ in range(2))
    expected = ((a - b) ** 2).sum() + np.trace(c + e - 2 * np.real(scipy.linalg.sqrtm(c @ e)))
    assert mv.frechet((a, c), (b, e)) == pytest.approx(expected, rel=1e-6, abs=1e-6 * np.trace(c))
    assert mv.frechet((a, c), (b, e)) == pytest.approx(
        mv.frechet((b, e), (a, c)), rel=1e-6, abs=1e-6 * np.trace(c)
    )
    assert mv.frechet((a, c), (a, c)) == pytest.approx(0, abs=1e-6 * np.trace(c))


def test_frechet_of_one_column_is_by_hand():
    assert mv.frechet(([1.0], [[4.0]]), ([3.0], [[9.0]])) == pytest.approx(2**2 + (3 - 2) ** 2)
    assert mv.frechet(([0.0, 0.0], np.zeros((2, 2))), ([0.0, 0.0], np.eye(2))) == pytest.approx(2.0)


def test_the_floor_is_the_mean_distance_by_chance():
    mix = np.diag([1.0, 2.0, 0.5, 1.0]) @ RANDOM.normal(size=(4, 4))
    found = [mv.frechet(*(moments(RANDOM.normal(size=(n, 4)) @ mix) for n in (800, 300))) for _ in range(300)]
    assert np.mean(found) == pytest.approx(mv.frechet_floor(mix.T @ mix, 800, 300), rel=0.08)
    assert mv.frechet_floor(np.zeros((2, 2)), 5, 5) == 0


def test_reconstruction_error_of_raw_rows():
    x, y = samples(6, 500, 400, 0.4)
    (a, c), (b, e) = moments(x), moments(y)
    current, reference, kept = mv.pca_reconstruction_error((a, c), (b, e))
    _, vectors = np.linalg.eigh(c)
    v = vectors[:, ::-1][:, :kept]
    for error, z in ((reference, x), (current, y)):
        lost = (z - a) - (z - a) @ v @ v.T
        assert error == pytest.approx((lost**2).sum(axis=1).mean())
    values = np.linalg.eigvalsh(c)[::-1]
    assert values[:kept].sum() >= 0.65 * values.sum() > values[: kept - 1].sum()
    assert mv.pca_reconstruction_error(([0.0], [[0.0]]), ([1.0], [[1.0]]))[2] == 1
