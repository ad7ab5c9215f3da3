"""Outcomes: rows of a classifier into 1,000 cells of its score, beside NumPy's way to the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from benchmarks.data import N_SLOW, N

from tidegauge import _core

Timed = Callable[..., None]

SCORES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "beta": lambda rng, n: rng.beta(2, 5, n),
    "rare events": lambda rng, n: 1 / (1 + np.exp(-rng.normal(-5, 2, n))),
}
LABELS = {"bool": np.bool_, "int8": np.int8, "int64": np.int64, "float64": np.float64}


@cache
def rows(shape: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, outcomes and the 999 inner edges of 1,000 cells of equal mass."""
    rng = np.random.default_rng(15)
    scores = SCORES[shape](rng, N)
    edges = np.quantile(scores[:200_000], np.linspace(0, 1, 1_001)[1:-1])
    return scores, rng.random(N) < scores, edges


def by_numpy(scores: np.ndarray, labels: np.ndarray, edges: np.ndarray) -> list[np.ndarray]:
    """[2, cells] of rows, scores and squared scores."""
    slot = np.searchsorted(edges, scores, side="right") * 2 + labels
    values = (None, scores, scores**2)
    return [np.bincount(slot, v, minlength=2_000).reshape(-1, 2).T for v in values]


def binary(edges: np.ndarray, **options: str) -> _core.BinaryOutcomes:
    return _core.BinaryOutcomes("score", "label", edges, positive=1, negative=0, **options)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("n", [1_000, 100_000, N])
@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("shape", SCORES)
def test_binary(timed: Timed, shape: str, label: str, n: int, weighted: bool) -> None:
    scores, labels, edges = (x[:n] for x in rows(shape))
    columns = {"score": scores, "label": labels.astype(LABELS[label])}
    if weighted:
        columns["weight"] = np.ones(n)
    batch = _core.batch_from_arrays(list(columns), list(columns.values()))
    outcomes = binary(edges, weight="weight" if weighted else "")
    outcomes.update(batch)
    for told, expected in zip(outcomes.counts(), by_numpy(scores, labels, edges), strict=True):
        np.testing.assert_allclose(told[:2], expected, rtol=0, atol=1e-9 * n)
        assert not told[2].any()
    who = "tidegauge, weighted" if weighted else "tidegauge"
    n_bytes = sum(column.nbytes for column in columns.values())
    repeats = max(1, 1_000_000 // n)

    def run() -> None:
        for _ in range(repeats):
            outcomes.update(batch)

    timed(
        run,
        case=f"outcomes: {shape}, {label} labels, {n:,} rows at a time",
        who=who,
        values=n * repeats,
        n_bytes=n_bytes * repeats,
        rounds=9,
    )


@pytest.mark.parametrize("shape", SCORES)
def test_numpy(timed: Timed, shape: str) -> None:
    scores, labels, edges = (x[:N_SLOW] for x in rows(shape))
    assert by_numpy(scores, labels, edges)[0].sum() == N_SLOW
    timed(
        lambda: by_numpy(scores, labels, edges),
        case=f"outcomes: {shape}, bool labels, {N:,} rows at a time",
        who="numpy searchsorted and bincount",
        values=N_SLOW,
        n_bytes=scores.nbytes + labels.nbytes,
        rounds=3,
    )


@pytest.mark.parametrize("what", ["merge", "to_bytes", "from_bytes"])
def test_state(timed: Timed, what: str) -> None:
    """A state of 1,000 cells; `values` are states."""
    scores, labels, edges = rows("beta")
    outcomes = binary(edges)
    outcomes.update(_core.batch_from_arrays(["score", "label"], [scores[:N_SLOW], labels[:N_SLOW]]))
    data, total = outcomes.to_bytes(), binary(edges)
    total.merge(outcomes)
    assert total.to_bytes() == data == _core.BinaryOutcomes.from_bytes(data).to_bytes()
    run = {
        "merge": lambda: total.merge(outcomes),
        "to_bytes": outcomes.to_bytes,
        "from_bytes": lambda: _core.BinaryOutcomes.from_bytes(data),
    }[what]
    timed(run, case="outcomes: a state of 1,000 cells", who=what, values=1, n_bytes=len(data), rounds=50)


@pytest.mark.parametrize(
    "kind", ["confusion of 10 integers", "confusion of 10 texts in a dictionary", "regression"]
)
def test_others(timed: Timed, kind: str) -> None:
    rng = np.random.default_rng(16)
    if kind == "regression":
        truth = rng.normal(size=N_SLOW)
        columns = [truth + rng.normal(size=N_SLOW), truth]
        outcomes: _core.RegressionOutcomes | _core.ConfusionOutcomes = _core.RegressionOutcomes(
            "p", "y", np.linspace(-3, 3, 101)
        )
    else:
        columns = [rng.integers(0, 10, N_SLOW) for _ in range(2)]
        outcomes = _core.ConfusionOutcomes("p", "y", list(range(10)))
    if "texts" in kind:
        import pyarrow as pa

        names = pa.array([f"class {i}" for i in range(10)])
        table = pa.record_batch(
            {
                c: pa.DictionaryArray.from_arrays(pa.array(x), names)
                for c, x in zip("py", columns, strict=True)
            }
        )
        batch = _core.batch_from_capsules(*table.__arrow_c_array__())
        outcomes = _core.ConfusionOutcomes("p", "y", names.to_pylist())
    else:
        batch = _core.batch_from_arrays(["p", "y"], columns)
    outcomes.update(batch)
    if isinstance(outcomes, _core.RegressionOutcomes):
        assert outcomes.sums()["residual"][1] == pytest.approx((columns[0] - columns[1]).sum(), rel=1e-9)
    else:
        expected = np.bincount(columns[0] * 10 + columns[1], minlength=100).reshape(10, 10)
        np.testing.assert_array_equal(outcomes.counts()[:10, :10], expected)
    timed(
        lambda: outcomes.update(batch),
        case=f"outcomes: {kind}, {N_SLOW:,} rows",
        who="tidegauge",
        values=N_SLOW,
        n_bytes=16 * N_SLOW,
        rounds=9,
    )


@pytest.mark.parametrize("n_classes", [3, 10, 100])
def test_class_scores(timed: Timed, n_classes: int) -> None:
    """Scores of all classes, each into 100 cells; `values` are rows."""
    rng = np.random.default_rng(17)
    n = N_SLOW if n_classes < 100 else N_SLOW // 10
    scores = rng.dirichlet(np.ones(n_classes), n)
    labels = rng.integers(0, n_classes, n)
    names = [f"p{i}" for i in range(n_classes)]
    columns = [np.ascontiguousarray(scores[:, i]) for i in range(n_classes)]
    edges = [np.quantile(column[:100_000], np.linspace(0, 1, 101)[1:-1]) for column in columns]
    batch = _core.batch_from_arrays([*names, "y"], [*columns, labels])
    outcomes = _core.MulticlassOutcomes(names, "y", edges, list(range(n_classes)))
    outcomes.update(batch)
    assert outcomes.ranks()[0] == (scores.argmax(axis=1) == labels).sum()
    timed(
        lambda: outcomes.update(batch),
        case=f"outcomes: scores of {n_classes} classes, {n:,} rows",
        who="tidegauge",
        values=n,
        n_bytes=8 * (n_classes + 1) * n,
        rounds=5,
    )
