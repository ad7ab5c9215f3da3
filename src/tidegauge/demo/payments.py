"""Scored card payments, seeded: a fixed population of cards and merchants, independent days drawn from it.

Because every day is drawn with its own generator, keyed by (seed, day), days can be made in any order or in
parallel and are the same bytes each time; because the population is fixed and nothing has a season, two days
without an incident differ by sampling noise alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]
Columns = dict[str, pa.Array]

FIRST_DAY = date(2026, 10, 5)  # a Monday
N_CARDS = 60_000
N_MERCHANTS = 3_000

COUNTRIES = ("US", "GB", "DE", "FR", "SE", "ES", "IT", "NL", "PL", "CH", "PT", "AT")
COUNTRY_SHARES = (0.30, 0.16, 0.13, 0.11, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01, 0.01)
CURRENCIES = ("USD", "GBP", "EUR", "SEK", "PLN", "CHF")
CURRENCY_OF_COUNTRY = np.array([0, 1, 2, 2, 3, 2, 2, 2, 4, 5, 2, 2], dtype=np.int32)
CATEGORIES = (
    "grocery", "restaurant", "fuel", "clothing", "electronics", "travel", "pharmacy", "books", "games",
    "sports", "furniture", "garden", "toys", "beauty", "hotel", "taxi", "airline", "insurance", "charity",
    "utilities",
)  # fmt: skip
CHANNELS = ("chip", "contactless", "online", "phone")
CHANNEL_SHARES = (0.27, 0.33, 0.38, 0.02)
ONLINE = CHANNELS.index("online")
DEVICES = ("android", "ios", "windows", "macos", "linux")
DEVICE_SHARES = (0.38, 0.31, 0.19, 0.09, 0.03)
BROWSERS = tuple(
    f"{name} {version}" for name in ("Firefox", "Chrome", "Safari", "Edge") for version in range(128, 143)
)
DECISIONS = ("approve", "review", "decline")
# Payments an hour, from midnight UTC, in proportion.
HOURS = np.array(
    [4, 2, 1, 1, 1, 2, 5, 9, 13, 15, 16, 18, 21, 19, 17, 16, 18, 22, 25, 24, 20, 15, 11, 7], dtype=float
)


@dataclass(frozen=True, slots=True)
class Population:
    """Who pays whom: arrays by card ([N_CARDS]) and by merchant ([N_MERCHANTS])."""

    card_id: pa.Array
    card_country: Codes
    card_amount: Floats  # the card's usual amount, in the currency's main unit
    card_balance: Floats
    card_age_days: Codes
    merchant_id: pa.Array
    merchant_share: Floats
    merchant_country: Codes
    merchant_category: Codes
    merchant_risk: npt.NDArray[np.float32]


def population(seed: int) -> Population:
    """Draw the cards and merchants of `seed`."""
    rng = np.random.default_rng([seed, 0])
    popularity = 1.0 / np.arange(1, N_MERCHANTS + 1) ** 0.9
    return Population(
        card_id=pa.array([f"card-{i:06d}" for i in range(N_CARDS)]),
        card_country=draw(rng, COUNTRY_SHARES, N_CARDS),
        card_amount=rng.lognormal(3.4, 0.5, N_CARDS),
        card_balance=rng.normal(1_800.0, 1_200.0, N_CARDS),
        card_age_days=rng.gamma(2.0, 500.0, N_CARDS).astype(np.int32),
        merchant_id=pa.array([f"merchant-{i:04d}" for i in range(N_MERCHANTS)]),
        merchant_share=popularity / popularity.sum(),
        merchant_country=draw(rng, COUNTRY_SHARES, N_MERCHANTS),
        merchant_category=draw(rng, np.geomspace(1.0, 0.1, len(CATEGORIES)), N_MERCHANTS),
        merchant_risk=rng.beta(2.0, 14.0, N_MERCHANTS).astype(np.float32),
    )


def draw(rng: np.random.Generator, shares: npt.ArrayLike, n: int) -> Codes:
    """Draw `n` codes in proportion to `shares`, which need not add up to one."""
    ends = np.cumsum(np.asarray(shares, dtype=float))
    codes: Codes = np.searchsorted(ends, rng.random(n) * ends[-1], side="right").astype(np.int32)
    return codes


def named(codes: Codes, names: tuple[str, ...], missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Make dictionary-encoded text of codes."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=missing), pa.array(names))


def plain(codes: Codes, names: tuple[str, ...], missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Make plain text of codes, one string a row."""
    return pa.array(names).take(pa.array(codes, mask=missing))


def score(columns: Columns) -> Columns:
    """Apply the model: compute `score` (probability of fraud) and `decision` from the other columns."""
    ip_risk = columns["ip_risk"].fill_null(0.2).to_numpy(zero_copy_only=False)
    logit = (
        -4.6
        + 0.55 * np.log(columns["amount_ratio"].to_numpy())
        + 0.12 * columns["n_payments_1h"].to_numpy()
        + 0.7 * columns["is_foreign"].to_numpy(zero_copy_only=False)
        + 2.5 * columns["merchant_risk"].to_numpy()
        + 3.5 * ip_risk
    )
    probability = 1.0 / (1.0 + np.exp(-logit))
    step = np.searchsorted([0.1, 0.25], probability, side="right").astype(np.int32)
    return columns | {"score": pa.array(probability), "decision": plain(step, DECISIONS)}


def payments(people: Population, seed: int, day: int, n_rows: int) -> Columns:
    """Draw one day's payments (day 0 is FIRST_DAY), in order of time, 25 columns, nothing wrong with them."""
    rng = np.random.default_rng([seed, 1, day])
    hour = np.sort(draw(rng, HOURS, n_rows))
    second = hour * 3600.0 + rng.random(n_rows) * 3600.0
    midnight = datetime.combine(FIRST_DAY + timedelta(days=day), time(), UTC)
    at = int(midnight.timestamp()) * 1_000_000 + np.sort(second * 1e6).astype(np.int64)

    card = rng.integers(0, N_CARDS, n_rows)
    merchant = draw(rng, people.merchant_share, n_rows)
    channel = draw(rng, CHANNEL_SHARES, n_rows)
    offline = channel != ONLINE
    country = people.merchant_country[merchant]
    usual = people.card_amount[card]
    amount = np.round(usual * rng.lognormal(0.0, 0.9, n_rows) + 0.01, 2)
    lately = rng.poisson(0.4, n_rows)
    distance = np.where(rng.random(n_rows) < 0.2, 0.0, rng.gamma(0.6, 25.0, n_rows)).astype(np.float32)
    return score(
        {
            "payment_id": pa.array(day * 10_000_000 + np.arange(n_rows)),
            "time": pa.array(at).cast(pa.timestamp("us", tz="UTC")),
            "card_id": people.card_id.take(pa.array(card)),
            "merchant_id": pa.DictionaryArray.from_arrays(pa.array(merchant), people.merchant_id),
            "merchant_category": named(people.merchant_category[merchant], CATEGORIES),
            "country": named(country, COUNTRIES),
            "currency": named(CURRENCY_OF_COUNTRY[country], CURRENCIES),
            "channel": plain(channel, CHANNELS),
            "device": plain(draw(rng, DEVICE_SHARES, n_rows), DEVICES, offline),
            "browser": named(draw(rng, np.ones(len(BROWSERS)), n_rows), BROWSERS, offline),
            "amount": pa.array(amount),
            "amount_usual": pa.array(usual),
            "amount_ratio": pa.array(amount / usual),
            "balance": pa.array(np.round(people.card_balance[card] + rng.normal(0.0, 300.0, n_rows), 2)),
            "card_age_days": pa.array(people.card_age_days[card], mask=rng.random(n_rows) < 0.005),
            "n_payments_1h": pa.array(lately.astype(np.int16)),
            "n_payments_24h": pa.array((lately + rng.poisson(2.5, n_rows)).astype(np.int32)),
            "distance_km": pa.array(distance, mask=~offline),
            "hour": pa.array(hour.astype(np.int8)),
            "is_foreign": pa.array(people.card_country[card] != country),
            "strong_auth": pa.array(rng.random(n_rows) < 0.8, mask=offline),
            "merchant_risk": pa.array(people.merchant_risk[merchant]),
            "ip_risk": pa.array(rng.beta(2.0, 9.0, n_rows), mask=rng.random(n_rows) < 0.04),
        }
    )
