"""Write the corpus of whole profiles from the public API: `python -m trust.fuzz.make_corpus`.

Small ones: a profile of few columns and rows reaches every decoder, and costs little to change and read. What
accumulators write by themselves is made by the driver (`fuzz seeds`). Files named otherwise were found, by
libFuzzer or as the cause of a defect, and stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

import tidegauge as tg

FOLDER = Path(__file__).parent / "corpus" / "profile"


def column(kind: str, n: int) -> pa.Array:
    """Return n values of a kind, the same ones on every machine."""
    ramp = np.arange(n)
    spread = ramp * 7919 % 101
    match kind:
        case "real":
            values = (spread - 50.0) ** 3 / 7
            values[5::11], values[7::31], values[8::37] = np.nan, np.inf, -np.inf
            return pa.array(values, mask=ramp % 13 == 3, from_pandas=False)
        case "integer":
            return pa.array(spread * 10_007 - 5, mask=ramp % 17 == 2)
        case "time":
            return pa.array(spread * 3_600_000, pa.timestamp("ms", "UTC"))
        case "flag":
            return pa.array(spread % 3 == 0, mask=ramp % 19 == 4)
        case "word":
            return pa.array([f"w{x % 9}" if x % 5 else None for x in spread.tolist()])
        case "vector":
            return pa.FixedSizeListArray.from_arrays(pa.array(np.repeat(spread / 3.0, 2)), 2)
        case _:
            return pa.array([[1]] * n)


KINDS = ("real", "integer", "time", "flag", "word", "vector", "nested")


def rows(kinds: tuple[str, ...], n: int) -> pa.Table:
    """Return a table with a column of each kind, named after it."""
    return pa.table({kind: column(kind, n) for kind in kinds})


def made() -> Iterator[tuple[str, bytes]]:
    """Yield each file's name and content."""
    for kind in KINDS:
        for accumulators in ("light", "full"):
            for n in (0, 1, 40):
                profile = tg.Profile.empty(accumulators=accumulators)
                profile.update(rows((kind,), n))
                yield f"{kind}-{accumulators}-{n}", profile.to_bytes()
    yield "empty", tg.Profile.empty().to_bytes()
    for kinds in (("real",), ("word",), ("integer", "flag"), ("real", "time", "word", "nested")):
        table = rows(kinds, 30)
        reference = tg.Reference.fit(table)
        yield "-".join(("reference", *kinds)), reference.to_bytes()
        for accumulators in ("light", "full"):
            name = "-".join((accumulators, *kinds))
            profile = tg.profile(table.slice(0, 20), reference, accumulators=accumulators)
            other = tg.profile(table.slice(15), reference, accumulators=accumulators)
            yield f"{name}-edges", profile._core.to_bytes(with_edges=True)
            yield name, profile.to_bytes()
            profile.merge(other)
            yield f"{name}-merged", profile.to_bytes()
        unexpected = tg.profile(table.append_column("extra", pa.array([1] * 30)), reference)
        yield "-".join(("unexpected", *kinds)), unexpected.to_bytes()
    yield from made_of_labels()
    yield from made_of_leaves()
    yield from made_of_outcomes()
    table = rows(("real", "integer"), 60)
    with_windows = tg.Reference.fit(table)
    segmented = tg.profile(table.slice(0, 7), with_windows, accumulators="light")
    yield "segment", segmented.to_bytes()


def made_of_labels() -> Iterator[tuple[str, bytes]]:
    """Yield rows that wait for labels, labels alone, some of them taken back, and all of it together."""
    n = 30
    table = pa.table({"score": np.arange(n) / n, "guess": np.arange(n) % 2, "label": np.arange(n) % 3 % 2})
    schema = tg.Schema.infer(table, score="score", prediction="guess", label="label", positive=1)
    reference = tg.Reference.fit(table, schema=schema)
    light = tg.profile(table.drop_columns(["label"]), reference, accumulators="light")
    labelled = [
        tg.profile(table.slice(begin), reference, accumulators="light")._core.outcomes for begin in (0, 25)
    ]
    labels = tg.Profile(tg._core.Profile.of_labels(*labelled))
    yield "labels-none", light.to_bytes()
    yield "labels-alone", labels.to_bytes()
    light.merge(tg.Profile(tg._core.Profile.of_labels(labelled[1], [])))
    light.merge(labels)
    yield "labels-merged", light.to_bytes()


def made_of_leaves() -> Iterator[tuple[str, bytes]]:
    """Yield rows by leaf of a tree on a number, a boolean and a category: of a score, of a number."""
    n = 60
    ramp = np.arange(n)
    table = rows(("real", "flag", "word"), n)
    table = table.append_column("score", pa.array(ramp / n)).append_column("label", pa.array(ramp % 3 % 2))
    reference = tg.Reference.fit(table)
    specs = [each.spec for each in reference.profile._core.columns]
    hashes = reference.profile._core.column("word").spec.category_hashes
    core = tg._core
    columns = [
        core.LeafColumn("real", "number", cuts=np.array([-100.0, 0.0])),
        core.LeafColumn("flag", "boolean"),
        core.LeafColumn("word", "category", hashes=hashes[:2]),
    ]
    end = (-1, np.empty(0, np.uint8), 0, 0)
    asks = [(0, [1, 0, 0, 1], 1, 2), (1, [0, 1, 0], 3, 4), (2, [1, 0, 1, 0], 5, 6)]
    nodes = [(at, np.array(sides, np.uint8), left, right) for at, sides, left, right in asks] + [end] * 4
    for name, outcomes in (
        ("score", core.BinaryOutcomes("score", "label", np.array([0.25, 0.5]), positive=1, negative=0)),
        ("number", core.RegressionOutcomes("score", "label", np.array([0.0]))),
    ):
        profile = tg.Profile(core.Profile(specs, leaves=core.LeafOutcomes(outcomes, columns, nodes)))
        yield f"leaves-{name}-none", profile.to_bytes()
        profile.update(table)
        yield f"leaves-{name}", profile.to_bytes()


def made_of_outcomes() -> Iterator[tuple[str, bytes]]:
    """Yield light profiles of each kind of outcomes that scores, decisions and numbers do not show."""
    n = 30
    at = np.arange(n)
    score, label = at * 7 % n / n, at % 3 % 2
    tables = {
        "weighted": ({"p": score, "y": label, "w": 0.5 + at % 4}, {"score": "p", "weight": "w"}),
        "bounded": (
            {"p": 8.0 * score, "y": 6.0 * score - 1, "low": 5.0 * score, "high": 7.0 * score},
            {"prediction": "p", "lower": "low", "upper": "high"},
        ),
        "classes": (
            {"a": score, "b": (1 - score) / 4, "c": 3 * (1 - score) / 4, "y": at % 3},
            {"score": {0: "a", 1: "b", 2: "c"}},
        ),
        "ranked": ({"q": at % 5, "p": score, "y": (at % 4).astype(float)}, {"query": "q", "score": "p"}),
    }
    for name, (columns, roles) in tables.items():
        table = pa.table(columns)
        schema = tg.Schema.infer(table, label="y", positive=1 if name == "weighted" else None, **roles)
        reference = tg.Reference.fit(table, schema=schema)
        yield f"outcomes-{name}", tg.profile(table, reference, accumulators="light").to_bytes()


def main() -> None:
    """Write every file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in made():
        (FOLDER / name).write_bytes(content)


if __name__ == "__main__":
    main()
