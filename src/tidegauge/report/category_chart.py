"""Categories as pairs of bars from the left, a row each, with their shares in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tidegauge.report.bars import Bar, change_text
from tidegauge.report.number_chart import WIDTH
from tidegauge.report.svg import box, text

ROW, LABEL, GAUGE = 26.0, 116.0, 162.0  # the height of a row; the end of its label; the length of a full bar
LABEL_CHARACTERS = 17


def category_chart(bars: Sequence[Bar]) -> Iterator[str]:
    """Yield the elements of a chart of `WIDTH` x (`ROW` x bars); causes are marked with their rank."""
    longest = max([1e-300, *(max(bar.reference, bar.current) for bar in bars)])
    for i, bar in enumerate(bars):
        y = ROW * i
        if bar.rank:
            yield box("g", 0.0, y + 1.0, WIDTH, ROW - 2.0)
            yield text(4.0, y + 17.0, str(bar.rank), "k")
        yield text(LABEL - 6.0, y + 17.0, bar.label, "e", LABEL_CHARACTERS)
        for style, share, at in (("r", bar.reference, 3.0), ("f", bar.current, 13.0)):
            yield box(style, LABEL, y + at, max(GAUGE * share / longest, 1.0 if share else 0.0), 9.0)
        yield text(WIDTH - 3.0, y + 17.0, change_text(bar.reference, bar.current), "e t")
