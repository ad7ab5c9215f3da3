"""Intake: rows put into the windows that are open, and what is taken out of them."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tidegauge._core import Batch, SegmentedProfile
from tidegauge.calendar import Calendar
from tidegauge.errors import SchemaError
from tidegauge.intake.part import Part
from tidegauge.intake.segmentation import Segmentation
from tidegauge.intake.waiting import Waiting
from tidegauge.window import MOST, Window

MOST_OPEN = 2  # windows that fill up at a time
MOST_STRAYS = 2  # windows of late or early rows that wait for the next take; a third drives the first out
REMEMBERED = 256  # windows closed last, to tell late rows by


@dataclass(eq=False, slots=True)
class OpenWindow:
    """A window that takes rows. `stray` ones hold late or early rows and are closed at the next take."""

    window: Window
    sequence: int
    stray: bool
    profile: SegmentedProfile
    last_rows_ns: int
    n_rows: int = 0  # that it took
    unsent: bool = False  # what a take that failed has taken out of the profile's changes
    lost: bool = False


@dataclass(eq=False)
class Intake:
    """Windows that fill up with rows, in any order of time, from any thread.

    At most two windows are open, the latest ones that rows came for; a row for a third closes the oldest.
    Rows of windows that were closed, or are older than both open ones, are late; rows more than one window
    ahead of the clock are early. Both go into profiles of their own that are taken out at the next take, and
    push no window out. Rows without a time are put where the clock is. Whatever happens, every row taken is
    in exactly one part that `take` returns; save where memory runs out while rows are added, which leaves the
    profile of their window in part: all its rows are told by `take_lost`, and the next ones open another.

    `timestamp`: the column of times, None to go by the clock. `grace_ns`: how long after its end a window
    still takes rows; it is closed when no row came for it that long. `waiting` gathers what labels that come
    later need of the rows; None where there are none to come.
    """

    segmentation: Segmentation
    calendar: Calendar
    timestamp: str | None
    grace_ns: int
    waiting: Waiting | None = None
    counts: Counter[str] = field(default_factory=Counter)  # rows: late, early, untimed

    def __post_init__(self) -> None:
        """Start without a row."""
        self._lock = threading.Lock()
        self._open: dict[int, OpenWindow] = {}  # by start, those that are no strays
        self._strays: dict[int, OpenWindow] = {}
        self._closed: list[OpenWindow] = []  # not yet taken
        self._remembered: deque[int] = deque(maxlen=REMEMBERED)
        self._returned: list[list[Part]] = []
        self._lost: list[tuple[Window, int, int]] = []
        self._n_opened = 0
        self.untimed_why: SchemaError | None = None
        self.unkept_why: Exception | None = None

    def update(self, batch: Batch, now_ns: int, threads: int = 1) -> list[tuple[Exception, int]]:
        """Add rows; return what kept rows from being added, and how many: mostly nothing, or all of them.

        A column of times that holds something else is noted in `untimed_why`, and its rows have no time.
        """
        refused: dict[str, tuple[Exception, int]] = {}
        n_left = batch.n_rows

        def refuse(error: Exception, n_rows: int) -> None:
            first, n_before = refused.get(type(error).__name__, (error, 0))
            refused[type(error).__name__] = first, n_before + n_rows

        try:
            for window, part in self._split(batch, now_ns):
                n_left -= part.n_rows
                try:
                    self._add(window, part, now_ns, threads)
                except Exception as error:
                    refuse(error, part.n_rows)
        except Exception as error:
            refuse(error, n_left)
        return list(refused.values())

    def _add(self, window: Window, part: Batch, now_ns: int, threads: int) -> None:
        """Add rows of one window. Raises ArrowError, SchemaError or MemoryError, and none is added."""
        while True:  # until a window is met that nobody closes meanwhile
            target, home = self._target(window, now_ns)
            try:
                if target.profile.update(part, threads):
                    break
            except Exception as error:
                if target.profile.whole:
                    raise
                self._set_aside(target)
                if isinstance(error, MemoryError):  # else it was another thread's
                    raise
        with self._lock:
            if target.lost:
                self._lost.append((target.window, target.sequence, part.n_rows))
            target.n_rows += part.n_rows
            if home:
                self.counts[home] += part.n_rows
        if self.waiting is not None:
            try:
                self.waiting.add(window, target.sequence, target.profile, part)
            except Exception as error:  # the rows are counted: that their labels find nothing is told
                self.unkept_why = error

    def _set_aside(self, broken: OpenWindow) -> None:
        """Have the next rows of its time open another window."""
        with self._lock:
            for among in (self._open, self._strays):
                if among.get(broken.window.start_ns) is broken:
                    self._closed.append(among.pop(broken.window.start_ns))

    def _split(self, batch: Batch, now_ns: int) -> Iterable[tuple[Window, Batch]]:
        here = self.calendar.window_of(now_ns)
        if self.timestamp is None:
            return [(here, batch)]
        return self._timed(batch, here)

    def _timed(self, batch: Batch, here: Window) -> Iterator[tuple[Window, Batch]]:
        assert self.timestamp is not None
        try:
            for window, part in self.calendar.split(batch, self.timestamp):
                if window is None:
                    self._count("untimed", part.n_rows)
                yield here if window is None else window, part
        except SchemaError as error:  # before the first part
            self.untimed_why = error
            self._count("untimed", batch.n_rows)
            yield here, batch

    def _count(self, what: str, n_rows: int) -> None:
        with self._lock:
            self.counts[what] += n_rows

    def _target(self, window: Window, now_ns: int) -> tuple[OpenWindow, str]:
        """Return the open window that takes these rows, opened if need be, and if they are out of turn."""
        start = window.start_ns
        with self._lock:
            found, home = self._open.get(start), ""
            if found is None:
                early = start > min(now_ns, MOST - self.calendar.width_ns) + self.calendar.width_ns
                full = len(self._open) == MOST_OPEN
                late = start in self._remembered or (full and start < min(self._open))
                if early or late:
                    home = "early" if early else "late"
                    found = self._strays.get(start)
                    if found is None:
                        if len(self._strays) == MOST_STRAYS:
                            self._close(self._strays, min(self._strays))
                        found = self._strays[start] = self._opened(window, now_ns, stray=True)
                else:
                    if full:
                        self._close(self._open, min(self._open))
                    found = self._open[start] = self._opened(window, now_ns, stray=False)
            found.last_rows_ns = now_ns
            return found, home

    def _opened(self, window: Window, now_ns: int, *, stray: bool) -> OpenWindow:
        self._n_opened += 1
        return OpenWindow(window, self._n_opened - 1, stray, self.segmentation.empty(), now_ns)

    def _close(self, among: dict[int, OpenWindow], start: int) -> None:
        """Close a window, under the lock; updates under way end in it, later ones open another."""
        closing = among.pop(start)
        if not closing.stray:
            self._remembered.append(start)
        self._closed.append(closing)

    def take(self, now_ns: int, *, everything: bool = False, checkpoint: bool = True) -> list[Part]:
        """Return what has to be archived now; each part once.

        Windows that were closed, strays, and windows that are over, with their grace, are taken whole and
        final. With `checkpoint`, of those still open what changed since the last time, not final. With
        `everything`, all windows are closed.
        """
        with self._lock:
            for start, each in list(self._open.items()):
                over = min(each.window.end_ns, MOST - self.grace_ns) + self.grace_ns <= now_ns
                if everything or (over and not 0 <= now_ns - each.last_rows_ns < self.grace_ns):
                    self._close(self._open, start)
            if checkpoint or everything:
                for start in list(self._strays):
                    self._close(self._strays, start)
            closed, self._closed = self._closed, []
            still_open = list(self._open.values()) if checkpoint else []
        try:
            parts = [part for each in closed for part in self._parts(each, final=True)]
            parts += [part for each in still_open for part in self._parts(each, final=False)]
        except BaseException:  # out of memory: nothing is taken, and the next take has it all
            with self._lock:
                self._closed = closed + self._closed
            for each in still_open:
                each.unsent = True
            raise
        for each in still_open:
            each.unsent = False
        returned, self._returned = self._returned, []
        return [part for each in returned for part in each] + parts

    def put_back(self, parts: list[Part]) -> None:
        """Have the next take return these too, before its own."""
        self._returned.append(parts)

    def take_lost(self) -> list[tuple[Window, int, int]]:
        """Return window, sequence and number of rows that are in no final part; each once."""
        with self._lock:
            lost, self._lost = self._lost, []
        return lost

    def _parts(self, each: OpenWindow, *, final: bool) -> Iterator[Part]:
        if final:
            each.profile.seal()
        if not each.profile.whole:
            self._lose(each)
            return
        for dimension, values, n_rows, state in each.profile.take_changed(everything=final or each.unsent):
            key = self.segmentation.key(dimension, values)
            yield Part(each.window, key, each.sequence, n_rows, state, final)

    def _lose(self, broken: OpenWindow) -> None:
        self._set_aside(broken)
        with self._lock:
            if not broken.lost:
                broken.lost = True
                self._lost.append((broken.window, broken.sequence, broken.n_rows))

    @property
    def windows(self) -> list[Window]:
        """The windows that are open, ascending."""
        with self._lock:
            return sorted(each.window for each in self._open.values())

    @property
    def memory_bytes(self) -> int:
        """What the windows hold in memory, about."""
        return sum(each.profile.memory_bytes for each in self._held())

    @property
    def n_segments(self) -> int:
        """The most segments that a window has."""
        return max((each.profile.n_segments for each in self._held()), default=0)

    @property
    def n_other_rows(self) -> int:
        """Rows in no segment of their own, of the window and dimension that have most of them."""
        return max((max(each.profile.n_other_rows, default=0) for each in self._held()), default=0)

    def _held(self) -> Sequence[OpenWindow]:
        with self._lock:
            return [*self._open.values(), *self._strays.values(), *self._closed]
