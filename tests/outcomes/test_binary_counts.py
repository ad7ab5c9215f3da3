"""The plain count of a binary classifier's rows: homes, weights, merging, refusals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge.outcomes.binary_counts import BinaryCounts, count_binary

FIELDS = ("positives", "negatives", "unlabelled", "score_sums", "score_squares")
ROWS = st.lists(
    st.tuples(
        st.integers(-8, 8).map(lambda k: k / 8),
        st.sampled_from([0.0, 1.0, None]),
        st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    ),
    max_size=40,
)
EDGES = [-0.5, 0.0, 0.25]


def count(rows: list[tuple[float, float | None, float]]) -> BinaryCounts:
    scores, labels, weights = zip(*rows, strict=True) if rows else ((), (), ())
    return count_binary(scores, labels, EDGES, weights)


def assert_equal(a: BinaryCounts, b: BinaryCounts) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@given(ROWS)
def test_every_row_is_in_its_cell(rows: list[tuple[float, float | None, float]]) -> None:
    limits = [-np.inf, *EDGES, np.inf]
    found = count(rows)
    for cell, (low, high) in enumerate(pairwise(limits)):
        inside = [row for row in rows if low <= row[0] < high]
        assert found.positives[cell] == sum(w for _, y, w in inside if y == 1)
        assert found.negatives[cell] == sum(w for _, y, w in inside if y == 0)
        assert found.unlabelled[cell] == sum(w for _, y, w in inside if y is None)
        assert found.score_sums[cell] == sum(w * s for s, _, w in inside)
        assert found.score_squares[cell] == sum(w * s * s for s, _, w in inside)


@given(ROWS, st.integers(0, 40))
def test_merging_parts_is_counting_all_and_a_part_can_be_taken_away(
    rows: list[tuple[float, float | None, float]], at: int
) -> None:
    first, second, whole = count(rows[:at]), count(rows[at:]), count(rows)
    assert_equal(first + second, whole)
    assert_equal(whole - second, first)
    assert_equal(count([]) + whole, whole)


def test_a_score_that_is_no_number_has_no_cell() -> None:
    found = count_binary([np.nan, np.inf, -np.inf, 0.1], [1, 1, 0, 1], EDGES)
    assert found.positives.tolist() == [0, 0, 1, 0]
    assert found.negatives.sum() == 0
    assert np.isfinite(found.score_sums).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.1, 0.2], [1], EDGES), "one of each for every row"),
        (([0.1], [2], EDGES), "label 2 is neither 1, 0 nor missing"),
        (([0.1], [1], [0.5, 0.5]), "ascend strictly"),
        (([0.1], [1], [0.0, np.nan]), "ascend strictly"),
        (([0.1], [1], EDGES, [-1.0]), "weight -1 is neither"),
        (([0.1], [1], EDGES, [np.nan]), "weight nan is neither"),
    ],
)
def test_what_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        count_binary(*arguments)


def test_other_edges_are_refused() -> None:
    with pytest.raises(ValueError, match="edges of one reference"):
        count_binary([0.1], [1], [0.5]) + count_binary([0.1], [1], [0.6])
