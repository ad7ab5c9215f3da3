"""Calendar: where windows begin and end, and the rows of a batch told apart by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import cache
from typing import TYPE_CHECKING

from tidegauge._core import Batch
from tidegauge.errors import InputError
from tidegauge.window import DAY, MOST, WEEK, Window, as_ns, datetime_of, origin_ns, position_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

FIRST_MONDAY = date(1970, 1, 5).toordinal()
FIRST_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Calendar:
    """Windows of equal length one after another, half-open.

    In UTC they are counted from 1970-01-01 00:00, whole weeks from a Monday. In another timezone, a name such
    as "Europe/Stockholm", they last whole days by its clocks: from midnight to midnight, so that one day of
    the year has 23 hours and one 25. Raises InputError for a shorter window there, and for an unknown
    timezone.
    """

    width_ns: int
    timezone: str = "UTC"
    zone: ZoneInfo | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be counted."""
        zone = None if self.timezone == "UTC" else zone_of(self.timezone)
        if zone is not None and self.width_ns % DAY:
            raise InputError(
                f"window: by the clocks of {self.timezone} windows last whole days or weeks: the hours of a "
                "day in which clocks change do not add up; leave timezone out, and they are counted in UTC"
            )
        object.__setattr__(self, "zone", zone)

    def window_of(self, time_ns: int) -> Window:
        """Return the window in which this instant lies. Raises InputError where 64 bits do not reach."""
        if self.zone is None:
            start = time_ns - (time_ns - origin_ns(self.width_ns)) % self.width_ns
            return Window(start, start + self.width_ns)
        return Window(*days_around(datetime_of(time_ns).astimezone(self.zone).date(), self))

    def split(self, batch: Batch, timestamp: str) -> Iterator[tuple[Window | None, Batch]]:
        """Yield the rows of each window, None for rows without a time; by time, save where clocks change.

        Rows keep their order. A batch that lacks the column has no times. Raises SchemaError for a column
        that holds no times, ArrowError.
        """
        position = position_of(batch, timestamp)
        if position is None:
            yield None, batch
        else:
            yield from self._split(batch, position, self.width_ns, origin_ns(self.width_ns))

    def _split(
        self, batch: Batch, position: int, width_ns: int, origin: int
    ) -> Iterator[tuple[Window | None, Batch]]:
        for start_ns, part in batch.partition(position, width_ns, origin):
            if start_ns is None:
                yield None, part
                continue
            window = self.window_of(start_ns)
            if start_ns + width_ns <= window.end_ns:
                yield window, part
            else:  # days of other lengths, or not counted from here: once more from where this one begins
                yield from self._split(part, position, window.end_ns - window.start_ns, window.start_ns)


@cache
def zone_of(name: str) -> ZoneInfo:
    """Return a timezone by its name. Raises InputError for one that this machine does not know."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(
            f"timezone: {name!r} is not known here: write a name such as 'Europe/Stockholm' or 'UTC' (the "
            "package tzdata has them all where the system has none)"
        ) from error


def days_around(day: date, calendar: Calendar) -> tuple[int, int]:
    """Return the midnights between which the window of this local day lies, in nanoseconds since 1970."""
    n_days = calendar.width_ns // DAY
    origin = FIRST_MONDAY if calendar.width_ns % WEEK == 0 else FIRST_DAY
    first = day.toordinal() - (day.toordinal() - origin) % n_days
    return midnight(first, calendar), midnight(first + n_days, calendar)


def midnight(ordinal: int, calendar: Calendar) -> int:
    """Return the first instant of a local day; where clocks skip midnight, that is when they do."""
    moment = datetime.combine(date.fromordinal(ordinal), time(), calendar.zone)
    return min(as_ns(moment.astimezone(UTC)), MOST)
