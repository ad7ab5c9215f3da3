"""Batches for the machines: columns of a few fixed names, whose rows may come as another type.

What a column then sees of a row is written out here, one line a pair of types.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa

import tidegauge as tg
from trust.oracle.checks import MISTYPED
from trust.oracle.columns import INT_MAX, INT_MIN, KINDS, Kind, column

Seen = Callable[[Any], Any]


def kind_of(type_: pa.DataType) -> Kind:
    return next(kind for kind in KINDS if kind.type == type_)


def nothing(value: Any) -> Any:
    return MISTYPED


def as_float(value: int) -> Any:
    return float(value) if int(float(value)) == value else MISTYPED


def as_int(value: float) -> Any:
    return (
        int(value)
        if math.isfinite(value) and value == int(value) and INT_MIN <= value <= INT_MAX
        else MISTYPED
    )


def as_text(value: Any) -> bytes:
    return str(value).lower().encode()


def as_microseconds(value: int) -> Any:
    return MISTYPED if value % 1_000 else value // 1_000


def seconds_as_microseconds(value: int) -> Any:
    wide = value * 1_000_000
    return wide if INT_MIN <= wide <= INT_MAX else MISTYPED


VECTOR = pa.list_(pa.float64(), 1)
USUAL = {
    "f": kind_of(pa.float64()),
    "i": kind_of(pa.int64()),
    "b": kind_of(pa.bool_()),
    "s": kind_of(pa.binary()),
    "t": kind_of(pa.timestamp("us")),
    "v": kind_of(VECTOR),
    "u": kind_of(pa.list_(pa.int32())),
}
UNUSUAL: dict[str, list[tuple[pa.DataType, Seen]]] = {
    "f": [(pa.int64(), as_float), (pa.binary(), nothing), (pa.float32(), float), (pa.bool_(), nothing)],
    "i": [(pa.float64(), as_int), (pa.uint64(), lambda x: x), (pa.binary(), nothing), (pa.int8(), int)],
    "b": [(pa.int64(), nothing), (pa.binary(), nothing)],
    "s": [(pa.int64(), as_text), (pa.bool_(), as_text), (pa.string_view(), bytes)],
    "t": [
        (pa.timestamp("ns"), as_microseconds),
        (pa.timestamp("s"), seconds_as_microseconds),
        (pa.bool_(), nothing),
    ],
    "v": [(pa.list_(pa.float16(), 5), nothing), (pa.bool_(), nothing)],
    "u": [],
}


@dataclass(frozen=True)
class Rows:
    """A batch, and what its columns see of it."""

    table: pa.Table
    seen: dict[str, list[Any]]

    @property
    def n(self) -> int:
        return self.table.num_rows


def rows(seed: int, n: int, unusual: Collection[str] = (), without: Collection[str] = ()) -> Rows:
    """Make n rows; those columns come as another type, or not at all."""
    random = Random(seed)
    arrays: dict[str, Any] = {}
    seen: dict[str, list[Any]] = {}
    for name, usual in USUAL.items():
        if name in without:
            continue
        kind, convert = usual, usual.seen
        if name in unusual and UNUSUAL[name]:
            type_, then = random.choice(UNUSUAL[name])
            kind = kind_of(type_)
            convert = lambda x, then=then, kind=kind: then(y) if (y := kind.seen(x)) is not MISTYPED else y  # noqa: E731
        made = column(random, n, Kind(kind.type, kind.kind, kind.draw, convert))
        arrays[name], seen[name] = made.array, made.rows
    return Rows(pa.table(arrays or {"nobody knows this": pa.nulls(n)}), seen)


def one_row(random: Random) -> tuple[dict[str, Any], pa.Table, dict[str, Any]]:
    """Make one row as a dict, as a table and as its columns see it; some fields are not there."""
    row: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    seen: dict[str, Any] = {}
    for name in ("f", "i", "b", "s", "t", "v"):
        if random.random() < 0.15:
            continue
        kind = USUAL[name]
        value = kind.draw(random)
        if random.random() < 0.1:
            value = None
        if name == "s" and value is not None:
            value = value.decode("utf-8", "replace")
        given = value
        if name == "t" and value is not None:
            value = max(value, -INT_MAX)  # the least int64 is NaT to NumPy
            given = np.datetime64(value, "us")
        row[name] = list(given) if name == "v" and given is not None else given
        if name == "s":
            arrays[name] = pa.array([value], pa.string())
        elif name == "v":
            arrays[name] = pa.array([None if value is None else list(value)], kind.type)
        elif name == "t":
            arrays[name] = pa.array([value], pa.int64()).view(kind.type)
        else:
            arrays[name] = pa.array([value], kind.type)
        seen[name] = value.encode() if name == "s" and value is not None else value
    return row, pa.table(arrays or {"nobody knows this": pa.nulls(1)}), seen


@cache
def reference() -> tg.Reference:
    """Return the reference that closed profiles are counted against."""
    return tg.Reference.fit(rows(7, 400).table)
