"""The demo's job: write three weeks of payments, fit a reference on the first, judge each later day."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from rich.text import Text

import tidegauge as tg
from tidegauge.comparison import Comparison
from tidegauge.demo.incidents import N_DAYS, REFERENCE_DAYS, active
from tidegauge.demo.payments import FIRST_DAY, Columns, Population, payments, population

ROWS_PER_DAY = 95_500  # two million rows in three weeks
STYLES = {"ok": "green", "warning": "yellow", "alert": "bold red"}


@dataclass(frozen=True, slots=True)
class Day:
    """One judged day: what was compared, and the columns named (status `warning` or `alert`), worst first."""

    index: int
    date: date
    profile: tg.Profile
    comparison: Comparison
    named: tuple[str, ...]


def write(folder: Path, rows_per_day: int = ROWS_PER_DAY, seed: int = 7) -> list[Path]:
    """Write one Parquet file a day, `N_DAYS` in all, and return their paths in order of time."""
    folder.mkdir(parents=True, exist_ok=True)
    people = population(seed)
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda day: write_day(folder, people, seed, day, rows_per_day), range(N_DAYS)))


def write_day(folder: Path, people: Population, seed: int, day: int, n_rows: int) -> Path:
    """Write one day's file, with the incidents of that day in it."""
    columns: Columns = payments(people, seed, day, n_rows)
    rng = np.random.default_rng([seed, 2, day])
    for incident in active(day):
        columns = incident.plant(columns, rng, day - incident.first_day)
    path = folder / f"payments-{FIRST_DAY + timedelta(days=day)}.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def judge_days(reference: tg.Reference, files: Iterable[tuple[int, Path]]) -> Iterator[Day]:
    """Profile and compare each (day, file) against the reference."""
    for index, path in files:
        profile = tg.profile(path, reference)
        comparison = tg.compare(reference, profile)
        columns = comparison.columns
        named = [name for name in columns if columns[name].status in {"warning", "alert"}]
        named.sort(key=lambda name: columns[name].status)  # "alert" sorts before "warning"
        yield Day(index, FIRST_DAY + timedelta(days=index), profile, comparison, tuple(named))


def fit(files: list[Path]) -> tg.Reference:
    """Fit the reference: the first week of `files`."""
    week = [files[day] for day in REFERENCE_DAYS]
    schema = tg.Schema.infer(
        week, score="score", prediction="decision", id=["payment_id", "card_id"], timestamp="time"
    )
    return tg.Reference.fit(week, schema=schema)


def run(folder: Path, rows_per_day: int = ROWS_PER_DAY, console: Console | None = None) -> list[Day]:
    """Write the data under `folder`, judge the two weeks after the reference, and print a line a day."""
    console = console or Console(width=None if sys.stdout.isatty() else 140)  # a pipe has no width of its own
    started = time.perf_counter()
    files = write(folder, rows_per_day)
    written = time.perf_counter()
    reference = fit(files)
    fitted = time.perf_counter()
    days = list(judge_days(reference, list(enumerate(files))[REFERENCE_DAYS.stop :]))
    judged = time.perf_counter()

    n_reference = reference.profile.n_rows
    n_judged = sum(day.profile.n_rows for day in days)
    console.print(table(days))
    days_as_windows = [((day.date, day.date + timedelta(days=1)), day.profile) for day in days]
    console.print(alarms(tg.scan(reference, days_as_windows, model="payments")))
    worst = max(days, key=lambda day: len(day.named))
    worst.comparison.to_html(folder / "report.html", f"Card payments of {worst.date:%A %d %B %Y}")
    console.print(f"The report of {worst.date:%A %d %B}: {folder / 'report.html'}", highlight=False)
    console.print(
        f"{n_reference + n_judged:,} rows x {len(reference.schema)} columns written in "
        f"{written - started:.1f} s; "
        f"{n_reference:,} rows of reference fitted in {fitted - written:.2f} s; "
        f"{n_judged:,} rows read, profiled and compared in {judged - fitted:.2f} s "
        f"({n_judged / (judged - fitted) / 1e6:.2f} M rows/s)"
    )
    return days


def table(days: list[Day]) -> Table:
    """Show a row for each day; the last column tells what was planted, which the verdict does not know."""
    shown = Table("day", "rows", "status", "named", "planted", title="Card payments against their first week")
    for day in days:
        shown.add_row(
            f"{day.date:%a %d %b}",
            f"{day.profile.n_rows:,}",
            Text(day.comparison.status, style=STYLES.get(day.comparison.status, "")),
            Text("\n".join(f"{name}: {'; '.join(reasons(day, name))}" for name in day.named)),
            Text("; ".join(incident.words for incident in active(day.index)), style="dim"),
        )
    return shown


def alarms(found: tg.ScanResult) -> Table:
    """Show a row for each alarm of all days together: since when, and why."""
    shown = Table("status", "column", "since", "until", "why", title="The two weeks scanned as one sequence")
    for alarm in found.alarms:
        shown.add_row(
            Text(alarm.status, style=STYLES.get(alarm.status, "")),
            Text(alarm.column),
            str(found.when(alarm.since)),
            str(found.when(alarm.last)),
            Text("; ".join(alarm.comparison.reasons)),
        )
    return shown


def reasons(day: Day, name: str) -> list[str]:
    """List why a column was named, in words."""
    return list(day.comparison.columns[name].reasons)
