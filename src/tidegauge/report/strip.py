"""An effect with its interval as a dot on a line, beside the tolerance: how large, and how sure."""

from __future__ import annotations

from tidegauge.report.svg import box, coordinate, line

WIDTH, HEIGHT = 160.0, 18.0


def effect_strip(
    effect: float | None, interval: tuple[float, float] | None, tolerance: float, full: float
) -> str:
    """Return an `<svg>` of 160 x 18 from 0 to `full`, all in standard deviations; "" without an effect.

    Hidden from readers of the page's text, in which the figures stand beside it.
    """
    if effect is None or not full > 0:
        return ""
    low, high = interval or (effect, effect)
    x = [4.0 + (WIDTH - 8.0) * min(max(value, 0.0) / full, 1.0) for value in (low, effect, high, tolerance)]
    middle = HEIGHT / 2
    parts = (
        line("l", 4.0, middle, f"H{coordinate(WIDTH - 4)}"),
        line("b", x[3], 1.0, f"V{coordinate(HEIGHT - 1)}"),
        box("f", x[0], middle - 1.5, max(x[2] - x[0], 1.0), 3.0),
        f'<circle class="f" cx="{coordinate(x[1])}" cy="{coordinate(middle)}" r="4"/>',
    )
    size = f"{coordinate(WIDTH)} {coordinate(HEIGHT)}"
    return f'<svg class="strip" aria-hidden="true" viewBox="0 0 {size}">{"".join(parts)}</svg>'
