"""Waiting: rows of predictions gathered on their way to the archive, where they wait for their labels."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tidegauge._core import Batch, SegmentedProfile, hash_ids
from tidegauge.intake.segmentation import Segmentation
from tidegauge.outcome_specs import LateOutcomes
from tidegauge.waiting_rows import EVERY, OTHER, WaitingRows, coded_rows, together
from tidegauge.window import Window, position_of


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one window that are in its profile of this `sequence` (`Part`)."""

    window: Window
    sequence: int
    rows: WaitingRows


class Waiting:
    """Rows that were added to a window's profile and have an id, until they are taken.

    At most `budget_bytes` of them: where there are more, `limit` is halved, so that half of all ids are kept;
    which ones is decided by their hashes, everywhere alike. `n_kept`, `n_unkept`: rows so far, and those that
    could not be kept (without an id, or for want of memory); rows beyond the limit are in neither.
    """

    def __init__(
        self,
        outcomes: Sequence[LateOutcomes],
        segmentation: Segmentation,
        column: str,
        key: bytes,
        budget_bytes: int,
    ) -> None:
        self._outcomes, self._segmentation = outcomes, segmentation
        self.column, self._key, self._budget_bytes = column, key, budget_bytes
        self._lock = threading.Lock()
        self._blocks: dict[tuple[Window, int], list[WaitingRows]] = {}
        self.limit = EVERY
        self.n_bytes = self.n_kept = self.n_unkept = 0

    def add(self, window: Window, sequence: int, profile: SegmentedProfile, batch: Batch) -> None:
        """Take rows that `profile` has; those that cannot be kept are counted. Raises what reading raises."""
        try:
            rows = self._read(profile, batch)
        except Exception:
            with self._lock:
                self.n_unkept += batch.n_rows
            raise
        if not len(rows):
            return
        with self._lock:
            self._blocks.setdefault((window, sequence), []).append(rows)
            self.n_bytes += rows.n_bytes
            self.n_kept += len(rows)
            while self.n_bytes > self._budget_bytes and self.limit:
                self._halve()

    def _read(self, profile: SegmentedProfile, batch: Batch) -> WaitingRows:
        at = position_of(batch, self.column)
        if at is None:
            with self._lock:
                self.n_unkept += batch.n_rows
            return self._none(batch.slice(0, 0), profile)
        hashes, valid = hash_ids(batch, at, self._key)
        n_null = batch.n_rows - int(valid.sum())
        if n_null:
            with self._lock:
                self.n_unkept += n_null
            batch, hashes = batch.take(np.flatnonzero(valid)), hashes[valid]
        limit = self.limit
        if limit < EVERY:
            chosen = np.flatnonzero(hashes[:, 0] <= np.uint64(limit))
            batch, hashes = batch.take(chosen), hashes[chosen]
        return self._made(profile, batch, hashes, limit)

    def _none(self, batch: Batch, profile: SegmentedProfile) -> WaitingRows:
        return self._made(profile, batch, np.empty((0, 2), np.uint64), self.limit)

    def _made(
        self,
        profile: SegmentedProfile,
        batch: Batch,
        hashes: np.ndarray[tuple[int, int], np.dtype[np.uint64]],
        limit: int,
    ) -> WaitingRows:
        n = batch.n_rows
        keys, segments = [], []
        for dimension, (numbers, named) in enumerate(profile.segments_of(batch) if n else []):
            there = sorted(named)
            if len(there) > OTHER:
                raise OverflowError(f"{len(there):,} segments in one batch: {OTHER:,} is the limit")
            keys.append(tuple(self._segmentation.key(dimension, named[number]) for number in there))
            segments.append(np.searchsorted(there, numbers).astype(np.uint16))
        columns = np.stack(segments, axis=1) if segments else np.empty((n, 0), np.uint16)
        stamps = np.full(n, secrets.randbits(32), np.uint32)
        states = coded_rows(self._outcomes, batch)
        return WaitingRows(hashes, stamps, states, columns, tuple(keys), limit)

    def _halve(self) -> None:
        self.limit >>= 1
        self.n_kept -= sum(map(len, (rows for each in self._blocks.values() for rows in each)))
        self._blocks = {
            place: [rows.thinned(self.limit) for rows in each] for place, each in self._blocks.items()
        }
        kept = [rows for each in self._blocks.values() for rows in each]
        self.n_kept += sum(map(len, kept))
        self.n_bytes = sum(rows.n_bytes for rows in kept)

    def take(self) -> list[Block]:
        """Return what was gathered, in order of hashes, and begin anew."""
        with self._lock:
            blocks, self._blocks = self._blocks, {}
            self.n_bytes = 0
        return [Block(*place, together(rows)) for place, rows in blocks.items()]

    def put_back(self, blocks: Sequence[Block]) -> None:
        """Have the next take return these too."""
        with self._lock:
            for each in blocks:
                self._blocks.setdefault((each.window, each.sequence), []).append(each.rows)
                self.n_bytes += each.rows.n_bytes
