"""Rows of a binary model whose scores are probabilities, day by day."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

import tidegauge as tg

FIRST = np.datetime64("2026-01-05", "us")
DAY = np.timedelta64(1, "D")


def day_of(
    day: int, n: int = 1_000, *, lost: float = 0.0, labels: float = 1.0, shift: float = 0.0, seed: int = 0
) -> pa.Table:
    """Return `n` rows of a day.

    `lost` is the share of labels that the score does not tell, `labels` that of rows with a label; `shift`
    moves the scores, and the truth with them.
    """
    rng = np.random.default_rng([day, n, seed])
    x = 1.5 * rng.normal(size=n) + shift
    score = 1 / (1 + np.exp(-x))
    label = rng.random(n) < score
    wrong = rng.random(n) < lost
    label[wrong] = rng.random(int(wrong.sum())) < score.mean()
    return pa.table(
        {
            "id": np.arange(n) + day * n,
            "time": FIRST + day * DAY + rng.integers(0, 86_400_000_000, n).astype("m8[us]"),
            "p": score,
            "y": pa.array(label.astype(np.int64), mask=rng.random(n) >= labels),
        }
    )


def days(first: int, stop: int, **options: object) -> pa.Table:
    """Return the rows of some days."""
    return pa.concat_tables([day_of(day, **options) for day in range(first, stop)])  # type: ignore[arg-type]


def fitted(n_days: int = 30, *, window: str | None = "1d", **options: object) -> tg.Reference:
    """Return a reference of some days."""
    rows = days(0, n_days, **options)
    schema = tg.Schema.infer(rows, score="p", label="y", positive=1, id="id", timestamp="time")
    return tg.Reference.fit(rows, schema=schema, window=window)
