"""The rule that turns statistics into statuses; docs/design/0004-first-verdict.md says why.

A number is judged by two questions, both of which must say yes. Did it change? p at most 1/1000 divided by
the number of tests in the whole comparison (Bonferroni), assuming independent rows. Does it matter? The lower
end of the interval of the change exceeds a tolerance: one for `warning`, one for `alert`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge.drift.columns import HOMES
from tidegauge.drift.statistics import Statistics
from tidegauge.measurement import Status

Floats = npt.NDArray[np.float64]
Statuses = npt.NDArray[np.object_]

FALSE_ALARMS = 1e-3  # chance that a comparison of two samples of one population names anything
TESTS_PER_COLUMN = len(HOMES) + 2  # the shares, the divergence, the largest rise

PSI_WARNING = 0.005  # a shift of the mean by 0.07 standard deviations
PSI_ALERT = 0.1  # a shift by 0.32
SHARE_WARNING = 0.001
SHARE_ALERT = 0.01
RISE_ALERT = 0.01
RISE_FACTOR = 2.0  # a value counts as stuck when its share at least doubled


@dataclass(frozen=True, slots=True)
class Verdict:
    """Statuses of one stack: `psi` and `rise` `[columns]`, `share` `[columns, homes]`."""

    psi: Statuses
    rise: Statuses
    share: Statuses


def judge_stack(found: Statistics, n_judged: int) -> Verdict:
    """Judge a stack; `n_judged` is the number of judged columns of the whole comparison.

    PSI is `insufficient` when a side has too few rows for its coarse cells, `undefined` when neither has any.
    A share that falls (fewer nulls than before) is at most a warning. A rise is an alert or nothing.
    """
    level = FALSE_ALARMS / (TESTS_PER_COLUMN * max(n_judged, 1))
    psi = _graded(found.psi.p, found.psi.low, level, PSI_WARNING, PSI_ALERT)
    psi[~found.enough] = "insufficient"
    psi[found.empty] = "undefined"

    share = _graded(found.share.p, found.share.low, level, SHARE_WARNING, SHARE_ALERT)
    share[(found.share.p <= level) & (found.share.high < -SHARE_ALERT)] = "warning"
    share[np.isnan(found.share.value)] = "undefined"

    rise = _graded(found.rise.p, found.rise.low, level, RISE_ALERT, RISE_ALERT)
    before = found.rise_reference
    rise[~(found.rise.value + before >= RISE_FACTOR * before)] = "ok"
    rise[~found.enough] = "insufficient"
    rise[found.empty] = "undefined"
    return Verdict(psi, rise, share)


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


def _graded(p: Floats, low: Floats, level: float, warn: float, alarm: float) -> Statuses:
    changed = p <= level
    status = np.full(p.shape, "ok", dtype=object)
    status[changed & (low > warn)] = "warning"
    status[changed & (low > alarm)] = "alert"
    return status
