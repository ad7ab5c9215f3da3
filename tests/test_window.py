"""Lengths of time, windows and seasonal slots, each against datetime's own arithmetic."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tidegauge as tg
from tidegauge import arrow
from tidegauge.errors import InputError
from tidegauge.window import (
    MOST_ROWS,
    Window,
    as_window,
    hour_of_day,
    hour_of_week,
    origin_ns,
    parse_duration,
    partitioned,
)

SECOND, HOUR, DAY = 10**9, 3_600 * 10**9, 86_400 * 10**9
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MOMENTS = st.datetimes(dt.datetime(1678, 1, 1), dt.datetime(2261, 12, 31), timezones=st.just(dt.UTC))


def ns(moment: dt.datetime) -> int:
    return (moment - EPOCH) // dt.timedelta(microseconds=1) * 1_000


@pytest.mark.parametrize(
    ("duration", "length"),
    [
        ("30s", 30 * SECOND),
        ("15m", 900 * SECOND),
        ("12h", 12 * HOUR),
        ("1d", DAY),
        ("7d", 7 * DAY),
        ("1w", 7 * DAY),
        (" 2 h ", 2 * HOUR),
        (60, 60 * SECOND),
        (0.25, SECOND // 4),
        (1e-9, 1),
        (np.int32(5), 5 * SECOND),
        (np.float32(0.5), SECOND // 2),
        (dt.timedelta(days=1, microseconds=1), DAY + 1_000),
    ],
)
def test_lengths_of_time(duration, length):
    assert parse_duration(duration) == length


BAD = [
    *("", "d", "1", "1 day", "1.5h", "-1d", "1D", "1h30m", "１d", "0s", "\x001d"),
    *("9" * 18 + "w", "9" * 40 + "s"),
    *(0, -1, 0.0, 1e-10, math.nan, math.inf, -math.inf, 1e300, 10**10, 10**400, True, False),
    *(None, b"1d", [1], dt.timedelta(0), dt.timedelta(days=-1), dt.timedelta.max, 1j),
]  # fmt: skip


@pytest.mark.parametrize("duration", BAD, ids=lambda value: repr(value)[:20])
def test_what_is_no_length_of_time_is_refused(duration):
    with pytest.raises(InputError) as caught:
        parse_duration(duration)
    assert repr(duration) in str(caught.value)
    assert "'15m'" in str(caught.value)


def test_whole_weeks_begin_on_a_monday():
    for length, monday in [
        ("7d", True),
        ("1w", True),
        ("2w", True),
        ("1d", False),
        ("10d", False),
        ("1h", False),
    ]:
        origin = origin_ns(parse_duration(length))
        assert ((EPOCH + dt.timedelta(microseconds=origin // 1_000)).weekday() == 0) is monday
        assert monday or origin == 0


def test_windows_are_ordered_half_open_and_fixed():
    early, late = Window(0, 10), Window(10, 20)
    assert early < late
    assert sorted([late, early, Window(0, 5)]) == [Window(0, 5), early, late]
    assert {early: 1}[Window(0, 10)] == 1
    assert early.contains(0)
    assert early.contains(9)
    assert not early.contains(10)
    assert not early.contains(-1)
    with pytest.raises(AttributeError):
        early.start_ns = 3
    assert tg.Window is Window


@given(MOMENTS, st.integers(1, 86_400 * 100))
def test_starts_and_ends_are_datetimes_in_utc(start, seconds):
    window = Window(ns(start), ns(start) + seconds * SECOND)
    assert window.start == start
    assert window.start.tzinfo is dt.UTC
    assert window.end - window.start == dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        (("2026-11-02", "2026-11-03"), "2026-11-02 UTC"),
        (("2026-11-02", "2026-11-09"), "2026-11-02 00:00 .. 2026-11-09 00:00 UTC"),
        (("2026-11-02T06:00", "2026-11-03T06:00"), "2026-11-02 06:00 .. 2026-11-03 06:00 UTC"),
        (("2026-11-02T23:00", "2026-11-03"), "2026-11-02 23:00 .. 2026-11-03 00:00 UTC"),
        (("1969-12-31T23:59:30", "1970-01-01"), "1969-12-31 23:59:30 .. 1970-01-01 00:00 UTC"),
        ((-1, 1), "1969-12-31 23:59:59.999999999 .. 1970-01-01 00:00:00.000000001 UTC"),
        ((-(2**63), 2**63 - 1), "1677-09-21 00:12:43.145224192 .. 2262-04-11 23:47:16.854775807 UTC"),
    ],
)
def test_windows_in_words(ends, text):
    assert str(as_window(ends)) == text


def test_windows_of_anything_that_says_when():
    day = Window(20_000 * DAY, 20_001 * DAY)
    start, end = dt.datetime(2024, 10, 4, tzinfo=dt.UTC), dt.datetime(2024, 10, 5)
    india = dt.timezone(dt.timedelta(hours=5, minutes=30))
    for ends in [
        (start, end),
        (start.date(), end.date()),
        ("2024-10-04", "2024-10-05T00:00:00Z"),
        ("2024-10-04T05:30+05:30", end.replace(hour=5, minute=30, tzinfo=india)),
        (np.int64(day.start_ns), day.end_ns),
        [start, day.end_ns],
        day,
    ]:
        assert as_window(ends) == day
    assert day.contains("2024-10-04T23:59:59.999999")
    assert not day.contains(end)


@pytest.mark.parametrize(
    "window",
    [
        None, "2024-10-04", 5, (1,), (1, 2, 3), (2, 1), (1, 1), ("x", 2), (1, "2024-13-01"), (1.5, 2),
        (None, None), (True, 2), (0, 2**63), (-(2**63) - 1, 0), ("0001-01-01", "9999-12-31"),
        (dt.time(1), 2), {1: 2},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_window_is_refused(window):
    with pytest.raises(InputError, match="window: "):
        as_window(window)


@given(st.lists(st.one_of(MOMENTS.map(ns), st.sampled_from([-1, 0, -DAY, HOUR - 1, HOUR])), max_size=20))
def test_slots_are_the_calendars(starts):
    moments = [EPOCH + dt.timedelta(microseconds=start // 1_000) for start in starts]
    assert hour_of_day(starts).tolist() == [moment.hour for moment in moments]
    assert hour_of_week(starts).tolist() == [moment.weekday() * 24 + moment.hour for moment in moments]
    assert hour_of_week(np.array(starts, np.int64)).dtype == np.int64


def test_slots_of_one_time_of_the_ends_and_of_a_shape():
    assert hour_of_week(0) == 3 * 24
    least = EPOCH + dt.timedelta(microseconds=-(2**63) // 1_000)
    assert hour_of_week(-(2**63)) == least.weekday() * 24 + least.hour
    assert hour_of_day(np.zeros((2, 3), np.int64)).shape == (2, 3)


def test_batches_are_partitioned_each_in_turn_and_one_may_lack_the_column():
    parts = [
        {"t": np.array([DAY + 1, 0], "M8[ns]"), "x": [1, 2]},
        {"x": [3]},
        {"t": np.array([1], "M8[D]"), "x": [4]},
    ]
    found = [(start, part.n_rows) for start, part in partitioned(arrow.batches(parts), "t", DAY)]
    assert found == [(0, 1), (DAY, 1), (None, 1), (DAY, 1)]
    monday = next(partitioned(arrow.batches(parts), "t", 7 * DAY))[0]
    assert monday == -3 * DAY


def test_long_batches_are_split_a_bounded_number_of_rows_at_a_time():
    n = MOST_ROWS + 5
    days = np.arange(n) % 2
    found = list(partitioned(arrow.batches({"t": days.astype("M8[D]")}), "t", DAY))
    assert [(start, part.n_rows) for start, part in found] == [
        (0, MOST_ROWS // 2),
        (DAY, MOST_ROWS // 2),
        (0, 3),
        (DAY, 2),
    ]
