"""Each reason why a sketch is refused, and the smallest bytes that give it; what lies beside is read."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from tests import forging
from tests.forging import kept, read, reals, refused, u64, varint

import tidegauge as tg
from tidegauge import _contract

MOST = 2**62
INF, NAN = math.inf, math.nan


# Numbers.


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (b"\x80" * 9 + b"\x02", "shortest form"),  # 2^64
        (b"\xff" * 10, "shortest form"),
        (b"\x80\x00", "shortest form"),
        (b"\x80" * 9 + b"\x00", "shortest form"),
        (b"\x80" * 9, "needs 1 bytes, but only 0 are left"),
        (b"\xff" * 9 + b"\x01", r"more than 2\^62 rows"),  # 2^64 - 1
    ],
)
def test_a_number_has_one_form(number: bytes, why: str) -> None:
    refused(forging.container({"ROWS": b"\0\0" + number, "SPEC": b"\0", "COLS": b""}), why)


# Cells.

NUMBERS = {"x": np.array([0.5, 1.5, 1.5, 2.5])}
BY_CELLS = tg.profile(NUMBERS, tg.Reference.fit(NUMBERS), accumulators="light").to_bytes()


def with_cells(cells: bytes) -> bytes:
    """A column of a number's cells and no sketches; its values are 4."""
    moments = varint(0, 0) + varint(4, 0) + reals(0.5, 2.5, 1.5, 0, 2, 0, 2, 6, 0)
    return forging.with_states(BY_CELLS, varint(4, 0, 0, 0, 0, 0, 0) + moments + cells)


def test_cells() -> None:
    assert read(with_cells(varint(3, 1, 2, 1))).columns[0].n_present == 4
    assert read(with_cells(varint(4, 1, 0, 1, 3))).columns[0].n_present == 4, "a run of two zeros"
    for cells, why in [
        (varint(2**20), "1048576 cells, but at most"),
        (varint(3, 4, 0, 2), "a run of zeros too long"),
        (varint(4, 4, 0, 0, 0, 1), "a run of zeros too long"),  # two runs side by side are one
        (varint(3, 2**63, 2**63, 1), r"more than 2\^64"),
        (varint(3, 1, 2, 2), "do not add up"),
        (varint(1, 4), "do not add up"),
    ]:
        refused(with_cells(cells), why)


# Embeddings: homes, norms, sums and their corrections, products.

WIDTH = 2
VECTORS = {"v": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(4.0)), WIDTH)}
EMBEDDED = tg.profile(VECTORS).to_bytes()
EMBEDDED_LIGHT = tg.profile(VECTORS, accumulators="light").to_bytes()


def norms(n: int = 2, low: float = 1, high: float = 2) -> bytes:
    return varint(n, 0) + reals(low, high, low, 0, 1, 0, 1, 3, 0)


def embedding(norms: bytes = norms(), sums: bytes = reals(2, 4, 0, 0), scatter: bytes = b"") -> bytes:
    homes = varint(2, 0, 0, 0, 0, 0, 0)
    return forging.with_states(EMBEDDED if scatter else EMBEDDED_LIGHT, homes + norms + sums + scatter)


def scatter(n: int, waiting: int, *sums: float) -> bytes:
    return varint(n, waiting) + reals(*sums)


def test_embeddings() -> None:
    assert read(embedding()).columns[0].n_present == 2
    for data, why in [
        (embedding(varint(0, 0), b""), "as many norms as rows"),
        (embedding(sums=reals(2, 4, 0)), "fewer sums than floats"),
        (embedding(norms(low=-1)), "norms that no vectors have"),
        (embedding(norms(high=2.0**513)), "norms that no vectors have"),
        *((embedding(sums=reals(2, x, 0, 0)), "a sum that no vectors have") for x in (NAN, INF, -0.0)),
        *((embedding(sums=reals(2, 4, 0, x)), "a sum that no vectors have") for x in (NAN, -INF, -0.0)),
    ]:
        refused(data, why)


def test_products_of_embeddings() -> None:
    for waiting, sums in [(0, (4, 6, 10)), (2, (4, 6, 10)), (1, (4, 6, 9, 0, 0, 1)), (0, (4, INF, 10))]:
        data = embedding(scatter=scatter(2, waiting, *sums))
        kept(data)
    for data, why in [
        (scatter(MOST + 1, 0, 4, 6, 10), r"count beyond 2\^62"),
        (scatter(2, 256, 4, 6, 10), "more vectors wait"),
        (scatter(2, 3, 4, 6, 10), "more vectors wait"),
        (scatter(2, 0, 4, 6), "fewer sums than a vector has pairs"),
        (scatter(2, 1, 4, 6, 10), "fewer sums than a vector has pairs"),
        (varint(0), "as many products as rows"),
        (scatter(3, 0, 4, 6, 10), "as many products as rows"),
        *((scatter(2, 0, 4, x, 10), "a sum that no vectors have") for x in (NAN, -INF, -0.0)),
        *((scatter(2, 0, x, 6, 10), "a sum that no vectors have") for x in (-1, NAN)),
        (scatter(2, 0, 4, 6, -1), "a sum that no vectors have"),
        (scatter(2, 1, 4, 6, 10, 0, NAN, 0), "a sum that no vectors have"),
        (scatter(2, 2, NAN, 6, 10), "a sum that no vectors have"),
    ]:
        refused(embedding(scatter=data), why)
    assert read(embedding(scatter=scatter(2, 0, 4, -6, 10))), "one that is no square may be negative"


# Exponential histograms: halvings, zeros, then buckets of positive and of negative values.


def exponential(halvings: int = 0, n_zero: int = 0, *stores: bytes) -> bytes:
    return bytes([halvings]) + varint(n_zero) + b"".join(stores or (b"\0", b"\0"))


def buckets(first: int, *counts: int) -> bytes:
    return varint(len(counts)) + first.to_bytes(4, "little", signed=True) + varint(*counts)


WIDE = buckets(0, 1, *[0] * 200, 1)
LOWEST, HIGHEST = -1074 * 32 - 1, 1024 * 32 - 1


@pytest.mark.parametrize(
    ("data", "n"),
    [
        (exponential(), 0),
        (exponential(0, 3, buckets(LOWEST, 1), buckets(HIGHEST, 2)), 6),
        (exponential(0, MOST), MOST),
        (exponential(1, 0, WIDE, buckets(0, 1)), 3),
        (exponential(8, 0, b"\0", buckets(-100, 1, *[0] * 200, 1)), 2),
    ],
)
def test_exponential_histograms(data: bytes, n: int) -> None:
    read = _contract.Exponential.from_bytes(data)
    assert read.n == n
    assert read.to_bytes() == data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (exponential(9), "the scale is out of range"),
        (exponential(0, MOST + 1), r"more than 2\^62"),
        (exponential(0, MOST, buckets(0, 1), b"\0"), r"more than 2\^62"),
        (exponential(0, 0, b"\0", buckets(0, MOST, 1)), r"more than 2\^62"),
        (exponential(0, 0, buckets(0, *[1] * 321), b"\0"), "too many buckets"),
        (exponential(0, 0, buckets(LOWEST - 1, 1), b"\0"), "where no double lies"),
        (exponential(0, 0, buckets(HIGHEST + 1, 1), b"\0"), "where no double lies"),
        (exponential(0, 0, buckets(HIGHEST, 1, 1), b"\0"), "where no double lies"),
        (exponential(0, 0, buckets(2**31 - 1, 1, 1), b"\0"), "where no double lies"),
        (exponential(0, 0, buckets(0, 0, 1), b"\0"), "an empty bucket at an end"),
        (exponential(0, 0, buckets(0, 1, 0), b"\0"), "an empty bucket at an end"),
        (exponential(1, 0, buckets(0, 1, 1), b"\0"), "coarser than the range demands"),
    ],
)
def test_exponential_histograms_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(_contract.DecodeError, match=why):
        _contract.Exponential.from_bytes(data)


# Ranks: k, seed, n, variance, weight of samples, a stratum and its value, what waits, levels.


def kll(
    n: int = 3,
    variance: float = 0,
    log_weight: int = 0,
    stratum: bytes = b"\0",
    waiting: tuple[float, ...] = (1, 2, 3),
    levels: bytes = b"\0",
    k: int = 200,
) -> bytes:
    head = k.to_bytes(4, "little") + u64(7) + varint(n)
    return (
        head
        + reals(variance)
        + bytes([log_weight])
        + stratum
        + varint(len(waiting))
        + reals(*waiting)
        + levels
    )


def level(*values: float, owed: int = 2) -> bytes:
    return bytes([owed]) + varint(len(values)) + reals(*values)


@pytest.mark.parametrize(
    "data",
    [
        kll(0)[:13],
        kll(),
        kll(variance=math.inf),
        kll(4, waiting=(1, 2), levels=b"\2" + level(owed=0) + level(3)),
    ],
)
def test_ranks(data: bytes) -> None:
    assert _contract.KllFloat.from_bytes(data).to_bytes() == data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (kll(k=7), "k is out of range"),
        (kll(k=2**31), "k is out of range"),
        (kll(MOST + 1), r"beyond 2\^62"),
        (kll(variance=-1), "the variance is not a number >= 0"),
        (kll(variance=-0.0), "the variance is not a number >= 0"),
        (kll(variance=NAN), "the variance is not a number >= 0"),
        (kll(log_weight=1), "the weight of samples is too large for n"),
        (kll(stratum=b"\1" + reals(1)), "the stratum holds more than its weight"),
        (kll(waiting=(1, NAN, 3)), "not finite or is -0.0"),
        (kll(waiting=(1, -0.0, 3)), "not finite or is -0.0"),
        (kll(300, waiting=(1,) * 256), "the pending block is full"),
        (kll(waiting=(1, 2, 3, 4)), "the weights add up to more than n"),
        (kll(waiting=(1, 2)), "the weights add up to less than n"),
        (kll(levels=b"\2" + level(owed=3) + level(3)), "a coin is neither 0 nor 1"),
        (kll(4, levels=b"\2" + level() + level()), "the highest level is empty"),
        (kll(7, waiting=(1,), levels=b"\2" + level() + level(2, 1, 3)), "a level is not in order"),
        (kll(4, waiting=(1,), levels=b"\2" + level() + level(1, 2)), "the weights add up to more than n"),
        (kll(5_000, waiting=(), levels=b"\1" + level(*range(5_000))), "hold more than their capacity"),
        (kll(levels=b"\x7f" + level() * 127), "too many levels"),
    ],
)
def test_ranks_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(_contract.DecodeError, match=why):
        _contract.KllFloat.from_bytes(data)


# Frequent values: capacity, total, error, then each hash, count, flags and name.


def frequent(*entries: bytes, n: int = 9, error: int = 0, capacity: int = 64) -> bytes:
    return varint(capacity, n, error, len(entries)) + b"".join(entries)


def entry(hash_: int = 5, count: int = 9, flags: int = 1, name: bytes = b"a") -> bytes:
    return u64(hash_) + varint(count) + bytes([flags]) + (varint(len(name)) + name if flags & 1 else b"")


@pytest.mark.parametrize(
    "data",
    [
        frequent(n=0),
        frequent(entry()),
        frequent(entry(5, 4, 0), entry(6, 5)),
        frequent(entry(5, 5, 3, b"a" * 254), n=5),
        frequent(entry(count=1, name=b""), n=33, error=1),
    ],
)
def test_frequent_values(data: bytes) -> None:
    assert _contract.Frequent.from_bytes(data, True).to_bytes() == data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (frequent(capacity=1), "the capacity is out of range"),
        (frequent(capacity=2**40), "the capacity is out of range"),
        (frequent(n=MOST + 1), r"a total beyond 2\^62"),
        (frequent(*[entry(i, 1, 0) for i in range(65)], n=65), "more entries than the capacity"),
        (frequent(entry(5, 4, 0), entry(5, 5)), "not in ascending order"),
        (frequent(entry(count=0)), "the counts do not fit the total"),
        (frequent(entry(count=10)), "the counts do not fit the total"),
        (frequent(entry(count=8)), "the error does not fit the total"),
        (frequent(entry(), error=1), "the error does not fit the total"),
        (frequent(entry(flags=4)), "flags that cannot be"),
        (frequent(entry(flags=2)), "flags that cannot be"),
        (frequent(entry(count=4), n=4), "a rare value has a name"),
        (frequent(entry(name=b"a" * 300)), "a name is too long"),
        (frequent(entry(flags=3)), "a cut name is too short"),
    ],
)
def test_frequent_values_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(_contract.DecodeError, match=why):
        _contract.Frequent.from_bytes(data, True)


def test_a_name_where_none_may_be_kept_is_refused() -> None:
    with pytest.raises(_contract.DecodeError, match="a name where none may be kept"):
        _contract.Frequent.from_bytes(frequent(entry()), False)


# Distinct values: hashes as they are, or registers.


def test_distinct_values() -> None:
    for data in (b"\0\0", b"\0\2" + u64(1, 2)):
        assert _contract.Distinct.from_bytes(data).to_bytes() == data
    for data, why in [
        (b"\2", "form 2 is neither 0 nor 1"),
        (b"\0" + varint(600) + u64(*range(600)), "600 hashes, but at most"),
        (b"\0\2" + u64(2, 2), "not in ascending order"),
        (b"\1" + bytes([1]) * 4096, "a register names levels that are not"),
    ]:
        with pytest.raises(_contract.DecodeError, match=why):
            _contract.Distinct.from_bytes(data)


# Moments of a column of numbers, settled and waiting ones.

REALS = tg.profile({"x": np.array([1.0, 2.0])}, accumulators="light").to_bytes()
WHOLES = tg.profile({"x": np.array([1, 2])}, accumulators="light").to_bytes()


def of_reals(
    low: float = 1, high: float = 2, mean: float = 1.5, *powers: float, n: bytes = varint(2, 0)
) -> bytes:
    settled = reals(mean, *(powers or (0, 0.5, 0, 0.125)), 3, 0)
    return forging.with_states(
        REALS, varint(2, 0, 0, 0, 0, 0, 0) + varint(0, 0) + n + reals(low, high) + settled
    )


def of_wholes(total: int = 3, low: int = 1, high: int = 2) -> bytes:
    ends = b"".join(each.to_bytes(8, "little", signed=True) for each in (low, high))
    settled = total.to_bytes(16, "little", signed=True) + reals(1.5, 0, 0.5, 0, 0.125)
    homes = varint(2, 0, 0, 0, 0, 0, 0)
    return forging.with_states(WHOLES, homes + varint(0, 0) + varint(2, 0) + ends + settled)


def test_moments() -> None:
    for data in (of_reals(), of_reals(1, 2, 1.5, 0, INF, INF, INF), of_wholes(), of_wholes(2, 1, 1)):
        kept(data)
    for data, why in [
        (of_reals(n=varint(0, 2**13)), "more values wait than a block holds"),
        (of_reals(n=varint(MOST, 1)), r"count beyond 2\^62"),
        *((of_reals(low), "not canonical finite") for low in (NAN, -INF, -0.0)),
        *((of_reals(-1, high), "not canonical finite") for high in (NAN, INF, -0.0)),
        (of_reals(2, 1), "minimum above maximum"),
        *((of_reals(1, 2, mean), "no stream of finite numbers has") for mean in (NAN, -INF)),
        (of_reals(1, 2, 1.5, 0, -1, 0, 0), "no stream of finite numbers has"),
        (of_reals(1, 2, 1.5, 0, INF, 0, 0), "finite above a power that overflowed"),
        (of_reals(1, 2, 1.5, 0, 0.5, INF, 1), "finite above a power that overflowed"),
        (of_reals(1, 2, 1.5, 1, 0.5, 0, 1), "not the nearest double"),
        (of_wholes(1), "a sum that no values between the extremes have"),
        (of_wholes(5), "a sum that no values between the extremes have"),
        (of_wholes(3, 2, 1), "a sum that no values between|minimum above maximum"),
    ]:
        refused(data, why)
