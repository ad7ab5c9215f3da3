"""Numbers as people read them: probabilities, effects with their interval, counts, times."""

from __future__ import annotations

import datetime

from tidegauge.drift.readable import number

NOTHING = "–"  # what is undefined
SMALLEST_P = 1e-6  # below it no law of a statistic is good enough to tell


def p_text(p: float | None) -> str:
    """Return a probability: "0.034", "0.0004", "< 0.000001"."""
    if p is None:
        return NOTHING
    if p < SMALLEST_P:
        return "< 0.000001"
    return f"{p:.3f}" if p >= 0.01 else number(p, 1)


def value_text(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """Return a value with the 95 % interval it has: "0.42 [0.40, 0.44]"."""
    if value is None:
        return NOTHING
    interval = "" if low is None or high is None else f" [{_figure(low)}, {_figure(high)}]"
    return f"{_figure(value)}{interval}"


def window_text(window: tuple[int, int]) -> str:
    """Return a half-open window in nanoseconds since 1970 as two moments in UTC, to the second."""
    start, end = (_moment(ns) for ns in window)
    return f"{start} to {end} UTC"


def _figure(value: float) -> str:
    """Return three digits, two decimals at most where there is a whole part."""
    return f"{value:.2f}" if 0.1 <= abs(value) < 100 else number(value)


def _moment(ns: int) -> str:
    try:
        moment = datetime.datetime.fromtimestamp(ns // 1_000_000_000, tz=datetime.UTC)
    except (OverflowError, OSError, ValueError):  # beyond the year 9999, or before the year 1
        return f"{ns:,} ns"
    return moment.strftime("%Y-%m-%d %H:%M:%S")
