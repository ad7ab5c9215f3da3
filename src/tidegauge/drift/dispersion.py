"""How much windows differ when nothing is wrong, learned from the reference's own windows.

Rows of one window share an hour, a batch, a campaign: windows differ by more than rows drawn one by one. Each
block of consecutive reference windows, as long as the window to be judged, is held against what its seasonal
slots have in all the reference. The variance of those gaps over that of independent rows is the dispersion, per
test: a factor for all cells says too little about the few directions (a mean that wanders) in which windows
really differ, so every statistic has its own factor and its own effective degrees of freedom.

The gaps of blocks that follow each other resemble each other, which makes their common mean, and so the
dispersion, look smaller than it is: both are corrected by the correlation of neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge.drift.intervals import candidates

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MIN_BLOCKS = 4  # fewer say nothing about their variance
_MOST_CORRELATED = 0.9  # neighbours any more alike leave nothing to learn from


@dataclass(frozen=True, slots=True)
class Spread:
    """The dispersion of one statistic: `factor` (at least 1), its effective `degrees` and `denominator`.

    A statistic that is a sum of `degrees` squares under independent rows, divided by `factor`, is F with
    `degrees` and `denominator` degrees of freedom (after division by its mean).
    """

    factor: float
    degrees: float
    denominator: float


@dataclass(frozen=True, slots=True)
class Dispersion:
    """What the blocks of one column say.

    `n_blocks`, each of `block` windows; `chi_square` and `anderson_darling` (None of categories); `sets` and
    `set_denominator` `[sets]` for the cells or dyadic intervals of `intervals.candidates`; `homes` `[homes]`
    with `home_denominator`; `history` `[n_blocks]`, the blocks' chi-squares over their degrees of freedom.
    """

    n_blocks: int
    block: int
    chi_square: Spread
    anderson_darling: Spread | None
    sets: Floats
    set_denominator: float
    homes: Floats
    home_denominator: Floats
    history: Floats


@dataclass(frozen=True, slots=True)
class _Gaps:
    """Rows of each block in cells less what its slots expect, on the scale of a multinomial of one row.

    `gaps` is `[blocks, cells]`; under independent rows its covariance is that of one row, diag(h) - h h'.
    `free` `[blocks]` is the part of a block's own variance that its slots' means have not taken up.
    """

    gaps: Floats
    free: Floats
    shares: Floats


def dispersion_of_column(
    cells: Integers, ordered: bool, hits: Integers, exposed: Integers, slots: Integers, block: int
) -> Dispersion | None:
    """Learn the dispersion of blocks of `block` consecutive windows; None where there are too few blocks.

    `cells` `[windows, coarse cells]`; `hits` and `exposed` `[windows, homes]`; `slots` `[windows]`, equal for
    windows of one seasonal slot. Windows are in the order of time. Blocks may be at most a quarter of them.
    """
    n_blocks = len(cells) // block
    if n_blocks < MIN_BLOCKS:
        return None
    period = _period(slots, block)
    found = _gaps(cells, slots, block)
    if found is None:
        return None
    h = found.shares
    used = h > 0
    root = np.sqrt(np.where(used, h, 1.0))
    standard = np.where(used, found.gaps / root, 0.0)
    chi = _spread(standard, float(max(int(used.sum()) - 1, 0)), found.free, period)
    through = np.cumsum(h)[:-1]
    weight = np.sqrt(_ratio(h[:-1], through * (1.0 - through)))
    ordered_gaps = weight * np.cumsum(found.gaps, axis=1)[:, :-1]
    darling = _spread(ordered_gaps, float(h[:-1][weight > 0].sum()), found.free, period) if ordered else None
    start, stop = candidates(len(h), ordered)
    ends = np.concatenate([np.zeros((n_blocks, 1)), np.cumsum(found.gaps, axis=1)], axis=1)
    mass = np.concatenate([[0.0], np.cumsum(h)])
    share = np.clip(mass[stop] - mass[start], 0.0, 1.0)
    variance = share * (1.0 - share)
    square = ((ends[:, stop] - ends[:, start]) ** 2).mean(axis=0)
    likeness = max(each.likeness for each in (chi, darling) if each is not None)
    inflation, blocks = _corrected(found.free, likeness)
    sets = np.maximum(_ratio(square, variance) * inflation, 1.0)
    homes, home_denominator = _homes(hits, exposed, slots, block, period)
    return Dispersion(
        n_blocks,
        block,
        chi.spread,
        None if darling is None else darling.spread,
        np.where(variance > 1e-12, sets, 1.0),
        blocks,
        homes,
        home_denominator,
        np.sort((standard * standard).sum(axis=1) / max(int(used.sum()) - 1, 1)),
    )


def _gaps(cells: Integers, slots: Integers, block: int) -> _Gaps | None:
    """Return the standardised gaps of every block, the latest ones where windows are left over."""
    counts = cells.astype(np.float64)
    names, slot = np.unique(slots, return_inverse=True)
    total = np.zeros((len(names), counts.shape[1]))
    np.add.at(total, slot, counts)
    rows = counts.sum(axis=1)
    slot_rows = total.sum(axis=1)
    gap = counts - rows[:, None] * _ratio(total, slot_rows[:, None])[slot]
    n_blocks = len(counts) // block
    kept = slice(len(counts) - n_blocks * block, None)
    gaps = gap[kept].reshape(n_blocks, block, -1).sum(axis=1)
    in_block = np.repeat(np.arange(n_blocks), block)
    of_slot = np.zeros((n_blocks, len(names)))
    np.add.at(of_slot, (in_block, slot[kept]), rows[kept])
    block_rows = of_slot.sum(axis=1)
    free = _ratio((of_slot * (1.0 - _ratio(of_slot, slot_rows))).sum(axis=1), block_rows)
    if not (free > 0).all():
        return None
    shares = _ratio(total.sum(axis=0), total.sum())
    return _Gaps(gaps / np.sqrt(block_rows * free)[:, None], free, shares)


@dataclass(frozen=True, slots=True)
class _Found:
    spread: Spread
    likeness: float


def _spread(vectors: Floats, mean: float, free: Floats, period: int) -> _Found:
    """Return the dispersion of the sum of squares of `vectors` `[blocks, parts]`, `mean` without any.

    Degrees of freedom by Satterthwaite: tr(S)^2 / tr(S^2) of the covariance S, with the bias of tr(S^2) that
    comes from few blocks taken away (Srivastava 2005).
    """
    n = len(vectors)
    squares = (vectors * vectors).sum(axis=1)
    trace = float(squares.mean())
    if trace <= 0 or mean <= 0:
        return _Found(Spread(1.0, max(mean, 1.0), float(n)), 0.0)
    gram = vectors @ vectors.T
    likeness = _likeness(gram, period)
    inflation, blocks = _corrected(free, likeness)
    effective = max(blocks, 2.0)
    second = float((gram * gram).sum()) / (n * n)
    unbiased = effective**2 / ((effective - 1.0) * (effective + 2.0)) * (second - trace * trace / effective)
    degrees = trace * trace / unbiased if unbiased > 0 else np.inf
    degrees = float(np.clip(degrees, 1.0, max(vectors.shape[1] - 1, 1)))
    factor = max(trace / mean * inflation, 1.0)
    return _Found(Spread(factor, degrees, blocks * degrees), likeness)


def _likeness(gram: Floats, period: int) -> float:
    """Return the correlation, at least 0, of blocks that share slots and follow each other.

    It is taken from gaps to their own mean, which makes it too small by (1 + 3 r) / blocks (Kendall 1954).
    """
    n = len(gram)
    if n <= period + 2:
        return 0.0
    r = float(np.diagonal(gram, period).sum()) / float(np.trace(gram)) * n / (n - period)
    return float(np.clip((r + 1.0 / n) / (1.0 - 3.0 / n), 0.0, _MOST_CORRELATED))


def _corrected(free: Floats, likeness: float) -> tuple[float, float]:
    """Return (factor for the variance, effective blocks) for neighbours that resemble each other by `likeness`.

    The mean of the blocks of a slot varies t = (1 + r) / (1 - r) times as much as that of independent ones. A
    new block is that much farther from it, and the blocks it was made of nearer; with x the part of a slot in
    one block, (1 + t x) / (1 + x) times (1 - x) / (1 - t x). The variance itself is known as well as from
    (1 - r^2) / (1 + r^2) times as many blocks.
    """
    x = float(1.0 - free.mean())
    t = (1.0 + likeness) / (1.0 - likeness)
    inflation = (1.0 + t * x) / (1.0 + x) * (1.0 - x) / max(1.0 - t * x, 0.2)
    blocks = float(free.sum()) * (1.0 - likeness**2) / (1.0 + likeness**2)
    return inflation, max(blocks, 1.0)


def _homes(
    hits: Integers, exposed: Integers, slots: Integers, block: int, period: int
) -> tuple[Floats, Floats]:
    factors, denominators = [], []
    for home in range(hits.shape[1]):
        pair = np.stack([hits[:, home], exposed[:, home] - hits[:, home]], axis=1)
        found = _gaps(pair, slots, block) if pair.sum() else None
        share = 0.0 if found is None else float(found.shares[0])
        if found is None or not 0 < share < 1:
            factors.append(1.0)
            denominators.append(np.inf)
            continue
        one = _spread(found.gaps[:, :1] / np.sqrt(share * (1.0 - share)), 1.0, found.free, period)
        factors.append(one.spread.factor)
        denominators.append(one.spread.denominator)
    return np.array(factors), np.array(denominators)


def _period(slots: Integers, block: int) -> int:
    """Return after how many blocks the same slots come again: 1 where all windows are one slot."""
    again = np.flatnonzero(slots[1:] == slots[0])
    return max(int(again[0] + 1) // block, 1) if len(again) else 1


def _ratio(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    top, bottom = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    return np.divide(top, bottom, out=np.zeros(top.shape), where=bottom > 0)
