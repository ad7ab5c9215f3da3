"""The cause of a verdict in words: one short sentence for everything that changed in a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tidegauge.drift.columns import ABSENT, HOMES, INFINITE, MISSING, MISTYPED, OUTSIDE, ColumnCounts, Stack
from tidegauge.drift.statistics import Statistics
from tidegauge.drift.verdict import Verdict
from tidegauge.measurement import SEVERITY, Status

NARROW = 0.1  # standard deviations of the reference; a wider cell says little about one value
MIN_NAMED = 5  # a category seen fewer times is never shown by name
_ORDER = (ABSENT, MISTYPED, INFINITE, MISSING, OUTSIDE)
_LOUD = ("warning", "alert")


def percent(share: float) -> str:
    """Return a fraction as a readable percentage, such as "0.1 %", "12 %", "<0.01 %"."""
    points = 100.0 * share
    if 0 < points < 0.01:
        return "<0.01 %"
    if 99.99 < points < 100:
        return ">99.99 %"
    if 0 < points < 0.1 or 99.9 < points < 100:
        return f"{points:.2f} %"
    return f"{points:.1f} %" if 0 < points < 10 or 99 < points < 100 else f"{points:.0f} %"


def number(value: float, digits: int = 3) -> str:
    """Return a number with at least `digits` significant digits, without an exponent where it is readable."""
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    size = int(np.floor(np.log10(abs(value))))
    if -5 <= size < 15:
        return f"{value:.{max(digits - 1 - size, 0)}f}"
    return f"{value:.{digits - 1}e}"


def interval(low: float, high: float) -> str:
    """Return a half-open cell in words: "[3.00, 3.01)", with the digits it takes to show its width.

    A cell so narrow that no other number fits in it is "3.00".
    """
    if np.nextafter(low, np.inf) >= high:
        return number(low)
    if low.is_integer() and high.is_integer():
        return f"[{low:.0f}, {high:.0f})"
    for digits in range(3, 17):
        width = float(number(high, digits)) - float(number(low, digits))
        if not abs(width - (high - low)) > 0.02 * (high - low):
            return f"[{number(low, digits)}, {number(high, digits)})"
    return number(low, 17)


def reasons(
    stack: Stack, found: Statistics, judged: Verdict, i: int, columns: tuple[ColumnCounts, ColumnCounts]
) -> list[str]:
    """Return why column `i` of the stack has its status, the gravest first; [] when it is well.

    `columns` are the column in the reference and in the current profile.
    """
    before, after = columns
    said: list[tuple[Status, str]] = []
    for home in _ORDER:
        if judged.share[i, home] in _LOUD:
            said.extend((judged.share[i, home], text) for text in _home(home, stack, i, before, after))
    if judged.rise[i] in _LOUD:
        said.append((judged.rise[i], _rise(stack, found, i, before)))
    if judged.psi[i] in _LOUD:
        moved = _moments_moved(stack, found, i)
        if moved or not said:
            size = f"(PSI {found.psi.value[i]:.3f})"
            said.append((judged.psi[i], f"{moved or _share_moved(stack, found, i, before)} {size}"))
    said.sort(key=lambda pair: -SEVERITY.index(pair[0]))
    if judged.psi[i] == "insufficient" and not said:
        said.append(("insufficient", _too_few(stack, found, i)))
    return [text for _, text in said]


def _home(home: int, stack: Stack, i: int, before: ColumnCounts, after: ColumnCounts) -> Iterator[str]:
    p = _share(stack.reference.hits[i, home], stack.reference.exposed[i, home])
    q = _share(stack.current.hits[i, home], stack.current.exposed[i, home])
    change = f"{percent(p)} -> {percent(q)}"
    if HOMES[home] == "absent":
        yield f"rows without the column {change}"
    elif HOMES[home] == "mistyped":
        yield f"values that are no {after.kind} {change}"
    elif HOMES[home] == "infinite":
        yield f"infinite values {change}"
    elif HOMES[home] == "missing":
        nulls, nans = before.n_null + after.n_null, before.n_nan + after.n_nan
        yield f"{'nulls' if not nans else 'NaN' if not nulls else 'nulls and NaN'} {change}"
    elif stack.ordered:
        yield from _beyond(before, after)
    else:
        # What a fresh sample of the reference would have is not what the reference had, which is nothing.
        expected = " expected" if p > 0 and before.n_unseen == 0 else ""
        yield from _unseen(f"{percent(p)}{expected} -> {percent(q)}", after)


def _beyond(before: ColumnCounts, after: ColumnCounts) -> Iterator[str]:
    edges = np.asarray(before.edges, dtype=np.float64)
    ends = (
        (f"values below {number(edges[0])}", before.n_below, after.n_below),
        (f"values above {number(edges[-1])}", before.n_above, after.n_above),
    )
    # The side that moved most speaks; both when they moved alike.
    change = [_share(b, after.n_present) - _share(a, before.n_present) for _, a, b in ends]
    for (text, a, b), moved in zip(ends, change, strict=True):
        if abs(moved) >= max(map(abs, change)) / 2:
            yield f"{text}: {percent(_share(a, before.n_present))} -> {percent(_share(b, after.n_present))}"


def _unseen(change: str, after: ColumnCounts) -> Iterator[str]:
    """Name the commonest new category where the profile keeps names: `unseen_top`, pairs of (name, rows)."""
    top: Sequence[tuple[str, int]] = getattr(after, "unseen_top", None) or ()
    named = [(name, rows) for name, rows in top if name and rows >= MIN_NAMED]
    if named:
        name, rows = named[0]
        yield f"new category {name!r} in {percent(_share(rows, after.n_present))}, all unseen {change}"
    else:
        yield f"categories unseen in the reference {change}"


def _rise(stack: Stack, found: Statistics, i: int, before: ColumnCounts) -> str:
    p = float(found.rise_reference[i])
    change = f"{percent(p)} -> {percent(p + float(found.rise.value[i]))}"
    cell = int(found.rise_cell[i])
    if not stack.ordered or stack.edges is None:
        return f"category {_category(before, cell)} {change}"
    low, high = stack.edges[i, cell], stack.edges[i, cell + 1]
    # One narrow cell that took at least half of all that moved is a spike; else it is part of a broader
    # change.
    narrow = high - low <= NARROW * np.sqrt(stack.reference.variance[i])
    spike = narrow and found.rise.value[i] >= found.total_variation[i] / 2
    return f"{'stuck value: ' if spike else ''}cell {interval(float(low), float(high))} holds {change}"


def _moments_moved(stack: Stack, found: Statistics, i: int) -> str:
    """Tell a change of mean or spread, the first that is large enough to explain a PSI; else ""."""
    if stack.ordered:
        a, b = stack.reference, stack.current
        if abs(found.mean.value[i]) >= 0.05 and found.mean.low[i] * found.mean.high[i] > 0:
            start, end = _apart(float(a.mean[i]), float(b.mean[i]))
            return f"mean {start} -> {end}"
        if abs(np.log(max(found.variance[i], 1e-300))) >= 0.1:
            start, end = _apart(float(np.sqrt(a.variance[i])), float(np.sqrt(b.variance[i])))
            return f"standard deviation {start} -> {end}"
    return ""


def _share_moved(stack: Stack, found: Statistics, i: int, before: ColumnCounts) -> str:
    """Tell the coarse cell, or the category, whose share changed most."""
    p = stack.reference.cells[i] / max(stack.reference.present[i], 1)
    q = stack.current.cells[i] / max(stack.current.present[i], 1)
    if stack.ordered and stack.edges is not None:
        p, q = np.bincount(found.groups[i], p), np.bincount(found.groups[i], q)
        cell = int(np.argmax(np.abs(q - p)))
        place = np.flatnonzero(found.groups[i] == cell)
        ends = np.r_[-np.inf, stack.edges[i], np.inf][[place[0], place[-1] + 1]]
        where = f"share of {interval(float(ends[0]), float(ends[1]))}"
    else:
        cell = int(np.argmax(np.abs(q - p)[:-1]))
        where = f"category {_category(before, cell)}"
    return f"{where} {percent(float(p[cell]))} -> {percent(float(q[cell]))}"


def _too_few(stack: Stack, found: Statistics, i: int) -> str:
    n, m = int(stack.reference.present[i]), int(stack.current.present[i])
    if n < found.needed_reference[i]:
        return f"the reference has {n:,} values, a verdict needs {int(found.needed_reference[i]):,}"
    return f"{m:,} values, a verdict needs {int(found.needed_current[i]):,}"


def _category(column: ColumnCounts, cell: int) -> str:
    """Quote the name of a category; names that are not kept or not to be shown are ""."""
    names = column.categories
    name = names[cell] if names is not None and cell < len(names) else ""
    return repr(name) if name else "(name not kept)"


def _apart(start: float, end: float) -> tuple[str, str]:
    """Write two unlike numbers with the digits it takes to see that they differ by what they do."""
    for digits in range(3, 17):
        if abs(float(number(start, digits)) - float(number(end, digits))) >= 0.5 * abs(end - start) > 0:
            return number(start, digits), number(end, digits)
    return number(start), number(end)


def _share(hits: float, rows: float) -> float:
    return float(hits) / float(rows) if rows else 0.0
