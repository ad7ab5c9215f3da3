"""The demo finds what was planted: every incident on its days, and nothing on the clean ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidegauge as tg
from tidegauge import demo
from tidegauge.demo import outcomes
from tidegauge.demo.job import begin_of, fresh_archive
from tidegauge.demo.payments import payments, population

DATA = Path(__file__).parents[1].parent / "shared" / "data"


def test_the_answer_sheet_is_consistent() -> None:
    kinds = [incident.kind for incident in demo.INCIDENTS]
    assert len(set(kinds)) == len(kinds)
    for incident in demo.INCIDENTS:
        assert demo.REFERENCE_DAYS.stop <= incident.first_day <= incident.named_from
        assert incident.named_from <= incident.last_day < demo.N_DAYS
    assert len(demo.CLEAN_DAYS) >= 4


def test_days_are_reproducible_and_planted_only_where_the_table_says() -> None:
    people = population(7)
    clean = payments(people, 7, 9, 2_000)
    assert clean == payments(population(7), 7, 9, 2_000)
    assert clean != payments(people, 8, 9, 2_000)
    assert len(clean) == 25
    for incident in demo.INCIDENTS:
        planted = incident.plant(clean, np.random.default_rng(1), incident.last_day - incident.first_day)
        assert {name for name in clean if planted[name] != clean[name]} == set(incident.columns)
        assert [planted[name].type for name in clean] == [clean[name].type for name in clean]


def test_on_its_first_day_an_incident_begins_at_its_hour() -> None:
    clean = payments(population(7), 7, 9, 2_000)
    hours = clean["hour"].to_numpy()
    for incident in demo.INCIDENTS:
        first = demo.planted(incident, clean, np.random.default_rng(1), incident.first_day)
        for name in incident.columns:
            before = int(np.searchsorted(hours, incident.first_hour))
            assert first[name][:before] == clean[name][:before]
            assert first[name][before:] != clean[name][before:]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the demo printed, as a user runs it, and where it left its files."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    done = subprocess.run(
        [sys.executable, "-m", "tidegauge.demo", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout, folder


def alarms_of(folder: Path) -> list[dict[str, Any]]:
    with tg.Archive(folder / "tidegauge.db") as archive:
        (series,) = archive.series()
        return [dict(alarm) for verdict in tg.verdicts(archive, series) for alarm in verdict.alarms]


def test_every_incident_is_named_with_the_hour_it_began_and_nothing_else_is(ran: tuple[str, Path]) -> None:
    begun = {name: begin_of(incident) for incident in demo.INCIDENTS for name in incident.columns}
    alarms = alarms_of(ran[1])
    assert sorted(alarm["column"] for alarm in alarms) == sorted(begun)
    for alarm in alarms:
        if alarm["column"] == "balance":  # it grows from nothing: named on its second day at the latest
            assert "2026-10-20" <= alarm["since"][:10] <= "2026-10-21"
        else:
            assert alarm["since"].startswith(begun[alarm["column"]])


def test_every_payment_is_in_the_archive_once(ran: tuple[str, Path]) -> None:
    with tg.Archive(ran[1] / "tidegauge.db") as archive:
        n_days = demo.N_DAYS - len(demo.REFERENCE_DAYS)
        whole = archive.merged("payments")
        assert whole.n_rows == n_days * demo.ROWS_PER_DAY
        parts = [archive.merged("payments", segment=each) for each in archive.segments("payments")]
        assert sum(part.n_rows for part in parts) == whole.n_rows
        assert len(archive.windows("payments", step="1d")) == n_days
        assert archive.quarantined() == []
        direct = tg.profile(sorted(ran[1].glob("*.parquet"))[7:], tg.load(ran[1] / "reference.tg"))
        for name, column in direct.items():
            assert whole[name].n_present == column.n_present
            if column.kind in {"number", "category"} and name not in {"score", "decision"}:  # scored anew
                assert np.array_equal(whole[name].counts, column.counts)


def test_running_it_again_counts_no_payment_twice(tmp_path: Path) -> None:
    payments_of_a_day = demo.write(tmp_path, 500)[7:8]
    reference = demo.fit(demo.write(tmp_path, 500))
    reference.save(tmp_path / "reference.tg")
    for _ in range(2):
        demo.serve(
            payments_of_a_day, 0, 1, tmp_path / "reference.tg", fresh_archive(tmp_path, "tidegauge.db")
        )
        with tg.Archive(tmp_path / "tidegauge.db") as archive:
            assert archive.merged("payments").n_rows == 500


def test_it_prints_throughput_overhead_and_each_incident(ran: tuple[str, Path]) -> None:
    told = " ".join(ran[0].split())
    assert "payments scored by 3 processes" in told
    assert "us a row of 25 columns" in told
    assert "336 hours judged" in told
    assert all(name in told for incident in demo.INCIDENTS for name in incident.columns)
    assert (ran[1] / "report.html").stat().st_size > 50_000


def test_it_tells_how_right_the_model_was_before_and_after_the_labels(ran: tuple[str, Path]) -> None:
    with tg.Archive(ran[1] / "outcomes.db") as archive:
        (series,) = archive.series()
        reference = archive.reference(series.reference_id)
        found = tg.performance_scan(archive.windows("fraud"), reference)
        assert [each.n_labelled for each in archive.coverage("fraud")] == [20_000] * 10
    changed = outcomes.CHANGED_DAY - outcomes.N_REFERENCE
    statuses = [each.status for each in found.performances]
    assert statuses[:changed] == ["ok"] * changed
    assert set(statuses[changed:]) <= {"warning", "alert"}
    told = ran[0]
    assert "no label yet" in told
    assert "24% labelled" in told
    assert (ran[1] / "performance.html").stat().st_size > 20_000


@pytest.mark.skipif(
    not (DATA / "hotel_reference.parquet").exists(), reason=f"{DATA} does not hold the hotel data"
)
def test_hotel_bookings_are_estimated_then_labelled(tmp_path: Path) -> None:
    before, after, weeks = outcomes.hotel(DATA, fresh_archive(tmp_path, "outcomes.db"))
    assert (before.coverage, after.coverage) == (0.0, 1.0)
    assert before.value("accuracy", "estimated") == pytest.approx(after.value("accuracy"), abs=0.002)
    assert weeks.status == "alert"
    assert str(weeks.since).startswith("2016-11")


def test_files_hold_what_was_drawn(tmp_path: Path) -> None:
    paths = demo.write(tmp_path, 500)
    tables = [pq.read_table(path) for path in paths]
    assert len(paths) == demo.N_DAYS
    assert {table.num_rows for table in tables} == {500}
    assert len({str(table.schema.remove_metadata()) for table in tables}) == 1
    assert pa.types.is_dictionary(tables[0].schema.field("country").type)
