"""Coverage: how many rows of each window have their labels, and how long these took."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tidegauge import _core
from tidegauge.archive.label_report import Coverage
from tidegauge.archive.shelves import Series, found_on, read_from
from tidegauge.archive.store import Store
from tidegauge.late_labels import LateLabels
from tidegauge.outcome_specs import Outcomes
from tidegauge.profiles import Profile
from tidegauge.waiting_rows import EVERY, WaitingRows
from tidegauge.window import SECOND, Window

QUANTILES = (0.5, 0.9, 0.99)


def coverage(store: Store, series: Series, profiles: Mapping[Window, Profile]) -> list[Coverage]:
    """Return it for each window; what waits is that of all rows, of whatever segment the profiles are."""
    waiting = read_from(
        store,
        lambda: found_on(store, series, "waiting"),
        lambda state: WaitingRows.from_bytes(state).size,
    )
    given = read_from(
        store,
        lambda: found_on(store, series, "given"),
        lambda state: LateLabels.from_bytes(state).at_ns,
    )
    found = []
    for window, profile in profiles.items():
        blocks = [each for key, each in waiting.items() if is_in(key.window, window)]
        ages = [
            np.maximum(at_ns - key.window.end_ns, 0)
            for key, at_ns in given.items()
            if is_in(key.window, window)
        ]
        told = np.concatenate(ages) / SECOND if ages else np.empty(0)
        quantiles = dict(zip(QUANTILES, np.quantile(told, QUANTILES), strict=True)) if len(told) else {}
        limit = min((limit for _, limit in blocks), default=EVERY)
        found.append(
            Coverage(
                window,
                profile.n_rows,
                max(map(n_labelled, profile._core.outcomes), default=0),
                sum(n for n, _ in blocks),
                (limit + 1) / 2**64,
                {q: float(seconds) for q, seconds in quantiles.items()},
                profile._core.labels_unresolved,
            )
        )
    return found


def is_in(one: Window, other: Window) -> bool:
    """Tell whether a window lies in another one."""
    return other.start_ns <= one.start_ns and one.end_ns <= other.end_ns


def n_labelled(counts: Outcomes) -> int:
    """Return how many rows have a label that is counted."""
    if isinstance(counts, _core.BinaryOutcomes):
        return int(counts.counts()[0][:2].sum())
    if isinstance(counts, _core.ConfusionOutcomes):
        return int(counts.counts()[:, :-1].sum())
    if isinstance(counts, _core.MulticlassOutcomes):
        return int(counts.counts()[0][:, :, :2].sum())
    if isinstance(counts, _core.RankingOutcomes):
        return counts.homes["ranked"] + counts.homes["set_aside"]
    return counts.homes["labelled"]
