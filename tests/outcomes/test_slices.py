"""Slices: few are told where none is worse, the planted one is, and what is said of it is true."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.outcomes.slices import drawn, planted, run
from scipy.stats import norm

from tidegauge.outcomes.slices import (
    MIN_ROWS,
    confirmed_slices,
    discovered_slices,
    given_chosen,
    holm,
    slices_of,
    whole_of,
)
from tidegauge.outcomes.sums import Sums
from tidegauge.segments import segment_key


def binomial(n_runs: int, share: float) -> float:
    """What a count of so many runs exceeds in 1 of 1,000."""
    from scipy.stats import binom

    return float(binom.ppf(0.999, n_runs, share)) / n_runs


@pytest.mark.parametrize("held_out", [True, False])
def test_without_a_worse_slice_one_is_named_in_at_most_5_of_100(held_out: bool) -> None:
    rng = np.random.default_rng(1)
    named = [run(rng, 20_000, "none", 0.0, held_out=held_out)[0] for _ in range(400)]
    assert np.mean(named) <= binomial(400, 0.05)


@pytest.mark.parametrize("held_out", [True, False])
@pytest.mark.parametrize(("kind", "gap"), [("value", 0.06), ("cross", 0.12)])
def test_a_planted_slice_is_found_and_its_gap_is_true(kind: str, gap: float, held_out: bool) -> None:
    rng = np.random.default_rng(2)
    n = 150
    each = np.array([run(rng, 50_000, kind, gap, held_out=held_out) for _ in range(n)])
    assert each[:, 1].mean() > 0.95
    off = each[:, 2][~np.isnan(each[:, 2])]
    assert abs(off.mean()) < 4 * off.std() / np.sqrt(len(off))
    assert abs(off.mean()) < 0.05 * gap
    assert 0.89 < np.nanmean(each[:, 3]) <= 1.0
    assert np.nanmean(each[:, 4]) < 0.25  # nothing else is blamed: its crosses are no worse than it is


def test_a_gap_near_the_limit_is_not_told_as_it_came_out() -> None:
    """The winner's curse: of slices whose gap only just shows, those told came out too large."""
    rng = np.random.default_rng(3)
    plain, corrected = [], []
    right, key, true = planted("value", 0.06)
    for _ in range(400):
        sums = drawn(rng, 5_000, right)
        found = {each.segment: each for each in discovered_slices(sums, higher_is_worse=False)}
        if key in found:
            own = found[key]
            plain.append(own.other_value - own.value)
            corrected.append(own.gap)
    assert len(plain) > 60
    assert np.mean(plain) > true + 0.01
    assert abs(np.median(corrected) - true) < abs(np.median(plain) - true)


def test_the_limits_given_a_choice_are_those_of_the_truncated_normal() -> None:
    for z, p in ((2.0, 0.03), (3.2, 0.001), (6.0, 0.001), (1.8, 0.05)):
        for mean, rank in zip(given_chosen(z, p), (0.025, 0.5, 0.975), strict=True):
            chance = norm.logsf(z - mean) - norm.logsf(norm.isf(p) - mean)
            assert np.exp(chance) == pytest.approx(rank, rel=1e-6)
    far = given_chosen(12.0, 0.001)  # where the choice was certain: the plain interval
    assert far == pytest.approx((12 - 1.959964, 12.0, 12 + 1.959964), abs=1e-4)


def share(n: float, hits: float) -> Sums:
    return Sums(float(n), float(hits), float(hits))


def test_a_cross_that_explains_its_parents_is_told_alone_and_gets_what_is_its_own() -> None:
    def half(scale: int) -> dict[str, Sums]:
        found = {}
        for a in "xy":
            for b in "pq":
                right = 0.5 if (a, b) == ("x", "p") else 0.9
                found[segment_key({"a": a, "b": b})] = share(scale, scale * right)
        for column, value in (("a", "x"), ("a", "y"), ("b", "p"), ("b", "q")):
            inner = [each for key, each in found.items() if f'"{column}":"{value}"' in key and "," in key]
            found[segment_key({column: value})] = inner[0] + inner[1]
        return found

    cross = segment_key({"a": "x", "b": "p"})
    for found in (
        confirmed_slices(half(1_000), half(1_000), higher_is_worse=False),
        discovered_slices(half(1_000), higher_is_worse=False),
    ):
        assert [each.segment for each in found if each.confirmed] == [cross]
        assert found[0].gap == pytest.approx(0.4, abs=1e-3)
        assert (found[0].value, found[0].other_value) == pytest.approx((0.5, 0.9))


def test_a_cross_within_a_worse_value_is_held_against_the_rest_of_that() -> None:
    sums = {
        segment_key({"a": "x"}): share(4_000, 2_400),
        segment_key({"a": "y"}): share(8_000, 7_200),
        segment_key({"a": "x", "b": "p"}): share(2_000, 800),
        segment_key({"a": "x", "b": "q"}): share(2_000, 1_600),
        segment_key({"a": "y", "b": "p"}): share(4_000, 3_600),
        segment_key({"a": "y", "b": "q"}): share(4_000, 3_600),
    }
    found = confirmed_slices(sums, sums, higher_is_worse=False)
    assert [each.segment for each in found] == [
        segment_key({"a": "x", "b": "p"}),
        segment_key({"a": "x"}),
    ]
    assert found[1].without == (segment_key({"a": "x", "b": "p"}),)
    assert found[1].value == pytest.approx(0.8)
    assert found[1].other_value == pytest.approx(0.9)
    assert found[1].n_rows == 2_000


def test_higher_is_worse_turns_it_round_and_a_tolerance_forgives() -> None:
    losses = {
        segment_key({"a": "x"}): Sums(1_000.0, 3_000.0, 10_000.0),
        segment_key({"a": "y"}): Sums(3_000.0, 6_000.0, 15_000.0),
    }
    (worse,) = confirmed_slices(losses, losses, higher_is_worse=True)
    assert (worse.segment, worse.gap) == (segment_key({"a": "x"}), 1.0)
    assert confirmed_slices(losses, losses, higher_is_worse=True, tolerance=1.0) == []
    (worse,) = confirmed_slices(losses, losses, higher_is_worse=False)
    assert worse.segment == segment_key({"a": "y"})


def test_the_order_in_which_slices_are_given_does_not_show() -> None:
    rng = np.random.default_rng(4)
    for kind, gap in (("value", 0.08), ("cross", 0.2)):
        halves = [drawn(rng, 20_000, planted(kind, gap)[0]) for _ in range(2)]
        turned = [dict(reversed(list(each.items()))) for each in halves]
        found = confirmed_slices(*halves, higher_is_worse=False)
        assert found == confirmed_slices(*turned, higher_is_worse=False)
        assert any(each.confirmed for each in found)
        assert discovered_slices(halves[0], higher_is_worse=False) == discovered_slices(
            turned[0], higher_is_worse=False
        )


def test_few_rows_and_no_rows_tell_nothing() -> None:
    few = {
        segment_key({"a": "x"}): share(MIN_ROWS - 1, 0),
        segment_key({"a": "y"}): share(5_000, 4_500),
    }
    assert slices_of(few) == []
    assert discovered_slices(few, higher_is_worse=False) == []
    assert confirmed_slices(few, few, higher_is_worse=False) == []
    assert discovered_slices({}, higher_is_worse=False) == []
    assert whole_of({}) == Sums()
    # A slice that the second half lacks is not confirmed, and nothing is told of it.
    first = {segment_key({"a": "x"}): share(500, 100), segment_key({"a": "y"}): share(5_000, 4_500)}
    second = {segment_key({"a": "y"}): share(5_000, 4_500)}
    assert confirmed_slices(first, second, higher_is_worse=False) == []
    certain = {segment_key({"a": "x"}): share(500, 500), segment_key({"a": "y"}): share(500, 500)}
    assert discovered_slices(certain, higher_is_worse=False) == []


def test_holm_steps_down_and_stops_at_the_first_that_fails() -> None:
    assert holm([0.01, 0.04, 0.03, float("nan")], 0.05) == [True, False, False, False]
    assert holm([0.01, 0.02, 0.03, 0.04], 0.05) == [True, False, False, False]
    assert holm([0.0125, 0.0166, 0.025, 0.05], 0.05) == [True, True, True, True]
    assert holm([], 0.05) == []
