"""Text columns: coded by a dictionary, plain, and all distinct."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from benchmarks.data import N_SLOW, words

import tidegauge as tg

HOW = ["dictionary", "plain", "all distinct"]
Timed = Callable[..., None]


@pytest.mark.parametrize("mode", ["full", "light"])
@pytest.mark.parametrize("how", HOW)
def test_profile(timed: Timed, how: str, mode: str) -> None:
    array = words(how)
    data, against = pa.table({"x": array}), tg.Reference.fit(pa.table({"x": array.slice(0, 100_000)}))
    column = tg.profile(data, against, threads=1, accumulators=mode)["x"]
    assert int(column.counts.sum()) + column.n_unseen == N_SLOW
    if mode == "full":
        assert column.n_distinct == pytest.approx(len(pc.value_counts(array)), rel=0.05)
    run = lambda: tg.profile(data, against, threads=1, accumulators=mode)  # noqa: E731
    timed(run, case=f"text, {how}, 1 M rows", who=f"tidegauge {mode}", values=N_SLOW, n_bytes=array.nbytes)


@pytest.mark.parametrize("how", HOW)
def test_pyarrow_value_counts(timed: Timed, how: str) -> None:
    array = words(how)
    assert pc.sum(pc.struct_field(pc.value_counts(array), "counts")).as_py() == N_SLOW
    case = f"text, {how}, 1 M rows"
    timed(
        lambda: pc.value_counts(array),
        case=case,
        who="PyArrow value_counts",
        values=N_SLOW,
        n_bytes=array.nbytes,
    )


@pytest.mark.parametrize("how", HOW)
def test_polars_value_counts(timed: Timed, how: str) -> None:
    series = pl.Series("x", words(how))
    assert series.value_counts()["count"].sum() == N_SLOW
    timed(series.value_counts, case=f"text, {how}, 1 M rows", who="Polars value_counts", values=N_SLOW)


@pytest.mark.parametrize("how", HOW)
def test_duckdb_summarize(timed: Timed, how: str) -> None:
    connection = duckdb.connect(config={"threads": 1})
    connection.register("frame", pa.table({"x": words(how)}))
    connection.execute("create table rows as select * from frame")
    assert connection.execute("select count(*) from rows").fetchall() == [(N_SLOW,)]
    run = lambda: connection.execute("summarize rows").fetchall()  # noqa: E731
    timed(run, case=f"text, {how}, 1 M rows", who="DuckDB SUMMARIZE, 1 thread", values=N_SLOW)
