"""Eight kinds of change of a normal column, seen by the omnibus p and by what others use, in one run.

Everything is computed from the same rows. The others get the advantage of an exact level: their critical
value is the 99 % quantile of as many windows without a change. Ours is taken at its word, p <= 0.01.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtri

from tidegauge.drift import chi_square

from .parallel import generator, spread
from .populations import POPULATIONS, Floats
from .rates import rate
from .weigh import weigh

SIZES = ((20_000, 2_000), (50_000, 10_000))
NO_CHANGE = "none"
CELLS = 16  # of the chi-square test: quantiles of the reference

_PART = np.sqrt(1.0 - 0.3**2)


def _ripple(rng: np.random.Generator, m: int) -> Floats:
    octile = rng.choice(8, m, p=(1.0 + 0.08 * (-1.0) ** np.arange(8)) / 8.0)
    return np.asarray(ndtri((octile + rng.random(m)) / 8.0))


def _cut(rng: np.random.Generator, m: int) -> Floats:
    return np.asarray(ndtri(0.023 + 0.977 * rng.random(m)))


CHANGES: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    NO_CHANGE: lambda rng, m: rng.normal(size=m),
    "mean + 0.10 sd": lambda rng, m: rng.normal(0.1, 1.0, m),
    "sd x 1.10": lambda rng, m: rng.normal(0.0, 1.1, m),
    "1 % of rows at + 5 sd": lambda rng, m: np.where(rng.random(m) < 0.01, 5.0, rng.normal(size=m)),
    "lowest 2.3 % cut off": _cut,
    "2 % of rows stuck at one value": lambda rng, m: np.where(
        rng.random(m) < 0.02, -0.27, rng.normal(size=m)
    ),
    "ripple of 8 % by octile": _ripple,
    "a tenth of rows + 0.6 sd": lambda rng, m: rng.normal(size=m) + 0.6 * (rng.random(m) < 0.1),
    "two humps, same mean and sd": lambda rng, m: rng.normal(size=m) * _PART + rng.choice((-0.3, 0.3), m),
}
OTHERS = ("KS", "W1", f"chi-square, {CELLS} cells")


def distances(reference: Floats, current: Floats) -> tuple[float, float, float]:
    """Return the largest and integrated gap of two distribution functions, and chi-square; sorted values."""
    pooled = np.concatenate([reference, current])
    order = np.argsort(pooled, kind="stable")
    n, m = len(reference), len(current)
    gap = np.abs(np.cumsum(np.where(order < n, 1.0 / n, -1.0 / m)))
    values = pooled[order]
    distinct = np.append(values[1:] > values[:-1], True)
    ends = reference[(np.arange(1, CELLS) * n) // CELLS]
    cells = [np.diff(np.r_[0, np.searchsorted(side, ends), len(side)]) for side in (reference, current)]
    return float(gap[distinct].max()), float(gap[:-1] @ np.diff(values)), float(chi_square(*cells)[0])


def case(n: int, m: int, change: str, draws: int, batch: int) -> tuple[Floats, Floats]:
    """Return the omnibus p `[draws]` and the statistics of OTHERS `[draws, others]`."""
    rng = generator("power", n, m, change, batch)
    normal = POPULATIONS["normal"]
    before, after = [], []
    others = np.empty((draws, len(OTHERS)))
    for i in range(draws):
        values = np.sort(normal.draw(rng, n))
        frozen = normal.freeze_values(values)
        current = np.sort(CHANGES[change](rng, m))
        others[i] = distances(values, current)
        edges = frozen.column.edges
        before.append(frozen.column)
        after.append(frozen.of_counts(np.diff(np.r_[0, np.searchsorted(current, edges), m])))
    return weigh(before, after).p, others


def power(quick: bool) -> list[dict[str, Any]]:
    draws, batches = 200, 1 if quick else 4
    sizes = SIZES[:1] if quick else SIZES
    cases = [(n, m, change, draws, batch) for n, m in sizes for change in CHANGES for batch in range(batches)]
    found = dict(zip(cases, spread(case, cases), strict=True))
    rows = []
    for n, m in sizes:
        p, others = {}, {}
        for change in CHANGES:
            parts = [found[n, m, change, draws, batch] for batch in range(batches)]
            p[change] = np.concatenate([each[0] for each in parts])
            others[change] = np.concatenate([each[1] for each in parts])
        limit = np.quantile(others[NO_CHANGE], 0.99, axis=0)
        for change in CHANGES:
            hits = np.column_stack([p[change] <= 0.01, others[change] > limit])
            told = [rate(hits[:, i : i + 1]) for i in range(hits.shape[1])]
            rows.append(
                {
                    "n": n,
                    "m": m,
                    "change": change,
                    "draws": len(hits),
                    "power": {
                        who: [round(share, 4), round(error, 4)]
                        for who, (share, error) in zip(("tidegauge", *OTHERS), told, strict=True)
                    },
                }
            )
    return rows
