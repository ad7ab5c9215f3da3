"""Where a change lies: the change of a share split exactly over segments, into their mix and their rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge.drift.causes import Cause
from tidegauge.drift.columns import ColumnCounts, ProfileCounts
from tidegauge.mix_and_rate import split_change

Floats = npt.NDArray[np.float64]

MAX_SHARES = 5


@dataclass(frozen=True, slots=True)
class SegmentShare:
    """A segment's part of a change, `part` of the whole; the parts of all segments add up to 1.

    `rate` is what it owes to another share among the segment's own rows (`reference_share` to
    `current_share`), `mix` to the segment's rows being more or fewer; `part` = `rate` + `mix`, and all are
    above 1 or below 0 where segments moved against each other. `n_rows` are the window's.
    """

    segment: str
    part: float
    rate: float
    mix: float
    reference_share: float
    current_share: float
    n_rows: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able."""
        return asdict(self)


def shares_of_change(
    column: str,
    cause: Cause | None,
    before: Mapping[str, ProfileCounts],
    after: Mapping[str, ProfileCounts],
) -> list[SegmentShare]:
    """Return the segments to which the change of a column is owed, the largest part first, at most five.

    `cause`: the place whose share of the present values changed; None for the share of missing rows.
    `before`, `after`: profiles of the segments of one dimension by key, which add up to all rows on both
    sides. Nothing where there was no change, or a side has no rows.
    """
    keys = sorted({*before, *after})
    hits_0, rows_0 = counted(column, cause, before, keys)
    hits_1, rows_1 = counted(column, cause, after, keys)
    if not rows_0.sum() or not rows_1.sum():
        return []
    change = hits_1.sum() / rows_1.sum() - hits_0.sum() / rows_0.sum()
    if not change:
        return []
    rate, mix = (each / change for each in split_change(hits_0, rows_0, hits_1, rows_1))
    part = rate + mix
    order = np.argsort(-part, kind="stable")[:MAX_SHARES]
    return [
        SegmentShare(
            keys[i],
            float(part[i]),
            float(rate[i]),
            float(mix[i]),
            float(hits_0[i] / max(rows_0[i], 1.0)),
            float(hits_1[i] / max(rows_1[i], 1.0)),
            after[keys[i]].n_rows if keys[i] in after else 0,
        )
        for i in order
        if part[i] > 0
    ]


def counted(
    column: str, cause: Cause | None, profiles: Mapping[str, ProfileCounts], keys: list[str]
) -> tuple[Floats, Floats]:
    """Return the rows of each segment in the place, and those of which they are a share."""
    hits, rows = np.zeros(len(keys)), np.zeros(len(keys))
    for i, key in enumerate(keys):
        if key not in profiles or column not in profiles[key]:
            continue
        one = profiles[key][column]
        if cause is None:
            hits[i], rows[i] = one.n_null + one.n_nan, one.n_rows
        else:
            hits[i], rows[i] = cells_of(one)[cause.start : cause.stop].sum(), one.n_present
    return hits, rows


def cells_of(column: ColumnCounts) -> Floats:
    """Return the cells that a cause names: below, cells, above of a number; categories, unseen."""
    inner = np.zeros(0) if column.counts is None else np.asarray(column.counts, np.float64)
    if column.kind == "category":
        return np.append(inner, float(column.n_unseen))
    if column.kind == "boolean":
        return inner
    return np.concatenate([[float(column.n_below)], inner, [float(column.n_above)]])
