"""The edges between which rows are counted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def frozen_edges(edges: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return `edges` as float64; ValueError unless they are one row of finite numbers that ascend."""
    bounds = np.asarray(edges, dtype=np.float64)
    if bounds.ndim != 1 or not np.isfinite(bounds).all() or (np.diff(bounds) <= 0).any():
        raise ValueError("edges must be one row of finite numbers that ascend strictly; use the reference's")
    return bounds
