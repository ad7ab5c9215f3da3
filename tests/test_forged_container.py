"""Each reason why a profile is refused for its sections, specs and edges, behind a checksum that is right."""

from __future__ import annotations

import math
import struct

import numpy as np
import pyarrow as pa
import pytest
from tests import forging
from tests.forging import container, kept, read, reals, refused, sections, text, u64, varint

import tidegauge as tg
from tidegauge import _core

EMPTY = {"ROWS": b"\0\0\0", "SPEC": b"\0", "COLS": b""}
MOST = 2**62


def test_the_head() -> None:
    whole = container(EMPTY)
    kept(whole)
    refused(b"", "are not its mark")
    refused(b"\x88" + whole[1:], "are not its mark")
    refused(whole[:8] + struct.pack("<H", 2) + whole[10:], "format version 2")
    refused(whole[:10] + struct.pack("<H", 2) + whole[12:], "hold something else")
    refused(whole[:9], "needs 2 bytes, but only 1")
    refused(whole[:19], "truncated")
    refused(whole[:-1] + bytes([whole[-1] ^ 1]), "the checksum does not match")


def test_sections() -> None:
    later = read(container(EMPTY | {"LATR": b"of a later release"}))
    assert later.to_bytes(with_edges=True) == container(EMPTY)
    for name, body in EMPTY.items():
        refused(container({k: v for k, v in EMPTY.items() if k != name}), "a section is missing")
        refused(container([*EMPTY.items(), (name, body)]), "a section appears twice")
    refused(forging.resigned(container(EMPTY)[:-8] + b"SPE"), "needs 4 bytes, but only 3")
    refused(forging.resigned(container(EMPTY)[:-8] + b"LATR\x05"), "announces 5 items")


@pytest.mark.parametrize(
    ("replaced", "why"),
    [
        ({"ROWS": b"\2\0\0"}, "unknown flags"),
        ({"ROWS": b"\0\xff\0"}, "unknown flags"),
        ({"ROWS": b"\0\0" + varint(MOST + 1)}, r"more than 2\^62 rows"),
        ({"ROWS": b"\0\0\0\0"}, "1 bytes too many"),
        ({"SPEC": b"\0\0"}, "1 bytes too many"),
        ({"COLS": b"\0"}, "1 bytes too many"),
        ({"NOTE": b""}, "an empty section"),
        ({"EDGE": b"\0"}, "an empty section"),
        ({"EDGE": b"\0\0"}, "1 bytes too many"),
        ({"MORE": b"\0"}, "an empty section"),
        ({"MORE": b"\0\0"}, "1 bytes too many"),
        ({"MORE": varint(1) + text("a") + varint(1)}, "more rows than there are"),
        ({"MORE": varint(2) + (text("a") + b"\0") * 2}, "not in the order of their names"),
        ({"MORE": varint(2) + text("b") + b"\0" + text("a") + b"\0"}, "not in the order of their names"),
        (
            {"MORE": varint(2_000) + b"".join(text(f"{i:04}") + b"\0" for i in range(2_000))},
            "too many columns",
        ),
    ],
)
def test_sections_that_say_what_cannot_be(replaced: dict[str, bytes], why: str) -> None:
    refused(container(EMPTY | replaced), why)


def test_what_is_beside_the_columns_is_kept() -> None:
    assert _core.Profile.from_bytes(container(EMPTY | {"NOTE": b"a note"}))[1] == "a note"
    kept(container(EMPTY | {"MORE": varint(2) + text("") + varint(7) + text("a") + b"\0"}))


# Columns: names, kinds, types, units, accumulators, flags, floats in a row, seed, id of the edges.

# Kinds in their order: unsupported, number, boolean, category, time, embedding.


def spec(
    name: str = "x",
    kind: int = 2,
    state: int = 0,
    unit: int = 0,
    accumulators: int = 0,
    flags: int = 2,
    width: int = 0,
    seed: int = 7,
    edges_id: int = 0,
) -> bytes:
    return (
        text(name)
        + text("")
        + bytes([kind, state, unit, accumulators, flags])
        + varint(width)
        + u64(seed, edges_id)
    )


def homes(n: int, *others: int) -> bytes:
    return varint(n, *others, *[0] * (6 - len(others)))


def columns(*of: tuple[bytes, bytes], n_rows: int = 4, **more: bytes) -> bytes:
    """A profile of columns, each a spec and a state."""
    rows = b"\0\0" + varint(n_rows)
    specs = varint(len(of)) + b"".join(each for each, _ in of)
    states = b"".join(varint(len(state)) + state for _, state in of)
    edges = {"EDGE": more["EDGE"]} if "EDGE" in more else {}
    return container({"ROWS": rows, "SPEC": specs} | edges | {"COLS": states} | more)


FLAG = homes(4) + varint(3)
NO_NUMBERS = homes(4, 0, 4) + varint(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("spec", "state"),
    [
        (spec(), FLAG),
        (spec(kind=0), homes(4)),
        (spec(kind=5, width=70_000 // 2, flags=1), homes(4)),
        (spec(kind=1, state=1), NO_NUMBERS),
        (spec(kind=4, state=2, unit=5), NO_NUMBERS),
        (spec(kind=3), homes(4, 4)),
        (spec(kind=3), homes(4) + varint(4, 4, 0, 2)),
    ],
)
def test_columns(spec: bytes, state: bytes) -> None:
    kept(columns((spec, state)))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"kind": 6}, "a kind or option that this version does not know"),
        ({"state": 3}, "a kind or option"),
        ({"unit": 6}, "a kind or option"),
        ({"flags": 4}, "a kind or option"),
        ({"kind": 5, "width": 65_537}, "a kind or option"),
        ({"state": 1}, "have a number type"),
        ({"kind": 1}, "have a number type"),
        ({"kind": 4, "state": 1, "unit": 1}, "times are kept as whole numbers"),
        ({"kind": 4, "state": 2}, "have a unit"),
        ({"unit": 1}, "have a unit"),
        ({"kind": 5}, "1 to 65536 floats"),
        ({"width": 1}, "1 to 65536 floats"),
        ({"accumulators": 32}, "unknown accumulators"),
        ({"accumulators": 16}, "at most 256 floats have a covariance"),
        ({"kind": 5, "width": 257, "accumulators": 16}, "at most 256 floats have a covariance"),
    ],
)
def test_specs_that_cannot_be(other: dict[str, int], why: str) -> None:
    refused(columns((spec(**other), FLAG)), why)


@pytest.mark.parametrize(
    ("spec", "state", "why"),
    [
        (spec(), homes(3) + b"\0", "not all of the same rows"),
        (spec(), homes(4, 5), "more rows in them than there are"),
        (spec(), homes(4, 1, 1, 1, 1, 1), "more rows in them than there are"),
        (spec(), homes(MOST + 1), r"more than 2\^62 rows"),
        (spec(), homes(4) + varint(5), "more true values than values"),
        (spec(), FLAG + b"\0", "1 bytes too many"),
        (spec(kind=3), homes(4) + varint(5, 4, 0, 2), "text sizes that cannot be"),
        (spec(kind=3), homes(4) + varint(4, 4, 3, 2), "text sizes that cannot be"),
        (spec(kind=1, state=1), homes(4) + varint(0, 0, 0, 0), "do not add up to its present values"),
        (spec(kind=1, state=1), homes(4, 4) + varint(1, 0, 0, 0), "do not add up to its present values"),
        (spec(kind=1, state=1), homes(4, 4) + varint(0, 1, 0, 0), "do not add up to its present values"),
    ],
)
def test_states_that_cannot_be(spec: bytes, state: bytes, why: str) -> None:
    refused(columns((spec, state)), why)


def test_columns_are_in_order() -> None:
    kept(columns((spec("a"), FLAG), (spec("b"), FLAG)))
    for names in ["ba", "aa"]:
        refused(columns(*((spec(name), FLAG) for name in names)), "not in the order of their names")


# Edges: id, form, contents.

ARRAYS = {
    "reals": np.array([0.5, 1.5, 1.5, 2.5]),
    "integers": np.array([1, 2, 2, 3]),
    "words": pa.array(["a"] * 9 + ["b"] * 3),
}
WHOLE = {
    kind: tg.profile({"x": array}, tg.Reference.fit({"x": array}))._core.to_bytes(with_edges=True)
    for kind, array in ARRAYS.items()
}
EDGES = {kind: sections(data)["EDGE"] for kind, data in WHOLE.items()}
BODY = 1 + 8 + 1  # their number, an id, a form


@pytest.mark.parametrize("kind", ARRAYS)
def test_edges(kind: str) -> None:
    kept(WHOLE[kind], with_edges=True)
    edges = EDGES[kind]
    for altered, why in [
        (edges[:1] + b"\0" + edges[2:], "they do not have the id they are filed under"),
        (edges[: BODY - 1] + b"\3" + edges[BODY:], "a form that this version does not know"),
        (b"\2" + edges[1:] * 2, "not in the order of their ids"),
        (edges[:-1], "needs|announces|not a flag"),
    ]:
        refused(forging.with_sections(WHOLE[kind], EDGE=altered), why)
    refused(container(EMPTY | {"EDGE": edges}), "of no column")


def test_edges_of_numbers() -> None:
    for kind, values, why in [
        ("reals", varint(1) + reals(-0.0), "an edge of minus zero"),
        ("reals", varint(1) + reals(math.nan), "is not finite"),
        ("reals", varint(2) + reals(1, 1), "is not above the one before it"),
        ("reals", varint(0), "none are given|at least|edge"),
        ("integers", varint(2) + u64(2, 1), "is not above the one before it"),
    ]:
        refused(forging.with_sections(WHOLE[kind], EDGE=EDGES[kind][:BODY] + values), why)
    refused(forging.with_sections(WHOLE["reals"], EDGE=EDGES["integers"]), "of no column")
    other = sections(WHOLE["integers"])["SPEC"].replace(EDGES["integers"][1:9], EDGES["reals"][1:9])
    altered = forging.with_sections(WHOLE["integers"], EDGE=EDGES["reals"], SPEC=other)
    refused(altered, "has edges of floats, but its values are not floats")


def test_edges_of_words() -> None:
    head = EDGES["words"][: BODY + 8]
    for values, why in [
        (varint(1) + u64(5) + b"\2", "not a flag"),
        (varint(0) + b"\1", "not a flag"),
        (varint(1) + u64(5) + b"\1\2", "not a flag"),
        (varint(2) + u64(5, 5) + b"\0", "twice|differ|distinct|same"),
    ]:
        refused(forging.with_sections(WHOLE["words"], EDGE=head + values), why)


# Scores of columns together.


def test_scores_of_columns() -> None:
    data = {"x": np.arange(40.0), "y": np.arange(40.0) ** 2}
    whole = tg.profile(data, tg.Reference.fit(data))._core.to_bytes(with_edges=True)
    kept(whole, with_edges=True)
    scores = sections(whole)["JSPC"]
    at = 8 + 1
    for altered, why in [
        (scores + b"\0", "1 bytes too many"),
        (bytes([scores[0] ^ 1]) + scores[1:], "scores that its sums are not of"),
        (scores[:8] + varint(0, 65) + bytes(400), "more columns than there can be"),
        (scores[:at] + varint(0), "joint"),
    ]:
        refused(forging.with_sections(whole, JSPC=altered), why)
    alone = {name: body for name, body in sections(whole).items() if name != "JOIN"}
    refused(container(alone), "scores that its sums are not of")
    joint = sections(whole)["JOIN"]
    refused(forging.with_sections(whole, JOIN=joint + b"\0"), "1 bytes too many")
