"""Rows by leaf of a tree of 16 leaves, cell of the score and label, beside NumPy's way to the same counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

import tidegauge
from tidegauge import _core
from tidegauge.arrow import batches

Timed = Callable[..., None]

ROWS = 1_000_000
NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "a longer name of a category", "zeta", "eta")
EDGES = np.linspace(0, 1, 101)[1:-1]
BINARY = _core.BinaryOutcomes("score", "label", EDGES, positive=1, negative=0)


@cache
def table() -> pa.Table:
    rng = np.random.default_rng(16)
    texts = pa.array(rng.choice(NAMES, ROWS))
    return pa.table(
        {
            **{f"x{i}": rng.normal(size=ROWS) for i in range(5)},
            "integer": rng.integers(0, 100, ROWS),
            "text": texts,
            "dictionary": texts.dictionary_encode(),
            "flag": pa.array(rng.random(ROWS) < 0.5),
            "score": rng.random(ROWS),
            "label": pa.array(rng.random(ROWS) < 0.3),
        }
    )


@cache
def hashes() -> np.ndarray:
    spec = tidegauge.Reference.fit(table().select(["text"]).slice(0, 10_000))._specs["text"]
    assert spec.category_hashes is not None
    return spec.category_hashes[:6]


def number(name: str, cuts: list[float]) -> _core.LeafColumn:
    return _core.LeafColumn(name, "number", cuts=np.array(cuts))


COLUMNS: dict[str, Callable[[], list[_core.LeafColumn]]] = {
    "5 floats": lambda: [number(f"x{i}", [-0.7, 0.0, 0.7]) for i in range(5)],
    "1 float, 15 cuts": lambda: [number("x0", np.linspace(-2, 2, 15).tolist())],
    "3 floats, an integer, a boolean": lambda: [
        *(number(f"x{i}", [-0.7, 0.0, 0.7]) for i in range(3)),
        number("integer", [10.0, 50.0, 80.0]),
        _core.LeafColumn("flag", "boolean"),
    ],
    "3 floats, a dictionary": lambda: [
        *(number(f"x{i}", [-0.7, 0.0, 0.7]) for i in range(3)),
        _core.LeafColumn("dictionary", "category", hashes=hashes()),
    ],
    "3 floats, a text": lambda: [
        *(number(f"x{i}", [-0.7, 0.0, 0.7]) for i in range(3)),
        _core.LeafColumn("text", "category", hashes=hashes()),
    ],
}


def balanced(columns: list[_core.LeafColumn]) -> _core.LeafOutcomes:
    """Four levels, each asking for the columns in turn."""
    rng = np.random.default_rng(17)
    nodes: list[tuple[int, np.ndarray, int, int]] = []
    for i in range(31):
        if i >= 15:
            nodes.append((-1, np.empty(0, np.uint8), 0, 0))
            continue
        at = i % len(columns)
        n_codes = columns[at].n_codes
        sides = rng.random(n_codes) < 0.5
        if columns[at].kind == "number":
            sides = np.arange(n_codes) <= rng.integers(0, n_codes - 2)
        nodes.append((at, sides.astype(np.uint8), 2 * i + 1, 2 * i + 2))
    return _core.LeafOutcomes(BINARY, columns, nodes)


@pytest.mark.parametrize("what", COLUMNS)
def test_leaves(timed: Timed, what: str) -> None:
    (batch,) = batches(table())
    leaves = balanced(COLUMNS[what]())
    assert leaves.n_leaves == 16
    leaves.update(batch)
    leaf, score, label = leaves.leaf_of(batch), table()["score"].to_numpy(), table()["label"].to_numpy()
    slot = (leaf.astype(np.int64) * 3 + label) * 100 + np.searchsorted(EDGES, score, side="right")
    expected = np.bincount(slot, minlength=16 * 3 * 100).reshape(16, 3, 100)
    np.testing.assert_array_equal(leaves.counts(), expected)
    timed(
        lambda: leaves.update(batch),
        case=f"leaves: {what}",
        who="tidegauge",
        values=ROWS,
        n_bytes=ROWS * 9,
        rounds=15,
    )
