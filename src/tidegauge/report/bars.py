"""The categories worth a bar: the largest, those that moved, and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge.drift.causes import Cause, category
from tidegauge.drift.columns import ColumnCounts
from tidegauge.drift.readable import percent
from tidegauge.drift.words import MIN_NAMED

MAX_BARS = 10
NOT_KEPT = "(name not kept)"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar pair: shares of present values (of all rows for "no value"), in [0, 1].

    `rank` is the place among the causes of the change, 1 for the largest; None where it is none of them.
    """

    label: str
    reference: float
    current: float
    rank: int | None = None


def category_bars(before: ColumnCounts, after: ColumnCounts | None, causes: Sequence[Cause]) -> list[Bar]:
    """Return the ten largest categories on either side and all causes, in the reference's order.

    Then come all others together, the values unseen in the reference, and the rows without a value, each only
    where there is something to show.
    """
    p, q = _shares(before), _shares(after)
    width = max(len(p), len(q))
    p, q = np.pad(p, (0, width - len(p))), np.pad(q, (0, width - len(q)))
    unseen = len(p) - 1
    # A cause is one category, or all rare ones together, and then not called by the name of its first. The
    # unseen stand in the last place, which in a stack with larger columns lies further away.
    ranks: dict[int, int] = {}
    together = None
    for rank, cause in enumerate(causes, 1):
        if cause.where == category(before, cause.start):
            ranks[min(cause.start, unseen)] = rank
        else:
            together = rank
    largest = np.argsort(-np.maximum(p, q)[:unseen], kind="stable")[:MAX_BARS].tolist()
    kept = sorted({*largest, *(cell for cell in ranks if cell < unseen)})
    names = before.categories or ()
    bars = []
    for cell in kept:
        name = names[cell] if cell < len(names) else None
        bars.append(Bar(name or NOT_KEPT, float(p[cell]), float(q[cell]), ranks.get(cell)))
    others = np.setdiff1d(np.arange(unseen), kept)
    if len(others):
        bars.append(Bar(f"{len(others):,} others", float(p[others].sum()), float(q[others].sum()), together))
    if p[unseen] or q[unseen]:
        bars.append(Bar(_unseen_label(after), float(p[unseen]), float(q[unseen]), ranks.get(unseen)))
    nothing = Bar("no value", share_without_value(before), share_without_value(after))
    return [*bars, nothing] if nothing.reference or nothing.current else bars


def share_without_value(column: ColumnCounts | None) -> float:
    """Return the share of rows that are null, NaN, infinite, mistyped or absent; 0 without rows."""
    return (column.n_rows - column.n_present) / column.n_rows if column is not None and column.n_rows else 0.0


def change_text(reference: float, current: float) -> str:
    """Return two shares in words: "12 → 18 %", or one where they read alike."""
    before, after = percent(reference), percent(current)
    return after if before == after else f"{before.removesuffix(' %')} → {after}"


def _shares(column: ColumnCounts | None) -> npt.NDArray[np.float64]:
    if column is None or column.counts is None:
        return np.zeros(1)
    counts = np.append(np.asarray(column.counts, np.float64), column.n_unseen)
    return counts / max(column.n_present, 1)


def _unseen_label(after: ColumnCounts | None) -> str:
    top = [name for name, rows in getattr(after, "unseen_top", ()) if name and rows >= MIN_NAMED]
    return f"new: {top[0]}" + (", …" if len(top) > 1 else "") if top else "unseen before"
