"""Dispersion learned from windows: right factors for known spreads, honest sizes of what is judged by it."""

from __future__ import annotations

from dataclasses import astuple, replace
from itertools import permutations

import numpy as np
import pytest
from benchmarks.statistics.populations import Columns, Counted

from tidegauge.cells import category_groups, coarse_cell_count, number_groups
from tidegauge.drift.columns import stack_columns
from tidegauge.drift.dispersion import MIN_BLOCKS, Dispersion, dispersion_of_column
from tidegauge.drift.evidence import Evidence, evidence
from tidegauge.homes import HOMES
from tidegauge.reference_windows import ReferenceWindows, WindowedColumn
from tidegauge.seasons import Baselines
from tidegauge.window import HOUR

SHARES = np.full(16, 1 / 16)


def homes(cells: np.ndarray, missing: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Hits and exposed rows of windows without trouble but missing values."""
    hits = np.zeros((len(cells), len(HOMES)), np.int64)
    rows = cells.sum(axis=1)
    exposed = np.repeat(rows[:, None], len(HOMES), axis=1)
    if missing is not None:
        hits[:, HOMES.index("missing")] = missing
        exposed[:, :4] += missing[:, None]
    return hits, exposed


def learned(
    cells: np.ndarray, block: int = 1, slots: np.ndarray | None = None, **more: np.ndarray
) -> Dispersion:
    slots = np.zeros(len(cells), np.int64) if slots is None else slots
    found = dispersion_of_column(cells, *homes(cells, **more), ordered=True, slots=slots, block=block)
    assert found is not None
    return found


def dirichlet(rng: np.random.Generator, windows: int, rows: int, phi: float) -> np.ndarray:
    """Counts whose variance is `phi` times that of a multinomial, in every direction."""
    if phi == 1:
        return rng.multinomial(rows, SHARES, windows)
    weight = (rows - phi) / (phi - 1)
    return rng.multinomial(rows, rng.dirichlet(SHARES * weight, windows))


def wandering(rng: np.random.Generator, windows: int, rows: int, memory: float, size: float) -> np.ndarray:
    """Counts of windows whose mean follows an autoregression: one direction, with a memory."""
    step = rng.normal(size=windows) * np.sqrt(1 - memory * memory)
    at = rng.normal()
    where = []
    for each in step:
        at = memory * at + each
        where.append(at)
    mass = SHARES * np.exp(size * np.array(where)[:, None] * np.linspace(-1, 1, 16))
    return rng.multinomial(rows, mass / mass.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("phi", [1.0, 3.0, 10.0])
@pytest.mark.parametrize(("windows", "block"), [(60, 1), (60, 4), (240, 8)])
def test_the_factor_is_that_of_the_windows(phi: float, windows: int, block: int):
    rng = np.random.default_rng(int(phi) + block)
    found = [learned(dirichlet(rng, windows, 500, phi), block) for _ in range(40)]
    assert {len(each.tail.p) for each in found} == {windows // block}
    # A factor below 1 is not believed, so that of independent rows is a little above 1.
    for factors in (
        [each.chi_square.factor for each in found],
        [each.anderson_darling.factor for each in found if each.anderson_darling],
        [each.sets.mean() for each in found],
    ):
        assert min(factors) >= 1.0
        assert np.mean(factors) == pytest.approx(phi, rel=0.07, abs=0.2 if phi == 1 else 0.0)


def test_missing_rows_have_their_own_factor():
    rng = np.random.default_rng(3)
    factors = []
    for _ in range(60):
        rows = dirichlet(rng, 100, 400, 1.0)
        share = rng.beta(2.0, 38.0, 100)  # 1 + (400 - 1) / 41 = 10.7
        found = learned(rows, missing=rng.binomial(420, share))
        factors.append([home.factor for home in found.homes])
    mean = np.mean(factors, axis=0)
    assert mean[HOMES.index("missing")] == pytest.approx(1 + 419 / 41, rel=0.15)
    assert (np.delete(mean, HOMES.index("missing")) == 1.0).all()


def test_one_direction_is_known_from_many():
    rng = np.random.default_rng(4)
    narrow = [learned(wandering(rng, 200, 2_000, 0.0, 0.3)).chi_square for _ in range(10)]
    wide = [learned(dirichlet(rng, 200, 2_000, 8.0)).chi_square for _ in range(10)]
    assert np.mean([each.degrees for each in narrow]) < 2
    assert np.mean([each.degrees for each in wide]) == pytest.approx(15, rel=0.1)
    # The other fourteen directions add a constant.
    assert np.mean([each.part for each in narrow]) < 0.97


def test_memory_enlarges_the_spread_of_merged_windows():
    rng = np.random.default_rng(5)
    single = np.mean([learned(wandering(rng, 240, 1_000, 0.8, 0.15)).chi_square.factor for _ in range(20)])
    merged = np.mean([learned(wandering(rng, 240, 1_000, 0.8, 0.15), 8).chi_square.factor for _ in range(20)])
    independent = np.mean(
        [learned(wandering(rng, 240, 1_000, 0.0, 0.15), 8).chi_square.factor for _ in range(20)]
    )
    # Merging 8 windows: the variance of their mean is (1 + 2 sum (1 - k/8) 0.8^k) / 8 of one's, rows are 8
    # times as many; so the excess over 1 grows about fivefold, and not at all without memory.
    lags = np.arange(1, 8)
    growth = 1 + 2 * ((1 - lags / 8) * 0.8**lags).sum()
    assert merged - 1 == pytest.approx(growth * (single - 1), rel=0.25)
    assert independent - 1 == pytest.approx(single - 1, rel=0.25)


def test_what_seasons_explain_is_no_dispersion():
    rng = np.random.default_rng(6)
    hours = np.arange(24 * 20) % 24
    mass = SHARES * np.exp(0.5 * np.sin(hours / 24 * 2 * np.pi)[:, None] * np.linspace(-1, 1, 16))
    cells = rng.multinomial(1_000, mass / mass.sum(axis=1, keepdims=True))
    known, unknown = learned(cells, slots=hours), learned(cells)
    assert known.chi_square.factor < 1.1
    assert unknown.chi_square.factor > 3
    assert unknown.sets.max() > 5 * known.sets.max()
    # A whole day at a time has all hours, whatever they are called.
    assert learned(cells, 24).chi_square.factor < 1.6


def test_traces_are_those_of_a_slow_loop_over_different_blocks():
    rng = np.random.default_rng(7)
    cells = dirichlet(rng, 12, 400, 5.0)
    found = learned(cells)
    rows = cells.sum(axis=1)
    share = cells.sum(axis=0) / cells.sum()
    free = 1.0 - rows / rows.sum()
    vectors = (cells - rows[:, None] * share) / np.sqrt(rows * free)[:, None] / np.sqrt(share)
    n = len(vectors)
    g = vectors @ vectors.T
    trace = np.trace(g) / n
    second = np.mean([g[i, j] ** 2 for i, j in permutations(range(n), 2)])
    third = np.mean([g[i, j] * g[j, k] * g[k, i] for i, j, k in permutations(range(n), 3)])
    second = np.clip(second, trace**2 / 15, trace**2)
    third = np.clip(third, second**2 / trace, second**1.5)
    degrees = second**3 / third**2
    assert found.chi_square.degrees == pytest.approx(degrees)
    assert found.chi_square.part == pytest.approx(np.sqrt(second * degrees) / trace)


def test_too_few_blocks_say_nothing():
    rng = np.random.default_rng(8)
    cells = dirichlet(rng, 64, 300, 2.0)

    def found(cells: np.ndarray, block: int = 1, slots: np.ndarray | None = None) -> Dispersion | None:
        slots = np.zeros(len(cells), np.int64) if slots is None else slots
        return dispersion_of_column(cells, *homes(cells), ordered=True, slots=slots, block=block)

    few = found(cells, 9)
    assert few is not None
    assert len(few.tail.p) == 7
    # Six blocks that are compared with their own mean are worth five.
    assert found(cells, 10) is None
    assert found(cells[: MIN_BLOCKS - 1]) is None
    # Every window a slot of its own: each is all there is to compare it with.
    assert found(cells, 1, np.arange(64)) is None
    assert found(cells, 1, np.arange(64) % 16) is not None
    # A block without rows has no gap.
    empty = cells.copy()
    empty[8:16] = 0
    assert found(empty, 8) is None


@pytest.mark.parametrize("ordered", [True, False])
def test_degenerate_windows_give_finite_numbers(ordered: bool):
    for cells in (
        np.full((20, 1), 50),
        np.tile([50, 0, 0], (20, 1)),
        np.eye(20, 3, dtype=np.int64) * 70 + 5,
        np.tile([10, 20, 30], (20, 1)),
        np.array([[i % 2, 1 - i % 2] for i in range(20)]),
    ):
        counts = np.asarray(cells, np.int64)
        found = dispersion_of_column(
            counts, *homes(counts), ordered=ordered, slots=np.zeros(20, np.int64), block=1
        )
        if found is not None:
            spreads = [found.chi_square, *([found.anderson_darling] if found.anderson_darling else [])]
            assert np.isfinite([astuple(each) for each in spreads]).all()
            assert np.isfinite(found.sets).all()
            assert (found.sets >= 1).all()
            assert np.isfinite([home.factor for home in found.homes]).all()


def judged(
    series: np.ndarray,
    window: np.ndarray,
    block: int,
    slots: np.ndarray | None = None,
    ordered: bool = True,
) -> Evidence:
    """Weigh windows `[columns, cells]` against the hours of a reference `[columns, hours, cells]`.

    `slots` are those of the window to be judged; None takes all hours as one season.
    """
    columns, n_windows, fine = series.shape
    kind = "number" if ordered else "category"
    edges = np.arange(fine + 1.0) if ordered else None
    names = [str(i) for i in range(columns)]

    def side(counts: np.ndarray) -> Columns:
        return Columns(
            (name, Counted(kind=kind, counts=each, edges=edges))
            for name, each in zip(names, counts, strict=True)
        )

    stack = stack_columns(names, ordered, side(series.sum(axis=1)), side(window))
    group = number_groups if ordered else category_groups
    groups = group(stack.reference.cells, coarse_cell_count(stack.reference.present))
    windowed = {}
    for name, each, own in zip(names, series, groups, strict=True):
        padded = np.pad(each, ((0, 0), (int(ordered), 1)))
        cells = np.stack([np.bincount(own, row, own.max() + 1) for row in padded]).astype(np.int64)
        windowed[name] = WindowedColumn(cells, *homes(cells))
    starts = np.arange(n_windows, dtype=np.int64) * HOUR
    baselines = Baselines(ReferenceWindows(HOUR, starts, series[0].sum(axis=1), windowed))
    return evidence(replace(stack, baseline=baselines.baseline(stack, block, slots)), 0.01, 0.01)


COLUMNS = 300
NOISE = 3.0 * np.sqrt(0.025 * 0.975 / COLUMNS)


def draw(rng: np.random.Generator, kind: str, windows: int) -> np.ndarray:
    if kind == "memory":
        return wandering(rng, windows, 600, 0.6, 0.15)
    if kind == "one direction":
        return wandering(rng, windows, 600, 0.0, 0.2)
    return dirichlet(rng, windows, 600, {"independent": 1, "dirichlet 3": 3, "dirichlet 10": 10}[kind])


@pytest.mark.parametrize(
    ("kind", "block"),
    [
        ("independent", 1),
        ("independent", 8),
        ("dirichlet 3", 4),
        ("dirichlet 10", 1),
        ("dirichlet 10", 8),
        ("memory", 1),
        ("memory", 8),
        ("one direction", 4),
    ],
)
def test_size_with_the_references_own_windows(kind: str, block: int):
    """Nominal 1 %: at most 2.5 % and three standard errors."""
    rng = np.random.default_rng(block)
    series = np.stack([draw(rng, kind, 80) for _ in range(COLUMNS)])
    window = np.stack([draw(rng, kind, block).sum(axis=0) for _ in range(COLUMNS)])
    found = judged(series, window, block)
    assert not found.untested.any()
    assert (found.p <= 0.01).mean() <= 0.025 + NOISE
    rates = (found.parts[:, :3] <= 0.01).mean(axis=0)
    assert (rates <= 0.025 + NOISE).all(), rates
    # So is that of the tolerance test, whose boundary they are far from.
    assert (found.p_tolerance <= 0.01).mean() <= 0.01


@pytest.mark.parametrize("rows", [100, 1_000, 10_000])
@pytest.mark.parametrize("ordered", [True, False])
def test_size_where_cells_are_thin(ordered: bool, rows: int):
    """Few rows in a slot, many cells: those too thin to count leave few directions to differ in."""
    rng = np.random.default_rng(rows)
    share = np.full(100, 0.01) if ordered else 1.0 / np.arange(1, 301) ** 1.6
    share /= share.sum()
    series = rng.multinomial(60, share, (COLUMNS, 7 * 24))
    found = judged(series, rng.multinomial(rows, share, COLUMNS), 1, np.array([3]), ordered)
    # 0.25 % of 300 are 0.75: more than 4 have a chance of 0.1 %.
    assert (found.p <= 0.001).sum() <= 4
    assert (found.parts[:, :3] <= 0.001).sum(axis=0).max() <= 4
    assert (found.p_matters <= 0.001).sum() <= 1


def test_the_same_windows_taken_as_independent_rows_are_all_named():
    rng = np.random.default_rng(9)
    series = dirichlet(rng, 80, 600, 10.0)
    totals = Counted(kind="number", counts=series.sum(axis=0), edges=np.arange(17.0))
    named = 0
    for window in dirichlet(rng, 20, 600, 10.0):
        now = Counted(kind="number", counts=window, edges=np.arange(17.0))
        stack = stack_columns(["x"], True, Columns(x=totals), Columns(x=now))
        named += bool(evidence(stack, 0.01, 0.01).p[0] <= 0.01)
    assert named >= 18


def test_a_change_beyond_what_windows_do_is_found():
    rng = np.random.default_rng(10)
    series = np.stack([dirichlet(rng, 80, 600, 3.0) for _ in range(50)])
    tilted = SHARES * np.exp(np.linspace(-0.7, 0.7, 16))
    window = rng.multinomial(600, tilted / tilted.sum(), 50)
    found = judged(series, window, 1)
    assert (found.p <= 0.001).mean() > 0.9
    assert (found.p_tolerance <= 0.05).mean() > 0.5


def test_a_window_is_held_against_its_own_season():
    rng = np.random.default_rng(11)
    hours = np.arange(24 * 10) % 24
    lean = np.exp(0.5 * np.sin(hours / 24 * 2 * np.pi)[:, None] * np.linspace(-1, 1, 16)) / 16
    mass = lean / lean.sum(axis=1, keepdims=True)
    series = np.stack([rng.multinomial(600, mass) for _ in range(60)])
    window = rng.multinomial(600, mass[6], 60)  # the hour that leans most
    own, other = (judged(series, window, 1, np.array([hour])) for hour in (6, 18))
    assert (own.p <= 0.01).sum() <= 6  # of 60 at 2.5 %: more has a chance of 0.1 %
    assert (other.p <= 0.01).mean() == 1.0


def test_too_few_blocks_are_untested_and_not_enough():
    rng = np.random.default_rng(12)
    series = np.stack([dirichlet(rng, 80, 600, 3.0) for _ in range(2)])
    window = rng.multinomial(600 * 21, SHARES, 2)
    found = judged(series, window, 21)
    assert found.untested.all()
    assert not found.enough.any()
    assert np.isnan(found.p).all()
    assert np.isnan(found.p_matters).all()
    assert not judged(series, window, 11).untested.any()
