"""Statistics of ordered cells against SciPy on raw values, exact laws, slow loops and simulated sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats

from tidegauge.drift import (
    anderson_darling,
    cramer_von_mises,
    energy,
    energy_floor,
    energy_test,
    epps_singleton,
    kuiper,
    kuiper_floor,
    kuiper_p_value,
    mann_whitney,
    mann_whitney_floor,
    quadratic_p_value,
    wasserstein,
    wasserstein_floor,
)

CELLS = arrays(np.int64, 6, elements=st.integers(0, 1_000)).filter(lambda c: c.sum() > 0)
EDGES = np.array([0.0, 1.0, 1.5, 4.0, 10.0])
RANGE = (-2.0, 12.0)


def cells_of(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def each_its_cell(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of both in one cell per distinct value, and those values."""
    values, place = np.unique(np.r_[x, y], return_inverse=True)
    split = place[: len(x)], place[len(x) :]
    return *(np.bincount(side, minlength=len(values)) for side in split), values


def test_kuiper_by_hand() -> None:
    # F = .1 .3 .6 1 and G = .4 .5 .6 1: G is above by .3, F never.
    assert kuiper([1, 2, 3, 4], [4, 1, 1, 4]) == pytest.approx(0.3)
    # F - G = .2, then -.3.
    assert kuiper([4, 1, 5], [2, 6, 2]) == pytest.approx(0.5)


@given(CELLS, CELLS, st.integers(0, 5))
def test_kuiper_does_not_feel_where_the_circle_is_cut(a: np.ndarray, b: np.ndarray, turn: int) -> None:
    assert kuiper(np.roll(a, turn), np.roll(b, turn)) == pytest.approx(kuiper(a, b), abs=1e-12)
    assert kuiper(a, b) == pytest.approx(kuiper(b, a), abs=1e-12)
    assert kuiper(a, a) == 0
    assert kuiper(np.stack([a, b]), np.stack([b, a])) == pytest.approx([float(kuiper(a, b))] * 2)


def test_the_law_of_kuiper() -> None:
    # Stephens (1970): upper 10, 5 and 1 % points of the limit are 1.620, 1.747 and 2.001.
    large = 10.0**12
    p = kuiper_p_value(np.array([1.620, 1.747, 2.001]) / np.sqrt(large / 2), large, large)
    assert p == pytest.approx([0.1, 0.05, 0.01], rel=0.01)
    assert kuiper_p_value(0.0, 5, 5) == pytest.approx(1.0)
    # Nearer to the middle, at l = 1, the whole series.
    j = np.arange(1, 200)
    assert kuiper_p_value(1.0 / np.sqrt(large / 2), large, large) == pytest.approx(
        2 * ((4 * j**2 - 1) * np.exp(-2.0 * j**2)).sum()
    )
    rng = np.random.default_rng(13)
    cells = np.full(256, 1 / 256)
    a, b = rng.multinomial(5_000, cells, 3_000), rng.multinomial(1_000, cells, 3_000)
    found = kuiper(a, b)
    assert found.mean() == pytest.approx(kuiper_floor(5_000, 1_000), rel=0.06)
    assert 0.02 <= (kuiper_p_value(found, 5_000, 1_000) <= 0.05).mean() <= 0.06
    assert np.isnan(kuiper([0, 0], [1, 2]))


def test_anderson_darling_is_scipys() -> None:
    rng = np.random.default_rng(14)
    x, y = rng.poisson(6.0, 300), rng.poisson(6.4, 200)
    a, b, _ = each_its_cell(x, y)
    found = stats.anderson_ksamp([x, y], variant="right", method=stats.PermutationMethod(n_resamples=1))
    # SciPy tells (A^2 - 1) / sd; sd by Scholz & Stephens (1987), equation 4, for k = 2.
    n, h = 500, 1 / 300 + 1 / 200
    inverse = 1 / np.arange(1, n)
    g = sum((inverse[: n - i] / (n - i)).sum() - (inverse[:i] / (n - i)).sum() for i in range(1, n - 1))
    small = inverse.sum()
    g = sum(1 / ((n - i) * j) for i in range(1, n - 1) for j in range(i + 1, n))
    one = (4 * g - 6) + (10 - 6 * g) * h
    two = (2 * g - 4) * 4 + 8 * small * 2 + (2 * g - 14 * small - 4) * h - 8 * small + 4 * g - 6
    three = (6 * small + 2 * g - 2) * 4 + (4 * small - 4 * g + 6) * 2 + (2 * small - 6) * h + 4 * small
    four = (2 * small + 6) * 4 - 4 * small * 2
    variance = (one * n**3 + two * n**2 + three * n + four) / ((n - 1.0) * (n - 2.0) * (n - 3.0))
    assert anderson_darling(a, b)[0] == pytest.approx(1 + found.statistic * np.sqrt(variance), rel=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.15, 0.4])
def test_cramer_von_mises_is_scipys(shift: float) -> None:
    rng = np.random.default_rng(15)
    x, y = rng.normal(0, 1, 400), rng.normal(shift, 1, 250)
    a, b, _ = each_its_cell(x, y)
    statistic, floor, p = cramer_von_mises(a, b)
    expected = stats.cramervonmises_2samp(x, y, method="asymptotic")
    assert statistic == pytest.approx(expected.statistic, rel=1e-9)
    assert floor == pytest.approx(1 / 6, rel=0.01)
    assert p == pytest.approx(expected.pvalue, rel=0.15)


def tail_by_imhof(lambdas: np.ndarray, q: float) -> float:
    """P(sum lambda chi-square(1) >= q) by inversion of the characteristic function; Imhof (1961)."""

    def wave(u: float) -> float:
        angle = 0.5 * np.arctan(lambdas * u).sum() - 0.5 * q * u
        return float(np.sin(angle) / (u * np.exp(0.25 * np.log1p((lambdas * u) ** 2).sum())))

    return 0.5 + integrate.quad(wave, 0, np.inf, limit=2_000, epsabs=1e-10)[0] / np.pi


@pytest.mark.parametrize("n_cells", [9, 17, 100])
@pytest.mark.parametrize("kind", ["anderson_darling", "cramer_von_mises"])
def test_the_law_of_quadratic_statistics_is_exact(n_cells: int, kind: str) -> None:
    share = np.random.default_rng(16).dirichlet(np.full(n_cells, 1.5))
    h, through = share[:-1], np.cumsum(share)[:-1]
    weight = h / (through * (1 - through)) if kind == "anderson_darling" else h
    covariance = np.minimum.outer(through, through) - np.outer(through, through)
    root = np.sqrt(weight)
    lambdas = np.linalg.eigvalsh(root[:, None] * covariance * root)
    mean, spread = lambdas.sum(), np.sqrt(2 * (lambdas**2).sum())
    for deviations, tolerance in ((-0.3, 0.08), (0.1, 0.05), (0.5, 0.05), (1, 0.05), (3, 0.06), (8, 0.1)):
        q = mean + deviations * spread
        found = quadratic_p_value(q, weight, h)
        assert found == pytest.approx(tail_by_imhof(lambdas, q), rel=tolerance)
    # The far tail belongs to the largest lambda: Zolotarev (1961).
    q = mean + 60 * spread
    largest, others = lambdas[-1], lambdas[:-1]
    tail = stats.chi2.logsf(q / largest, 1) - 0.5 * np.log1p(-others / largest).sum()
    assert np.log(quadratic_p_value(q, weight, h)) == pytest.approx(tail, abs=0.15)


def test_the_law_of_a_single_bead_is_chi_square() -> None:
    # Two cells: lambda = w H (1 - H) = 1 for Anderson-Darling times the share of the first.
    p = quadratic_p_value([0.1, 2.0, 30.0], np.full((3, 1), 4.0), np.full((3, 1), 0.5))
    assert p == pytest.approx(stats.chi2.sf([0.1, 2.0, 30.0], 1), rel=0.16)
    assert quadratic_p_value(0.0, np.array([0.0]), np.array([1.0])) == 1.0


@pytest.mark.parametrize("test", [anderson_darling, cramer_von_mises])
@pytest.mark.parametrize("share", [np.full(256, 1 / 256), np.array([0.6, 0.1, 0.1, 0.2])])
def test_quadratic_tests_hold_their_size(test, share: np.ndarray) -> None:
    rng = np.random.default_rng(17)
    statistic, floor, p = test(rng.multinomial(20_000, share, 4_000), rng.multinomial(500, share, 4_000))
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.012)
    assert (p <= 0.01).mean() == pytest.approx(0.01, abs=0.006)
    assert statistic.mean() == pytest.approx(floor.mean(), rel=0.06)


def test_the_energy_test_holds_its_size_and_is_the_energy_distance() -> None:
    rng = np.random.default_rng(18)
    edges = stats.norm.ppf(np.linspace(0.001, 0.999, 200))
    share = np.diff(stats.norm.cdf(np.r_[-np.inf, edges, np.inf]))
    a, b = rng.multinomial(20_000, share, 3_000), rng.multinomial(1_000, share, 3_000)
    statistic, floor, p = energy_test(a, b, edges)
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.014)
    assert statistic.mean() == pytest.approx(floor.mean(), rel=0.06)
    distance = energy(a, b, edges, (-3.5, 3.5), (-3.5, 3.5))
    assert statistic == pytest.approx(20_000 / 21 * distance, rel=0.08, abs=0.01)
    assert distance.mean() == pytest.approx(
        energy_floor(a, b, edges, (-3.5, 3.5), (-3.5, 3.5)).mean(), rel=0.06
    )


def test_energy_is_scipys_on_narrow_cells() -> None:
    rng = np.random.default_rng(19)
    for scale, shift in ((1.0, 0.0), (1.3, 0.2), (1.0, 3.0)):
        x, y = rng.gamma(2.0, 1.0, 3_000), rng.gamma(2.0, scale, 2_000) + shift
        edges = np.quantile(np.r_[x, y], np.linspace(0, 1, 400))
        a, b = cells_of(x, edges), cells_of(y, edges)
        found = energy(a, b, edges, (x.min(), x.max()), (y.min(), y.max()))
        # SciPy's is the square root.
        assert found == pytest.approx(stats.energy_distance(x, y) ** 2, rel=0.02, abs=2e-4)


def test_energy_by_hand() -> None:
    # F - G is a triangle of height 1/4 over [0, 2): twice the integral of its square is 2 * 2 / 48.
    assert energy([0, 1, 1, 0, 0], [0, 1, 3, 0, 0], [0.0, 1, 2, 3], (0, 2), (0, 2)) == pytest.approx(1 / 12)


@given(CELLS, CELLS)
def test_laws_of_energy(a: np.ndarray, b: np.ndarray) -> None:
    distance = energy(a, b, EDGES, RANGE, RANGE)
    assert distance == pytest.approx(energy(b, a, EDGES, RANGE, RANGE), abs=1e-12)
    assert energy(a, a, EDGES, RANGE, RANGE) == 0
    # (F - G)^2 <= |F - G| <= 1, and the mean of the square is not below the square of the mean.
    area = wasserstein(a, b, EDGES, RANGE, RANGE)
    assert 2 * area**2 / (RANGE[1] - RANGE[0]) - 1e-12 <= distance <= 2 * area + 1e-12


def test_the_floor_of_wasserstein() -> None:
    rng = np.random.default_rng(20)
    edges = stats.norm.ppf(np.linspace(0.001, 0.999, 200))
    share = np.diff(stats.norm.cdf(np.r_[-np.inf, edges, np.inf]))
    a, b = rng.multinomial(20_000, share, 2_000), rng.multinomial(2_000, share, 2_000)
    ends = (np.full(2_000, -3.5), np.full(2_000, 3.5))
    edges = np.broadcast_to(edges, (2_000, 200))
    floor = wasserstein_floor(a, b, edges, ends, ends)
    assert wasserstein(a, b, edges, ends, ends).mean() == pytest.approx(floor.mean(), rel=0.03)
    assert floor.mean() == pytest.approx(1.288 / np.sqrt(20_000 / 11), rel=0.02)
    assert np.isnan(wasserstein_floor([0, 0, 0], [1, 1, 1], [0.0, 1.0], (0, 1), (0, 1)))


@given(CELLS, CELLS)
def test_mann_whitney_is_scipys(a: np.ndarray, b: np.ndarray) -> None:
    values = np.arange(6)
    effect, p = mann_whitney(a, b)
    if ((a + b) > 0).sum() == 1:
        assert (effect, p) == (0.5, 1.0)
        return
    x, y = np.repeat(values, b), np.repeat(values, a)
    expected = stats.mannwhitneyu(x, y, use_continuity=False, method="asymptotic")
    assert effect == pytest.approx(expected.statistic / (a.sum() * b.sum()), abs=1e-12)
    assert p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-300)
    assert mann_whitney(b, a)[0] == pytest.approx(1 - effect)


def test_the_floor_of_mann_whitney() -> None:
    rng = np.random.default_rng(21)
    share = [0.4, 0.1, 0.2, 0.3]
    a, b = rng.multinomial(5_000, share, 4_000), rng.multinomial(700, share, 4_000)
    effect, p = mann_whitney(a, b)
    assert np.abs(effect - 0.5).mean() == pytest.approx(mann_whitney_floor(a, b).mean(), rel=0.05)
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.012)
    assert np.isnan(mann_whitney([0, 0], [1, 1])).all()


@pytest.mark.parametrize(("n", "m"), [(601, 400), (16, 21)])
def test_epps_singleton_is_scipys_on_rounded_values(n: int, m: int) -> None:
    rng = np.random.default_rng(22)
    # One row more than a multiple of four: then all definitions of a quartile agree.
    x, y = np.rint(rng.normal(0, 4, n)), np.rint(rng.normal(1, 6, m))
    a, b, values = each_its_cell(x, y)
    ordered = np.sort(np.r_[x, y])
    low, high = ordered[int(np.ceil((n + m) / 4)) - 1], ordered[int(np.ceil(3 * (n + m) / 4)) - 1]
    assert stats.iqr(np.r_[x, y]) == high - low
    expected = stats.epps_singleton_2samp(x, y)
    statistic, p = epps_singleton(a, b, values)
    assert statistic == pytest.approx(expected.statistic, rel=1e-8)
    assert p == pytest.approx(expected.pvalue, rel=1e-8)


def test_epps_singleton_holds_its_size_and_is_undefined_without_spread() -> None:
    rng = np.random.default_rng(23)
    points = stats.norm.ppf((np.arange(64) + 0.5) / 64)
    share = np.full(64, 1 / 64)
    a, b = rng.multinomial(5_000, share, 4_000), rng.multinomial(1_000, share, 4_000)
    statistic, p = epps_singleton(a, b, points)
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.012)
    assert statistic.mean() == pytest.approx(4.0, rel=0.06)
    for a, b in (([0, 0], [10, 10]), ([99, 1], [99, 1]), ([0, 3], [7, 7])):
        assert np.isnan(epps_singleton(a, b, [0.0, 1.0])).all()
    # Two values carry one degree of freedom.
    statistic, p = epps_singleton([50, 50], [70, 30], [0.0, 1.0])
    assert p == pytest.approx(stats.chi2.sf(statistic, 1))


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4))
def test_stacked_columns_are_treated_one_by_one(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    a, b = (np.stack(side) for side in zip(*pairs, strict=True))
    points = np.array([-1.0, 0.5, 1.0, 2.0, 3.5, 9.0])
    tests = (
        anderson_darling,
        cramer_von_mises,
        mann_whitney,
        lambda x, y: energy_test(x, y, EDGES),
        lambda x, y: epps_singleton(x, y, points),
    )
    for test in tests:
        together = np.stack(test(a, b), axis=-1)
        alone = np.array([test(x, y) for x, y in pairs])
        assert together == pytest.approx(alone, rel=1e-7, abs=1e-9, nan_ok=True)


def test_no_rows_is_undefined() -> None:
    for test in (anderson_darling, cramer_von_mises, lambda a, b: energy_test(a, b, [0.0, 1.0])):
        assert np.isnan(test([0, 0, 0], [1, 2, 3])).all()
        assert np.isnan(test([[1, 2, 3], [0, 0, 0]], [0, 0, 0])).all()
