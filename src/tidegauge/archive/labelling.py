"""Labelling: labels that come late, told of an archive's predictions by their ids, all in one append."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge.archive.label_counts import Changes
from tidegauge.archive.label_match import (
    Fate,
    Match,
    fate_of,
    given_labels,
    last_of_each,
    limit_of,
    matched_rows,
)
from tidegauge.archive.label_report import LabelReport
from tidegauge.archive.records import Key, Record
from tidegauge.archive.shelves import Series, found_on, on_shelf, read_from
from tidegauge.archive.store import Store
from tidegauge.arrow import batches
from tidegauge.errors import InputError
from tidegauge.late_labels import NONE, LateLabels, Told, one_after_the_other, told
from tidegauge.outcome_specs import LateOutcomes, late_outcomes
from tidegauge.reference import Reference
from tidegauge.segments import TOTAL
from tidegauge.waiting_rows import Coded
from tidegauge.window import Window, position_of

MOST_EARLY = 1 << 20  # labels that wait for their predictions; the oldest go first
EARLY = Window(0, 1)  # the one place of these: each call replaces them
WRITER = "labels-"  # how the writers of labels begin


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of the data are read."""

    id: str
    label: str


def columns_of(reference: Reference, id: str | None, label: str | None) -> Columns:
    """Return the columns that are named, or those of the schema. Raises InputError where that has none."""
    if not late_outcomes(reference.profile._core.outcomes):
        raise InputError(
            "label: the reference counts no outcomes that labels can come to later: fit it with a schema "
            "that has a label and a score or a prediction, and rows with labels (ranked lists have theirs at "
            "once)"
        )
    known = {role: next(iter(reference.schema.with_role(role)), None) for role in ("id", "label")}
    if known["id"] is None:
        raise InputError(
            "label: the reference's schema has no id, so no prediction waits for its label: "
            "Schema.infer(..., id=COLUMN), and fit it again"
        )
    return Columns(id or known["id"], label or known["label"] or "")


def read_labels(
    data: Any | None, columns: Columns, outcomes: Sequence[LateOutcomes], id_key: bytes, now_ns: int
) -> tuple[LateLabels, npt.NDArray[np.uint8], int]:
    """Return the labels of data, in its order, what each is (`Told`), and how many rows have no id.

    Raises InputError for a column that is not there, and what reading data raises.
    """
    parts: list[LateLabels] = []
    n_null_id = 0
    for batch in batches(data) if data is not None else ():
        places = [position_of(batch, name) for name in (columns.id, columns.label)]
        for name, place in zip((columns.id, columns.label), places, strict=True):
            if place is None:
                there = [each[0] for each in batch.fields][:20]
                raise InputError(
                    f"label: the data has no column {name!r}: say which with id= and label=; it has {there}"
                )
        at_id, at_label = (place for place in places if place is not None)
        hashes, valid = _core.hash_ids(batch, at_id, id_key)
        named = _core.combine([(outcomes[0].label, batch.select([at_label]))])
        states = tuple(Coded(NONE, *each.read_labels(named)) for each in outcomes)
        n_null_id += int(len(valid) - valid.sum())
        n = len(valid)
        labels = LateLabels(hashes, np.zeros(n, np.uint32), states, np.full(n, now_ns, np.int64))
        parts.append(labels if valid.all() else labels.take(valid))
    if not parts:
        parts = [no_labels(outcomes)]
    labels = one_after_the_other(parts)
    return labels, told(outcomes, labels.states, len(labels)), n_null_id


def no_labels(outcomes: Sequence[LateOutcomes]) -> LateLabels:
    """Return none."""
    states = tuple(Coded(NONE, np.empty(0, np.uint8), NONE) for _ in outcomes)
    return LateLabels(np.empty((0, 2), np.uint64), np.empty(0, np.uint32), states, np.empty(0, np.int64))


def label(
    store: Store,
    series: Series,
    reference: Reference,
    data: Any | None,
    columns: Columns,
    *,
    id_key: bytes,
    now_ns: int,
) -> LabelReport:
    """Give predictions their labels, all of it in one append; see `Archive.label`."""
    outcomes = late_outcomes(reference.profile._core.outcomes)
    read, kinds, n_null_id = read_labels(data, columns, outcomes, id_key, now_ns)
    known = read.take(kinds == Told.KNOWN)
    with store.alone("labels"):
        kept = read_from(store, lambda: found_on(store, series, "early"), LateLabels.from_bytes)
        before = one_after_the_other([no_labels(outcomes), *kept.values()])
        labels, numbers = last_of_each(one_after_the_other([before, known]))
        is_new = numbers >= len(before)
        matches = matched_rows(store, series, labels.hashes)
        given = given_labels(store, series, labels.hashes, no_labels(outcomes))
        fates = [(match, fate_of(outcomes, match, labels, given)) for match in matches if len(match.rows)]

        n = len(labels)
        gets, loses, there, gone = (np.zeros(n, np.bool_) for _ in range(4))
        for match, fate in fates:
            there[match.label] = True
            gets[match.label[fate.gets]] = True
            loses[match.label[fate.loses]] = True
        gone[labels.hashes[:, 0] > np.uint64(limit_of(matches))] = True
        gone[given.places >> 32] = True  # had a label, so it was there once
        early = labels.take(~there & ~gone)
        left = early.take(np.sort(np.argsort(early.at_ns, kind="stable")[-MOST_EARLY:]))

        records = changed_records(
            store, series, reference, fates, labels, max(given.last + 1, now_ns), now_ns
        )
        if len(left) or kept:
            key = on_shelf(series, "early", EARLY, "labels")
            records.append(Record(key, len(left), left.to_bytes()))
        if records:
            store.append(records)

    def count(chosen: npt.NDArray[np.bool_]) -> int:
        return int((chosen & is_new).sum())

    n_early = count(~there & ~gone)
    n_left = int((left.at_ns == now_ns).sum()) if len(left) < len(early) else n_early
    return LabelReport(
        n_rows=len(kinds) + n_null_id,
        n_given=count(gets & ~loses),
        n_corrected=count(loses),
        n_duplicate=count(there & ~gets) + len(known) - int(is_new.sum()),
        n_early=n_left,
        n_dropped=count(~there & gone) + n_early - n_left,
        n_unknown=int((kinds == Told.UNKNOWN).sum()),
        n_mistyped=int((kinds == Told.MISTYPED).sum()),
        n_null=int((kinds == Told.NULL).sum()),
        n_null_id=n_null_id,
        n_joined_early=int((there & ~is_new).sum()),
        n_early_kept=len(left),
    )


def changed_records(  # noqa: PLR0917
    store: Store,
    series: Series,
    reference: Reference,
    fates: Sequence[tuple[Match, Fate]],
    labels: LateLabels,
    number: int,
    now_ns: int,
) -> list[Record]:
    """Return what is appended: profiles of labels alone, and which rows were given which label."""
    writer = WRITER + secrets.token_hex(8)
    changes = Changes(reference)
    told_of: dict[Window, list[LateLabels]] = {}
    joined = [(match, fate) for match, fate in fates if fate.gets.any()]
    homes = homes_of(store, series, sorted({match.window for match, _ in joined}))
    for match, fate in joined:
        rows, chosen = match.rows, fate.gets
        # By home: windows that were merged share one, and one record of it.
        changes.add(homes[match.window], rows, fate.before, fate.after, chosen, fate.loses)
        states = tuple(each.take(match.label[chosen]) for each in labels.states)
        at_ns = np.full(int(chosen.sum()), now_ns, np.int64)
        told_of.setdefault(match.window, []).append(
            LateLabels(rows.hashes[chosen], rows.stamps[chosen], states, at_ns)
        )
    records = []
    for (home, segment), profile in changes.profiles().items():
        key = Key(*series, home, segment, writer, number)
        records.append(Record(key, 0, profile.to_bytes()))
    for window, parts in told_of.items():
        given = parts[0] if len(parts) == 1 else one_after_the_other(parts).ordered()
        key = on_shelf(series, "given", window, writer, number)
        records.append(Record(key, len(given), given.to_bytes()))
    return records


def homes_of(store: Store, series: Series, windows: Sequence[Window]) -> dict[Window, Window]:
    """Return where the rows of windows are counted: in themselves, or in the step they were merged to."""
    if not windows:
        return {}
    found = store.find(
        model=series.model,
        version=series.version,
        reference_id=series.reference_id,
        start_ns=min(each.start_ns for each in windows),
        end_ns=max(each.end_ns for each in windows),
        segment=TOTAL,
    )
    there = sorted(
        {each.key.window for each in found if each.n_rows}, key=lambda each: each.end_ns - each.start_ns
    )

    def home(window: Window) -> Window:
        around = (each for each in there if each.start_ns <= window.start_ns and window.end_ns <= each.end_ns)
        return next(around, window)

    return {window: home(window) for window in windows}
