"""Segments against one light profile of the same rows; threads that update one profile together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

import tidegauge as tg
from tidegauge import _core, arrow

Timed = Callable[..., None]
N_ROWS, N_SEGMENTS = 100_000, 1_000


@cache
def rows(n: int = N_ROWS) -> _core.Batch:
    """17 float64 columns and three of dictionary text, the last of which has a thousand values."""
    rng = np.random.default_rng(16)
    columns: dict[str, object] = {f"x{i}": rng.lognormal(3.0, 1.0, n) for i in range(17)}
    for name, n_values in (("merchant", 200), ("kind", 10), ("segment", N_SEGMENTS)):
        values = pa.array([f"{name}-{i:05d}" for i in range(n_values)])
        columns[name] = pa.DictionaryArray.from_arrays(
            pa.array(rng.integers(0, n_values, n, dtype=np.int32)), values
        )
    (batch,) = arrow.batches(columns)
    return batch


@cache
def reference() -> tg.Reference:
    return tg.Reference.fit(rows())


def segmented(dimensions: list[list[str]], mode: str = "full") -> _core.SegmentedProfile:
    held = reference().profile._core
    specs = [column.spec for column in held.columns]
    joint = held.joint_spec
    if mode == "light":
        specs, joint = [spec.with_options(0) for spec in specs], None
    return _core.SegmentedProfile(specs, joint, dimensions=dimensions, max_segments=2 * N_SEGMENTS)


CASE = f"segments: {N_ROWS:,} x 20 in {N_SEGMENTS:,}"


@pytest.mark.parametrize("mode", ["light", "full"])
@pytest.mark.parametrize("dimensions", [[], [["segment"]]], ids=["total alone", "total and segments"])
def test_segments(timed: Timed, mode: str, dimensions: list[list[str]]) -> None:
    profile = segmented(dimensions, mode)
    profile.update(rows(), 1)
    assert profile.n_segments == N_SEGMENTS * len(dimensions)
    assert sum(n for d, _, n, _ in profile.take_changed() if d == 0) == N_ROWS * len(dimensions)
    who = f"tidegauge {mode}, {'total and segments' if dimensions else 'total alone'}"
    timed(lambda: profile.update(rows(), 1), case=CASE, who=who, values=20 * N_ROWS, rounds=40)


def test_take_changed(timed: Timed) -> None:
    """A checkpoint of all segments; while it lasts, updates wait."""
    profile = segmented([["segment"]])
    profile.update(rows(), 1)
    assert len(profile.take_changed()) == 1 + N_SEGMENTS

    def run() -> None:
        profile.update(rows(), 1)
        profile.take_changed()

    timed(
        run,
        case=CASE,
        who="tidegauge full, total and segments, and a checkpoint",
        values=20 * N_ROWS,
        rounds=10,
    )


@pytest.mark.parametrize("n_rows", [10_000, 1_000])
@pytest.mark.parametrize("dimensions", [[], [["kind"]]], ids=["total", "10 segments"])
@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_threads(timed: Timed, n_rows: int, dimensions: list[list[str]], n_threads: int) -> None:
    """Threads of Python, each with batches of its own, into one profile."""
    n_batches = 2_000_000 // n_rows
    parts = [rows().slice(i * n_rows, n_rows) for i in range(4)]

    def run() -> _core.SegmentedProfile:
        profile = segmented(dimensions)

        def work(part: _core.Batch) -> None:
            for _ in range(n_batches // n_threads):
                profile.update(part, 1)

        threads = [threading.Thread(target=work, args=(parts[i],)) for i in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return profile

    profile = run()
    assert profile.n_rows == 2_000_000
    what = f"{len(dimensions) * 10} segments" if dimensions else "no segments"
    case = f"one profile, batches of {n_rows:,} x 20, {what}"
    timed(run, case=case, who=f"tidegauge full, {n_threads} threads", values=40_000_000)
