"""A part of a window on its way to the archive."""

from __future__ import annotations

from dataclasses import dataclass

from tidegauge.window import Window


@dataclass(frozen=True, slots=True)
class Part:
    """The profile of one segment's rows in one window, encoded.

    `segment` is its key, "" for all rows. `sequence` tells apart what one process has gathered of a window:
    a window that is opened again, for late rows, gets another. Until `final`, a later part of equal window,
    segment and sequence holds these rows and more, and takes its place.
    """

    window: Window
    segment: str
    sequence: int
    n_rows: int
    state: bytes
    final: bool
