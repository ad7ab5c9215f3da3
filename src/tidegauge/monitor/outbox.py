"""Outbox: profiles on their way to the archive, held while it is away."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from tidegauge.archive import Archive, Key, Record
from tidegauge.errors import ArchiveError
from tidegauge.window import Window

AT_A_TIME = 256  # records of one append: a transaction of a few megabytes
PATIENCE_SECONDS = 5.0  # that one thread waits for another, which sends already
OF_A_RECORD = 512  # bytes of a key and its objects, about


Place = tuple[Window, int]


class Held(NamedTuple):
    """Rows that wait for labels, and the window and sequence of the profiles that count them."""

    place: Place
    record: Record


class Outbox:
    """Records that the archive has not acknowledged, at most `budget_bytes` of them.

    A newer record of a key takes the place of the older one. Over the budget the least is given up first:
    rows that wait for labels, which are counted in `n_kept_lost`; then checkpoints, which come again when
    their window closes; then segments; then windows, oldest first, whose rows are counted in `n_rows_lost`.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._lock = threading.Lock()  # of the fields; held for moments
        self._sending = threading.Lock()  # one sender at a time
        self._waiting: dict[Key, Record] = {}
        self._archived: dict[tuple[int, int], int] = {}  # rows, by window and sequence, of what may yet grow
        self._n_rows_settled = 0
        self._held: list[Held] = []
        self._behind: set[Place] = set()  # whose last checkpoint was given up
        self.n_kept_lost = 0
        self.n_bytes = 0
        self.n_rows_lost = 0
        self.n_segments_lost = 0

    def put(self, records: Iterable[Record], blocks: Iterable[Held] = ()) -> None:
        """Take records over, and rows that wait for labels: they are sent with what counts them, or after."""
        with self._lock:
            for record in records:
                self._drop(record.key)
                self._waiting[record.key] = record
                self.n_bytes += size_of(record)
                if not record.key.segment:
                    self._behind.discard(place_of(record.key))
            for block in blocks:
                self._held.append(block)
                self.n_bytes += size_of(block.record)
            while self.n_bytes > self._budget_bytes and self._held:
                self._give_up_blocks({self._held[0].place})
            while self.n_bytes > self._budget_bytes and len(self._waiting) > 1:
                self._give_up(min(self._waiting.values(), key=worth))

    def lose(self, window: Window, sequence: int, n_rows: int) -> None:
        """Count rows that no record will bring any more, save those that a checkpoint of them has."""
        with self._lock:
            place = window.start_ns, sequence
            self._give_up_blocks({(window, sequence)})
            kept = None
            for key, record in list(self._waiting.items()):
                if (key.window.start_ns, key.sequence) == place and not record.final:
                    self._waiting[key] = replace(record, final=True)  # the last word of it
                    kept = kept if key.segment else record.n_rows
            if kept is None:
                kept = self._archived.pop(place, 0)
                self._n_rows_settled += kept
            self.n_rows_lost += n_rows - kept

    def send(self, archive: Archive) -> None:
        """Append all that waits. Raises what the archive raises; what it did not acknowledge stays."""
        if not self._sending.acquire(timeout=PATIENCE_SECONDS):
            raise ArchiveError(f"archive: another thread has waited for it for {PATIENCE_SECONDS:g} s")
        try:
            while True:
                batch, blocks = self._first()
                if not batch and not blocks:
                    break
                archive.store.append([*batch, *(block.record for block in blocks)])
                with self._lock:
                    for block in blocks:
                        if block in self._held:
                            self._held.remove(block)
                            self.n_bytes -= size_of(block.record)
                    for record in batch:
                        if self._waiting.get(record.key) is record:
                            self._drop(record.key)
                        self._acknowledged(record)
        finally:
            self._sending.release()

    def _first(self) -> tuple[list[Record], list[Held]]:
        """Return records, and the rows that are counted by these and by what was sent before."""
        with self._lock:
            batch = list(islice(self._waiting.values(), AT_A_TIME))
            left = {place_of(record.key) for record in islice(self._waiting.values(), AT_A_TIME, None)}
            return batch, [each for each in self._held if each.place not in left | self._behind]

    def abandon(self) -> int:
        """Give up all that waits; return how many rows are lost with it, in all."""
        with self._lock:
            for record in list(self._waiting.values()):
                self._give_up(record)
            self._give_up_blocks({block.place for block in self._held})
            return self.n_rows_lost

    @property
    def n_rows_archived(self) -> int:
        """Rows that the archive acknowledged."""
        with self._lock:
            return self._n_rows_settled + sum(self._archived.values())

    def __len__(self) -> int:
        return len(self._waiting) + len(self._held)

    def _drop(self, key: Key) -> None:
        record = self._waiting.pop(key, None)
        if record is not None:
            self.n_bytes -= size_of(record)

    def _acknowledged(self, record: Record) -> None:
        if record.key.segment:
            return
        place = record.key.window.start_ns, record.key.sequence
        if record.final:
            self._archived.pop(place, None)
            self._n_rows_settled += record.n_rows
        else:
            self._archived[place] = record.n_rows

    def _give_up_blocks(self, places: set[Place]) -> None:
        for block in [block for block in self._held if block.place in places]:
            self._held.remove(block)
            self.n_bytes -= size_of(block.record)
            self.n_kept_lost += block.record.n_rows

    def _give_up(self, record: Record) -> None:
        self._drop(record.key)
        if not record.key.segment:
            if record.final:
                self._give_up_blocks({place_of(record.key)})
            else:
                self._behind.add(place_of(record.key))
        if not record.final:
            return
        if record.key.segment:
            self.n_segments_lost += 1
            return
        # What an earlier checkpoint brought into the archive is still there.
        archived = self._archived.pop((record.key.window.start_ns, record.key.sequence), 0)
        self._n_rows_settled += archived
        self.n_rows_lost += record.n_rows - archived


def place_of(key: Key) -> Place:
    """Return what tells apart what one process has gathered of a window."""
    return key.window, key.sequence


def size_of(record: Record) -> int:
    """Return what a record takes in memory, about."""
    return len(record.state) + OF_A_RECORD


def worth(record: Record) -> tuple[bool, bool, int]:
    """Order records by how little is lost with them."""
    return record.final, not record.key.segment, record.key.window.start_ns
