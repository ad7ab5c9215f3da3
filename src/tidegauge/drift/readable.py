"""Numbers, shares and intervals for people: as few digits as tell the truth."""

from __future__ import annotations

import numpy as np


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
    if low.is_integer() and high.is_integer() and max(abs(low), abs(high)) < 1e15:
        return f"[{low:.0f}, {high:.0f})"
    for digits in range(3, 17):
        width = float(number(high, digits)) - float(number(low, digits))
        if not abs(width - (high - low)) > 0.02 * (high - low):
            return f"[{number(low, digits)}, {number(high, digits)})"
    return number(low, 17)


def apart(start: float, end: float) -> tuple[str, str]:
    """Write two unlike numbers with the digits it takes to see that they differ by what they do."""
    for digits in range(3, 17):
        if abs(float(number(start, digits)) - float(number(end, digits))) >= 0.5 * abs(end - start) > 0:
            return number(start, digits), number(end, digits)
    return number(start), number(end)
