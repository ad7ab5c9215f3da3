"""How large a regression's errors probably are before any label has come: those of the reference by leaf."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.estimated import Estimate

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LeafErrors:
    """Sums over a reference's labelled rows by leaf, one of each a leaf; e is prediction - label.

    `rows` counts them; the others sum e, |e|, e^2 and e^4.
    """

    rows: tuple[float, ...]
    errors: tuple[float, ...]
    absolutes: tuple[float, ...]
    squares: tuple[float, ...]
    fourths: tuple[float, ...]


def sum_errors(error: npt.ArrayLike, leaf: npt.ArrayLike, n_leaves: int) -> LeafErrors:
    """Sum raw rows: `error` and `leaf` are `[rows]`, leaves are numbered from 0."""
    e, of = np.asarray(error, dtype=np.float64), np.asarray(leaf, dtype=np.int64)

    def summed(values: Floats) -> tuple[float, ...]:
        return tuple(np.bincount(of, weights=values, minlength=n_leaves).tolist())

    return LeafErrors(summed(np.ones_like(e)), summed(e), summed(np.abs(e)), summed(e**2), summed(e**4))


def estimate_errors(rows: npt.ArrayLike, reference: LeafErrors) -> dict[str, Estimate]:
    """Return bias, mean absolute, mean squared and root mean squared error expected of `rows` `[leaves]`.

    A row has the mean of its leaf in the reference, so the metric is sum w m with w the window's share and m
    that mean. The standard error says how far the truth of these very rows will lie from it, if errors by
    leaf are as they were: sum of n s^2 / N^2 for the chance in their labels, and w^2 s^2 / n_reference for
    what the reference does not know, with s^2 the variance in the leaf; of the root by the delta method.
    None where no row came, or some came to a leaf that the reference had none in. A piecewise constant direct
    loss estimation (NannyML, "Direct Loss Estimation", predicts |e| by boosted trees instead).
    """
    n = np.asarray(rows, dtype=np.float64)
    total, known = float(n.sum()), np.asarray(reference.rows, dtype=np.float64)
    names = {"bias": "errors", "mean_absolute_error": "absolutes", "mean_squared_error": "squares"}
    if not total > 0 or (n[known <= 0] > 0).any():
        return dict.fromkeys([*names, "root_mean_squared_error"], Estimate(None, None, total))
    second = {"errors": reference.squares, "absolutes": reference.squares, "squares": reference.fourths}
    found = {}
    for name, sums in names.items():
        mean = np.asarray(getattr(reference, sums)) / np.maximum(known, 1.0)
        variance = np.maximum(np.asarray(second[sums]) / np.maximum(known, 1.0) - mean**2, 0.0)
        share = n / total
        value = float(share @ mean)
        error = float(share @ variance / total + share**2 @ (variance / np.maximum(known, 1.0)))
        found[name] = Estimate(value, sqrt(error), total)
    squared = found["mean_squared_error"]
    root = sqrt(squared.value or 0.0)
    spread = (squared.standard_error or 0.0) / (2.0 * root) if root > 0 else 0.0
    return found | {"root_mean_squared_error": Estimate(root, spread, total)}
