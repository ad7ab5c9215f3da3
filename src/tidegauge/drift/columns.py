"""Columns of two profiles side by side, as stacked arrays: what every statistic here is computed from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from tidegauge.homes import ABSENT, HOMES, MISTYPED, OUTSIDE, Homes, homes_of

if TYPE_CHECKING:
    from tidegauge.drift.baseline import Baseline

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class ColumnCounts(Homes, Protocol):
    """What a profile knows of one column, as far as a comparison reads it."""

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def role(self) -> str: ...  # noqa: D102
    @property
    def judge(self) -> bool: ...  # noqa: D102
    @property
    def edges_id(self) -> str | None: ...  # noqa: D102
    @property
    def n_rows(self) -> int: ...  # noqa: D102
    @property
    def n_present(self) -> int: ...  # noqa: D102
    @property
    def counts(self) -> npt.NDArray[Any] | None: ...  # noqa: D102
    @property
    def edges(self) -> npt.NDArray[Any] | None: ...  # noqa: D102
    @property
    def categories(self) -> Sequence[str | None] | None: ...  # noqa: D102
    @property
    def mean(self) -> float | None: ...  # noqa: D102
    @property
    def variance(self) -> float | None: ...  # noqa: D102
    @property
    def kurtosis(self) -> float | None: ...  # noqa: D102
    @property
    def min(self) -> Any: ...  # noqa: D102
    @property
    def max(self) -> Any: ...  # noqa: D102


class ProfileCounts(Protocol):
    """A mapping of column names to columns, with the number of rows."""

    @property
    def n_rows(self) -> int: ...  # noqa: D102
    def __getitem__(self, name: str, /) -> ColumnCounts: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Side:
    """One profile's columns: `rows`, `present` by column, `hits` by column and home, `cells` by column.

    `cells` is below, the cells between the edges (zeros up to the widest column), above; or the categories
    (zeros up to the widest column) and the unseen. `exposed` `[columns, homes]` are the rows of which `hits`
    is a share: all rows for "absent", rows that have the column for the next three, present values for
    "outside". Moments (`kurtosis` is the excess) are of present values, NaN where undefined and for
    categories.
    """

    rows: Integers
    present: Integers
    hits: Integers
    exposed: Integers
    cells: Integers
    mean: Floats
    variance: Floats
    kurtosis: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Stack:
    """Columns of one sort (`ordered`: numbers; else categories and booleans) of a reference and a profile.

    `edges` is `[columns, fine - 1]` for numbers, short columns continued by their last edge; None for
    categories. `outside_factor` `[columns]`: the reference's rows outside are an estimate, whose variance is
    that of this many times fewer rows. `baseline` is what to compare with instead of all of the reference,
    where its own windows are known.
    """

    names: tuple[str, ...]
    ordered: bool
    reference: Side
    current: Side
    edges: Floats | None
    outside_factor: Floats
    baseline: Baseline | None = None

    @property
    def reference_homes(self) -> tuple[Integers, Integers]:
        """The reference's `hits` and `exposed` that a window is compared with."""
        against = self.reference if self.baseline is None else self.baseline
        return against.hits, against.exposed


def stack_columns(
    names: Sequence[str], ordered: bool, reference: ProfileCounts, current: ProfileCounts
) -> Stack:
    """Put the named columns, which both sides must have with equal edges, side by side."""
    before = [reference[name] for name in names]
    after = [current[name] for name in names]
    counts = [_counts(column) for column in before]
    width = max((len(each) for each in counts), default=1) or 1
    edges = None
    if ordered:
        edges = np.empty((len(names), width + 1))
        for i, column in enumerate(before):
            own = np.asarray(column.edges if column.edges is not None else (0.0,), dtype=np.float64)
            edges[i, : len(own)] = own
            edges[i, len(own) :] = own[-1]
    first = _side(before, counts, width, ordered)
    factor = np.ones(len(names))
    if not ordered:
        # The categories are the reference's own, so it has hardly an unseen one. A fresh sample would have
        # about as many as the reference has rows that are the only one of their category (leave one out;
        # Good-Turing). The variance of that estimate is singles + 2 doubles, not singles (Esty 1983).
        singles, doubles = ((first.cells[:, :-1] == k).sum(axis=1) for k in (1, 2))
        first.hits[:, OUTSIDE] += singles
        factor = 1.0 + 2.0 * doubles / np.maximum(first.hits[:, OUTSIDE], 1)
    second = _side(after, [_counts(column) for column in after], width, ordered)
    return Stack(tuple(names), ordered, first, second, edges, factor)


def side_of(profile: ProfileCounts, stack: Stack) -> Side:
    """Return another profile's columns, those of `stack`, as its `current` would be.

    A column that the profile lacks was absent from all its rows.
    """
    columns = [profile[name] if name in profile else _Absent(profile.n_rows) for name in stack.names]
    width = stack.reference.cells.shape[1] - 1 - int(stack.ordered)
    return _side(columns, [_counts(column) for column in columns], width, stack.ordered)


class _Absent:
    """A column that no row of a profile has."""

    kind = role = ""
    judge = True
    n_mistyped = n_null = n_nan = n_inf = n_below = n_above = n_unseen = n_present = 0
    edges_id = counts = edges = categories = mean = variance = kurtosis = min = max = None

    def __init__(self, n_rows: int) -> None:
        self.n_rows = self.n_absent = n_rows


def _counts(column: ColumnCounts) -> npt.NDArray[Any]:
    return np.asarray(column.counts if column.counts is not None else (), dtype=np.int64)


def _side(
    columns: Sequence[ColumnCounts], counts: Sequence[npt.NDArray[Any]], width: int, ordered: bool
) -> Side:
    first = int(ordered)
    cells = np.zeros((len(columns), first + width + 1), dtype=np.int64)
    for i, (c, own) in enumerate(zip(columns, counts, strict=True)):
        cells[i, first : first + len(own)] = own
        if ordered:
            cells[i, 0] = c.n_below
            cells[i, -1] = c.n_above
        else:
            cells[i, -1] = c.n_unseen
    rows = np.array([(c.n_rows, c.n_present) for c in columns], np.int64).reshape(-1, 2)
    hits = np.array([homes_of(c) for c in columns], np.int64).reshape(-1, len(HOMES))
    numbers = np.full((len(columns), 5), np.nan)
    if ordered and len(columns):
        numbers = np.array([_moments(c) for c in columns], np.float64)
    exposed = np.empty_like(hits)
    exposed[:, ABSENT] = rows[:, 0]
    exposed[:, MISTYPED:OUTSIDE] = (rows[:, 0] - hits[:, ABSENT])[:, None]
    exposed[:, OUTSIDE] = rows[:, 1]
    return Side(rows[:, 0], rows[:, 1], hits, exposed, cells, *numbers.T)


def _moments(column: ColumnCounts) -> tuple[float, ...]:
    found = (column.mean, column.variance, column.kurtosis, column.min, column.max)
    return tuple(_as_float(number) for number in found)


def _as_float(number: Any) -> float:
    """Return a number as float64, NaN for None; times in the unit they are counted in, as their edges are."""
    if number is None:
        return float("nan")
    return float(number.astype(np.int64) if isinstance(number, np.datetime64) else number)
