"""What a window is compared with, where a reference knows its own: their seasonal slots, their spread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge.cells import MAX_COARSE_CELLS
from tidegauge.drift.dispersion import Dispersion, HomeDispersion, Spread
from tidegauge.drift.history import Tail
from tidegauge.drift.intervals import Overdispersion, candidates

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Coarse cells of a number: at most twice as many as asked for, and below and above.
WIDTH = 2 * MAX_COARSE_CELLS + 2


@dataclass(frozen=True, slots=True)
class Spreads:
    """`Spread` of every column, `[columns]` each; NaN where windows of this length are not known."""

    factor: Floats
    part: Floats
    degrees: Floats
    denominator: Floats


@dataclass(frozen=True, slots=True)
class Baseline:
    """The reference's own windows, as far as they bear on one window, for every column of a stack.

    `cells` `[columns, WIDTH]`, `hits` and `exposed` `[columns, homes]`: its rows in the same seasonal slots
    in the same proportions, as whole rows worth as much. The rest is `Dispersion`, stacked; `known` says for
    which columns there is any, of blocks of `block` of the reference's `n_windows` windows. `tails` and
    `home_tails` (one a column, one a column and home) say how far to believe a p. `seasonal`: not all windows
    are compared with, as all of the reference's moments are.
    """

    cells: Integers
    hits: Integers
    exposed: Integers
    known: npt.NDArray[np.bool_]
    chi_square: Spreads
    anderson_darling: Spreads
    sets: Overdispersion
    homes: Floats
    home_denominator: Floats
    tails: tuple[Tail | None, ...]
    home_tails: tuple[tuple[Tail | None, ...], ...]
    n_windows: int
    block: int
    seasonal: bool


def pooled_in_proportion(counts: Integers, slots: Integers, wanted: Integers) -> Integers:
    """Return `[cells]` of `counts` `[windows, cells]`, the slots in the proportions of `wanted`.

    The share of each cell is the mean of its shares in the slots of the `wanted` windows; the number of rows
    is as many as give that mean the same variance as rows drawn one by one. Whole numbers.
    """
    names, how_many = np.unique(wanted, return_counts=True)
    weight = how_many / how_many.sum()
    totals = np.stack([counts[slots == name].sum(axis=0) for name in names]).astype(np.float64)
    rows = totals.sum(axis=1)
    if not (rows > 0).all():
        return np.zeros(counts.shape[1], dtype=np.int64)
    if len(names) == 1:
        return np.asarray(totals[0], dtype=np.int64)
    share = (weight[:, None] * totals / rows[:, None]).sum(axis=0)
    worth = 1.0 / (weight * weight / rows).sum()
    return np.asarray(np.rint(share * worth), dtype=np.int64)


def stacked_baseline(
    cells: Integers,
    hits: Integers,
    exposed: Integers,
    found: list[Dispersion | None],
    *,
    ordered: bool,
    n_windows: int,
    block: int,
    seasonal: bool,
) -> Baseline:
    """Put the dispersions of columns side by side; those without one are not `known`."""
    columns = len(found)
    unknown = (HomeDispersion(1.0, np.inf, None),) * hits.shape[1]
    homes = [unknown if each is None else each.homes for each in found]
    n_sets = len(candidates(WIDTH, ordered)[0])
    return Baseline(
        cells,
        hits,
        exposed,
        np.array([each is not None for each in found], dtype=np.bool_),
        _spreads([None if each is None else each.chi_square for each in found]),
        _spreads([None if each is None else each.anderson_darling for each in found]),
        Overdispersion(
            np.stack([np.ones(n_sets) if each is None else each.sets for each in found]).reshape(
                columns, n_sets
            ),
            np.array([[np.inf if each is None else each.set_denominator] for each in found]),
        ),
        np.array([[home.factor for home in each] for each in homes]),
        np.array([[home.denominator for home in each] for each in homes]),
        tuple(None if each is None else each.tail for each in found),
        tuple(tuple(home.tail for home in each) for each in homes),
        n_windows,
        block,
        seasonal,
    )


def joined(parts: list[Baseline]) -> Baseline:
    """Return the columns of several baselines, one after another."""

    def together(pick: Callable[[Baseline], Any]) -> Any:
        return np.concatenate([pick(part) for part in parts])

    def spreads(pick: Callable[[Baseline], Spreads]) -> Spreads:
        return Spreads(
            *(np.concatenate([getattr(pick(part), name) for part in parts]) for name in Spreads.__slots__)
        )

    return Baseline(
        together(lambda part: part.cells),
        together(lambda part: part.hits),
        together(lambda part: part.exposed),
        together(lambda part: part.known),
        spreads(lambda part: part.chi_square),
        spreads(lambda part: part.anderson_darling),
        Overdispersion(together(lambda part: part.sets.factor), together(lambda part: part.sets.denominator)),
        together(lambda part: part.homes),
        together(lambda part: part.home_denominator),
        tuple(each for part in parts for each in part.tails),
        tuple(each for part in parts for each in part.home_tails),
        parts[0].n_windows,
        parts[0].block,
        parts[0].seasonal,
    )


def rows_of(baseline: Baseline, columns: Integers) -> Baseline:
    """Return a baseline whose row i is column `columns[i]` of another."""

    def picked(spreads: Spreads) -> Spreads:
        return Spreads(*(getattr(spreads, name)[columns] for name in Spreads.__slots__))

    return Baseline(
        baseline.cells[columns],
        baseline.hits[columns],
        baseline.exposed[columns],
        baseline.known[columns],
        picked(baseline.chi_square),
        picked(baseline.anderson_darling),
        Overdispersion(baseline.sets.factor[columns], baseline.sets.denominator[columns]),
        baseline.homes[columns],
        baseline.home_denominator[columns],
        tuple(baseline.tails[i] for i in columns.tolist()),
        tuple(baseline.home_tails[i] for i in columns.tolist()),
        baseline.n_windows,
        baseline.block,
        baseline.seasonal,
    )


def _spreads(found: list[Spread | None]) -> Spreads:
    rows = [
        (np.nan,) * 4 if each is None else (each.factor, each.part, each.degrees, each.denominator)
        for each in found
    ]
    return Spreads(*np.array(rows, dtype=np.float64).reshape(len(found), 4).T)
