"""From counted columns to the evidence on them, through the functions that `compare` uses."""

from __future__ import annotations

from collections.abc import Sequence

from tidegauge.drift.columns import stack_columns
from tidegauge.drift.evidence import Evidence, evidence
from tidegauge.drift.verdict import TOLERANCE, TOLERANCE_SHARE

from .populations import Columns, Counted


def weigh(before: Sequence[Counted], after: Sequence[Counted], tolerance: float = TOLERANCE) -> Evidence:
    """Weigh every column of `after` against its own in `before`; all numbers or all categories."""
    names = [str(i) for i in range(len(before))]
    sides = (Columns(zip(names, side, strict=True)) for side in (before, after))
    stack = stack_columns(names, before[0].kind == "number", *sides)
    return evidence(stack, tolerance, TOLERANCE_SHARE)
