"""False alarms where nothing changed: the omnibus p of one column, by population and sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tidegauge.drift.evidence import PARTS

from .parallel import generator, spread
from .populations import POPULATIONS, Counted
from .rates import rate, realised
from .weigh import weigh

REFERENCES = (3_200, 20_000, 100_000)
WINDOWS = (100, 1_000, 10_000, 100_000)
SMALL_REFERENCES, SMALL_WINDOWS = (320, 1_000), (1_000, 20_000)
_AT_ONCE = 2_000  # columns of one stack


def case(name: str, n: int, m: int, draws: int, missing: float = 0.0) -> dict[str, Any]:
    """Draw `draws` windows, of as many references as the time allows, and count what is believed."""
    rng = generator("size", name, n, m, missing)
    # A reference costs a sort of its rows; windows that share one are alike as far as m / (n + m).
    windows = max(1, min(20, n // (2 * m), n // 5_000))
    references = draws // windows
    p, parts, enough = [], [], []
    step = _AT_ONCE // windows
    for at in range(0, references, step):
        before: list[Counted] = []
        after: list[Counted] = []
        for _ in range(min(step, references - at)):
            n_null = int(rng.binomial(n, missing))
            frozen = POPULATIONS[name].freeze(rng, n - n_null)
            reference = replace(frozen.column, n_null=n_null)
            for _ in range(windows):
                n_null = int(rng.binomial(m, missing))
                before.append(reference)
                after.append(frozen.of_counts(rng.multinomial(m - n_null, frozen.mass), n_null))
        found = weigh(before, after)
        p.append(found.p.reshape(-1, windows))
        parts.append(found.parts.reshape(-1, windows, len(PARTS)))
        enough.append(found.enough.mean())
    all_p, all_parts = np.concatenate(p), np.concatenate(parts)
    some = {
        part: [
            round(each / 0.01, 3) for each in rate(np.nan_to_num(all_parts[..., i], nan=1.0) <= 0.01, 0.01)
        ]
        for i, part in enumerate(PARTS)
        if not np.isnan(all_parts[..., i]).all()
    }
    return {
        "population": name,
        "n": n,
        "m": m,
        "missing": missing,
        "draws": all_p.size,
        "references": references,
        "realised": realised(all_p),
        "parts": some,
        "enough": round(float(np.mean(enough)), 3),
    }


def no_change(quick: bool) -> list[dict[str, Any]]:
    draws = 2_000 if quick else 10_000
    names = ("normal", "zero-inflated", "Zipf, 20", "Zipf, 1,000") if quick else tuple(POPULATIONS)
    cases = [(name, n, m, draws) for name in names for n in REFERENCES for m in WINDOWS]
    return spread(case, cases)


def small_references(quick: bool) -> list[dict[str, Any]]:
    draws = 2_000 if quick else 10_000
    names = ("normal", "Zipf, 100") if quick else tuple(POPULATIONS)
    cases = [(name, n, m, draws) for name in names for n in SMALL_REFERENCES for m in SMALL_WINDOWS]
    return spread(case, cases)


def missing_values(quick: bool) -> list[dict[str, Any]]:
    draws = 2_000 if quick else 10_000
    sizes = (
        ((20_000, 1_000), (20_000, 20_000))
        if quick
        else ((3_200, 1_000), (20_000, 1_000), (100_000, 100_000))
    )
    cases = [
        (name, n, m, draws, share)
        for name in ("normal", "Zipf, 20")
        for n, m in sizes
        for share in (0.001, 0.02, 0.3)
    ]
    return spread(case, cases)
