"""One kind of attack on the engine: cases with numbers, and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """What a run of cases came to.

    `findings` are defects, one line each, with what it takes to see it again; none is what we promise.
    `counts` are facts worth a column (how many were refused, by what they were stopped); they add up over
    runs. `levels` are figures that do not add up (a slope, a longest time): over runs the highest is kept.
    """

    tried: int
    findings: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    levels: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A kind of case.

    `run(first, n, seconds)` tries cases first … first + n - 1 and may stop early, after about so many
    seconds: the outcome says how many were tried. A case is made from its number alone. `change` and `deep`
    are how many a change must pass and a deep run has to reach; `alone` if it needs the machine for itself.
    """

    name: str
    unit: str
    promise: str
    run: Callable[[int, int, float], Outcome]
    change: int
    deep: int
    alone: bool = False
