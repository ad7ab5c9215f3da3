"""Labels matched with the rows that wait for them, and with what was given before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge.archive.shelves import Series, found_on, read_from
from tidegauge.archive.store import Store
from tidegauge.late_labels import (
    LateLabels,
    equal,
    one_after_the_other,
    own_labels,
    takes_labels,
    unlabelled,
)
from tidegauge.outcome_specs import LateOutcomes
from tidegauge.waiting_rows import EVERY, Coded, Hashes, WaitingRows, pairs
from tidegauge.window import Window

Numbers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Match:
    """Rows of a window that wait for some of the labels; `label`: the number of each row's."""

    window: Window
    rows: WaitingRows
    label: Numbers
    limit: int


def matched_rows(store: Store, series: Series, hashes: Hashes) -> list[Match]:
    """Return the waiting rows of these ids, block after block: no more of a block stays in memory."""

    def matched(state: bytes) -> tuple[WaitingRows, Numbers, int]:
        rows = WaitingRows.from_bytes(state)
        at, label = pairs(rows.hashes, hashes)
        return rows.take(at), label, rows.limit

    found = read_from(store, lambda: found_on(store, series, "waiting"), matched)
    return [Match(key.window, *each) for key, each in found.items()]


@dataclass(frozen=True, slots=True)
class Given:
    """The last label that rows were given: of each, its place (label and stamp in one), ascending."""

    places: Numbers
    labels: LateLabels
    last: int  # the highest sequence of a record: when it came, in ns since 1970, or after the one before

    def of(self, places: Numbers) -> tuple[Truths, Numbers]:
        """Tell which places have a label, and which one."""
        at = np.minimum(np.searchsorted(self.places, places), max(len(self.places) - 1, 0))
        there = self.places[at] == places if len(self.places) else np.zeros(len(places), np.bool_)
        return there, at


def given_labels(store: Store, series: Series, hashes: Hashes, none: LateLabels) -> Given:
    """Return what rows of these ids were given before."""

    def matched(state: bytes) -> tuple[LateLabels, Numbers]:
        given = LateLabels.from_bytes(state)
        at, label = pairs(given.hashes, hashes)
        return given.take(at), place_of(label, given.stamps[at])

    found = read_from(store, lambda: found_on(store, series, "given"), matched)
    in_turn = [found[key] for key in sorted(found, key=lambda key: (key.sequence, key.writer))]
    labels = one_after_the_other([none, *(each for each, _ in in_turn)])
    places = np.concatenate([np.empty(0, np.int64), *(each for _, each in in_turn)])
    order = np.argsort(places, kind="stable")
    last = np.ones(len(order), np.bool_)
    last[:-1] = places[order][1:] != places[order][:-1]
    kept = order[last]
    return Given(places[kept], labels.take(kept), max((key.sequence for key in found), default=0))


def place_of(label: Numbers, stamps: npt.NDArray[np.uint32]) -> Numbers:
    """Return one number for a label of the call and a stamp."""
    return (label.astype(np.int64) << 32) | stamps.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of rows: the label they had, the one they have now, who gets one, and who loses one."""

    before: tuple[Coded, ...]
    after: tuple[Coded, ...]
    gets: Truths
    loses: Truths


def fate_of(outcomes: Sequence[LateOutcomes], match: Match, labels: LateLabels, given: Given) -> Fate:
    """Decide. A state in which the row has no place for a label keeps what it came with."""
    rows = match.rows
    known, at = given.of(place_of(match.label, rows.stamps))
    before, after = [], []
    has = np.zeros(len(rows), np.bool_)
    takes_any = np.zeros(len(rows), np.bool_)
    for i, own in enumerate(own_labels(outcomes, rows.states)):
        takes = takes_labels(outcomes[i], own.codes)
        earlier = given.labels.states[i].take(at[known & takes])
        now = labels.states[i].take(match.label[takes])
        before.append(replaced(own, known & takes, earlier))
        after.append(replaced(own, takes, now))
        takes_any |= takes
        has |= takes & (before[-1].codes != unlabelled(outcomes[i]))
    differ = ~equal(before, after)
    # A row without a place for a label in any state takes the first one in silence: nothing counts it.
    return Fate(tuple(before), tuple(after), differ | (~takes_any & ~known), differ & has)


def replaced(own: Coded, rows: Truths, by: Coded) -> Coded:
    """Return labels, those of some rows replaced."""
    codes, others = own.codes.copy(), own.others.copy()
    codes[rows] = by.codes
    if len(others):
        others[rows] = by.others
    return Coded(own.values, codes, others)


def last_of_each(labels: LateLabels) -> tuple[LateLabels, Numbers]:
    """Return the last label of each id, in order of hashes, and which number in `labels` it has."""
    order = np.argsort(labels.hashes[:, 0])  # three times as fast as by both halves, and mostly enough
    if (labels.hashes[order[1:], 0] == labels.hashes[order[:-1], 0]).any():
        order = np.lexsort((labels.hashes[:, 1], labels.hashes[:, 0]))
    hashes = labels.hashes[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (hashes[1:] != hashes[:-1]).any(axis=1)
    return labels.take(order[last]), order[last]


def limit_of(matches: Sequence[Match]) -> int:
    """Return up to which hash rows wait, in all blocks."""
    return min((match.limit for match in matches), default=EVERY)
