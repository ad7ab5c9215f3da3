"""What of a column changed: its cells or categories, by signed residual and by their part of the PSI."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tidegauge.drift.columns import ColumnCounts, Stack
from tidegauge.drift.evidence import NARROW_SHARE, PARTS, SCAN, Evidence
from tidegauge.drift.moments import variance_test
from tidegauge.drift.readable import interval, number

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MAX_CAUSES = 5
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
    """Return up to five causes of column `i`'s change, the largest part of its PSI first.

    Neighbouring cells that moved the same way are one cause. Where a narrow interval of cells is what was
    found, it comes first, in its own fine cells.
    """
    a, b = found.coarse[0][i].astype(np.float64), found.coarse[1][i].astype(np.float64)
    if not a.sum() or not b.sum():
        return ()
    residual, part = residuals(a, b)
    groups, own = found.groups[i], own_cells(stack, column)
    causes = []
    for first, last in _runs(residual, stack.ordered):
        cells = slice(first, last + 1)
        fine = np.flatnonzero((groups >= first) & (groups <= last) & own)
        if not len(fine) or a[cells].sum() + b[cells].sum() == 0:
            continue
        together, _ = residuals(
            np.array([a[cells].sum(), a.sum() - a[cells].sum()]),
            np.array([b[cells].sum(), b.sum() - b[cells].sum()]),
        )
        start, stop = (int(fine[0]), int(fine[-1]) + 1) if stack.ordered else (int(fine[0]), int(fine[0]) + 1)
        where = place(stack, i, start, stop) if stack.ordered else _named(column, fine)
        causes.append(
            Cause(
                where,
                float(a[cells].sum() / a.sum()),
                float(b[cells].sum() / b.sum()),
                float(together[0]),
                float(part[cells].sum()),
                start,
                stop,
            )
        )
    causes = [_in_own_cells(cause, column, stack) for cause in causes]
    causes.sort(key=lambda cause: -cause.psi_share)
    causes = causes[:MAX_CAUSES]
    if found.winner[i] == SCAN or took_most(found, i):
        narrow = _of_scan(stack, found, i, column)
        if narrow is not None:
            narrow = _in_own_cells(narrow, column, stack)
            causes = [
                narrow,
                *(each for each in causes if (each.start, each.stop) != (narrow.start, narrow.stop)),
            ]
    return tuple(causes[:MAX_CAUSES])


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


def _runs(residual: Floats, ordered: bool) -> list[tuple[int, int]]:
    """Return (first, last) of the cells to tell together: neighbours that moved notably and the same way."""
    runs: list[tuple[int, int]] = []
    for cell, each in enumerate(residual):
        way = np.sign(each) if abs(each) >= _NOTABLE else 0.0
        joins = ordered and way and runs and runs[-1][1] == cell - 1
        before = residual[runs[-1][1]] if runs else 0.0
        if joins and abs(before) >= _NOTABLE and np.sign(before) == way:
            runs[-1] = (runs[-1][0], cell)
        else:
            runs.append((cell, cell))
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


def _of_scan(stack: Stack, found: Evidence, i: int, column: ColumnCounts) -> Cause | None:
    """Return the interval (or category) that the exact scan found, as a cause."""
    start, stop = int(found.scanned.start[i]), int(found.scanned.stop[i])
    if stop <= start:
        return None
    a, b = (side[i].astype(np.float64) for side in found.sides)
    if not a.sum() or not b.sum():
        return None
    inside, now = a[start:stop].sum(), b[start:stop].sum()
    residual, _ = residuals(np.array([inside, a.sum() - inside]), np.array([now, b.sum() - now]))
    _, part = residuals(*found_cells(a, b, start, stop))
    return Cause(
        place_of_scan(stack, found, i, column),
        *shares_of_scan(found, i),
        float(residual[0]),
        float(part[0]),
        int(found.scan.start[i]),
        int(found.scan.stop[i]),
    )


def found_cells(a: Floats, b: Floats, start: int, stop: int) -> tuple[Floats, Floats]:
    """Return counts of one interval and of every cell outside it, the interval first."""
    sides = []
    for side in (a, b):
        sides.append(np.concatenate([[side[start:stop].sum()], side[:start], side[stop:]]))
    return sides[0], sides[1]


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
    # One narrow place that took half of all that moved is what happened, whichever test saw it best.
    narrow = winner == SCAN or took_most(found, i)
    if not stack.ordered:
        together = (found.groups[i] == found.groups[i, found.scan.start[i]]) & (stack.reference.cells[i] > 0)
        several = stack.baseline is not None and together.sum() > 1
        return "one category" if narrow and not several else "mix"
    return kind_of_interval(stack, found, i) if narrow else _kind_of_moments(stack, i)


def took_most(found: Evidence, i: int) -> bool:
    """Say whether the interval (or category) of the scan took at least half of all rows that moved."""
    p, q = (side[i] / max(int(side[i].sum()), 1) for side in found.sides)
    return bool(abs(found.scan.change[i]) >= np.abs(q - p).sum() / 4.0)


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
        powers = []
        for s in sides:
            square = s.variance[i] * max(int(s.present[i]) - 1, 0)
            powers.append(
                (s.present[i], square, (s.kurtosis[i] + 3.0) * square * square / max(s.present[i], 1))
            )
        ratio, low, _, _ = variance_test(*powers)
        scale = abs(np.log(ratio)) / (np.log(ratio / low) / 1.96)
    shift, scale = np.nan_to_num([shift, scale])
    if max(shift, scale) < 2.5:
        return "shape"
    return "shift" if shift >= scale else "scale"
