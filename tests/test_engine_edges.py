"""Where the engine is easiest to break: odd splits, counts near 2^62, forged bytes, memory that runs out."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

import tidegauge as tg
from tidegauge import _contract, _core
from tidegauge.arrow import batches
from tidegauge.errors import DecodeError, MergeError, SchemaError

MOST_ROWS = 2**62
ALL = _core.DISTINCT | _core.QUANTILES | _core.EXPONENTIAL | _core.FREQUENT


def core(data: pa.Table, *specs: _core.ColumnSpec) -> _core.Profile:
    profile = _core.Profile(list(specs)) if specs else _core.Profile(ALL)
    for batch in batches(data):
        profile.update(batch, 1)
    return profile


def pieces(table: pa.Table, cuts: list[int]) -> list[_core.Batch]:
    bounds = [0, *sorted(cuts), table.num_rows]
    return [batch for b, e in pairwise(bounds) for batch in batches(table.slice(b, e - b))]


# ---- the same rows, however they are cut


@pytest.mark.parametrize("seed", range(5))
def test_numbers_read_as_categories_do_not_show_their_batches(seed):
    """Their texts live for a tile only; the room that is left for names must be asked for again after it."""
    draw = np.random.default_rng(seed)
    table = pa.table({"code": draw.zipf(1.2, 12_000) % 6_000})
    spec = _core.ColumnSpec(name="code", kind="category", accumulators=_core.FREQUENT)
    whole = core(table, spec)
    assert whole.column("code").frequent_error > 0
    parts = _core.Profile([spec])
    for batch in pieces(table, draw.integers(0, 12_000, 7).tolist()):
        parts.update(batch, 1)
    assert parts.to_bytes(with_edges=True) == whole.to_bytes(with_edges=True)


@pytest.mark.parametrize("seed", range(5))
def test_a_sample_does_not_show_its_batches(seed):
    draw = np.random.default_rng(seed)
    n = 20_000
    words = pa.array([f"w{i}" for i in draw.zipf(1.3, n) % 300])
    table = pa.table({"x": draw.normal(size=n), "word": words})

    def sample(cuts: list[int]) -> tuple[list[float], list[tuple[int, int, bytes | None]], int]:
        drawn = _core.Sample(_core.default_specs(next(iter(batches(table))), ALL), 1_001)
        for batch in pieces(table, cuts):
            drawn.update(batch)
        return drawn.values(0).tolist(), drawn.categories(1, 300), drawn.n_present(1)

    whole = sample([])
    assert 400 <= len(whole[0]) <= 1_001
    assert sample(draw.integers(0, n, 60).tolist()) == whole


# ---- counts at the limit


def nulls(n: int) -> pa.RecordBatch:
    """So many rows of nothing: they take no memory."""
    nothing = pa.Array.from_buffers(pa.null(), n, [None])
    return pa.RecordBatch.from_arrays([nothing, nothing, nothing], names=["a", "b", "c"])


def test_rows_end_at_two_to_the_62():
    profile = tg.profile(nulls(MOST_ROWS))
    before = profile.to_bytes()
    with pytest.raises(SchemaError, match=f"holds {MOST_ROWS} rows and cannot take 1 more.*2\\^62"):
        profile.update({"a": [1.0]})
    for other in (tg.profile({"a": [1.0]}), profile):
        with pytest.raises(MergeError, match="more than 2\\^62 together"):
            profile.merge(other)
    assert profile.to_bytes() == before
    assert tg.Profile.from_bytes(before) == profile
    almost = tg.profile(nulls(MOST_ROWS - 1))
    almost.update({"a": [1.0]})
    assert (almost.n_rows, almost["a"].n_null, almost["a"].n_present) == (MOST_ROWS, MOST_ROWS - 1, 1)


def test_bytes_of_more_rows_are_refused():
    profile = tg.profile(nulls(MOST_ROWS))
    most, more = varint(MOST_ROWS), varint(MOST_ROWS + 1)
    body = profile.to_bytes()[:-8].replace(most, more)
    with pytest.raises(DecodeError, match="2\\^62 rows"):
        tg.Profile.from_bytes(signed(body))


# ---- forged bytes


def signed(body: bytes) -> bytes:
    """The bytes with the checksum that belongs to them."""
    return body + struct.pack("<Q", _contract.hash_bytes(body, 1))


def varint(n: int) -> bytes:
    out = bytearray()
    while n >= 128:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def take_varint(data: bytes, at: int) -> tuple[int, int]:
    n, shift = 0, 0
    while True:
        n |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return n, at


def forged(data: bytes, edit: Callable[[bytes], bytes]) -> bytes:
    """The bytes of a profile of one column, its state edited and all lengths put right."""
    body, at = bytearray(data[:12]), 12
    while at < len(data) - 8:
        name = data[at : at + 4]
        size, at = take_varint(data, at + 4)
        section = data[at : at + size]
        at += size
        if name == b"COLS":
            state = edit(section[take_varint(section, 0)[1] :])
            section = varint(len(state)) + state
        body += name + varint(len(section)) + section
    return signed(bytes(body))


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def edit(state: bytes) -> bytes:
        assert state.count(old) == 1
        return state.replace(old, new)

    return edit


SEED = 0x7469646567617567


def kll(
    k: int, n: int, pending: list[float], variance: float = 0.0, level: list[float] | None = None
) -> bytes:
    """A quantile sketch: `pending` values of weight 1, and `level` of weight 2."""
    head = struct.pack("<IQ", k, SEED) + varint(n) + struct.pack("<dBB", variance, 0, 0)
    levels = b"\0" if level is None else b"\2\0\0\0" + varint(len(level)) + np.array(level).tobytes()
    return head + varint(len(pending)) + np.array(pending).tobytes() + levels


def floats(values: list[float], accumulators: int) -> bytes:
    spec = _core.ColumnSpec(name="x", kind="number", state="float64", accumulators=accumulators)
    return core(pa.table({"x": values}), spec).to_bytes(with_edges=True)


def test_a_quantile_sketch_of_other_parameters_or_other_rows_is_refused():
    """Merging would refuse them, and halfway through the columns at that."""
    good, own = floats([1.0, 2.0, 3.0], _core.QUANTILES), kll(200, 3, [1.0, 2.0, 3.0])
    assert forged(good, replaced(own, own)) == good
    others = [
        kll(201, 3, [1.0, 2.0, 3.0]),
        own.replace(struct.pack("<Q", SEED), struct.pack("<Q", SEED + 1)),
        kll(200, 2, [1.0, 2.0]),
        kll(200, 4, [1.0, 2.0], level=[3.0]),
    ]
    for other in others:
        with pytest.raises(DecodeError, match="column 'x': its"):
            _core.Profile.from_bytes(forged(good, replaced(own, other)))


def test_a_histogram_or_names_of_other_rows_are_refused():
    good = floats([1.0, 1.0, 1.0], _core.EXPONENTIAL)
    buckets = b"\0\0\1" + struct.pack("<i", -1)
    with pytest.raises(DecodeError, match="column 'x': its"):
        _core.Profile.from_bytes(forged(good, replaced(buckets + b"\3", buckets + b"\4")))
    spec = _core.ColumnSpec(name="x", kind="category", accumulators=_core.FREQUENT)
    good = core(pa.table({"x": ["a", "b"]}), spec).to_bytes(with_edges=True)
    with pytest.raises(DecodeError, match="column 'x': its"):
        _core.Profile.from_bytes(forged(good, replaced(varint(1024) + b"\2", varint(1025) + b"\2")))


def test_an_integer_sum_lies_between_the_extremes():
    """128 bits hold every sum that 2^62 integers can have; a forged one could overflow them when merged."""
    spec = _core.ColumnSpec(name="x", kind="number", state="int64")
    good = core(pa.table({"x": [3, 5]}), spec).to_bytes(with_edges=True)
    own = struct.pack("<qqqq", 3, 5, 8, 0)
    for total in (5, 11, -8, 2**127 - 1, -(2**127)):
        other = own[:16] + total.to_bytes(16, "little", signed=True)
        with pytest.raises(DecodeError, match="a sum that no values between the extremes have"):
            _core.Profile.from_bytes(forged(good, replaced(own, other)))
    for total in (6, 10):
        other = own[:16] + total.to_bytes(16, "little", signed=True)
        profile, _ = _core.Profile.from_bytes(forged(good, replaced(own, other)))
        assert profile.column("x").sum == total


def test_what_is_read_can_be_merged_written_and_read_again():
    own = kll(200, 3, [1.0, 2.0, 3.0])
    vast = forged(
        floats([1.0, 2.0, 3.0], _core.QUANTILES), replaced(own, kll(200, 3, [1.0, 2.0, 3.0], 1.7e308))
    )
    profile, _ = _core.Profile.from_bytes(vast)
    profile.merge(profile)
    again, _ = _core.Profile.from_bytes(profile.to_bytes(with_edges=True))
    assert again.column("x").quantile_error == 1.0


def test_embeddings_without_rows_take_no_room():
    """A width is four bytes long, and the sums that it announces are a megabyte."""
    specs = [_core.ColumnSpec(name=f"e{i}", kind="embedding", width=65_536) for i in range(200)]
    data = _core.Profile(specs).to_bytes(with_edges=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    profile, _ = _core.Profile.from_bytes(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    assert np.isnan(profile.column("e7").mean).all()
    profile.merge(profile)
    assert profile.to_bytes(with_edges=True) == data
    row = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(65_536, np.float32)), 65_536)
    profile.update(next(iter(batches(pa.table({"e7": row})))), 1)
    assert profile.column("e7").mean.tolist() == [1.0] * 65_536
    whole = profile.to_bytes(with_edges=True)
    with pytest.raises(DecodeError):
        _core.Profile.from_bytes(whole[:-8_000] + whole[-8:])


def test_many_columns_cost_time_in_proportion():
    def seconds(n: int) -> float:
        specs = [_core.ColumnSpec(name=f"c{i}", kind="boolean") for i in range(n)]
        began = time.perf_counter()
        _core.Profile(specs)
        return time.perf_counter() - began

    # 16 times the columns: 16 times the time, where moving them all for each would take 256 times.
    assert min(seconds(80_000) for _ in range(2)) < 60 * max(seconds(5_000) for _ in range(3))


# ---- memory that runs out


OUT_OF_MEMORY = """
import resource, sys
sys.path[:0] = {path!r}
import numpy as np, pyarrow as pa
from tidegauge import _core
from tidegauge.arrow import batches
from tidegauge.errors import TidegaugeError

offsets = pa.py_buffer(np.zeros(20_000_001, np.int64))
names = pa.LargeStringArray.from_buffers(20_000_000, offsets, pa.py_buffer(b""))
codes = pa.DictionaryArray.from_arrays(pa.array(np.zeros(5_000_000, np.int32)), names, safe=False)
table = pa.table({{"x": np.zeros(5_000_000), "word": codes}})
profile, other = _core.Profile(0), _core.Profile(0)
profile.update(next(iter(batches(table.slice(0, 10)))), 1)
saved = profile.to_bytes(with_edges=True)
batch = next(iter(batches(table)))
pages = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limits = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (pages + (40 << 20), limits[1]))
try:
    profile.update(batch, 1)
except MemoryError:
    print("no memory")
resource.setrlimit(resource.RLIMIT_AS, limits)
calls = [
    lambda: profile.update(batch, 1), lambda: profile.merge(other), lambda: other.merge(profile),
    lambda: profile.to_bytes(with_edges=True), lambda: profile.copy(), lambda: profile.columns,
    lambda: profile.n_rows,
]
for call in calls:
    try:
        call()
        print("answered")
    except TidegaugeError as error:
        assert "ran out of memory" in str(error) and "last bytes" in str(error)
print(other.n_rows, _core.Profile.from_bytes(saved)[0].n_rows)
"""


@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="a sanitizer needs the address space")
def test_a_profile_that_ran_out_of_memory_halfway_says_so_ever_after():
    code = OUT_OF_MEMORY.format(path=[p for p in sys.path if p])
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.splitlines() == ["no memory", "0 10"]


def test_no_word_makes_the_hash_forget_the_other() -> None:
    zero = (0xD6E8FEB86659FD93).to_bytes(8, "little")  # the constant that the first word is combined with
    texts = [zero + bytes([i]) * 8 for i in range(200)] + [zero + bytes([i]) * 24 for i in range(200)]
    assert len({_contract.hash_bytes(text, 7) for text in texts}) == 400


READ_MANY_EDGES = """
import gc, resource, sys
from pathlib import Path
from tidegauge import _core

data = Path(sys.argv[1]).read_bytes()
pages = lambda: int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
_core.Profile.from_bytes(data)
gc.collect()
before = pages()
held = _core.Profile.from_bytes(data)
print((pages() - before) / len(data))
"""


def test_edges_that_are_only_read_take_little_more_memory_than_their_bytes(tmp_path):
    """Each set once made a table of 16 KB for as little as 18 bytes."""
    specs = [
        _core.ColumnSpec(name=f"c{i}", kind="number", state="float64").with_edges(np.array([float(i)]))
        for i in range(5_000)
    ]
    file = tmp_path / "many.tg"
    file.write_bytes(_core.Profile(specs).to_bytes(with_edges=True))
    run = subprocess.run(
        [sys.executable, "-c", READ_MANY_EDGES, str(file)], capture_output=True, text=True, check=True
    )
    assert float(run.stdout) < 40
    profile, _ = _core.Profile.from_bytes(file.read_bytes())
    for batch in batches({"c7": np.array([6.0, 7.0, 8.0])}):
        profile.update(batch, 1)
    assert profile.column("c7").cells.tolist() == [1, 2]
