"""Commands around an archive: watch, judge, windows, compact."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.table import Table

import tidegauge as tg
from tidegauge.archive import Series
from tidegauge.arrow import batches
from tidegauge.cli.gates import FOUND, FailOn, failing, tolerating
from tidegauge.cli.inputs import SEGMENTS, dimensions, load_reference
from tidegauge.cli.outputs import number, plain, progress, stdout
from tidegauge.errors import InputError
from tidegauge.measurement import SEVERITY, Status
from tidegauge.monitor import Health
from tidegauge.segments import parse_segment, shown_segment
from tidegauge.verdict import Verdict, latest, verdicts
from tidegauge.window import Window, parse_duration

FOLLOWED_SECONDS = 5.0  # between two looks at the folders


@click.command()
@click.argument("data", nargs=-1, required=True)
@click.option("--reference", type=Path, required=True, help="What the windows are counted against.")
@click.option("--archive", required=True, help="A file, a folder or a URL; made where it is not there.")
@click.option("--model", default="model", show_default=True, help="The name of what is watched.")
@click.option("--version", default="", help="Its version.")
@click.option("--window", default="1h", show_default=True, help="How long a window lasts.")
@click.option("--timezone", default="UTC", show_default=True, help="By whose clocks whole days are counted.")
@click.option("--timestamp", help="The column that holds the time of a row; default: the schema's.")
@click.option("--segment", "segments", multiple=True, help=SEGMENTS)
@click.option("--grace", default="5m", show_default=True, help="How long a window waits for late rows.")
@click.option("--follow", is_flag=True, help="Go on, with files that come to be; ends with Ctrl-C.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
def watch(
    data: tuple[str, ...],
    *,
    reference: Path,
    archive: str,
    model: str,
    version: str,
    window: str,
    timezone: str,
    timestamp: str | None,
    segments: tuple[str, ...],
    grace: str,
    follow: bool,
    threads: int,
) -> None:
    """Replay or follow DATA (files, globs, URIs) as a monitor would see it, into an archive.

    With --follow, files that appear later are read as well, once each: write them under another name and
    rename them when they are whole.
    """
    monitor = tg.Monitor(
        model,
        load_reference(reference),
        archive=archive,
        version=version,
        window=window,
        timezone=timezone,
        timestamp=timestamp,
        segments=dimensions(segments),
        grace=grace,
        threads=threads,
    )
    with monitor:
        for source in followed(data) if follow else iter([batches(list(data))]):
            for batch in progress(source, source.n_rows):
                monitor.update(batch)
            if follow:
                monitor.checkpoint()
    told_health(monitor.health)


def followed(data: tuple[str, ...]) -> Iterator[tg.arrow.Batches]:
    """Yield the files that match, each once, as they come to be."""
    import glob

    seen: set[str] = set()
    try:
        while True:
            fresh = [
                path for each in data for path in sorted(glob.glob(each, recursive=True)) if path not in seen
            ]
            seen.update(fresh)
            for path in fresh:
                yield batches(path)
            time.sleep(0 if fresh else FOLLOWED_SECONDS)
    except KeyboardInterrupt:
        return


def told_health(health: Health) -> None:
    """Say where the rows went. Raises InputError for any that are not in the archive."""
    out_of_turn = {"late": health.n_rows_late, "early": health.n_rows_early, "untimed": health.n_rows_untimed}
    words = "".join(f", {n:,} of them {home}" for home, n in out_of_turn.items() if n)
    click.echo(f"{health.n_rows_archived:,} rows archived{words}")
    if health.n_rows_refused or health.n_rows_lost:
        raise InputError(
            f"{health.n_rows_refused:,} rows were refused, {health.n_rows_lost:,} lost: {health.last_error}"
        )


@click.command()
@click.argument("archive")
@click.option("--model", help="Only this one; default: all.")
@click.option("--since", default="30d", show_default=True, help="Windows that ended earlier are left alone.")
@click.option("--follow", is_flag=True, help="Go on judging as windows become complete; ends with Ctrl-C.")
@click.option("--every", default="1m", show_default=True, help="How often --follow looks.")
@click.option("--json", "as_json", is_flag=True, help="Print each verdict as a line of JSON.")
@tolerating
def judge(
    archive: str,
    *,
    model: str | None,
    since: str,
    follow: bool,
    every: str,
    as_json: bool,
    budget: float,
    tolerance: float,
    tolerance_share: float,
    fail_on: FailOn,
) -> None:
    """Judge the complete windows of an ARCHIVE that have no verdict yet; exit 1 when something is found.

    Each window is judged once, from what all processes wrote; rows that come later make a new revision. For
    cron, or with --follow as a sidecar.
    """
    found: set[str] = set()

    def told(verdict: Verdict) -> None:
        found.add(verdict.status)
        click.echo(json.dumps(verdict.to_dict(), allow_nan=False) if as_json else line_of(verdict))

    with tg.Archive(archive) as opened:
        if not follow:
            require_filled(opened, archive)
        while True:
            tg.judge(
                opened,
                model=model,
                since=since,
                budget=budget,
                tolerance=tolerance,
                tolerance_share=tolerance_share,
                on_close=told,
            )
            if not follow:
                break
            try:
                time.sleep(parse_duration(every) / 1e9)
            except KeyboardInterrupt:
                break
    if found & failing(fail_on):
        raise SystemExit(FOUND)


def line_of(verdict: Verdict) -> str:
    """Return one line for people."""
    again = f" (revision {verdict.revision})" if verdict.revision else ""
    gaps = "".join(f"; {gap}" for gap in verdict.gaps)
    places = (f"; {column}: in {place}" for column in verdict.segments if (place := verdict.where(column)))
    named = " ".join(part for part in (verdict.model, verdict.version) if part)
    return plain(f"{verdict.window}  {named}{again}  {verdict.summary}{''.join(places)}{gaps}").plain


@click.command()
@click.argument("archive")
@click.option("--model", help="Whose windows; may be left out where the archive has one.")
@click.option("--version", help="Only this version.")
@click.option("--last", default="7d", show_default=True, help="How far back, from the latest window.")
@click.option("--step", help="Merge to windows of this length, such as 1d; default: as they were archived.")
@click.option("--segment", help='Such as country=SE, or "country=SE,device=ios".')
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects.")
def windows(
    archive: str,
    *,
    model: str | None,
    version: str | None,
    last: str,
    step: str | None,
    segment: str | None,
    as_json: bool,
) -> None:
    """List the windows of an ARCHIVE, merged to any step, with the verdict of each.

    Windows as they were judged show that verdict, merged ones the worst of theirs; those of a segment, and
    those not judged yet, are compared now.
    """
    wanted = None if segment is None else segment_of(segment)
    with tg.Archive(archive, read_only=True) as opened:
        require_filled(opened, archive)
        series = only_series(opened, model, version)
        start_ns, end_ns = last_span(opened, series, last)
        found = opened.windows(
            series.model,
            version=series.version,
            reference_id=series.reference_id,
            step=step,
            start=start_ns,
            end=end_ns,
            segment=wanted,
        )
        judged = latest(verdicts(opened, series))
        reference = opened.reference(series.reference_id)
        rows = []
        for window, profile in found.items():
            within = [each for each in judged.values() if is_within(each.window, window)]
            if wanted or not within:
                told = tg.compare(reference, profile, window=window)
                status, summary = told.status, told.summary
            else:
                status, summary = summed_up(within)
            rows.append(
                {
                    "window": str(window),
                    "start_ns": window.start_ns,
                    "end_ns": window.end_ns,
                    "n_rows": profile.n_rows,
                    "status": status,
                    "n_verdicts": 0 if wanted else len(within),
                    "summary": summary,
                }
            )
    if as_json:
        click.echo(json.dumps(rows, allow_nan=False))
        return
    parts = (series.model, series.version, shown_segment(wanted or {}))
    shown = Table("window", "rows", "status", "what", title=plain(" ".join(part for part in parts if part)))
    for row in rows:
        shown.add_row(
            plain(row["window"]), number(row["n_rows"]), plain(row["status"]), plain(row["summary"])
        )
    stdout().print(shown)


def is_within(one: Window, other: Window) -> bool:
    """Tell whether a window lies in another one."""
    return other.start_ns <= one.start_ns and one.end_ns <= other.end_ns


def summed_up(judged: list[Verdict]) -> tuple[Status, str]:
    """Return the worst status of some verdicts, and what it said; of several, how many there were of each."""
    gravest = max(judged, key=lambda each: SEVERITY.index(each.status))
    if len(judged) == 1:
        return gravest.status, gravest.summary
    if gravest.status == "ok":
        return "ok", f"{len(judged)} windows, all ok"
    counts = Counter(each.status for each in judged)
    told = ", ".join(f"{counts[status]} {status}" for status in reversed(SEVERITY) if counts[status])
    return gravest.status, f"{len(judged)} windows: {told}; {gravest.window}: {gravest.summary}"


@click.command()
@click.argument("archive")
@click.option("--older-than", default="30d", show_default=True, help="Only windows that ended longer ago.")
@click.option("--to", default="1d", show_default=True, help="The length to merge windows to.")
@click.option("--model", help="Only this one; default: all.")
def compact(archive: str, *, older_than: str, to: str, model: str | None) -> None:
    """Merge the old windows of an ARCHIVE into longer ones, and those of all processes; no count changes."""
    with tg.Archive(archive) as opened:
        require_filled(opened, archive)
        now_ns = time.time_ns()
        done = opened.compact(
            older_than=now_ns - parse_duration(older_than), to=to, now_ns=now_ns, model=model
        )
        damaged = len(opened.quarantined())
    aside = f"; {damaged:,} damaged records are set aside" if damaged else ""
    click.echo(
        f"{done.n_records_before:,} records became {done.n_records_after:,}, of {done.n_rows:,} rows{aside}"
    )


def segment_of(text: str) -> dict[str, Any]:
    """Return the segment that "country=SE,device=ios", or its JSON, names. Raises InputError."""
    if text.startswith("{"):
        return dict(parse_segment(text))
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(column and sign for column, sign, _ in pairs):
        raise InputError(f"--segment {text!r}: write it as COLUMN=VALUE, several with commas, or as JSON")
    return {column: value for column, _, value in pairs}


def require_filled(archive: tg.Archive, url: str) -> None:
    """Raise InputError for an archive without profiles, which a wrong path is as well."""
    if not archive.models():
        raise InputError(f"{url}: no profiles are archived there: name an archive that a monitor fills")


def last_span(archive: tg.Archive, series: Series, last: str) -> tuple[int, int]:
    """Return the time of a series' last windows, [start, end) in nanoseconds since 1970."""
    end_ns = max(each.key.window.end_ns for each in archive.find(series, segment=""))
    return end_ns - parse_duration(last), end_ns


def only_series(archive: tg.Archive, model: str | None, version: str | None) -> Series:
    """Return the one series meant. Raises InputError where there is none, or more than one."""
    found = archive.series(model=model, version=version)
    if len(found) != 1:
        there = found or archive.models()
        told = ", ".join(f"{each.model!r} version {each.version!r}" for each in there[:10])
        what = "several of these" if found else "no such model"
        raise InputError(f"the archive has {what}: say which one with --model and --version; it has {told}")
    return found[0]
