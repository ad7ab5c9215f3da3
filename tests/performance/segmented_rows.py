"""Rows of a binary model in three countries and two channels, of which one country may go wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

import tidegauge as tg

COUNTRIES = ("SE", "DE", "US")
SEGMENTS = ["country", ("country", "channel")]


def rows_of(
    n: int,
    seed: int,
    *,
    shares: Sequence[float] = (0.3, 0.5, 0.2),
    lost: dict[str, float] | None = None,
    labels: float = 1.0,
) -> pa.Table:
    """Return `n` rows; `lost` is the share of a country's labels that the score does not tell.

    Scores have two decimals, and those of US are near .5: the model is right there least often.
    """
    rng = np.random.default_rng(seed)
    country = rng.choice(COUNTRIES, n, p=np.asarray(shares) / np.sum(shares))
    spread = np.where(country == "US", 0.7, 1.8)
    score = np.round(1 / (1 + np.exp(-spread * rng.normal(size=n))), 2)
    label = rng.random(n) < score
    for name, share in (lost or {}).items():
        wrong = (country == name) & (rng.random(n) < share)
        label[wrong] = rng.random(int(wrong.sum())) < 0.5
    return pa.table(
        {
            "country": country,
            "channel": rng.choice(["app", "web"], n),
            "p": score,
            "y": pa.array(label.astype(np.int64), mask=rng.random(n) >= labels),
        }
    )


def fitted(n: int = 20_000, **options: object) -> tg.Reference:
    """Return a reference with segments."""
    rows = rows_of(n, 1, **options)  # type: ignore[arg-type]
    schema = tg.Schema.infer(rows, score="p", label="y", positive=1)
    return tg.Reference.fit(rows, schema=schema, segments=SEGMENTS)
