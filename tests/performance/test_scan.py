"""Windows one after another: alarms of lasting rises, when they began, and how rarely they are false."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from tests.performance.rows import day_of, days, fitted

import tidegauge as tg
from tidegauge.errors import InputError


@pytest.fixture(scope="module")
def reference() -> tg.Reference:
    return fitted()


def scanned(reference: tg.Reference, rows: pa.Table) -> tg.PerformanceScan:
    return tg.performance_scan(tg.profile_windows(rows, reference, window="1d"), reference)


def test_a_small_lasting_rise_is_found_with_its_beginning(reference: tg.Reference) -> None:
    rows = pa.concat_tables([days(40, 60), days(60, 100, lost=0.12)])
    found = scanned(reference, rows)
    assert found.status == "alert"
    first = found.alarms[0]
    assert first.name in {"error_rate", "brier"}
    assert abs(first.since - 20) <= 3
    assert first.since <= first.raised < 36
    assert first.value > first.baseline > first.reference_value
    assert found.since == found.windows[first.since]
    assert found.summary.startswith("alert: ")
    assert str(found.since) in found.summary
    # Nearly none of the windows shows it alone.
    assert sum(each.status == "alert" for each in found.performances) <= 3


def test_windows_as_the_references_raise_no_alarm(reference: tg.Reference) -> None:
    found = scanned(reference, days(40, 120))
    assert found.alarms == ()
    assert found.status == "ok"
    assert found.since is None
    assert found.average_run_length == pytest.approx(1_000 * 1_000)


def test_false_alarms_are_as_rare_as_promised() -> None:
    """Of 12 references with 60 windows each, at a budget of one in 60: 12 alarms would be as promised."""
    alarms = windows = 0
    for seed in range(12):
        reference = fitted(20, seed=100 + seed, n=300)
        parts = [tg.profile(day_of(30 + i, 300, seed=seed), reference) for i in range(60)]
        found = tg.performance_scan(parts, reference, budget=1 / 60)
        alarms += len(found.alarms)
        windows += sum(each.status in {"warning", "alert"} for each in found.performances)
    assert alarms <= 12
    assert windows <= 12 * 60 * 2 / 60  # both kinds at that budget


def test_what_is_not_labelled_yet_is_passed_over(reference: tg.Reference) -> None:
    rows = pa.concat_tables([days(40, 50), days(50, 60, labels=0.3, lost=0.9)])
    found = scanned(reference, rows)
    assert found.alarms == ()
    assert {each.status for each in found.performances[10:]} == {"ok"}  # by the estimates
    only = pa.concat_tables([days(40, 42, labels=0.0)])
    assert scanned(reference, only).alarms == ()


def test_an_alarm_that_ends_is_followed_by_another(reference: tg.Reference) -> None:
    rows = pa.concat_tables(
        [days(40, 50), days(50, 55, lost=0.6), days(55, 75), days(75, 80, lost=0.6), days(80, 85)]
    )
    found = scanned(reference, rows)
    rates = [each for each in found.alarms if each.name == "error_rate"]
    assert [each.since for each in rates] == [10, 35]
    assert all(each.last - each.since >= 3 for each in rates)


def test_errors_of_numbers_are_watched_too() -> None:
    rng = np.random.default_rng(7)

    def rows(n: int, wrong: float) -> pa.Table:
        truth = rng.normal(size=n)
        return pa.table({"guess": truth + wrong * rng.normal(size=n), "truth": truth})

    train = rows(30_000, 1.0)
    schema = tg.Schema.infer(train, prediction="guess", label="truth")
    reference = tg.Reference.fit(train, schema=schema)
    parts = [tg.profile(rows(2_000, 1.0 if i < 10 else 1.1), reference) for i in range(30)]
    found = tg.performance_scan(parts, reference)
    assert found.alarms[0].name == "large_error_rate"
    assert abs(found.alarms[0].since - 10) <= 2
    assert found.since == found.alarms[0].since  # no times: a place
    assert found.alarms[0].reference_value <= 0.1


def test_it_is_told_as_json_arrow_and_text(reference: tg.Reference) -> None:
    found = scanned(reference, days(40, 44))
    assert len(json.loads(json.dumps(found.to_dict(), allow_nan=False))["windows"]) == 4
    assert pa.table(found).num_rows == len(found.measurements)
    assert "2026-02-14" in repr(found)
    assert "<table" in found._repr_html_()


def test_what_is_no_sequence_is_refused(reference: tg.Reference) -> None:
    with pytest.raises(InputError, match="no profiles"):
        tg.performance_scan([], reference)
    with pytest.raises(InputError, match="one profile is no sequence"):
        tg.performance_scan(tg.profile(day_of(40), reference), reference)
