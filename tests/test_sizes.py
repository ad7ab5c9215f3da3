"""What a numeric column may take when saved, at the worst moment: a block nearly full, everything outside."""

import numpy as np
import pytest

import tidegauge as tg

WAITING = 4_095 + 127  # lanes and a block of the sketch both wait


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("shift", [0.0, 100.0])
@pytest.mark.parametrize("n", [WAITING, 50_000 + WAITING, 1_000_000 + WAITING])
def test_a_numeric_column_stays_within_its_bytes(n: int, shift: float, scale: float) -> None:
    random = np.random.default_rng(n)
    reference = tg.Reference.fit({"x": random.normal(size=100_000)})
    rows = {"x": random.normal(size=n) * scale + shift}
    full, light = tg.profile(rows, reference), tg.profile(rows, reference, accumulators="light")
    assert len(full.to_bytes()) <= 8_192
    assert len(light.to_bytes()) <= 1_536
    # A thousand merges: as many rows as a month has, so the counts take as many bytes as they ever do.
    for profile in (full, light):
        for _ in range(10):
            profile.merge(profile.copy())
    assert len(full.to_bytes()) <= 8_192
    assert len(light.to_bytes()) <= 1_536
    assert len(tg.profile(rows).to_bytes()) <= 11 * 1_024
