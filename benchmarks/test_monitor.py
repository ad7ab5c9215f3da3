"""A monitor's calls: batches, small batches and rows, as a service makes them; threads into one monitor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import tidegauge as tg

Timed = Callable[..., None]
N_THREADS, N_ROWS = 4, 1_000_000


@cache
def features(n: int) -> dict[str, np.ndarray]:
    """20 columns: 16 floats, two counts, a boolean, and a country of a dozen values as text."""
    rng = np.random.default_rng(4)
    columns = {f"x{i}": rng.lognormal(3.0, 1.0, n) for i in range(16)}
    columns |= {"n_hour": rng.poisson(2.0, n), "n_day": rng.poisson(9.0, n), "strong": rng.random(n) < 0.8}
    return columns | {"country": rng.choice([f"C{i}" for i in range(12)], n)}


@cache
def reference() -> tg.Reference:
    return tg.Reference.fit(features(100_000))


@pytest.fixture(params=[(), ("country",)], ids=["alone", "segments"])
def monitor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tg.Monitor]:
    with tg.Monitor(
        "bench", reference(), segments=request.param, archive=f"sqlite:///{tmp_path / 'a.db'}", strict=True
    ) as made:
        made.record({"x0": 1.0})  # starts the background thread
        yield made


@pytest.fixture
def who(request: pytest.FixtureRequest, monitor: tg.Monitor) -> str:
    return "tidegauge, 12 segments" if "segments" in request.node.callspec.id else "tidegauge"


@pytest.mark.parametrize("n", [1_000, 32])
def test_update(timed: Timed, monitor: tg.Monitor, who: str, n: int) -> None:
    batch = features(n)
    monitor.update(batch)
    assert monitor.health.n_rows == n + 1
    timed(
        lambda: monitor.update(batch),
        case=f"monitor: update with {n:,} x 20",
        who=who,
        values=20 * n,
        rounds=2_000,
    )


def test_record(timed: Timed, monitor: tg.Monitor, who: str) -> None:
    columns = features(4_000)
    rows = [
        dict(zip(columns, row, strict=True))
        for row in zip(*(c.tolist() for c in columns.values()), strict=True)
    ]

    def record() -> None:
        for row in rows:
            monitor.record(row)

    record()
    assert monitor.health.n_rows == 4_001
    timed(record, case="monitor: record of 20 fields", who=who, values=20 * len(rows), rounds=50)


@pytest.mark.parametrize("n_threads", [1, N_THREADS])
@pytest.mark.parametrize("n", [10_000, 1_000])
def test_threads(timed: Timed, monitor: tg.Monitor, who: str, n: int, n_threads: int) -> None:
    batch = features(n)

    def add(n_updates: int) -> None:
        for _ in range(n_updates):
            monitor.update(batch)

    n_updates = N_ROWS // n // n_threads * n_threads

    def together() -> None:
        threads = [threading.Thread(target=add, args=(n_updates // n_threads,)) for _ in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    together()
    assert monitor.health.n_rows == n_updates * n + 1
    timed(
        together,
        case=f"monitor: {n:,} x 20 from threads",
        who=f"{who}, {n_threads} thread{'s' if n_threads > 1 else ''}",
        values=20 * n * n_updates,
        rounds=10,
    )
