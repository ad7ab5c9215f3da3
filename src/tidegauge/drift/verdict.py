"""The rule that turns evidence into statuses: two questions, one scale. docs/design/0004-verdict.md says why.

Changed? Benjamini-Hochberg over the omnibus p of all judged columns, at the budget of false incidents:
`warning`. Does it matter? The same over the p of the tolerance tests, of what changed: `alert`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge.drift.evidence import Evidence
from tidegauge.drift.multiplicity import benjamini_hochberg
from tidegauge.measurement import Status

Floats = npt.NDArray[np.float64]

BUDGET = 1e-3  # expected false incidents a window: of a model whose columns did not change
TOLERANCE = 0.01  # PSI that does not matter: a shift of the mean by a tenth of a standard deviation
TOLERANCE_SHARE = 0.01  # of the rows that may move in one narrow place, or go missing, without mattering


@dataclass(frozen=True, slots=True)
class Verdict:
    """The statuses `[columns]` of a family, and the largest p that was believed for each question."""

    status: npt.NDArray[np.object_]
    p_changed: float
    p_matters: float


def decide(found: Iterable[Evidence], budget: float, others: Iterable[float] = ()) -> list[Verdict]:
    """Decide one family of columns, given in several stacks; one verdict for each stack.

    `others` are p of "nothing changed" of further members of the family, judged elsewhere. A column too small
    for its PSI is `insufficient` unless even so few rows prove a change.
    """
    stacks = list(found)
    extra = np.asarray(list(others), dtype=np.float64)
    changed, p_changed = benjamini_hochberg(_joined([*(each.p for each in stacks), extra]), budget)
    matters, p_matters = benjamini_hochberg(_joined([each.p_matters for each in stacks]), budget)
    verdicts, at = [], 0
    for each in stacks:
        rows = slice(at, at + len(each.p))
        at = rows.stop
        status = np.full(len(each.p), "ok", dtype=object)
        status[~each.enough] = "insufficient"
        status[each.empty & np.isnan(each.p)] = "undefined"
        status[changed[rows]] = "warning"
        status[matters[rows] & changed[rows]] = "alert"
        verdicts.append(Verdict(status, p_changed, p_matters))
    return verdicts


def verdict_of_columns(columns: Iterable[Status]) -> Status:
    """Return the status of a comparison: the worst of the columns that could be judged.

    A column with too few rows does not hide that the others are well: only when no column could be judged is
    the comparison itself `insufficient`.
    """
    judged = {"ok", "warning", "alert"}.intersection(columns)
    for status in ("alert", "warning", "ok"):
        if status in judged:
            return status
    return "insufficient"


def _joined(parts: list[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.empty(0)
