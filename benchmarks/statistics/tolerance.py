"""The other question: windows whose PSI is exactly what is tolerated, and intervals of the effect.

A change is made so large that the PSI of the true shares of the frozen coarse cells is exactly the tolerance.
A test of "at most the tolerance" at 5 % must then say "more" in about 5 % of the windows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import brentq

from tidegauge import cells
from tidegauge.drift.statistics import effect

from .parallel import generator, spread
from .populations import POPULATIONS, Floats, Frozen
from .rates import rate
from .weigh import weigh

SIZES = ((3_200, 1_000), (20_000, 2_000), (20_000, 20_000), (100_000, 10_000))
TOLERANCES = (0.01, 0.05, 0.1)
EFFECTS = (0.0, 0.001, *TOLERANCES)  # PSI


def _shifted(frozen: Frozen, size: float) -> Floats:
    """Move the mean of a normal column by `size` standard deviations."""
    edges = frozen.column.edges
    assert edges is not None
    return POPULATIONS["normal"].mass_between(edges - size)


def _stuck(frozen: Frozen, size: float) -> Floats:
    """Give the middle cell `size` more of the rows.

    The cell that holds the true median would be one of the larger ones: the reference has too few rows in it.
    """
    share = min(size, 0.999)
    mass = (1.0 - share) * frozen.mass
    mass[len(mass) // 2] += share
    return mass


def _tilted(frozen: Frozen, size: float) -> Floats:
    """Make half of the categories, every other one, exp(`size`) times as frequent."""
    mass = frozen.mass * np.where(np.arange(len(frozen.mass)) % 2, np.exp(size), 1.0)
    return mass / mass.sum()


CHANGES: dict[str, tuple[str, Callable[[Frozen, float], Floats]]] = {
    "the mean moves": ("normal", _shifted),
    "one cell grows": ("normal", _stuck),
    "half of 20 categories grow": ("Zipf, 20", _tilted),
}


def at_psi(frozen: Frozen, change: Callable[[Frozen, float], Floats], psi: float) -> Floats:
    """Return the masses after a change with this PSI between the true shares of the frozen coarse cells."""
    column = frozen.column
    n_coarse = cells.coarse_cell_count(column.n_present)
    ordered = column.kind == "number"
    counts = np.r_[0, column.counts, 0] if ordered else np.r_[column.counts, 0]
    group = (cells.number_groups if ordered else cells.category_groups)(counts, n_coarse)[0]
    p = np.bincount(group, frozen.mass)

    def beyond(size: float) -> float:
        q = np.bincount(group, change(frozen, size))
        both = (p > 0) & (q > 0)
        return float(((q - p)[both] * np.log(q[both] / p[both])).sum()) - psi

    return change(frozen, float(brentq(beyond, 0.0, 2.0, xtol=1e-7)))


def case(change: str, n: int, m: int, psi: float, draws: int) -> tuple[Floats, Floats]:
    """Return p of "PSI is at most `psi`", whether the interval holds it; `[references, windows]` each."""
    rng = generator("tolerance", change, n, m, psi)
    name, make = CHANGES[change]
    windows = max(1, n // (2 * m))
    before, after = [], []
    for _ in range(draws // windows):
        frozen = POPULATIONS[name].freeze(rng, n)
        mass = at_psi(frozen, make, psi) if psi else None
        before += [frozen.column] * windows
        after += [frozen.window(rng, m, mass) for _ in range(windows)]
    found = weigh(before, after, psi or TOLERANCES[0])
    _, low, high = effect(found)
    held = (low <= np.sqrt(psi)) & (np.sqrt(psi) <= high)
    return found.p_tolerance.reshape(-1, windows), held.reshape(-1, windows)


def tolerance(quick: bool) -> list[dict[str, Any]]:
    draws = 1_000 if quick else 3_000
    sizes = SIZES[1:2] if quick else SIZES
    cases = [(change, n, m, psi, draws) for change in CHANGES for n, m in sizes for psi in EFFECTS]
    rows = []
    for (change, n, m, psi, _), (p, held) in zip(cases, spread(case, cases), strict=True):
        row = {"change": change, "n": n, "m": m, "psi": psi, "draws": held.size}
        row["coverage"] = [round(each, 4) for each in rate(held, 0.95)]
        if psi in TOLERANCES:
            row["size"] = [round(each, 4) for each in rate(p <= 0.05, 0.05)]
        rows.append(row)
    return rows
