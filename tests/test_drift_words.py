"""How figures read: percentages, numbers and cells."""

from __future__ import annotations

import math

import pytest

from tidegauge.drift.readable import interval, number, percent


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0 %"),
        (0.00001, "<0.01 %"),
        (0.0005, "0.05 %"),
        (0.001, "0.1 %"),
        (0.083, "8.3 %"),
        (0.31, "31 %"),
        (0.9951, "99.5 %"),
        (0.99999, ">99.99 %"),
        (1.0, "100 %"),
    ],
)
def test_percent(share: float, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"),
        (12.14, "12.1"),
        (1210.4, "1210"),
        (-0.00123, "-0.00123"),
        (1.5e-9, "1.50e-09"),
        (2e20, "2.00e+20"),
    ],
)
def test_number(value: float, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (3.0, 3.01, "[3.00, 3.01)"),
        (2.0, 3.0, "[2, 3)"),
        (100.0001, 100.0002, "[100.0001, 100.0002)"),
        (0.25, math.nextafter(0.25, 1.0), "0.250"),
        (-math.inf, 11.5, "[-inf, 11.5)"),
    ],
)
def test_interval_shows_its_width(low: float, high: float, words: str) -> None:
    assert interval(low, high) == words
