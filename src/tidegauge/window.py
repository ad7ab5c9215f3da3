"""Windows: half-open intervals of event time, in nanoseconds since 1970-01-01 UTC, and rows put into them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge._core import Batch
from tidegauge.errors import InputError

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
WEEK = 7 * DAY
SECONDS_OF_UNIT = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
FIRST_MONDAY = 4 * DAY  # 1970-01-05; 1970-01-01 was a Thursday
MOST = 2**63 - 1
MOST_ROWS = 1 << 20  # of a batch split at a time: unordered ones are copied, and this bounds the copy
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_duration(duration: str | float | timedelta) -> int:
    """Return a length of time in nanoseconds, from 1 to 2^63 - 1 (292 years).

    `duration`: a whole number with its unit ("30s", "15m", "12h", "1d", "1w"), seconds as a number, or a
    timedelta. Raises InputError for anything else.
    """
    length: int | None = None
    if isinstance(duration, timedelta):
        length = duration // timedelta(microseconds=1) * 1_000
    elif isinstance(duration, Integral) and not isinstance(duration, bool):
        length = int(duration) * SECOND
    elif isinstance(duration, Real) and not isinstance(duration, bool) and abs(duration) < MOST:
        length = round(float(duration) * SECOND)
    elif isinstance(duration, str) and (found := re.fullmatch(r"\s*([0-9]{1,18})\s*([smhdw])\s*", duration)):
        length = int(found[1]) * SECONDS_OF_UNIT[found[2]] * SECOND
    if length is None or not 1 <= length <= MOST:
        raise InputError(
            f"duration: {duration!r} is no length of time: write '30s', '15m', '12h', '1d' or '1w', a number "
            "of seconds or a timedelta, above 0 and at most 292 years"
        )
    return length


def origin_ns(width_ns: int) -> int:
    """Return where windows of this width are counted from: a Monday for whole weeks, else 1970-01-01."""
    return FIRST_MONDAY if width_ns % WEEK == 0 else 0


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """The half-open interval [start_ns, end_ns), in nanoseconds since 1970-01-01 UTC, of 64 bits each.

    Ordered by start, then end. Raises InputError for ends that do not fit or do not come after the start.
    """

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        """Refuse what is no interval."""
        if not -MOST - 1 <= self.start_ns < self.end_ns <= MOST:
            raise InputError(
                f"window: [{self.start_ns}, {self.end_ns}) is no interval of nanoseconds since 1970: it must "
                "end after it starts, and both ends must fit in 64 bits (the years 1678 to 2261)"
            )

    @property
    def start(self) -> datetime:
        """The first instant, in UTC, down to the microsecond."""
        return datetime_of(self.start_ns)

    @property
    def end(self) -> datetime:
        """The first instant that no longer belongs to it, in UTC, down to the microsecond."""
        return datetime_of(self.end_ns)

    def contains(self, time: datetime | date | str | int) -> bool:
        """Tell whether a time, as `as_window` takes it, lies in the window; its end does not."""
        return self.start_ns <= as_ns(time) < self.end_ns

    def __str__(self) -> str:
        """Return "2026-11-02 00:00 .. 2026-11-03 00:00 UTC"; one whole day is "2026-11-02 UTC"."""
        whole_days = self.start_ns % DAY == self.end_ns % DAY == 0
        if whole_days and self.end_ns - self.start_ns == DAY:
            return f"{self.start:%Y-%m-%d} UTC"
        return f"{shown(self.start_ns)} .. {shown(self.end_ns)} UTC"


def as_window(window: Window | tuple[Any, Any]) -> Window:
    """Return a window, or a pair of its ends, as a Window.

    An end is a datetime, a date (its first instant), an ISO 8601 text, or an integer of nanoseconds since
    1970-01-01; without a timezone it is UTC. Raises InputError.
    """
    if isinstance(window, Window):
        return window
    if not isinstance(window, tuple | list) or len(window) != 2:
        raise InputError(f"window: {window!r} is no pair (start, end): pass both ends")
    return Window(as_ns(window[0]), as_ns(window[1]))


def as_ns(time: datetime | date | str | int) -> int:
    """Return a time in nanoseconds since 1970-01-01 UTC. Raises InputError."""
    if isinstance(time, Integral) and not isinstance(time, bool):
        return int(time)
    moment: Any = time
    if isinstance(time, str):
        try:
            moment = datetime.fromisoformat(time)
        except ValueError:
            moment = None
    elif isinstance(time, date) and not isinstance(time, datetime):
        moment = datetime(time.year, time.month, time.day)
    if not isinstance(moment, datetime):
        raise InputError(
            f"window: {time!r} is no time: pass a datetime, an ISO 8601 text such as '2026-11-02T00:00', or "
            "an integer of nanoseconds since 1970-01-01"
        )
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1) * 1_000


def datetime_of(time_ns: int) -> datetime:
    """Return nanoseconds since 1970-01-01 as a datetime in UTC, rounded down to the microsecond."""
    return EPOCH + timedelta(microseconds=time_ns // 1_000)


def shown(time_ns: int) -> str:
    """Return a time with as many digits as it needs, minutes at least."""
    time = datetime_of(time_ns)
    seconds, below = divmod(time_ns, SECOND)
    text = f"{time:%Y-%m-%d %H:%M}" if seconds % 60 == below == 0 else f"{time:%Y-%m-%d %H:%M:%S}"
    return text + (f".{below:09d}".rstrip("0") if below else "")


def hour_of_day(start_ns: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the hour of the day, 0 to 23 in UTC, of each time in nanoseconds since 1970-01-01."""
    return np.asarray(start_ns, np.int64) // HOUR % 24


def hour_of_week(start_ns: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the hour of the week, 0 (Monday 00:00) to 167 in UTC, of each time in `hour_of_day`'s unit."""
    return (np.asarray(start_ns, np.int64) // HOUR - FIRST_MONDAY // HOUR) % 168


def position_of(batch: Batch, name: str) -> int | None:
    """Return where a column stands in a batch, None where it is not there."""
    return next((i for i, field in enumerate(batch.fields) if field[0] == name), None)


def partitioned(
    batches: Iterable[Batch], timestamp: str, width_ns: int
) -> Iterator[tuple[int | None, Batch]]:
    """Split each batch by its times into windows of `width_ns`, counted from `origin_ns(width_ns)`.

    Yields (start of the window, its rows in their order), ascending within a batch, or within 2^20 rows of a
    longer one; one window may come several times. The start is None for rows without a time: null, beyond 64
    bits of nanoseconds, or in a batch that lacks the column. Raises SchemaError for a column that holds no
    times, ArrowError.
    """
    for batch in batches:
        position = position_of(batch, timestamp)
        if position is None:
            yield None, batch
        else:
            for begin in range(0, batch.n_rows, MOST_ROWS):
                piece = batch.slice(begin, min(MOST_ROWS, batch.n_rows - begin))
                yield from piece.partition(position, width_ns, origin_ns(width_ns))
