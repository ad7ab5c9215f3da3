"""The values written along an axis: round ones, few, in few characters."""

from __future__ import annotations

import numpy as np

from tidegauge.report.bins import Bins

MAX_TICKS = 5
_SUFFIXES = ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))  # from, unit


def ticks(bins: Bins) -> list[tuple[float, str]]:
    """Return at most five round values within the range drawn, ascending, each with its text.

    On a logarithmic axis powers of ten, or 1, 2 and 5 times them, else multiples of 1, 2 or 5 times one. A
    range too narrow for a round value gives its start.
    """
    low, high = float(bins.edges[0]), float(bins.edges[-1])
    if bins.log:
        powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        for parts in ((1,), (1, 3), (1, 2, 5)):
            values = [float(f"{m}e{power}") for power in powers for m in parts]
            found = [value for value in values if low <= value <= high]
            if len(found) >= 3:
                return [(value, short(value)) for value in found[:: -(-len(found) // MAX_TICKS)]]
    half = high / 2 - low / 2  # of the range, which itself may be more than a double can hold
    power = float(np.floor(np.log10(half))) if half > 0 else 0.0
    for factor in (0.2, 0.5, 1.0, 2.0, 5.0):
        step = factor * 10.0**power
        first, last = np.ceil(low / step), np.floor(high / step) - (bins.whole and step <= 1)
        if first <= last < first + MAX_TICKS and not (bins.whole and step < 1):
            return [(float(i * step), short(float(i * step), step)) for i in np.arange(first, last + 1)]
    return [(low, short(low, half))]


def short(value: float, apart: float | None = None) -> str:
    """Return a number in few characters: "0.05", "12k", "1.5e-09"; with digits enough to show `apart`."""
    size = abs(value)
    if size == 0 or not np.isfinite(value):
        return f"{value:g}".replace("-0", "0")
    digits = 3 if not apart else int(np.clip(np.ceil(np.log10(size) - np.log10(apart)) + 1, 1, 17))
    for least, unit, suffix in _SUFFIXES:
        if least <= size < 1e15 and digits <= 6:
            return f"{float(f'{value / unit:.{digits}g}'):.15g}{suffix}"
    rounded = f"{value:.{digits}g}"
    return rounded if size < 1e-4 or size >= 1e15 else f"{float(rounded):.15g}"
