"""Shapes of data: many columns on two threads, the small batches of a serving process, one row."""

from __future__ import annotations

from collections.abc import Callable

import boost_histogram as bh
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from benchmarks.data import wide

import tidegauge as tg

Timed = Callable[..., None]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("mode", ["full", "light"])
def test_wide(timed: Timed, threads: int, mode: str) -> None:
    data = pa.Table.from_batches([wide(1_000_000)])
    against = tg.Reference.fit(data.slice(0, 100_000))
    one = tg.profile(data, against, threads=1, accumulators=mode)
    assert tg.profile(data, against, threads=threads, accumulators=mode).to_bytes() == one.to_bytes()
    run = lambda: tg.profile(data, against, threads=threads, accumulators=mode)  # noqa: E731
    timed(
        run,
        case="20 x 1 M float64",
        who=f"tidegauge {mode}, threads={threads}",
        values=20_000_000,
        n_bytes=data.nbytes,
    )


def test_wide_numpy_sum(timed: Timed) -> None:
    arrays = [column.to_numpy() for column in wide(1_000_000).columns]
    assert all(array.sum() > 0 for array in arrays)
    run = lambda: [array.sum() for array in arrays]  # noqa: E731
    timed(
        run,
        case="20 x 1 M float64",
        who="numpy sum",
        values=20_000_000,
        n_bytes=sum(a.nbytes for a in arrays),
    )


def test_wide_polars_describe(timed: Timed) -> None:
    frame = pl.DataFrame(
        {name: column.to_numpy() for name, column in zip(*parts(wide(1_000_000)), strict=True)}
    )
    assert frame.describe().width == 21
    timed(
        frame.describe,
        case="20 x 1 M float64",
        who="Polars describe, all threads",
        values=20_000_000,
        rounds=3,
    )


def parts(batch: pa.RecordBatch) -> tuple[list[str], list[pa.Array]]:
    return batch.schema.names, batch.columns


@pytest.mark.parametrize("n_rows", [1_000, 1])
@pytest.mark.parametrize("mode", ["full", "light"])
def test_small_batch(timed: Timed, n_rows: int, mode: str) -> None:
    batch = wide(n_rows)
    profile = tg.Profile.empty(tg.Reference.fit(pa.Table.from_batches([wide(100_000)])), accumulators=mode)
    profile.update(batch)
    assert profile.n_rows == n_rows

    def run() -> None:
        for _ in range(1_000):
            profile.update(batch)

    case = f"update, {n_rows:,} x 20 float64 (1,000 batches)"
    timed(run, case=case, who=f"tidegauge {mode}", values=1_000 * n_rows * 20, n_bytes=1_000 * n_rows * 160)


@pytest.mark.parametrize("n_rows", [1_000, 1])
def test_small_batch_boost(timed: Timed, n_rows: int) -> None:
    arrays = [column.to_numpy() for column in wide(n_rows).columns]
    edges = np.quantile(wide(100_000).column(0).to_numpy(), np.linspace(0, 1, 21))
    filled = [bh.Histogram(bh.axis.Variable(edges)) for _ in arrays]

    def run() -> None:
        for _ in range(1_000):
            for histogram, array in zip(filled, arrays, strict=True):
                histogram.fill(array)

    run()
    assert filled[0].sum(flow=True) == 1_000 * n_rows
    case = f"update, {n_rows:,} x 20 float64 (1,000 batches)"
    timed(run, case=case, who="boost-histogram, 20 variable bins", values=1_000 * n_rows * 20, rounds=3)
