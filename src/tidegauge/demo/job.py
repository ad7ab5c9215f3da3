"""The demo's job: a reference fitted on payments, a service watched, its hours judged, a report made."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

import tidegauge as tg
from tidegauge.demo.files import ROWS_PER_DAY, fit, write
from tidegauge.demo.incidents import INCIDENTS, N_DAYS, REFERENCE_DAYS, Incident
from tidegauge.demo.outcomes import hotel, show, show_hotel, watch
from tidegauge.demo.payments import FIRST_DAY
from tidegauge.demo.service import MODEL, Served, serve
from tidegauge.verdict import Verdict
from tidegauge.window import HOUR, as_ns

N_PROCESSES = 3
STYLES = {"ok": "green", "warning": "yellow", "alert": "bold red"}
END_NS = as_ns(FIRST_DAY + timedelta(days=N_DAYS))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demo found: what each process did, a verdict an hour, and the alarms of all hours."""

    served: tuple[Served, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def alarms(self) -> list[dict[str, Any]]:
        """The alarms of all windows, in order of their beginnings."""
        alarms = [
            dict(alarm) | {"where": verdict.where(alarm["column"])}
            for verdict in self.verdicts
            for alarm in verdict.alarms
        ]
        return sorted(alarms, key=lambda alarm: (alarm["since"], alarm["column"]))


def run(
    folder: Path,
    rows_per_day: int = ROWS_PER_DAY,
    console: Console | None = None,
    data: Path | None = None,
) -> Outcome:
    """Write the data under `folder`, score and watch two weeks of it, judge every hour, say what changed.

    Then say how right a model is, with labels that come late: of payments, and of the hotel's bookings where
    the folder `data` holds them.
    """
    console = console or Console(width=None if sys.stdout.isatty() else 140)  # a pipe has no width of its own
    started = time.perf_counter()
    files = write(folder, rows_per_day)
    reference = fit(files)
    reference.save(folder / "reference.tg")
    fitted = time.perf_counter()
    console.print(
        f"{rows_per_day * N_DAYS:,} payments x {len(reference.schema)} columns written, and a reference "
        f"fitted on the first {len(REFERENCE_DAYS)} days, in {fitted - started:.1f} s"
    )

    archive = fresh_archive(folder, "tidegauge.db")
    served = score_all(files[REFERENCE_DAYS.stop :], folder / "reference.tg", archive)
    scored = time.perf_counter()
    console.print(told(served, scored - fitted))

    with tg.Archive(archive) as opened:
        judged = tg.judge(opened, now_ns=END_NS + HOUR, model=MODEL)
        outcome = Outcome(tuple(served), tuple(judged))
        console.print(
            f"{len(judged)} hours judged in {time.perf_counter() - scored:.1f} s: "
            f"{', '.join(f'{n} {status}' for status, n in Counter(each.status for each in judged).items())}"
        )
        console.print(table(outcome))
        worst = max(judged, key=lambda each: sum(named(each).values()))
        profile = opened.merged(MODEL, worst.window.start_ns, worst.window.end_ns)
        comparison = tg.compare(reference, profile, window=worst.window)
    comparison.to_html(folder / "report.html", f"Card payments, {worst.window}")
    console.print(f"The report of {worst.window}: {folder / 'report.html'}", highlight=False)
    console.print(f"Ask the archive: tidegauge windows {folder / 'tidegauge.db'} --last 1d", highlight=False)
    how_right(folder, data, console)
    return outcome


def how_right(folder: Path, data: Path | None, console: Console) -> None:
    """Say how right models are whose labels come late."""
    archive = fresh_archive(folder, "outcomes.db")
    told = watch(archive)
    show(told, console)
    told.after.to_html(folder / "performance.html", "Card payments: how right the model was")
    console.print(f"The report of these days: {folder / 'performance.html'}", highlight=False)
    if data is not None and (data / "hotel_reference.parquet").exists():
        show_hotel(hotel(data, archive), console)
    console.print(
        f"Ask the archive: tidegauge performance {folder / 'outcomes.db'} --model fraud", highlight=False
    )


def fresh_archive(folder: Path, name: str) -> str:
    """Return the URL of an archive without a row: the last run's would count every payment twice."""
    for left in folder.glob(f"{name}*"):
        left.unlink()
    return f"sqlite:///{folder / name}"


def score_all(files: list[Path], reference: Path, archive: str) -> list[Served]:
    """Have several processes score the files at once, each a share of the requests."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(N_PROCESSES, mp_context=spawn) as pool:
        jobs = [
            pool.submit(serve, files, share, N_PROCESSES, reference, archive) for share in range(N_PROCESSES)
        ]
        return [job.result() for job in jobs]


def told(served: list[Served], seconds: float) -> str:
    """Say how fast the service was, and what watching it took."""
    n_rows = sum(each.n_rows for each in served)
    in_all = sum(each.seconds for each in served)
    watching = sum(each.monitor_seconds for each in served)
    return (
        f"{n_rows:,} payments scored by {len(served)} processes on {os.cpu_count()} cores in {seconds:.1f} s "
        f"({n_rows / max(each.seconds for each in served):,.0f} a second); watching took "
        f"{watching / in_all:.1%} of it, {watching / n_rows * 1e6:.2f} us a row of 25 columns\n"
        f"{sum(each.health.n_rows_archived for each in served):,} rows archived in windows of an hour, "
        f"the last of them {max(each.closing_seconds for each in served):.1f} s after the last payment"
    )


def named(verdict: Verdict) -> Counter[str]:
    """Return the columns that a verdict names, worst twice."""
    weights = {"warning": 1, "alert": 2}
    columns: dict[str, Any] = verdict.comparison["columns"]
    return Counter({name: weights.get(column["status"], 0) for name, column in columns.items()})


def table(outcome: Outcome) -> Table:
    """Show a row for each alarm; the last column tells what was planted, which the verdicts do not know."""
    shown = Table(
        *("status", "column", "since", "what", "where", "planted"),
        title="Alarms of two weeks, and what was planted",
    )
    for alarm in outcome.alarms:
        incident = planted_in(alarm["column"], alarm["since"])
        shown.add_row(
            Text(alarm["status"], style=STYLES.get(alarm["status"], "")),
            Text(alarm["column"]),
            Text(alarm["since"]),
            Text("; ".join(alarm["comparison"]["reasons"][:1])),
            Text(alarm["where"]),
            Text("" if incident is None else f"{begin_of(incident)}: {incident.words}", style="dim"),
        )
    return shown


def planted_in(column: str, since: str) -> Incident | None:
    """Return the incident of a column that lasted at this time."""
    day = (as_ns(since.split(" .. ", maxsplit=1)[0]) - as_ns(FIRST_DAY)) // (24 * HOUR)
    return next((i for i in INCIDENTS if column in i.columns and i.first_day <= day <= i.last_day), None)


def begin_of(incident: Incident) -> str:
    """Return the hour in which an incident begins."""
    return f"{FIRST_DAY + timedelta(days=incident.first_day)} {incident.first_hour:02d}:00"
