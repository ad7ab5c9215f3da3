"""A machine of profiles: rows in any form, merges, saves, copies, forks and bad input, in any order.

Beside each profile stand its rows as plain lists, and the journal of what was done to it, from which the same
state is made again in another way.
"""

from __future__ import annotations

import copy
import os
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import tidegauge as tg
from tidegauge import _core
from tidegauge.errors import DecodeError, MergeError, TidegaugeError
from trust.machines.batches import USUAL, Rows, one_row, reference, rows
from trust.oracle.checks import ABSENT, check_column
from trust.oracle.datasets import facts

SLOTS = st.integers(0, 2)
SEEDS = st.integers(0, 2**32)
SIZES = st.sampled_from([0, 1, 1, 2, 7, 9, 64, 130])
NAMES = st.sets(st.sampled_from(sorted(USUAL)), max_size=3)
MOST_ROWS = 1_500  # of a profile: a machine that only merges doubles them each time

Journal = tuple[tuple[str, Any], ...]  # ("rows", a table) or ("merge", the other's journal)


@dataclass
class Watched:
    """A profile, its rows by column, and how it came to be."""

    profile: tg.Profile
    n_rows: int = 0
    seen: dict[str, list[Any]] = field(default_factory=dict)
    journal: Journal = ()

    def add(self, seen: dict[str, list[Any]], n: int, *, is_open: bool) -> None:
        """Add rows to the model; a column that one side lacks was absent from its rows."""
        names = seen if is_open else self.seen
        for name in names:
            if is_open and n:
                self.seen.setdefault(name, [ABSENT] * self.n_rows)
        for name, column in self.seen.items():
            column.extend(seen.get(name) or [ABSENT] * n)
        self.n_rows += n


class ProfileMachine(RuleBasedStateMachine):
    """Three profiles of one setup."""

    @initialize(closed=st.booleans(), light=st.booleans(), forks=st.sampled_from([False, False, True]))
    def begin(self, closed: bool, light: bool, forks: bool) -> None:
        self.reference = reference() if closed else None
        self.accumulators: Any = "light" if light else "full"
        self.watched = [self.new() for _ in range(3)]
        self.has_forked = not forks  # a fork takes as long as all the rest

    def new(self) -> Watched:
        profile = tg.Profile.empty(self.reference, accumulators=self.accumulators)
        return Watched(profile, 0, {} if self.reference is None else {name: [] for name in USUAL})

    @rule(slot=SLOTS, seed=SEEDS, n=SIZES, unusual=NAMES, without=NAMES, threads=st.sampled_from([0, 1, 4]))
    def update(
        self, slot: int, seed: int, n: int, unusual: set[str], without: set[str], threads: int
    ) -> None:
        one = self.watched[slot]
        if self.reference is None:  # the first rows decide what a column is
            unusual = unusual & set(one.seen)
        made = rows(seed, n, unusual, without)
        one.profile.update(made.table, threads=threads)
        self.took(one, made)

    def took(self, one: Watched, made: Rows) -> None:
        one.add(made.seen, made.n, is_open=self.reference is None)
        one.journal += (("rows", made.table),)

    update_more = update_still_more = update  # a rule three times as likely as the others

    @rule(slot=SLOTS, seed=SEEDS, n=st.integers(1, 6))
    def record(self, slot: int, seed: int, n: int) -> None:
        """Rows one at a time, through a stage."""
        if self.reference is None:
            return
        one, random = self.watched[slot], Random(seed)
        stage = _core.Stage([column.spec for column in one.profile._core.columns])
        for _ in range(n):
            row, table, seen = one_row(random)
            stage.record(row)
            self.took(one, Rows(table, {name: [value] for name, value in seen.items()}))
        for batch in stage.take():
            one.profile.update(batch)

    @rule(slot=SLOTS, other=SLOTS)
    def merge(self, slot: int, other: int) -> None:
        """Merge two, or one with itself."""
        one, two = self.watched[slot], self.watched[other]
        if one.n_rows + two.n_rows > MOST_ROWS:
            return
        before = two.profile.to_bytes()
        one.profile.merge(two.profile)
        assert slot == other or two.profile.to_bytes() == before, "merging changed its argument"
        seen, n = {name: list(column) for name, column in two.seen.items()}, two.n_rows
        journal = two.journal
        one.add(seen, n, is_open=self.reference is None)
        one.journal += (("merge", journal),)

    @rule(slot=SLOTS)
    def merge_nothing(self, slot: int) -> None:
        one = self.watched[slot]
        before = one.profile.to_bytes()
        one.profile.merge(self.new().profile)
        assert one.profile.to_bytes() == before, "a profile of no rows is not the identity"

    @rule(slot=SLOTS, with_edges=st.booleans())
    def save(self, slot: int, with_edges: bool) -> None:
        one = self.watched[slot]
        data = one.profile._core.to_bytes(with_edges=with_edges)
        read = tg.Profile.from_bytes(data, None if with_edges else self.reference)
        assert read == one.profile
        assert read._core.to_bytes(with_edges=with_edges) == data
        one.profile = read

    @rule(slot=SLOTS, other=SLOTS)
    def copy(self, slot: int, other: int) -> None:
        if slot == other:
            return
        one = self.watched[slot]
        made = one.profile.copy()
        assert made == one.profile
        seen = {name: list(column) for name, column in one.seen.items()}
        self.watched[other] = Watched(made, one.n_rows, seen, one.journal)

    @rule(slot=SLOTS)
    def clear(self, slot: int) -> None:
        self.watched[slot] = self.new()

    @rule(slot=SLOTS, seed=SEEDS)
    def fork(self, slot: int, seed: int) -> None:
        """A child sees the same state and goes on with it; the parent does not notice."""
        if self.has_forked:
            return
        self.has_forked = True
        profile = self.watched[slot].profile
        before = profile.to_bytes()
        child = os.fork()
        if not child:
            status = 1
            try:
                same = profile.to_bytes() == before
                profile.update(rows(seed, 9, without=()).table.select(["b", "s"]))
                profile.merge(profile)
                status = 0 if same and tg.Profile.from_bytes(profile.to_bytes()) == profile else 2
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        assert status == 0, f"a forked child ended with {status}"
        assert profile.to_bytes() == before, "a forked child changed its parent"

    @rule(slot=SLOTS, which=st.integers(0, 12), cut=st.integers(0, 2**16))
    def refuse(self, slot: int, which: int, cut: int) -> None:
        """Bad input raises what it should and changes nothing."""
        profile = self.watched[slot].profile
        before, n_rows = profile.to_bytes(), profile.n_rows
        name, call, errors = bad_calls(profile, cut)[which % len(bad_calls(profile, cut))]
        try:
            call()
        except errors:
            pass
        else:
            raise AssertionError(f"{name} is not refused")
        assert (profile.to_bytes(), profile.n_rows) == (before, n_rows), (
            f"{name} was refused and left a trace"
        )

    @rule(slot=SLOTS)
    def look(self, slot: int) -> None:
        """Everything that a profile tells, at any time."""
        one = self.watched[slot]
        check(one)
        repr(one.profile)
        assert pa.table(one.profile).num_rows == len(one.profile)

    @invariant()
    def rows_add_up(self) -> None:
        for one in getattr(self, "watched", ()):
            assert one.profile.n_rows == one.n_rows

    def teardown(self) -> None:
        for one in getattr(self, "watched", ()):
            if not one.n_rows:
                continue
            check(one)
            random = Random(one.n_rows)
            again = self.replay(one.journal, random)
            assert again.to_bytes() == one.profile.to_bytes(), (
                "the same rows in other batches gave other bytes"
            )
            whole = self.replay(leaves(one.journal), random)
            assert facts(whole) == facts(one.profile), "merging shows in whole numbers"
            assert sums_of(whole) == sums_of(one.profile), "merging shows in the sums of the joint"

    def replay(self, journal: Journal, random: Random) -> tg.Profile:
        """Make a state again: the same rows in the same order and tree, in other batches."""
        profile = self.new().profile
        for what, group in groupby(
            journal, key=lambda entry: entry[1].schema if entry[0] == "rows" else None
        ):
            entries = [entry for _, entry in group]
            if what is None:
                for other in entries:
                    # A journal that holds itself up to here is a profile merged with itself.
                    profile.merge(self.replay(other, random))
                continue
            table = pa.concat_tables(entries)
            cuts = sorted(random.randint(0, table.num_rows) for _ in range(random.randint(0, 3)))
            for begin, end in zip([0, *cuts], [*cuts, table.num_rows], strict=True):
                profile.update(table.slice(begin, end - begin))
                if random.random() < 0.2:
                    profile = tg.Profile.from_bytes(profile.to_bytes(), self.reference)
        return profile


def leaves(journal: Journal) -> Journal:
    """Return all rows of a journal as one sequence, without merges."""
    found: Journal = ()
    for what, entry in journal:
        found += leaves(entry) if what == "merge" else ((what, entry),)
    return found


def check(one: Watched) -> None:
    """Check every number of a profile against its rows."""
    assert one.profile.n_rows == one.n_rows
    assert set(one.profile) >= set(one.seen)
    merged = any(what == "merge" for what, _ in one.journal)
    for name, column in one.seen.items():
        try:
            check_column(one.profile[name], column, USUAL[name].kind, merged=merged)
        except AssertionError as error:
            raise AssertionError(f"column {name}: {error}") from error


def sums_of(profile: tg.Profile) -> Any:
    """Return the exact sums of a profile's joint."""
    joint = profile._core.joint
    return (
        None
        if joint is None
        else [each.tolist() if isinstance(each, np.ndarray) else each for each in joint.total]
    )


def bad_calls(profile: tg.Profile, cut: int) -> list[tuple[str, Callable[[], object], Any]]:
    """Return calls that must be refused, with what they must raise."""
    data = profile.to_bytes()
    flipped = bytearray(data)
    flipped[cut % len(data)] ^= 1 + cut % 255
    text = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.py_buffer(struct.pack("<4i", 0, 1000, 2, 3)), pa.py_buffer(b"abc")]
    )
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 1, 77], pa.int8()), ["a", "b"], safe=False)
    numbers = pa.array([1.0, 2.0, 3.0])

    def batch(*pairs: tuple[str, pa.Array]) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([each for _, each in pairs], names=[name for name, _ in pairs])

    unlike = tg.profile({"f": ["a text"], "i": ["another"], "b": [1], "s": [1.5], "t": [True], "v": [1]})
    refused = [
        ("an object", lambda: profile.update(object()), TidegaugeError),
        ("columns of unlike length", lambda: profile.update({"f": [1.0], "i": [1, 2]}), TidegaugeError),
        ("a name twice", lambda: profile.update(batch(("f", numbers), ("f", numbers))), TidegaugeError),
        ("offsets out of range", lambda: profile.update(batch(("f", numbers), ("s", text))), TidegaugeError),
        ("codes out of range", lambda: profile.update(batch(("f", numbers), ("s", codes))), TidegaugeError),
        ("a cut", lambda: tg.Profile.from_bytes(data[: cut % len(data)]), DecodeError),
        ("a flipped byte", lambda: tg.Profile.from_bytes(flipped), DecodeError),
        ("a byte too many", lambda: tg.Profile.from_bytes(data + b"\0"), DecodeError),
        ("a merge with a number", lambda: profile.merge(3), TypeError),  # type: ignore[arg-type]
        ("pickling", lambda: pickle.dumps(profile), TypeError),
        ("a deep copy", lambda: copy.deepcopy(profile), TypeError),
        (
            "a quantile beyond 1",
            lambda: [profile[name].quantile(1.5) for name in (*profile, "")],
            (ValueError, KeyError),
        ),
    ]
    if any(name in profile for name in ("f", "i", "s", "t", "v", "b")):
        refused.append(("an unlike profile", lambda: profile.merge(unlike), MergeError))
    return refused
