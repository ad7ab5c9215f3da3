"""Verdict: what was said of one window of one model, and how an archive keeps it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from urllib.parse import quote

from tidegauge.archive import Archive, Series
from tidegauge.errors import DecodeError
from tidegauge.measurement import Status
from tidegauge.segments import parse_segment, shown_segment
from tidegauge.window import Window

KIND = "verdicts"
MOST = 2.0 / 3.0  # of a change: then a segment is named for it
MOST_BYTES = 1 << 28  # of one verdict, unpacked


@dataclass(frozen=True, slots=True)
class Gap:
    """Rows that may be missing: a process ended without a word, after it was last seen at `since_ns`."""

    writer: str
    host: str
    pid: int
    since_ns: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"process {self.pid} on {self.host} vanished: its rows of up to {self.seconds:g} s after its "
            "last checkpoint are missing"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was said of one window; `revision` 0 first, higher when rows had come since.

    `comparison` and `alarms` are what `Comparison.to_dict` and `Alarm.to_dict` gave: the alarms are those
    for which the scan of the windows up to this one found the first evidence in it, `alarms[i]["since"]` in
    words the window with which the change began. `status` is the worst of the comparison's and the alarms'.
    `segments` tells of each column that changed to which segments that is owed, as `SegmentShare.to_dict`
    gives it, where the reference and the monitor have the same segments. `inputs` names the records that were
    judged, by `n_writers` processes; `gaps` says which processes may have had more. `performance` is what
    `Performance.to_dict` gave, None where no outcomes are counted.
    """

    model: str
    version: str
    reference_id: str
    window: Window
    revision: int
    status: Status
    summary: str
    n_rows: int
    n_writers: int
    judged_ns: int
    inputs: str
    comparison: Mapping[str, Any]
    alarms: tuple[Mapping[str, Any], ...] = ()
    gaps: tuple[Gap, ...] = ()
    segments: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    performance: Mapping[str, Any] | None = None

    @property
    def series(self) -> Series:
        """What it is of."""
        return Series(self.model, self.version, self.reference_id)

    def where(self, column: str) -> str:
        """Say to which segment at least MOST of a column's change is owed, "" if to none."""
        for share in self.segments.get(column, ()):
            if share["part"] >= MOST:
                return f"{shown_segment(parse_segment(share['segment']))} ({share['part']:.0%} of the change)"
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able; the window as {start_ns, end_ns}."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}  # no deep copy: it is large
        gaps = [asdict(gap) for gap in self.gaps]
        return found | {
            "window": {"start_ns": self.window.start_ns, "end_ns": self.window.end_ns},
            "gaps": gaps,
        }

    def to_bytes(self) -> bytes:
        """Encode as JSON, packed."""
        return zlib.compress(json.dumps(self.to_dict(), allow_nan=False).encode(), 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> Verdict:
        """Read what `to_bytes` wrote. Raises DecodeError."""
        import msgspec

        try:
            unpacking = zlib.decompressobj()
            text = unpacking.decompress(data, MOST_BYTES)
            if not unpacking.eof:
                raise DecodeError(f"verdict: its bytes end early, or hold more than {MOST_BYTES:,}")
            return msgspec.json.decode(text, type=cls)
        except (zlib.error, msgspec.MsgspecError) as error:
            raise DecodeError(f"verdict: cannot be read: {error}") from error


def verdicts(archive: Archive, series: Series) -> list[Verdict]:
    """Return all verdicts that an archive has of a series, ascending by window and revision."""
    read = (Verdict.from_bytes(body) for _, body in archive.store.documents(KIND, prefix_of(series)))
    return sorted(read, key=lambda each: (each.window, each.revision))


def latest(found: Iterable[Verdict]) -> dict[Window, Verdict]:
    """Return the last revision of each window's verdict."""
    return {each.window: each for each in sorted(found, key=lambda each: (each.window, each.revision))}


def prefix_of(series: Series) -> str:
    """Return how the names of a series' verdicts begin; hostile names stay one part each."""
    return "".join(f"{quote(part, safe='') or '-'}/" for part in series)


def name_of(series: Series, window: Window, revision: int, inputs: str) -> str:
    """Return the name under which a verdict is kept: what has to be known to tell whether one is due."""
    return f"{prefix_of(series)}{window.start_ns}_{window.end_ns}/{revision}/{inputs}"


def parsed(name: str) -> tuple[Window, int, str]:
    """Return window, revision and inputs of a name. Raises DecodeError for what `name_of` did not write."""
    try:
        window, revision, inputs = name.split("/")[-3:]
        start_ns, end_ns = map(int, window.split("_"))
        return Window(start_ns, end_ns), int(revision), inputs
    except ValueError as error:
        raise DecodeError(f"verdict: {name!r} is no name of a verdict") from error
