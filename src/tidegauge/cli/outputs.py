"""What commands show and write: progress, tables, files."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

import tidegauge as tg
from tidegauge.errors import InputError
from tidegauge.tables import printable


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
