"""Rows that changed their home: counted from what each share is of, the largest change first."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tidegauge.comparison import Comparison
from tidegauge.report.homes import MovedHome, moved_homes

NOTHING = dict.fromkeys(
    ("n_absent", "n_mistyped", "n_inf", "n_null", "n_nan", "n_below", "n_above", "n_unseen"), 0
)


def column(name: str, before: dict[str, int], after: dict[str, int]) -> SimpleNamespace:
    sides = [
        SimpleNamespace(kind="number", **(NOTHING | {"n_rows": 1_000, "n_present": 500} | counts))
        for counts in (before, after)
    ]
    return SimpleNamespace(name=name, before=sides[0], after=sides[1])


def test_each_home_is_told_with_what_it_is_of_and_the_largest_change_comes_first() -> None:
    a = column("a", {"n_null": 10, "n_nan": 7}, {"n_null": 60, "n_nan": 7, "n_above": 100})
    b = column("b", {"n_mistyped": 400}, {})
    assert moved_homes([a, b]) == [
        MovedHome("b", "not a number", 400, 1_000, 0, 1_000),
        MovedHome("a", "above the reference's range", 0, 500, 100, 500),
        MovedHome("a", "null", 10, 1_000, 60, 1_000),
    ]


def test_a_change_below_a_thousandth_is_not_listed() -> None:
    assert moved_homes([column("a", {}, {"n_rows": 100_000, "n_null": 99})]) == []
    (moved,) = moved_homes([column("a", {}, {"n_rows": 100_000, "n_null": 100})])
    assert moved.change == pytest.approx(0.001)


def test_no_rows_are_no_share() -> None:
    assert moved_homes([column("a", {}, {"n_rows": 0, "n_present": 0})]) == []


def test_a_column_that_one_side_lacks_is_left_out(comparison: Comparison) -> None:
    found = moved_homes(comparison.columns.values())
    assert "gone" not in {home.column for home in found}
    nan = next(home for home in found if home.column == "balance" and home.what == "NaN")
    assert nan.n_current == comparison["balance"].after.n_nan > 0
