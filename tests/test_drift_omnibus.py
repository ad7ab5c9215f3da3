"""The omnibus test: its parts, its size from simulated counts, its power, and its winners."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tidegauge.cells import category_groups, coarsen, number_groups
from tidegauge.drift import (
    COMPONENTS,
    anderson_darling,
    cell_scan,
    chi_square,
    combine_p_values,
    interval_scan,
    omnibus_of_categories,
    omnibus_of_numbers,
)

FINE = 256
EVEN = np.full(FINE, 1 / FINE)
EDGES = stats.norm.ppf(np.linspace(0, 1, FINE + 1))  # of cells with equal mass under the standard normal


def zipf(n_cells: int) -> np.ndarray:
    share = 1.0 / np.arange(1, n_cells + 1)
    return share / share.sum()


def with_tails() -> np.ndarray:
    """Cells as a reference has them: hardly anything below and above the edges."""
    share = np.r_[1e-5, EVEN, 1e-4]
    return share / share.sum()


def with_atoms() -> np.ndarray:
    share = np.r_[0.3, np.full(60, 0.2 / 60), 0.3, np.full(60, 0.2 / 60)]
    return share / share.sum()


def shares_of(distribution) -> np.ndarray:
    return np.diff(distribution(EDGES))


def alternatives() -> dict[str, np.ndarray]:
    """Eight kinds of change of a standard normal variable, the last one hardly visible to anything."""
    normal = stats.norm.cdf
    cut = EVEN.copy()
    cut[: round(0.023 * FINE)] = 0
    stuck = 0.98 * EVEN
    stuck[100] += 0.02
    far = 0.99 * EVEN
    far[-1] += 0.01
    part = np.sqrt(1 - 0.3**2)
    return {
        "mean + 0.10 sd": shares_of(lambda x: normal(x - 0.1)),
        "sd x 1.10": shares_of(lambda x: normal(x / 1.1)),
        "1 % of rows at + 5 sd": far,
        "lowest 2.3 % cut off": cut / cut.sum(),
        "2 % stuck": stuck,
        "ripple of 8 % by octile": np.repeat(1 + 0.08 * (-1.0) ** np.arange(8), FINE // 8) / FINE,
        "a tenth of rows + 0.6 sd": 0.9 * EVEN + 0.1 * shares_of(lambda x: normal(x - 0.6)),
        "two humps": shares_of(lambda x: (normal((x - 0.3) / part) + normal((x + 0.3) / part)) / 2),
    }


@given(st.lists(st.floats(1e-12, 0.9999), min_size=1, max_size=4))
def test_the_combination_equals_its_formula(p: list[float]) -> None:
    mean = sum(math.tan(math.pi * (0.5 - min(each, 0.95))) for each in p) / len(p)
    assert combine_p_values(p) == pytest.approx(0.5 - math.atan(mean) / math.pi, rel=1e-3, abs=1e-13)
    assert combine_p_values([*p, math.nan]) == combine_p_values(p)


def test_the_combination_of_small_p_and_at_the_ends() -> None:
    # SciPy has no Cauchy combination; its limit for small p is the harmonic mean.
    assert combine_p_values([1e-30, 3e-30, 0.5]) == pytest.approx(3 / (1e30 + 1e30 / 3), rel=1e-9)
    assert combine_p_values([0.0, 0.3]) == 0.0
    assert combine_p_values(0.37 * np.ones((2, 3))) == pytest.approx([0.37, 0.37])
    # A p of 1 is one of 0.95: it cannot outweigh evidence, not even a little of it.
    assert combine_p_values([1.0, 1e-6]) == combine_p_values([0.95, 1e-6])
    assert combine_p_values([1.0, 1e-6]) < 2.001e-6
    assert combine_p_values([1.0, 1e-3]) < 2.3e-3
    assert np.isnan(combine_p_values([np.nan, np.nan]))


def test_the_parts_are_the_tests_themselves() -> None:
    rng = np.random.default_rng(31)
    a = rng.multinomial(20_000, with_tails(), 20)
    b = rng.multinomial(4_000, with_tails(), 20)
    found = omnibus_of_numbers(a, b)
    assert found.parts[:, 0].tolist() == anderson_darling(a, b, least=5)[2].tolist()
    assert found.parts[:, 2].tolist() == interval_scan(a, b).p.tolist()
    assert found.scan.start.tolist() == interval_scan(a, b).start.tolist()
    groups = number_groups(a + b, 32)
    for i in range(20):
        # The two ends are thin: they are put together, and, still thin, join the largest cell.
        x, y = coarsen(a, groups)[i], coarsen(b, groups)[i]
        thin = (x + y) * 4_000 / 24_000 < 5
        assert 1 <= thin.sum() <= 2
        largest = int(np.argmax(x + y))
        for side in (x, y):
            side[largest] += side[thin].sum()
            side[thin] = 0
        assert found.parts[i, 1] == pytest.approx(float(chi_square(x, y)[2]), rel=1e-9)
        expected = stats.chi2_contingency(np.stack([x, y])[:, x + y > 0], correction=False)
        assert found.parts[i, 1] == pytest.approx(expected.pvalue, rel=1e-6)
    assert found.p.tolist() == combine_p_values(found.parts).tolist()
    assert found.winner.tolist() == np.argmin(found.parts, axis=1).tolist()


def test_thin_cells_that_are_enough_together_are_a_cell() -> None:
    # 28 of 100 rare categories have a coarse cell, with about one row expected in each: they become one cell.
    rng = np.random.default_rng(32)
    share = np.r_[0.4, 0.3, 0.2, np.full(100, 0.001)]
    a, b = rng.multinomial(10_000, share)[None], rng.multinomial(1_000, share)[None]
    found = omnibus_of_categories(a, b)
    coarse = [coarsen(side, category_groups(a + b, 32))[0] for side in (a, b)]
    tables = [np.r_[side[:3], side[3:31].sum(), side[31]] for side in coarse]
    assert found.parts[0, 1] == pytest.approx(float(chi_square(*tables)[2]), rel=1e-9)
    assert found.parts[0, 2] == cell_scan(a, b, last=False).p[0]
    assert np.isnan(found.parts[0, 0])


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        (omnibus_of_numbers, EVEN),
        (omnibus_of_numbers, with_tails()),
        (omnibus_of_numbers, with_atoms()),
        (omnibus_of_numbers, zipf(FINE)),
        (omnibus_of_numbers, np.full(5, 0.2)),
        (omnibus_of_categories, zipf(2)),
        (omnibus_of_categories, zipf(20)),
        (omnibus_of_categories, zipf(400)),
    ],
    ids=["even", "tails", "atoms", "zipf", "5 cells", "2 categories", "20 categories", "400 categories"],
)
@pytest.mark.parametrize(("n", "m"), [(2_000, 2_000), (20_000, 200), (100_000, 20_000), (1_000, 20_000)])
def test_the_size(kind, share: np.ndarray, n: int, m: int) -> None:
    rng = np.random.default_rng(n + m + len(share))
    draws = 3_000
    p = np.concatenate(
        [
            kind(rng.multinomial(n, share, 1_000), rng.multinomial(m, share, 1_000)).p
            for _ in range(draws // 1_000)
        ]
    )
    for level in (0.05, 0.01, 0.001):
        # At most 1.2 times the level, and 3.5 standard errors of the simulation.
        assert (p <= level).mean() <= 1.2 * level + 3.5 * math.sqrt(level / draws)
    # Not asleep either: hundreds of rare categories cost most, by Bonferroni over all of them.
    assert (p <= 0.05).mean() >= 0.05 * (0.3 if len(share) < 400 else 0.1)


def test_the_power() -> None:
    rng = np.random.default_rng(33)
    power = {}
    for name, share in alternatives().items():
        found = omnibus_of_numbers(rng.multinomial(20_000, EVEN, 600), rng.multinomial(2_000, share, 600))
        power[name] = (found.p <= 0.01).mean()
    assert np.mean(list(power.values())) >= 0.60, power
    assert power["mean + 0.10 sd"] >= 0.80
    assert power["sd x 1.10"] >= 0.75
    assert power["1 % of rows at + 5 sd"] >= 0.70
    assert power["lowest 2.3 % cut off"] >= 0.99
    assert power["2 % stuck"] >= 0.99


def test_the_winner_names_the_kind_of_change() -> None:
    rng = np.random.default_rng(34)
    expected = {"mean + 0.10 sd": 0, "sd x 1.10": 1, "lowest 2.3 % cut off": 2, "2 % stuck": 2}
    for name, winner in expected.items():
        share = alternatives()[name]
        found = omnibus_of_numbers(rng.multinomial(50_000, EVEN, 100), rng.multinomial(10_000, share, 100))
        assert np.bincount(found.winner, minlength=len(COMPONENTS)).argmax() == winner, name
        if name == "2 % stuck":
            assert (found.scan.start == 100).all()
            assert (found.scan.stop == 101).all()
            assert found.scan.change == pytest.approx(0.02, abs=0.006)


def test_a_rare_category_that_came_wins_and_the_unseen_are_not_scanned() -> None:
    a = np.array([[5_000, 3_000, 1_900, 100, 0, 0]])
    b = np.array([[500, 300, 190, 10, 12, 0]])
    found = omnibus_of_categories(a, b)
    assert COMPONENTS[found.winner[0]] == "scan"
    assert (found.scan.start[0], found.scan.stop[0]) == (4, 5)
    # Twelve of twelve are current, by chance (m / T)^12; twice, five cells.
    assert found.scan.p[0] == pytest.approx(10 * (1_012 / 11_012) ** 12, rel=0.1)
    # A reference has no unseen category of its own, so its count there is no count of rows.
    unseen = omnibus_of_categories(a[:, :5], b[:, :5])
    assert unseen.scan.p[0] > 0.5


def test_columns_are_judged_one_by_one_and_padding_is_nothing() -> None:
    rng = np.random.default_rng(35)
    a, b = rng.multinomial(5_000, zipf(40), 6), rng.multinomial(900, zipf(40), 6)
    for kind in (omnibus_of_numbers, omnibus_of_categories):
        together = kind(a, b)
        for i in range(6):
            alone = kind(a[i], b[i])
            assert alone.p[0] == pytest.approx(together.p[i], rel=1e-9)
            assert (alone.winner[0], alone.scan.start[0]) == (together.winner[i], together.scan.start[i])
        # Zeros before the last place, which is "above" or "unseen".
        wider = [
            np.concatenate([side[:, :-1], np.zeros((6, 9), int), side[:, -1:]], axis=1) for side in (a, b)
        ]
        assert kind(*wider).parts[:, :2] == pytest.approx(together.parts[:, :2], rel=1e-9, nan_ok=True)


def test_small_and_empty_samples() -> None:
    # Nine rows are too few for two coarse cells: the exact scan and Anderson-Darling speak.
    few = omnibus_of_numbers([50] * 8, [9, 0, 0, 0, 0, 0, 0, 0])
    assert np.isnan(few.parts[0, 1])
    assert few.p[0] < 1e-4
    none = omnibus_of_numbers([[10, 20, 30], [0, 0, 0]], [[0, 0, 0], [1, 2, 3]])
    assert np.isnan(none.p).all()
    assert none.winner.tolist() == [-1, -1]
    alike = omnibus_of_numbers([100, 200, 300], [100, 200, 300])
    assert alike.p[0] > 0.9
    one = omnibus_of_categories([500, 0], [700, 0])
    assert one.p[0] == pytest.approx(0.95)
    assert category_groups(np.array([[5, 4, 1]]), 2).tolist() == [[0, 1, 1]]


def test_huge_counts_are_no_trouble() -> None:
    a = np.full(256, 4 * 10**9)
    b = a.copy()
    b[3] += 10**8
    found = omnibus_of_numbers(a, b)
    assert found.p[0] < 1e-300
    assert found.scan.start[0] == 3
    assert omnibus_of_numbers(a, a).p[0] > 0.94


def test_a_stray_value_beside_one_that_most_rows_have_is_as_rare_as_it_is() -> None:
    """Flags of 0 and 1, and rarely a 2, which few references have seen: the size stays what it is."""
    rng = np.random.default_rng(41)
    for m in (100, 1_000, 10_000):
        share = np.array([0.0, 0.5 - 5e-5, 0.0, 0.5, 5e-5])
        a, b = rng.multinomial(20_000, share, 3_000), rng.multinomial(m, share, 3_000)
        found = omnibus_of_numbers(a, b)
        # 0.12 % of 3,000 are 3.6: more than 11 have a chance of 0.1 %.
        assert (found.p <= 0.001).sum() <= 11
        assert (found.parts[:, 0] <= 0.001).sum() <= 11
    # One row of a hundred, of a value that 20,000 rows had not: 100 / 20,100, twice.
    one = omnibus_of_numbers([[0, 10_000, 0, 10_000, 0]], [[0, 50, 0, 49, 1]])
    assert one.p[0] > 0.005
    # Ten of them are no chance.
    assert omnibus_of_numbers([[0, 10_000, 0, 10_000, 0]], [[0, 45, 0, 45, 10]]).p[0] < 1e-15
