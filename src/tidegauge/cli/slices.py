"""The command that tells for which slices of rows a model is worse than for the rest: slices."""

from __future__ import annotations

import json
from pathlib import Path

import click

import tidegauge as tg
from tidegauge.cli.gates import of_series
from tidegauge.cli.inputs import SEGMENTS, dimensions, load_reference, saved_profiles
from tidegauge.cli.labelled import rows_of
from tidegauge.cli.outcomes import of_archive
from tidegauge.cli.outputs import waiting
from tidegauge.errors import InputError
from tidegauge.segment_profiles import segment_parts


@click.command()
@click.argument("current", nargs=-1, required=True)
@click.option("--reference", type=Path, help="What files are counted against; of an archive, its own.")
@click.option("--segment", "segments", multiple=True, help=f"Of files: {SEGMENTS}")
@click.option("--labels", help="A file of ids and labels that came later, joined in memory.")
@click.option("--id", "id_column", help="The column of ids, in both; default: the schema's.")
@click.option("--column", help="The score or prediction; default: the first.")
@click.option("--metric", help="A metric that is a mean over rows; default: accuracy, or absolute error.")
@of_series
@click.option(
    "--tolerance", type=float, default=0.01, show_default=True, help="Gap that may be, of a metric's span."
)
@click.option(
    "--level",
    type=float,
    default=0.05,
    show_default=True,
    help="How often to tell a slice that is not worse.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole result as JSON.")
def slices(
    current: tuple[str, ...],
    *,
    reference: Path | None,
    segments: tuple[str, ...],
    labels: str | None,
    id_column: str | None,
    column: str | None,
    metric: str | None,
    model: str | None,
    version: str | None,
    last: str,
    tolerance: float,
    level: float,
    as_json: bool,
) -> None:
    """Tell for which slices of CURRENT, files of rows or an archive, a model is worse than for the rest.

    Slices are suggested by one half of the rows (every second row, or window), and confirmed by the other.
    """
    parts: list[dict[str, tg.Profile]]
    if reference is None:
        if len(current) != 1 or labels or segments:
            raise InputError("slices: name the --reference that files are counted against")
        against, windows, segments_in = of_archive(current[0], model, version, last, None)
        with waiting("reading segments"):
            parts = [segments_in(window) for window in windows]
    else:
        against = load_reference(reference)
        if not segments or saved_profiles(current):
            raise InputError("slices: files of rows are needed, and the columns to cut them by, as --segment")
        source = rows_of(current, labels, against, id_column)
        with waiting("reading"):
            parts = segment_parts(source, against, dimensions(segments), 2)
    found = tg.find_slices(parts, against, metric=metric, column=column, tolerance=tolerance, level=level)
    click.echo(json.dumps(found.to_dict(), allow_nan=False) if as_json else repr(found))
