"""Bytes as the format has them, made by hand: whatever they say, their checksum is right."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from tidegauge import _contract, _core
from tidegauge.errors import DecodeError

HEAD = 12  # bytes: the mark, the version and the type


def resigned(body: bytes | bytearray) -> bytes:
    return bytes(body) + struct.pack("<Q", _contract.hash_bytes(bytes(body), 1))


def varint(*values: int) -> bytes:
    out = bytearray()
    for value in values:
        left = value
        while left >= 0x80:
            out.append(left & 0x7F | 0x80)
            left >>= 7
        out.append(left)
    return bytes(out)


def signed(*values: int) -> bytes:
    return varint(*(2 * value if value >= 0 else -2 * value - 1 for value in values))


def reals(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def u64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def text(value: str) -> bytes:
    return varint(len(value.encode())) + value.encode()


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, and the place behind it."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def sections(data: bytes) -> dict[str, bytes]:
    """Return the sections of a profile by tag."""
    found, at = {}, HEAD
    while at < len(data) - 8:
        tag = data[at : at + 4].decode()
        size, at = read_varint(data, at + 4)
        found[tag] = data[at : at + size]
        at += size
    return found


def container(parts: dict[str, bytes] | list[tuple[str, bytes]]) -> bytes:
    """Return a profile of these sections."""
    items = parts.items() if isinstance(parts, dict) else parts
    head = _core.Profile([]).to_bytes(with_edges=False)[:HEAD]
    return resigned(head + b"".join(tag.encode() + varint(len(body)) + body for tag, body in items))


def with_sections(data: bytes, **replaced: bytes) -> bytes:
    """Return a profile with other sections in the place of its own, or beside them."""
    return container(sections(data) | replaced)


def with_states(data: bytes, *states: bytes) -> bytes:
    """Return a profile whose columns have these states."""
    return with_sections(data, COLS=b"".join(varint(len(state)) + state for state in states))


def states_of(data: bytes) -> list[bytes]:
    """Return the state of each column."""
    body, at, found = sections(data)["COLS"], 0, []
    while at < len(body):
        size, at = read_varint(body, at)
        found.append(body[at : at + size])
        at += size
    return found


def read(data: bytes) -> Any:
    return _core.Profile.from_bytes(data)[0]


def kept(data: bytes, *, with_edges: bool = False) -> None:
    """What is read is written again as it was."""
    assert read(data).to_bytes(with_edges=with_edges) == data


def refused(data: bytes, match: str) -> None:
    with pytest.raises(DecodeError, match=match):
        read(data)
