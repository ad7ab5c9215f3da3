"""A scoring service that watches itself: every payment it scores, and what it scored, goes to a monitor."""

from __future__ import annotations

import math
import os
from pathlib import Path

from fastapi import FastAPI
from pydantic import BaseModel

import tidegauge as tg
from tidegauge.serving import lifespan, watched

FOLDER = Path(os.environ.get("FRAUD_FOLDER", "."))


class Payment(BaseModel):
    """What a client asks about."""

    amount: float
    age_days: int
    country: str


def make_monitor() -> tg.Monitor:
    """Make the monitor of one worker."""
    return tg.Monitor(
        "fraud",
        FOLDER / "reference.tg",
        version="3",
        window="1h",
        segments=["country"],
        archive=f"sqlite:///{FOLDER / 'tidegauge.db'}",
    )


watching = lifespan(make_monitor)
app = FastAPI(lifespan=watching)


@watched(lambda: watching.monitor)
def fraud_score(payment: Payment) -> float:
    """Return how likely a payment is fraud: the model."""
    z = 0.02 * payment.amount - 0.01 * payment.age_days + (0.5 if payment.country == "US" else 0.0) - 2.0
    return 1 / (1 + math.exp(-z))


@app.post("/score")
async def score(payment: Payment) -> dict[str, float]:
    """Score one payment."""
    return {"score": fraud_score(payment)}


@app.get("/health")
async def health() -> dict[str, object]:
    """Tell what the monitor of the worker that answers says of itself."""
    return watching.monitor.health.to_dict()
