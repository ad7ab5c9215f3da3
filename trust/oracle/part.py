"""The part `oracle`: datasets of every Arrow type and layout, and small tables for the drift statistics."""

from __future__ import annotations

from trust.part import Outcome, Part


def run(first: int, n: int, seconds: float) -> Outcome:
    """Try cases first … first + n - 1; SciPy is loaded by then and no sooner."""
    from trust.oracle import cases

    return cases.run(first, n, seconds)


ORACLE = Part(
    name="oracle",
    unit="datasets",
    promise="Every number is what a slow computation over the raw rows says; no layout, instruction set, "
    "split or merge shows.",
    run=run,
    change=1_000,
    deep=100_000,
)
