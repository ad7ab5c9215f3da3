"""The command line: `tidegauge profile | reference | show | compare | scan | bench`.

Exit codes: 0 nothing found, 1 something found (`compare` and `scan`: a warning or an alert, or what --fail-on
says), 2 an error. Results go to stdout, progress (on a terminal only) and errors to stderr.

Longer than most files: every command stands here with its options and their words.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

import tidegauge as tg
from tidegauge.arrow import batches
from tidegauge.column_profiles import ColumnProfile
from tidegauge.errors import InputError, TidegaugeError
from tidegauge.measurement import SEVERITY
from tidegauge.profiles import Accumulators, write_file
from tidegauge.report import render_junit
from tidegauge.tables import printable

FOUND, ERROR = 1, 2
SHOWN_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
SETS: tuple[Accumulators, ...] = ("full", "light")
Array = npt.NDArray[Any]
EXPECTED = (TidegaugeError, OSError, MemoryError)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(tg.__version__, prog_name="tidegauge")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Watch machine-learning models in production: profile data, compare it with a reference."""


@cli.command()
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


@cli.command()
@click.argument("data", nargs=-1, required=True)
@click.option("-o", "--output", type=Path, required=True, help="Where the reference is written.")
@click.option("--schema", type=Path, help="A TOML file that gives roles and settings of columns.")
@click.option("--window", help="How long the windows are that will be compared, such as 1h or 1d.")
@click.option("--timestamp", help="The column that holds the time of a row; default: the schema's.")
def reference(
    data: tuple[str, ...], output: Path, schema: Path | None, window: str | None, timestamp: str | None
) -> None:
    """Fit a reference on DATA: freeze its edges and categories, count its rows.

    With --window it also keeps how its own windows of that length differed, by which later ones are judged.
    """
    given = tg.Schema.from_toml(schema) if schema else None
    with waiting("fitting"):
        made = tg.Reference.fit(list(data), schema=given, window=window, timestamp=timestamp)
    save(made, output)
    tell(output, made.profile.n_rows, len(made.schema))


@cli.command()
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


Command = Callable[..., None]
FailOn = Literal["insufficient", "warning", "alert"]


def judging(command: Command) -> Command:
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
            help="Exit with 1 at this status of a judged column, or a worse one.",
        ),
        click.option("--threads", type=click.IntRange(1), help="Columns are spread over this many threads."),
    ):
        command = option(command)
    return command


@cli.command()
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


@cli.command()
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


def saved_profiles(data: tuple[str, ...]) -> list[tg.Profile]:
    """Load saved profiles; [] where the data are files to be read. Raises InputError for some of both."""
    saved = [path for path in data if Path(path).suffix == ".tg"]
    if saved and len(saved) < len(data):
        raise InputError(
            f"{saved[0]} is a saved profile and {data[0]!r} or another is not: give one kind at a time"
        )
    return [load_profile(Path(path)) for path in saved]


KINDS = ("float64", "float32", "int64", "boolean", "category")


@cli.command()
@click.option("--rows", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--columns", type=click.IntRange(1), default=1, show_default=True)
@click.option("--kinds", default=",".join(KINDS), show_default=True, help="Comma-separated.")
@click.option(
    "--nulls", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Fraction of nulls."
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
def bench(rows: int, columns: int, kinds: str, nulls: float, threads: int) -> None:
    """Time profiling of made-up columns on this machine, beside a plain np.sum of the same arrays."""
    shown = Table(
        "kind", "set", "ns/value", "GB/s", "x np.sum", title=f"{columns} x {rows:,} rows, {threads} threads"
    )
    for kind in kinds.split(","):
        if kind not in KINDS:
            raise InputError(f"--kinds has {kind!r}; the kinds are {', '.join(KINDS)}")
        table, plain = made_up(kind, rows, columns, nulls)
        against = tg.Reference.fit(table)
        floor = best(sums, plain)
        for accumulators in SETS:
            took = best(partial(tg.profile, threads=threads, accumulators=accumulators), table, against)
            shown.add_row(
                kind,
                accumulators,
                f"{took / (rows * columns) * 1e9:.2f}",
                f"{sum(array.nbytes for array in plain) / took / 1e9:.2f}",
                f"{took / floor:.1f}",
            )
    stdout().print(shown)


def made_up(kind: str, rows: int, columns: int, nulls: float) -> tuple[Any, list[Array]]:
    """Make an Arrow table of one kind, and give the NumPy arrays its values lie in (a category's codes)."""
    import pyarrow as pa

    rng = np.random.default_rng(1)
    plain: list[Array] = []
    arrays = []
    for _ in range(columns):
        values: Array
        if kind == "category":
            values = rng.zipf(1.5, rows).clip(max=1_000).astype(np.int32) - 1
        elif kind == "boolean":
            values = rng.random(rows) < 0.3
        else:
            values = rng.lognormal(3.0, 1.0, rows).astype(kind)
        array = pa.array(values, mask=rng.random(rows) < nulls if nulls else None)
        if kind == "category":
            array = pa.DictionaryArray.from_arrays(array, pa.array([f"value {i}" for i in range(1_000)]))
        plain.append(values)
        arrays.append(array)
    return pa.table(arrays, names=[f"c{i}" for i in range(columns)]), plain


def sums(arrays: list[Array]) -> list[Any]:
    """Add up each array: the least that reading it can cost."""
    return [array.sum() for array in arrays]


def best(run: Callable[..., object], *arguments: object) -> float:
    """Time at least three runs and half a second of them; give the shortest, in seconds."""
    shortest, n_runs, began = float("inf"), 0, time.perf_counter()
    while n_runs < 3 or time.perf_counter() - began < 0.5:
        started = time.perf_counter()
        run(*arguments)
        shortest, n_runs = min(shortest, time.perf_counter() - started), n_runs + 1
    return shortest


def read(
    data: tuple[str, ...], against: tg.Reference | None, threads: int | None, accumulators: Accumulators
) -> tg.Profile:
    """Profile files batch by batch: memory stays flat, and the rows are counted as they pass."""
    source = batches(list(data))
    made = tg.Profile.empty(against, accumulators=accumulators)
    for batch in progress(source, source.n_rows):
        made.update(batch, threads=threads or 0)
    return made


def progress(source: Iterable[Any], total: int | None) -> Iterator[Any]:
    """Pass batches through, under a bar of rows and rows/s when stderr is a terminal."""
    if not sys.stderr.isatty():
        yield from source
        return
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.fields[rows]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task, started, seen = bar.add_task("reading", total=total, rows=""), time.monotonic(), 0
        for batch in source:
            yield batch
            seen += batch.n_rows
            rate = seen / max(time.monotonic() - started, 1e-9)
            bar.update(task, completed=seen, rows=f"{seen:,} rows, {rate / 1e6:.1f} M rows/s")


@contextmanager
def waiting(words: str) -> Iterator[None]:
    """Show a spinner while something without a row count runs, when stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(words):
        yield


def tell(path: Path, n_rows: int, n_columns: int) -> None:
    """Say what was written."""
    click.echo(f"{n_rows:,} rows, {n_columns} columns -> {path} ({path.stat().st_size:,} bytes)")


def save(made: tg.Profile | tg.Reference, path: Path) -> None:
    """Save, whole or not at all."""
    written(path, partial(made.save, path))


def written(path: Path, write: Callable[[], object]) -> None:
    """Write a file; an error names the file that was asked for."""
    try:
        write()
    except OSError as error:
        why = f"{path} cannot be written: {error.strerror or error}"
        raise InputError(f"{why}; name a writable folder with space left") from error


def load_reference(path: Path) -> tg.Reference:
    """Load a reference, and refuse a profile."""
    loaded = tg.load(path)
    if not isinstance(loaded, tg.Reference):
        raise InputError(
            f"{path} is a profile, not a reference; make one with `tidegauge reference DATA -o ref.tg`"
        )
    return loaded


def load_profile(path: Path) -> tg.Profile:
    """Load a profile; of a reference, the counts."""
    loaded = tg.load(path)
    return loaded.profile if isinstance(loaded, tg.Reference) else loaded


def stdout() -> Console:
    """Make a console that keeps its tables whole in a pipe, where no width is known."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def plain(text: object) -> Text:
    """Defuse hostile names and values: no markup is read in them, control characters are shown."""
    return Text(printable(str(text)))


def number(value: object) -> Text:
    """Format a count exactly, another number to six digits, anything else as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return plain(f"{value:,}")
    return plain(f"{value:,.6g}" if isinstance(value, float) else value)


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


def fail(error: BaseException) -> NoReturn:
    """Print one line on stderr and exit with code 2."""
    words = str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        words = f"out of memory ({words}): profile fewer files at a time, or with --accumulators light"
    click.echo(f"tidegauge: {printable(words, None)}", err=True)
    raise SystemExit(ERROR) from None


def main() -> None:
    """Run the command line; the console script's entry point."""
    debug = "--debug" in sys.argv[1:]
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        raise SystemExit(ERROR) from None
    except click.Abort:  # Ctrl-C
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader of our output has gone, which is its right
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(0) from None
    except EXPECTED as error:
        if debug:
            raise
        fail(error)


if __name__ == "__main__":
    main()
