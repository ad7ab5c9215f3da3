"""What of a column changed: its cells or categories, by signed residual and by their part of the PSI."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tidegauge.drift.columns import ColumnCounts, Stack
from tidegauge.drift.divergences import total_variation, total_variation_floor
from tidegauge.drift.evidence import NARROW_SHARE, PARTS, SCAN, Evidence
from tidegauge.drift.moments import power_sums, variance_test
from tidegauge.drift.readable import interval, number

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MAX_CAUSES = 5
MOST = 2.0 / 3.0  # of all that moved; of a wider spread, one tail takes half
CERTAIN = 1e-4  # p of an interval that may explain a change which another test saw better
_NOTABLE = 2.0  # standard deviations; smaller residuals are noise, and do not join their neighbours


@dataclass(frozen=True, slots=True)
class Cause:
    """A place that changed: where it is in words, its share of the present values on both sides.

    `residual` is (observed - expected) / standard deviation of the current rows there, positive for more;
    `psi_share` its part of the column's PSI, in [0, 1]. Fine cells [start, stop) among below + cells + above
    of a number, or categories + unseen; of several categories at once (all rare ones) the first.
    """

    where: str
    reference_share: float
    current_share: float
    residual: float
    psi_share: float
    start: int
    stop: int

    def to_dict(self) -> dict[str, str | float | int]:
        """Return the fields by name, JSON-able."""
        return {name: getattr(self, name) for name in self.__slots__}


def causes_of_column(stack: Stack, found: Evidence, i: int, column: ColumnCounts) -> tuple[Cause, ...]:
    """Return up to five causes of column `i`'s change, the largest part of its PSI first; none overlap.

    The coarse cells, with the narrow interval of the scan cut out of them where that is what was found.
    Neighbours that moved notably and the same way are one cause.
    """
    own = found.winner[i] == SCAN or took_most(found, i)
    part_of, a, b = _parts(stack, found, i, own)
    if not a.sum() or not b.sum():
        return ()
    scanned = part_of[found.scan.start[i]] if own and found.scan.stop[i] > found.scan.start[i] else -1
    residual, share = residuals(a, b)
    causes = []
    for first, last in _runs(residual, stack.ordered, scanned):
        cells = slice(first, last + 1)
        inside, now = a[cells].sum(), b[cells].sum()
        fine = np.flatnonzero((part_of >= first) & (part_of <= last))
        if not len(fine) or not inside + now:
            continue
        together, _ = residuals(np.array([inside, a.sum() - inside]), np.array([now, b.sum() - now]))
        start, stop = int(fine[0]), int(fine[-1]) + 1
        if stack.ordered:
            where = place(stack, i, start, stop)
        else:
            stop = start + 1
            rows = stack.reference.cells[i, fine] + stack.current.cells[i, fine]
            filled = fine[rows > 0] if rows.any() else fine
            where = (
                category(column, _own(int(filled[0]), column)) if len(filled) == 1 else "all rarer categories"
            )
        part = float(share[cells].sum())
        numbers = float(inside / a.sum()), float(now / b.sum()), float(together[0]), part
        causes.append(_in_own_cells(Cause(where, *numbers, start, stop), column, stack))
    causes.sort(key=lambda cause: -cause.psi_share)
    return tuple(causes[:MAX_CAUSES])


def _parts(stack: Stack, found: Evidence, i: int, own: bool) -> tuple[Integers, Floats, Floats]:
    """Return the part of each fine cell, and the rows of each part on both sides.

    Parts are the coarse cells; with `own` the cells of the scan's interval are one of their own.
    """
    groups = found.groups[i]
    start, stop = int(found.scan.start[i]), int(found.scan.stop[i])
    inside = np.zeros(len(groups), dtype=np.bool_)
    inside[start:stop] = own
    if stack.baseline is not None:  # the scan was of coarse cells
        inside = np.isin(groups, groups[inside])
    if stack.ordered:
        key = np.where(inside, -1, groups)
        part_of = np.cumsum(np.diff(key, prepend=key[0]) != 0)
    else:
        part_of = np.where(inside, groups.max() + 1, groups)
    n_parts = int(part_of.max()) + 1
    if stack.baseline is None:
        sides = [side.cells[i] for side in (stack.reference, stack.current)]
        a, b = (np.bincount(part_of, side, n_parts) for side in sides)
    else:
        of_group = np.zeros(found.coarse[0].shape[1], np.int64)
        of_group[groups] = part_of
        a, b = (np.bincount(of_group, side[i], n_parts) for side in found.coarse)
    return np.asarray(part_of), a.astype(np.float64), b.astype(np.float64)


def _own(cell: int, column: ColumnCounts) -> int:
    """Return the place of a category in its column: a stack is padded before the unseen."""
    return min(cell, 0 if column.counts is None else len(column.counts))


def own_cells(stack: Stack, column: ColumnCounts) -> npt.NDArray[np.bool_]:
    """Return which of the stack's fine cells are the column's own, and no padding before the last one."""
    own = np.zeros(stack.reference.cells.shape[1], dtype=np.bool_)
    own[: int(stack.ordered) + (0 if column.counts is None else len(column.counts))] = True
    own[-1] = True
    return own


def _named(column: ColumnCounts, fine: Integers) -> str:
    return category(column, int(fine[0])) if len(fine) == 1 else "all rarer categories"


def _in_own_cells(cause: Cause, column: ColumnCounts, stack: Stack) -> Cause:
    """Return a cause in the cells of its column: in a stack they are padded before the last one."""
    inner = 0 if column.counts is None else len(column.counts)
    last = inner + int(stack.ordered)  # above, or unseen
    width = stack.reference.cells.shape[1]
    start, stop = min(cause.start, last), last + 1 if cause.stop >= width else min(cause.stop, last)
    return replace(cause, start=start, stop=max(stop, start + 1))


def residuals(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return (signed Pearson residuals, shares of PSI), `[cells]` each, of counts of both samples.

    (b - E) / sqrt(E (1 - h) (1 + m / n)) with E = m h, h the pooled share: about standard normal without a
    change. The shares of PSI are those of its terms (q - p) ln(q / p), smoothed as `psi` does; they add up to
    1.
    """
    n, m = a.sum(), b.sum()
    pooled = (a + b) / (n + m)
    spread = np.sqrt(m * pooled * (1.0 - pooled) * n / (n + m))
    gap = b - m * pooled
    residual = np.divide(gap, spread, out=np.zeros_like(gap), where=spread > 0)
    used = a + b > 0
    half = used.sum() / 2.0
    p = np.where(used, (a + 0.5) / (n + half), 1.0)
    q = np.where(used, (b + 0.5) / (m + half), 1.0)
    term = (q - p) * np.log(q / p)
    return residual, term / term.sum() if term.sum() > 0 else np.zeros_like(term)


def place(stack: Stack, i: int, start: int, stop: int) -> str:
    """Say where cells [start, stop) of below + cells + above lie: "[120, 340)", "below 3.0", "above 99"."""
    assert stack.edges is not None
    edges = stack.edges[i]
    width = len(edges) + 1
    low = edges[start - 1] if start > 0 else -np.inf
    high = edges[stop - 1] if stop < width else np.inf
    if np.isinf(low):
        return "anywhere" if np.isinf(high) else f"below {number(float(high))}"
    if np.isinf(high):
        return f"at or above {number(float(low))}"
    return interval(float(low), float(high))


def category(column: ColumnCounts, cell: int) -> str:
    """Quote the name of a category; names that are not kept or not to be shown are said to be so."""
    names = column.categories
    if names is not None and cell >= len(names):
        return "unseen categories"
    name = names[cell] if names is not None else ""
    return repr(name) if name else "(name not kept)"


def _runs(residual: Floats, ordered: bool, alone: int) -> list[tuple[int, int]]:
    """Return (first, last) of the parts to tell together; `alone` is never joined."""
    runs: list[tuple[int, int]] = []
    for part, each in enumerate(residual):
        joins = ordered and runs and alone not in (part, part - 1) and abs(each) >= _NOTABLE
        before = residual[part - 1] if joins else 0.0
        if joins and abs(before) >= _NOTABLE and before * each > 0:
            runs[-1] = (runs[-1][0], part)
        else:
            runs.append((part, part))
    return runs


def place_of_scan(stack: Stack, found: Evidence, i: int, column: ColumnCounts) -> str:
    """Say where the interval, or which the category, of the scan is."""
    start, stop = int(found.scan.start[i]), int(found.scan.stop[i])
    if stack.ordered:
        return place(stack, i, start, stop)
    if stack.baseline is None:
        return category(column, start)
    together = (found.groups[i] == found.scanned.start[i]) & own_cells(stack, column)
    return _named(column, np.flatnonzero(together))


def shares_of_scan(found: Evidence, i: int) -> tuple[float, float]:
    """Return the shares of both sides in the interval (or category) of the scan; 0 of no rows."""
    cells = slice(int(found.scanned.start[i]), int(found.scanned.stop[i]))
    before, after = (float(side[i, cells].sum() / max(side[i].sum(), 1)) for side in found.sides)
    return before, after


KIND_OF_HOME = {
    "absent": "absent rows",
    "mistyped": "mistyped values",
    "infinite": "infinite values",
    "missing": "missing values",
    "outside": "unseen categories",
}


def kind_of_change(stack: Stack, found: Evidence, i: int) -> str | None:
    """Name the kind of column `i`'s change, by the part of its p that is smallest; None without a p.

    "shift", "scale" or "shape" of numbers, "stuck value" or "tail" or "gap" or "one place" where a narrow
    interval of cells explains it, "mix" or "one category" of categories, or what rows went missing.
    """
    winner = int(found.winner[i])
    if winner < 0:
        return None
    if winner > SCAN:
        return KIND_OF_HOME[PARTS[winner]]
    # One narrow place that took most of all that moved is what happened, whichever test saw it best.
    narrow = winner == SCAN or took_most(found, i)
    if not stack.ordered:
        return "one category" if narrow else "mix"
    return kind_of_interval(stack, found, i) if narrow else _kind_of_moments(stack, i)


def took_most(found: Evidence, i: int) -> bool:
    """Say whether the interval (or category) of the scan surely took most of all rows that moved.

    Of the coarse cells, in which few move by chance.
    """
    a, b = (side[i] for side in found.coarse)
    moved = float(np.maximum(total_variation(a, b) - total_variation_floor(a, b), 0.0))
    return bool(found.scan.p[i] <= CERTAIN and abs(found.scan.change[i]) >= MOST * moved)


def kind_of_interval(stack: Stack, found: Evidence, i: int) -> str:
    """Name what happened in the interval of the scan; a wide one is told by the moments."""
    first, last, change = int(found.scanned.start[i]), int(found.scanned.stop[i]), float(found.scan.change[i])
    through = np.cumsum(found.sides[0][i]) / max(int(found.sides[0][i].sum()), 1)
    before = through[first - 1] if first else 0.0
    inside = through[last - 1] - before
    if inside > NARROW_SHARE:
        return _kind_of_moments(stack, i)
    at_an_end = before < 0.05 or through[last - 1] > 0.95
    if change < 0:
        return "tail" if at_an_end else "gap"
    assert stack.edges is not None
    edges = stack.edges[i]
    start, stop = int(found.scan.start[i]), int(found.scan.stop[i])
    if start > 0 and stop <= len(edges):
        narrow = edges[stop - 1] - edges[start - 1] <= 0.1 * np.sqrt(stack.reference.variance[i])
        if narrow:
            return "stuck value"
    return "tail" if at_an_end else "one place"


def _kind_of_moments(stack: Stack, i: int) -> str:
    """Tell a shift from a change of scale and of shape, by the larger of the two normal deviations."""
    sides = stack.reference, stack.current
    means = [(s.present[i], s.mean[i], s.variance[i]) for s in sides]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        error = np.sqrt(means[0][2] / max(means[0][0], 1) + means[1][2] / max(means[1][0], 1))
        shift = abs(means[1][1] - means[0][1]) / error
        ratio, low, _, _ = variance_test(
            *(power_sums(s.present[i], s.variance[i], s.kurtosis[i]) for s in sides)
        )
        scale = abs(np.log(ratio)) / (np.log(ratio / low) / 1.96)
    shift, scale = np.nan_to_num([shift, scale])
    if max(shift, scale) < 2.5:
        return "shape"
    return "shift" if shift >= scale else "scale"
