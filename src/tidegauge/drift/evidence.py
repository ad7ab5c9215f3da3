"""The evidence on every column of a stack: did it change, does it matter, by how much. It decides nothing.

Without windows of its own the reference's rows are taken as independent and everything is tested on the fine
cells. With them, a window is held against the reference's same seasonal slots on the coarse cells, and every
statistic is judged by how much the reference's own windows differed in it, and no p is believed farther than
theirs allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tidegauge import cells
from tidegauge.drift import contingency, quadratic
from tidegauge.drift.baseline import WIDTH, Baseline, Spreads
from tidegauge.drift.circular import kuiper, kuiper_p_value
from tidegauge.drift.columns import Side, Stack
from tidegauge.drift.history import Tail, calibrated
from tidegauge.drift.hypergeometric import exact_log_p_value, overdispersed_log_p_value
from tidegauge.drift.intervals import Scan, cell_scan, interval_scan
from tidegauge.drift.noncentral import noncentral_tail
from tidegauge.drift.omnibus import (
    MIN_EXPECTED,
    combine_p_values,
    omnibus_of_categories,
    omnibus_of_numbers,
    without_thin,
)
from tidegauge.drift.tolerance import psi_tolerance_p_value, share_tolerance_p_value
from tidegauge.homes import HOMES, OUTSIDE

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

PARTS = ("anderson_darling", "chi_square", "scan", *HOMES)
SCAN = PARTS.index("scan")
# A change confined to this part of the reference is told by its share, because the PSI of all cells dilutes
# it. A wider one is what the PSI measures; by its share, a shift by 0.05 deviations would seem to matter.
NARROW_SHARE = 1.0 / 16.0
_MOST_MISSED = 16  # expected rows of a category: that none comes has a chance of 1e-7


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of each column, `[columns]` unless said.

    `p`: that nothing changed; `parts` `[columns, PARTS]` are what it combines, NaN where a test does not
    apply, and `winner` the place of the smallest (the last of equals, -1 where there is none). `p_tolerance`:
    that PSI is at most the tolerance; `p_matters`: that neither PSI, nor a narrow interval of cells, nor a
    home moved by more than tolerated. `darling`: the Anderson-Darling p of rows taken as independent, where
    it was asked. `coarse` are the counts that PSI compares, `[columns, coarse cells]` of each side, in
    `groups` of fine cells. `enough` and `empty` say whether the sizes allow a verdict and whether no side has
    a present value; `needed` are the present values that would be enough. `dispersion` is that of the PSI.
    `scanned` is in the cells of `sides`, the counts that were scanned `[columns, cells]`: fine cells, or
    coarse ones where windows are known; `scan` is the same in fine cells, of several categories at once the
    first. `untested`: the reference's own windows say nothing about windows of this length or slot.
    """

    p: Floats
    parts: Floats
    winner: Integers
    p_tolerance: Floats
    p_matters: Floats
    home_matters: Floats
    darling: Floats | None
    scan: Scan
    scanned: Scan
    sides: tuple[Integers, Integers]
    groups: Integers
    coarse: tuple[Integers, Integers]
    dispersion: Floats
    enough: Flags
    empty: Flags
    untested: Flags
    needed_reference: Integers
    needed: Integers


def evidence(
    stack: Stack, tolerance: npt.ArrayLike, tolerance_share: npt.ArrayLike, circular: npt.ArrayLike = False
) -> Evidence:
    """Weigh a stack. `tolerance` (PSI), `tolerance_share` and `circular` broadcast to `[columns]`.

    A column's p is the Cauchy combination of the omnibus p of its present values and, for every home of
    missing or unusable rows that either side has any of, the exact p of its share. Of circular columns
    Kuiper's test takes Anderson-Darling's place.
    """
    before, after = stack.reference, stack.current
    n_coarse = cells.coarse_cell_count(before.present)
    group = cells.number_groups if stack.ordered else cells.category_groups
    groups = group(before.cells, n_coarse)
    coarse = cells.coarsen(before.cells, groups), cells.coarsen(after.cells, groups)
    needed = cells.MIN_ROWS_PER_COARSE_CELL * np.clip((coarse[0] > 0).sum(axis=1), 1, np.maximum(n_coarse, 1))
    if stack.baseline is None:
        sides = before.cells, after.cells
        values, scanned = _of_rows(stack)
        scan = scanned
        spread = None
        untested = np.zeros(len(before.present), dtype=np.bool_)
    else:
        coarse = stack.baseline.cells, np.pad(coarse[1], ((0, 0), (0, WIDTH - coarse[1].shape[1])))
        before = replace(before, hits=stack.reference_homes[0], exposed=stack.reference_homes[1])
        sides = coarse
        values, scanned = _of_windows(stack.baseline, coarse[1], stack.ordered)
        scan = _in_fine_cells(scanned, groups, stack.ordered)
        spread = stack.baseline.chi_square
        untested = ~stack.baseline.known | (coarse[0].sum(axis=1) == 0)
        values[untested] = np.nan
    darling = values[:, 0].copy() if stack.ordered and stack.baseline is None else None
    if stack.ordered and np.any(circular) and stack.baseline is None:
        values[:, 0] = np.where(circular, _kuiper(stack), values[:, 0])
    homes = _homes(stack, before, after)
    homes[untested] = np.nan
    parts = np.concatenate([values, homes], axis=1)
    of_values = combine_p_values(values)
    if stack.baseline is not None:
        of_values = _believed(of_values, stack.baseline.tails)
    together = combine_p_values(np.concatenate([of_values[:, None], homes], axis=1))
    # Of parts that are equal, as those are that no float can tell from 0, the most specific: the last.
    backwards = np.where(np.isnan(parts), np.inf, parts)[:, ::-1]
    winner = len(PARTS) - 1 - np.argmin(backwards, axis=1)
    p_tolerance = psi_tolerance_p_value(*coarse, tolerance, **_dispersion(spread))
    dispersion = np.ones(len(together)) if spread is None else np.nan_to_num(spread.factor, nan=1.0)
    enough = (n_coarse >= 2) & (after.present >= needed) & np.isfinite(p_tolerance) & ~untested
    p_tolerance = np.where(enough, p_tolerance, np.nan)
    home_matters = _home_matters(stack, before, after, tolerance_share)
    home_matters[untested] = np.nan
    narrow = _narrow_matters(*sides, scanned, tolerance_share, 1.0 if spread is None else spread.factor)
    if stack.baseline is not None:
        p_tolerance = _believed(p_tolerance, stack.baseline.tails)
        narrow = _believed(narrow, stack.baseline.tails)
    every = np.concatenate([p_tolerance[:, None], narrow[:, None], home_matters], axis=1)
    every[untested] = np.nan
    tests = np.maximum((~np.isnan(every)).sum(axis=1), 1)
    smallest = np.where(np.isnan(every), np.inf, every).min(axis=1)
    return Evidence(
        p=together,
        parts=parts,
        winner=np.where(np.isnan(together), -1, winner),
        p_tolerance=p_tolerance,
        p_matters=np.where(np.isfinite(smallest), np.minimum(smallest * tests, 1.0), np.nan),
        home_matters=home_matters,
        darling=darling,
        scan=scan,
        scanned=scanned,
        sides=sides,
        groups=groups,
        coarse=coarse,
        dispersion=dispersion,
        enough=enough,
        empty=(before.present == 0) & (after.present == 0),
        untested=untested,
        needed_reference=np.full(len(together), 2 * cells.ROWS_PER_COARSE_CELL),
        needed=needed,
    )


def _of_rows(stack: Stack) -> tuple[Floats, Scan]:
    sides = stack.reference.cells, stack.current.cells
    if stack.edges is None:
        found = omnibus_of_categories(*sides)
    else:
        # Short columns are continued by their last edge, and by empty cells before the one above it.
        above = 1 + np.argmax(stack.edges == stack.edges[:, -1:], axis=1)
        found = omnibus_of_numbers(*sides, above)
    return found.parts.copy(), found.scan


def _of_windows(baseline: Baseline, current: Integers, ordered: bool) -> tuple[Floats, Scan]:
    """Test on coarse cells, each statistic against the dispersion of the reference's own windows in it."""
    a, b = baseline.cells, current
    statistic, degrees, _ = contingency.chi_square(*without_thin(a, b))
    # Without its thin cells a window may have fewer directions to differ in than the reference's blocks had.
    spread = baseline.chi_square
    chi = _scaled_tail(
        statistic, degrees, replace(spread, degrees=np.minimum(spread.degrees, np.maximum(degrees, 1.0)))
    )
    if ordered:
        statistic, mean, _ = quadratic.anderson_darling(a, b, MIN_EXPECTED)
        darling = _scaled_tail(statistic, mean, baseline.anderson_darling)
    else:
        darling = np.full(len(a), np.nan)
    scan = (interval_scan if ordered else cell_scan)(a, b, baseline.sets)
    return np.stack([darling, chi, scan.p], axis=1), scan


def _scaled_tail(statistic: Floats, mean: Floats, spread: Spreads) -> Floats:
    """Return the tail of a sum of squares with this `mean` under independent rows."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(mean > 0, statistic / mean, 0.0) / spread.factor
        scaled = np.maximum((ratio - 1.0) / spread.part + 1.0, 0.0) * spread.degrees
    p = noncentral_tail(scaled, spread.degrees, 0.0, spread.denominator)
    return np.where(np.isnan(spread.factor) | np.isnan(statistic), np.nan, p)


def _believed(p: Floats, tails: Sequence[Tail | None]) -> Floats:
    """Return the p of each column as its history lets them be believed."""
    pairs = zip(p, tails, strict=True)
    return np.array([each if tail is None else float(calibrated(each, tail)) for each, tail in pairs])


def _in_fine_cells(scan: Scan, groups: Integers, ordered: bool) -> Scan:
    """Return a scan of coarse cells in numbers of fine ones; only numbers' groups are runs of them."""
    if ordered:
        start, stop = (
            np.array([np.searchsorted(row, at) for row, at in zip(groups, ends, strict=True)], dtype=np.int64)
            for ends in (scan.start, scan.stop)
        )
        return Scan(scan.p, start, stop, scan.change)
    one = np.argmax(groups == scan.start[:, None], axis=1)
    return Scan(scan.p, one, one + (scan.stop > scan.start), scan.change)


def _kuiper(stack: Stack) -> Floats:
    distance = kuiper(stack.reference.cells, stack.current.cells)
    return kuiper_p_value(distance, stack.reference.present, stack.current.present)


def _tested_homes(stack: Stack) -> list[int]:
    # What lies outside the edges of a number is in its cells.
    return [home for home in range(len(HOMES)) if home != OUTSIDE or not stack.ordered]


def _home_factors(stack: Stack, home: int) -> tuple[Floats, Floats, Floats]:
    """Return (the reference's own factor, the dispersion of both sides, its denominator)."""
    own = stack.outside_factor if home == OUTSIDE else np.ones_like(stack.outside_factor)
    if stack.baseline is None:
        return own, np.ones_like(own), np.full_like(own, np.inf)
    return own, stack.baseline.homes[:, home], stack.baseline.home_denominator[:, home]


def _homes(stack: Stack, before: Side, after: Side) -> Floats:
    """Return the exact p of every home's share `[columns, homes]`; NaN where neither side has a row in it."""
    p = np.full(before.hits.shape, np.nan)
    for home in _tested_homes(stack):
        some = np.flatnonzero(before.hits[:, home] + after.hits[:, home] > 0)
        if not len(some):
            continue
        own, factor, denominator = (each[some] for each in _home_factors(stack, home))
        a, n = np.floor(before.hits[some, home] / own), np.floor(before.exposed[some, home] / own)
        b, m = after.hits[some, home], after.exposed[some, home]
        if (factor > 1).any() or np.isfinite(denominator).any():
            log_p = overdispersed_log_p_value(a, n, b, m, factor=factor, denominator=denominator)
        else:
            log_p = exact_log_p_value(a, n, b, m)
        each = np.exp(log_p)
        if home == OUTSIDE:
            # How many are unseen in a fresh sample is an estimate that knows nothing of a reference which
            # happens to have seen every category: no unseen row is then no evidence. Only more of them than
            # expected are; p is as uniform among those, because it is twice the smaller tail.
            whole = stack.reference
            share = b / np.maximum(m, 1)
            rose = share * before.exposed[some, home] >= before.hits[some, home]
            excess = share * whole.exposed[some, home] - whole.hits[some, home]
            each = np.minimum(each + _missed_by_chance(whole.cells[some, :-1], excess), 1.0)
            each = np.where(rose, each, np.nan)
        p[some, home] = each
    return p if stack.baseline is None else _homes_believed(p, stack.baseline)


def _homes_believed(p: Floats, baseline: Baseline) -> Floats:
    """Return the p of homes `[columns, homes]` as their histories let them be believed."""
    for home in range(p.shape[1]):
        p[:, home] = _believed(p[:, home], [tails[home] for tails in baseline.home_tails])
    return p


def _missed_by_chance(counts: Integers, excess: Floats) -> Floats:
    """Return about how many categories of at least `excess` expected rows a reference missed, `[columns]`.

    The law of unseen rows counts rows; but they come by categories, each with all of its rows or none. With k
    near the excess x, a category of x expected rows has exactly k of them with a probability that is x^k / k!
    times that of none, and one of more with more; so k! / x^k times the categories with k rows is an estimate
    that is not below the truth on average (of the same kind as Good-Turing's, which is k = 1).
    """
    from scipy.special import gammaln

    middle = np.clip(np.rint(excess), 2, _MOST_MISSED)
    x = np.maximum(excess, 1.0)
    of_k = [
        (counts == k[:, None]).sum(axis=1) * np.exp(gammaln(k + 1.0) - k * np.log(x))
        for k in (middle - 1, middle, middle + 1)
    ]
    return np.asarray(sum(of_k) / 3.0)


def _home_matters(stack: Stack, before: Side, after: Side, tolerance_share: npt.ArrayLike) -> Floats:
    """Return the p of "it rose by at most `tolerance_share`" `[columns, homes]`; a fall never matters."""
    p = np.full(before.hits.shape, np.nan)
    for home in range(len(HOMES)):
        own, factor, _ = _home_factors(stack, home)
        a, n = before.hits[:, home] / (own * factor), before.exposed[:, home] / (own * factor)
        b, m = after.hits[:, home] / factor, after.exposed[:, home] / factor
        some = a + b > 0
        rose = some & (b * n > a * m)
        p[some, home] = 1.0
        tolerated = np.broadcast_to(tolerance_share, a.shape)[rose]
        p[rose, home] = share_tolerance_p_value(a[rose], n[rose], b[rose], m[rose], tolerance=tolerated)
    return p if stack.baseline is None else _homes_believed(p, stack.baseline)


def _narrow_matters(
    before: Integers, after: Integers, scan: Scan, tolerance_share: npt.ArrayLike, factor: npt.ArrayLike
) -> Floats:
    """Return the p of "the winning interval moved by at most `tolerance_share`", or NaN if it is wide.

    `before` and `after` are the `[columns, cells]` that were scanned. Times the cells there are, since the
    interval was looked for.
    """
    n, m = before.sum(axis=1).astype(np.float64), after.sum(axis=1).astype(np.float64)
    rows = np.arange(len(n))
    sides = []
    for side in (before, after):
        through = np.concatenate([np.zeros((len(n), 1), np.int64), np.cumsum(side, axis=1)], axis=1)
        sides.append((through[rows, scan.stop] - through[rows, scan.start]).astype(np.float64))
    a, b = sides
    with np.errstate(divide="ignore", invalid="ignore"):
        narrow = (a / n <= NARROW_SHARE) & (scan.stop > scan.start)
    f = np.nan_to_num(np.asarray(factor, dtype=np.float64), nan=1.0)
    used = ((before + after) > 0).sum(axis=1)
    p = share_tolerance_p_value(a / f, n / f, b / f, m / f, tolerance=tolerance_share)
    return np.where(narrow, np.minimum(p * used, 1.0), np.nan)


def _dispersion(spread: Spreads | None) -> dict[str, Floats]:
    """Return the keywords of `psi_tolerance_p_value` that tell the spread; none for independent rows."""
    if spread is None:
        return {}
    known = {"dispersion": spread.factor, "part": spread.part, "degrees": spread.degrees}
    known["denominator"] = spread.denominator
    return {name: np.nan_to_num(each, nan=1.0) for name, each in known.items()}
