"""Coarse cells: near equal mass, atoms apart, nothing lost, the same for every window."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tidegauge.cells import category_groups, number_groups
from tidegauge.drift import coarse_cell_count, coarse_groups, coarse_starts, coarsen

COUNTS = arrays(np.int64, st.integers(1, 80), elements=st.integers(0, 10_000))


def test_count_of_cells() -> None:
    assert coarse_cell_count([0, 99, 100, 250, 3_199, 3_200, 10**9]).tolist() == [0, 0, 1, 2, 31, 32, 32]


def test_equal_cells_are_united_evenly() -> None:
    assert coarse_starts(np.full(256, 10), 32).tolist() == list(range(0, 256, 8))
    assert coarse_starts(np.full(6, 10), 2).tolist() == [0, 3]


def test_fewer_fine_cells_than_wanted_are_kept() -> None:
    assert coarse_starts([10, 10, 10], 32).tolist() == [0, 1, 2]


def test_an_atom_keeps_its_own_cell() -> None:
    # The atom in place 3 holds half of the rows; three cells are left for two stretches of 1.5 cells' mass
    # each, which is rounded to 2. In each, the mass midpoints 5, 15, 25 of 30 fall into halves 0, 1, 1.
    assert coarse_starts([10, 10, 10, 60, 10, 10, 10], 4).tolist() == [0, 1, 3, 4, 5]


def test_no_rows_make_one_cell() -> None:
    assert coarse_starts([0, 0, 0], 8).tolist() == [0]


@given(COUNTS, st.integers(1, 32))
def test_laws_of_coarse_cells(counts: np.ndarray, n_cells: int) -> None:
    starts = coarse_starts(counts, n_cells)
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all()
    assert len(starts) <= 2 * n_cells
    total = counts.sum()
    sums = np.add.reduceat(counts, starts)
    assert sums.sum() == total
    widths = np.diff(np.append(starts, len(counts)))
    atoms = counts * n_cells > total
    for start, width, mass in zip(starts, widths, sums, strict=True):
        inside = atoms[start : start + width]
        if inside.any():
            assert width == 1
        else:
            # A part of a stretch holds at most 1.5 shares of it, and half a fine cell reaches over at each
            # end.
            assert mass <= 2.5 * total / n_cells + 1e-9


@given(st.lists(arrays(np.int64, 12, elements=st.integers(0, 1_000)), min_size=1, max_size=5))
def test_stacked_columns_are_treated_one_by_one(columns: list[np.ndarray]) -> None:
    together = coarse_groups(np.stack(columns), 6)
    for column, groups in zip(columns, together, strict=True):
        assert groups.tolist() == coarse_groups(column, 6)[0].tolist()
        assert np.flatnonzero(np.diff(groups, prepend=-1)).tolist() == coarse_starts(column, 6).tolist()


@given(COUNTS)
def test_coarsen_adds_up_like_a_loop(counts: np.ndarray) -> None:
    groups = coarse_groups(counts, 5)
    expected = np.zeros(groups.max() + 1, dtype=np.int64)
    for group, count in zip(groups[0], counts, strict=True):
        expected[group] += count
    assert coarsen(counts, groups)[0].tolist() == expected.tolist()


def test_below_and_above_are_cells_of_their_own() -> None:
    groups = number_groups([[0, 10, 10, 10, 10, 0]], 2)
    assert groups.tolist() == [[0, 1, 1, 2, 2, 3]]


def test_the_largest_categories_keep_their_cells() -> None:
    # Categories a, b, c, d and the unseen; ties by position; the unseen join the last cell whatever their
    # count.
    assert category_groups([[5, 40, 5, 50, 900]], 3).tolist() == [[2, 1, 2, 0, 2]]
    assert category_groups([[7, 7, 7, 0]], 2).tolist() == [[0, 1, 1, 1]]
    assert category_groups([[7, 7, 0]], 32).tolist() == [[0, 1, 2]]
