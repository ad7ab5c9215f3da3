"""How often a p falls below a level, with a standard error that knows which draws share a reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

LEVELS = (0.05, 0.01, 0.001)


def rate(hits: npt.NDArray[np.bool_], nominal: float | None = None) -> tuple[float, float]:
    """Return (share, standard error) of `hits` `[references, windows]`.

    Windows of one reference are alike, so the references are the sample. The error is at least the binomial
    one at the nominal level, which keeps a handful of hits, or none, from looking exact.
    """
    each = hits.mean(axis=1)
    error = each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else 0.0
    level = hits.mean() if nominal is None else nominal
    return float(hits.mean()), float(max(error, np.sqrt(level * (1.0 - level) / hits.size)))


def realised(p: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Return what became of nominal LEVELS: {level: [realised over nominal, its standard error]}.

    A p that is NaN warns of nothing.
    """
    told = {}
    for level in LEVELS:
        share, error = rate(np.nan_to_num(p, nan=1.0) <= level, level)
        told[str(level)] = [round(share / level, 3), round(error / level, 3)]
    return told
