"""Ids are hashed by a key, alike whatever type they come in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tidegauge import _core
from tidegauge.arrow import batches
from tidegauge.errors import SchemaError

KEY = bytes(range(16))
MASK = 2**64 - 1


def siphash(key: bytes, data: bytes) -> tuple[int, int]:
    """SipHash-2-4 of 128 bits, word by word as its paper has it."""
    k = [int.from_bytes(key[i : i + 8], "little") for i in (0, 8)]
    v = [
        k[0] ^ 0x736F6D6570736575,
        k[1] ^ 0x646F72616E646F6D,
        k[0] ^ 0x6C7967656E657261,
        k[1] ^ 0x7465646279746573,
    ]
    v[1] ^= 0xEE

    def rotated(x: int, n: int) -> int:
        return (x << n | x >> (64 - n)) & MASK

    def rounds(n: int) -> None:
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[2] = (v[2] + v[3]) & MASK
            v[1], v[3] = rotated(v[1], 13) ^ v[0], rotated(v[3], 16) ^ v[2]
            v[0] = rotated(v[0], 32)
            v[2] = (v[2] + v[1]) & MASK
            v[0] = (v[0] + v[3]) & MASK
            v[1], v[3] = rotated(v[1], 17) ^ v[2], rotated(v[3], 21) ^ v[0]
            v[2] = rotated(v[2], 32)

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) % 256])
    for i in range(0, len(padded), 8):
        word = int.from_bytes(padded[i : i + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xEE
    rounds(4)
    low = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    rounds(4)
    return low, v[0] ^ v[1] ^ v[2] ^ v[3]


def hashed(values: pa.Array | pa.ChunkedArray, key: bytes = KEY) -> list[tuple[int, int] | None]:
    (batch,) = batches(pa.table({"id": values}))
    hashes, valid = _core.hash_ids(batch, 0, key)
    return [tuple(map(int, row)) if there else None for row, there in zip(hashes, valid, strict=True)]


def test_the_vectors_of_its_authors():
    """The first of vectors_sip128, of the key 00 01 .. 0f and of no byte, and of the byte 00."""
    told = [b"".join(word.to_bytes(8, "little") for word in each) for each in hashed(pa.array([b"", b"\0"]))]
    assert told[0].hex() == "a3817f04ba25a8e66df67214c7550293"
    assert told[1].hex() == "da87c1d86b99af44347659119b22fc45"


def test_texts_of_every_length():
    texts = ["x" * n for n in range(70)] + ["ü" * 100_000, "", "5", "-5"]
    assert hashed(pa.array(texts)) == [siphash(KEY, text.encode()) for text in texts]


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float16(), pa.float32(), pa.float64(), pa.decimal128(10, 2)),
    ],
    ids=str,
)
def test_a_number_is_its_digits_in_every_type(kind):
    expected = [siphash(KEY, b"5"), None, siphash(KEY, b"100"), siphash(KEY, b"0")]
    values = [5, None, 100, 0]
    if kind == pa.float16():
        values = [None if each is None else np.float16(each) for each in values]
    assert hashed(pa.array(values, kind)) == expected


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["5", None, "100"]),
        pa.array(["5", None, "100"], pa.large_string()),
        pa.array(["5", None, "100"], pa.string_view()),
        pa.array([b"5", None, b"100"]),
        pa.array(["5", None, "100"]).dictionary_encode(),
        pa.array([5, None, 100]).dictionary_encode(),
        pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3], pa.int32()), pa.array(["5", None, "100"])),
    ],
    ids=lambda values: str(values.type),
)
def test_the_same_id_in_every_encoding(values):
    assert hashed(values) == [siphash(KEY, b"5"), None, siphash(KEY, b"100")]


def test_large_integers_are_told_apart():
    many = [2**63 - 1, 2**53 + 1, 2**53]
    assert hashed(pa.array(many)) == [siphash(KEY, str(each).encode()) for each in many]
    above = [2**64 - 1, 2**63, 2**53 + 1]
    assert hashed(pa.array(above, pa.uint64())) == [siphash(KEY, str(each).encode()) for each in above]
    assert hashed(pa.array([-(2**63)])) == [siphash(KEY, b"-9223372036854775808")]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1.5, float("nan"), float("inf"), -float("inf"), 2.0**63]),
        pa.array([True, False]),
        pa.array([0, 1], pa.timestamp("ns")),
        pa.array([[1], [2]]),
        pa.array([{"a": 1}]),
        pa.nulls(3),
    ],
    ids=lambda values: str(values.type),
)
def test_what_is_no_id(values):
    assert hashed(values) == [None] * len(values)


def test_another_key_gives_other_hashes_and_slices_the_same():
    texts = pa.array([f"p-{i}" for i in range(5_000)])
    assert not set(hashed(texts)) & set(hashed(texts, bytes(16)))
    assert hashed(texts)[701:] == hashed(texts.slice(701))
    assert len(set(hashed(texts))) == 5_000


def test_wrong_calls_are_told():
    (batch,) = batches(pa.table({"id": ["a"]}))
    with pytest.raises(SchemaError, match="the key has 3 bytes, 16 are needed"):
        _core.hash_ids(batch, 0, b"abc")
    with pytest.raises(SchemaError, match="column 1 of 1"):
        _core.hash_ids(batch, 1, KEY)
