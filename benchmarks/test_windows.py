"""Rows told apart by event time: what the split costs beside the profile of the same rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.data import wide

import tidegauge as tg
from tidegauge import arrow
from tidegauge.window import parse_duration, partitioned

Timed = Callable[..., None]
N = 1_000_000
CASE = "windows, 1 M rows x 20 float64 over a day"


@cache
def timed_rows(order: str) -> pa.Table:
    """A day of rows in batches of 131,072, which is what files are read in."""
    rng = np.random.default_rng(15)
    seconds = np.sort(rng.integers(0, 86_400_000, N))
    when = seconds if order == "ordered" else rng.permutation(seconds)
    whole = pa.Table.from_batches([wide(N)]).append_column("when", pa.array(when.astype("M8[ms]")))
    return pa.concat_tables([whole.slice(begin, 1 << 17) for begin in range(0, N, 1 << 17)])


@pytest.mark.parametrize("order", ["ordered", "unordered"])
@pytest.mark.parametrize("window", ["1h", "1m"])
def test_split(timed: Timed, order: str, window: str) -> None:
    batches, width_ns = list(arrow.batches(timed_rows(order))), parse_duration(window)
    starts = {start for start, _ in partitioned(batches, "when", width_ns)}
    assert len(starts) == 86_400 * 10**9 // width_ns
    run = lambda: sum(part.n_rows for _, part in partitioned(batches, "when", width_ns))  # noqa: E731
    assert run() == N
    timed(run, case=CASE, who=f"split alone, {order}, {window}", values=20 * N, n_bytes=160 * N)


@pytest.mark.parametrize("order", ["ordered", "unordered"])
@pytest.mark.parametrize("mode", ["full", "light"])
def test_profiles_by_the_hour(timed: Timed, order: str, mode: str) -> None:
    data = timed_rows(order)
    against = tg.Reference.fit(data.slice(0, 100_000))
    run = lambda: tg.profile_windows(  # noqa: E731
        data, against, timestamp="when", window="1h", threads=1, accumulators=mode
    )
    assert sum(profile.n_rows for profile in run().values()) == N
    who = f"tidegauge {mode}, {order}, 1h"
    timed(run, case=CASE, who=who, values=20 * N, n_bytes=160 * N)


@pytest.mark.parametrize("mode", ["full", "light"])
def test_one_profile(timed: Timed, mode: str) -> None:
    data = timed_rows("ordered")
    against = tg.Reference.fit(data.slice(0, 100_000))
    run = lambda: tg.profile(data, against, threads=1, accumulators=mode)  # noqa: E731
    assert run().n_rows == N
    timed(run, case=CASE, who=f"tidegauge {mode}, no windows", values=20 * N, n_bytes=160 * N)
