"""The command that tells how alike a model treats facets of a population: fairness."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

import tidegauge as tg
from tidegauge.cli.archives import last_span, only_series, require_filled
from tidegauge.cli.gates import FailOn, of_series, tell
from tidegauge.cli.inputs import load_reference, saved_profiles
from tidegauge.cli.labelled import rows_of
from tidegauge.cli.outputs import waiting
from tidegauge.errors import InputError


@click.command()
@click.argument("current", nargs=-1, required=True)
@click.option("--segment", "by", required=True, help="The column whose values are the facets, such as sex.")
@click.option(
    "--advantaged", help="The value that others are held against; default: each against all others."
)
@click.option("--column", help="The score or yes-or-no prediction; default: the first.")
@click.option("--group", help="A column in whose values conditional disparity is told.")
@click.option(
    "--favourable", type=click.Choice(["positive", "negative"]), default="positive", show_default=True
)
@click.option("--tolerance", type=float, default=0.1, show_default=True, help="Difference that may be.")
@click.option("--reference", type=Path, help="What files are counted against; of an archive, its own.")
@click.option("--labels", help="A file of ids and labels that came later, joined in memory.")
@click.option("--id", "id_column", help="The column of ids, in both; default: the schema's.")
@of_series
@click.option("--json", "as_json", is_flag=True, help="Print the whole result as JSON.")
@click.option("--html", type=Path, help="Write a report: one offline page.")
@click.option("--fail-on", type=click.Choice(["warning", "alert"]), default="warning", show_default=True)
def fairness(
    current: tuple[str, ...],
    *,
    by: str,
    advantaged: str | None,
    column: str | None,
    group: str | None,
    favourable: Literal["positive", "negative"],
    tolerance: float,
    reference: Path | None,
    labels: str | None,
    id_column: str | None,
    model: str | None,
    version: str | None,
    last: str,
    as_json: bool,
    html: Path | None,
    fail_on: FailOn,
) -> None:
    """Tell how alike a model treats facets in CURRENT, files of rows or an archive.

    Bias metrics before and after the model, as SageMaker Clarify defines them, with intervals; exit 1 when a
    facet is treated unlike beyond the limits.
    """
    if reference is None:
        if len(current) != 1 or labels:
            raise InputError("fairness: name the --reference that files are counted against")
        against, segments = of_archive(current[0], model, version, last)
    else:
        against = load_reference(reference)
        if saved_profiles(current):
            raise InputError("fairness: files of rows are needed, a profile does not know its facets")
        source = rows_of(current, labels, against, id_column)
        with waiting("reading"):
            segments = tg.profile_segments(source, against, [by, *([] if group is None else [(by, group)])])
    found = tg.fairness(
        segments,
        against,
        by,
        advantaged=advantaged,
        group=group,
        favourable=favourable,
        column=column,
        tolerance=tolerance,
    )
    tell(found, as_json=as_json, html=html, fail_on=fail_on)


def of_archive(
    url: str, model: str | None, version: str | None, last: str
) -> tuple[tg.Reference, dict[str, tg.Profile]]:
    """Return the reference of an archive's series and its segments, of all windows together."""
    with tg.Archive(url, read_only=True) as opened:
        require_filled(opened, url)
        series = only_series(opened, model, version)
        found = opened.merged_segments(
            series.model,
            *last_span(opened, series, last),
            version=series.version,
            reference_id=series.reference_id,
        )
        return opened.reference(series.reference_id), found
