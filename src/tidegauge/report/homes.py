"""Rows that changed their home: more nulls, values out of range, categories never seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidegauge.drift.columns import ColumnCounts

if TYPE_CHECKING:
    from tidegauge.comparison import ColumnComparison

MOVED = 0.001  # of the rows; a smaller change of a share is not listed


@dataclass(frozen=True, slots=True)
class MovedHome:
    """One home of one column's rows: how many were there of how many, in the reference and now.

    Absent, mistyped, infinite, null and NaN are counted of all rows; values below, above or unseen of those
    present, which is what the statistics are of.
    """

    column: str
    what: str
    n_reference: int
    of_reference: int
    n_current: int
    of_current: int

    @property
    def reference_share(self) -> float:
        """The share in the reference, in [0, 1]."""
        return self.n_reference / self.of_reference if self.of_reference else 0.0

    @property
    def current_share(self) -> float:
        """The share now, in [0, 1]."""
        return self.n_current / self.of_current if self.of_current else 0.0

    @property
    def change(self) -> float:
        """The change of the share, in [-1, 1]."""
        return self.current_share - self.reference_share


def moved_homes(columns: Iterable[ColumnComparison]) -> list[MovedHome]:
    """Return every home whose share changed by at least 0.001, the largest change first."""
    found = [
        home
        for column in columns
        if column.before is not None and column.after is not None
        for home in _homes(column.name, column.before, column.after)
        if abs(home.change) >= MOVED
    ]
    return sorted(found, key=lambda home: -abs(home.change))


def _homes(name: str, before: ColumnCounts, after: ColumnCounts) -> Iterator[MovedHome]:
    of_rows = (
        ("without the column", before.n_absent, after.n_absent),
        (f"not a {before.kind}", before.n_mistyped, after.n_mistyped),
        ("infinite", before.n_inf, after.n_inf),
        ("null", before.n_null, after.n_null),
        ("NaN", before.n_nan, after.n_nan),
    )
    of_present = (
        ("below the reference's range", before.n_below, after.n_below),
        ("above the reference's range", before.n_above, after.n_above),
        ("category unseen in the reference", before.n_unseen, after.n_unseen),
    )
    for what, n, m in of_rows:
        yield MovedHome(name, what, n, before.n_rows, m, after.n_rows)
    for what, n, m in of_present:
        yield MovedHome(name, what, n, before.n_present, m, after.n_present)
