"""Segments: their keys, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge.errors import InputError
from tidegauge.segments import OTHER, parse_segment, segment_key, shown_segment

VALUES = st.none() | st.text() | st.just(OTHER)


@given(st.dictionaries(st.text(), VALUES))
def test_round_trip(segment):
    assert parse_segment(segment_key(segment)) == segment


@given(st.dictionaries(st.text(), VALUES, min_size=2))
def test_the_order_of_columns_does_not_matter(segment):
    assert segment_key(dict(reversed(segment.items()))) == segment_key(segment)


def test_no_two_segments_share_a_key():
    alike = [
        {},
        {"a": None},
        {"a": "other"},
        {"a": OTHER},
        {"a": "null"},
        {"a": ""},
        {"a": '{"other": true}'},
    ]
    assert len({segment_key(each) for each in alike}) == len(alike)
    assert segment_key({"country": "SE"}) == '{"country":"SE"}'
    assert segment_key(None) == ""


@pytest.mark.parametrize("value", [1, 2.5, True, b"x", {"other": True}, float("nan")])
def test_a_value_that_is_no_text_is_refused(value):
    with pytest.raises(InputError, match="column 'a' has"):
        segment_key({"a": value})


@pytest.mark.parametrize("key", ["x", "[]", "1", '{"a": 1}', '{"a": {}}', '{"a": {"other": false}}', "{"])
def test_a_key_that_is_none_is_refused(key):
    with pytest.raises(InputError, match="is no segment"):
        parse_segment(key)


def test_shown():
    assert shown_segment({}) == "all rows"
    assert shown_segment({"a": "x", "b": None, "c": OTHER}) == "a=x, b=(none), c=(other)"
