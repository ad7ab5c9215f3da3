"""Commands that judge files: compare, scan."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import click

import tidegauge as tg
from tidegauge.cli.inputs import load_reference, read, saved_profiles
from tidegauge.cli.outputs import waiting, written
from tidegauge.errors import InputError
from tidegauge.measurement import SEVERITY
from tidegauge.profiles import write_file
from tidegauge.report import render_junit

FOUND = 1
Command = Callable[..., None]
FailOn = Literal["insufficient", "warning", "alert"]


def tell(found: Any, *, as_json: bool, html: Path | None, fail_on: FailOn) -> None:
    """Print a result and write its page; exit with FOUND where its status is as bad as `fail_on`."""
    click.echo(json.dumps(found.to_dict(), allow_nan=False) if as_json else repr(found))
    if html:
        written(html, partial(found.to_html, html))
    if found.status in failing(fail_on):
        raise SystemExit(FOUND)


def of_series(command: Command) -> Command:
    """Give a command the options by which the windows of an archive are chosen."""
    for option in (
        click.option("--last", default="90d", show_default=True, help="Of an archive: how far back."),
        click.option("--version", help="Of an archive: only this version."),
        click.option("--model", help="Of an archive: whose windows; may be left out where it has one."),
    ):
        command = option(command)
    return command


def tolerating(command: Command) -> Command:
    """Give a command the options by which windows are judged."""
    for option in (
        click.option(
            "--budget", type=float, default=1e-3, show_default=True, help="False incidents a window."
        ),
        click.option("--tolerance", type=float, default=0.01, show_default=True, help="PSI that may be."),
        click.option(
            "--tolerance-share",
            type=float,
            default=0.01,
            show_default=True,
            help="Share of rows that may move in one place, or go missing.",
        ),
        click.option(
            "--fail-on",
            type=click.Choice(get_args(FailOn)),
            default="warning",
            show_default=True,
            help="Exit with 1 at this status, or a worse one.",
        ),
    ):
        command = option(command)
    return command


def judging(command: Command) -> Command:
    """Give a command that reads files and judges them its options."""
    threads = click.option(
        "--threads", type=click.IntRange(1), help="Columns are spread over this many threads."
    )
    return threads(tolerating(command))


@click.command()
@click.argument("reference", type=Path)
@click.argument("data", nargs=-1, required=True)
@click.option("--window", nargs=2, metavar="START END", help="The time of DATA; default: by its timestamps.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole comparison as JSON.")
@click.option("--html", type=Path, help="Write a report: one offline page.")
@click.option("--markdown", type=Path, help="Write Markdown for a pull request.")
@click.option("--junit", type=Path, help="Write JUnit XML, a test case for each judged column.")
@judging
def compare(
    reference: Path,
    data: tuple[str, ...],
    *,
    window: tuple[str, str] | None,
    as_json: bool,
    html: Path | None,
    markdown: Path | None,
    junit: Path | None,
    budget: float,
    tolerance: float,
    tolerance_share: float,
    fail_on: FailOn,
    threads: int | None,
) -> None:
    """Compare DATA, or saved profiles, with a REFERENCE; exit 1 when something is found.

    A gate for data and for models: in a pipeline, --fail-on says what stops it.
    """
    against = load_reference(reference)
    saved = saved_profiles(data)
    current = tg.merge(saved) if saved else read(data, against, threads, "full")
    comparison = tg.compare(
        against,
        current,
        budget=budget,
        tolerance=tolerance,
        tolerance_share=tolerance_share,
        window=window or None,
    )
    click.echo(json.dumps(comparison.to_dict(), allow_nan=False) if as_json else repr(comparison))
    if html:
        written(html, partial(comparison.to_html, html))
    if markdown:
        written(markdown, partial(write_file, markdown, comparison.to_markdown().encode()))
    if junit:
        written(junit, partial(write_file, junit, render_junit(comparison, fail_on).encode()))
    statuses = {column.status for column in comparison.columns.values() if column.judged}
    if failing(fail_on) & (statuses or {comparison.status}):
        raise SystemExit(FOUND)


@click.command()
@click.argument("reference", type=Path)
@click.argument("data", nargs=-1, required=True)
@click.option("--window", default=None, help="How long a window lasts, such as 1h; default: the reference's.")
@click.option("--timestamp", help="The column that holds the time of a row; default: the schema's.")
@click.option("--model", default="", help="A name: the turns of merged windows depend on it.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole result as JSON.")
@judging
def scan(
    reference: Path,
    data: tuple[str, ...],
    *,
    window: str | None,
    timestamp: str | None,
    model: str,
    as_json: bool,
    budget: float,
    tolerance: float,
    tolerance_share: float,
    fail_on: FailOn,
    threads: int | None,
) -> None:
    """Judge DATA window by window, alone and merged; exit 1 when something changed.

    DATA are files with a time column, or saved profiles of successive windows, in order.
    """
    against = load_reference(reference)
    profiles: Any = saved_profiles(data)
    if not profiles:
        length: str | timedelta | None = window
        if length is None and against.windows is not None:
            length = timedelta(microseconds=against.windows.width_ns / 1000)
        if length is None:
            raise InputError("scan: say how long a window lasts, such as --window 1d")
        with waiting("reading"):
            profiles = tg.profile_windows(
                list(data), against, window=length, timestamp=timestamp, threads=threads or 0
            )
    found = tg.scan(
        against, profiles, budget=budget, tolerance=tolerance, tolerance_share=tolerance_share, model=model
    )
    click.echo(json.dumps(found.to_dict(), allow_nan=False) if as_json else repr(found))
    statuses = {status for verdict in found.verdicts for status in verdict.columns.values()}
    if failing(fail_on) & (statuses or {found.status}):
        raise SystemExit(FOUND)


def failing(fail_on: FailOn) -> set[str]:
    """Return the statuses that fail a gate: the named one and the worse ones."""
    return set(SEVERITY[SEVERITY.index(fail_on) :])
