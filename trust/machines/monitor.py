"""A machine of monitors and their archive: rows, clocks, checkpoints, crashes, forks, compaction, verdicts.

The model counts rows by window and segment. At every moment offered = archived + waiting + lost + refused,
and what is in the archive is what was acknowledged.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from unittest.mock import patch

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.monitor.doubles import Flaky

import tidegauge as tg
from tidegauge.monitor import monitor as module
from tidegauge.segments import TOTAL, key_of
from tidegauge.window import DAY, HOUR, Window
from trust.machines.intake import MINUTE, T0, drawn, reference

SEEDS = st.integers(0, 2**32)
HOURS = st.integers(-4, 2)
NEVER = 1e9  # seconds: the background thread sleeps, and the machine does what it would
Place = tuple[Window, str]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_ns = T0

    def __call__(self) -> int:
        return self.now_ns


class MonitorMachine(RuleBasedStateMachine):
    """One monitor after another, over one archive."""

    @initialize(
        small=st.sampled_from([False, False, True]),
        by_clock=st.sampled_from([False, False, True]),
        segments=st.booleans(),
    )
    def begin(self, small: bool, by_clock: bool, segments: bool) -> None:
        self.patch = patch.object(module, "TICK_SECONDS", NEVER)
        self.patch.start()
        logging.disable(logging.CRITICAL)
        self.folder = Path(tempfile.mkdtemp(prefix="tidegauge-machine-"))
        self.store = Flaky(tg.Archive(f"sqlite:///{self.folder / 'a.db'}").store)
        self.archive = tg.Archive(self.store)
        self.clock = Clock()
        self.options = {
            "segments": ["country"] if segments else [],
            "timestamp": "" if by_clock else None,
            "budget_bytes": (2 if not segments else 4) << 20 if small else 64 << 20,
        }
        self.small, self.by_clock = small, by_clock
        self.offered: Counter[Place] = Counter()  # by all monitors that were or are
        self.n_settled = self.n_gone = 0  # rows of monitors that are no more: archived, and lost
        self.compacted = False
        self.n_forks = 0
        self.open()

    def open(self) -> None:
        self.monitor = tg.Monitor("m", reference(), archive=self.archive, clock=self.clock, **self.options)
        self.mine: Counter[Place] = Counter()
        self.n_refused = 0

    def offer(self, monitor: tg.Monitor, seed: int, n: int, hour: int, one_by_one: bool) -> Counter[Place]:
        """Give rows to a monitor; return where they belong."""
        random = Random(seed)

        def time() -> int | None:
            return (
                None if random.random() < 0.1 else self.clock.now_ns + hour * HOUR + random.randrange(MINUTE)
            )

        table, rows = drawn(random, n, time)
        if one_by_one:
            for row in table.to_pylist():
                at = row["time"]
                row["time"] = (
                    None if at is None else np.datetime64(at.value if hasattr(at, "value") else at, "ns")
                )
                monitor.record(row)
        else:
            monitor.update(table)
        found: Counter[Place] = Counter()
        for at, country, _, _ in rows:
            window = window_of(self.clock.now_ns if at is None or self.by_clock else at)
            found[window, TOTAL] += 1
            if self.options["segments"]:
                too_long = country is not None and len(country) > 256
                found[window, key_of(("country",), None if too_long else (country,))] += 1
        return found

    @rule(seed=SEEDS, n=st.sampled_from([0, 1, 5, 40, 600]), hour=HOURS)
    def update(self, seed: int, n: int, hour: int) -> None:
        self.mine += self.offer(self.monitor, seed, n, hour, one_by_one=False)

    update_more = update_still_more = update  # a rule three times as likely as the others

    @rule(seed=SEEDS, n=st.integers(1, 4), hour=HOURS)
    def record(self, seed: int, n: int, hour: int) -> None:
        self.mine += self.offer(self.monitor, seed, n, hour, one_by_one=True)

    @rule(bad=st.sampled_from([None, 3, {1: 2}, "text"]))
    def refuse_a_row(self, bad: object) -> None:
        self.monitor.record(bad)  # type: ignore[arg-type]
        self.n_refused += 1

    @rule()
    def refuse_a_batch(self) -> None:
        """What cannot be read has no rows that could be counted."""
        before = self.monitor.health
        self.monitor.update(object())
        after = self.monitor.health
        assert (after.n_rows, after.n_rows_refused) == (before.n_rows, before.n_rows_refused)
        assert sum(after.errors.values()) == sum(before.errors.values()) + 1

    @rule(minutes=st.sampled_from([1, 4, 30, 60, 61, 66, 120, 24 * 60, -30, -90]))
    def move_the_clock(self, minutes: int) -> None:
        # Rows without a time are where the clock is when they leave the stage, which is within a second.
        self.monitor._flush()
        self.clock.now_ns += minutes * MINUTE

    @rule(checkpoint=st.booleans())
    def tick(self, checkpoint: bool) -> None:
        """What the background thread does once a second."""
        if checkpoint:
            self.monitor._checkpoint_at = -NEVER
        self.monitor._retry_at = 0.0
        self.monitor._tick()

    @rule()
    def checkpoint(self) -> None:
        done = self.monitor.checkpoint()
        assert done != self.store.down
        if done:
            health = self.monitor.health
            assert health.n_rows_archived + health.n_rows_lost == health.n_rows
            assert self.n_in_archive() == self.n_settled + health.n_rows_archived

    @rule(away=st.booleans())
    def archive_away(self, away: bool) -> None:
        self.store.down = away

    @rule()
    def close_and_open(self) -> None:
        """An orderly end loses nothing, save what an archive that is away did not take: that is counted."""
        self.monitor.close(timeout_seconds=0.02 if self.store.down else 10)
        health = self.monitor.health
        assert health.status == "closed"
        assert (health.n_rows_waiting, health.n_rows) == (0, self.n_mine)
        assert health.n_rows_archived + health.n_rows_lost == health.n_rows
        assert not health.n_rows_lost or self.store.down or self.small
        self.monitor.record({"i": 1})
        assert self.monitor.health.n_rows_refused == self.n_refused + 1
        self.settle(health.n_rows_archived, health.n_rows_lost)

    def settle(self, n_archived: int, n_lost: int) -> None:
        self.offered += self.mine
        self.n_settled += n_archived
        self.n_gone += n_lost
        self.open()

    @rule()
    def crash(self) -> None:
        """The monitor is dropped as it is; what it had checkpointed stays."""
        health = self.monitor.health
        self.monitor._stop.set()
        self.settle(health.n_rows_archived, health.n_rows - health.n_rows_archived)

    @precondition(lambda self: self.n_forks < 1 and not self.store.down)
    @rule(seed=SEEDS, n=st.sampled_from([1, 30]), saved=st.booleans(), closes=st.booleans())
    def fork(self, seed: int, n: int, saved: bool, closes: bool) -> None:
        """A child starts without a row under another name, and dies at once, at a checkpoint or in order."""
        self.n_forks += 1
        self.monitor._flush()  # so that the parent's rows are not in the child by mistake and unseen
        writer = self.monitor.health.writer
        child = os.fork()
        if not child:
            status = 1
            try:
                monitor = self.monitor
                fresh = monitor.health.n_rows == 0 and monitor.health.writer != writer
                self.offer(monitor, seed, n, 0, one_by_one=False)
                took = monitor.health.n_rows == n
                kept = not saved or monitor.checkpoint()
                self.offer(monitor, seed + 1, n, 0, one_by_one=True)
                if closes:
                    monitor.close()
                    kept = kept and monitor.health.n_rows_archived == 2 * n
                status = 0 if fresh and took and kept else 2
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        assert status == 0, f"a forked child ended with {status}"
        # In the parent, only to learn where the child's rows belong.
        there: Counter[Place] = Counter()
        for which, counts in ((seed, saved or closes), (seed + 1, closes)):
            if counts:
                there += self.offer(_Nobody(), seed=which, n=n, hour=0, one_by_one=False)
        self.offered += there
        self.n_settled += sum(n for (_, segment), n in there.items() if segment == TOTAL)

    @precondition(lambda self: not self.store.down)
    @rule(days=st.integers(0, 2))
    def compact(self, days: int) -> None:
        """Windows become days, and no row goes or comes."""
        before = self.in_archive(width_ns=DAY)
        self.archive.compact(older_than=self.clock.now_ns - days * DAY, to="1d", now_ns=self.clock.now_ns)
        assert self.in_archive(width_ns=DAY) == before
        self.compacted = True

    @precondition(lambda self: not self.store.down)
    @rule()
    def judge(self) -> None:
        """Complete windows get a verdict, of all rows that are there; then nothing is due."""
        there = self.in_archive()
        found = tg.judge(self.archive, now_ns=self.clock.now_ns)
        for verdict in found:
            assert verdict.window.end_ns <= self.clock.now_ns
            assert verdict.n_rows == there[verdict.window, TOTAL]
        assert tg.judge(self.archive, now_ns=self.clock.now_ns) == []

    @property
    def n_mine(self) -> int:
        return sum(n for (_, segment), n in self.mine.items() if segment == TOTAL)

    def n_in_archive(self) -> int:
        return sum(each.n_rows for each in self.store.inner.find(segment=TOTAL))

    def in_archive(self, width_ns: int = 0) -> Counter[Place]:
        """Rows by window (or the day that it lies in) and segment, by the records themselves."""
        found: Counter[Place] = Counter()
        listed = self.store.inner.find()
        for key, state in self.store.inner.read([each.key for each in listed]):
            profile = tg.Profile.from_bytes(state)
            assert profile["i"].n_rows == profile.n_rows
            start = key.window.start_ns // width_ns * width_ns if width_ns else key.window.start_ns
            end = start + width_ns if width_ns else key.window.end_ns
            found[Window(start, end), key.segment] += profile.n_rows
        return found

    @invariant()
    def every_row_is_somewhere(self) -> None:
        if not hasattr(self, "monitor"):
            return
        health = self.monitor.health
        assert health.n_rows == self.n_mine
        assert health.n_rows_refused == self.n_refused
        assert health.n_rows == health.n_rows_waiting + health.n_rows_archived + health.n_rows_lost
        assert health.n_rows_lost == 0 or self.small
        assert health.memory_bytes <= health.budget_bytes
        assert self.n_in_archive() == self.n_settled + health.n_rows_archived

    def teardown(self) -> None:
        if not hasattr(self, "monitor"):
            return
        try:
            self.store.down = False
            self.close_and_open()
            self.monitor.close()
            there = self.in_archive(width_ns=DAY)
            offered: Counter[Place] = Counter()
            for (window, segment), n in self.offered.items():
                start = window.start_ns // DAY * DAY
                offered[Window(start, start + DAY), segment] += n
            assert sum(n for (_, segment), n in there.items() if segment == TOTAL) == self.n_settled
            assert there <= offered, "the archive has rows that nobody offered"
            if not self.n_gone:
                assert there == offered, "rows are in the wrong window or segment"
            if self.options["segments"] and not self.small:
                per_day: Counter[Window] = Counter()
                for (window, segment), n in there.items():
                    per_day[window] += n if segment == TOTAL else -n
                assert not any(per_day.values()), "the segments do not add up"
            assert not self.store.inner.quarantined()
        finally:
            self.archive.close()
            self.patch.stop()
            logging.disable(logging.NOTSET)
            shutil.rmtree(self.folder)


class _Nobody:
    """Takes rows and keeps none."""

    def update(self, data: object) -> None:
        pass


def window_of(at: int) -> Window:
    start = at // HOUR * HOUR
    return Window(start, start + HOUR)
