"""A column's chart as a PNG picture, for mails and chats."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from tidegauge.errors import InputError
from tidegauge.report.charts import draw
from tidegauge.report.extra import require
from tidegauge.report.number_chart import WIDTH

if TYPE_CHECKING:
    from tidegauge.comparison import ColumnComparison

MAX_PIXELS = 16_384  # a side
MARGIN = 6.0


def column_png(column: ColumnComparison, width: int = 720, scale: float = 2.0) -> bytes:
    """Draw a column's distributions as a PNG of `width` x `scale` pixels, in the colours of a light page.

    `width` is in CSS pixels, 1 or more, `scale` is above 0. Fonts are those of the machine, else the ones
    that vl-convert carries: no browser and no display are needed. Raises InputError where the column has
    nothing to draw (it has no cells, or no values in the reference), where the picture would be wider than
    16,384 pixels, and where vl-convert-python is not installed.
    """
    if not (width >= 1 and scale > 0 and width * scale <= MAX_PIXELS):
        raise InputError(
            f"column_png: width {width} x scale {scale} is no picture; width is 1 or more, and their product "
            f"at most {MAX_PIXELS:,} pixels"
        )
    drawing = draw(column)
    if drawing is None:
        raise InputError(
            f"column {column.name!r} has nothing to draw: it has no cells, or no values in the reference"
        )
    vl_convert = require("vl_convert", "vl-convert-python")
    x, y = WIDTH + 2 * MARGIN, drawing.height + 2 * MARGIN
    corner = f'x="{-MARGIN:g}" y="{-MARGIN:g}"'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{width * y / x:.1f}"'
        f' viewBox="{-MARGIN:g} {-MARGIN:g} {x:g} {y:g}"><style>{_style()}</style>'
        f'<rect {corner} width="{x:g}" height="{y:g}" fill="#fff"/>{drawing.elements}</svg>'
    )
    png: bytes = vl_convert.svg_to_png(svg, scale=scale)
    return png


@cache
def _style() -> str:
    """Return the chart's style sheet with the page's light colours in place of their names."""
    templates = resources.files("tidegauge.report") / "templates"
    colours, rules = ((templates / name).read_text("utf-8") for name in ("colours.css", "chart.css"))
    light = dict(re.findall(r"--([\w-]+):\s*([^;]+);", colours.partition("@media")[0]))
    return re.sub(r"var\(--([\w-]+)\)", lambda match: light[match[1]], rules)
