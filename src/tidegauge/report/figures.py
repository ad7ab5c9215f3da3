"""Numbers as people read them: probabilities, effects with their interval, counts, times."""

from __future__ import annotations

import datetime

from tidegauge.drift.readable import number
from tidegauge.tables import printable

NOTHING = "–"  # what is undefined
SMALLEST_P = 1e-6  # below it no law of a statistic is good enough to tell


def sentence(text: str, most: int) -> str:
    """Return words on one line, harmless and cut to `most` characters, with arrows for "->"."""
    return printable(text, most).replace(" -> ", " → ")


def p_text(p: float | None) -> str:
    """Return a probability: "0.034", "0.0004", "< 0.000001"."""
    if p is None:
        return NOTHING
    if p < SMALLEST_P:
        return "< 0.000001"
    return f"{p:.3f}" if p >= 0.01 else number(p, 1)


def figure(value: float | None) -> str:
    """Return a number with two digits or more: "0.031", "1.20", "55.8", "1,234", "1.9e-05"."""
    if value is None:
        return NOTHING
    size = abs(value)
    if size < 0.1 or size >= 1e9:
        return f"{value:.2g}"
    return f"{value:.2f}" if size < 10 else f"{value:.1f}" if size < 100 else f"{value:,.0f}"


def effect_text(value: float | None, interval: tuple[float, float] | None = None) -> str:
    """Return an effect in standard deviations, with two decimals, and its interval: "0.42 [0.40, 0.44]"."""
    if value is None:
        return NOTHING
    return f"{value:.2f}" + ("" if interval is None else f" [{interval[0]:.2f}, {interval[1]:.2f}]")


def value_text(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """Return a value with the 95 % interval it has: "0.42 [0.40, 0.44]"."""
    if value is None:
        return NOTHING
    interval = "" if low is None or high is None else f" [{figure(low)}, {figure(high)}]"
    return f"{figure(value)}{interval}"


def window_text(window: tuple[int, int]) -> str:
    """Return a half-open window in nanoseconds since 1970 as two moments in UTC, to the second."""
    start, end = (_moment(ns) for ns in window)
    return f"{start} to {end} UTC"


def _moment(ns: int) -> str:
    try:
        moment = datetime.datetime.fromtimestamp(ns // 1_000_000_000, tz=datetime.UTC)
    except (OverflowError, OSError, ValueError):  # beyond the year 9999, or before the year 1
        return f"{ns:,} ns"
    return moment.strftime("%Y-%m-%d %H:%M:%S")
