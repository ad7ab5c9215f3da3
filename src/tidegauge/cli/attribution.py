"""The command that tells whether a model goes by other features than in its reference: attribution."""

from __future__ import annotations

from pathlib import Path

import click

import tidegauge as tg
from tidegauge.attributions import row_parts
from tidegauge.cli.gates import FailOn, of_series, tell
from tidegauge.cli.inputs import load_reference, saved_profiles
from tidegauge.cli.outcomes import of_archive
from tidegauge.cli.outputs import waiting
from tidegauge.errors import InputError


@click.command()
@click.argument("current", nargs=-1, required=True)
@click.option("--reference", type=Path, help="What it is held against; of an archive, its own.")
@click.option("--window", help="Of files: the parts are windows of this length, such as 1d.")
@of_series
@click.option("--threshold", type=float, default=0.9, show_default=True, help="nDCG below which it drifted.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole result as JSON.")
@click.option("--html", type=Path, help="Write a report: one offline page.")
@click.option("--fail-on", type=click.Choice(["warning", "alert"]), default="warning", show_default=True)
def attribution(
    current: tuple[str, ...],
    *,
    reference: Path | None,
    window: str | None,
    model: str | None,
    version: str | None,
    last: str,
    threshold: float,
    as_json: bool,
    html: Path | None,
    fail_on: FailOn,
) -> None:
    """Tell whether a model goes by other features in CURRENT: files of rows, saved profiles, or an archive.

    By the columns with the role attribution, such as SHAP values: nDCG of their ranking, with an interval by
    how windows, profiles or (of files without --window) every 32nd row differ; exit 1 when it drifted.
    """
    parts: list[tg.Profile]
    if reference is None:
        if len(current) != 1 or window:
            raise InputError("attribution: name the --reference that files are held against")
        against, windows, _ = of_archive(current[0], model, version, last, None)
        parts = list(windows.values())
    else:
        against = load_reference(reference)
        parts = saved_profiles(current)
        if not parts:
            with waiting("reading"):
                source = tg.arrow.batches(list(current))
                parts = (
                    row_parts(source, against)
                    if window is None
                    else list(tg.profile_windows(source, against, window=window).values())
                )
    found = tg.attribution_drift(parts, against, threshold=threshold)
    tell(found, as_json=as_json, html=html, fail_on=fail_on)
