"""Every drift statistic of a stack of columns at once: arrays in, arrays out, nothing judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge.drift import cells, contingency, distances, divergences, moments, shares
from tidegauge.drift.columns import Stack

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its 95 % interval and p, `[columns]` or `[columns, homes]`; NaN where undefined."""

    value: Floats
    low: Floats
    high: Floats
    p: Floats


@dataclass(frozen=True, slots=True)
class Statistics:
    """The statistics of one stack, `[columns]` each, over coarse cells unless said.

    `enough` and `empty` say whether the sizes allow a verdict, and whether neither side has a present value.
    `needed_reference` and `needed_current` are the present values that would be enough. `share` is `[columns,
    homes]`. `rise` is the largest gain in share of one fine cell, with an interval and a p that allow for
    having looked at every cell; `rise_cell` is its place among the inner cells and `rise_reference` its share
    in the reference. `ks`, `wasserstein` (in standard deviations of the reference), `mean` and `variance` are
    NaN for categories.
    """

    enough: Flags
    empty: Flags
    needed_reference: Integers
    needed_current: Integers
    groups: Integers
    psi: Interval
    jensen_shannon: Floats
    hellinger: Floats
    total_variation: Floats
    chi_square: Floats
    ks: Interval
    wasserstein: Floats
    mean: Interval
    variance: Floats
    share: Interval
    rise: Interval
    rise_reference: Floats
    rise_cell: Integers
    floors: dict[str, Floats]


def drift_statistics(stack: Stack) -> Statistics:
    """Compute all statistics of a stack. Formulas, sources and directions are with the functions it calls."""
    before, after = stack.reference, stack.current
    n_coarse = cells.coarse_cell_count(before.present)
    group = cells.number_groups if stack.ordered else cells.category_groups
    groups = group(before.cells, n_coarse)
    a, b = cells.coarsen(before.cells, groups), cells.coarsen(after.cells, groups)
    needed = cells.MIN_ROWS_PER_COARSE_CELL * np.clip((a > 0).sum(axis=1), 1, np.maximum(n_coarse, 1))
    chi_square, _, p = contingency.chi_square(a, b)
    psi = _interval(divergences.psi_interval(a, b), p)
    floors = {
        "psi": divergences.psi_floor(a, b),
        "jensen_shannon": divergences.jensen_shannon_floor(a, b),
        "hellinger": divergences.hellinger_floor(a, b),
        "total_variation": divergences.total_variation_floor(a, b),
        "ks": distances.ks_floor(before.present, after.present),
    }
    rise, rise_reference, rise_cell = _largest_rise(stack)
    nothing = np.full(len(stack.names), np.nan)
    ks, mean = (Interval(nothing, nothing, nothing, nothing),) * 2
    wasserstein = variance = nothing
    if stack.ordered and stack.edges is not None:
        d = distances.ks(before.cells, after.cells)
        ks = Interval(d, nothing, nothing, distances.ks_p_value(d, before.present, after.present))
        mean = Interval(
            *moments.mean_change(
                (before.present, before.mean, before.variance), (after.present, after.mean, after.variance)
            )
        )
        variance = moments.variance_ratio(before.variance, after.variance)
        ends = ((before.low, before.high), (after.low, after.high))
        with np.errstate(divide="ignore", invalid="ignore"):
            wasserstein = distances.wasserstein(before.cells, after.cells, stack.edges, *ends)
            wasserstein = np.where(before.variance > 0, wasserstein / np.sqrt(before.variance), np.nan)
    share = shares.share_change(before.hits, before.exposed, after.hits, after.exposed)
    share_p = shares.share_p_value(before.hits, before.exposed, after.hits, after.exposed)
    return Statistics(
        enough=(n_coarse >= 2) & (after.present >= needed) & np.isfinite(psi.value),
        empty=(before.present == 0) & (after.present == 0),
        needed_reference=np.full(len(stack.names), 2 * cells.ROWS_PER_COARSE_CELL),
        needed_current=needed,
        groups=groups,
        psi=psi,
        jensen_shannon=divergences.jensen_shannon(a, b),
        hellinger=divergences.hellinger(a, b),
        total_variation=divergences.total_variation(a, b),
        chi_square=chi_square,
        ks=ks,
        wasserstein=wasserstein,
        mean=mean,
        variance=variance,
        share=_interval(share, share_p),
        rise=rise,
        rise_reference=rise_reference,
        rise_cell=rise_cell,
        floors=floors,
    )


def _interval(ends: tuple[Floats, Floats, Floats], p: Floats) -> Interval:
    return Interval(*ends, p=p)


def _largest_rise(stack: Stack) -> tuple[Interval, Floats, Integers]:
    """Return the largest gain in share of a fine cell; what lies outside the cells has a share of its own."""
    from scipy.special import ndtri

    before, after = stack.reference, stack.current
    inner = slice(1, -1) if stack.ordered else slice(0, -1)
    a, b = before.cells[:, inner], after.cells[:, inner]
    n, m = before.present, after.present
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.nan_to_num(b / m[:, None] - a / n[:, None])
    cell = np.argmax(gain, axis=1)
    looked = np.maximum(((a + b) > 0).sum(axis=1), 1)
    hits = np.take_along_axis(a, cell[:, None], 1)[:, 0], np.take_along_axis(b, cell[:, None], 1)[:, 0]
    change, low, high = shares.share_change(hits[0], n, hits[1], m, z=-ndtri(0.025 / looked))
    p = shares.share_p_value(hits[0], n, hits[1], m)
    with np.errstate(invalid="ignore"):
        return Interval(change, low, high, np.minimum(p * looked, 1.0)), hits[0] / n, cell
