"""A number's two distributions over each other, as shares in bins, with bars for what no bin holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tidegauge.drift.columns import ColumnCounts
from tidegauge.report.axis import short, ticks
from tidegauge.report.bars import Bar, change_text, share_without_value
from tidegauge.report.bins import Bins
from tidegauge.report.svg import box, coordinate, line, steps, text

if TYPE_CHECKING:
    from tidegauge.drift.causes import Cause

WIDTH, HEIGHT = 360.0, 176.0  # near the width of a phone: letters stay legible there, and grow elsewhere
TOP, BOTTOM, LEFT = 18.0, 142.0, 36.0
SLOT = 56.0  # of a pair of bars beside the distribution
NARROWEST_MARK, WIDEST_TINT = 3.0, 60.0
BESIDE = 0.01  # a share beyond the range drawn from which it has bars; the tails left out are smaller
GRID_STEPS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def number_chart(
    bins: Bins, before: ColumnCounts, after: ColumnCounts | None, causes: Sequence[Cause]
) -> Iterator[str]:
    """Yield the elements of a chart of `WIDTH` x `HEIGHT`: marks of the causes, distribution, bars beside it.

    The bars hold the values beyond the range drawn and the rows without a value; they share a scale of their
    own, from 0 to the largest (at least 10 %), and tell their shares in words.
    """
    low, high = float(bins.edges[0]), float(bins.edges[-1])
    spans = [_span(before, cause) for cause in causes]
    rank_below = next((i for i, (_, b) in enumerate(spans, 1) if b <= low), None)
    rank_above = next((i for i, (a, _) in enumerate(spans, 1) if a >= high), None)
    digits_of = high / 20 - low / 20
    below = Bar(f"< {short(low, digits_of)}", *bins.below, rank_below)
    above = Bar(f"≥ {short(high, digits_of)}", *bins.above, rank_above)
    nothing = Bar("no value", share_without_value(before), share_without_value(after))
    left, right = (
        [bar for bar in bars if bar.rank or max(bar.reference, bar.current) >= BESIDE]
        for bars in ([below], [above, nothing])
    )
    start, stop = LEFT + SLOT * len(left), WIDTH - 8.0 - SLOT * len(right)
    yield from _marks(bins, spans, start, stop)
    yield from _distribution(bins, start, stop)
    full = max([0.1, *(max(bar.reference, bar.current) for bar in left + right)])
    for i, bar in enumerate(left):
        yield from _pair(bar, LEFT + SLOT * (i + 0.5) - 20.0, full)
    for i, bar in enumerate(right):
        yield from _pair(bar, stop + SLOT * (i + 0.5) + 6.0, full)


def _distribution(bins: Bins, start: float, stop: float) -> Iterator[str]:
    peak = float(max(bins.reference.max(), bins.current.max(), 1e-300))
    step = next((step for step in GRID_STEPS if peak < 4 * step), 0.5)
    for i in range(1, int(peak / step) + 1):
        y = BOTTOM - (BOTTOM - TOP) * i * step / peak
        yield line("l", start, y, f"H{coordinate(stop)}")
        yield text(start - 4.0, y + 3.5, f"{100 * i * step:g} %", "e")
    x = np.linspace(start, stop, len(bins.reference) + 1)
    yield steps("r", x, BOTTOM - (BOTTOM - TOP) * bins.reference / peak, BOTTOM)
    if bins.current.any():
        yield steps("c", x, BOTTOM - (BOTTOM - TOP) * bins.current / peak)
    yield line("a", start, BOTTOM, f"H{coordinate(stop)}")
    # A bin of one whole number has that number in its middle.
    shift = 0.5 if bins.whole and bins.edges[1] - bins.edges[0] == 1 else 0.0
    for value, words in ticks(bins):
        at = start + (stop - start) * float(bins.place(value + shift))
        yield line("a", at, BOTTOM, "v4")
        yield text(at, BOTTOM + 15.0, words, "m")


def _marks(bins: Bins, spans: Sequence[tuple[float, float]], start: float, stop: float) -> Iterator[str]:
    """Put a bar with its rank above the cells of every cause, and tint them down to the axis if they are few.

    A cause that lies mostly within a graver one is left to the table.
    """
    marked: list[tuple[float, float]] = []
    for rank, (low, high) in enumerate(spans, 1):
        if high <= bins.edges[0] or low >= bins.edges[-1]:
            continue  # a bar beside the distribution is marked
        a, b = (start + (stop - start) * bins.place([low, high])).tolist()
        middle, width = (a + b) / 2, max(b - a, NARROWEST_MARK)
        a, b = middle - width / 2, middle + width / 2
        if any(min(b, end) - max(a, begin) > width / 2 for begin, end in marked):
            continue
        marked.append((a, b))
        if width <= WIDEST_TINT:
            yield box("g", a, TOP - 4.0, width, BOTTOM - TOP + 4.0)
        yield box("h", a + 0.5, TOP - 4.0, width - 1.0, 2.5)
        yield text(middle, TOP - 7.0, str(rank), "m k")


def _pair(bar: Bar, middle: float, full: float) -> Iterator[str]:
    if bar.rank:
        yield box("g", middle - 15.0, TOP - 4.0, 30.0, BOTTOM - TOP + 4.0)
        yield box("h", middle - 15.0, TOP - 4.0, 30.0, 2.5)
        yield text(middle, TOP - 7.0, str(bar.rank), "m k")
    for style, share, at in (("r", bar.reference, middle - 11.0), ("f", bar.current, middle + 1.0)):
        height = max((BOTTOM - TOP) * share / full, 1.0 if share else 0.0)
        yield box(style, at, BOTTOM - height, 10.0, height)
    yield line("a", middle - 15.0, BOTTOM, "h30")
    yield text(middle, BOTTOM + 15.0, bar.label, "m")
    yield text(middle, BOTTOM + 29.0, change_text(bar.reference, bar.current), "m t")


def _span(column: ColumnCounts, cause: Cause) -> tuple[float, float]:
    """Return the values between which a cause's cells lie; below and above the edges they are infinite.

    Cells are numbered as in a stack, where a column with fewer cells than others has empty ones before
    `above`.
    """
    edges = np.r_[-np.inf, np.asarray(column.edges, np.float64), np.inf]
    return float(edges[min(cause.start, len(edges) - 2)]), float(edges[min(cause.stop, len(edges) - 1)])
