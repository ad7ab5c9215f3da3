"""False alarms where windows differ although nothing is wrong: batches, a wandering mean, hours of the week.

The reference knows its own windows (`Reference.fit(..., window=)`) and every later window, alone and merged,
is compared through the front door. Beside it, the same by a reference that takes rows as independent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtri

import tidegauge as tg

from .parallel import generator, spread
from .populations import Floats
from .rates import rate

ROWS = 1_000  # of a window, an hour
HOUR_NS = 3_600_000_000_000
MONDAY_NS = 1_767_571_200_000_000_000  # 2026-01-05
LATER = 128  # windows after the reference's
SCALES = 7
COLUMNS = 40  # alike and independent: the sample
RUNS = 4
NO_ALARM = 1e-300  # a budget that nothing meets: telling an alarm costs more than finding it
CELLS = 256  # of equal mass, whose shares differ from batch to batch

Windows = Callable[[np.random.Generator, int], Floats]


def batches(dispersion: float) -> Windows:
    """Return a maker of Dirichlet-multinomial windows: every share varies `dispersion` times as much."""
    likeness = (dispersion - 1.0) / (ROWS - 1.0)

    def make(rng: np.random.Generator, windows: int) -> Floats:
        share = rng.dirichlet(np.full(CELLS, (1.0 - likeness) / likeness / CELLS), windows)
        counts = np.stack([rng.multinomial(ROWS, each) for each in share])
        cell = np.repeat(np.tile(np.arange(CELLS), windows), counts.ravel()).reshape(windows, ROWS)
        return np.asarray(ndtri((cell + rng.random(cell.shape)) / CELLS))

    return make


def wandering(rng: np.random.Generator, windows: int) -> Floats:
    """Make windows whose mean is an AR(1) process: 0.8 of the last one, standard deviation 0.05."""
    mean = np.empty(windows)
    at = rng.normal(0.0, 0.05)
    for t in range(windows):
        at = 0.8 * at + rng.normal(0.0, 0.05 * 0.6)
        mean[t] = at
    return np.asarray(rng.normal(size=(windows, ROWS)) + mean[:, None])


def seasonal(rng: np.random.Generator, windows: int) -> Floats:
    """Make hours that differ by up to 0.3 deviations within a day, nights more spread, weekends 0.3 lower."""
    hour = np.arange(windows)
    day = np.cos((hour % 24) / 24 * 2 * np.pi)
    mean = 0.3 * day - 0.3 * (hour // 24 % 7 >= 5)
    spread_of = 1.0 + 0.1 * day
    return np.asarray(rng.normal(size=(windows, ROWS)) * spread_of[:, None] + mean[:, None])


# What the windows are, and how many of them the reference has.
WINDOWS: dict[str, tuple[Windows, int]] = {
    "alike": (lambda rng, windows: rng.normal(size=(windows, ROWS)), 336),
    "batches, dispersion 3": (batches(3.0), 336),
    "batches, dispersion 10": (batches(10.0), 336),
    "mean wanders, AR(1) 0.8": (wandering, 336),
    "hours of the week": (seasonal, 1_008),
}


def case(name: str, n_columns: int, run: int, later: int = LATER) -> tuple[list[Floats], list[Floats]]:
    """Return p `[merged windows, columns]` of each scale: by the reference's windows, and by its rows."""
    make, known = WINDOWS[name]
    rng = generator("unlike", name, n_columns, run)
    columns = {f"x{i}": make(rng, known + later) for i in range(n_columns)}
    hours = MONDAY_NS + np.arange(known + later) * HOUR_NS

    def rows(first: int, last: int) -> dict[str, Any]:
        at = np.repeat(hours[first:last], ROWS).astype("datetime64[ns]")
        return {"at": at, **{key: each[first:last].ravel() for key, each in columns.items()}}

    reference = tg.Reference.fit(rows(0, known), accumulators="light", timestamp="at", window="1h")
    profiles = [
        tg.profile(rows(t, t + 1), reference, accumulators="light") for t in range(known, known + later)
    ]
    by_windows, by_rows = [], []
    for scale in range(SCALES):
        length = 1 << scale
        merged = {}
        for first in range(0, later, length):
            start = int(hours[known + first])
            merged[start, start + length * HOUR_NS] = tg.merge(profiles[first : first + length])
        # With one scale nothing is spent on others, and `spent` is the p of each window. No alarm is wanted.
        by_windows.append(tg.scan(reference, merged, scales=1, budget=NO_ALARM).spent)
        by_rows.append(tg.scan(reference.profile, list(merged.values()), scales=1, budget=NO_ALARM).spent)
    return by_windows, by_rows


def unlike_windows(quick: bool) -> list[dict[str, Any]]:
    columns, runs = (10, 2) if quick else (COLUMNS, RUNS)
    cases = [(name, columns, run) for name in WINDOWS for run in range(runs)]
    found = dict(zip(cases, spread(case, cases), strict=True))
    rows = []
    for name, (_, known) in WINDOWS.items():
        for scale in range(SCALES):
            told = {}
            for side, who in enumerate(("by windows", "by rows")):
                # Columns are the sample: the windows of one share its reference.
                p = np.concatenate([found[name, columns, run][side][scale].T for run in range(runs)])
                told[who] = [round(each, 4) for each in rate(p <= 0.01, 0.01)]
                tested = float(np.isfinite(p).mean())
                told["tested"] = round(tested, 3) if who == "by windows" else told["tested"]
            rows.append(
                {"windows": name, "reference": known, "merged": 1 << scale, "columns": columns * runs, **told}
            )
    return rows
