"""Payments with a score, a decision and an id; labels for them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest
from tests.monitor.doubles import Clock

import tidegauge as tg
from tidegauge.window import DAY, HOUR, as_ns

T0 = as_ns("2026-11-02T00:00")


def payments(
    n: int, seed: int = 0, *, begin_ns: int = T0, length_ns: int = 2 * HOUR, first: int = 0
) -> pa.Table:
    """Rows with labels, in any order of time, ids from `first` on."""
    rng = np.random.default_rng(seed)
    score = rng.beta(1.0, 3.0, n)
    return pa.table(
        {
            "id": pa.array([f"p-{first + i}" for i in range(n)]),
            "time": pa.array(begin_ns + rng.integers(0, length_ns, n), pa.timestamp("ns")),
            "amount": rng.lognormal(3.0, 1.0, n),
            "country": rng.choice(["SE", "DE", "US"], n, p=[0.5, 0.3, 0.2]),
            "score": score,
            "prediction": (score > 0.5).astype(np.int64),
            "label": (rng.random(n) < score).astype(np.int64),
        }
    )


SCHEMA_ROLES = {
    "score": "score",
    "prediction": "prediction",
    "label": "label",
    "id": "id",
    "timestamp": "time",
}


@pytest.fixture(scope="session")
def reference() -> tg.Reference:
    rows = payments(10_000, 1, begin_ns=T0 - 7 * DAY, length_ns=7 * DAY, first=1_000_000)
    return tg.Reference.fit(rows, schema=tg.Schema.infer(rows, positive=1, **SCHEMA_ROLES))


@pytest.fixture
def clock() -> Clock:
    return Clock(T0 + HOUR)


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'a.db'}"


@pytest.fixture
def monitor(reference, url, clock) -> Callable[..., tg.Monitor]:
    def made(**given) -> tg.Monitor:
        settings = {"archive": url, "window": "1h", "clock": clock, "strict": True, "segments": ["country"]}
        return tg.Monitor("m", reference, **(settings | given))

    return made


def told(profile: tg.Profile) -> list[bytes]:
    """The outcomes of a profile, as bytes."""
    assert not profile._core.labels_unresolved
    return [each.to_bytes() for each in profile._core.outcomes]


def without_labels(rows: pa.Table) -> pa.Table:
    return rows.drop_columns(["label"])


def labels_of(rows: pa.Table) -> pa.Table:
    return rows.select(["id", "label"])


def require_equal(archive: tg.Archive, rows: pa.Table, reference: tg.Reference) -> None:
    """The outcomes of each window, of all of them and of each segment are those of the joined rows."""
    assert told(archive.merged("m")) == told(tg.profile(rows, reference))
    hours = (rows["time"].cast(pa.int64()).to_numpy() - T0) // HOUR
    windows = archive.windows("m")
    assert len(windows) == len(np.unique(hours))
    for window, profile in windows.items():
        inside = rows.filter(pa.array(hours == (window.start_ns - T0) // HOUR))
        assert told(profile) == told(tg.profile(inside, reference))
    for country in set(rows["country"].to_pylist()):
        chosen = rows.filter(pa.compute.equal(rows["country"], country))
        light = tg.profile(chosen, reference, accumulators="light")
        assert told(archive.merged("m", segment={"country": country})) == told(light)


@pytest.fixture(scope="session")
def late() -> SimpleNamespace:
    """What the tests make and hold."""
    return SimpleNamespace(
        T0=T0,
        payments=payments,
        told=told,
        without_labels=without_labels,
        labels_of=labels_of,
        require_equal=require_equal,
        roles=SCHEMA_ROLES,
    )
