"""The command that times profiling on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from rich.table import Table

import tidegauge as tg
from tidegauge.cli.outputs import stdout
from tidegauge.cli.profiles import SETS
from tidegauge.errors import InputError

Array = npt.NDArray[Any]
KINDS = ("float64", "float32", "int64", "boolean", "category")


@click.command()
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
