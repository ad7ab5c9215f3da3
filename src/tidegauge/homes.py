"""The homes of a row that has no usable value: what can go wrong with a column's rows, counted by name."""

from __future__ import annotations

from typing import Protocol

# In the order of the last axis of every array of homes. "outside" is below or above the edges for a number,
# and no category of the reference for a category: usable, and not among the cells.
HOMES = ("absent", "mistyped", "infinite", "missing", "outside")
ABSENT, MISTYPED, INFINITE, MISSING, OUTSIDE = range(len(HOMES))


class Homes(Protocol):
    """The counts of a column that make up its homes."""

    @property
    def n_absent(self) -> int: ...  # noqa: D102
    @property
    def n_mistyped(self) -> int: ...  # noqa: D102
    @property
    def n_null(self) -> int: ...  # noqa: D102
    @property
    def n_nan(self) -> int: ...  # noqa: D102
    @property
    def n_inf(self) -> int: ...  # noqa: D102
    @property
    def n_below(self) -> int: ...  # noqa: D102
    @property
    def n_above(self) -> int: ...  # noqa: D102
    @property
    def n_unseen(self) -> int: ...  # noqa: D102


def homes_of(column: Homes) -> tuple[int, int, int, int, int]:
    """Return the rows in each home, in the order of HOMES; "missing" is null or NaN."""
    outside = column.n_below + column.n_above + column.n_unseen
    return column.n_absent, column.n_mistyped, column.n_inf, column.n_null + column.n_nan, outside
