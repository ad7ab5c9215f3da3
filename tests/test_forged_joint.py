"""Each reason why sums of columns together are refused, and the smallest bytes that give it."""

from __future__ import annotations

import pytest
from tests import forging
from tests.forging import kept, refused, signed, u64, varint

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
