"""Judging: complete windows of an archive get a verdict, and another one when late rows came."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Any, TypedDict

from tidegauge.archive import Archive, Found, Series, Writer
from tidegauge.archive.compaction import MERGED
from tidegauge.comparison import ColumnComparison, Comparison, compare
from tidegauge.drift.causes import Cause
from tidegauge.drift.mix import shares_of_change
from tidegauge.drift.verdict import BUDGET, TOLERANCE, TOLERANCE_SHARE
from tidegauge.errors import ArchiveError, DecodeError, MergeError, TidegaugeError
from tidegauge.measurement import Kind, Status, worst
from tidegauge.performance_result import KINDS, Performance
from tidegauge.performances import performance
from tidegauge.profiles import Profile
from tidegauge.reference import Reference
from tidegauge.scan_result import ScanResult
from tidegauge.segments import TOTAL, by_dimension
from tidegauge.verdict import KIND, Gap, Verdict, name_of, parsed, prefix_of
from tidegauge.window import DAY, SECOND, Window, parse_duration
from tidegauge.window_scan import scan

LOG = logging.getLogger("tidegauge")
SCANNED = 128  # windows before the first new one that are scanned with it: twice the longest merge
CLAIMS = "claims"
CLAIMED_NS = 600 * SECOND  # after which another process may take up a window that one began to judge


class Settings(TypedDict):
    """How strictly windows are judged; see `compare`."""

    budget: float
    tolerance: float
    tolerance_share: float


def judge(
    archive: Archive,
    *,
    now_ns: int | None = None,
    model: str | None = None,
    version: str | None = None,
    since: str | float | timedelta = "30d",
    budget: float = BUDGET,
    tolerance: float = TOLERANCE,
    tolerance_share: float = TOLERANCE_SHARE,
    on_close: Callable[[Verdict], object] | None = None,
    elect: bool = False,
) -> list[Verdict]:
    """Judge every complete window of an archive that has no verdict yet, or got rows since; ascending.

    A window is complete when it and its grace are over, and no process that lives still fills it. It is
    compared with its reference (`compare`), and scanned with the windows before it (`scan`), from the merge
    of what all processes wrote; where outcomes are counted, the verdict also tells how right the model was
    (`performance`). Labels that come later do not change what was said of the rows: where they change the
    status of the realised metrics, from "immature" to another or back, a revision says so. Verdicts are kept
    in the archive, every revision (`tidegauge.verdicts`).

    `now_ns`: the time, in nanoseconds since 1970; None asks the clock. `since`: windows that ended longer ago
    are left alone. `on_close` is called with each new verdict; what it raises is logged. `elect`: several
    processes judge one archive at once, and each window is judged by the one that claims it first. Raises
    ArchiveError where the archive cannot be read or written; a series that cannot be judged is logged, the
    others are judged.
    """
    now_ns = time.time_ns() if now_ns is None else now_ns
    start_ns = now_ns - parse_duration(since)
    settings = Settings(budget=budget, tolerance=tolerance, tolerance_share=tolerance_share)
    found: list[Verdict] = []
    for series in archive.series(model=model, version=version):
        try:
            for verdict in _Job(archive, series, now_ns, start_ns, elect).verdicts(settings):
                name = name_of(series, verdict.window, verdict.revision, verdict.inputs)
                if not archive.store.put_document(KIND, name, verdict.to_bytes(), if_absent=True):
                    continue  # another process was faster
                found.append(verdict)
                if on_close is not None:
                    _call(on_close, verdict)
        except (DecodeError, MergeError, SeriesError) as error:
            LOG.error("judge: %r version %r cannot be judged: %s", series.model, series.version, error)
    return found


class SeriesError(ArchiveError):
    """What is wrong with one series, and says nothing of the others."""


class _Job:
    """The windows of one series that are to be judged now."""

    def __init__(self, archive: Archive, series: Series, now_ns: int, start_ns: int, elect: bool) -> None:
        self.archive, self.series, self.now_ns, self.start_ns = archive, series, now_ns, start_ns
        self.elect = elect
        self._read: tuple[Window, dict[str, Profile]] | None = None  # the segments that were read last

    def verdicts(self, settings: Settings) -> Iterator[Verdict]:
        """Yield a verdict for each window that needs one."""
        records = self.archive.find(self.series, start_ns=self.start_ns, segment="")
        records.sort(key=lambda each: each.key.window)
        by_window = {
            window: list(each) for window, each in groupby(records, key=lambda each: each.key.window)
        }
        writers = self.archive.writers(self.series.model)
        judged = self._judged()
        due = {
            window: revision
            for window, revision in owing_rows(by_window, judged).items()
            if self._complete(window, by_window[window], writers) and self._claim(window, revision)
        }
        told = {window: last for window, last in owing_labels(by_window, judged).items() if window not in due}
        if not (due or told):
            return
        reference = self._reference()
        for window, last in told.items():
            yield from self._relabelled(reference, by_window[window], last)
        for like in of_like_length(by_window):
            wanted = [window for window in like if window in due]
            if not wanted:
                continue
            context = like[max(0, like.index(wanted[0]) - SCANNED) : like.index(wanted[-1]) + 1]
            profiles = self.archive.windows_of(self.series, context)
            scanned = self._scan(reference, profiles, settings)
            for window in wanted:
                if window in profiles:  # else all of it was damaged, and set aside
                    comparison = compare(reference, profiles[window], window=window, **settings)
                    parts, gaps = by_window[window], gaps_of(writers, window, self.now_ns)
                    verdict = self._verdict(comparison, scanned, parts, revision=due[window], gaps=gaps)
                    verdict = replace(verdict, segments=self._owed(reference, comparison, window))
                    yield with_performance(verdict, self._performance(reference, profiles[window], window))

    def _reference(self) -> Reference:
        try:
            return self.archive.reference(self.series.reference_id)
        except ArchiveError as error:
            raise SeriesError(str(error)) from error

    def _judged(self) -> dict[Window, list[tuple[int, str]]]:
        """Return the revisions of each window's verdict and the inputs of each, ascending."""
        found: dict[Window, list[tuple[int, str]]] = {}
        for name in self.archive.store.document_names(KIND, prefix_of(self.series)):
            window, revision, inputs = parsed(name)
            found.setdefault(window, []).append((revision, inputs))
        return {window: sorted(each) for window, each in found.items()}

    def _relabelled(
        self, reference: Reference, parts: Sequence[Found], last: tuple[int, str]
    ) -> Iterator[Verdict]:
        """Yield a verdict of the rows judged before, if their labels by now say another thing."""
        window, (revision, inputs) = parts[0].key.window, last
        profiles = self.archive.windows_of(self.series, [window])
        name = name_of(self.series, window, revision, inputs)
        before = [Verdict.from_bytes(body) for _, body in self.archive.store.documents(KIND, name)]
        if window not in profiles or not before:
            return
        labelled = self._told(reference, profiles[window], window, kinds=("realised",))
        if labelled is None or by_labels(labelled.to_dict()) == by_labels(before[0].performance):
            return
        if self._claim(window, revision + 1):
            found = self._performance(reference, profiles[window], window)
            again = replace(before[0], revision=revision + 1, judged_ns=self.now_ns, inputs=inputs_of(parts))
            status, summary = of_rows(again.comparison, again.alarms)
            yield with_performance(replace(again, status=status, summary=summary), found)

    def _complete(self, window: Window, parts: Sequence[Found], writers: Mapping[str, Writer]) -> bool:
        """Tell whether no more rows are to be expected."""
        known = [(each, writers[each.key.writer]) for each in parts if each.key.writer in writers]
        if any(writer.lives(self.now_ns) for each, writer in known if not each.final):
            return False
        return window.end_ns + max((writer.grace_ns for _, writer in known), default=0) <= self.now_ns

    def _claim(self, window: Window, revision: int) -> bool:
        """Take a window for this process, if several judge."""
        if not self.elect:
            return True
        store, name = self.archive.store, name_of(self.series, window, revision, "")
        if store.put_document(CLAIMS, name, str(self.now_ns).encode(), if_absent=True):
            return True
        for _, body in store.documents(CLAIMS, name):
            if not body.isdigit() or self.now_ns - int(body) > CLAIMED_NS:
                store.delete_documents(CLAIMS, [name])  # whoever claimed it did not come back: the next may
        return False

    def _owed(
        self, reference: Reference, comparison: Comparison, window: Window
    ) -> dict[str, tuple[dict[str, Any], ...]]:
        """Return to which segments the change of each loud column is owed."""
        loud = [each for each in comparison.columns.values() if each.status in {"warning", "alert"}]
        before = by_dimension(reference.segments)
        if not loud or not before:
            return {}
        after = by_dimension(self._segments(window))
        found: dict[str, tuple[dict[str, Any], ...]] = {}
        for column in loud:
            shares = [
                share.to_dict()
                for dimension in before
                if dimension in after
                for share in shares_of_change(
                    column.name, place_of(column), before[dimension], after[dimension]
                )
            ]
            if shares:
                found[column.name] = tuple(shares)
        return found

    def _segments(self, window: Window) -> dict[str, Profile]:
        """Return the profiles of a window's segments, by their keys."""
        if self._read is None or self._read[0] != window:
            self._read = window, self._read_segments(window)
        return self._read[1]

    def _read_segments(self, window: Window) -> dict[str, Profile]:
        records = self.archive.find(self.series, start_ns=window.start_ns, end_ns=window.end_ns)
        keys = {each.key.segment for each in records if each.key.window == window} - {TOTAL}
        return {
            key: profile
            for key in sorted(keys)
            for profile in self.archive.windows_of(self.series, [window], segment=key).values()
        }

    def _told(
        self,
        reference: Reference,
        profile: Profile,
        window: Window,
        *,
        kinds: Sequence[Kind] = KINDS,
        segments: Callable[[], Mapping[str, Profile]] | None = None,
    ) -> Performance | None:
        """Return how right the model was, None where no outcomes are counted."""
        if not (reference.profile._core.outcomes and profile._core.outcomes):
            return None
        try:
            return performance(
                profile, reference, kinds=kinds, window=window, now_ns=self.now_ns, segments=segments
            )
        except TidegaugeError as error:
            LOG.warning("judge: how right %r is cannot be told: %s", self.series.model, error)
            return None

    def _performance(self, reference: Reference, profile: Profile, window: Window) -> Performance | None:
        """Return how right the model was, None where no outcomes are counted; of a loss also why."""
        segments = partial(self._segments, window) if reference.segments else None
        found = self._told(reference, profile, window, segments=segments)
        if found is None and segments is not None:  # which is no reason to say nothing
            found = self._told(reference, profile, window)
        if found is None:
            return None
        loud = {
            (each.name, each.kind, each.column)
            for each in found.measurements
            if each.status in {"warning", "alert"}
        }
        causes = (each for each in found.causes if (each.name, each.kind, each.column) in loud)
        return replace(found, causes=tuple(causes))

    def _scan(
        self, reference: Reference, profiles: Mapping[Window, Profile], settings: Settings
    ) -> ScanResult | None:
        try:
            return scan(reference, profiles, model=self.series.model, **settings)
        except TidegaugeError as error:
            LOG.warning("judge: the windows of %r are judged alone: %s", self.series.model, error)
            return None

    def _verdict(
        self,
        comparison: Comparison,
        scanned: ScanResult | None,
        parts: Sequence[Found],
        *,
        revision: int,
        gaps: tuple[Gap, ...],
    ) -> Verdict:
        window = parts[0].key.window
        alarms = []
        if scanned is not None:
            alarms = [
                alarm.to_dict() | {"since": str(scanned.when(alarm.since))}
                for alarm in scanned.alarms
                if scanned.when(alarm.raised) == window
            ]
        compared = comparison.to_dict()
        status, summary = of_rows(compared, alarms)
        return Verdict(
            self.series.model,
            self.series.version,
            self.series.reference_id,
            window,
            revision,
            status,
            summary,
            sum(each.n_rows for each in parts),
            len({each.key.writer for each in parts if each.n_rows}),
            self.now_ns,
            inputs_of(parts),
            compared,
            tuple(alarms),
            gaps,
        )


def of_rows(comparison: Mapping[str, Any], alarms: Sequence[Mapping[str, Any]]) -> tuple[Status, str]:
    """Return what is said of the rows of a window: a status and a sentence."""
    status = worst([comparison["status"], *(alarm["status"] for alarm in alarms)])
    if status == comparison["status"]:
        return status, comparison["summary"]
    columns = ", ".join(f"{alarm['column']} since {alarm['since']}" for alarm in alarms)
    return status, f"{status}: {columns}, seen in merged windows; alone {comparison['summary']}"


def by_labels(performance: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return the columns with outcomes and the worst that labels say of each."""
    found: dict[str, list[Status]] = {}
    for each in (performance or {}).get("measurements", ()):
        if each["kind"] == "realised":
            found.setdefault(each["column"], []).append(each["status"])
    return [(column, worst(statuses)) for column, statuses in sorted(found.items())]


def owing_rows(
    by_window: Mapping[Window, Sequence[Found]], judged: Mapping[Window, Sequence[tuple[int, str]]]
) -> dict[Window, int]:
    """Return the windows whose rows were not judged, with the revision that is due."""
    # What compaction merged was judged before, window by window; what is late for it is too late.
    merged = [
        window
        for window, parts in by_window.items()
        if any(each.key.writer.startswith(MERGED) for each in parts)
    ]
    due = {}
    for window, parts in by_window.items():
        known = judged.get(window, ())
        is_merged = any(each.start_ns <= window.start_ns < each.end_ns for each in merged)
        if not is_merged and rows_of(inputs_of(parts)) not in {rows_of(inputs) for _, inputs in known}:
            due[window] = known[-1][0] + 1 if known else 0
    return due


def owing_labels(
    by_window: Mapping[Window, Sequence[Found]], judged: Mapping[Window, Sequence[tuple[int, str]]]
) -> dict[Window, tuple[int, str]]:
    """Return the windows that got labels since their last verdict, with its revision and inputs."""
    return {
        window: judged[window][-1]
        for window, parts in by_window.items()
        if window in judged and inputs_of(parts) not in {inputs for _, inputs in judged[window]}
    }


def with_performance(verdict: Verdict, found: Performance | None) -> Verdict:
    """Return a verdict that tells how right the model was too; a loss is as much as any other finding."""
    if found is None:
        return verdict
    told = replace(verdict, performance=found.to_dict())
    if found.status not in {"warning", "alert"}:
        return told
    status = worst([verdict.status, found.status])
    if verdict.status in {"warning", "alert"}:
        return replace(told, status=status, summary=f"{verdict.summary}; performance {found.summary}")
    return replace(told, status=status, summary=f"performance {found.summary}")


def place_of(column: ColumnComparison) -> Cause | None:
    """Return where a column changed most, None where rows went missing."""
    return None if column.component == "missing values" or not column.causes else column.causes[0]


def inputs_of(parts: Sequence[Found]) -> str:
    """Return a name of the records of a window: that of its rows, a dash, and that of its labels if any."""
    rows = sorted((each.key.writer, each.key.sequence, each.n_rows) for each in parts if each.n_rows)
    labels = sorted((each.key.writer, each.key.sequence) for each in parts if not each.n_rows)
    return "-".join(
        hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()
        for told in (rows, labels)
        if told or told is rows
    )


def rows_of(inputs: str) -> str:
    """Return the part of `inputs_of` that names the rows."""
    return inputs.partition("-")[0]


def of_like_length(windows: Iterable[Window]) -> list[list[Window]]:
    """Sort windows into sequences of like length, ascending: days of 23 to 25 hours are alike."""
    found: dict[int, list[Window]] = {}
    for window in sorted(windows):
        length = window.end_ns - window.start_ns
        days = round(length / DAY)
        found.setdefault(days * DAY if days else length, []).append(window)
    return list(found.values())


def gaps_of(writers: Mapping[str, Writer], window: Window, now_ns: int) -> tuple[Gap, ...]:
    """Return the processes that vanished while this window went on."""
    return tuple(
        Gap(each.writer, each.host, each.pid, each.seen_ns, each.checkpoint_seconds)
        for each in writers.values()
        if each.closed_ns is None and not each.lives(now_ns) and window.contains(each.seen_ns)
    )


def _call(on_close: Callable[[Verdict], object], verdict: Verdict) -> None:
    try:
        on_close(verdict)
    except Exception:
        LOG.exception("judge: on_close raised for the window %s of %r", verdict.window, verdict.model)
