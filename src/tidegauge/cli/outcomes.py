"""The command that tells how right a model is: performance."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

import tidegauge as tg
from tidegauge.cli.archives import last_span, only_series, require_filled
from tidegauge.cli.gates import FailOn, of_series, tell
from tidegauge.cli.inputs import load_reference, read, saved_profiles
from tidegauge.cli.labelled import rows_of, with_labels
from tidegauge.cli.outputs import waiting
from tidegauge.errors import InputError
from tidegauge.segments import by_dimension
from tidegauge.window import Window


@click.command()
@click.argument("current", nargs=-1, required=True)
@click.option("--reference", type=Path, help="What it is held against; of an archive, its own.")
@click.option("--labels", help="A file of ids and labels that came later, joined in memory.")
@click.option("--id", "id_column", help="The column of ids, in both; default: the schema's.")
@click.option("--window", help="Tell window by window of this length, such as 7d.")
@of_series
@click.option("--budget", type=float, default=1e-3, show_default=True, help="False incidents a window.")
@click.option(
    "--tolerance", type=float, default=0.01, show_default=True, help="Loss that may be, of a metric's span."
)
@click.option(
    "--mature-coverage",
    type=float,
    default=0.9,
    show_default=True,
    help="Share of rows that must have a label before realised metrics are judged.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole result as JSON.")
@click.option("--html", type=Path, help="Write a report: one offline page.")
@click.option("--fail-on", type=click.Choice(["warning", "alert"]), default="warning", show_default=True)
def performance(
    current: tuple[str, ...],
    *,
    reference: Path | None,
    labels: str | None,
    id_column: str | None,
    window: str | None,
    model: str | None,
    version: str | None,
    last: str,
    budget: float,
    tolerance: float,
    mature_coverage: float,
    as_json: bool,
    html: Path | None,
    fail_on: FailOn,
) -> None:
    """Tell how right a model is in CURRENT: files of rows, saved profiles, or an archive.

    Realised metrics of the rows with labels, and estimates of all where labels are still to come; exit 1 when
    it is less right than on the reference.
    """
    settings: dict[str, Any] = {"budget": budget, "tolerance": tolerance, "mature_coverage": mature_coverage}
    windows: tg.Profile | Mapping[Window, tg.Profile] | list[tg.Profile]
    if reference is None:
        if len(current) != 1 or labels:
            raise InputError("performance: name the --reference that files are held against")
        against, windows, settings["segments"] = of_archive(current[0], model, version, last, window)
        settings["now_ns"] = time.time_ns()
    else:
        against = load_reference(reference)
        windows = of_files(current, against, labels, id_column, window)
        if isinstance(windows, tg.Profile) and not saved_profiles(current):
            settings["segments"] = segments_of_files(current, against, labels, id_column)
    told = tg.performance if isinstance(windows, tg.Profile) else tg.performance_scan
    found: Any = told(windows, against, **settings)  # type: ignore[arg-type]
    tell(found, as_json=as_json, html=html, fail_on=fail_on)


def of_files(
    current: tuple[str, ...],
    against: tg.Reference,
    labels: str | None,
    id_column: str | None,
    window: str | None,
) -> tg.Profile | dict[Window, tg.Profile] | list[tg.Profile]:
    """Return one profile of files, or one for each window."""
    saved = saved_profiles(current)
    if saved:
        if labels:
            raise InputError(
                "performance: profiles hold no ids to join --labels by: give the rows themselves"
            )
        return saved if window else tg.merge(saved)
    if labels is None and window is None:
        return read(current, against, None, "full")
    rows, joined = list(current), None
    source = tg.arrow.batches(rows)
    if labels is not None:
        source, joined = with_labels(rows, labels, against, id_column)
    with waiting("reading"):
        made = (
            tg.profile(source, against)
            if window is None
            else tg.profile_windows(source, against, window=window)
        )
    if joined is not None:
        click.echo(
            f"{joined.n_labelled:,} of {joined.n_rows:,} rows have a label; {joined.n_again:,} labels were "
            "given again",
            err=True,
        )
        if joined.n_rows and not joined.n_labelled:
            raise InputError("performance: no row has an id of --labels: are they ids of the same rows?")
    return made


def segments_of_files(
    current: tuple[str, ...], against: tg.Reference, labels: str | None, id_column: str | None
) -> dict[str, tg.Profile]:
    """Return profiles of the segments that the reference has, of files that are read once more."""
    dimensions = list(by_dimension(against.segments))
    if not dimensions:
        return {}
    with waiting("reading segments"):
        return tg.profile_segments(rows_of(current, labels, against, id_column), against, dimensions)


def of_archive(
    url: str, model: str | None, version: str | None, last: str, step: str | None
) -> tuple[tg.Reference, dict[Window, tg.Profile], Callable[[Window], dict[str, tg.Profile]]]:
    """Return the reference and the windows of an archive's series, and what tells a window's segments.

    Raises InputError.
    """
    with tg.Archive(url, read_only=True) as opened:
        require_filled(opened, url)
        series = only_series(opened, model, version)
        start_ns, end_ns = last_span(opened, series, last)
        found = opened.windows(
            series.model,
            version=series.version,
            reference_id=series.reference_id,
            step=step,
            start=start_ns,
            end=end_ns,
        )
        against = opened.reference(series.reference_id)

    def segments(window: Window) -> dict[str, tg.Profile]:
        if not against.segments:
            return {}
        with tg.Archive(url, read_only=True) as again:
            return again.merged_segments(
                series.model,
                window.start_ns,
                window.end_ns,
                version=series.version,
                reference_id=series.reference_id,
            )

    return against, found, segments
