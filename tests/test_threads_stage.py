"""Rows and batches into one stage from many threads, taken by others: every row arrives once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tidegauge as tg
from tidegauge import _core

N_SMALL = 500
SMALL = {"x": np.arange(N_SMALL), "y": np.arange(N_SMALL) / 2, "s": np.array(["a", "bb"] * (N_SMALL // 2))}
REFERENCE = tg.Reference.fit({**SMALL, "y": np.arange(N_SMALL) / 2})
SPECS = [column.spec for column in REFERENCE.profile._core.columns]
LIMIT_SECONDS = 600


def fill(n_threads: int, n_rows_each: int, n_batches_each: int) -> tuple[tg.Profile, _core.Stage]:
    """Half of the threads bring rows, half batches, and flush what is due; two more flush all the time."""
    stage, profile = _core.Stage(SPECS, ["key"]), tg.Profile.empty(REFERENCE)
    start, done = threading.Barrier(n_threads + 2), threading.Event()
    (small,) = tg.arrow.batches(SMALL)

    def flush() -> None:
        for batch in stage.take():
            profile._core.update(batch, 1)

    def rows(key: object) -> None:
        start.wait()
        row = {"x": 1, "y": 0.5, "s": "ccc", "key": key, "new": None}
        for _ in range(n_rows_each):
            if stage.record(row):
                flush()

    def batches() -> None:
        start.wait()
        for _ in range(n_batches_each):
            if stage.append(small):
                flush()

    def take() -> None:
        start.wait()
        while not done.wait(0.001):
            flush()

    with ThreadPoolExecutor(n_threads + 2) as pool:
        takers = [pool.submit(take) for _ in range(2)]
        keys = ["k", 3, 1.5, b"b"]
        work = [
            pool.submit(batches) if i % 2 else pool.submit(rows, keys[i // 2 % len(keys)])
            for i in range(n_threads)
        ]
        try:
            for each in work:
                each.result(timeout=LIMIT_SECONDS)
        finally:
            done.set()
        for each in takers:
            each.result(timeout=LIMIT_SECONDS)
    flush()
    return profile, stage


def check(n_threads: int, n_rows_each: int, n_batches_each: int) -> None:
    profile, stage = fill(n_threads, n_rows_each, n_batches_each)
    n_rows = n_threads // 2 * n_rows_each
    n_small = n_threads // 2 * n_batches_each
    assert stage.n_rows == 0
    assert stage.n_unknown == n_rows
    assert profile.n_rows == n_rows + n_small * N_SMALL
    assert profile["x"].sum == n_rows + n_small * int(SMALL["x"].sum())
    assert profile["s"].n_present == profile["y"].n_present == profile.n_rows
    assert profile._core.column("s").n_bytes == 3 * n_rows + n_small * N_SMALL * 3 // 2
    assert profile.unexpected == {"new": n_rows, "key": n_rows}


def test_totals_are_exact() -> None:
    check(n_threads=8, n_rows_each=10_000, n_batches_each=40)


@pytest.mark.slow
def test_totals_of_ten_million_rows_are_exact() -> None:
    check(n_threads=8, n_rows_each=1_250_000, n_batches_each=2_500)
