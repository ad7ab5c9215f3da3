"""Rows reach the windows they belong to, in any order, and every row is in exactly one part."""

from __future__ import annotations

import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.monitor.conftest import T0, payments

import tidegauge as tg
from tidegauge.arrow import batches
from tidegauge.calendar import Calendar
from tidegauge.errors import InputError, SchemaError, TidegaugeError
from tidegauge.intake import Intake
from tidegauge.intake.segmentation import Segmentation
from tidegauge.segments import OTHER, parse_segment
from tidegauge.window import HOUR, Window

MINUTE = HOUR // 60
SEGMENTS = ("country", ("country", "device"))


def at_once(data):
    (batch,) = batches(data)
    return batch


def intake(reference, timestamp="time", segments=SEGMENTS, budget_bytes=64 << 20):
    return Intake(
        Segmentation(reference, segments, budget_bytes), Calendar(HOUR), timestamp, grace_ns=5 * MINUTE
    )


def rows_by_window(parts, segment=""):
    """Rows of each window; of a part that is not final the last counts."""
    last = {(part.window, part.sequence): part.n_rows for part in parts if part.segment == segment}
    found = Counter()
    for (window, _), n_rows in last.items():
        found[window] += n_rows
    return found


def hour(i):
    return Window(T0 + i * HOUR, T0 + (i + 1) * HOUR)


def test_rows_of_one_window_make_what_a_profile_makes_of_them(reference):
    data = payments(3_000)
    one = intake(reference)
    one.update(at_once(data), T0)
    parts = one.take(T0, everything=True)
    total = next(part for part in parts if not part.segment)
    assert total.final
    assert total.state == tg.profile(data, reference).to_bytes()
    swedish = {name: values[data["country"] == "SE"] for name, values in data.items()}
    part = next(part for part in parts if part.segment == '{"country":"SE"}')
    assert part.state == tg.profile(swedish, reference, accumulators="light").to_bytes()
    for dimension in ({"country"}, {"country", "device"}):
        of_it = [part for part in parts if set(parse_segment(part.segment)) == dimension]
        assert sum(part.n_rows for part in of_it) == 3_000


@given(order=st.permutations(range(6)), takes=st.sets(st.integers(0, 5)), data=st.data())
@settings(max_examples=40, deadline=None)
def test_every_row_is_in_one_part_whatever_the_order_of_time(reference, order, takes, data):
    one, parts, now = intake(reference), [], T0 + 10 * HOUR
    expected = Counter()
    for step, at in enumerate(order):
        n = data.draw(st.integers(1, 40))
        one.update(at_once(payments(n, step, begin_ns=T0 + at * HOUR)), now)
        expected[hour(at)] += n
        if step in takes:
            parts += one.take(now + data.draw(st.integers(-3, 3)) * HOUR)
        assert len(one.windows) <= 2
    parts += one.take(now, everything=True)
    assert rows_by_window(parts) == expected
    assert one.take(now, everything=True) == []


def test_two_windows_are_open_and_a_third_closes_the_oldest(reference):
    one = intake(reference)
    for at in range(3):
        one.update(at_once(payments(10, begin_ns=T0 + at * HOUR)), T0 + at * HOUR)
    assert one.windows == [hour(1), hour(2)]
    parts = one.take(T0 + 2 * HOUR, checkpoint=False)
    assert {part.window for part in parts} == {hour(0)}
    assert all(part.final for part in parts)


def test_a_window_is_closed_after_its_grace_when_no_more_rows_come(reference):
    one = intake(reference)
    one.update(at_once(payments(10)), T0 + HOUR - 1)
    assert not any(part.final for part in one.take(T0 + HOUR))
    assert one.take(T0 + HOUR + 5 * MINUTE - 1) == []
    parts = one.take(T0 + HOUR + 5 * MINUTE)
    assert all(part.final for part in parts)
    assert rows_by_window(parts) == {hour(0): 10}
    assert one.windows == []


def test_an_old_window_stays_open_while_its_rows_come(reference):
    one, now = intake(reference), T0 + 1_000 * HOUR
    for i in range(4):
        one.update(at_once(payments(10, i)), now + i * MINUTE)
        one.take(now + i * MINUTE)
    assert one.windows == [hour(0)]
    assert one.counts["late"] == 0
    assert rows_by_window(one.take(now + 9 * MINUTE)) == {hour(0): 40}


def test_late_rows_go_out_apart_and_push_no_window_out(reference):
    one = intake(reference)
    for at in (0, 1, 2, 3):
        one.update(at_once(payments(10, begin_ns=T0 + at * HOUR)), T0 + at * HOUR)
    before = one.take(T0 + 3 * HOUR)
    one.update(at_once(payments(7, 9)), T0 + 3 * HOUR)
    assert one.windows == [hour(2), hour(3)]
    assert one.counts["late"] == 7
    late = one.take(T0 + 3 * HOUR)
    assert rows_by_window(late) == {hour(0): 7}
    assert all(part.final for part in late)
    assert not {part.sequence for part in late} & {part.sequence for part in before}


def test_rows_from_the_far_future_do_not_move_the_clock(reference):
    one = intake(reference)
    one.update(at_once(payments(10)), T0)
    one.update(at_once(payments(3, 5, begin_ns=T0 + 100_000 * HOUR)), T0)
    one.update(at_once(payments(10, 2)), T0 + MINUTE)
    assert one.windows == [hour(0)]
    assert (one.counts["early"], one.counts["late"]) == (3, 0)
    assert rows_by_window(one.take(T0, everything=True)) == {hour(0): 20, hour(100_000): 3}


def test_rows_ahead_by_one_window_are_on_time(reference):
    one = intake(reference)
    one.update(at_once(payments(10, begin_ns=T0 + HOUR)), T0)
    assert one.counts["early"] == 0
    assert one.windows == [hour(1)]


def test_rows_without_a_time_are_where_the_clock_is(reference):
    one, data = intake(reference), payments(10)
    data["time"][:4] = np.datetime64("NaT")
    one.update(at_once(data), T0 + 3 * HOUR)
    one.update(at_once({"amount": np.ones(2)}), T0 + 3 * HOUR)
    assert one.counts["untimed"] == 6
    assert rows_by_window(one.take(T0, everything=True)) == {hour(0): 6, hour(3): 6}


def test_by_the_clock_a_clock_that_jumps_back_makes_late_rows(reference):
    one = intake(reference, timestamp=None)
    for now in (0, 1, 2, 0, 2):
        one.update(at_once(payments(5)), T0 + now * HOUR)
    assert one.windows == [hour(1), hour(2)]
    assert one.counts["late"] == 5
    assert rows_by_window(one.take(T0, everything=True)) == {hour(0): 10, hour(1): 5, hour(2): 10}


def test_a_checkpoint_holds_what_changed_and_the_end_holds_all(reference):
    one = intake(reference, segments=["country"])
    data = payments(100)
    one.update(at_once(data), T0)
    assert len(one.take(T0)) == 4
    assert one.take(T0) == []
    swedish = {name: values[data["country"] == "SE"] for name, values in data.items()}
    one.update(at_once(swedish), T0)
    assert {part.segment for part in one.take(T0)} == {"", '{"country":"SE"}'}
    final = one.take(T0, everything=True)
    assert len(final) == 4
    assert rows_by_window(final) == {hour(0): 100 + len(swedish["time"])}


def test_values_beyond_the_cap_add_up_in_other(reference):
    segmentation = Segmentation(reference, ["country"], 64 << 20)
    assert segmentation.max_segments > 100
    n = 30_000
    data = payments(n) | {"country": np.array([f"c{i % 3_000}" for i in range(n)])}
    one = Intake(segmentation, Calendar(HOUR), "time", 0)
    one.update(at_once(data), T0)
    assert one.n_segments <= segmentation.max_segments
    assert one.n_other_rows > 0
    parts = one.take(T0, everything=True)
    other = [part for part in parts if OTHER in parse_segment(part.segment).values()]
    assert len(other) == 1
    assert other[0].n_rows == n - sum(p.n_rows for p in parts if p.segment and p is not other[0])


def test_times_that_are_none_are_said_and_the_rows_are_kept(reference):
    one = intake(reference)
    one.update(at_once({"time": np.arange(3.0), "amount": np.ones(3)}), T0 + HOUR)
    assert "holds numbers" in str(one.untimed_why)
    assert one.counts["untimed"] == 3
    assert rows_by_window(one.take(T0, everything=True)) == {hour(1): 3}


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        (["nowhere"], "knows no column 'nowhere'"),
        ("country", r"write segments=\['country'\]"),
        (["country", "country"], "is there twice"),
        ([["country", "country"]], "names a column twice"),
        ([[]], "is empty"),
        (["time"], "holds a time"),
        (["amount"], "amount"),
    ],
)
def test_segments_that_cannot_be_are_refused(reference, segments, words):
    with pytest.raises((InputError, SchemaError), match=words):
        Segmentation(reference, segments, 64 << 20).empty()


def test_a_budget_too_small_is_refused_with_what_it_takes(reference):
    with pytest.raises(InputError, match="1,000 are for windows, but 4 of them with 7 columns need"):
        Segmentation(reference, ["country"], 1_000)


def test_threads_that_add_while_windows_close_lose_no_row(reference):
    one, parts = intake(reference, segments=["country"]), []
    batches = [at_once(payments(50, i, begin_ns=T0 + (i % 5) * HOUR)) for i in range(10)]
    done = threading.Event()

    def add():
        for _ in range(20):
            for batch in batches:
                one.update(batch, T0 + 2 * HOUR)

    def take():
        while not done.is_set():
            parts.extend(one.take(T0 + 2 * HOUR))

    threads = [threading.Thread(target=add) for _ in range(4)]
    taker = threading.Thread(target=take)
    for thread in [*threads, taker]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    taker.join()
    parts += one.take(T0, everything=True)
    assert rows_by_window(parts) == {hour(i): 4 * 20 * 2 * 50 for i in range(5)}


def test_what_cannot_be_encoded_now_is_taken_the_next_time(reference, monkeypatch):
    one = intake(reference)
    one.update(at_once(payments(10)), T0)
    encode, calls = Intake._parts, []

    def fails_once(self, each, *, final):
        calls.append(final)
        if len(calls) == 1:
            raise MemoryError
        return encode(self, each, final=final)

    monkeypatch.setattr(Intake, "_parts", fails_once)
    with pytest.raises(MemoryError):
        one.take(T0, everything=True)
    assert rows_by_window(one.take(T0, everything=True)) == {hour(0): 10}


class Poor:
    """A window's profile that runs out of memory while it adds some rows, as SegmentedProfile may."""

    def __init__(self, inner):
        self.inner, self.fails, self.whole = inner, False, True

    def update(self, batch, threads):
        if not self.whole:
            raise TidegaugeError("profile: an earlier call ran out of memory halfway")
        if self.fails:
            self.whole = False
            raise MemoryError
        return self.inner.update(batch, threads)

    def take_changed(self, everything=False):
        if not self.whole:
            raise TidegaugeError("profile: an earlier call ran out of memory halfway")
        return self.inner.take_changed(everything=everything)

    def __getattr__(self, name):
        return getattr(self.inner, name)


def poor_intake(reference, monkeypatch):
    """An intake, and the profiles of its windows in the order in which these are opened."""
    one, made, empty = intake(reference), [], Segmentation.empty

    def opened(self):
        made.append(Poor(empty(self)))
        return made[-1]

    monkeypatch.setattr(Segmentation, "empty", opened)
    return one, made


def test_a_window_whose_profile_ran_out_of_memory_is_lost_and_no_other(reference, monkeypatch):
    one, poor = poor_intake(reference, monkeypatch)
    first, second = (at_once(payments(n, n, begin_ns=T0 + i * HOUR)) for i, n in enumerate((10, 20)))
    assert one.update(first, T0) == one.update(second, T0) == []
    assert rows_by_window(one.take(T0)) == {hour(0): 10, hour(1): 20}
    poor[0].fails = True
    both = at_once(payments(40, 3, length_ns=2 * HOUR))
    ((error, n_refused),) = one.update(both, T0)
    assert isinstance(error, MemoryError)
    assert 0 < n_refused < 40
    assert one.update(first, T0) == [], "rows of that hour open another window"
    parts = one.take(T0, everything=True)
    assert rows_by_window(parts) == {hour(0): 10, hour(1): 20 + 40 - n_refused}
    assert {part.sequence for part in parts if part.window == hour(0)} == {2}
    assert one.take_lost() == [(hour(0), 0, 10)]
    assert one.take_lost() == []
    assert one.take(T0, everything=True) == []


def test_a_window_that_breaks_while_another_thread_adds_counts_its_rows_as_lost(reference, monkeypatch):
    (one, poor), batch = poor_intake(reference, monkeypatch), at_once(payments(10))
    one.update(batch, T0)

    def meanwhile(added, threads):
        poor[0].whole = False
        one.take(T0)
        return True

    poor[0].update = meanwhile
    assert one.update(batch, T0) == []
    assert one.take_lost() == [(hour(0), 0, 10), (hour(0), 0, 10)]


def test_a_thread_that_meets_a_window_that_broke_goes_on_with_another(reference, monkeypatch):
    (one, poor), batch = poor_intake(reference, monkeypatch), at_once(payments(10))
    one.update(batch, T0)
    poor[0].whole = False
    assert one.update(batch, T0) == []
    assert rows_by_window(one.take(T0, everything=True)) == {hour(0): 10}
    assert one.take_lost() == [(hour(0), 0, 10)]


def test_what_a_failed_checkpoint_has_taken_is_in_the_next(reference, monkeypatch):
    """The first of two windows was encoded, the second not: both are, next time."""
    one = intake(reference)
    one.update(at_once(payments(10)), T0)
    one.update(at_once(payments(20, begin_ns=T0 + HOUR)), T0)
    encode, calls = Intake._parts, []

    def fails_second(self, each, *, final):
        calls.append(final)
        if len(calls) == 2:
            raise MemoryError
        return encode(self, each, final=final)

    monkeypatch.setattr(Intake, "_parts", fails_second)
    with pytest.raises(MemoryError):
        one.take(T0)
    assert rows_by_window(one.take(T0)) == {hour(0): 10, hour(1): 20}
    assert one.take(T0) == []


def test_what_is_put_back_is_taken_again_before_what_is_newer(reference):
    one = intake(reference)
    one.update(at_once(payments(10)), T0)
    parts = one.take(T0)
    one.put_back(parts)
    one.update(at_once(payments(5)), T0)
    again = one.take(T0, everything=True)
    assert again[: len(parts)] == parts
    assert rows_by_window(again) == {hour(0): 15}
