"""Rows of a classifier to try metrics on, and what every defined metric must satisfy."""

from __future__ import annotations

import math

import numpy as np

from tidegauge.outcomes.binary_counts import BinaryCounts, count_binary
from tidegauge.outcomes.metric import Metric


def scored_rows(n: int, seed: int, *, confidence: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels of a model whose log odds vary by `confidence` times what they should."""
    rng = np.random.default_rng(seed)
    x = 1.3 * rng.normal(size=n)
    truth = 1 / (1 + np.exp(1.5 - x))
    scores = 1 / (1 + np.exp(1.5 - confidence * x))
    return scores, (rng.random(n) < truth).astype(np.float64)


def equal_mass_edges(scores: np.ndarray, cells: int) -> np.ndarray:
    return np.unique(np.quantile(scores, np.arange(1, cells) / cells))


def one_score_a_cell(scores: np.ndarray) -> np.ndarray:
    """Edges with which nothing is lost."""
    return np.unique(scores)


def counted(n: int = 5_000, seed: int = 0, cells: int = 100) -> BinaryCounts:
    scores, labels = scored_rows(n, seed)
    return count_binary(scores, labels, equal_mass_edges(scores, cells))


def assert_sound(metric: Metric) -> None:
    """No NaN leaks, an undefined value has a reason, the interval holds the value."""
    for name in ("value", "low", "high", "constant", "p_value", "bound", "n"):
        number = getattr(metric, name)
        assert number is None or math.isfinite(number), (metric, name)
    assert (metric.value is None) == bool(metric.reason), metric
    if metric.value is None:
        assert (metric.low, metric.high) == (None, None)
    if metric.low is not None and metric.high is not None:
        assert metric.low <= metric.value <= metric.high, metric
    assert metric.bound >= 0


def coverage(metrics: list[Metric], truth: float) -> float:
    """The share of intervals that hold the truth."""
    return float(np.mean([metric.low <= truth <= metric.high for metric in metrics]))
