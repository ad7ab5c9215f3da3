"""The demo finds what was planted: every incident on its days, and nothing on the clean ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidegauge import demo
from tidegauge.demo.payments import payments, population

SMALL = 20_000  # rows a day: large enough for every planted change to be significant


@pytest.fixture(scope="module")
def small_days(tmp_path_factory: pytest.TempPathFactory) -> list[demo.Day]:
    return demo.run(tmp_path_factory.mktemp("demo"), SMALL)


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


def check(days: list[demo.Day]) -> None:
    assert [day.index for day in days] == list(range(demo.REFERENCE_DAYS.stop, demo.N_DAYS))
    for day in days:
        incidents = demo.active(day.index)
        must = {
            name for incident in incidents if day.index >= incident.named_from for name in incident.columns
        }
        may = {name for incident in incidents for name in incident.columns}
        assert must <= set(day.named) <= may, f"day {day.index}: {day.named} named; {must} planted"
        assert (day.comparison.status == "ok") == (not day.named)


def test_each_incident_is_named_and_clean_days_are_quiet(small_days: list[demo.Day]) -> None:
    check(small_days)


def test_each_incident_is_named_at_full_scale(tmp_path: Path) -> None:
    check(demo.run(tmp_path))


def test_files_hold_what_was_drawn(tmp_path: Path) -> None:
    paths = demo.write(tmp_path, 500)
    tables = [pq.read_table(path) for path in paths]
    assert len(paths) == demo.N_DAYS
    assert {table.num_rows for table in tables} == {500}
    assert len({str(table.schema.remove_metadata()) for table in tables}) == 1
    assert pa.types.is_dictionary(tables[0].schema.field("country").type)


def test_the_module_runs_and_prints_a_line_a_day(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tidegauge.demo", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for incident in demo.INCIDENTS:
        assert all(name in done.stdout for name in incident.columns)
    assert "M rows/s" in done.stdout
