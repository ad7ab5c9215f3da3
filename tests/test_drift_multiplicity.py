"""Benjamini-Hochberg against a slow loop and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tidegauge.drift.multiplicity import benjamini_hochberg

P = st.one_of(st.floats(0, 1), st.floats(0, 1e-2), st.sampled_from([0.0, 1e-3, 0.01, 0.05, 1.0, np.nan]))


def slow(p: list[float], level: float) -> list[bool]:
    """Count, for every p, whether so many are at most as large that it is within its share of the level."""
    known = [each for each in p if not np.isnan(each)]
    passing = [each for each in known if each <= level * sum(x <= each for x in known) / len(known)]
    return [not np.isnan(each) and bool(passing) and each <= max(passing) for each in p]


@given(st.lists(P, max_size=40), st.floats(1e-4, 0.5))
def test_it_is_the_slow_loop(p: list[float], level: float):
    assert benjamini_hochberg(p, level)[0].tolist() == slow(p, level)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(1e-4, 0.5))
def test_it_is_scipys(p: list[float], level: float):
    adjusted = stats.false_discovery_control(p)
    clear = np.abs(adjusted - level) > 1e-12  # SciPy multiplies where we divide: a tie may round apart
    np.testing.assert_array_equal(benjamini_hochberg(p, level)[0][clear], (adjusted <= level)[clear])


@given(st.lists(P, max_size=40), st.floats(1e-4, 0.5))
def test_the_limit_parts_what_is_believed(p: list[float], level: float):
    rejected, limit = benjamini_hochberg(p, level)
    each = np.array(p, dtype=np.float64)
    assert (each[rejected] <= limit).all()
    assert (each[~rejected & ~np.isnan(each)] > limit).all()
    known = int((~np.isnan(each)).sum())
    assert 0 <= limit <= level * (1 + 1e-15)
    # Without a rejection the limit is that of the smallest p.
    assert limit >= (level / known * (1 - 1e-12) if known else 0.0)


def test_nan_are_no_members_of_the_family():
    alone, limit = benjamini_hochberg([0.009, np.nan], 0.01)
    assert alone.tolist() == [True, False]
    assert limit == pytest.approx(0.01)
    both, limit = benjamini_hochberg([0.009, 0.5], 0.01)
    assert both.tolist() == [False, False]
    assert limit == pytest.approx(0.005)
    for nothing in ([], [np.nan, np.nan]):
        rejected, limit = benjamini_hochberg(nothing, 0.01)
        assert not rejected.any()
        assert len(rejected) == len(nothing)
        assert limit == 0.0


def test_an_equal_p_at_the_limit_is_rejected():
    assert benjamini_hochberg([0.01, 0.02], 0.02)[0].tolist() == [True, True]
    assert benjamini_hochberg([0.02, 0.02], 0.02)[0].tolist() == [True, True]
    assert benjamini_hochberg([0.0, 0.5, 0.5], 0.001)[0].tolist() == [True, False, False]


def test_false_incidents_are_as_budgeted_for_independent_and_positively_dependent_p():
    rng = np.random.default_rng(5)
    level, families = 0.05, 4_000
    noise = 3.0 * np.sqrt(level * (1 - level) / families)
    for common in (0.0, 0.7):
        z = np.sqrt(common) * rng.normal(size=(families, 1)) + np.sqrt(1 - common) * rng.normal(
            size=(families, 20)
        )
        p = stats.norm.sf(z)
        rate = np.mean([benjamini_hochberg(each, level)[0].any() for each in p])
        assert rate <= level + noise
        if not common:
            assert rate >= level - noise
