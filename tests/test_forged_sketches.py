"""Each reason why a sketch is refused, and the smallest bytes that give it; what lies beside is read."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from tests import forging
from tests.forging import kept, read, reals, refused, signed, u64, varint

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


# Columns together: an id, numbers of columns and waves, sums of all rows, whether parts follow, and theirs.

ROW = {"sums": (1, 1), "products": (1, 1, 1), "squares": (1, 1, 1), "waves": ()}
N_PARTS = 32
NO_ROWS = signed(0, *[0] * 5)


def sums(n: int = 1, **other: tuple[int, ...]) -> bytes:
    """Sums of rows whose scores are 1 and 1, unless told otherwise."""
    return varint(n) + b"".join(signed(*each) for each in (ROW | other).values())


def part(n: int = 1, **other: tuple[int, ...]) -> bytes:
    return sums(n, squares=(), **other)


def joint(total: bytes, parts: bytes = b"\0", *, n_rows: int = 1, d: int = 2, n_waves: int = 0) -> bytes:
    body = u64(7) + varint(d, n_waves) + total + parts
    rows = b"\0\0" + varint(n_rows)
    return forging.container({"ROWS": rows, "SPEC": b"\0", "COLS": b"", "JOIN": body})


def parts(*first: bytes) -> bytes:
    return b"\1" + b"".join((*first, *[NO_ROWS] * (N_PARTS - len(first))))


@pytest.mark.parametrize(
    "data",
    [
        joint(sums()),
        joint(sums(waves=(4098, -4098)), n_waves=1),
        joint(sums(), parts(part())),
        joint(sums(2, sums=(2, 2), products=(2, 2, 2), squares=(2, 2, 2)), parts(part(), part()), n_rows=2),
        joint(sums(2, sums=(0, 2), products=(2, 0, 2), squares=(2, 2, 2)), n_rows=2),
    ],
)
def test_columns_together(data: bytes) -> None:
    kept(data)


FORGED_SUMS = {
    "more than 2^38 rows": [sums(2**38 + 1)],
    "fewer sums than its columns": [varint(1) + signed(1, 1)],
    "a sum that so few rows do not have": [
        sums(sums=(64, 1)),
        sums(sums=(-64, 1)),
        sums(products=(1, 63 * 63 + 1, 1)),
        sums(squares=(63**4 + 1, 1, 1)),
    ],
    "sums that no rows have together": [
        sums(products=(-1, 1, 1)),  # a square
        sums(sums=(3, 1)),  # (sum z)^2 > n sum z^2
        sums(2, sums=(1, 1), products=(2, 1, 1), squares=(2, 1, 1)),  # z and z^2 are odd together
        sums(products=(1, 3, 1), squares=(1, 9, 1)),  # (sum x y)^2 > sum x^2 sum y^2
        sums(squares=(1, -1, 1)),
        sums(2, products=(3, 1, 1), squares=(3, 1, 1), sums=(1, 1)),  # (sum z^2)^2 > n sum z^4
        sums(2, sums=(1, 1), products=(1, 1, 1), squares=(2, 1, 1)),  # z^2 and z^4
        sums(2, sums=(0, 0), products=(2, 0, 2), squares=(2, 4, 2)),  # (sum x^2 y^2)^2 > sum x^4 sum y^4
    ],
    "its parts do not add up": [
        sums() + parts(part(2, sums=(2, 2), products=(4, 4, 4))),
        sums() + parts(),
        sums() + parts(part(sums=(-1, 1), products=(1, -1, 1))),
        sums() + parts(part(sums=(1, 1), products=(1, -1, 1))),
    ],
    "not a flag": [sums() + b"\2"],
}


@pytest.mark.parametrize(
    ("why", "total"), [(why, total) for why, totals in FORGED_SUMS.items() for total in totals]
)
def test_columns_together_are_refused(why: str, total: bytes) -> None:
    whole = why in ("its parts do not add up", "not a flag")
    refused(joint(total, b"" if whole else b"\0"), why.replace("^", r"\^"))


def test_columns_together_have_sizes() -> None:
    for d, n_waves in [(1, 0), (65, 0), (2, 257), (2**63, 0)]:
        refused(joint(sums(), d=d, n_waves=n_waves), "a number of columns or waves that there cannot be")
    refused(joint(sums(), n_rows=2), "not of the same rows")
    waved = sums(waves=(1, 1))
    refused(
        joint(waved, b"\1" + varint(1) + signed(1, 1, 1, 1, 1, 1, 2) + signed(*[0] * 8) * 31, n_waves=1),
        "its parts do not add up",
    )
