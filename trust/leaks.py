"""Calls that fail, again and again: no object and no memory stays behind.

A case is one failing call; its number says which one. The calls of a kind are made one after the other, in
two halves; what each of them leaves is a leak. Python's own objects are counted by
`sys.getallocatedblocks`, what the engine has taken by glibc's mallinfo2.
"""

from __future__ import annotations

import ctypes
import gc
import math
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

import tidegauge as tg
from tidegauge import _core
from trust.part import Outcome, Part

MOST_OBJECTS = 0.5  # left by a call: less is a cache that fills
MOST_BYTES = 8.0
CALLS_OF_A_KIND = 1_000  # at least: fewer show nothing
WARM_UP = 300

Call = Callable[[], object]


class MallInfo(ctypes.Structure):
    _names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in _names.split()]


def allocator() -> Callable[[], int]:
    """Return a function that tells how many bytes malloc has given out."""
    info = ctypes.CDLL(None).mallinfo2
    info.restype = MallInfo

    def used() -> int:
        found = info()
        return int(found.uordblks + found.hblkhd)

    return used


class RowError(Exception):
    """What a hostile value raises."""


class Hostile:
    """A value and a mapping that raise whenever they are asked."""

    def __float__(self) -> float:
        raise RowError

    def keys(self) -> list[str]:
        raise RowError

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise RowError

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        raise RowError


def broken_rows() -> pa.RecordBatch:
    """Return rows whose second text ends before it begins."""
    offsets = pa.py_buffer(struct.pack("<4i", 0, 1000, 2, 3))
    bad = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"abc")])
    return pa.record_batch({"x": [1.0, 2.0, 3.0], "s": bad})


def broken_off() -> Iterator[dict[str, list[object]]]:
    """Yield a batch, then raise. (A pyarrow stream over this leaks two objects of its own each time.)"""
    yield {"x": [1.0], "s": ["a"]}
    raise RowError


def calls(folder: Path, archive: tg.Archive) -> dict[str, Call]:
    """Return each kind of call that must fail."""
    data = {"x": np.arange(100.0), "s": ["a", "b"] * 50}
    reference = tg.Reference.fit(data)
    other = tg.Reference.fit({"x": np.arange(100.0) * 2, "s": ["c", "d"] * 50})
    profile, of_other = tg.profile(data, reference), tg.profile(data, other)
    free, state, kept = tg.profile(data), profile.to_bytes(), reference.to_bytes()
    detached = tg.Profile.from_bytes(state)
    flipped = bytearray(state)
    flipped[len(state) // 2] ^= 4
    specs = [column.spec for column in reference.profile._core.columns]
    stage, segmented = _core.Stage(specs, ["key"]), _core.SegmentedProfile
    bad, twice = broken_rows(), pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    embedding = {"x": np.zeros((2, 2, 2))}
    (batch,) = tg.arrow.batches(data)
    column = profile["x"]
    (folder / "text.parquet").write_text("no parquet")
    (folder / "no.tg").write_bytes(bytes(50))
    strict = tg.Monitor("m", reference, archive=archive, strict=True)
    closed = tg.Monitor("m", reference, archive=archive, strict=True)
    closed.close()
    array = pa.array([1.0])

    def capsule_twice() -> None:
        schema, values = pa.record_batch({"x": array}).__arrow_c_array__()
        _core.batch_from_capsules(schema, values)
        _core.batch_from_capsules(schema, values)

    return {
        "rows outside their buffers": lambda: profile.update(bad),
        "rows outside their buffers, open": lambda: free.update(bad),
        "a column twice": lambda: profile.update(twice),
        "three dimensions": lambda: profile.update(embedding),
        "unlike lengths": lambda: profile.update({"x": [1.0, 2.0], "s": ["a"]}),
        "no data": lambda: profile.update(5),
        "an empty list": lambda: profile.update([]),
        "batches that break off": lambda: profile.update(broken_off()),
        "an export that raises": lambda: profile.update(Hostile()),
        "a capsule used twice": capsule_twice,
        "capsules of another kind": lambda: _core.batch_from_capsules(object(), object()),
        "a slice outside": lambda: batch.slice(90, 20),
        "rows taken outside": lambda: batch.take(np.array([1_000])),
        "columns outside": lambda: batch.select([7]),
        "partition by a number": lambda: batch.partition(0, 1_000, 0),
        "no file": lambda: tg.profile(folder / "none.parquet"),
        "a file of another kind": lambda: tg.profile(folder / "text.parquet"),
        "merge of other edges": lambda: profile.merge(of_other),
        "merge of another kind": lambda: free.merge(tg.profile({"x": ["text"]})),
        "merge of no profile": lambda: profile.merge({}),
        "merge of none": lambda: tg.merge([]),
        "rows without edges": lambda: detached.update(data),
        "bytes cut short": lambda: tg.Profile.from_bytes(state[:-9]),
        "bytes changed": lambda: tg.Profile.from_bytes(bytes(flipped)),
        "no bytes": lambda: tg.Profile.from_bytes(b""),
        "bytes of a profile": lambda: tg.Reference.from_bytes(state),
        "a reference cut short": lambda: tg.Reference.from_bytes(kept[:-9]),
        "a text for bytes": lambda: tg.Profile.from_bytes("text"),
        "a file that is no profile": lambda: tg.load(folder / "no.tg"),
        "saved nowhere": lambda: profile.save(folder / "nowhere" / "x.tg"),
        "no such column": lambda: profile["no such"],
        "no such accumulators": lambda: tg.Profile.empty(accumulators="heavy"),
        "a quantile of 2": lambda: column.quantile(2.0),
        "the rank of NaN": lambda: column.rank(math.nan),
        "fit of nothing": lambda: tg.Reference.fit(5),
        "fit of a column twice": lambda: tg.Reference.fit(twice),
        "fit of broken rows": lambda: tg.Reference.fit(bad),
        "compare of no profile": lambda: tg.compare(5, reference),
        "a row of no mapping": lambda: stage.record(5),
        "a row with a key that is no text": lambda: stage.record({5: 1.0}),
        "a row whose keys raise": lambda: stage.record(Hostile()),
        "a stage of nothing": lambda: _core.Stage(5),
        "segments of no column": lambda: segmented(specs, None, dimensions=[[]], max_segments=5),
        "a monitor of no name": lambda: tg.Monitor("", reference, archive=archive),
        "a monitor of an unknown window": lambda: tg.Monitor("m", reference, archive=archive, window="1x"),
        "a monitor by a number's time": lambda: tg.Monitor("m", reference, archive=archive, timestamp="x"),
        "strict: rows outside their buffers": lambda: strict.update(bad),
        "strict: a row of no mapping": lambda: strict.record(5),
        "a closed monitor": lambda: closed.record({"x": 1.0}),
        "no such model": lambda: archive.merged("no such"),
        "no such reference": lambda: archive.reference("no such"),
        "an archive that is a folder of text": lambda: tg.Archive(folder / "text.parquet"),
        "a window of no length": lambda: tg.profile_windows(data, reference, window="0h"),
    }


def fail(call: Call, times: int) -> str:
    """Make a call so often; return the type of what it raises. Raises AssertionError if it does not."""
    name = ""
    for _ in range(times):
        try:
            call()
        except Exception as error:
            name = type(error).__name__
        else:
            raise AssertionError("it does not fail")
    return name


def growth(call: Call, times: int, used: Callable[[], int]) -> tuple[int, int, str]:
    """Return how many objects and bytes half of so many calls leave, at the least, and what they raise."""
    fail(call, WARM_UP)
    least, name = (sys.maxsize, sys.maxsize), ""
    for _ in range(2):  # what caches take now and then does not come twice
        gc.collect()
        before = sys.getallocatedblocks(), used()
        name = fail(call, times // 2)
        gc.collect()
        after = sys.getallocatedblocks(), used()
        least = min(least[0], after[0] - before[0]), min(least[1], after[1] - before[1])
    return *least, name


def run(first: int, n: int, seconds: float) -> Outcome:
    """Make cases first … first + n - 1, those of a kind after each other, CALLS_OF_A_KIND at least."""
    used, until = allocator(), time.monotonic() + seconds
    tried, findings, counts = 0, [], Counter[str]()
    with tempfile.TemporaryDirectory() as folder, tg.Archive(f"{folder}/archive.db") as archive:
        kinds = list(calls(Path(folder), archive).items())
        kinds = kinds[first % len(kinds) :] + kinds[: first % len(kinds)]
        times = max(CALLS_OF_A_KIND, n // len(kinds))
        for i, (kind, call) in enumerate(kinds):
            if tried >= n or time.monotonic() > until:
                break
            again = f"python -m trust try leaks {first + i}"
            try:
                n_blocks, n_bytes, raised = growth(call, times, used)
            except AssertionError as error:
                findings.append(f"{kind}: {error}; {again}")
                continue
            finally:
                tried += times
            counts[raised] += times
            half = times // 2
            if n_blocks > MOST_OBJECTS * half or n_bytes > MOST_BYTES * half:
                findings.append(f"{kind}: {n_blocks:,} objects, {n_bytes:,} bytes left by {half:,}; {again}")
    return Outcome(min(tried, n), findings, counts)


PART = Part(
    "leaks",
    "failing calls",
    "a call that fails leaves no object and no memory behind",
    run,
    change=120_000,
    deep=1_000_000,
)
