"""Arrow columns of every type, null pattern and layout, beside the rows that a reader must see in them.

A column is a function of the `random.Random` it is drawn with, and of nothing else.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trust.oracle.checks import MISTYPED

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
INDEX_TYPES = (
    pa.int8(),
    pa.uint8(),
    pa.int16(),
    pa.uint16(),
    pa.int32(),
    pa.uint32(),
    pa.int64(),
    pa.uint64(),
)
RUN_END_TYPES = (pa.int16(), pa.int32(), pa.int64())
FLOATS = (
    *(0.0, -0.0, 1.0, -1.5, 0.1, 1e15, 1e15 + 1, 2.0**53, 3.0, 3.0, 1e-40, -7.25),
    *(5e-324, -5e-324, 2.2250738585072014e-308, 1e-300, 1.7e308, -1.7e308, 1.7976931348623157e308),
)
HOMELESS = (math.nan, math.inf, -math.inf)
TEXTS = (
    *(b"", b"a", b"bb", b"a", "löß".encode(), "\N{WATER WAVE}".encode(), b"12 bytes long", b"a\0b", b"\0"),
    *(b"a text of more than twelve bytes", b"true", b"17", b"x" * 256, b"y" * 257, "é".encode() * 200),
)
NO_UTF8 = (b"\xff", b"\xff\xfe", b"\xed\xa0\x80", b"ab\x80", b"\xc3", b"\\xff")


@dataclass(frozen=True)
class Kind:
    """A physical type: what the profile calls it, and how to draw a value and what a reader sees of it."""

    type: pa.DataType
    kind: str
    draw: Callable[[Random], Any]
    seen: Callable[[Any], Any] = lambda value: value


@dataclass(frozen=True)
class Column:
    """Rows, and an Arrow array that holds them."""

    kind: str
    rows: list[Any]
    array: pa.ChunkedArray
    layout: str


def drawn_int(random: Random, low: int, high: int) -> int:
    which = random.random()
    if which < 0.5:
        return random.randint(max(low, -4), min(high, 9))
    if which < 0.7:
        return random.choice([low, high, max(low, INT_MIN), min(high, INT_MAX), max(low, -1), 0])
    return random.randint(low, high)


def drawn_float(random: Random) -> float:
    which = random.random()
    if which < 0.3:
        return random.choice(FLOATS)
    if which < 0.36:
        return random.choice(HOMELESS)
    return random.gauss(3.0, 2.0) if which < 0.9 else random.gauss(0, 1) * 10.0 ** random.randint(-30, 30)


def drawn_text(random: Random) -> bytes:
    which = random.random()
    if which < 0.55:
        return random.choice(TEXTS)
    return f"word {random.randint(0, 40)}".encode() if which < 0.9 else f"{random.random()}".encode()


def drawn_bytes(random: Random) -> bytes:
    return random.choice(NO_UTF8) if random.random() < 0.2 else drawn_text(random)


def integer(type_: pa.DataType, name: str) -> Kind:
    limits = np.iinfo(name)
    low, high = int(limits.min), int(limits.max)
    return Kind(
        type_,
        "number",
        lambda random: drawn_int(random, low, high),
        lambda x: x if x <= INT_MAX else MISTYPED,
    )


def floating(type_: pa.DataType, name: str) -> Kind:
    dtype = np.dtype(name)

    def draw(random: Random) -> float:
        with np.errstate(over="ignore"):
            return float(dtype.type(drawn_float(random)))

    return Kind(type_, "number", draw)


def decimals(type_: pa.DataType, digits: int, scale: int) -> Kind:
    def draw(random: Random) -> decimal.Decimal:
        most = 10 ** random.randint(1, digits) - 1
        with decimal.localcontext() as context:
            context.prec = 80
            return decimal.Decimal(random.randint(-most, most)).scaleb(-scale)

    return Kind(type_, "number", draw, float)


def times(type_: pa.DataType, least: int, most: int, step: int = 1) -> Kind:
    def draw(random: Random) -> int:
        return step * drawn_int(random, least // step, most // step)

    return Kind(type_, "time", draw)


def vectors(type_: pa.DataType, name: str) -> Kind:
    dtype, width = np.dtype(name), type_.list_size

    def draw(random: Random) -> tuple[float, ...]:
        bad = random.random() < 0.05
        values = [random.choice(HOMELESS) if bad else random.gauss(0, 1) for _ in range(width)]
        return tuple(float(dtype.type(x)) for x in values)

    return Kind(type_, "embedding", draw)


def kinds() -> list[Kind]:
    """Return every physical type that a profile reads, and one that it only counts."""
    sizes = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    of_time = [pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")]
    of_time += [pa.duration(unit) for unit in ("s", "ms", "us", "ns")]
    return [
        *(integer(pa.type_for_alias(name), name) for name in sizes),
        *(floating(pa.type_for_alias(name), name) for name in ("float16", "float32", "float64", "float64")),
        decimals(pa.decimal32(9, 2), 9, 2),
        decimals(pa.decimal64(18, 4), 18, 4),
        decimals(pa.decimal128(38, 10), 38, 10),
        decimals(pa.decimal256(76, 20), 76, 20),
        decimals(pa.decimal128(20, -3), 20, -3),
        Kind(pa.bool_(), "boolean", lambda random: random.random() < 0.4),
        Kind(pa.string(), "category", drawn_bytes),
        Kind(pa.large_string(), "category", drawn_bytes),
        Kind(pa.string_view(), "category", drawn_text),
        Kind(pa.binary(), "category", drawn_bytes),
        Kind(pa.large_binary(), "category", drawn_bytes),
        Kind(pa.binary_view(), "category", drawn_bytes),
        Kind(pa.binary(3), "category", lambda random: bytes(random.choices(b"ab\0\xff", k=3))),
        *(times(type_, INT_MIN, INT_MAX) for type_ in of_time),
        times(pa.timestamp("us", "Europe/Rome"), INT_MIN, INT_MAX),
        times(pa.date32(), -(2**31), 2**31 - 1),
        times(pa.date64(), -(10**15), 10**15, 86_400_000),
        times(pa.time32("s"), 0, 86_399),
        times(pa.time32("ms"), 0, 86_399_999),
        times(pa.time64("us"), 0, 86_399_999_999),
        times(pa.time64("ns"), 0, 86_399_999_999_999),
        vectors(pa.list_(pa.float32(), 3), "float32"),
        vectors(pa.list_(pa.float64(), 1), "float64"),
        vectors(pa.list_(pa.float16(), 5), "float16"),
        Kind(
            pa.list_(pa.int32()), "unsupported", lambda random: [random.randint(0, 9)] * random.randint(0, 3)
        ),
    ]


KINDS = kinds()


def plain(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """Return an array of values, None for a null, whatever their bytes."""
    if pa.types.is_string(type_):
        return pa.array(values, pa.binary()).view(type_)
    if pa.types.is_large_string(type_):
        return pa.array(values, pa.large_binary()).view(type_)
    if type_ == pa.string_view():
        return pa.array([None if x is None else x.decode() for x in values], type_)
    if pa.types.is_temporal(type_):
        return pa.array(values, pa.int32() if type_.bit_width == 32 else pa.int64()).view(type_)
    if pa.types.is_float16(type_):
        return pa.array([None if x is None else np.float16(x) for x in values], type_)
    if pa.types.is_fixed_size_list(type_):
        flat = [x for row in values for x in (row or (0.0,) * type_.list_size)]
        mask = pa.array([row is None for row in values], pa.bool_())
        inner = plain(flat, type_.value_type)
        return pa.FixedSizeListArray.from_arrays(inner, type_.list_size, mask=mask)
    return pa.array(values, type_)


def coded(random: Random, values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """Return the values as a dictionary whose entries may be unused, there twice, and null."""
    places: dict[Any, list[int]] = {}
    entries: list[Any] = []
    for value in (
        *dict.fromkeys(map(key_of, values)),
        *random.sample(list(map(key_of, values)), min(3, len(values))),
    ):
        if value is None and random.random() < 0.5:
            continue
        places.setdefault(value, []).append(len(entries))
        entries.append(None if value is None else value[0])
    if len(entries) > 120:
        return plain(values, type_)
    codes = [
        None
        if value is None and (None not in places or random.random() < 0.5)
        else random.choice(places[key_of(value)])
        for value in values
    ]
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, random.choice(INDEX_TYPES)), plain(entries, type_), safe=True
    )


def key_of(value: Any) -> Any:
    """Return a value as a key that tells NaN from NaN by nothing and 0.0 from -0.0."""
    return None if value is None else (value, repr(value))


def dressed(random: Random, values: Sequence[Any], type_: pa.DataType, layout: str) -> pa.Array:
    """Return an array of the values in a layout, perhaps cut out of a longer one."""
    before = random.choice([0, 0, 1, 3, 7, 8, 63]) if values else random.choice([0, 5])
    filler = random.choices([*values, None], k=before + random.choice([0, 2]))
    padded = [*filler[:before], *values, *filler[before:]]
    array = coded(random, padded, type_) if layout == "dictionary" else plain(padded, type_)
    if layout == "runs":
        # Not of every type, and no more rows than the type of the run ends counts.
        with suppress(pa.ArrowNotImplementedError, pa.ArrowInvalid):
            array = pc.run_end_encode(array, random.choice(RUN_END_TYPES))
    return array.slice(before, len(values))


def nulls(random: Random, n: int) -> list[bool]:
    """Return which rows are null."""
    pattern = random.choice(["none", "none", "few", "half", "all", "runs", "first", "last"])
    return [
        {
            "none": False,
            "all": True,
            "first": i == 0,
            "last": i == n - 1,
            "runs": i // 9 % 2 == 0,
            "few": random.random() < 0.05,
            "half": random.random() < 0.5,
        }[pattern]
        for i in range(n)
    ]


def column(random: Random, n: int, kind: Kind, bounds: Sequence[int] = ()) -> Column:
    """Draw n rows of a kind, in chunks that end at `bounds`."""
    shape = random.choice(["any", "any", "few", "one", "sorted"])
    pool = [kind.draw(random) for _ in range({"few": 5, "one": 1}.get(shape, 0))]
    values = [random.choice(pool) if pool else kind.draw(random) for _ in range(n)]
    if shape == "sorted":
        values.sort(key=lambda x: (x != x, x))
    rows = [None if is_null else value for is_null, value in zip(nulls(random, n), values, strict=True)]
    layout = random.choice(["plain", "plain", "dictionary", "runs"])
    if layout != "plain" and (pa.types.is_nested(kind.type) or kind.type.id == pa.bool_().id):
        layout = "plain"  # dictionaries of vectors and booleans are not written by anybody
    cuts = [0, *bounds, n]
    chunks = [dressed(random, rows[begin:end], kind.type, layout) for begin, end in pairwise(cuts)]
    if len({chunk.type for chunk in chunks}) > 1:  # another index type, or a chunk too rich for codes
        chunks = [plain(rows, kind.type)]
        layout = "plain"
    if layout == "runs" and not pa.types.is_run_end_encoded(chunks[0].type):
        layout = "plain"
    seen = [None if value is None else kind.seen(value) for value in rows]
    return Column(kind.kind, seen, pa.chunked_array(chunks), layout)
