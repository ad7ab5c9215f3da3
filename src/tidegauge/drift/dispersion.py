"""How much windows differ when nothing is wrong, learned from the reference's own windows.

Rows of one window share an hour, a batch, a campaign: windows differ by more than rows drawn one by one. Each
block of consecutive reference windows, as long as the window to be judged, is held against what its seasonal
slots have in all the reference. The variance of those gaps over that of independent rows is the dispersion,
per test: a factor for all cells says too little about the few directions (a mean that wanders) in which
windows really differ, so every statistic has its own factor and its own effective degrees of freedom.

The gaps of blocks that follow each other resemble each other, which makes their common mean, and so the
dispersion, look smaller than it is: both are corrected by the correlation of neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge.drift.history import Tail, tail_of
from tidegauge.drift.intervals import candidates
from tidegauge.drift.noncentral import noncentral_tail
from tidegauge.drift.omnibus import combine_p_values

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_MIN_EXPECTED = 5  # rows of a block in a cell whose gaps are anything like normal
MIN_BLOCKS = 6  # worth of independent ones; fewer say too little about their variance


@dataclass(frozen=True, slots=True)
class Spread:
    """The dispersion of a sum of squares: its mean is `factor` (at least 1) times that of independent rows.

    Over that mean it is 1 - `part` + `part` F, with `degrees` and `denominator` degrees of freedom: where
    windows differ in a few directions only, the many others add up to a constant.
    """

    factor: float
    part: float
    degrees: float
    denominator: float


@dataclass(frozen=True, slots=True)
class HomeDispersion:
    """The dispersion of the share of one home; `tail` of the blocks' own p, None where rows are too few."""

    factor: float
    denominator: float
    tail: Tail | None


@dataclass(frozen=True, slots=True)
class Dispersion:
    """What the blocks of one column say.

    `chi_square` and `anderson_darling` (None of categories); `sets` and
    `set_denominator` `[sets]` for the cells or dyadic intervals of `intervals.candidates`; `tail`, of the
    blocks' own p of their present values; `homes`, one for each home.
    """

    chi_square: Spread
    anderson_darling: Spread | None
    sets: Floats
    set_denominator: float
    tail: Tail
    homes: tuple[HomeDispersion, ...]


@dataclass(frozen=True, slots=True)
class _Gaps:
    """Rows of each block in cells less what its slots expect, on the scale of a multinomial of one row.

    `gaps` is `[blocks, cells]`; under independent rows its covariance is that of one row, diag(h) - h h'.
    `free` `[blocks]` is the part of a block's own variance that its slots' means have not taken up, `rows`
    `[blocks]` its rows.
    """

    gaps: Floats
    free: Floats
    shares: Floats
    rows: Floats


def dispersion_of_column(
    cells: Integers, hits: Integers, exposed: Integers, *, ordered: bool, slots: Integers, block: int
) -> Dispersion | None:
    """Learn the dispersion of blocks of `block` consecutive windows; None where there are too few blocks.

    `cells` `[windows, coarse cells]`; `hits` and `exposed` `[windows, homes]`; `slots` `[windows]`, equal for
    windows of one seasonal slot. Windows are in the order of time.
    """
    n_blocks = len(cells) // block
    if n_blocks < MIN_BLOCKS:
        return None
    period = _period(slots, block)
    found = _gaps(cells, slots, block)
    if found is None or found.free.sum() < MIN_BLOCKS:
        return None
    h = found.shares
    standard, n_free = _standardised(found)
    chi = _spread(standard, n_free, n_free, found.free, period)
    parts = [_tail((standard * standard).sum(axis=1) / max(n_free, 1.0), chi.spread)]
    memory = chi.memory
    darling = None
    if ordered:
        through = np.cumsum(h)[:-1]
        weight = np.sqrt(_ratio(h[:-1], through * (1.0 - through)))
        gaps = weight * np.cumsum(found.gaps, axis=1)[:, :-1]
        bridge = np.minimum.outer(through, through) - np.outer(through, through)
        law = np.outer(weight, weight) * bridge
        mean = float(np.trace(law))
        fitted = _spread(gaps, mean, mean * mean / max(float((law * law).sum()), 1e-300), found.free, period)
        darling = fitted.spread
        parts.append(_tail((gaps * gaps).sum(axis=1) / max(mean, 1e-300), darling))
        memory = max(memory, fitted.memory, key=lambda each: each.time)
    start, stop = candidates(len(h), ordered)
    ends = np.concatenate([np.zeros((n_blocks, 1)), np.cumsum(found.gaps, axis=1)], axis=1)
    mass = np.concatenate([[0.0], np.cumsum(h)])
    share = np.clip(mass[stop] - mass[start], 0.0, 1.0)
    variance = np.where((share > 1e-12) & (share < 1.0 - 1e-12), share * (1.0 - share), 0.0)
    square = _ratio((ends[:, stop] - ends[:, start]) ** 2, variance)
    inflation, blocks = _corrected(found.free, memory)
    sets = np.maximum(square.mean(axis=0) * inflation, 1.0)
    filled = np.minimum(share, 1.0 - share) * found.rows.mean() >= _MIN_EXPECTED
    if filled.any():
        least = noncentral_tail((square / sets)[:, filled].max(axis=1), 1.0, 0.0, blocks)
        parts.append(-np.expm1(int(filled.sum()) * np.log1p(-np.minimum(least, 1.0 - 1e-12))))
    homes = [_home(hits[:, home], exposed[:, home], slots, block, period) for home in range(hits.shape[1])]
    return Dispersion(
        chi.spread,
        darling,
        np.where(variance > 0, sets, 1.0),
        blocks,
        tail_of(combine_p_values(np.stack(parts, axis=-1))),
        tuple(homes),
    )


def _standardised(found: _Gaps) -> tuple[Floats, float]:
    """Return the gaps over their standard deviations but for h, and their degrees of freedom.

    Cells in which less than a row is expected are put together, because a single row there would weigh more
    than all others, unless that leaves hardly any: then all are as thin.
    """
    used = found.shares > 0
    share, gaps = found.shares[used], found.gaps[:, used]
    thin = share * found.rows.mean() < 1.0
    if thin.any() and 2 * thin.sum() < len(share):
        rest, together = share[thin].sum(), gaps[:, thin].sum(axis=1)
        share, gaps = np.append(share[~thin], rest), np.column_stack([gaps[:, ~thin], together])
    return gaps / np.sqrt(share), float(max(len(share) - 1, 0))


def _tail(ratio: Floats, spread: Spread) -> Floats:
    """Return the p of statistics over their mean under independent rows."""
    scaled = np.maximum((ratio / spread.factor - 1.0) / spread.part + 1.0, 0.0) * spread.degrees
    return noncentral_tail(scaled, spread.degrees, 0.0, spread.denominator)


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
    return _Gaps(gaps / np.sqrt(block_rows * free)[:, None], free, shares, block_rows)


@dataclass(frozen=True, slots=True)
class _Found:
    spread: Spread
    memory: _Memory


def _spread(vectors: Floats, mean: float, most: float, free: Floats, period: int) -> _Found:
    """Return the dispersion of the sum of squares of `vectors` `[blocks, parts]`.

    `mean` and `most` are its mean and its degrees of freedom under independent rows. Its first three
    cumulants, tr(S), 2 tr(S^2) and 8 tr(S^3) of the covariance S, give scale, degrees of freedom and constant
    part. The traces are means over pairs and triples of different blocks, which have no bias, held within
    what eigenvalues can have.
    """
    vectors = vectors[:, vectors.any(axis=0)]
    n = len(vectors)
    length = (vectors * vectors).sum(axis=1)
    trace = float(length.mean())
    if trace <= 0 or mean <= 0:
        return _Found(Spread(1.0, 1.0, max(most, 1.0), float(n)), _Memory(1.0, 1.0))
    memory = _memory(vectors, period)
    inflation, blocks = _corrected(free, memory)
    # The Gram matrix of all pairs is never made: its sums without the diagonal are those of S = V'V less the
    # blocks' own.
    s = vectors.T @ vectors
    own = ((vectors @ s) * vectors).sum(axis=1)
    second = (float((s * s).sum()) - float((length**2).sum())) / (n * (n - 1))
    third = float(((s @ s) * s).sum()) - 3.0 * float((length * own).sum()) + 2.0 * float((length**3).sum())
    third /= n * (n - 1) * (n - 2)
    second = float(np.clip(second, trace * trace / max(most, 1.0), trace * trace))
    third = float(np.clip(third, second * second / trace, second**1.5))
    degrees = second**3 / third**2
    part = float(np.sqrt(second * degrees)) / trace
    return _Found(Spread(max(trace / mean * inflation, 1.0), part, degrees, blocks * degrees), memory)


@dataclass(frozen=True, slots=True)
class _Memory:
    """How long blocks remember: 1 + 2 sum r_k and 1 + 2 sum r_k^2 of their autocorrelations, 1 if not."""

    time: float
    squared: float


def _memory(vectors: Floats, period: int) -> _Memory:
    """Return the memory of blocks that share slots, from their autocorrelations up to the first negative one.

    Geyer's initial positive sequence (1992), over a quarter of the blocks. Gaps are taken to the blocks' own
    mean, which makes every r_k too small by about `time` / blocks.
    """
    n = len(vectors)
    total = float((vectors * vectors).sum())
    time, squared = 1.0, 1.0
    for _ in range(2):  # the second time with the first's correction
        lost = time / n
        time, squared = 1.0, 1.0
        for step in range(period, max(n // 4, 1) * period + 1, period):
            if step >= n:
                break
            r = float((vectors[:-step] * vectors[step:]).sum()) / total * n / (n - step) + lost
            if r <= 0:
                break
            time, squared = time + 2.0 * min(r, 1.0), squared + 2.0 * min(r, 1.0) ** 2
    return _Memory(time, squared)


def _corrected(free: Floats, memory: _Memory) -> tuple[float, float]:
    """Return (factor for the variance, effective blocks) for blocks that remember.

    The mean of the blocks of a slot varies `time` t times as much as that of independent ones. A new block is
    that much farther from it, and the blocks it was made of nearer; with x the part of a slot in one block,
    (1 + t x) / (1 + x) times (1 - x) / (1 - t x). The variance is known as well as from 1 / `squared` times
    as many blocks.
    """
    x = float(1.0 - free.mean())
    t = memory.time
    inflation = (1.0 + t * x) / (1.0 + x) * (1.0 - x) / max(1.0 - t * x, 0.2)
    return inflation, max(float(free.sum()) / memory.squared, 1.0)


def _home(hits: Integers, exposed: Integers, slots: Integers, block: int, period: int) -> HomeDispersion:
    """Learn the dispersion of one home's share `[windows]`; none where no row is in it, or every one."""
    pair = np.stack([hits, exposed - hits], axis=1)
    found = _gaps(pair, slots, block) if pair.sum() else None
    share = 0.0 if found is None else float(found.shares[0])
    if found is None or not 0 < share < 1:
        return HomeDispersion(1.0, np.inf, None)
    standard = found.gaps[:, :1] / np.sqrt(share * (1.0 - share))
    one = _spread(standard, 1.0, 1.0, found.free, period).spread
    enough = min(share, 1.0 - share) * found.rows.mean() >= _MIN_EXPECTED
    tail = tail_of(_tail(standard[:, 0] ** 2, one)) if enough else None
    return HomeDispersion(one.factor, one.denominator, tail)


def _period(slots: Integers, block: int) -> int:
    """Return after how many blocks the same slots come again: 1 where all windows are one slot."""
    again = np.flatnonzero(slots[1:] == slots[0])
    return max(int(again[0] + 1) // block, 1) if len(again) else 1


def _ratio(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    top, bottom = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    return np.asarray(np.divide(top, bottom, out=np.zeros(top.shape), where=bottom > 0))
