"""The few SVG elements that charts are made of, short: a page holds hundreds of charts.

Colours and fonts are classes: r and f are the reference's and the current fill, c the current line, g and h
tint and mark a cause, l is a grid line, a an axis, b a limit; of texts e ends and m has its middle at x, k is
a rank, t a figure.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidegauge.tables import escaped

Floats = npt.NDArray[np.float64]


def coordinate(value: float) -> str:
    """Write a coordinate with at most one decimal."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def text(x: float, y: float, words: str, style: str, most: int = 40) -> str:
    """Return a text, escaped and cut."""
    return f'<text class="{style}" x="{coordinate(x)}" y="{coordinate(y)}">{escaped(words, most)}</text>'


def box(style: str, x: float, y: float, width: float, height: float) -> str:
    """Return a rectangle."""
    a, b, w, h = map(coordinate, (x, y, width, height))
    return f'<rect class="{style}" x="{a}" y="{b}" width="{w}" height="{h}"/>'


def line(style: str, x: float, y: float, along: str) -> str:
    """Return a line from a point `along` a path such as "h30"."""
    return f'<path class="{style}" d="M{coordinate(x)} {coordinate(y)}{along}"/>'


def steps(style: str, x: Floats, y: Floats, base: float | None = None) -> str:
    """Return the tops `y` of the bins between `x` (one more) as a line, or filled down to `base`."""
    along, height = [], coordinate(y[0])
    start = coordinate(x[0])
    for at, top in zip(x[1:-1], y[1:], strict=True):
        if (top := coordinate(top)) != height:
            along.append(f"H{coordinate(at)}V{top}")
            height = top
    path = f"{''.join(along)}H{coordinate(x[-1])}"
    if base is None:
        return f'<path class="{style}" d="M{start} {coordinate(y[0])}{path}"/>'
    low = coordinate(base)
    return f'<path class="{style}" d="M{start} {low}V{coordinate(y[0])}{path}V{low}z"/>'
