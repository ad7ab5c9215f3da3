"""Seasons: what a window is compared with by its time, and what is said where the reference does not know."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest

import tidegauge as tg
from tidegauge.calendar import Calendar
from tidegauge.errors import InputError
from tidegauge.homes import HOMES, OUTSIDE
from tidegauge.reference_windows import MAX_WINDOWS, ReferenceWindows, WindowedColumn
from tidegauge.seasons import Baselines, baselines_of, season_of, slots_within
from tidegauge.window import DAY, HOUR, hour_of_day, hour_of_week

MONDAY = "2026-01-05"


def rows(start: str, hours: int, per_hour: int, seed: int = 0, shift: float = 0.0) -> dict[str, np.ndarray]:
    """Rows whose number leans with the hour and jumps at weekends, and whose null share does as well."""
    draw = np.random.default_rng(seed)
    n = hours * per_hour
    when = np.datetime64(start, "s") + np.sort(draw.integers(0, hours * 3_600, n)).astype("m8[s]")
    hour = when.astype("M8[h]").astype(np.int64) % 24
    weekend = (when.astype("M8[D]").astype(np.int64) + 3) % 7 >= 5
    x = draw.normal(size=n) + np.sin(hour / 24 * 2 * np.pi) + weekend + shift
    x[draw.random(n) < np.where(weekend, 0.2, 0.05)] = np.nan
    kinds = np.where(draw.random(n) < np.where(weekend, 0.6, 0.2), "leisure", "work")
    return {"when": when, "x": x, "kind": kinds}


@cache
def reference(days: int = 35, per_hour: int = 60, window: str = "1h") -> tg.Reference:
    return tg.Reference.fit(rows(MONDAY, days * 24, per_hour), timestamp="when", window=window)


def judged(start: str, hours: int, seed: int, at: str | None = None, **more: float) -> tg.Comparison:
    """Compare `hours` hours of rows from `start` as if they came from `at`."""
    known = reference()
    begin = np.datetime64(start if at is None else at)
    window = (str(begin), str(begin + np.timedelta64(hours, "h")))
    return tg.compare(known, tg.profile(rows(start, hours, 1_000, seed, **more), known), window=window)


def windows(n: int, width: int = HOUR, start: int = 4 * DAY, rows_each: int = 100) -> ReferenceWindows:
    """Windows of one column of three cells, all alike."""
    cells = np.tile(np.array([50, 30, 20], np.int64) * rows_each // 100, (n, 1))
    homes = np.zeros((n, len(HOMES)), np.int64)
    exposed = np.full((n, len(HOMES)), rows_each, np.int64)
    starts = start + np.arange(n, dtype=np.int64) * width
    return ReferenceWindows(width, starts, cells.sum(axis=1), {"x": WindowedColumn(cells, homes, exposed)})


@pytest.mark.parametrize(
    ("n", "width", "name"),
    [
        (24 * 7 * 4, HOUR, "hour of the week"),
        (24 * 7 * 3, HOUR, "hour of the day"),
        (24 * 4, HOUR, "hour of the day"),
        (24 * 3, HOUR, ""),
        (28, DAY, "day of the week"),
        (27, DAY, ""),  # one of seven slots is a window short; one in ten may be
        (24 * 7 * 4 - 12, HOUR, "hour of the week"),
        (24, DAY, ""),
        (10, 7 * DAY, ""),
        (8, HOUR, ""),
    ],
)
def test_the_finest_slots_with_four_windows_each(n: int, width: int, name: str):
    own = windows(n, width)
    found = season_of(own)
    assert found.name == name
    expected = {
        "hour of the week": hour_of_week,
        "hour of the day": hour_of_day,
        "day of the week": lambda starts: hour_of_week(starts) // 24,
    }
    slots = expected[name](own.starts) if name else np.zeros(n)
    np.testing.assert_array_equal(found.slots, slots)


@pytest.mark.parametrize("zone", ["Europe/Stockholm", "America/Los_Angeles", "Asia/Kolkata"])
def test_days_by_other_clocks_are_the_days_of_utc_with_that_name(zone: str):
    season, calendar = season_of(windows(28, DAY)), Calendar(DAY, zone)
    for day in range(200, 400):  # clocks change twice
        local = calendar.window_of(day * DAY + DAY // 2)
        weekday = (local.start.astimezone(ZoneInfo(zone)).weekday(),)
        assert tuple(slots_within(local, season, DAY)) == weekday


def test_slots_within_a_window():
    own = windows(24 * 7 * 4)
    season = season_of(own)
    monday = 4 * DAY
    assert slots_within(tg.Window(monday, monday + HOUR), season, HOUR).tolist() == [0]
    assert slots_within(tg.Window(monday + DAY, monday + DAY + 3 * HOUR), season, HOUR).tolist() == [
        24,
        25,
        26,
    ]
    # Part of an hour is of that hour.
    assert slots_within(tg.Window(monday + HOUR // 2, monday + HOUR // 2 + 1), season, HOUR).tolist() == [0]
    assert len(slots_within(tg.Window(monday, monday + 7 * DAY), season, HOUR)) == 168


def test_a_window_of_ages_is_not_laid_out_part_by_part():
    own = windows(40, 1, 0)
    baselines = Baselines(own)
    for ages in (tg.Window(0, 2**63 - 1), tg.Window(-(2**63), 2**63 - 1), tg.Window(0, 10**16)):
        assert 1 <= len(slots_within(ages, baselines.season, own.width_ns)) <= MAX_WINDOWS


@pytest.mark.parametrize("start", ["2026-02-09T06:00", "2026-02-14T06:00", "2026-02-15T18:00"])
def test_a_window_compares_with_its_own_hour_of_the_week(start: str):
    for seed in range(4):
        comparison = judged(start, 1, seed)
        assert comparison.status == "ok", comparison
        assert comparison.assumptions == (
            "windows vary as the reference's own 840 windows did, compared by hour of the week",
        )


def test_a_window_of_several_hours_compares_with_the_same_hours_in_proportion():
    for start, hours in (("2026-02-13T22:00", 6), ("2026-02-15T00:00", 24)):
        assert judged(start, hours, 3).status == "ok"


def test_a_monday_is_not_a_saturday():
    weekday, weekend = "2026-02-09T12:00", "2026-02-14T12:00"
    for start, at in ((weekday, weekend), (weekend, weekday)):
        comparison = judged(start, 1, 1, at=at)
        assert {name: comparison[name].status for name in ("x", "kind")} == {"x": "alert", "kind": "alert"}
        missing = next(m for m in comparison["x"].measurements if m.name == "missing_share_change")
        # Held against the nulls of that hour of the week.
        assert missing.reference_value == pytest.approx(0.2 if at == weekend else 0.05, abs=0.03)
        assert missing.value == pytest.approx(-0.15 if at == weekend else 0.15, abs=0.05)


def test_clean_windows_in_a_leaning_season_raise_nothing():
    # Held against the whole reference, the narrow interval that chance picks would have moved by far.
    known = reference()
    for i in range(24):
        start = np.datetime64("2026-02-14T00:00") + np.timedelta64(i, "h")
        profile = tg.profile(rows(str(start), 1, 2_000, 50 + i), known)
        comparison = tg.compare(known, profile, window=(str(start), str(start + np.timedelta64(1, "h"))))
        assert comparison.status == "ok", comparison


def test_a_real_change_in_a_season_is_found():
    comparison = judged("2026-02-14T12:00", 1, 1, shift=1.0)
    assert comparison["x"].status == "alert"
    assert comparison["x"].component == "shift"
    assert comparison["x"].effect == pytest.approx(1.0, abs=0.3)
    assert comparison["kind"].status == "ok"


def test_without_its_time_a_window_is_held_against_all_of_them():
    known = reference()
    for seed in range(3):
        without = {k: v for k, v in rows("2026-02-14T06:00", 1, 400, seed).items() if k != "when"}
        comparison = tg.compare(known, tg.profile(without, known))
        # A Saturday morning is among what the reference's windows do.
        assert comparison["x"].status == "ok"
        assert comparison["x"].p_value > 1e-3
        assert comparison.assumptions[1] == (
            "the time of the window is not known, so its hour of the week is not matched"
        )


def test_a_window_longer_than_the_history_tells_is_insufficient():
    comparison = judged("2026-02-09T00:00", 24 * 14, 1)
    assert comparison.status == "insufficient"
    for name in ("x", "kind"):
        assert comparison[name].reasons == (
            "this is as long as 336 of the reference's windows, and it has 840, too few to say how such "
            "windows vary; take shorter ones, or a longer reference",
        )
        assert comparison[name].p_value is None
        assert comparison[name].effect is None
    # Also where its length is told by its rows.
    known = reference()
    profile = tg.profile(rows(MONDAY, 24 * 14, 60, 9), known)
    assert tg.compare(known, profile)["x"].status == "insufficient"
    assert tg.compare(known, profile, window=("2026-03-01", "2200-01-01"))["x"].status == "insufficient"


def test_a_slot_that_the_reference_has_not_is_insufficient():
    # Working hours of working days only.
    data = rows(MONDAY, 35 * 24, 60)
    hour = data["when"].astype("M8[h]").astype(np.int64) % 24
    data = {name: each[(hour >= 8) & (hour < 18)] for name, each in data.items()}
    known = tg.Reference.fit(data, timestamp="when", window="1h")
    profile = tg.profile(rows("2026-02-09T12:00", 1, 1_000), known)
    assert tg.compare(known, profile, window=("2026-02-09T12:00", "2026-02-09T13:00"))["kind"].status == "ok"
    night = tg.compare(known, profile, window=("2026-02-09T03:00", "2026-02-09T04:00"))
    assert night["kind"].status == "insufficient"
    assert night["x"].reasons[0].endswith("no windows of this season")
    half = tg.compare(known, profile, window=("2026-02-09T07:00", "2026-02-09T09:00"))
    assert half["x"].status == "insufficient"


def test_a_window_inside_the_reference_is_compared_without_itself():
    known = reference()
    inside = ("2026-01-12T12:00", "2026-01-12T13:00")
    comparison = tg.compare(known, tg.profile(rows(inside[0], 1, 60, 77), known), window=inside)
    assert "839 windows" in comparison.assumptions[0]
    missing = next(m for m in comparison["x"].measurements if m.name == "missing_share_change")
    outside = tg.compare(
        known, tg.profile(rows(inside[0], 1, 60, 77), known), window=("2026-02-09T12:00", "2026-02-09T13:00")
    )
    more = next(m for m in outside["x"].measurements if m.name == "missing_share_change")
    column = known.windows.columns["x"]
    at = int(np.flatnonzero(known.windows.starts == tg.window.as_window(inside).start_ns)[0])
    assert more.n_reference - missing.n_reference == column.exposed[at, HOMES.index("missing")]


def test_few_windows_are_none():
    known = tg.Reference.fit(rows(MONDAY, 24 * 5, 60), timestamp="when", window="1d")
    profile = tg.profile(rows("2026-02-09", 24, 60), known)
    comparison = tg.compare(known, profile, window=("2026-02-09", "2026-02-10"))
    assert comparison.assumptions == (
        "rows are taken as independent: the reference has 5 windows beside this one, and 8 say how they vary",
    )
    plain = tg.Reference.fit(rows(MONDAY, 24 * 5, 60))
    assert tg.compare(plain, tg.profile(rows(MONDAY, 24, 60), plain)).assumptions == (
        "rows are taken as independent: the reference has no windows of its own",
    )


def test_a_windows_length_is_told_by_its_time_then_by_its_rows():
    baselines = Baselines(windows(100, HOUR, rows_each=50))
    assert baselines.block_of(1, tg.Window(0, 4 * HOUR)) == 4
    assert baselines.block_of(1, tg.Window(0, HOUR // 3)) == 1
    assert baselines.block_of(210, None) == 4
    assert baselines.block_of(0, None) == 1


def test_baselines_are_learned_once():
    own = reference().windows
    assert baselines_of(own) is baselines_of(own)
    assert baselines_of(own) is not baselines_of(
        own.without(tg.Window(int(own.starts[0]), int(own.starts[1])))
    )


@pytest.mark.parametrize(
    "window", [("2026-02-10", "2026-02-09"), ("soon", "later"), (1, 1), 5, ("2026-02-10",)]
)
def test_a_window_that_is_none_is_refused(window: object):
    known = reference()
    with pytest.raises(InputError, match="window"):
        tg.compare(known, known.profile, window=window)


def test_measurements_carry_the_window():
    comparison = judged("2026-02-09T12:00", 1, 1)
    begin = int(np.datetime64("2026-02-09T12:00", "ns").astype(np.int64))
    assert {m.window for m in comparison.measurements} == {(begin, begin + HOUR)}
    assert comparison.to_dict()["window"] == [begin, begin + HOUR]


def test_unseen_categories_are_held_to_what_a_fresh_sample_would_have():
    draw = np.random.default_rng(2)
    n = 35 * 24 * 60
    data = rows(MONDAY, 35 * 24, 60) | {"word": np.array([f"w{i}" for i in draw.zipf(1.6, n)])}
    known = tg.Reference.fit(data, timestamp="when", window="1h")
    new = np.array([f"w{i}" for i in draw.zipf(1.6, 1_000)])
    later = rows("2026-02-09T12:00", 1, 1_000) | {"word": new}
    comparison = tg.compare(known, tg.profile(later, known), window=("2026-02-09T12:00", "2026-02-09T13:00"))
    assert comparison["word"].status == "ok"
    assert known.windows.columns["word"].hits[:, OUTSIDE].sum() == known.profile["word"].n_unseen
    new[:150] = "new"
    comparison = tg.compare(known, tg.profile(later, known), window=("2026-02-09T12:00", "2026-02-09T13:00"))
    assert comparison["word"].status == "alert"
    assert comparison["word"].component == "unseen categories"
    assert comparison["word"].reasons[0].startswith("new category 'new' in 15 %, all unseen ")
    # The cell that unseen categories share with the rarest of the known ones goes by no single name.
    largest = comparison["word"].causes[0]
    assert largest.where == "all rarer categories"
    assert known.windows.columns["word"].cells.shape[1] == 32
    assert largest.start == 31
