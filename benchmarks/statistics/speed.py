"""How long a comparison takes: a thousand numeric columns, profile against profile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import tidegauge as tg

COLUMNS, REFERENCE, WINDOW = 1_000, 20_000, 5_000


def shortest(run: Callable[[], object]) -> float:
    """Return the seconds of the shortest of five runs: others use the machine too."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def speed(quick: bool) -> dict[str, Any]:
    """Time the verdict alone, with every statistic of every column, and with a record made of each."""
    columns = COLUMNS // 10 if quick else COLUMNS
    rng = np.random.default_rng(12)
    names = [f"x{i}" for i in range(columns)]
    fitted = tg.Reference.fit({name: rng.normal(size=REFERENCE) for name in names}, accumulators="light")
    reference = fitted.profile
    window = tg.profile({name: rng.normal(size=WINDOW) for name in names}, fitted, accumulators="light")
    whole = tg.compare(reference, window)
    return {
        "columns": columns,
        "reference": REFERENCE,
        "window": WINDOW,
        "statistics": len(whole.measurements) // columns,
        "verdict_seconds": round(shortest(lambda: tg.compare(reference, window)), 3),
        # Statistics are computed for all columns when one of them is asked for.
        "statistics_seconds": round(
            shortest(lambda: tg.compare(reference, window)[names[0]].measurements), 3
        ),
        "records_seconds": round(shortest(lambda: tg.compare(reference, window).measurements), 3),
    }
