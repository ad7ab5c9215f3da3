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
from tidegauge import _core

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


@pytest.mark.parametrize("n_rows", [1_000_000, 1_000])
@pytest.mark.parametrize("joint", [True, False], ids=["joint", "columns alone"])
def test_joint(timed: Timed, n_rows: int, joint: bool) -> None:
    """What it costs to watch 20 columns together: the same full profile with the joint and without."""
    batch = wide(n_rows)
    held = tg.Reference.fit(pa.Table.from_batches([wide(100_000)])).profile._core
    specs = [column.spec for column in held.columns]
    repeats = 1_000_000 // n_rows

    def run() -> tg.Profile:
        profile = tg.Profile(_core.Profile(specs, held.joint_spec if joint else None))
        for _ in range(repeats):
            profile.update(batch, threads=1)
        return profile

    found = run().joint
    assert (found is not None) == joint
    if found is not None:
        assert found.n == 1_000_000
        assert np.abs(found.means).max() < 0.1
        assert np.diagonal(found.covariance) == pytest.approx(1.0, abs=0.1)
    who = "tidegauge full, with the joint" if joint else "tidegauge full, columns alone"
    timed(run, case=f"joint of 20 float64, batches of {n_rows:,}", who=who, values=20_000_000, rounds=9)


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
