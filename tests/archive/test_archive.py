"""Archive: any range of time, any segment, as one profile; what cannot be read does not hide the rest."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tidegauge as tg
from tidegauge.archive import Archive, Key, Record, Series, Writer, reading
from tidegauge.errors import ArchiveError, ArchiveWarning, DecodeError, InputError
from tidegauge.segments import OTHER, segment_key
from tidegauge.window import DAY, HOUR, WEEK, Window

SE, REST = segment_key({"country": "SE"}), segment_key({"country": OTHER})


def stored(archive, reference, profiles, *, final=True, **fields):
    """Store profiles by (hour, segment)."""
    named = {"model": "m", "version": "1", "writer": "w"} | fields
    named["reference_id"] = archive.put_reference(reference)
    archive.store.append(
        [
            Record(
                Key(window=Window(hour * HOUR, (hour + 1) * HOUR), segment=segment, **named),
                profile.n_rows,
                profile.to_bytes(),
                final,
            )
            for (hour, segment), profile in profiles.items()
        ]
    )
    return named["reference_id"]


def first(pair):
    return pair[0]


def test_any_range_is_the_profile_of_its_rows(archive, reference, profiled):
    parts = {(hour, segment): profiled(hour * 7 + len(segment)) for hour in range(48) for segment in ("", SE)}
    stored(archive, reference, parts)
    for start, end in [(None, None), (0, 24), (13, 14), (24, None), (None, 5), (47, 48)]:
        for segment, asked in (("", None), (SE, {"country": "SE"}), (SE, SE)):
            hours = range(start or 0, end or 48)
            inside = [profile for (hour, s), profile in parts.items() if s == segment and hour in hours]
            ends = (None if start is None else start * HOUR, None if end is None else end * HOUR)
            found = archive.merged("m", *ends, segment=asked)
            assert found == tg.merge(inside)
            assert found["x"].quantile(0.5) == pytest.approx(0, abs=0.5), "it has its edges"


def test_a_window_that_reaches_over_an_end_is_not_in_the_range(archive, reference, profiled):
    stored(archive, reference, {(hour, ""): profiled(hour, 10) for hour in range(3)})
    assert archive.merged("m", 1, 3 * HOUR).n_rows == 20
    assert archive.merged("m", 0, 3 * HOUR - 1).n_rows == 20
    assert archive.merged("m", HOUR, HOUR + 1).n_rows == 0
    assert archive.merged("m", "1970-01-01T01:00", datetime(1970, 1, 1, 2, tzinfo=UTC)).n_rows == 10


def test_windows_by_step(archive, reference, profiled):
    parts = {(hour, ""): profiled(hour + 30, 10) for hour in range(-30, 200, 5)}
    stored(archive, reference, parts)
    stored(archive, reference, {(0, ""): profiled(999, 3)}, sequence=1)
    records = sorted([*((hour, each) for (hour, _), each in parts.items()), (0, profiled(999, 3))], key=first)
    as_stored = archive.windows("m")
    assert list(as_stored) == [Window(hour * HOUR, (hour + 1) * HOUR) for hour in range(-30, 200, 5)]
    assert as_stored[Window(0, HOUR)].n_rows == 13
    for step, width, origin in (("1d", DAY, 0), ("6h", 6 * HOUR, 0), ("1w", WEEK, 4 * DAY)):
        found = archive.windows("m", step=step)
        assert list(found) == sorted(found)
        assert {(each.start_ns % width, each.end_ns - each.start_ns) for each in found} == {(origin, width)}
        for window, profile in found.items():
            inside = [each for hour, each in records if window.start_ns <= hour * HOUR < window.end_ns]
            assert profile == tg.merge(inside)
        assert sum(each.n_rows for each in found.values()) == 10 * len(parts) + 3
    assert list(archive.windows("m", step="30m")) == list(as_stored), "what nests in none stands for itself"
    assert list(archive.windows("m", start=0, end=10 * HOUR)) == [Window(0, HOUR), Window(5 * HOUR, 6 * HOUR)]
    some = [Window(0, HOUR), Window(5 * HOUR, 6 * HOUR), Window(1, 2)]
    of = archive.windows_of(archive.models()[0], some)
    assert {window: profile.n_rows for window, profile in of.items()} == {some[0]: 13, some[1]: 10}
    assert archive.windows_of(archive.models()[0], []) == {}


def test_segments(archive, reference, profiled):
    stored(archive, reference, {(0, s): profiled(1) for s in ("", SE, REST)} | {(5, ""): profiled(2)})
    assert archive.segments("m") == sorted([{"country": "SE"}, {"country": OTHER}], key=segment_key)
    assert archive.segments("m", 5 * HOUR) == []
    with pytest.raises(InputError, match="no profiles of model 'n'; it has 'm' version '1'"):
        archive.segments("n")


def test_versions_merge_and_references_do_not(archive, reference, profiled, make):
    first = stored(archive, reference, {(0, ""): profiled(1)})
    stored(archive, reference, {(0, ""): profiled(2)}, version="2")
    assert archive.merged("m").n_rows == 100
    assert archive.merged("m", version="2") == profiled(2)
    other = tg.Reference.fit(make.rows(77, 3_000))
    unlike = tg.profile(make.rows(3), other, accumulators="light")
    second = stored(archive, other, {(1, ""): unlike}, version="2")
    with pytest.raises(InputError, match="against 2 references") as refused:
        archive.merged("m")
    assert first in str(refused.value)
    assert second in str(refused.value)
    assert archive.merged("m", HOUR).n_rows == 50, "in this range there is one"
    assert archive.merged("m", reference_id=first).n_rows == 100
    all_of_them = [Series("m", "1", first), Series("m", "2", first), Series("m", "2", second)]
    assert archive.models() == sorted(all_of_them)
    assert archive.series(model="m", version="1") == [Series("m", "1", first)]
    assert [each.key.version for each in archive.find(Series("m", "2", first))] == ["2"]


def test_what_is_not_there(archive, reference, profiled):
    with pytest.raises(InputError, match="no profiles of model 'm'; it has none at all"):
        archive.merged("m")
    assert archive.models() == archive.quarantined() == []
    stored(archive, reference, {(0, ""): profiled(1)})
    with pytest.raises(InputError, match="model 'm', version '9'; it has 'm' version '1'"):
        archive.windows("m", version="9")
    empty = archive.merged("m", 100 * HOUR)
    assert empty.n_rows == 0
    assert list(empty) == list(reference.profile)
    with pytest.raises(ArchiveError, match="it has no reference 'nobody'"):
        archive.reference("nobody")


def test_references_are_stored_once(archive, reference):
    reference_id = archive.put_reference(reference)
    assert archive.put_reference(reference) == reference_id == archive.id_of(reference)
    assert len(reference_id) == 32
    assert [name for name, _ in archive.store.documents("references")] == [reference_id]
    other = Archive(archive.store)
    assert other.reference(reference_id) == reference
    assert other.reference(reference_id) is other.reference(reference_id)
    archive.store.put_document("references", reference_id, reference.to_bytes()[:-1])
    with pytest.raises(ArchiveError, match="changed after it was stored"):
        Archive(archive.store).reference(reference_id)


def test_writers(archive):
    writer = Writer("m", "ab", "host", 17, 0, 100 * DAY, checkpoint_seconds=60, grace_ns=5)
    archive.put_writer(writer)
    archive.put_writer(Writer("n", "cd", "host", 18, 0, 1, closed_ns=2))
    assert archive.writers("m") == {"ab": writer}
    assert set(archive.writers()) == {"ab", "cd"}
    assert writer.lives(100 * DAY + 300 * 10**9)
    assert not writer.lives(100 * DAY + 361 * 10**9)
    assert not writer.settled(107 * DAY - 1)
    assert writer.settled(107 * DAY)
    assert not archive.writers()["cd"].lives(1)
    assert archive.writers()["cd"].settled(1)
    slow = Writer("m", "ef", "host", 19, 0, 0, checkpoint_seconds=7_200)
    assert slow.lives(5 * HOUR)
    assert not slow.settled(5 * HOUR)
    with pytest.raises(DecodeError, match="its document cannot be read"):
        Writer.from_bytes(b'{"model": 1}')
    archive.store.put_document("writers", "odd", b"\xff")
    with pytest.warns(ArchiveWarning, match="writer 'odd' said of itself is left out"):
        assert set(archive.writers()) == {"ab", "cd"}


# What cannot be read.


def test_what_does_not_decode_is_set_aside_and_the_rest_is_read(archive, reference, profiled, url):
    stored(archive, reference, {(hour, ""): profiled(hour, 10) for hour in range(5)})
    rid = archive.id_of(reference)
    bad = [Key("m", "1", rid, Window(hour * HOUR, hour * HOUR + HOUR), "", "bad") for hour in range(3)]
    torn = profiled(1).to_bytes()
    flipped = bytearray(torn)
    flipped[len(torn) // 2] ^= 1
    states = [(50, torn[:-3]), (50, bytes(flipped)), (49, torn)]
    archive.store.append([Record(key, *state) for key, state in zip(bad, states, strict=True)])
    reader = Archive(archive.store, read_only=True)
    with pytest.warns(ArchiveWarning, match="left out") as warned:
        assert reader.merged("m").n_rows == 50
    assert len(warned) == 3
    assert archive.quarantined() == []
    with pytest.warns(ArchiveWarning, match="set aside") as warned:
        assert archive.merged("m").n_rows == 50
    assert len(warned) == 3
    assert all("writer 'bad'" in str(each.message) for each in warned)
    assert archive.merged("m").n_rows == 50, "without another word"
    assert sorted(each.key for each in archive.quarantined()) == bad
    assert any("has not the 49 rows" in each.why for each in archive.quarantined())


def test_what_does_not_merge_with_the_most_rows_is_left_out(archive, reference, profiled):
    stored(archive, reference, {(0, ""): profiled(1, 30, "full")}, writer="a")
    stored(archive, reference, {(hour, ""): profiled(hour, 20) for hour in range(3)})
    for _ in range(2):
        with pytest.warns(ArchiveWarning, match="1 profiles, the first of .*writer 'a'.*'full' and 'light'"):
            assert archive.merged("m").n_rows == 60
    assert archive.quarantined() == [], "its bytes are whole"


def test_a_checkpoint_that_grows_between_finding_and_reading_is_not_damaged(archive, reference, profiled):
    stored(archive, reference, {(0, ""): profiled(1, 10)}, final=False)
    find, grown = archive.store.find, iter(range(20, 40, 10))

    def grows(**asked):
        found = find(**asked)
        if (n := next(grown, None)) is not None:
            stored(archive, reference, {(0, ""): profiled(1, n)}, final=False)
        return found

    archive.store.find = grows
    try:
        assert archive.merged("m").n_rows == 30
    finally:
        del archive.store.find
    assert archive.quarantined() == []


def test_what_goes_between_finding_and_reading_is_found_where_it_went(archive, reference, profiled):
    stored(archive, reference, {(hour, ""): profiled(hour, 10) for hour in range(24)})
    find, again = archive.store.find, itertools.count()
    other = Archive(archive.store)

    def overtaken(**asked):
        found = find(**asked)
        if next(again) == 0:
            assert other.compact(older_than=DAY, to="1d", now_ns=DAY).n_records_before == 24
        return found

    archive.store.find = overtaken
    try:
        assert archive.merged("m").n_rows == 240
    finally:
        del archive.store.find


def test_a_busy_machine_gets_more_attempts(archive, reference, profiled):
    rid = stored(archive, reference, {(0, ""): profiled(1, 10)})
    find, listed = archive.store.find, itertools.count()
    gone = Key("m", "1", rid, Window(0, HOUR), "", "gone")

    def overtaken(**asked):
        found = find(**asked)
        return [*found, type(found[0])(gone, 1)] if next(listed) < 60 else found

    archive.store.find = overtaken
    try:
        assert archive.merged("m").n_rows == 10
    finally:
        del archive.store.find
    assert next(listed) > 2 * reading.ATTEMPTS


def test_an_archive_that_never_stands_still_is_refused(archive, reference, profiled, monkeypatch):
    monkeypatch.setattr(reading, "PATIENCE_SECONDS", 0.0)
    rid = stored(archive, reference, {(0, ""): profiled(1, 10)})
    find = archive.store.find
    never = Key("m", "1", rid, Window(0, HOUR), "", "never there")
    archive.store.find = lambda **asked: [*find(**asked), type(find()[0])(never, 1)]
    try:
        with pytest.raises(ArchiveError, match="it changed under 20 attempts"):
            archive.merged("m")
    finally:
        del archive.store.find


# Compaction.


@settings(max_examples=25)
@given(data=st.data())
def test_compaction_keeps_every_count(tmp_path_factory, reference, profiled, data):
    hours = data.draw(st.lists(st.integers(-60, 100), min_size=1, max_size=25, unique=True))
    segments = data.draw(st.lists(st.sampled_from(["", SE, REST]), min_size=1, max_size=3, unique=True))
    steps = data.draw(st.lists(st.sampled_from(["2h", "6h", "1d", "1w", "5h"]), min_size=1, max_size=3))
    older = data.draw(st.integers(-60, 120)) * HOUR
    url = data.draw(st.sampled_from(["a.db", "directory"]))
    with Archive(tmp_path_factory.mktemp("archive") / url) as archive:
        both = itertools.product(hours, segments)
        parts = {(hour, s): profiled(abs(hour) * 3 + len(s), 5 + abs(hour) % 3) for hour, s in both}
        stored(archive, reference, parts)
        whole = {s: archive.merged("m", segment=s) for s in segments}
        n_records = len(archive.store.find())
        for step in steps:
            done = archive.compact(older_than=older, to=step, now_ns=0)
            assert n_records - len(archive.store.find()) == done.n_records_before - done.n_records_after
            n_records = len(archive.store.find())
            again = archive.compact(older_than=older, to=step, now_ns=0)
            assert (again.n_records_before, again.n_records_after, again.n_rows) == (0, 0, 0)
        # Integers add up in any order; sums of floats, which are not associative, to the last digits.
        for segment in segments:
            now = archive.merged("m", segment=segment)
            assert now.n_rows == whole[segment].n_rows
            np.testing.assert_array_equal(now["x"].counts, whole[segment]["x"].counts)
            np.testing.assert_array_equal(now["k"].counts, whole[segment]["k"].counts)
            assert now["x"].mean == pytest.approx(whole[segment]["x"].mean, rel=1e-12)
        assert archive.quarantined() == []


def test_what_is_compacted_and_what_is_left(archive, reference, profiled):
    stored(archive, reference, {(hour, s): profiled(hour, 10) for hour in range(48) for s in ("", SE)})
    for writer, closed_ns in (("lives", None), ("closed", 50 * HOUR)):
        archive.put_writer(Writer("m", writer, "h", 1, 0, 50 * HOUR, closed_ns=closed_ns))
        stored(archive, reference, {(3, ""): profiled(1, 7)}, final=False, writer=writer)
    stored(archive, reference, {(4, ""): profiled(1, 7)}, final=False, writer="unknown")
    rid = archive.id_of(reference)
    across = Record(
        Key("m", "1", rid, Window(DAY - HOUR, DAY + HOUR), "", "across"), 10, profiled(5, 10).to_bytes()
    )
    archive.store.append([across])
    total = archive.merged("m").n_rows
    done = archive.compact(older_than=47 * HOUR, to="1d", now_ns=50 * HOUR)
    assert (done.n_records_before, done.n_records_after, done.n_rows) == (49, 2, 24 * 2 * 10 + 7)
    assert archive.merged("m").n_rows == total
    left = {each.key.writer for each in archive.store.find(end_ns=DAY) if each.key.window != Window(0, DAY)}
    assert left == {"lives", "unknown", "across"}
    assert archive.windows("m", step="1d")[Window(0, DAY)].n_rows == 240 + 3 * 7
    # A week later the silent one is settled, and its rows join those of the day.
    done = archive.compact(older_than=DAY, to="1d", now_ns=50 * HOUR + 7 * DAY)
    assert (done.n_records_before, done.n_records_after, done.n_rows) == (3, 2, 24 * 2 * 10 + 14)
    assert archive.compact(older_than=3 * DAY, to="1d", now_ns=51 * HOUR, model="n").n_records_before == 0


def test_what_is_damaged_is_not_compacted_away(archive, reference, profiled):
    stored(archive, reference, {(hour, ""): profiled(hour, 10) for hour in range(24)})
    bad = Key("m", "1", archive.id_of(reference), Window(0, HOUR), "", "bad")
    archive.store.append([Record(bad, 5, b"torn")])
    with pytest.warns(ArchiveWarning, match="writer 'bad'"):
        done = archive.compact(older_than=DAY, to="1d", now_ns=DAY)
    assert done.n_records_before == 24
    assert archive.merged("m").n_rows == 240
    assert [each.key for each in archive.quarantined()] == [bad]
