"""Each reason why outcomes are refused, and the smallest bytes that give it; what lies beside is read."""

from __future__ import annotations

import math

import pytest
from tests import forging
from tests.forging import kept, reals, refused, text, varint

MOST = 2**62
INF, NAN = math.inf, math.nan

# How right a model is: each state's kind, length, spec and counts.


def outcomes(*states: tuple[int, bytes], n_rows: int = 8) -> bytes:
    body = varint(len(states)) + b"".join(bytes([kind]) + varint(len(s)) + s for kind, s in states)
    return forging.container({"ROWS": b"\0\0" + varint(n_rows), "SPEC": b"\0", "COLS": b"", "OUTC": body})


def named(*names: str) -> bytes:
    return b"".join(map(text, names))


def classes(*values: float) -> bytes:
    return b"\0" + varint(len(values)) + reals(*values)


def edges(*values: float) -> bytes:
    return varint(len(values)) + reals(*values)


SPECS = {
    2: [
        (named("y", "y", "", "") + edges(0.0), "they must be two"),
        (named("y", "label", "", "") + edges(-0.0), "an edge of minus zero"),
        (named("y", "label", "", "") + varint(9) + reals(0.0), "announces 9 items"),
        (named("y", "label", "low", "") + edges(0.0), "'low' is only one of them"),
        (named("y", "label", "low", "low") + edges(0.0), "must be different columns"),
    ],
    1: [
        (named("said", "label") + b"\2", "neither texts nor numbers"),
        (named("said", "label") + classes(-0.0), "minus zero"),
        (named("said", "label") + classes(), "are 0; 1 to"),
        (named("said", "label") + b"\0" + varint(2_000) + bytes(16_000), "more than can be told apart"),
        (named("said", "label") + classes(1.0, 1.0), "have one named twice"),
        (named("said", "label") + classes(NAN), "not finite"),
        (named("said") + b"\2\xff\xfe" + classes(), r"classes of '\\xff\\xfe' are 0"),
    ],
    0: [
        (named("s", "label", "") + classes(1.0) + edges(-0.0), "an edge of minus zero"),
        (named("s", "label", "") + classes(1.0, 2.0, 3.0) + edges(0.0), "not 3 values"),
        (named("s", "label", "s") + classes(1.0) + edges(0.0), "must be different columns"),
    ],
}


@pytest.mark.parametrize(
    ("kind", "spec", "why"), [(k, *each) for k, these in SPECS.items() for each in these]
)
def test_what_outcomes_are_counted_by(kind: int, spec: bytes, why: str) -> None:
    refused(outcomes((kind, spec)), why)


# Their counts, and the sums that go with them.

BINARY = named("s", "label", "") + classes(1.0) + edges(0.0, 1.0)
WEIGHTED = named("s", "label", "w") + classes(1.0) + edges(0.0, 1.0)
ONE = 2**40  # a score of 1 in fixed point


def wide(value: int) -> bytes:
    folded = 2 * value if value >= 0 else -2 * value - 1
    high = folded >> 63
    return varint(folded % 2**63 << 1 | bool(high)) + (varint(high) if high else b"")


def binary(z: int, squares: int, n: int = 1, n_clipped: int = 0, cell: int = 1, more: bytes = b"") -> bytes:
    """Of n negatives in one of three cells: below 0, from 0 to 1, and above."""
    zeros_before, zeros_behind = 3 * cell, 15 - 3 * cell
    before = varint(0, zeros_before - 1) if zeros_before else b""
    counts = varint(16) + before + varint(n) + varint(0, zeros_behind - 1)
    return counts + varint(n_clipped) + wide(z) + wide(squares) + more


@pytest.mark.parametrize(
    "state",
    [
        BINARY + binary(ONE // 2, ONE // 4),
        BINARY + binary(ONE, ONE, n_clipped=1),
        BINARY + binary(-5 * ONE, 25 * ONE, cell=0),
        BINARY + binary(2**25 * ONE, 2**25 * ONE, 2**25, cell=2),  # sums of more than 61 bits
        BINARY + varint(16, 0, 15) + varint(0),
        WEIGHTED + binary(ONE, ONE, more=reals(2.0, 2.0, 2.0, 4.0)),
        WEIGHTED + binary(-ONE, ONE, cell=0, more=reals(2.0, -2.0, 0.0, 4.0)),
    ],
)
def test_binary_outcomes(state: bytes) -> None:
    data = outcomes((0, state), n_rows=2**25)
    kept(data)


def test_binary_outcomes_are_refused() -> None:
    for state, why in [
        (BINARY + varint(15, 0, 14) + varint(0), "another number of cells"),
        (BINARY + varint(17, 0, 16) + varint(0), "17 cells, but at most 16"),
        (BINARY + binary(0, 0, MOST + 1), r"more than 2\^62 rows"),
        (BINARY + binary(ONE // 2, ONE // 4, n_clipped=2), "more clipped scores than scores"),
        *(
            (BINARY + binary(*sums), "sums that no scores of their cell have")
            for sums in [(-1, 0), (ONE + 1, ONE), (0, -1), (ONE, ONE + 1), (2**100, 0)]
        ),
        (BINARY + binary(1, 1)[:-2] + b"\1\0", "shortest form"),
        *(
            (WEIGHTED + binary(ONE, ONE, more=reals(*weights, 1.0)), "a weight that no rows have")
            for weights in [(NAN, 1, 1), (INF, 1, 1), (-0.0, 1, 1), (-1, 1, 1), (1, 1, -1), (1, 1, 2.0**120)]
        ),
        *(
            (WEIGHTED + binary(ONE, ONE, more=reals(1, 1, 1, square)), "a weight that no rows have")
            for square in (NAN, INF, -0.0, -1.0, 2.0**210)
        ),
        (WEIGHTED + binary(ONE, ONE, more=reals(1, 1, 1)), "needs 8 bytes"),
    ]:
        refused(outcomes((0, state)), why)


CONFUSION = named("said", "label") + classes(0.0, 1.0)


def test_confusion_outcomes() -> None:
    whole = CONFUSION + varint(12, 1, 0, 10) + varint(1, 2, 4)
    data = outcomes((1, whole))
    kept(data)
    for state, why in [
        (varint(9, 0, 8) + varint(0, 0, 0), "another number of classes"),
        (varint(12, MOST, 0, 10) + varint(1, 0, 0), r"more than 2\^62 rows"),
        (varint(12, MOST + 1, 0, 10) + varint(0, 0, 0), r"more than 2\^62 rows"),
        (varint(12, 0, 11) + varint(2**63, 2**63, 0), r"more than 2\^62 rows"),
    ]:
        refused(outcomes((1, CONFUSION + state)), why)


REGRESSION = named("y", "label", "", "") + edges(0.0)
BOUNDED = named("y", "label", "low", "high") + edges(0.0)
# A prediction of 1.5 and a label of 1: e, e^2, |e|, y, y^2, e^2 above, relative, symmetric and of logarithms.
ONE_ROW = [0.5, 0.25, 0.5, 1, 1, 0.25, 0.5, 0.25, 0.4, 0.16, 0.05, 0.0025]


def regression(
    n: int = 1,
    others: tuple[int, ...] = (0,) * 8,
    cells: tuple[int, ...] = (2, 0, 0, 1),
    spec: bytes = REGRESSION,
) -> bytes:
    """Without sums: how many are labelled, and what became of others."""
    return spec + varint(n, *others) + varint(*cells)


def of_one(
    at: int = 0, value: float = 0.5, parts: tuple[int, ...] = (1, 1), sides: tuple[int, ...] = (0, 0, 0)
) -> bytes:
    """The parts and sums of one row, each as a value and a rest, one of them another."""
    sums = [x for value in ONE_ROW for x in (value, 0.0)]
    sums[at] = value
    return varint(*parts, *sides) + reals(*sums)


def test_regression_outcomes() -> None:
    for state in [
        regression() + of_one(),
        regression() + of_one(0, -0.5),
        regression() + of_one(6, -3.0),
        regression() + of_one(3, -0.25),
        *(regression(spec=BOUNDED) + of_one(sides=sides) for sides in [(0, 1, 0), (0, 0, 0)]),
        regression(0, (1, *[0] * 7), (2, 0, 1)),
    ]:
        data = outcomes((2, state))
        kept(data)
    for state, why in [
        (regression(MOST + 1), r"more than 2\^62 rows"),
        (regression(MOST, (1, *[0] * 7)), r"more than 2\^62 rows"),
        (regression(cells=(1, 1)) + of_one(), "do not add up to its labelled rows"),
        (regression(cells=(2, 1, 1)) + of_one(), "do not add up to its labelled rows"),
        *(
            (regression(spec=BOUNDED) + of_one(parts=parts, sides=sides), "more rows in a part than in all")
            for parts, sides in [
                ((2, 1), (0, 0, 0)),
                ((1, 2), (0, 0, 0)),
                ((1, 1), (1, 1, 0)),
                ((1, 1), (2**64 - 1, 2, 0)),
            ]
        ),
        (regression() + of_one(sides=(0, 1, 0)), "more rows in a part than in all"),
        (regression() + of_one(parts=(0, 1)), "a sum that no rows have"),
        (regression() + of_one(parts=(1, 0)), "a sum that no rows have"),
        *(
            (regression() + of_one(at, value), "a sum that no rows have")
            for at, value in [
                *((0, x) for x in (NAN, INF, -0.0, 2.0**1000)),
                *((1, x) for x in (NAN, -0.0, -(2.0**1000))),
                *((at, -1.0) for at in (2, 4, 8, 10, 12, 14, 16, 18, 20, 22)),
                *((at, -0.5) for at in (3, 11)),
                (16, 3.0),
                (18, 6.0),
            ]
        ),
    ]:
        refused(outcomes((2, state)), why)


MULTICLASS = named("is") + classes(0.0, 1.0) + 2 * (named("p") + edges(0.5))
MULTICLASS = MULTICLASS.replace(named("p"), named("q"), 1)


def multiclass(
    first: tuple[int, ...] = (0, 0, 0, 0, 1, 0),  # of the lower cell: not the highest, the highest
    second: tuple[int, ...] = (1, 0, 0, 0, 0, 0),
    ranks: tuple[int, ...] = (1, 0),
    losses: tuple[int, ...] = (1, 0, 1, 1, 1, 1),
    homes: tuple[int, ...] = (0,) * 6,
) -> bytes:
    """A row of class 0 with the higher score of it, both in the lower cell; or others."""

    def counts(of_class: tuple[int, ...]) -> bytes:
        found, at = varint(12), 0
        whole = (*of_class, *[0] * 6)
        while at < 12:
            n = 1
            if whole[at] == 0:
                while at + n < 12 and whole[at + n] == 0:
                    n += 1
                found += varint(0, n - 1)
            else:
                found += varint(whole[at])
            at += n
        return found

    n, n_clipped, *sums = losses
    tail = varint(*homes, *ranks, n, n_clipped) + b"".join(map(wide, sums))
    return MULTICLASS + counts(first) + counts(second) + tail


def test_multiclass_outcomes() -> None:
    for state in [
        multiclass(),
        multiclass(homes=(1, 2, 0, 1, 1, 1)),
        multiclass(losses=(1, 1, 36 * ONE, 1_300 * ONE, 2 * ONE, 4 * ONE)),
        multiclass(losses=(0, 0, 0, 0, 0, 0)),
        multiclass((0, 1, 0, 0, 0, 0), (0, 0, 0, 1, 0, 0), (0, 1)),
        multiclass((0, 0, 0, 0, 0, 1), (0, 0, 1, 0, 0, 0), (0, 0), (0,) * 6),
    ]:
        kept(outcomes((3, state)))
    for state, why in [
        (named("is") + classes(0.0) + named("p") + edges(0.5), "two at least"),
        (MULTICLASS.replace(named("q"), named("p")), "'p' is given twice"),
        (MULTICLASS.replace(named("q"), named("is")), "'is' is given twice"),
        (named("is") + classes(0.0, 1.0) + 2 * (named("p") + edges(-0.0)), "an edge of minus zero"),
        (MULTICLASS + varint(13, 0, 12), "13 cells, but at most 12"),
        (MULTICLASS + varint(11, 0, 10), "another number of cells"),
        (multiclass(homes=(MOST, 0, 0, 0, 0, 0)), r"more than 2\^62 rows"),
        *(
            (state, "counts that no rows have")
            for state in [
                multiclass(second=(2, 0, 0, 0, 0, 0)),
                multiclass(second=(0, 1, 0, 0, 0, 0)),  # the label is both classes
                multiclass(second=(0, 0, 1, 0, 0, 0)),  # and unlabelled
                multiclass(second=(0, 0, 0, 1, 0, 0)),  # both are the highest
                multiclass(first=(0, 1, 0, 0, 0, 0)),  # none is
                multiclass((0, 0, 1, 0, 0, 0), (0, 0, 1, 0, 0, 0), (0, 0), (0,) * 6),
                multiclass(ranks=(0, 1)),
                multiclass(ranks=(1, 1)),
                multiclass((0, 1, 0, 0, 0, 0), (0, 0, 0, 1, 0, 0), (0, 0)),
                multiclass(ranks=(1, 2**63)),
                multiclass(losses=(2, 0, 1, 1, 1, 1)),
                multiclass(losses=(1, 2, 1, 1, 1, 1)),
                multiclass(losses=(0, 0, 1, 0, 0, 0)),
                *(
                    multiclass(losses=(1, 0, *[1] * at, x, *[1] * (3 - at)))
                    for at, most in enumerate((37, 37 * 37, 4, 16))
                    for x in (-1, most * ONE + 1, 2**120)
                ),
            ]
        ),
    ]:
        refused(outcomes((3, state)), why)


RANKING = named("q", "s", "label")


def ranking(
    rows: dict[int, int], queries: tuple[int, ...] = (1, 0, 0, 0, 0), sums: dict[int, int] | None = None
) -> bytes:
    """Rows by their homes, queries, and 36 sums, all of them 0 but those given."""
    of_rows = [rows.get(i, 0) for i in range(12)]
    told = [(sums or {}).get(i, 0) for i in range(36)]
    return RANKING + varint(*of_rows, *queries) + b"".join(map(wide, told))


def test_ranking_outcomes() -> None:
    for state in [
        ranking({0: 2}),
        ranking({0: 3}, sums={0: ONE, 1: ONE, 35: 5}),
        ranking({1: 5, 2: 1, 3: 7}, (0, 1, 2, 1, 2)),
    ]:
        kept(outcomes((4, state), n_rows=20))
    for state, why in [
        (named("q", "q", "label"), "must be different columns"),
        (named("q", "s", "s"), "must be different columns"),
        (ranking({0: MOST + 1}), r"more than 2\^62 rows"),
        (ranking({1: MOST, 3: 1}), r"more than 2\^62 rows"),
        *(
            (state, "counts and sums that no queries have")
            for state in [
                ranking({0: 1}),  # of a row
                ranking({0: 2}, (0, 0, 0, 0, 0)),
                ranking({0: 2}, (2**64 - 1, 0, 0, 0, 0)),
                ranking({0: 2, 1: 1}, (1, 1, 1, 0, 0)),
                ranking({0: 2, 3: 9}, (1, 0, 0, 1, 0)),
                ranking({0: 2, 1: 1}, (1, 0, 0, 2**63, 2**63)),
                *(ranking({0: 2}, sums={at: x}) for at in (0, 1, 34, 35) for x in (-1, ONE + 1, 2**110)),
                ranking({1: 2}, (0, 1, 0, 0, 0), {0: 1}),
            ]
        ),
    ]:
        refused(outcomes((4, state), n_rows=20), why)


def test_sections_of_outcomes() -> None:
    whole = (2, regression(0, (1, *[0] * 7), (2, 0, 1)))
    refused(outcomes((9, b"")), "a kind that this version does not know")
    refused(outcomes(), "an empty section")
    refused(outcomes(whole, whole), "not in the order of their ids")
    refused(outcomes((2, whole[1] + b"\0")), "1 bytes too many")
    refused(outcomes(whole, n_rows=0), "more rows than there are")
