"""State: bytes a column, decoding and merging, import time, memory over a long stream."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import datasketches
import numpy as np
import pyarrow as pa
import pytest
from benchmarks.data import wide, words

import tidegauge as tg

Timed = Callable[..., None]
N_PROFILES = 100


def profiles(mode: str, n_rows: int = 1_000) -> tuple[list[bytes], tg.Reference]:
    data = pa.Table.from_batches([wide(100_000)])
    against = tg.Reference.fit(data)
    made = [
        tg.profile(data.slice(i * n_rows, n_rows), against, accumulators=mode).to_bytes()
        for i in range(N_PROFILES)
    ]
    return made, against


@pytest.mark.parametrize("mode", ["full", "light"])
def test_decode_and_merge(timed: Timed, mode: str) -> None:
    blobs, _ = profiles(mode)
    run = lambda: tg.merge([tg.Profile.from_bytes(blob) for blob in blobs])  # noqa: E731
    assert run().n_rows == N_PROFILES * 1_000
    size = sum(map(len, blobs))
    timed(
        run, case="decode and merge, a column", who=f"tidegauge {mode}", values=N_PROFILES * 20, n_bytes=size
    )


def test_decode_and_merge_kll(timed: Timed) -> None:
    blobs = []
    for i in range(N_PROFILES * 20):
        sketch = datasketches.kll_doubles_sketch(200)
        sketch.update(wide(100_000).column(i % 20).to_numpy()[:1_000].copy())
        blobs.append(sketch.serialize())

    def run() -> Any:
        total = datasketches.kll_doubles_sketch(200)
        for blob in blobs:
            total.merge(datasketches.kll_doubles_sketch.deserialize(blob))
        return total

    assert run().n == N_PROFILES * 20 * 1_000
    timed(run, case="decode and merge, a column", who="DataSketches KLL k=200", values=N_PROFILES * 20)


SIZES = {
    "number": lambda n: pa.table({"x": np.random.default_rng(1).lognormal(3.0, 1.0, n)}),
    "integer": lambda n: pa.table({"x": np.random.default_rng(1).poisson(100.0, n)}),
    "text, 1,000 words": lambda n: pa.table({"x": words("plain").slice(0, n)}),
    "text, all distinct": lambda n: pa.table({"x": words("all distinct").slice(0, n)}),
}


@pytest.mark.parametrize("n_rows", [1_000, 1_000_000])
@pytest.mark.parametrize("mode", ["full", "light"])
@pytest.mark.parametrize("kind", SIZES)
def test_size(benchmark: Any, kind: str, mode: str, n_rows: int) -> None:
    data = SIZES[kind](1_000_000)
    made = tg.profile(data.slice(0, n_rows), tg.Reference.fit(data), accumulators=mode)
    blob = made.to_bytes()
    assert tg.Profile.from_bytes(blob) == made
    benchmark.group = "bytes a column"
    benchmark.extra_info.update(who=f"{kind}, {n_rows:,} rows, {mode}", size_bytes=len(blob))
    benchmark.pedantic(made.to_bytes, rounds=20, iterations=1)


@pytest.mark.parametrize("module", ["numpy", "tidegauge", "pyarrow", "polars", "duckdb", "datasketches"])
def test_import(benchmark: Any, module: str) -> None:
    run = lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)  # noqa: E731
    benchmark.group = "import, a fresh process"
    benchmark.extra_info.update(who=module, values=1)
    benchmark.pedantic(run, rounds=7, iterations=1, warmup_rounds=1)


STREAM = """
import re, sys
import numpy as np
import tidegauge as tg
rng = np.random.default_rng(1)
train = {"x": rng.normal(size=100_000), "k": rng.integers(0, 50, 100_000)}
profile = tg.Profile.empty(tg.Reference.fit(train))
def high(n):
    for i in range(n):
        profile.update({"x": rng.normal(size=100_000), "k": rng.integers(0, 1 << 40, 100_000)})
    # Not ru_maxrss, which a process inherits from the one that started it.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
early = high(20)
late = high(int(sys.argv[1]))
print(early, late, profile.n_rows)
"""


def test_memory_of_a_long_stream_is_flat(benchmark: Any) -> None:
    def run() -> list[int]:
        return [int(word) for word in subprocess.check_output([sys.executable, "-c", STREAM, "380"]).split()]

    benchmark.group = "memory"
    early, late, n_rows = benchmark.pedantic(run, rounds=1, iterations=1)
    assert n_rows == 40_000_000
    assert late - early < 2 << 20, f"resident memory grew by {late - early:,} bytes over 38 M rows"
    benchmark.extra_info.update(
        who="peak resident memory, 2 M to 40 M rows", early_bytes=early, late_bytes=late
    )
