"""Frames: NumPy columns of equal length as bytes, with what they are of; a checksum tells damage."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge.errors import DecodeError

MAGIC = b"\x89TGROWS\n"
DTYPES = ("<u8", "<i8", "<f8", "<u4", "<u2", "|u1")
MOST_HEADER_BYTES = 1 << 26

Columns = dict[str, npt.NDArray[Any]]


def encoded(about: Mapping[str, Any], columns: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return columns as bytes: a header in JSON, then each column as it lies in memory."""
    listed = [[name, each.dtype.str, list(each.shape)] for name, each in columns.items()]
    header = json.dumps({"about": dict(about), "columns": listed}, separators=(",", ":")).encode()
    parts = [MAGIC, len(header).to_bytes(4, "little"), header]
    parts += [np.ascontiguousarray(each).tobytes() for each in columns.values()]
    check = 0
    for part in parts:
        check = zlib.crc32(part, check)
    return b"".join([*parts, check.to_bytes(4, "little")])


def decoded(data: bytes) -> tuple[dict[str, Any], Columns]:
    """Return what `encoded` was given; the columns cannot be written to. Raises DecodeError."""
    view = memoryview(data)
    begin = len(MAGIC) + 4
    if len(view) < begin + 4 or view[: len(MAGIC)] != MAGIC:
        raise DecodeError("waiting rows: the first bytes are not their mark")
    if zlib.crc32(view[:-4]) != int.from_bytes(view[-4:], "little"):
        raise DecodeError("waiting rows: the checksum does not match; the bytes were truncated or altered")
    n_header = int.from_bytes(view[len(MAGIC) : begin], "little")
    try:
        header = json.loads(bytes(view[begin : begin + min(n_header, MOST_HEADER_BYTES)]))
        listed = [(str(name), str(kind), [int(n) for n in shape]) for name, kind, shape in header["columns"]]
        about = dict(header["about"])
    except (ValueError, KeyError, TypeError) as error:
        raise DecodeError(f"waiting rows: their header holds what is none: {error!r}") from error
    columns: Columns = {}
    at = begin + n_header
    for name, kind, shape in listed:
        if kind not in DTYPES or not 1 <= len(shape) <= 2 or min(shape) < 0:
            raise DecodeError(f"waiting rows: column {name!r} is of {kind} {shape}, which none is")
        n_bytes = math.prod(shape) * np.dtype(kind).itemsize
        if n_bytes > len(view) - 4 - at:
            raise DecodeError(f"waiting rows: column {name!r} reaches behind the end")
        columns[name] = np.frombuffer(view[at : at + n_bytes], kind).reshape(shape)
        at += n_bytes
    if at != len(view) - 4:
        raise DecodeError("waiting rows: bytes behind the last column")
    if len({len(each) for each in columns.values()}) > 1:
        raise DecodeError("waiting rows: columns of unlike length")
    return about, columns
