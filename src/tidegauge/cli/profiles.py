"""Commands that describe data: profile, reference, show."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

import tidegauge as tg
from tidegauge.cli.inputs import SEGMENTS, dimensions, load_reference, read
from tidegauge.cli.outputs import number, plain, save, stdout, tell, waiting
from tidegauge.column_profiles import ColumnProfile
from tidegauge.errors import InputError
from tidegauge.profiles import Accumulators

SETS: tuple[Accumulators, ...] = ("full", "light")
SHOWN_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@click.command()
@click.argument("data", nargs=-1, required=True)
@click.option("-o", "--output", type=Path, required=True, help="Where the profile is written.")
@click.option("--reference", type=Path, help="A reference whose edges and categories are counted.")
@click.option("--threads", type=click.IntRange(1), help="Columns are spread over this many threads.")
@click.option("--accumulators", type=click.Choice(SETS), default="full", show_default=True)
def profile(
    data: tuple[str, ...],
    output: Path,
    reference: Path | None,
    threads: int | None,
    accumulators: Accumulators,
) -> None:
    """Profile DATA (files, globs, URIs) in one streaming pass."""
    against = load_reference(reference) if reference else None
    made = read(data, against, threads, accumulators)
    save(made, output)
    tell(output, made.n_rows, len(made))


@click.command()
@click.argument("data", nargs=-1, required=True)
@click.option("-o", "--output", type=Path, required=True, help="Where the reference is written.")
@click.option("--schema", type=Path, help="A TOML file that gives roles and settings of columns.")
@click.option("--window", help="How long the windows are that will be compared, such as 1h or 1d.")
@click.option("--timestamp", help="The column that holds the time of a row; default: the schema's.")
@click.option("--segment", "segments", multiple=True, help=SEGMENTS)
def reference(
    data: tuple[str, ...],
    *,
    output: Path,
    schema: Path | None,
    window: str | None,
    timestamp: str | None,
    segments: tuple[str, ...],
) -> None:
    """Fit a reference on DATA: freeze its edges and categories, count its rows.

    With --window it also keeps how its own windows of that length differed, by which later ones are judged;
    with --segment, the counts of each value of a column, by which a verdict tells where a change lies.
    """
    given = tg.Schema.from_toml(schema) if schema else None
    with waiting("fitting"):
        made = tg.Reference.fit(
            list(data), schema=given, window=window, timestamp=timestamp, segments=dimensions(segments)
        )
    save(made, output)
    tell(output, made.profile.n_rows, len(made.schema))


@click.command()
@click.argument("saved", type=Path)
@click.argument("column", required=False)
def show(saved: Path, column: str | None) -> None:
    """Show a saved profile or reference, or one COLUMN of it."""
    loaded = tg.load(saved)
    shown = loaded.profile if isinstance(loaded, tg.Reference) else loaded
    if column is None:
        click.echo(repr(shown))
    elif column in shown:
        stdout().print(detail(shown[column]))
    else:
        raise InputError(f"{saved} has no column {column!r}; it has {', '.join(map(repr, shown))}")


def detail(column: ColumnProfile) -> Table:
    """Show everything one column knows, a fact a row."""
    table = Table("fact", "value", title=plain(column.name))
    facts = (
        "kind role n_rows n_absent n_mistyped n_null n_nan n_inf n_zero n_negative n_below n_above n_unseen "
        "n_distinct min max sum mean variance skewness kurtosis"
    )
    for fact in facts.split():
        value = getattr(column, fact, None)
        if value is not None:
            table.add_row(fact, number(value))
    quantiles = column.quantile(SHOWN_QUANTILES)
    if quantiles is not None:
        for q, value in zip(SHOWN_QUANTILES, quantiles.tolist(), strict=True):
            table.add_row(f"quantile {q}", number(value))
    for value, count in column.top(10):
        table.add_row(plain("(not shown)" if value is None else repr(value)), f"{count:,} rows")
    for name, bound in column.error_bounds.items():
        table.add_row(f"error of {name}", number(bound))
    return table
