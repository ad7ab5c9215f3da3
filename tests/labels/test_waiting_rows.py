"""Rows that wait, as bytes, in parts, and matched."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge import frames
from tidegauge.archive import Series
from tidegauge.archive.shelves import is_on_shelf, on_shelf
from tidegauge.errors import DecodeError
from tidegauge.late_labels import LateLabels
from tidegauge.waiting_rows import EVERY, Coded, WaitingRows, pairs, together
from tidegauge.window import Window

HASHES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), max_size=40)


def hashes_of(some: list[tuple[int, int]]) -> np.ndarray:
    return np.array(sorted(some), np.uint64).reshape(-1, 2)


@given(HASHES, HASHES)
def test_pairs_are_those_of_two_loops(some, others):
    left, right = pairs(hashes_of(some), hashes_of(others))
    found = sorted(zip(left.tolist(), right.tolist(), strict=True))
    assert found == [
        (i, j) for i, a in enumerate(sorted(some)) for j, b in enumerate(sorted(others)) if a == b
    ]


def block(n: int, seed: int, keys: tuple[tuple[str, ...], ...] = (("a", "b"),)) -> WaitingRows:
    rng = np.random.default_rng(seed)
    states = (
        Coded(rng.random(n), rng.integers(0, 3, n).astype(np.uint8), np.empty(0)),
        Coded(rng.integers(0, 2, n).astype(np.uint8), rng.integers(0, 3, n).astype(np.uint8), np.empty(0)),
        Coded(rng.random(n), np.zeros(n, np.uint8), rng.random(n)),
    )
    segments = np.stack([rng.integers(0, len(each), n).astype(np.uint16) for each in keys], axis=1)
    hashes = rng.integers(0, 2**64, (n, 2), np.uint64)
    return WaitingRows(hashes, np.full(n, seed, np.uint32), states, segments, keys).ordered()


def as_rows(rows: WaitingRows) -> list[tuple]:
    """Each row with its segments by name, in order."""
    found = []
    for i in range(len(rows)):
        states = [
            (float(each.values[i]), int(each.codes[i]), float(each.others[i]) if len(each.others) else None)
            for each in rows.states
        ]
        named = [keys[rows.segments[i, d]] for d, keys in enumerate(rows.keys)]
        found.append((*map(int, rows.hashes[i]), int(rows.stamps[i]), *states, *named))
    return sorted(found)


def test_bytes_and_parts_keep_every_row():
    one, other = block(50, 1), block(70, 2, (("b", "c"),))
    read = WaitingRows.from_bytes(one.to_bytes())
    assert as_rows(read) == as_rows(one)
    assert read.to_bytes() == one.to_bytes()
    both = together([one, other])
    assert as_rows(both) == sorted(as_rows(one) + as_rows(other))
    assert (np.diff(both.hashes[:, 0].astype(np.float64)) >= 0).all()
    assert WaitingRows.from_bytes(block(0, 3).to_bytes()).size == (0, EVERY)


def test_thinning_keeps_the_same_rows_whoever_thins():
    rows = [block(500, 1), block(500, 2)]
    limit = EVERY >> 2
    thin = together([rows[0].thinned(limit), rows[1]])
    assert as_rows(thin) == as_rows(together(rows).thinned(limit))
    assert thin.limit == limit
    assert 150 < len(thin) < 350
    assert thin.thinned(EVERY) is thin


def sealed(header: object, body: bytes = b"") -> bytes:
    """A frame that its checksum says is whole."""
    text = json.dumps(header).encode()
    made = frames.MAGIC + len(text).to_bytes(4, "little") + text + body
    return made + zlib.crc32(made).to_bytes(4, "little")


def test_bytes_cut_short_or_changed_are_refused():
    whole = block(20, 1).to_bytes()
    for end in range(len(whole)):
        with pytest.raises(DecodeError):
            WaitingRows.from_bytes(whole[:end])
    for i in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[i] ^= 1 << (i % 8)
        with pytest.raises(DecodeError):
            WaitingRows.from_bytes(bytes(changed))


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ([], b""),
        ({}, b""),
        ({"about": {}, "columns": [["a", "|O", [1]]]}, bytes(8)),
        ({"about": {}, "columns": [["a", "<f8", [2**62]]]}, bytes(8)),
        ({"about": {}, "columns": [["a", "<f8", [-1]]]}, bytes(8)),
        ({"about": {}, "columns": [["a", "<f8", [1, 1, 1]]]}, bytes(8)),
        ({"about": {}, "columns": [["a", "<f8", [1]], ["b", "<f8", [2]]]}, bytes(24)),
        ({"about": {}, "columns": [["a", "<f8", [1]]]}, bytes(9)),
        ({"about": {}, "columns": [["a", "<f8", ["x"]]]}, bytes(8)),
        ({"about": {"states": 1, "keys": [], "limit": 1}, "columns": []}, b""),
    ],
)
def test_frames_that_hold_what_is_none_are_refused(header, body):
    for read in (WaitingRows.from_bytes, LateLabels.from_bytes):
        with pytest.raises(DecodeError):
            read(sealed(header, body))


def test_columns_that_are_not_those_of_rows_are_refused():
    about, columns = frames.decoded(block(4, 1).to_bytes())
    for name, other in (
        ("hashes", np.zeros((4, 3), np.uint64)),
        ("hashes", np.zeros((4, 2), np.float64)),
        ("stamps", np.zeros(4, np.int64)),
        ("segments", np.full((4, 1), 9, np.uint16)),
        ("segments", np.zeros((4, 2), np.uint16)),
        ("codes0", np.zeros(4, np.float64)),
    ):
        with pytest.raises(DecodeError):
            WaitingRows.from_bytes(frames.encoded(about, columns | {name: other}))


def test_shelves_are_no_models():
    key = on_shelf(Series("m", "1", "r"), "waiting", Window(0, 1), "w")
    assert is_on_shelf(key.model)
    assert not is_on_shelf("m")
