"""Upkeep of what waits for labels: no longer than is worth it, no more than there is room for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tidegauge import _core
from tidegauge.archive.records import Found, Key, Record
from tidegauge.archive.shelves import Series, Shelf, found_on, on_shelf, read_from
from tidegauge.archive.store import Store
from tidegauge.late_labels import LateLabels, one_after_the_other
from tidegauge.outcome_specs import LateOutcomes
from tidegauge.waiting_rows import EVERY, WaitingRows, together
from tidegauge.window import Window

MOST_RECORDS = 8  # of one window and shelf, before they are made one
WRITER = "kept"


def keep(
    store: Store,
    series: Series,
    outcomes: Sequence[LateOutcomes],
    *,
    before_ns: int,
    most_bytes: int,
    n_dimensions: int,
) -> int:
    """Let go of what came before a time, thin the rest until it fits, make many records one.

    When a record came is its sequence, in ns since 1970; that of several made one is the last's.

    Returns up to which hash rows are kept (`WaitingRows.limit`): halved as often as need be, so that the rows
    kept are a sample that every process takes alike.
    """
    with store.alone("labels"):
        shelves = [Kept(store, series, "waiting", WaitingRows.from_bytes, together)]
        shelves.append(Kept(store, series, "given", LateLabels.from_bytes, in_order))
        shelves[0].let_go(before_ns, set())
        # As long as a row waits, so does what is known of its label: else it would be given a second one.
        shelves[1].let_go(before_ns, {each.key.window for each in shelves[0].found() if each.n_rows})
        for each in shelves:
            each.gather(lambda parts: len(parts) > MOST_RECORDS)
        limit, room = EVERY, most_bytes // row_bytes(outcomes, n_dimensions)
        while limit and shelves[0].n_rows > room:
            limit >>= 1
            shelves[0].gather(bool, limit)
    return limit


@dataclass(frozen=True, slots=True)
class Kept:
    """A shelf, whose records of one window can be made one."""

    store: Store
    series: Series
    shelf: Shelf
    decode: Callable[[bytes], Any]
    join: Callable[[list[Any]], Any]

    def found(self) -> list[Found]:
        """What lies there."""
        return found_on(self.store, self.series, self.shelf)

    @property
    def n_rows(self) -> int:
        """All rows that lie there."""
        return sum(each.n_rows for each in self.found())

    def let_go(self, before_ns: int, needed: set[Window]) -> None:
        """Put one record without rows in the place of what came before, save of windows still needed."""
        found = [
            each for each in self.found() if each.key.sequence < before_ns and each.key.window not in needed
        ]
        over = [each.key for each in found]
        if len(over) > 1 or any(each.n_rows for each in found):
            read = read_from(self.store, lambda: found[:1], self.decode)
            start_ns = min(key.window.start_ns for key in over)
            window = Window(start_ns, max(key.window.end_ns for key in over))
            for some in read.values():
                self._put(window, over, some.take(np.empty(0, np.int64)))

    def gather(self, chosen: Callable[[list[Key]], bool], limit: int = EVERY) -> None:
        """Put one record in the place of all of a window, of windows that are chosen by their records."""
        by_window: dict[Window, list[Key]] = defaultdict(list)
        for each in self.found():
            by_window[each.key.window].append(each.key)
        for window, keys in by_window.items():
            if chosen(keys):
                self._gather(window, set(keys), limit)

    def _gather(self, window: Window, keys: set[Key], limit: int) -> None:
        read = read_from(self.store, lambda: [each for each in self.found() if each.key in keys], self.decode)
        in_turn = [read[key] for key in sorted(read, key=lambda key: (key.sequence, key.writer))]
        if not in_turn:
            return
        whole = self.join(in_turn)
        if isinstance(whole, WaitingRows):
            whole = whole.thinned(limit)
        if len(read) > 1 or len(whole) < len(in_turn[0]):
            self._put(window, list(read), whole)

    def _put(self, window: Window, keys: Sequence[Key], whole: Any) -> None:
        number = max(key.sequence for key in keys)  # its labels count as those of the last
        key = on_shelf(self.series, self.shelf, window, WRITER, number)
        self.store.replace([Record(key, len(whole), whole.to_bytes())], keys)


def in_order(parts: list[LateLabels]) -> LateLabels:
    """Return labels in order of their hashes, those of one hash as they were given."""
    return one_after_the_other(parts).ordered()


def row_bytes(outcomes: Sequence[LateOutcomes], n_dimensions: int) -> int:
    """Return how many bytes one waiting row takes."""
    n = 20 + 2 * n_dimensions
    for each in outcomes:
        if isinstance(each, _core.ConfusionOutcomes):
            n += 2
        elif isinstance(each, _core.RegressionOutcomes):
            n += 33 if each.lower else 17
        elif isinstance(each, _core.MulticlassOutcomes):
            n += 1 + 8 * len(each.classes)
        else:
            n += 17 if each.weight else 9
    return n
