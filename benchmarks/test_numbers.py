"""One numeric column: tidegauge in its modes, and what users have today, in one run on one array."""

from __future__ import annotations

from collections.abc import Callable

import boost_histogram as bh
import datasketches
import duckdb
import numpy as np
import polars as pl
import pyarrow.compute as pc
import pytest
from benchmarks.data import N_SLOW, SHAPES, N, numbers, table

import tidegauge as tg

MODES = {
    "tidegauge full": {"accumulators": "full"},
    "tidegauge light": {"accumulators": "light"},
}
Timed = Callable[..., None]


def reference(shape: str) -> tg.Reference:
    return tg.Reference.fit(table(shape, 200_000))


def check(column, values: np.ndarray, *, n_null: int = 0) -> None:
    """A profile's column against NumPy: counts exactly, the sum to 1e-9."""
    present = len(values) - n_null
    assert (column.n_rows, column.n_null) == (len(values), n_null)
    assert int(column.counts.sum()) + column.n_below + column.n_above == present
    if not n_null:
        assert float(column.sum) == pytest.approx(float(values.sum(dtype=np.float64)), rel=1e-9)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_profile(timed: Timed, shape: str, mode: str) -> None:
    data, against = table(shape), reference(shape)
    check(tg.profile(data, against, threads=1, **MODES[mode])["x"], numbers(shape))
    run = lambda: tg.profile(data, against, threads=1, **MODES[mode])  # noqa: E731
    timed(run, case=f"{shape}, 10 M rows", who=mode, values=N, n_bytes=numbers(shape).nbytes)


@pytest.mark.parametrize("shape", ["float64", "float32", "int64"])
def test_profile_without_reference(timed: Timed, shape: str) -> None:
    data = table(shape)
    column = tg.profile(data, threads=1)["x"]
    values = np.sort(numbers(shape))
    assert abs(np.searchsorted(values, column.quantile([0.5])[0]) / N - 0.5) < 0.02
    run = lambda: tg.profile(data, threads=1)  # noqa: E731
    timed(
        run, case=f"{shape}, 10 M rows", who="tidegauge full, no reference", values=N, n_bytes=values.nbytes
    )


@pytest.mark.parametrize("mode", MODES)
def test_profile_with_nulls(timed: Timed, mode: str) -> None:
    data, against = table("float64", nulls=0.1), reference("float64")
    check(
        tg.profile(data, against, threads=1, **MODES[mode])["x"],
        numbers("float64"),
        n_null=data["x"].null_count,
    )
    run = lambda: tg.profile(data, against, threads=1, **MODES[mode])  # noqa: E731
    timed(run, case="float64, 10 % nulls, 10 M rows", who=mode, values=N, n_bytes=numbers("float64").nbytes)


@pytest.mark.parametrize("shape", SHAPES)
def test_numpy_sum(timed: Timed, shape: str) -> None:
    values = numbers(shape)
    assert np.isfinite(values.sum())
    timed(values.sum, case=f"{shape}, 10 M rows", who="numpy sum", values=N, n_bytes=values.nbytes)


def test_numpy_sum_beside_nulls(timed: Timed) -> None:
    values = numbers("float64")
    assert values.sum() > 0
    timed(values.sum, case="float64, 10 % nulls, 10 M rows", who="numpy sum", values=N, n_bytes=values.nbytes)


def peer_histogram(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    filled = bh.Histogram(bh.axis.Variable(edges)).fill(values)
    return filled.view(flow=True)


@pytest.mark.parametrize("shape", ["float64", "float32", "int64"])
def test_peers(
    timed: Timed, shape: str, peer: tuple[str, Callable[[np.ndarray], Callable[[], object]], int]
) -> None:
    who, make, n = peer
    values = numbers(shape)[:n]
    timed(make(values), case=f"{shape}, 10 M rows", who=who, values=n, n_bytes=values.nbytes, rounds=3)


def boost(cells: int) -> Callable[[np.ndarray], Callable[[], object]]:
    def make(values: np.ndarray) -> Callable[[], object]:
        edges = np.unique(np.quantile(values[:200_000], np.linspace(0, 1, cells + 1)))
        assert peer_histogram(values, edges).sum() == len(values)
        return lambda: peer_histogram(values, edges)

    return make


def numpy_histogram(values: np.ndarray) -> Callable[[], object]:
    edges = np.unique(np.quantile(values[:200_000], np.linspace(0, 1, 21)))
    assert np.histogram(values, edges)[0].sum() <= len(values)
    return lambda: np.histogram(values, edges)


def kll(values: np.ndarray) -> Callable[[], object]:
    kind = {"f": datasketches.kll_floats_sketch, "d": datasketches.kll_doubles_sketch}.get(values.dtype.char)
    kind = kind or datasketches.kll_doubles_sketch

    def run() -> object:
        sketch = kind(200)
        sketch.update(values)
        return sketch

    assert run().n == len(values)
    return run


def summarize(values: np.ndarray) -> Callable[[], object]:
    connection = duckdb.connect(config={"threads": 1})
    connection.register("frame", pl.DataFrame({"x": values}).to_arrow())
    connection.execute("create table rows as select * from frame")
    assert connection.execute("select count(*) from rows").fetchall() == [(len(values),)]
    return lambda: connection.execute("summarize rows").fetchall()


def describe(values: np.ndarray) -> Callable[[], object]:
    frame = pl.DataFrame({"x": values})
    assert frame.describe()["x"][0] == len(values)
    return frame.describe


def arrow_moments(values: np.ndarray) -> Callable[[], object]:
    array = table_array(values)
    run = lambda: (pc.min_max(array), pc.mean(array), pc.variance(array), pc.skew(array), pc.kurtosis(array))  # noqa: E731
    assert run()[1].as_py() == pytest.approx(values.mean(dtype=np.float64), rel=1e-6)
    return run


def arrow_tdigest(values: np.ndarray) -> Callable[[], object]:
    array = table_array(values)
    assert len(pc.tdigest(array, q=[0.5])) == 1
    return lambda: pc.tdigest(array, q=[0.01, 0.5, 0.99])


def table_array(values: np.ndarray):
    import pyarrow as pa

    return pa.array(values)


PEERS = [
    ("boost-histogram, 20 variable bins", boost(20), N_SLOW),
    ("boost-histogram, 256 variable bins", boost(256), N_SLOW),
    ("numpy histogram, 20 variable bins", numpy_histogram, N_SLOW),
    ("DataSketches KLL k=200", kll, N_SLOW),
    ("DuckDB SUMMARIZE, 1 thread", summarize, N_SLOW),
    ("Polars describe, all threads", describe, N_SLOW),
    ("PyArrow min_max, mean, variance, skew, kurtosis", arrow_moments, N_SLOW),
    ("PyArrow tdigest", arrow_tdigest, N_SLOW),
]


@pytest.fixture(params=PEERS, ids=[name for name, _, _ in PEERS])
def peer(request: pytest.FixtureRequest):
    return request.param
