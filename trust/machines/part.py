"""The part `machines`: stateful examples of profiles, intakes, monitors and their archive."""

from __future__ import annotations

from trust.part import Outcome, Part


def run(first: int, n: int, seconds: float) -> Outcome:
    """Try the examples first … first + n - 1; Hypothesis is loaded by then and no sooner."""
    from trust.machines import groups

    return groups.run(first, n, seconds)


MACHINES = Part(
    name="machines",
    unit="examples",
    promise="Whatever is done in whatever order, profiles, windows, monitors and archives agree with plain "
    "lists of rows.",
    run=run,
    change=500,
    deep=50_000,
)
