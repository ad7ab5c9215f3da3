"""How a reference's labels had come by an age: its outcomes as they were known then."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge._core import Batch, RankingOutcomes
from tidegauge.errors import DecodeError, SchemaError, TidegaugeError
from tidegauge.outcome_specs import Outcomes, n_labelled
from tidegauge.window import DAY, HOUR, SECOND, position_of

AGES_NS = (HOUR, 6 * HOUR, *(days * DAY for days in (1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180)))
NS_OF_UNIT = {"tdD": DAY, "tdm": 10**6, "tss": SECOND, "tsm": 10**6, "tsu": 10**3, "tsn": 1}


def by_row(outcomes: Sequence[Outcomes]) -> list[Outcomes]:
    """Return those that count each row for itself: the rows of a query cannot be told apart by their ages."""
    return [each for each in outcomes if not isinstance(each, RankingOutcomes)]


@dataclass(frozen=True, slots=True, eq=False)
class LabelAge:
    """Outcomes `by_row` of all rows, with the labels that came within `age_ns` of their row and no others."""

    age_ns: int
    outcomes: tuple[Outcomes, ...]


class AgeCounter:
    """Counts rows by the age at which their labels came, the time in `labelled_at` less that in `timestamp`.

    A label without an age is taken to have come after the last of AGES_NS, from where on all are known.
    """

    def __init__(self, outcomes: Sequence[Outcomes], timestamp: str, labelled_at: str) -> None:
        outcomes = by_row(outcomes)
        self._columns = timestamp, labelled_at
        self._label = outcomes[0].label
        kinds = range(len(AGES_NS) + 1)  # of ages: up to each of AGES_NS, and beyond
        self._with = [[each.copy() for each in outcomes] for _ in kinds]
        self._without = [[each.copy() for each in outcomes] for _ in kinds]

    def update(self, batch: Batch) -> None:
        """Add the rows of a batch. Raises SchemaError for a column that is missing or holds no times."""
        row, label = (times_of(batch, name) for name in self._columns)
        age = np.where(np.isnan(row) | np.isnan(label), np.inf, label - row)
        kind = np.searchsorted(np.asarray(AGES_NS, np.float64), age)
        names = [field[0] for field in batch.fields]
        bare = [i for i, name in enumerate(names) if name != self._label]
        for place in np.unique(kind):
            rows = batch.take(np.flatnonzero(kind == place))
            for counts in self._with[place]:
                counts.update(rows)
            for counts in self._without[place]:
                counts.update(rows.select(bare))

    def ages(self) -> tuple[LabelAge, ...]:
        """Return what was known at each age by which more labels had come than at the one before."""
        found = []
        for place, age_ns in enumerate(AGES_NS):
            if not any(map(n_labelled, self._with[place])):
                continue
            outcomes = [each.copy() for each in self._with[0]]
            for others in [*self._with[1 : place + 1], *self._without[place + 1 :]]:
                for counts, other in zip(outcomes, others, strict=True):
                    counts.merge(other)  # type: ignore[arg-type]
            found.append(LabelAge(age_ns, tuple(outcomes)))
        return tuple(found)


def times_of(batch: Batch, name: str) -> npt.NDArray[np.float64]:
    """Return a column's times in nanoseconds since 1970, NaN for none: good to microseconds, as ages need."""
    at = position_of(batch, name)
    announced = None if at is None else batch.fields[at]
    unit = None if announced is None else NS_OF_UNIT.get(announced[2][:3])
    if at is None or unit is None:
        what = "is not in the data" if announced is None else f"is a {announced[1]} ({announced[2]})"
        raise SchemaError(f"column {name!r} {what}: ages of labels need a date or a timestamp")
    values = batch.to_pylist(at)
    return np.array([np.nan if each is None else each for each in values], np.float64) * unit


def known_by(ages: Sequence[LabelAge], age_ns: int) -> LabelAge | None:
    """Return what was known by an age: the last that is no older, else the first; None: all labels."""
    if not ages or age_ns >= AGES_NS[-1]:
        return None
    return ages[max(bisect_right([each.age_ns for each in ages], age_ns) - 1, 0)]


def to_note(ages: Sequence[LabelAge]) -> dict[str, list[str]]:
    """Return what a reference keeps: the states by age, as texts."""
    return {
        str(each.age_ns): [base64.b64encode(counts.to_bytes()).decode() for counts in each.outcomes]
        for each in ages
    }


def from_note(note: dict[str, list[str]], outcomes: Sequence[Outcomes]) -> tuple[LabelAge, ...]:
    """Read what `to_note` wrote of a reference with these outcomes. Raises DecodeError."""
    found, outcomes = [], by_row(outcomes)
    for age, states in note.items():
        try:
            read = tuple(
                type(like).from_bytes(base64.b64decode(state, validate=True))
                for like, state in zip(outcomes, states, strict=True)
            )
            age_ns = int(age)
        except (ValueError, binascii.Error, TidegaugeError) as error:
            raise DecodeError(f"reference: what it knew of its labels cannot be read: {error}") from error
        if [each.id for each in read] != [each.id for each in outcomes]:
            raise DecodeError("reference: what it knew of its labels was counted in other cells")
        found.append(LabelAge(age_ns, read))
    if [each.age_ns for each in found] != sorted({each.age_ns for each in found}):
        raise DecodeError("reference: its ages of labels are out of order")
    return tuple(found)
