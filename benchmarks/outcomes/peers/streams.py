"""The streams that every detector sees: 0s and 1s, an error rate of .10 that rises to .12 or does not."""

from __future__ import annotations

import numpy as np

BEFORE, AFTER, QUIET = 5_000, 25_000, 100_000
SEEDS, QUIET_SEEDS = 1_000, 200
BASELINE = 0.10


def risen(seed: int, rate: float = 0.12) -> np.ndarray:
    rates = np.where(np.arange(BEFORE + AFTER) < BEFORE, BASELINE, rate)
    return np.random.default_rng(seed).random(BEFORE + AFTER) < rates


def quiet(seed: int) -> np.ndarray:
    return np.random.default_rng(1_000_000 + seed).random(QUIET) < BASELINE
