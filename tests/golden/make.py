"""Write the golden files of the present format version: `python tests/golden/make.py`.

Once a version is released its files stay as they are: every later release must read them. A new version gets
a folder of its own, made by this script; VERSION names it. The data is made of sums and products alone, so
that no library's random numbers or logarithms are part of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import tidegauge as tg

VERSION = "v1-joint"  # format version 1, with the sections of columns together
FOLDER = Path(__file__).parent / VERSION
QUANTILES = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)


def draws(n: int, seed: int) -> np.ndarray:
    """Return n numbers in [0, 1), by a linear congruence."""
    state, found = seed, []
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        found.append((state >> 11) / 2**53)
    return np.array(found)


def rows(n: int, seed: int) -> pa.Table:
    """Return rows with a column of every kind, with nulls and values that are none."""
    a, b, c = (draws(n, seed + i) for i in range(3))
    amount = 10 * a * a * a / (1.05 - a)  # a long tail
    amount[::50], amount[7::100], amount[9::200] = np.nan, np.inf, -np.inf
    words = [f"word {int(1 / (x + 0.0005))}" for x in b.tolist()]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate([a, b, c]).astype(np.float32)), 3)
    return pa.table(
        {
            "amount": pa.array(amount, mask=c < 0.1, from_pandas=False),
            "at": pa.array((1_700_000_000_000 + (a * 1e9).astype(np.int64)).astype("M8[ms]"), mask=b < 0.05),
            "code": pa.array((b * 12).astype(np.int32), mask=a < 0.02),
            "colour": pa.array(
                [("red", "green", "blau", "🜲")[int(x * x * 4)] for x in c.tolist()]
            ).dictionary_encode(),
            "flag": pa.array(a > 0.8, mask=c > 0.95),
            "key": pa.array((a * 1e18).astype(np.int64)),
            "nested": pa.array([[1]] * n),
            "vector": vectors,
            "word": words,
        }
    )


def made() -> dict[str, tg.Profile | tg.Reference]:
    """Return what the files hold, by name."""
    schema = tg.Schema.infer(rows(10, 1), id="key", score="amount")
    reference = tg.Reference.fit(rows(800, 1), schema=schema)
    now = rows(400, 2).append_column("extra", pa.array([1] * 400))
    return {
        "reference": reference,
        "full": tg.profile(now, reference),
        "light": tg.profile(now, reference, accumulators="light"),
        "open": tg.profile(rows(300, 3)),
        "merged": tg.merge([tg.profile(now.slice(0, 150), reference), tg.profile(now.slice(150), reference)]),
    }


def encoded(held: tg.Profile | tg.Reference) -> bytes:
    """Return the bytes that `save` writes."""
    if isinstance(held, tg.Reference):
        return held.to_bytes()
    return held._core.to_bytes(with_edges=True)


def told(held: tg.Profile | tg.Reference) -> dict[str, Any]:
    """Return every number that is told of it, as JSON has them."""
    profile = held.profile if isinstance(held, tg.Reference) else held
    columns = {}
    for name, column in profile.items():
        quantiles = column.quantile(QUANTILES)
        columns[name] = {
            **column.to_dict(),
            "edges_id": column.edges_id,
            "counts": None if column.counts is None else column.counts.tolist(),
            "n_hashed": None if column.hash_counts is None else column.hash_counts.tolist(),
            "categories": column.categories,
            "top": column.top(10),
            "unseen_top": column.unseen_top,
            "quantiles": None if quantiles is None else quantiles.tolist(),
            "error_bounds": column.error_bounds,
        }
    joint = profile.joint
    together = {} if joint is None else {"joint": [joint.id, joint.columns, *sums_of(profile)]}
    return json.loads(
        json.dumps(
            {"n_rows": profile.n_rows, "unexpected": profile.unexpected, "columns": columns, **together}
        )
    )


def sums_of(profile: tg.Profile) -> list[list[int]]:
    """Return the whole numbers that the joint is made of, and those of its parts added up."""
    core = profile._core.joint
    parts = [np.sum([part[i] for part in core.parts], axis=0).tolist() for i in (0, 1, 2, 4)]
    return [core.total[0], *(sums.tolist() for sums in core.total[1:]), parts if core.parts else []]


def main() -> None:
    """Write each file and, beside it, what it tells."""
    FOLDER.mkdir(exist_ok=True)
    for name, held in made().items():
        (FOLDER / f"{name}.tg").write_bytes(encoded(held))
        text = json.dumps(told(held), indent=1, ensure_ascii=False, sort_keys=True)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
