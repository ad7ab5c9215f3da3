"""A profile of labels alone merges with that of the rows, before or after, and is bytes."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tidegauge as tg
from tidegauge import _core
from tidegauge.archive.label_counts import empty_outcomes
from tidegauge.arrow import batches
from tidegauge.errors import DecodeError, MergeError, SchemaError


def outcomes_of(rows, reference):
    return tg.profile(rows, reference)._core.outcomes


@pytest.fixture(scope="module")
def rows(late):
    return late.payments(400)


@pytest.fixture(scope="module")
def parts(rows, reference, late):
    """Rows without labels; their labels, the first 50 wrong; and the corrections."""
    at = rows.column_names.index("label")
    wrong = rows.slice(0, 50)
    wrong = wrong.set_column(at, "label", [1 - wrong["label"].to_numpy()])
    first = [outcomes_of(wrong, reference), outcomes_of(rows.slice(50), reference)]
    return [
        tg.profile(late.without_labels(rows), reference),
        tg.Profile(_core.Profile.of_labels(first[0], [])),
        tg.Profile(_core.Profile.of_labels(first[1], [])),
        tg.Profile(_core.Profile.of_labels(outcomes_of(rows.slice(0, 50), reference), first[0])),
    ]


def test_any_order_of_merges_gives_the_same_bytes_and_the_outcomes_of_the_joined_rows(
    parts, rows, reference, late
):
    merged = set()
    for order in permutations(parts):
        total = tg.merge(tg.Profile.from_bytes(part.to_bytes()) for part in order)
        merged.add(total.to_bytes())
        assert (total.n_rows, len(total)) == (400, len(reference.profile))
        assert late.told(total) == late.told(tg.profile(rows, reference))
    assert len(merged) == 1
    assert tg.Profile.from_bytes(merged.pop()).n_rows == 400


def test_labels_without_their_rows_are_told_and_not_counted(parts, reference, late):
    alone = parts[1].copy()
    assert alone._core.labels_unresolved
    assert alone._core.outcomes == []
    assert (alone.n_rows, len(alone)) == (0, 0)
    some = tg.profile(late.without_labels(late.payments(10, 3)), reference)
    before = [each.to_bytes() for each in some._core.outcomes]
    some.merge(parts[2])
    assert some._core.labels_unresolved
    assert [each.to_bytes() for each in some._core.outcomes] == before
    some.merge(parts[0])
    some.merge(parts[1])
    assert not some._core.labels_unresolved


def test_labels_of_another_reference_are_refused(parts):
    other = _core.BinaryOutcomes("score", "label", np.array([0.5]), positive=1)
    labels = tg.Profile(_core.Profile.of_labels([other], []))
    for profile in (parts[0].copy(), parts[1].copy(), parts[3].copy()):
        before = profile.to_bytes()
        with pytest.raises(MergeError, match="count both with the same reference"):
            profile.merge(labels)
        assert profile.to_bytes() == before
    with pytest.raises(MergeError):
        _core.Profile.of_labels(parts[0]._core.outcomes, [other])
    with pytest.raises(SchemaError, match="counted twice"):
        _core.Profile.of_labels([other, other.copy()], [])
    with pytest.raises(SchemaError, match="'score' is none"):
        _core.Profile.of_labels(["score"], [])


def test_bytes_cut_short_or_changed_are_refused(parts):
    whole = parts[3].to_bytes()
    for end in range(0, len(whole), 31):
        with pytest.raises(DecodeError):
            tg.Profile.from_bytes(whole[:end])
    at = whole.index(b"LABL")
    for i in range(at, len(whole) - 8, 7):
        changed = bytearray(whole)
        changed[i] ^= 1 << (i % 8)
        with pytest.raises(DecodeError):
            tg.Profile.from_bytes(bytes(changed))


@given(st.lists(st.integers(0, 399), min_size=1, max_size=30))
def test_rows_that_were_read_count_as_rows_that_were_added(rows, reference, chosen):
    (batch,) = batches(rows.take(chosen).combine_chunks())
    for counts, empty in zip(
        reference.profile._core.outcomes, empty_outcomes(reference, light=False), strict=True
    ):
        direct = empty.copy()
        direct.update(batch)
        empty.add(*counts.read(batch))
        assert empty.to_bytes() == direct.to_bytes()


def test_what_cannot_have_been_read_is_refused(reference):
    for counts in empty_outcomes(reference, light=False):
        before = counts.to_bytes()
        for values, codes, others in (
            ([0.5, 0.5], [0], None),
            ([0.5], [200], None),
            ([float("nan")], [0], None),
            ([300.0], [250], None),
            ([0.5], [0], [1.0]),
        ):
            with pytest.raises(SchemaError, match="no rows that were read"):
                counts.add(np.array(values), np.array(codes, np.uint8), others and np.array(others))
        assert counts.to_bytes() == before
