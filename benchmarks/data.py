"""The arrays and tables that every case times, seeded and made once a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa

N = 10_000_000
N_SLOW = 1_000_000  # for peers that need more than 50 ns a value

SHAPES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "float64": lambda rng, n: rng.lognormal(3.0, 1.0, n),
    "float32": lambda rng, n: rng.lognormal(3.0, 1.0, n).astype(np.float32),
    "int64": lambda rng, n: rng.lognormal(20.0, 1.0, n).astype(np.int64),
    "int64 of few thousand values": lambda rng, n: rng.lognormal(6.0, 1.0, n).astype(np.int64),
    "sorted": lambda rng, n: np.sort(rng.lognormal(3.0, 1.0, n)),
    "constant": lambda rng, n: np.full(n, 2.5),
    "all equal but one": lambda rng, n: np.where(np.arange(n) == n // 2, 1e6, 2.5),
    "alternating extremes": lambda rng, n: np.where(np.arange(n) % 2, 1e300, -1e300),
}


@cache
def numbers(shape: str, n: int = N) -> np.ndarray:
    return SHAPES[shape](np.random.default_rng(11), n)


@cache
def table(shape: str, n: int = N, nulls: float = 0.0) -> pa.Table:
    """One column `x` of a shape, as one chunk; `nulls` is the fraction of nulls, at random rows."""
    mask = np.random.default_rng(12).random(n) < nulls if nulls else None
    return pa.table({"x": pa.array(numbers(shape, n), mask=mask)})


@cache
def words(how: str, n: int = N_SLOW) -> pa.Array:
    """Text: `dictionary` (codes into 1,000 words, Zipf), the same words `plain`, or `all distinct`."""
    rng = np.random.default_rng(13)
    if how == "all distinct":
        return pa.array([f"value-{i:012d}" for i in rng.permutation(n)])
    codes = pa.array((rng.zipf(1.3, n) % 1_000).astype(np.int32))
    coded = pa.DictionaryArray.from_arrays(codes, pa.array([f"merchant-{i:06d}" for i in range(1_000)]))
    return coded if how == "dictionary" else coded.dictionary_decode()


@cache
def wide(n_rows: int, n_columns: int = 20) -> pa.RecordBatch:
    """Many float64 columns, as a serving process or a batch job sees them."""
    rng = np.random.default_rng(14)
    return pa.record_batch({f"x{i}": rng.lognormal(3.0, 1.0, n_rows) for i in range(n_columns)})
