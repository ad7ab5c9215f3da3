"""The cause of a verdict in words: one short sentence for everything that changed in a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tidegauge.drift.causes import (
    causes_of_column,
    kind_of_interval,
    place_of_scan,
    shares_of_scan,
    took_most,
)
from tidegauge.drift.columns import ColumnCounts, Stack
from tidegauge.drift.evidence import NARROW_SHARE, SCAN, Evidence
from tidegauge.drift.readable import apart, number, percent
from tidegauge.drift.statistics import Statistic
from tidegauge.drift.verdict import Verdict
from tidegauge.homes import HOMES, INFINITE, OUTSIDE

MIN_NAMED = 5  # a category seen fewer times is never shown by name
_LOUD = ("warning", "alert")


def reasons(
    stack: Stack,
    found: Evidence,
    told: dict[str, Statistic],
    judged: Verdict,
    i: int,
    *,
    columns: tuple[ColumnCounts, ColumnCounts],
) -> list[str]:
    """Return why column `i` of the stack has its status, the strongest evidence first; [] when it is well.

    `columns` are the column in the reference and in the current profile.
    """
    before, after = columns
    status = judged.status[i]
    if status == "insufficient":
        return [_too_few(stack, found, i)]
    if status not in _LOUD:
        return []
    # The combined p was believed; a part of it is told if it would be so alone, and the smallest always.
    parts = found.parts[i]
    limit = max(judged.p_changed, judged.p_matters)
    said: list[tuple[float, str]] = []
    for part, p in enumerate(parts):
        if part > SCAN and (p <= limit or part == found.winner[i]):
            said.extend((p, text) for text in _home(part - SCAN - 1, stack, i, before, after))
    outside = stack.ordered and _outside_moved(found, i, limit)
    if outside:
        said.extend((0.0, text) for text in _beyond(before, after))
    if parts[SCAN] <= limit and _is_narrow(found, i) and not (outside and _at_an_end(stack, found, i)):
        said.append((parts[SCAN], _interval(stack, found, i, before)))
    values = np.nanmin(parts[: SCAN + 1]) if not np.isnan(parts[: SCAN + 1]).all() else np.nan
    if values <= limit or (not said and found.winner[i] <= SCAN):
        moved = _moments_moved(stack, told, i)
        if moved or not said:
            psi = told["psi"].value[i]
            size = f" (PSI {psi:.3f})" if psi >= 0.0005 else ""  # an estimate within its noise says nothing
            said.append((values, f"{moved or _share_moved(stack, found, i, before)}{size}"))
    said.sort(key=lambda pair: pair[0])
    return [text for _, text in said]


def _home(home: int, stack: Stack, i: int, before: ColumnCounts, after: ColumnCounts) -> Iterator[str]:
    hits, exposed = stack.reference_homes
    p = _share(hits[i, home], exposed[i, home])
    q = _share(stack.current.hits[i, home], stack.current.exposed[i, home])
    change = f"{percent(p)} -> {percent(q)}"
    if HOMES[home] == "absent":
        yield f"rows without the column {change}"
    elif HOMES[home] == "mistyped":
        yield f"values that are no {after.kind} {change}"
    elif home == INFINITE:
        yield f"infinite values {change}"
    elif HOMES[home] == "missing":
        nulls, nans = before.n_null + after.n_null, before.n_nan + after.n_nan
        yield f"{'nulls' if not nans else 'NaN' if not nulls else 'nulls and NaN'} {change}"
    else:
        # What a fresh sample of the reference would have is not what the reference had, which is nothing.
        expected = " expected" if p > 0 and before.n_unseen == 0 else ""
        yield from _unseen(f"{percent(p)}{expected} -> {percent(q)}", after)


def _outside_moved(found: Evidence, i: int, limit: float) -> bool:
    """Say whether more rows than tolerated now lie outside the edges of a number."""
    return bool(found.home_matters[i, OUTSIDE] <= limit)


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


def _is_narrow(found: Evidence, i: int) -> bool:
    return bool(found.scan.stop[i] > found.scan.start[i] and shares_of_scan(found, i)[0] <= NARROW_SHARE)


def _at_an_end(stack: Stack, found: Evidence, i: int) -> bool:
    return int(found.scan.start[i]) == 0 or int(found.scan.stop[i]) == stack.reference.cells.shape[1]


def _interval(stack: Stack, found: Evidence, i: int, before: ColumnCounts) -> str:
    """Tell the narrow interval, or the category, that the scan found."""
    p, q = shares_of_scan(found, i)
    change = f"{percent(p)} -> {percent(q)}"
    where = place_of_scan(stack, found, i, before)
    if not stack.ordered:
        return f"category {where} {change}"
    # A spike took at least half of all that moved; else it is part of a broader change.
    if kind_of_interval(stack, found, i) == "stuck value" and took_most(found, i):
        return f"stuck value: cell {where} holds {change}"
    if where.startswith(("below", "at or above")):
        return f"values {where}: {change}"
    return f"values in {where}: {change}"


def _moments_moved(stack: Stack, told: dict[str, Statistic], i: int) -> str:
    """Tell a change of mean or spread, the first that is large enough to explain a PSI; else ""."""
    if not stack.ordered:
        return ""
    a, b = stack.reference, stack.current
    of = " of all windows" if stack.baseline is not None and stack.baseline.seasonal else ""
    mean, ratio = told["mean_change"], told["variance_ratio"]
    assert mean.low is not None
    assert mean.high is not None
    if abs(mean.value[i]) >= 0.02 and np.sign(mean.low[i]) * np.sign(mean.high[i]) > 0:
        start, end = apart(float(a.mean[i]), float(b.mean[i]))
        return f"mean{of} {start} -> {end}"
    if abs(np.log(max(ratio.value[i], 1e-300))) >= 0.1:
        start, end = apart(float(np.sqrt(a.variance[i])), float(np.sqrt(b.variance[i])))
        return f"standard deviation{of} {start} -> {end}"
    return ""


def _share_moved(stack: Stack, found: Evidence, i: int, before: ColumnCounts) -> str:
    """Tell the cells, or the category, that are the largest part of the change."""
    causes = causes_of_column(stack, found, i, before)
    if not causes:
        return "distribution"
    largest = causes[0]
    change = f"{percent(largest.reference_share)} -> {percent(largest.current_share)}"
    return f"{'share of' if stack.ordered else 'category'} {largest.where} {change}"


def _too_few(stack: Stack, found: Evidence, i: int) -> str:
    n, m = int(stack.reference.present[i]), int(stack.current.present[i])
    if n < found.needed_reference[i]:
        return f"the reference has {n:,} values, a verdict needs {int(found.needed_reference[i]):,}"
    if m < found.needed[i]:
        return f"{m:,} values, a verdict needs {int(found.needed[i]):,}"
    if stack.baseline is not None and found.untested[i]:
        windows, block = stack.baseline.n_windows, stack.baseline.block
        if stack.baseline.known[i]:
            return "the reference has no windows of this season"
        return (
            f"this is as long as {block:,} of the reference's windows, and it has {windows:,}, too few to "
            "say how such windows vary; take shorter ones, or a longer reference"
        )
    return f"{n:,} values in the reference and {m:,} now do not overlap enough for a verdict"


def _share(hits: float, rows: float) -> float:
    return float(hits) / float(rows) if rows else 0.0
