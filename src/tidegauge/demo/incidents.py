"""The incidents planted in the demo's payments: a table that says what goes wrong, where and when.

`INCIDENTS` is the answer sheet: tests hold every verdict against it, and `CLEAN_DAYS` must stay quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidegauge.demo.payments import Columns, score

N_DAYS = 21
REFERENCE_DAYS = range(7)


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that goes wrong, from an hour of `first_day` to the end of `last_day`; day 0 is the first.

    `columns` are those that change. `named_from` is the first day on which the change is large enough that a
    verdict has to name them: later than `first_day` only for a change that grows. `plant` takes a day's
    columns, a generator and the days since `first_day`, and returns the columns with the change in them.
    """

    kind: str
    columns: tuple[str, ...]
    first_day: int
    first_hour: int
    last_day: int
    named_from: int
    words: str
    plant: Callable[[Columns, np.random.Generator, int], Columns]


def cents_in_sweden(columns: Columns, rng: np.random.Generator, step: int) -> Columns:
    """Send one country's amounts in hundredths."""
    swedish = pc.equal(columns["country"].dictionary_decode(), "SE")
    cents = pc.multiply(columns["amount"], 100.0)
    return columns | {"amount": pc.if_else(swedish, cents, columns["amount"])}


def stuck_risk(columns: Columns, rng: np.random.Generator, step: int) -> Columns:
    """Answer 0.25 from a stale cache for 6 % of the rows."""
    stuck = rng.random(len(columns["merchant_risk"])) < 0.06
    risk = np.where(stuck, np.float32(0.25), columns["merchant_risk"].to_numpy())
    return columns | {"merchant_risk": pa.array(risk)}


def wallet_channel(columns: Columns, rng: np.random.Generator, step: int) -> Columns:
    """Send a channel that training never saw, for 3 % of the rows."""
    wallet = pa.array(rng.random(len(columns["channel"])) < 0.03)
    return columns | {"channel": pc.if_else(wallet, "wallet", columns["channel"])}


def lost_ages(columns: Columns, rng: np.random.Generator, step: int) -> Columns:
    """Lose the card's age in a join, for 8 % of the rows."""
    lost = pa.array(rng.random(len(columns["card_age_days"])) < 0.08)
    return columns | {
        "card_age_days": pc.if_else(lost, pa.scalar(None, pa.int32()), columns["card_age_days"])
    }


def rising_balance(columns: Columns, rng: np.random.Generator, step: int) -> Columns:
    """Raise balances by 75 a day: 0.06 of their standard deviation."""
    return columns | {"balance": pc.add(columns["balance"], 75.0 * (step + 1))}


def attack(columns: Columns, rng: np.random.Generator, step: int) -> Columns:
    """Send one payment in ten from a risky address; the model sees it, so its score moves with its input."""
    hostile = rng.random(len(columns["ip_risk"])) < 0.10
    risk = pa.array(rng.beta(8.0, 2.0, len(hostile)))
    return score(columns | {"ip_risk": pc.if_else(pa.array(hostile), risk, columns["ip_risk"])})


INCIDENTS = (
    Incident("unit", ("amount",), 8, 13, 9, 8, "amount in cents in SE", cents_in_sweden),
    Incident(
        "stuck value", ("merchant_risk",), 11, 9, 11, 11, "merchant_risk stuck at 0.25 in 6 %", stuck_risk
    ),
    Incident("new category", ("channel",), 13, 16, 13, 13, "channel 'wallet' in 3 %", wallet_channel),
    Incident("nulls", ("card_age_days",), 14, 7, 14, 14, "card_age_days lost in 8 %", lost_ages),
    Incident("slow shift", ("balance",), 15, 0, 18, 16, "balance rising 0.06 sd a day", rising_balance),
    Incident(
        "score shift", ("ip_risk", "score", "decision"), 20, 11, 20, 20, "risky addresses in 10 %", attack
    ),
)


def planted(incident: Incident, columns: Columns, rng: np.random.Generator, day: int) -> Columns:
    """Return a day's columns, in order of time, with the incident in them, on its first day from its hour."""
    changed = incident.plant(columns, rng, day - incident.first_day)
    if day > incident.first_day:
        return changed
    before = int(np.searchsorted(columns["hour"].to_numpy(), incident.first_hour))
    return columns | {
        name: pa.concat_arrays([columns[name][:before], changed[name][before:]]) for name in incident.columns
    }


def active(day: int) -> tuple[Incident, ...]:
    """List the incidents planted on a day."""
    return tuple(incident for incident in INCIDENTS if incident.first_day <= day <= incident.last_day)


CLEAN_DAYS = tuple(day for day in range(REFERENCE_DAYS.stop, N_DAYS) if not active(day))
