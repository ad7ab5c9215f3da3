from __future__ import annotations

import numpy as np
import pytest
from tests.monitor.doubles import Clock

import tidegauge as tg
from tidegauge.window import HOUR, as_ns

T0 = as_ns("2026-11-02T00:00")


def payments(n: int, seed: int = 0, *, begin_ns: int = T0, length_ns: int = HOUR) -> dict[str, np.ndarray]:
    """Rows in order of time, spread over [begin, begin + length)."""
    rng = np.random.default_rng(seed)
    return {
        "time": (begin_ns + np.sort(rng.integers(0, length_ns, n))).astype("datetime64[ns]"),
        "amount": rng.lognormal(3.0, 1.0, n),
        "country": rng.choice(["SE", "DE", "US"], n, p=[0.5, 0.3, 0.2]),
        "device": rng.choice(["ios", "android"], n),
        "n_payments": rng.poisson(2.0, n),
        "strong": rng.random(n) < 0.8,
        "score": rng.beta(1.0, 9.0, n),
    }


@pytest.fixture(scope="session")
def reference() -> tg.Reference:
    data = payments(20_000, 1, begin_ns=T0 - 168 * HOUR, length_ns=168 * HOUR)
    return tg.Reference.fit(data, schema=tg.Schema.infer(data, score="score", timestamp="time"))


@pytest.fixture
def clock() -> Clock:
    return Clock(T0)


@pytest.fixture
def archive(tmp_path) -> tg.Archive:
    with tg.Archive(f"sqlite:///{tmp_path / 'a.db'}") as opened:
        yield opened
