"""Windows by the clocks of UTC and of timezones, and batches split by them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge._core import batch_from_arrays
from tidegauge.calendar import Calendar
from tidegauge.errors import InputError, SchemaError
from tidegauge.window import DAY, HOUR, MOST, WEEK, Window, as_ns, parse_duration

ZONES = ["Europe/Stockholm", "America/New_York", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe"]
TIMES = st.integers(as_ns("2001-01-01"), as_ns("2037-01-01"))


@given(st.integers(-MOST // 2, MOST // 2), st.sampled_from([1, 7, HOUR, 6 * HOUR, DAY, WEEK, 30 * DAY]))
def test_a_time_lies_in_its_window(time_ns, width_ns):
    window = Calendar(width_ns).window_of(time_ns)
    assert window.contains(time_ns)
    assert window.end_ns - window.start_ns == width_ns
    assert (window.start_ns - (4 * DAY if width_ns % WEEK == 0 else 0)) % width_ns == 0


@given(TIMES, st.sampled_from([DAY, WEEK, 2 * DAY]), st.sampled_from(ZONES))
def test_days_run_from_local_midnight_to_local_midnight(time_ns, width_ns, zone):
    calendar = Calendar(width_ns, zone)
    window = calendar.window_of(time_ns)
    assert window.contains(time_ns)
    local = window.start.astimezone(ZoneInfo(zone))
    before = (window.start - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    assert local.date() > before.date()
    assert calendar.window_of(window.end_ns).start_ns == window.end_ns
    assert calendar.window_of(window.start_ns - 1).end_ns == window.start_ns


def test_days_in_which_clocks_change():
    calendar = Calendar(DAY, "Europe/Stockholm")
    hours = {
        day: (window.end_ns - window.start_ns) // HOUR
        for day in ("2026-03-28", "2026-03-29", "2026-10-25")
        for window in [calendar.window_of(as_ns(f"{day}T12:00"))]
    }
    assert hours == {"2026-03-28": 24, "2026-03-29": 23, "2026-10-25": 25}


@given(
    st.lists(TIMES, min_size=1, max_size=50), st.sampled_from([DAY, WEEK]), st.sampled_from(["UTC", *ZONES])
)
def test_split_puts_every_row_where_window_of_says(times, width_ns, zone):
    calendar = Calendar(width_ns, zone)
    batch = batch_from_arrays(["t", "i"], [np.array(times, "datetime64[ns]"), np.arange(len(times))])
    found = {}
    for window, part in calendar.split(batch, "t"):
        rows = part.to_pylist(1)
        assert rows == sorted(rows)
        found |= dict.fromkeys(rows, window)
    assert found == {i: calendar.window_of(time) for i, time in enumerate(times)}


def test_rows_without_a_time():
    batch = batch_from_arrays(["t"], [np.array(["NaT", "2026-01-01"], "datetime64[ns]")])
    parts = list(Calendar(HOUR).split(batch, "t"))
    assert [(window is None, part.n_rows) for window, part in parts] == [(False, 1), (True, 1)]
    assert [(window, part.n_rows) for window, part in Calendar(HOUR).split(batch, "other")] == [(None, 2)]
    with pytest.raises(SchemaError, match="holds numbers"):
        list(Calendar(HOUR).split(batch_from_arrays(["t"], [np.arange(2)]), "t"))


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(InputError, match="whole days or weeks"):
        Calendar(parse_duration("1h"), "Europe/Stockholm")
    for name in ("Europe/Nowhere", "", "../etc/passwd", "\0"):
        with pytest.raises(InputError, match="is not known here"):
            Calendar(DAY, name)


def test_hours_are_those_of_utc():
    moment = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert Calendar(HOUR).window_of(as_ns(moment)) == Window(
        as_ns("2026-03-29T01:00"), as_ns("2026-03-29T02:00")
    )
