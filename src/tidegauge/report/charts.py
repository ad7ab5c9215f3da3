"""A column's two distributions drawn over each other, as SVG; docs/design/0008-report.md says why by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tidegauge.drift.readable import percent
from tidegauge.report.bars import category_bars
from tidegauge.report.bins import display_bins
from tidegauge.report.category_chart import ROW, category_chart
from tidegauge.report.number_chart import HEIGHT, WIDTH, number_chart
from tidegauge.report.svg import coordinate, steps
from tidegauge.tables import escaped, printable

if TYPE_CHECKING:
    from tidegauge.comparison import ColumnComparison
    from tidegauge.drift.causes import Cause

NOTABLE = 0.05  # of the PSI; smaller causes are told in the table, and not marked
THUMBNAIL_BINS = 24


@dataclass(frozen=True, slots=True)
class Drawing:
    """The elements of a chart of `WIDTH` x `height`, and what it shows in words."""

    words: str
    height: float
    elements: str


def draw(column: ColumnComparison) -> Drawing | None:
    """Draw the distributions of a column; None where there is nothing to draw.

    Numbers are drawn as shares of the present values in bins, with bars for the values beyond the range drawn
    and the rows without a value; categories as pairs of bars. Causes of at least 5 % of the PSI carry their
    rank.
    """
    before, after, causes = column.before, column.after, _notable(column.causes)
    if before is None or before.counts is None or not before.n_present:
        return None
    bins = display_bins(before, after)
    if bins is not None:
        height, elements = HEIGHT, number_chart(bins, before, after, causes)
    else:
        bars = category_bars(before, after, causes)
        height, elements = ROW * len(bars), category_chart(bars)
    n_current = 0 if after is None else after.n_present
    sizes = f"{n_current:,} current values over {before.n_present:,} of the reference"
    moved = "; ".join(f"{c.where} {percent(c.reference_share)} to {percent(c.current_share)}" for c in causes)
    words = f"{printable(column.name, 60)}: {sizes}.{f' Changed most: {moved}.' if moved else ''}"
    return Drawing(words, height, "".join(elements))


def column_chart(column: ColumnComparison) -> str:
    """Return the drawing of a column as an `<svg>` with a text alternative; "" where there is nothing."""
    drawing = draw(column)
    if drawing is None:
        return ""
    return (
        f'<svg class="chart" role="img" aria-label="{escaped(drawing.words, 500)}" '
        f'viewBox="0 0 {coordinate(WIDTH)} {coordinate(drawing.height)}">{drawing.elements}</svg>'
    )


def _notable(causes: Sequence[Cause]) -> Sequence[Cause]:
    """Return the causes to mark: up to the last notable one, so that ranks are those of the table."""
    last = max((rank for rank, cause in enumerate(causes, 1) if cause.psi_share >= NOTABLE), default=1)
    return causes[:last]


def thumbnail(column: ColumnComparison) -> str:
    """Return the same without words, 100 x 24, to stand in a row of figures; "" where there is nothing."""
    before, after = column.before, column.after
    if before is None or before.counts is None or not before.n_present:
        return ""
    bins = display_bins(before, after, THUMBNAIL_BINS)
    if bins is not None:
        p, q = (
            np.r_[bins.below[side], shares, bins.above[side]]
            for side, shares in enumerate((bins.reference, bins.current))
        )
    else:
        bars = category_bars(before, after, _notable(column.causes))
        p, q = np.array([(bar.reference, bar.current) for bar in bars]).T
    x = np.linspace(0.0, 100.0, len(p) + 1)
    scale = 23.0 / max(p.max(), q.max())
    return (
        '<svg class="thumb" aria-hidden="true" viewBox="0 0 100 24" preserveAspectRatio="none">'
        f"{steps('r', x, 24.0 - scale * p, 24.0)}{steps('c', x, 24.0 - scale * q)}</svg>"
    )
