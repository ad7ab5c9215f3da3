"""What the threads of a cell share, what they may do with it, and what must be true of it at the end."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

import tidegauge as tg
from tidegauge import _core

SIZES = (10, 10, 100, 500, 1_000, 5_000)  # rows of a batch: all multiples of ten, which a torn count is not
DATA = {
    "x": np.arange(5_000.0),
    "y": np.arange(5_000.0) % 7,
    "k": ["a", "b"] * 2_500,
    "i": np.arange(5_000) % 10,
}


class Target(Protocol):
    """Something that rows go into."""

    def tasks(self) -> list[Callable[[random.Random], None]]:
        """Return what a thread may do; at least one of them gives rows. Raises AssertionError."""

    def give(self, n: int) -> None:
        """Give it a batch of n rows."""

    def end(self) -> None:
        """Check the totals, when no thread is at work any more. Raises AssertionError."""

    def in_child(self) -> None:
        """Use it in a process that was forked. Raises AssertionError."""


class Tally:
    """How many rows threads gave."""

    def __init__(self) -> None:
        self._lock, self.n_rows, self.n_unsure = threading.Lock(), 0, 0

    def add(self, n: int) -> None:
        with self._lock:
            self.n_rows += n

    def unsure(self, n: int) -> None:
        """Rows of a call that was interrupted: they may be there or not."""
        with self._lock:
            self.n_unsure += n

    def holds(self, n_rows: int) -> bool:
        return self.n_rows <= n_rows <= self.n_rows + self.n_unsure


def check_whole(profile: tg.Profile) -> None:
    """Raise AssertionError if its counts do not add up."""
    n_rows = profile.n_rows
    assert n_rows % 10 == 0, f"a torn count: {n_rows}"
    for name in ("x", "k"):
        column = profile[name]
        assert column.n_rows == n_rows, f"{name}: {column.n_rows} rows of {n_rows}"
    if n_rows:
        assert profile["k"].counts.sum() == n_rows, "categories do not add up"


class SharedProfile:
    def __init__(self) -> None:
        self.reference = tg.Reference.fit(DATA)
        self.profile = tg.Profile.empty(self.reference)
        (self.batch,) = tg.arrow.batches(DATA)
        self.tally = Tally()

    def give(self, n: int) -> None:
        self.profile._core.update(self.batch.slice(0, n), 1 + n % 3)

    def update(self, chance: random.Random) -> None:
        n = chance.choice(SIZES)
        self.give(n)
        self.tally.add(n)

    def query(self, chance: random.Random) -> None:
        column = self.profile["x"]
        assert column.n_rows % 10 == 0, f"a torn column: {column.n_rows}"
        assert column.counts.sum() + column.n_below + column.n_above == column.n_present
        assert self.profile.joint is not None
        assert len(repr(self.profile)) > 0
        if chance.random() < 0.1:
            assert self.profile.unexpected == {}

    def save(self, _: random.Random) -> None:
        check_whole(tg.Profile.from_bytes(self.profile.to_bytes(), self.reference))

    def merge(self, _: random.Random) -> None:
        mine = self.profile.copy()
        n_rows = mine.n_rows
        mine.merge(self.profile)
        assert mine.n_rows >= 2 * n_rows
        check_whole(mine)

    def tasks(self) -> list[Callable[[random.Random], None]]:
        return [self.update, self.update, self.query, self.save, self.merge]

    def end(self) -> None:
        check_whole(self.profile)
        assert self.tally.holds(self.profile.n_rows), f"{self.profile.n_rows} rows of {vars(self.tally)}"

    def in_child(self) -> None:
        before = self.profile.n_rows
        self.give(100)
        assert self.profile.n_rows == before + 100
        check_whole(tg.Profile.from_bytes(self.profile.to_bytes(), self.reference))


class SharedSegments:
    def __init__(self) -> None:
        self.reference = tg.Reference.fit(DATA)
        held = self.reference.profile._core
        specs = [column.spec for column in held.columns]
        self.profile = _core.SegmentedProfile(
            specs, held.joint_spec, dimensions=[["k"], ["i"]], max_segments=50
        )
        (self.batch,) = tg.arrow.batches(DATA)
        self.tally = Tally()

    def give(self, n: int) -> None:
        self.profile.update(self.batch.slice(0, n), 1 + n % 3)

    def update(self, chance: random.Random) -> None:
        n = chance.choice(SIZES)
        assert self.profile.update(self.batch.slice(0, n), 1)
        self.tally.add(n)

    def take(self, _: random.Random) -> None:
        parts = self.profile.take_changed(True)
        total = sum(n for where, _, n, _ in parts if where == -1)
        for dimension in (0, 1):
            found = sum(n for where, _, n, _ in parts if where == dimension)
            assert found == total, f"segments hold {found} rows of {total}"
        assert total % 10 == 0, f"a torn count: {total}"

    def query(self, _: random.Random) -> None:
        check_whole(tg.Profile(self.profile.total()))
        part = self.profile.segment(0, ("a",))
        assert part is None or part.n_rows % 5 == 0
        assert self.profile.n_rows % 10 == 0
        assert self.profile.memory_bytes > 0
        assert self.profile.n_segments <= 50

    def tasks(self) -> list[Callable[[random.Random], None]]:
        return [self.update, self.update, self.query, self.take]

    def end(self) -> None:
        self.profile.seal()
        assert not self.profile.update(self.batch, 1), "it takes rows though it is sealed"
        n_rows = self.profile.n_rows
        assert self.tally.holds(n_rows), f"{n_rows} rows of {vars(self.tally)}"
        self.take(random.Random(0))
        check_whole(tg.Profile(self.profile.total()))

    def in_child(self) -> None:
        before = self.profile.n_rows
        self.give(100)
        assert self.profile.n_rows == before + 100
        self.take(random.Random(0))
        self.query(random.Random(0))


class SharedMonitor:
    def __init__(self, folder: Path, *, closes: bool) -> None:
        self.reference = tg.Reference.fit(DATA)
        self.url = f"sqlite:///{folder}/races.db"
        self.monitor = tg.Monitor(
            "races", self.reference, archive=self.url, segments=["k"], checkpoint_seconds=0.02
        )
        self.closes = closes
        self.tally = Tally()
        self.elsewhere = 0  # rows that other processes gave
        self.batches = {n: {name: values[:n] for name, values in DATA.items()} for n in SIZES}

    def give(self, n: int) -> None:
        self.monitor.update(self.batches[n])

    def update(self, chance: random.Random) -> None:
        n = chance.choice(SIZES)
        self.give(n)
        self.tally.add(n)

    def record(self, _: random.Random) -> None:
        for i in range(10):
            self.monitor.record({"x": float(i), "k": "a"})
        self.tally.add(10)

    def query(self, _: random.Random) -> None:
        health = self.monitor.health
        assert health.n_rows_archived <= health.n_rows, f"more is archived than was taken: {health}"
        assert len(repr(self.monitor)) > 0

    def checkpoint(self, chance: random.Random) -> None:
        if chance.random() < 0.1:
            self.monitor.checkpoint()

    def close(self, chance: random.Random) -> None:
        if self.closes and chance.random() < 0.001:
            self.monitor.close()

    def tasks(self) -> list[Callable[[random.Random], None]]:
        return [self.update, self.record, self.query, self.checkpoint, self.update, self.close]

    def end(self) -> None:
        self.monitor.close()
        health = self.monitor.health
        given, taken = self.tally, health.n_rows + health.n_rows_refused
        assert given.holds(taken), f"{taken} rows taken or refused of {vars(given)}: {health}"
        assert health.n_rows_lost == 0, f"rows are lost: {health}"
        odd = abs(health.n_rows_archived - health.n_rows)
        assert odd <= given.n_unsure, f"not all is archived, or more: {health}"
        with tg.Archive(self.url) as archive:
            found = archive.store.find()
            states = archive.store.read([each.key for each in found])
            n_rows = [(bool(key.segment), tg.Profile.from_bytes(state).n_rows) for key, state in states]
        for in_segments in (False, True):
            n_found = sum(n for segment, n in n_rows if segment == in_segments)
            owed = health.n_rows_archived + self.elsewhere
            assert n_found == owed, f"{n_found} rows archived (segments: {in_segments}) of {owed}: {health}"

    def in_child(self) -> None:
        assert self.monitor.health.n_rows == 0
        for _ in range(3):
            self.give(100)
        self.monitor.close()
        assert self.monitor.health.n_rows_archived == 300, f"{self.monitor.health}"


def made(target: str, folder: Path, *, closes: bool) -> Target:
    """Return what the threads of a cell share."""
    if target == "monitor":
        return SharedMonitor(folder, closes=closes)
    return SharedProfile() if target == "profile" else SharedSegments()
