"""The command that tells an archive labels."""

from __future__ import annotations

import json

import click

import tidegauge as tg
from tidegauge.cli.archives import only_series, require_filled

COUNTS = {
    "n_given": "given",
    "n_corrected": "corrected",
    "n_duplicate": "known already",
    "n_early": "early: they wait for their predictions",
    "n_dropped": "of predictions that are not kept",
    "n_unknown": "of no known class",
    "n_mistyped": "of another type",
    "n_null": "empty",
    "n_null_id": "without an id",
}


@click.command()
@click.argument("archive")
@click.argument("data", nargs=-1, required=True)
@click.option("--model", help="Whose labels; may be left out where the archive has one.")
@click.option("--version", help="Of this version.")
@click.option("--id", "id_", metavar="COLUMN", help="The column of ids; default: the schema's.")
@click.option("--label", "label_", metavar="COLUMN", help="The column of labels; default: the schema's.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as a JSON object.")
def label(
    archive: str,
    data: tuple[str, ...],
    *,
    model: str | None,
    version: str | None,
    id_: str | None,
    label_: str | None,
    as_json: bool,
) -> None:
    """Tell an ARCHIVE the labels in DATA (files, globs, URIs), by the ids of their predictions.

    In any order, any time after the predictions or before; a label told again with another value is a
    correction. All of them are stored, or none.
    """
    with tg.Archive(archive) as opened:
        require_filled(opened, archive)
        series = only_series(opened, model, version)
        report = opened.label_series(series, list(data), id=id_, label=label_)
    if as_json:
        click.echo(json.dumps(report.to_dict(), allow_nan=False))
        return
    told = [f"{count:,} {words}" for name, words in COUNTS.items() if (count := getattr(report, name))]
    click.echo(f"{report.n_rows:,} labels: {', '.join(told) or 'none'}")
    if report.n_joined_early:
        click.echo(f"{report.n_joined_early:,} told before have found their predictions")
