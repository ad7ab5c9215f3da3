"""A change split over segments: exact, and owed to those that moved."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tidegauge as tg
from tidegauge.drift.mix import shares_of_change
from tidegauge.errors import DecodeError, InputError, SchemaError
from tidegauge.mix_and_rate import split_change
from tidegauge.reference import decoded

COUNTS = arrays(np.int64, 6, elements=st.integers(0, 1_000))


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_the_parts_add_up_to_the_change(hits_0, more_0, hits_1, more_1):
    rows_0, rows_1 = (hits_0 + more_0).astype(float), (hits_1 + more_1).astype(float)
    if not rows_0.sum() or not rows_1.sum():
        return
    rate, mix = split_change(hits_0.astype(float), rows_0, hits_1.astype(float), rows_1)
    change = hits_1.sum() / rows_1.sum() - hits_0.sum() / rows_0.sum()
    assert (rate + mix).sum() == pytest.approx(change, abs=1e-12)
    unmoved = rows_0 / rows_0.sum() == rows_1 / rows_1.sum()
    assert np.abs(mix[unmoved]).max(initial=0.0) < 1e-12


def test_worked_by_hand():
    """Shares .1 and .5 in halves; then the second is three quarters of the rows, and the first's share .2."""
    rate, mix = split_change(
        np.array([10.0, 50.0]), np.array([100.0, 100.0]), np.array([20.0, 150.0]), np.array([100.0, 300.0])
    )
    whole = (60 / 200 + 170 / 400) / 2
    assert rate == pytest.approx([0.1 * 0.375, 0.0])
    assert mix == pytest.approx([-0.25 * (0.15 - whole), 0.25 * (0.5 - whole)])


def rows(n, seed, *, shares=(0.5, 0.3, 0.2), cents="", lost=""):
    rng = np.random.default_rng(seed)
    country = rng.choice(["SE", "DE", "US"], n, p=shares)
    amount = rng.lognormal(3.0, 1.0, n)
    amount[country == cents] *= 100.0
    amount[(country == lost) & (rng.random(n) < 0.5)] = np.nan
    return {"amount": amount, "country": country, "channel": rng.choice(["a", "b"], n)}


@pytest.fixture(scope="module")
def reference():
    return tg.Reference.fit(rows(20_000, 1), segments=["country", ("country", "channel")])


def of(reference, data):
    parts = {}
    for country in ("SE", "DE", "US"):
        inside = {name: values[data["country"] == country] for name, values in data.items()}
        parts[f'{{"country":"{country}"}}'] = tg.profile(inside, reference, accumulators="light")
    before = {key: each for key, each in reference.segments.items() if key in parts}
    comparison = tg.compare(reference, tg.profile(data, reference))
    return comparison, before, parts


@pytest.mark.parametrize("country", ["SE", "US"])
def test_a_change_in_one_segment_is_owed_to_it(reference, country):
    comparison, before, after = of(reference, rows(5_000, 2, cents=country))
    first, *others = shares_of_change("amount", comparison["amount"].causes[0], before, after)
    assert first.segment == f'{{"country":"{country}"}}'
    assert first.part > 0.9
    assert first.rate == pytest.approx(first.part, abs=0.1)
    assert sum(each.part for each in others) < 0.1
    assert first.n_rows == after[first.segment].n_rows


def test_missing_rows_are_owed_to_those_who_lost_them(reference):
    comparison, before, after = of(reference, rows(5_000, 3, lost="DE"))
    assert comparison["amount"].component == "missing values"
    first = shares_of_change("amount", None, before, after)[0]
    assert first.segment == '{"country":"DE"}'
    assert first.part == pytest.approx(1.0, abs=0.01)


def test_another_mix_is_told_from_another_rate(reference):
    comparison, before, after = of(reference, rows(5_000, 4, shares=(0.1, 0.7, 0.2)))
    cause = comparison["country"].causes[0]
    shares = shares_of_change("country", cause, before, after)
    assert sum(each.mix for each in shares) == pytest.approx(1.0, abs=0.05)
    assert all(abs(each.rate) < 1e-12 for each in shares)


def test_no_change_and_no_rows_owe_nothing(reference):
    comparison, before, after = of(reference, rows(5_000, 2, cents="SE"))
    cause = comparison["amount"].causes[0]
    assert shares_of_change("amount", cause, before, before) == []
    assert shares_of_change("amount", cause, before, {}) == []
    assert shares_of_change("nowhere", cause, before, after) == []


def test_a_reference_counts_its_segments_exactly(reference):
    data = rows(20_000, 1)
    assert len(reference.segments) == 3 + 6
    for country in ("SE", "DE", "US"):
        inside = {name: values[data["country"] == country] for name, values in data.items()}
        light = tg.profile(inside, reference, accumulators="light")
        assert reference.segments[f'{{"country":"{country}"}}'].to_bytes() == light.to_bytes()
    again = tg.Reference.from_bytes(reference.to_bytes())
    assert again == reference
    assert {key: each.to_bytes() for key, each in again.segments.items()} == {
        key: each.to_bytes() for key, each in reference.segments.items()
    }
    assert again.segments['{"country":"SE"}'].n_rows == int((data["country"] == "SE").sum())


def test_segments_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="no column 'nowhere'"):
        tg.Reference.fit(rows(1_000, 1), segments=["nowhere"])
    with pytest.raises(SchemaError, match="amount"):
        tg.Reference.fit(rows(1_000, 1), segments=["amount"])


def test_damaged_segments_are_refused(reference):
    core = reference.profile._core
    _, note = type(core).from_bytes(reference.to_bytes())
    whole = json.loads(note)
    key = next(iter(whole["segments"]))
    for state in ("~", "", whole["segments"][key][:-8]):
        whole["segments"][key] = state
        with pytest.raises(DecodeError):
            decoded(core.to_bytes(True, json.dumps(whole)))
    whole["segments"] = {"no segment": ""}
    with pytest.raises(DecodeError):
        decoded(core.to_bytes(True, json.dumps(whole)))
