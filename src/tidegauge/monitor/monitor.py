"""Monitor: rows of a model profiled in the process that scores, and sent to an archive window by window.

Longer than most files: the life of a monitor in one place, each step a few lines.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from asyncio import CancelledError
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from tidegauge._core import Batch, RankingOutcomes, Stage
from tidegauge.archive import Archive, Key, LabelReport, Record, Series, Writer
from tidegauge.archive.shelves import is_on_shelf, on_shelf
from tidegauge.arrow import at_once, batches
from tidegauge.calendar import Calendar
from tidegauge.errors import InputError
from tidegauge.intake import Block, Intake, Part, Waiting
from tidegauge.intake.segmentation import Segmentation
from tidegauge.monitor.health import Health
from tidegauge.monitor.lifetimes import close_before_multiprocessing_ends, last_until_exit
from tidegauge.monitor.outbox import Held, Outbox
from tidegauge.outcome_specs import late_outcomes
from tidegauge.reference import Reference, load
from tidegauge.tables import printable
from tidegauge.window import Window, parse_duration

if TYPE_CHECKING:
    from tidegauge.verdict import Verdict

LOG = logging.getLogger("tidegauge")
PASSED = (KeyboardInterrupt, SystemExit, GeneratorExit, CancelledError)  # what callers mean to get
SMALL = 512  # rows: smaller batches wait with single rows
TICK_SECONDS = 1.0
PLACING_SECONDS = 0.001  # between looks at whether other threads have put their rows where they belong
LONGEST_RETRY_SECONDS = 60.0
CLOSING_SECONDS = 10.0
KEEP_SECONDS = 600.0  # between two looks at what waits for labels


class Monitor:
    """Watches one version of a model from inside the process that scores; one a process, any thread.

    `update` and `record` take rows and return within microseconds; they do no I/O and raise nothing, save
    with `strict`: what goes wrong is counted in `health`. A background thread, started with the first row,
    sends profiles to the archive: every `checkpoint_seconds` what changed, and a window whole when it is
    over. `close`, the end of a with-block and the end of the process lose nothing; a kill loses at most one
    checkpoint. A forked child starts without a row, under a name of its own.

    `model`, `version`: what is watched; two versions or references are two series. `reference`: a `Reference`
    or a path to one. `window`: how long windows last ("1h", "1d"), counted in UTC, or by the clocks of
    `timezone` for whole days. `timestamp`: the column of the rows' times; None takes the reference's, and
    "" goes by the clock, as does a reference without one. `segments`: columns whose values get a light
    profile each, or tuples of columns for each combination; values beyond the cap that `budget_bytes` sets
    share one, so totals always add up. `archive`: an `Archive`, a URL or a path. `grace`: how long after its
    end a window waits for late rows; rows after that are archived as late profiles of it.
    `judge="elect"` also judges complete windows here, in whichever process is first, and calls `on_close`
    with each `Verdict`, in the background thread.

    Where the reference's schema has an id and its outcomes a label, predictions wait in the archive for
    labels that come late (`label`): for `wait` after they came, and at most `waiting_bytes` of all processes
    together, above which half of all ids are let go, by their hashes, and half again. `clock` returns
    nanoseconds since 1970.

    Construction raises InputError, SchemaError or OSError for what is wrong with the arguments, never for the
    state of the archive.
    """

    def __init__(
        self,
        model: str,
        reference: Reference | str | os.PathLike[str],
        *,
        archive: Archive | str | os.PathLike[str],
        version: str = "",
        window: str | float | timedelta = "1h",
        timestamp: str | None = None,
        timezone: str = "UTC",
        segments: Sequence[str | Sequence[str]] = (),
        grace: str | float | timedelta = "5m",
        budget_bytes: int = 64 << 20,
        checkpoint_seconds: float = 60.0,
        threads: int = 1,
        judge: Literal["elect"] | None = None,
        on_close: Callable[[Verdict], object] | None = None,
        strict: bool = False,
        wait: str | float | timedelta = "90d",
        waiting_bytes: int = 256 << 20,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.model, self.version = named("model", model), str(version)
        self.reference = reference if isinstance(reference, Reference) else loaded(reference)
        self._calendar = Calendar(parse_duration(window), timezone)
        self._timestamp = timestamp_of(self.reference, timestamp)
        self._segmentation = Segmentation(self.reference, segments, budget_bytes // 2)
        self._id = id_of(self.reference) if waiting_bytes else None
        outcomes = self.reference.profile._core.outcomes
        queries = [each.query for each in outcomes if isinstance(each, RankingOutcomes)]
        read = [*self._segmentation.columns, *filter(None, [self._timestamp, self._id]), *queries]
        counted = {spec.name for spec in self._segmentation.specs if not spec.counted_only}
        self._extra = list(dict.fromkeys(name for name in read if name not in counted))
        self._grace_ns = 0 if grace == 0 else parse_duration(grace)
        self._budget_bytes = budget_bytes
        self._checkpoint_seconds = above_zero("checkpoint_seconds", checkpoint_seconds)
        if threads < 0:
            raise InputError(f"monitor: threads is {threads}, it must be 0 (one a core) or more")
        self._threads, self._strict, self._clock = threads, strict, clock
        self._wait_ns = parse_duration(wait)
        if waiting_bytes < 0:
            raise InputError(f"monitor: waiting_bytes is {waiting_bytes}, it must be 0 (none wait) or more")
        self._waiting_bytes = waiting_bytes
        if judge not in {None, "elect"}:
            raise InputError(f"monitor: judge={judge!r} is neither None nor 'elect'")
        if on_close is not None and judge is None:
            raise InputError(
                "monitor: on_close is called where windows are judged: pass judge='elect' too, or judge with "
                "tidegauge.judge(archive, on_close=...)"
            )
        self._judge, self._on_close = judge, on_close
        self._owns_archive = not isinstance(archive, Archive)
        self._archive = archive if isinstance(archive, Archive) else Archive(archive)
        if judge:
            self._archive.require_can_elect()
        self._reference_id = self._archive.id_of(self.reference)
        self._series = Series(self.model, self.version, self._reference_id)
        self._id_key = self._archive.id_key(self.reference)
        self._closed = False
        self.start_over()
        last_until_exit(self)

    def start_over(self) -> None:
        """Begin without a row, under a new name: at construction, and in a child that was forked."""
        self._writer = secrets.token_hex(16)
        self._lock = threading.Lock()
        self._ticking = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._ready = False  # rows can be taken without looking at the clock
        self._from_ns = self._until_ns = 0  # or while the clock is between these
        self._stage = Stage(self._segmentation.specs, self._extra)
        self._waiting = None
        room = 0 if self._id is None else self._budget_bytes // 8
        if self._id is not None:
            late = late_outcomes(self.reference.profile._core.outcomes)
            self._waiting = Waiting(late, self._segmentation, self._id, self._id_key, room)
        self._last_block = self._tried_block = 0
        self._kept_at = -KEEP_SECONDS
        self._intake = Intake(
            self._segmentation, self._calendar, self._timestamp, self._grace_ns, self._waiting
        )
        self._outbox = Outbox(self._budget_bytes // 2 - room)
        self._started_ns = self._clock()
        self._here = self._calendar.window_of(self._started_ns)
        self._n_rows = self._n_rows_refused = 0
        self._placing = 0  # batches that are counted and not in their windows yet
        self._errors: Counter[str] = Counter()
        self._last_error = ""
        self._raised: BaseException | None = None
        self._rows_seen = 0
        self._rows_at: float | None = None
        self._archived_at: float | None = None
        self._checkpoint_at = time.monotonic()
        self._retry_at, self._retry_seconds = 0.0, TICK_SECONDS

    # Rows in.

    def record(self, row: Mapping[str, Any]) -> None:
        """Take one row: values by the names of their columns.

        Numbers, booleans, texts, datetimes, None; NumPy scalars as well, and lists of numbers for embeddings.
        A field that is not there is absent, one of another kind is counted as mistyped, one that the
        reference does not know as unexpected.
        """
        try:
            if not self._ready and not self._from_ns <= self._clock() < self._until_ns:
                self._before_rows()
            if self._stage.record(row):
                self._flush()
        except PASSED:
            raise
        except BaseException as error:
            self._refuse(error, 1)

    def update(self, data: Any) -> None:
        """Take the rows of `data`: anything `tidegauge.arrow.batches` takes."""
        n_rows = 0
        try:
            batch = at_once(data)
            for part in batches(data) if batch is None else (batch,):
                n_rows = part.n_rows
                self._before_rows()
                self._take(part)
                n_rows = 0
        except PASSED:
            raise
        except BaseException as error:
            self._refuse(error, n_rows)

    def _take(self, batch: Batch) -> None:
        if batch.n_rows <= SMALL:
            due = self._stage.append(batch)
            if due is not None:
                if due:
                    self._flush()
                return
            self._flush()
        now_ns = self._clock()
        with self._lock:
            self._n_rows += batch.n_rows  # before they can be archived, so that health never says less
            self._placing += 1
        self._place(batch, now_ns)

    def _place(self, batch: Batch, now_ns: int) -> None:
        """Put rows, which are counted as taken, into their windows; what cannot be put there is refused."""
        intake = self._intake
        try:
            refused = intake.update(batch, now_ns, self._threads)
        finally:
            with self._lock:
                self._placing -= 1
        if intake.untimed_why is not None:
            self._note("untimed", intake.untimed_why)
            intake.untimed_why = None
        if intake.unkept_why is not None:
            self._note("unkept", intake.unkept_why)
            intake.unkept_why = None
        for error, n_rows in refused:
            with self._lock:
                self._n_rows -= n_rows
            self._refuse(error, n_rows)

    def _flush(self, here: Window | None = None) -> None:
        """Move the rows that wait in the stage into the open windows; those that come next are of `here`."""
        try:
            with self._lock:  # by the clock, what waits is of the window that it came in
                now_ns = self._clock() if self._timestamp is not None else self._here.start_ns
                waiting = self._stage.take()
                self._n_rows += sum(batch.n_rows for batch in waiting)  # at once, so that health misses none
                self._placing += len(waiting)
                self._here = here or self._here
        except Exception as error:  # no memory: they wait on
            self._refuse(error, 0)
            return
        interrupt: BaseException | None = None
        for batch in waiting:
            try:
                self._place(batch, now_ns)
            except PASSED as error:  # what waits behind, perhaps others' rows, is not lost with it
                interrupt = error
        if interrupt is not None:
            raise interrupt

    def _before_rows(self) -> None:
        """Start the background thread with the first row; by the clock, also go from window to window."""
        if self._closed:
            raise InputError("monitor: it is closed and takes no more rows; make another one")
        if self._thread is None:
            self._start()
        if self._timestamp is not None:
            self._ready = True
        else:
            now_ns = self._clock()
            if not self._here.start_ns <= now_ns < self._here.end_ns:
                self._flush(self._calendar.window_of(now_ns))
            self._from_ns, self._until_ns = self._here.start_ns, self._here.end_ns

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                name = f"tidegauge {self.model}"
                thread = threading.Thread(target=self._run, args=(self._stop,), name=name, daemon=True)
                thread.start()
                self._thread = thread
                close_before_multiprocessing_ends()

    def _refuse(self, error: BaseException, n_rows: int) -> None:
        if error is not self._raised:
            with self._lock:
                self._n_rows_refused += n_rows
            self._note(type(error).__name__, error)
        if self._strict:
            self._raised = error  # which comes here again on its way out
            raise error

    def _note(self, reason: str, error: BaseException) -> None:
        """Count what went wrong; the first of its kind is logged. No error of an error reaches the caller."""
        try:
            with self._lock:
                self._errors[reason] += 1
                first = self._errors[reason] == 1
                self._last_error = reason
                self._last_error = words = printable(f"{reason}: {error}", None)
            if first:
                LOG.warning("monitor of %r: %s", self.model, words)
        except Exception:  # no memory for the words, a text or a log handler that raises: it is counted
            return

    # Labels in.

    def label(self, data: Any, *, id: str | None = None, label: str | None = None) -> LabelReport:
        """Give predictions their labels, by their ids: in any order, any time later, corrections too.

        See `Archive.label`. What was gathered so far is sent before, and the labels are in the archive when
        this returns: it takes as long as that takes, so give many at a time. Like all calls it raises
        nothing, save with `strict`: where `stored` is False nothing has changed, `health` says why, and the
        labels should be told again.
        """
        try:
            if not self.checkpoint():
                return LabelReport(stored=False)
            return self._archive.label_series(self._series, data, id=id, label=label, now_ns=self._clock())
        except PASSED:
            raise
        except BaseException as error:
            self._refuse(error, 0)
            return LabelReport(stored=False)

    # Profiles out, in the background.

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(TICK_SECONDS):
            try:
                self._tick()
            except Exception as error:
                self._note(type(error).__name__, error)

    def _tick(self) -> None:
        """Do what is due: gather staged rows, close windows, write checkpoints, judge."""
        monotonic = time.monotonic()
        with self._ticking:
            if self._stage.n_rows:
                self._flush()
            if self._n_rows != self._rows_seen:
                self._rows_seen, self._rows_at = self._n_rows, monotonic
            checkpoint = monotonic - self._checkpoint_at >= self._checkpoint_seconds
            self._gather(checkpoint=checkpoint)
        if checkpoint:
            self._checkpoint_at = monotonic
        if (checkpoint or len(self._outbox)) and monotonic >= self._retry_at:
            try:
                self._send()
                self._retry_seconds = TICK_SECONDS
            except Exception as error:
                self._note("archive", error)
                self._retry_seconds = min(2 * self._retry_seconds, LONGEST_RETRY_SECONDS)
                self._retry_at = monotonic + self._retry_seconds
        if self._judge and checkpoint:
            self._elect()

    def _gather(self, *, checkpoint: bool = True, everything: bool = False) -> None:
        # Before the profiles: what waits for labels is counted by what is taken next.
        blocks = self._waiting.take() if self._waiting and (checkpoint or everything) else []
        parts: list[Part] = []
        try:
            parts = self._intake.take(self._clock(), everything=everything, checkpoint=checkpoint)
            held = [Held((each.window, each.sequence), self._as_held(each)) for each in blocks]
            self._outbox.put([self._as_record(part) for part in parts], held)
        except BaseException:
            self._intake.put_back(parts)
            if self._waiting:
                self._waiting.put_back(blocks)
            raise
        for window, sequence, n_rows in self._intake.take_lost():
            self._outbox.lose(window, sequence, n_rows)

    def _as_held(self, block: Block) -> Record:
        self._last_block = max(self._last_block + 1, self._clock())  # tells how long it has waited
        key = on_shelf(self._series, "waiting", block.window, self._writer, self._last_block)
        return Record(key, len(block.rows), block.rows.to_bytes())

    def _as_record(self, part: Part) -> Record:
        key = Key(
            self.model,
            self.version,
            self._reference_id,
            part.window,
            part.segment,
            self._writer,
            part.sequence,
        )
        return Record(key, part.n_rows, part.state, part.final)

    def _send(self, *, closing: bool = False) -> None:
        """Bring the archive up to date. Raises what it raises."""
        if not self._archive.has_reference(self._reference_id):  # asked each time: it may have been replaced
            self._archive.put_reference(self.reference)
        self._outbox.send(self._archive)
        self._keep()
        self._archive.put_writer(self._as_writer(closing))
        self._archived_at = time.monotonic()

    def _keep(self) -> None:
        """Try the labels that came before their predictions; now and then let go of what waited too long."""
        if self._waiting is None or not self._last_block:
            return
        if self._last_block != self._tried_block:
            if self._archive.has_early_labels(self._series):
                self._archive.label_series(self._series, None, now_ns=self._clock())
            self._tried_block = self._last_block
        monotonic = time.monotonic()
        if monotonic - self._kept_at >= KEEP_SECONDS:
            self._kept_at = monotonic
            limit = self._archive.keep_waiting(
                self._series,
                before_ns=self._clock() - self._wait_ns,
                most_bytes=self._waiting_bytes,
                n_dimensions=self._segmentation.n_dimensions,
            )
            self._waiting.limit = min(self._waiting.limit, limit)

    def _as_writer(self, closing: bool) -> Writer:
        now_ns = self._clock()
        return Writer(
            self.model,
            self._writer,
            socket.gethostname(),
            os.getpid(),
            self._started_ns,
            now_ns,
            checkpoint_seconds=self._checkpoint_seconds,
            grace_ns=self._grace_ns,
            closed_ns=now_ns if closing else None,
        )

    def _elect(self) -> None:
        from tidegauge.judging import judge

        judge(self._archive, model=self.model, now_ns=self._clock(), on_close=self._on_close, elect=True)

    # The end.

    def checkpoint(self) -> bool:
        """Write what was gathered so far to the archive, now and here; tell whether it is all there."""
        try:
            with self._ticking:
                self._flush()
                self._gather()
            self._send()
        except Exception as error:
            self._note("archive", error)
            return False
        return True

    def close(self, timeout_seconds: float = CLOSING_SECONDS) -> None:
        """Close all windows and send them. Takes no more rows; may be called twice.

        An archive that is away is tried for `timeout_seconds`; what it did not take is then counted as lost.
        """
        with self._lock:
            if self._closed:
                return
            self._closed, self._ready, self._until_ns = True, False, self._from_ns
        if self._thread is None:  # without a row here: a parent that only forks says nothing
            self._leave()
            return
        self._stop.set()
        self._thread.join(timeout_seconds)
        deadline = time.monotonic() + timeout_seconds
        while not self._sent_all(deadline) and time.monotonic() < deadline:
            time.sleep(min(TICK_SECONDS, timeout_seconds / 10))
        if n_rows := self._outbox.abandon():
            LOG.error(
                "monitor of %r: closed while the archive was away (%s): %d rows are lost",
                self.model,
                self._last_error,
                n_rows,
            )
        self._leave()

    def _sent_all(self, deadline: float) -> bool:
        try:
            with self._ticking:
                self._flush()
                while self._placing and time.monotonic() < deadline:  # by threads that were at it
                    time.sleep(PLACING_SECONDS)
                self._gather(everything=True)
            self._send(closing=True)
        except Exception as error:
            self._note("archive", error)
            return False
        return not self._stage.n_rows

    def _leave(self) -> None:
        if self._owns_archive:
            self._archive.close()

    @property
    def health(self) -> Health:
        """What it took, what it holds, what went wrong; never raises."""
        now = time.monotonic()
        intake, outbox = self._intake, self._outbox
        archived, lost = outbox.n_rows_archived, outbox.n_rows_lost  # first: what is archived was taken
        with self._lock:
            n_rows = self._n_rows + self._stage.n_rows
            refused, errors = self._n_rows_refused, dict(self._errors)
        behind = self._retry_at > now or ("archive" in errors and len(outbox) > 0)
        degraded = bool(refused or lost or outbox.n_segments_lost or behind)
        return Health(
            status="closed" if self._closed else "degraded" if degraded else "ok",
            model=self.model,
            version=self.version,
            writer=self._writer,
            n_rows=n_rows,
            n_rows_waiting=max(0, n_rows - archived - lost),
            n_rows_archived=archived,
            n_rows_lost=lost,
            n_rows_refused=refused,
            n_rows_late=intake.counts["late"],
            n_rows_early=intake.counts["early"],
            n_rows_untimed=intake.counts["untimed"],
            n_segments=intake.n_segments,
            max_segments=self._segmentation.max_segments,
            n_other_rows=intake.n_other_rows,
            n_rows_kept=self._waiting.n_kept - outbox.n_kept_lost if self._waiting else 0,
            n_rows_unkept=self._waiting.n_unkept + outbox.n_kept_lost if self._waiting else 0,
            windows=tuple(intake.windows),
            memory_bytes=intake.memory_bytes
            + outbox.n_bytes
            + (self._waiting.n_bytes if self._waiting else 0),
            budget_bytes=self._budget_bytes,
            errors=errors,
            last_error=self._last_error,
            seconds_since_rows=None if self._rows_at is None else now - self._rows_at,
            seconds_since_archived=None if self._archived_at is None else now - self._archived_at,
        )

    def __repr__(self) -> str:
        """Return model, version, and how it is."""
        health = self.health
        of = f"{self.model!r} version {self.version!r}" if self.version else repr(self.model)
        return f"Monitor of {of}: {health.status}, {health.n_rows:,} rows in this process"

    def __reduce__(self) -> NoReturn:
        """Refuse: its rows and its thread are this process's."""
        raise TypeError("a Monitor cannot be sent to another process: make one there")

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def id_of(reference: Reference) -> str | None:
    """Return the column of ids, None where there are no labels to come."""
    found = next(iter(reference.schema.with_role("id")), None)
    return found if late_outcomes(reference.profile._core.outcomes) else None


def named(what: str, name: object) -> str:
    """Return a name that is a text and not empty. Raises InputError."""
    if not isinstance(name, str) or not name:
        raise InputError(f"monitor: {what} is {name!r}, it must be a text that is not empty")
    if is_on_shelf(name):
        raise InputError(f"monitor: {what} is {name!r}: a name that begins with NUL is the archive's own")
    return name


def above_zero(what: str, seconds: float) -> float:
    """Return a number of seconds. Raises InputError unless it is above zero."""
    if not 0 < seconds < float("inf"):
        raise InputError(f"monitor: {what} is {seconds!r}, it must be above 0")
    return seconds


def loaded(path: str | os.PathLike[str]) -> Reference:
    """Read a reference. Raises OSError, DecodeError, and InputError for a profile."""
    found = load(path)
    if not isinstance(found, Reference):
        raise InputError(f"{os.fspath(path)} holds a profile, not a reference: fit one with Reference.fit")
    return found


def timestamp_of(reference: Reference, timestamp: str | None) -> str | None:
    """Return the column of the rows' times, None to go by the clock. Raises InputError."""
    if timestamp == "":
        return None
    if timestamp is None:
        return next(iter(reference.schema.with_role("timestamp")), None)
    if timestamp in reference.schema and reference.schema[timestamp].kind != "time":
        kind = reference.schema[timestamp].kind
        raise InputError(f"monitor: timestamp={timestamp!r} is a {kind} in the reference, not a time")
    return timestamp
