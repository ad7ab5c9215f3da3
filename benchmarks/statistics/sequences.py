"""Windows one after another, judged by `tidegauge.scan`: false incidents, and how long a change stays unseen.

Everything here goes through the front door: rows, profiles, `scan`. A delay of 1 is the first changed window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tidegauge as tg

from .parallel import generator, spread
from .populations import Floats

ROWS = 1_000  # of a window
BEFORE = 50  # windows without a change, before one comes

Change = Callable[[np.random.Generator, Floats], Floats]
CHANGES: dict[str, Change] = {
    "none": lambda rng, rows: rows,
    "mean + 0.05 sd": lambda rng, rows: rows + 0.05,
    "mean + 0.20 sd": lambda rng, rows: rows + 0.20,
    "2 % of rows stuck at one value": lambda rng, rows: np.where(rng.random(len(rows)) < 0.02, -0.27, rows),
}


def scanned(
    seed: tuple[object, ...],
    n: int,
    columns: int,
    windows: int,
    budget: float,
    change: str = "none",
    changed: int = 0,
) -> tg.ScanResult:
    """Scan `windows` windows of normal columns, the first `changed` of which change after BEFORE windows."""
    rng = generator(*seed)
    names = [f"x{i}" for i in range(columns)]
    reference = tg.Reference.fit({name: rng.normal(size=n) for name in names}, accumulators="light")
    profiles = []
    for t in range(windows):
        rows = rng.normal(size=(columns, ROWS))
        if t >= BEFORE:
            for i in range(changed):
                rows[i] = CHANGES[change](rng, rows[i])
        profiles.append(tg.profile(dict(zip(names, rows, strict=True)), reference, accumulators="light"))
    return tg.scan(reference, profiles, budget=budget)


def false_incidents(n: int, columns: int, windows: int, budget: float, run: int) -> tuple[int, int, int]:
    """Return (windows that were named, alarms raised, alarms that say it matters) where nothing changed."""
    found = scanned(("quiet", n, columns, budget, run), n, columns, windows, budget)
    named = sum(each.status in ("warning", "alert") for each in found.verdicts)
    return named, len(found.alarms), sum(alarm.status == "alert" for alarm in found.alarms)


def delay(
    n: int, columns: int, windows: int, budget: float, change: str, changed: int, run: int
) -> tuple[int, int]:
    """Return the windows from a change to its first warning and its first alert; `windows` for none."""
    seed = ("change", n, columns, budget, change, run)
    found = scanned(seed, n, columns, BEFORE + windows, budget, change, changed)
    moved = {f"x{i}" for i in range(changed)}

    def first(*statuses: str) -> int:
        for each in found.verdicts[BEFORE:]:
            if any(status in statuses and name in moved for name, status in each.columns.items()):
                return each.index - BEFORE + 1
        return windows

    return first("warning", "alert"), first("alert")


def quiet(quick: bool) -> list[dict[str, Any]]:
    """One column at the default budget, by the reference's rows; and fifty at a hundredth."""
    settings = [(10_000, 1, 1_000, 0.001), (100_000, 1, 1_000, 0.001), (20_000, 50, 200, 0.01)]
    runs = (10, 10, 4) if quick else (60, 60, 30)
    rows = []
    for setting, many in zip(settings, runs, strict=True):
        found = np.array(spread(false_incidents, [(*setting, run) for run in range(many)]))
        n, columns, windows, budget = setting
        each = found[:, 0] / windows
        error = max(each.std(ddof=1), np.sqrt(budget / windows)) / np.sqrt(many)
        rows.append(
            {
                "n": n,
                "columns": columns,
                "budget": budget,
                "windows": windows * many,
                "named": [round(float(each.mean()), 5), round(float(error), 5)],
                "alarms": int(found[:, 1].sum()),
                "alerts": int(found[:, 2].sum()),
                "run_length": round(windows * many / max(int(found[:, 1].sum()), 1)),
            }
        )
    return rows


def delays(quick: bool) -> list[dict[str, Any]]:
    settings = [
        (100_000, 1, 100, 0.001, "mean + 0.05 sd", 1),
        (20_000, 1, 100, 0.001, "mean + 0.05 sd", 1),
        (20_000, 50, 100, 0.01, "mean + 0.05 sd", 5),
        (100_000, 1, 30, 0.001, "mean + 0.20 sd", 1),
        (100_000, 1, 30, 0.001, "2 % of rows stuck at one value", 1),
    ]
    rows = []
    for setting in settings:
        n, columns, windows, budget, change, changed = setting
        many = (20 if quick else 100) if columns == 1 else (4 if quick else 15)
        found = np.array(spread(delay, [(*setting, run) for run in range(many)]))
        told = {}
        for which, each in (("warning", found[:, 0]), ("alert", found[:, 1])):
            told[which] = {
                "mean": [round(float(each.mean()), 2), round(float(each.std(ddof=1) / np.sqrt(many)), 2)],
                "most": int(np.quantile(each, 0.95)),
                "seen": round(float((each < windows).mean()), 3),
            }
        rows.append(
            {
                "n": n,
                "columns": columns,
                "changed": changed,
                "budget": budget,
                "change": change,
                "runs": many,
                **told,
            }
        )
    return rows


def small_forever(run: int, windows: int) -> int:
    """Return the alerts in windows whose mean is 0.05 deviations off all the time."""
    rng = generator("small", run)
    reference = tg.Reference.fit({"x": rng.normal(size=100_000)}, accumulators="light")
    rows = rng.normal(0.05, 1.0, (windows, ROWS))
    found = tg.scan(reference, [tg.profile({"x": each}, reference, accumulators="light") for each in rows])
    return sum("alert" in each.columns.values() for each in found.verdicts)


def never(quick: bool) -> dict[str, Any]:
    runs, windows = (4, 250) if quick else (10, 1_000)
    return {
        "windows": runs * windows,
        "alerts": int(sum(spread(small_forever, [(run, windows) for run in range(runs)]))),
    }
