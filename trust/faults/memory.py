"""`python -m trust.faults.memory FIRST N SECONDS`, with the shim: a monitor whose engine runs out of memory.

In some calls of a monitor the k-th allocation of the engine fails, or all from it on. The host is told
nothing, and every row that could be read is archived, refused, or counted as lost; what is archived is there.
"""

from __future__ import annotations

import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tidegauge as tg
from tidegauge.window import HOUR
from trust.faults.scenario import REFERENCE, START, WrongError
from trust.faults.shim import Kind, Mode, Shim, scratch
from trust.faults.words import raised
from trust.part import Outcome
from trust.slices import encoded

N_HOURS, N_TURNS = 3, 3
MOST_ROWS = (7, 600)  # those that wait in the stage, and those that do not


class PoorDay:
    """A monitor, and memory for some of its calls only."""

    def __init__(self, shim: Shim, folder: Path, number: int) -> None:
        self.shim, self.chance = shim, random.Random(number)
        self.now_ns = START
        self.url = f"{folder}/archive.db"
        self.monitor = tg.Monitor(
            "m", REFERENCE, archive=self.url, segments=["k"], grace=0, checkpoint_seconds=3_600.0,
            clock=lambda: self.now_ns,
        )  # fmt: skip
        self.poor = set(self.chance.sample(range(N_HOURS * N_TURNS * 3), self.chance.randint(1, 6)))
        self.n_calls = self.n_failed = self.n_seen = 0

    def call(self, what: Callable[[], Any], n_rows: int = 0) -> None:
        """Call, perhaps without memory; the rows have one place."""
        before = self.monitor.health
        if self.n_calls in self.poor:
            mode = self.chance.choice((Mode.ONCE, Mode.FOR_GOOD))
            self.shim.arm(Kind.NEW, self.chance.randint(1, self.chance.choice((4, 30, 200))), mode)
        try:
            what()
        finally:
            self.n_failed += self.shim.hits if self.n_calls in self.poor else 0
            self.shim.disarm()
        self.n_calls += 1
        self.n_seen += n_rows
        health = self.monitor.health
        if health.n_rows + health.n_rows_refused != self.n_seen:
            # Where there is no memory to look at a batch, nobody knows its rows.
            self.n_seen -= n_rows
            if health.n_rows + health.n_rows_refused != self.n_seen or health.errors == before.errors:
                raise WrongError(f"{self.n_seen} and {n_rows} rows were offered: {health}")
        if health.n_rows_waiting + health.n_rows_archived + health.n_rows_lost != health.n_rows:
            raise WrongError(f"rows have no place: {health}")

    def run(self) -> None:
        for hour in range(N_HOURS):
            self.now_ns = START + hour * HOUR
            for _ in range(N_TURNS):
                n = self.chance.randint(1, self.chance.choice(MOST_ROWS))
                batch = {"x": self.chance.random() * np.arange(float(n)), "k": list("abc" * n)[:n]}
                self.call(lambda batch=batch: self.monitor.update(batch), n)
                self.call(lambda: self.monitor.record({"x": 1.0, "k": "a", "new": "field"}), 1)
                self.call(self.monitor.checkpoint)

    def end(self) -> None:
        """There is memory again."""
        self.monitor.close()
        health = self.monitor.health
        if health.n_rows_waiting or health.n_rows_archived + health.n_rows_lost != health.n_rows:
            raise WrongError(f"closed: {health}")
        if not health.n_rows_archived:
            return
        with tg.Archive(self.url) as archive:
            total = archive.merged("m")
            parts = sum(archive.merged("m", segment=each).n_rows for each in archive.segments("m"))
            if not total.n_rows == parts == health.n_rows_archived or archive.quarantined():
                raise WrongError(f"{total.n_rows} rows there, {parts} in segments: {health}")


def run(first: int, n: int, seconds: float) -> Outcome:
    """Try cases."""
    logging.getLogger("tidegauge").setLevel(logging.CRITICAL + 1)
    shim, findings, counts = Shim(), list[str](), Counter[str]()
    until, tried = time.monotonic() + seconds, 0
    for number in range(first, first + n):
        if tried and time.monotonic() > until:
            break
        with scratch() as name:
            day = PoorDay(shim, Path(name), number)
            try:
                day.run()
                day.end()
            except Exception as error:
                findings.append(f"case {number}: {raised(error)}: python -m trust try memory {number}")
            finally:
                day.monitor.close(timeout_seconds=0.0)
            counts["allocations that failed"] += day.n_failed
            counts["rows refused"] += day.monitor.health.n_rows_refused
            counts["rows lost"] += day.monitor.health.n_rows_lost
        tried += 1
    return Outcome(tried, findings, counts)


if __name__ == "__main__":
    print("\n" + encoded(run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))), flush=True)
