"""One p for "did this column change?", whatever the kind of change: three tests, combined, and the winner.

A shift moves the distribution function (Anderson-Darling), a change of shape the coarse cells (chi-square), a
stuck value or a cut-off tail a few fine cells (exact scan). Each test is blind to what another sees; the
Cauchy combination of their p loses little to the best of them and needs no assumption on how they depend.

Coarse cells are chosen from the pooled counts, given which the split into reference and current is pure
chance when nothing changed: cells chosen from a small reference would make the chi-square too large (its
commonest categories are partly those that luck made common).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge import cells
from tidegauge.drift import contingency, quadratic
from tidegauge.drift.intervals import Scan, cell_scan, interval_scan

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

COMPONENTS = ("anderson_darling", "chi_square", "scan")
MIN_EXPECTED = 5  # rows in a cell of chi-square, or beyond a gap of Anderson-Darling, of the smaller sample
# Of a p in the combination: the tangent of a p near 1 would outweigh any evidence. At 0.99 it did so for the
# scan's p of a thousand categories, which is always near 1; 0.95 leaves sizes below 0.05 as they are.
_LARGEST = 0.95


@dataclass(frozen=True, slots=True)
class Omnibus:
    """The omnibus test of every column.

    `p` `[columns]` is the combination; `parts` `[columns, 3]` are the p of COMPONENTS in their order, NaN for
    a test that does not apply; `winner` `[columns]` is the place in COMPONENTS of the smallest (the first of
    equals, -1 where p is NaN); `scan` has the interval of cells that changed most beyond chance and by how
    much.
    """

    p: Floats
    parts: Floats
    winner: Integers
    scan: Scan


def omnibus_of_numbers(
    reference: npt.ArrayLike, current: npt.ArrayLike, above: Integers | None = None
) -> Omnibus:
    """Test columns of numbers, counts `[columns, below + cells + above]`, about equal mass in the reference.

    Anderson-Darling (but for tails with fewer than 5 expected rows) and the dyadic scan on all cells;
    chi-square on about min(32, n // 100, m // 10) coarse ones (`cells.number_groups`), where that is 2 or
    more. `above` `[columns]`: the place that the last cell of each would have without padding before it.
    """
    a, b = _counted(reference, current)
    groups = cells.number_groups(a + b, np.maximum(_coarse_count(a, b), 1))
    darling = quadratic.anderson_darling(a, b, MIN_EXPECTED)[2]
    return _omnibus(a, b, groups, darling, interval_scan(a, b, above=above))


def omnibus_of_categories(reference: npt.ArrayLike, current: npt.ArrayLike) -> Omnibus:
    """Test columns of categories, counts `[columns, categories + unseen]`; their order has no meaning.

    Chi-square on coarse cells (the commonest categories, and the rest with the unseen) and the exact test of
    every category. Counts of the unseen belong in the last place of both sides.
    """
    a, b = _counted(reference, current)
    groups = cells.category_groups(a + b, np.maximum(_coarse_count(a, b), 1))
    # How many are unseen in a reference is no count of rows (`columns.stack_columns`): it has a test of its
    # own.
    scan = cell_scan(a, b, last=False)
    return _omnibus(a, b, groups, np.full(len(a), np.nan), scan)


def combine_p_values(p: npt.ArrayLike) -> Floats:
    """Return the Cauchy combination of the p along the last axis, `[..., tests]` -> `[...]`.

    T = mean of tan(pi (1/2 - p)), p = 1/2 - arctan(T) / pi, with every p at most 0.95 (Liu & Xie 2020).
    NaN are left out; NaN where nothing is left. 0 where a p is 0. Valid for small p under almost any
    dependence.
    """
    each = np.asarray(p, dtype=np.float64)
    known = ~np.isnan(each)
    angle = np.pi * np.where(known, np.minimum(each, _LARGEST), 0.5)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # tan(pi (1/2 - p)) = 1 / tan(pi p), which keeps its digits for the smallest p; 1/2 adds nothing.
        mean = np.where(known, 1.0 / np.tan(angle), 0.0).sum(axis=-1) / known.sum(axis=-1)
        # And 1/2 - arctan(T) / pi is the angle of the point (T, 1).
        return np.asarray(np.where(np.isnan(mean), np.nan, np.arctan2(1.0, mean) / np.pi))


def _counted(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Integers, Integers]:
    a, b = (np.atleast_2d(np.asarray(each)).astype(np.int64) for each in (reference, current))
    return a, b


def _coarse_count(a: Integers, b: Integers) -> Integers:
    fit = b.sum(axis=1) // cells.MIN_ROWS_PER_COARSE_CELL
    return np.asarray(np.minimum(cells.coarse_cell_count(a.sum(axis=1)), fit))


def _omnibus(a: Integers, b: Integers, groups: Integers, ordered: Floats, scan: Scan) -> Omnibus:
    _, _, p = contingency.chi_square(*without_thin(cells.coarsen(a, groups), cells.coarsen(b, groups)))
    p = np.where(_coarse_count(a, b) >= 2, p, np.nan)
    parts = np.stack([ordered, p, scan.p], axis=-1)
    together = combine_p_values(parts)
    winner = np.argmin(np.where(np.isnan(parts), np.inf, parts), axis=-1)
    return Omnibus(together, parts, np.where(np.isnan(together), -1, winner), scan)


def without_thin(a: Integers, b: Integers) -> tuple[Integers, Integers]:
    """Put the cells with fewer than 5 expected rows in the smaller sample together, in one more cell.

    Where they are too few even then, they join the largest cell. Two rows where 0.1 are expected would make
    the chi-square tail ten times too small; such cells (mostly below and above) are the exact scan's. The
    choice depends on pooled counts alone, so it leaves the null law as it is.
    """
    n, m = a.sum(axis=1), b.sum(axis=1)
    least = MIN_EXPECTED * (n + m) / np.maximum(np.minimum(n, m), 1)
    thin = a + b < least[:, None]
    rest_a, rest_b = np.where(thin, a, 0).sum(axis=1), np.where(thin, b, 0).sum(axis=1)
    own = rest_a + rest_b >= least
    place = np.where(own, a.shape[1], np.argmax(a + b, axis=1))[:, None]
    sides = []
    for side, rest in ((a, rest_a), (b, rest_b)):
        kept = np.pad(np.where(thin, 0, side), ((0, 0), (0, 1)))
        np.put_along_axis(kept, place, np.take_along_axis(kept, place, 1) + rest[:, None], 1)
        sides.append(kept)
    return sides[0], sides[1]
