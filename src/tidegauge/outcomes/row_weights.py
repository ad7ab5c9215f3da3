"""The weights of rows that are counted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LEAST, _MOST = 1e-60, 1e60  # products of sums of these neither vanish nor overflow


def row_weights(weights: npt.ArrayLike | None, shape: tuple[int, ...]) -> Floats:
    """Return `weights` as float64, ones of `shape` for None; ValueError unless each is 0 or 1e-60 to 1e60."""
    if weights is None:
        return np.ones(shape)
    weight = np.asarray(weights, dtype=np.float64)
    wrong = weight[~((weight == 0) | ((weight >= _LEAST) & (weight <= _MOST)))]
    if wrong.size:
        raise ValueError(
            f"weight {wrong.flat[0]:g} is neither 0 nor between 1e-60 and 1e60; "
            "scale the weights or drop the row"
        )
    return weight


def less(whole: npt.ArrayLike, part: npt.ArrayLike) -> Floats:
    """Return whole - part, 0 where only rounding is left: sums of weights that were all taken away again."""
    a, b = np.asarray(whole, dtype=np.float64), np.asarray(part, dtype=np.float64)
    left = a - b
    return np.where(np.abs(left) <= 1e-12 * np.abs(a), 0.0, left)
