"""Fit the reference: payments as the model was trained on, with its scores of them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import tidegauge as tg

rng = np.random.default_rng(7)
n_rows = 50_000
payments = {
    "amount": rng.lognormal(3.0, 1.0, n_rows),
    "age_days": rng.integers(0, 2_000, n_rows),
    "country": rng.choice(["SE", "DE", "US"], n_rows),
}
z = 0.02 * payments["amount"] - 0.01 * payments["age_days"] + 0.5 * (payments["country"] == "US") - 2.0
scored = {**payments, "score": 1 / (1 + np.exp(-z))}
tg.Reference.fit(scored).save(Path(sys.argv[1] if len(sys.argv) > 1 else ".") / "reference.tg")
