"""Coarse cells: unions of a reference's fine cells, near equal mass, on which divergences are computed.

Fine cells (up to 256 of a number, up to 4,096 of a category) keep every value in its place; a divergence over
so many cells is mostly noise. The coarse cells depend on the reference's counts alone, so every window of one
reference is judged on the same ones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MAX_COARSE_CELLS = 32
ROWS_PER_COARSE_CELL = 100  # of the reference, so that its own noise stays below a tenth of a cell
MIN_ROWS_PER_COARSE_CELL = 10  # of the window


def coarse_cell_count(n_reference: npt.ArrayLike) -> Integers:
    """Return C = min(32, n_reference // 100), elementwise; below 2 the reference is too small."""
    rows = np.asarray(n_reference, dtype=np.int64)
    return np.minimum(rows // ROWS_PER_COARSE_CELL, MAX_COARSE_CELLS)


def coarse_groups(reference_counts: npt.ArrayLike, n_cells: npt.ArrayLike) -> Integers:
    """Return the coarse cell of every fine cell, `[columns, fine]` -> the same, numbered from 0 per column.

    A fine cell with more than 1/C of the rows (an atom) is a coarse cell of its own. The stretches between
    atoms are divided, each into as many cells as its mass deserves (at least one), where the mass midpoint of
    a fine cell decides. So every coarse cell that is not an atom holds about 1/C of the rows or less, and
    their number is about C, never more than 2C. Integer sums and elementwise arithmetic: the same on every
    machine.
    """
    counts = np.atleast_2d(np.asarray(reference_counts)).astype(np.int64)
    columns, fine = counts.shape
    parts_wanted = np.maximum(np.broadcast_to(np.asarray(n_cells, dtype=np.int64), (columns,)), 1)
    total = counts.sum(axis=1)
    atom = counts * parts_wanted[:, None] > total[:, None]
    first = np.zeros_like(atom)
    first[:, 0] = True
    first[:, 1:] = atom[:, 1:] | atom[:, :-1]

    # From here on the columns lie end to end, and a run (an atom, or a stretch between atoms) never crosses
    # one.
    start = np.flatnonzero(first)
    column = start // fine
    run = np.cumsum(first.ravel()) - 1
    mass = np.add.reduceat(counts.ravel(), start)
    is_atom = atom.ravel()[start]
    left = np.maximum(parts_wanted - atom.sum(axis=1), 1)[column]
    rest = np.maximum(total - np.where(atom, counts, 0).sum(axis=1), 1)[column]
    parts = np.where(is_atom, 1, np.maximum(np.rint(mass / rest * left), 1)).astype(np.int64)

    through = np.cumsum(counts.ravel())
    before_run = through[start] - counts.ravel()[start]
    midpoint = through - before_run[run] - counts.ravel() / 2.0
    part = np.floor(midpoint / np.maximum(mass, 1)[run] * parts[run]).astype(np.int64)
    part = np.minimum(part, parts[run] - 1)
    # Number the (run, part) pairs that hold a fine cell from 0 in each column.
    changes = np.r_[True, (np.diff(run) != 0) | (np.diff(part) != 0)].reshape(columns, fine)
    return np.asarray(np.cumsum(changes, axis=1) - 1, dtype=np.int64)


def coarse_starts(reference_counts: npt.ArrayLike, n_cells: int) -> Integers:
    """Return the first fine cell of every coarse cell of one column, for `np.add.reduceat`.

    `reference_counts` is `[fine]`; the result starts with 0 and increases. See `coarse_groups`.
    """
    groups = coarse_groups(reference_counts, n_cells)[0]
    return np.flatnonzero(np.diff(groups, prepend=-1))


def number_groups(reference_counts: npt.ArrayLike, n_cells: npt.ArrayLike) -> Integers:
    """Return the coarse cell of every cell of `[columns, below + fine + above]`, the same shape.

    Below and above the edges are cells of their own, whatever their counts: values outside the reference's
    range must not hide in its outermost cells. Columns with fewer cells are padded with zeros before `above`.
    """
    counts = np.atleast_2d(np.asarray(reference_counts))
    inner = coarse_groups(counts[:, 1:-1], n_cells) + 1
    # Empty cells at the end, padding among them, belong to the last cell in use, so that they show nowhere.
    used = counts[:, 1:-1] > 0
    last = used.shape[1] - 1 - np.argmax(used[:, ::-1], axis=1)
    inner = np.minimum(inner, np.take_along_axis(inner, last[:, None], axis=1))
    return np.concatenate([np.zeros_like(inner[:, :1]), inner, inner[:, -1:] + 1], axis=1)


def category_groups(reference_counts: npt.ArrayLike, n_cells: npt.ArrayLike) -> Integers:
    """Return the coarse cell of every category: `[columns, categories]` -> `[columns, categories]`.

    The C - 1 categories with the most rows in the reference keep a cell of their own, in that order (ties by
    position); all others, and those without rows, share the last. Values outside the categories must stand in
    the array's last place.
    """
    counts = np.atleast_2d(np.asarray(reference_counts)).astype(np.int64)
    columns, fine = counts.shape
    wanted = np.broadcast_to(np.asarray(n_cells, dtype=np.int64), (columns,))
    kept = np.clip(wanted - 1, 0, (counts[:, :-1] > 0).sum(axis=1))[:, None]
    order = np.argsort(-counts[:, :-1], axis=1, kind="stable")
    rank = np.full((columns, fine), fine, dtype=np.int64)
    np.put_along_axis(rank, order, np.arange(fine - 1)[None, :], axis=1)
    return np.minimum(rank, kept)


def coarsen(counts: npt.ArrayLike, groups: Integers) -> Integers:
    """Add fine counts `[columns, fine]` up to `[columns, coarse]`; short columns end in zeros."""
    fine = np.atleast_2d(np.asarray(counts)).astype(np.int64)
    columns = fine.shape[0]
    width = int(groups.max(initial=0)) + 1
    place = groups + np.arange(columns)[:, None] * width
    coarse = np.zeros(columns * width, dtype=np.int64)
    np.add.at(coarse, place.ravel(), fine.ravel())
    return coarse.reshape(columns, width)
