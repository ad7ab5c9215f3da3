"""Scan: alarms and their onset on planted changes, none on clean sequences, the same as comparing merges."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tidegauge as tg
from tidegauge.drift.onset import onset
from tidegauge.errors import InputError, MergeError

RNG = np.random.default_rng(0)
Rows = dict[str, np.ndarray]
DAY = 86_400 * 10**9


def rows(
    n: int,
    seed: int,
    shift: float = 0.0,
    scale: float = 1.0,
    null: float = 0.0,
    new: float = 0.0,
    mix: float = 0.0,
) -> Rows:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=n) * scale + shift
    x[draw.random(n) < null] = np.nan
    letter = draw.choice(list("abcd"), n, p=[0.4 - mix, 0.3, 0.2, 0.1 + mix])
    return {"x": x, "letter": np.where(draw.random(n) < new, "new", letter)}


REFERENCE = tg.Reference.fit(rows(50_000, 0))


def sequence(
    n: int, change_at: int | None = None, size: int = 1_000, seed: int = 100, **change: float
) -> list[tg.Profile]:
    """`n` windows of `size` rows; those from `change_at` on are changed."""
    return [
        tg.profile(
            rows(size, seed + t, **(change if change_at is not None and t >= change_at else {})), REFERENCE
        )
        for t in range(n)
    ]


def told(result: tg.ScanResult) -> dict[str, Any]:
    return json.loads(json.dumps(result.to_dict(), allow_nan=False))


@pytest.mark.parametrize(
    ("column", "component", "change"),
    [
        ("x", "shift", {"shift": 0.3}),
        ("x", "scale", {"scale": 1.3}),
        ("x", "missing values", {"null": 0.04}),
        ("letter", None, {"new": 0.03}),
        ("letter", None, {"mix": 0.1}),
    ],
)
def test_a_clear_change_raises_one_alarm_with_its_onset(
    column: str, component: str | None, change: dict[str, float]
):
    for at, seed in ((25, 100), (14, 300)):
        result = tg.scan(REFERENCE, sequence(40, at, seed=seed, **change))
        assert result.status == "alert"
        assert [alarm.column for alarm in result.alarms] == [column]
        alarm = result.alarms[0]
        assert alarm.status == "alert"
        assert at <= alarm.raised <= at + 3
        assert abs(alarm.since - at) <= 2
        assert result.since == alarm.since
        assert alarm.last >= 37
        assert component is None or alarm.comparison.component == component
        assert alarm.comparison.reasons
        assert alarm.comparison.measurements
        assert f"{column} since {alarm.since}: {alarm.comparison.reasons[0]}" in result.summary
        assert {v.status for v in result.verdicts[:at]} == {"ok"}
        assert all(column in v.columns for v in result.verdicts[alarm.raised : alarm.last : 8])


def test_a_small_lasting_change_shows_in_merged_windows():
    at = 20
    changed = sequence(84, at, shift=0.08, seed=500)
    result = tg.scan(REFERENCE, changed)
    assert [alarm.column for alarm in result.alarms] == ["x"]
    alarm = result.alarms[0]
    assert alarm.windows >= 4
    assert at <= alarm.raised <= at + 25
    assert abs(alarm.since - at) <= 8
    assert alarm.comparison.effect == pytest.approx(0.08, abs=0.03)
    # One window at a time says nothing about it until much later.
    alone = tg.scan(REFERENCE, changed, scales=1)
    assert not alone.alarms or alone.alarms[0].raised > alarm.raised


def test_a_change_that_ends_is_over_and_a_second_one_is_a_second():
    windows = (
        sequence(16)
        + sequence(4, 0, shift=0.5, seed=200)
        + sequence(40, seed=300)
        + sequence(4, 0, shift=-0.5, seed=400)
    )
    result = tg.scan(REFERENCE, windows, scales=3)
    assert sorted((a.column, a.raised, a.since) for a in result.alarms) == [("x", 16, 16), ("x", 60, 60)]
    first = min(result.alarms, key=lambda a: a.raised)
    assert 19 <= first.last <= 24
    assert {v.status for v in result.verdicts[28:60]} == {"ok"}


def test_clean_sequences_raise_nothing():
    false = 0
    for seed in range(6):
        result = tg.scan(REFERENCE, sequence(64, seed=1_000 * (seed + 2)))
        false += len(result.alarms)
        assert result.status in ("ok", "warning")
        assert np.isfinite(result.spent).all()
        assert result.spent.shape == (64, 2)
    # 384 windows at 1/1000: more than 3 has a chance of 0.1 %.
    assert false <= 3


def test_every_alarm_is_the_comparison_of_its_merged_windows():
    windows = sequence(32, 9, shift=0.4, null=0.0, seed=700)
    result = tg.scan(REFERENCE, windows)
    alarm = result.alarms[0]
    matches = []
    for last in range(alarm.windows - 1, 32):
        merged = tg.merge(windows[last - alarm.windows + 1 : last + 1])
        compared = tg.compare(REFERENCE, merged)["x"]
        if compared.p_value == alarm.comparison.p_value and compared.effect == alarm.comparison.effect:
            matches.append(last)
            one, two = compared.to_dict(), alarm.comparison.to_dict()
            for each in (one, two):
                each.pop("reasons")
                each.pop("status")
                each["measurements"][0].pop("status")
            assert one == two
    assert len(matches) == 1
    assert alarm.raised <= matches[0] <= alarm.last


@settings(max_examples=15)
@given(
    st.integers(1, 10**6),
    st.sampled_from([0.0, 0.1, 0.4]),
    st.sampled_from([0.0, 0.05]),
    st.integers(100, 4_000),
)
def test_one_window_at_one_length_is_a_comparison(seed: int, shift: float, null: float, size: int):
    profile = tg.profile(rows(size, seed, shift=shift, null=null), REFERENCE)
    verdict = tg.scan(REFERENCE, [profile], scales=1).verdicts[0]
    comparison = tg.compare(REFERENCE, profile)
    assert verdict.status == comparison.status
    assert {name: verdict.columns.get(name, "ok") for name in ("x", "letter")} == {
        name: comparison[name].status for name in ("x", "letter")
    }
    assert verdict.n_rows == size


@pytest.mark.parametrize("scales", [1, 3, 7])
def test_one_window(scales: int):
    result = tg.scan(REFERENCE, sequence(1), scales=scales)
    assert len(result.verdicts) == 1
    assert not result.alarms
    assert result.since is None
    assert result.scales == scales
    changed = tg.scan(REFERENCE, sequence(1, 0, shift=1.0), scales=scales)
    alarm = changed.alarms[0]
    assert (alarm.raised, alarm.last, alarm.since, alarm.windows) == (0, 0, 0, 1)
    told(changed)


def test_it_is_deterministic():
    one, two = (tg.scan(REFERENCE, sequence(20, 10, shift=0.3)) for _ in range(2))
    assert one.to_dict() == two.to_dict()
    assert repr(one) == repr(two)
    np.testing.assert_array_equal(one.spent, two.spent)


def test_turns_differ_between_columns_and_models():
    data = rows(20_000, 0)["x"]
    names = [f"x{i}" for i in range(12)]
    reference = tg.Reference.fit(dict.fromkeys(names, data))
    windows = [tg.profile(dict.fromkeys(names, rows(300, t, shift=0.25)["x"]), reference) for t in range(64)]
    found = tg.scan(reference, windows, model="a")
    # Equal columns: what they spend differs only by when their turns come.
    first = {name: found.spent[:, i].tolist() for i, name in enumerate(found.columns)}
    assert len({tuple(each) for each in first.values()}) > 6
    # At every window some have the turn of a long merge and some have not.
    again = tg.scan(reference, windows, model="a")
    np.testing.assert_array_equal(found.spent, again.spent)
    other = tg.scan(reference, windows, model="b")
    assert (other.spent != found.spent).any()
    # Every column has its turn of long merges within 64 windows.
    assert (found.spent.min(axis=0) < 1e-12).all()


def test_verdicts_tell_times():
    windows = sequence(12, 6, shift=0.5)
    starts = np.arange(12) * DAY + 20_000 * DAY
    times = [(int(start), int(start) + DAY) for start in starts]
    by_pairs = tg.scan(REFERENCE, list(zip(times, windows, strict=True)))
    by_windows = tg.scan(
        REFERENCE, {tg.Window(*time): each for time, each in zip(times, windows, strict=True)}
    )
    by_text = tg.scan(
        REFERENCE,
        [
            ((str(np.datetime64(a, "ns")), str(np.datetime64(b, "ns"))), w)
            for (a, b), w in zip(times, windows, strict=True)
        ],
    )
    plain = tg.scan(REFERENCE, windows)
    assert by_pairs.to_dict() == by_windows.to_dict() == by_text.to_dict()
    assert by_pairs.since == tg.Window(*times[6])
    assert plain.since == 6
    assert [v.window for v in by_pairs.verdicts] == [tg.Window(*time) for time in times]
    assert [v.window for v in plain.verdicts] == [None] * 12
    assert told(by_pairs)["windows"][3]["window"] == list(times[3])
    np.testing.assert_array_equal(by_pairs.spent, plain.spent)
    assert "2024-10-10 UTC" in by_pairs.summary


def test_what_profile_windows_gives_is_taken():
    data = rows(6_000, 3)
    when = np.datetime64("2026-01-01", "s") + np.sort(RNG.integers(0, 6 * 86_400, 6_000)).astype("m8[s]")
    result = tg.scan(
        REFERENCE, tg.profile_windows({"when": when, **data}, REFERENCE, timestamp="when", window="1d")
    )
    assert len(result.verdicts) == 6
    assert result.status == "ok"


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ([], "no profiles; pass those of at least one window"),
        ({}, "no profiles"),
        ([((0, 10), 0), ((5, 15), 1)], "does not come after"),
        ([((10, 20), 0), ((0, 10), 1)], "does not come after"),
        ([((0, 10), 0), ((0, 10), 1)], "does not come after"),
        ([((10, 10), 0)], "is no interval"),
        ([("soon", 0)], "is no pair"),
        ([0, ((0, 10), 1)], "some profiles come with a window and some without"),
        (None, "one profile is no sequence of windows"),
    ],
)
def test_sequences_that_are_none_are_refused(windows: Any, message: str):
    two = sequence(2)

    def filled(each: Any) -> Any:
        return (each[0], two[each[1]]) if isinstance(each, tuple) else two[each]

    given_windows = (
        two[0] if windows is None else windows if isinstance(windows, dict) else list(map(filled, windows))
    )
    with pytest.raises(InputError, match=message):
        tg.scan(REFERENCE, given_windows)


@pytest.mark.parametrize("item", [5, "x", None, (1,), (1, 2, 3), {"x": 1}])
def test_what_is_no_profile_is_refused(item: Any):
    with pytest.raises(TypeError, match=f"a Profile is needed for each window, not a {type(item).__name__}"):
        tg.scan(REFERENCE, [sequence(1)[0], item])


@pytest.mark.parametrize(
    "settings_",
    [
        {"budget": 0},
        {"budget": 1.0},
        {"tolerance": -1},
        {"tolerance_share": 1.0},
        {"scales": 0},
        {"scales": 21},
    ],
)
def test_settings_out_of_range_are_refused(settings_: dict[str, Any]):
    name = next(iter(settings_))
    with pytest.raises(InputError, match=f"{name} is {settings_[name]!r}, it must"):
        tg.scan(REFERENCE, sequence(1), **settings_)


def test_profiles_of_other_edges_are_refused():
    other = tg.Reference.fit(rows(3_000, 9))
    with pytest.raises(MergeError, match="edges"):
        tg.scan(REFERENCE, [sequence(1)[0], tg.profile(rows(100, 1), other)])


def test_windows_with_few_rows_are_insufficient_until_merged():
    windows = sequence(16, size=100)
    # 320 rows are needed of a number, 40 of four categories.
    merged, alone = tg.scan(REFERENCE, windows), tg.scan(REFERENCE, windows, scales=1)
    assert {v.columns.get("x") for v in alone.verdicts} == {"insufficient"}
    assert {v.columns.get("x", "ok") for v in merged.verdicts} == {"ok", "insufficient"}
    assert merged.verdicts[0].columns == {"x": "insufficient"}
    assert {v.columns.get("letter") for v in alone.verdicts} == {None}
    assert merged.status == alone.status == "ok"
    empty = tg.scan(REFERENCE, [tg.Profile.empty(REFERENCE)] * 3)
    assert empty.status == "insufficient"
    assert not empty.alarms
    told(empty)
    mixed = tg.scan(REFERENCE, [*sequence(3), tg.Profile.empty(REFERENCE), *sequence(3, seed=50)])
    assert [v.status for v in mixed.verdicts].count("insufficient") <= 1
    assert mixed.status == "ok"


def test_a_column_that_vanishes_and_one_that_was_never_there():
    lacking = [tg.profile({"x": rows(1_000, t)["x"]}, REFERENCE) for t in range(4)]
    result = tg.scan(REFERENCE, [*sequence(6), *lacking])
    assert [(a.column, a.since, a.comparison.component) for a in result.alarms] == [
        ("letter", 6, "absent rows")
    ]
    # Profiles of an older reference, which do not even have a place for it.
    newer = tg.Reference.fit({**rows(20_000, 1), "y": RNG.normal(size=20_000)}, edges=REFERENCE)
    for windows in (
        sequence(4),
        [tg.profile({**rows(1_000, 5), "y": RNG.normal(size=1_000)}, newer), *sequence(4)],
    ):
        result = tg.scan(newer, windows)
        assert {a.column for a in result.alarms} == {"y"}
        assert result.alarms[0].comparison.reasons[0] in (
            "the column is missing",
            "rows without the column 0 % -> 100 %",
        )
        told(result)


def test_labels_to_come_raise_no_alarm():
    def labelled(n: int, seed: int, share: float) -> Rows:
        return {"x": rows(n, seed)["x"], "y": np.random.default_rng(seed).random(n) < share}

    data = labelled(20_000, 1, 0.3)
    reference = tg.Reference.fit(data, schema=tg.Schema.infer(data, label="y"))
    known = [tg.profile(labelled(1_000, t, 0.3), reference) for t in range(5)]
    to_come = [tg.profile({"x": rows(1_000, t)["x"]}, reference) for t in range(5, 12)]
    result = tg.scan(reference, [*known, *to_come])
    assert not result.alarms
    assert result.status == "ok"
    assert result.verdicts[-1].columns.get("y") == "insufficient"
    moved = [tg.profile(labelled(1_000, t, 0.6), reference) for t in range(20, 24)]
    found = tg.scan(reference, [*known, *moved, *to_come])
    assert [(a.column, a.since) for a in found.alarms] == [("y", 5)]


# ---- with a reference's own windows


def seasonal(start: int, days: int, per_day: int, seed: int, shift: float = 0.0) -> Rows:
    """Days whose numbers wander, and lean at weekends."""
    draw = np.random.default_rng(seed)
    day = np.repeat(np.arange(start, start + days), per_day)
    wander = np.repeat(draw.normal(0, 0.15, days), per_day)
    x = draw.normal(size=len(day)) + wander + ((day + 3) % 7 >= 5) * 0.8 + shift
    when = day.astype("M8[D]").astype("M8[s]") + draw.integers(0, 86_400, len(day)).astype("m8[s]")
    return {"when": when, "x": x, "letter": draw.choice(list("abcd"), len(day))}


MONDAY = 20_458
KNOWING = tg.Reference.fit(seasonal(MONDAY, 70, 500, 1), timestamp="when", window="1d")


def days(start: int, n: int, seed: int, shift: float = 0.0) -> dict[tg.Window, tg.Profile]:
    return tg.profile_windows(seasonal(start, n, 500, seed, shift), KNOWING, timestamp="when", window="1d")


def test_seasons_and_wandering_days_raise_nothing_and_changes_do():
    clean = tg.scan(KNOWING, days(MONDAY + 70, 21, 2))
    assert clean.status == "ok"
    seasons, lengths = clean.assumptions
    assert seasons == "windows vary as the reference's own 70 windows did, compared by day of the week"
    assert "and more merged windows are not tested" in lengths
    blind = tg.Reference.fit(seasonal(MONDAY, 70, 500, 1), edges=KNOWING)
    assert tg.scan(blind, list(days(MONDAY + 70, 21, 2).values())).alarms
    both = {**days(MONDAY + 70, 12, 3), **days(MONDAY + 82, 9, 4, shift=1.0)}
    found = tg.scan(KNOWING, both)
    assert [a.column for a in found.alarms] == ["x"]
    began = tg.Window((MONDAY + 82) * DAY, (MONDAY + 83) * DAY)
    assert abs(found.since.start_ns - began.start_ns) <= 2 * DAY
    told(found)


def test_windows_of_the_reference_itself_are_compared_without_themselves():
    inside = tg.scan(KNOWING, days(MONDAY + 14, 7, 6))
    assert inside.status in ("ok", "insufficient")
    assert not inside.alarms


def test_times_that_are_not_known_are_said_to_be():
    result = tg.scan(KNOWING, list(days(MONDAY + 70, 14, 7).values()))
    assert (
        "the times of the windows are not known, so their day of the week is not matched"
        in result.assumptions
    )
    assert not result.alarms
    few = tg.Reference.fit(seasonal(MONDAY, 5, 500, 1), timestamp="when", window="1d")
    profiles = [tg.profile(seasonal(MONDAY + 9, 1, 500, 8), few)]
    assert tg.scan(few, profiles).assumptions == (
        "rows are taken as independent: the reference has 5 windows, and 8 say how they vary",
    )


# ---- onset alone


def test_onset_of_counts():
    rng = np.random.default_rng(5)
    before, after = np.full(8, 1 / 8), np.array([2, 1, 1, 1, 1, 1, 1, 0.0]) / 8
    off = []
    for at in (0, 1, 7, 20, 39):
        for _ in range(5):
            counts = np.concatenate([rng.multinomial(300, before, at), rng.multinomial(300, after, 40 - at)])
            for first in (max(at - 6, 0), at, min(at + 5, 39)):
                off.append(abs(onset(before, counts, first, 39) - at))
    assert np.mean(np.array(off) <= 1) > 0.95
    # Never after the window that raised the alarm.
    late = np.concatenate([rng.multinomial(300, before, 30), rng.multinomial(300, after, 10)])
    assert onset(before, late, 10, 12) <= 12


def test_onset_of_nothing_is_a_window():
    for counts in (np.zeros((5, 3)), np.full((5, 3), 7), np.eye(5, 3) * 9):
        assert 0 <= onset(np.full(3, 1 / 3), counts, 2, 4) <= 4
    assert onset(np.zeros(3), np.full((4, 3), 5), 1, 3) in range(4)
