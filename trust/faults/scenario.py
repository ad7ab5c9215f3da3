"""A day of a monitor and its archive, every row accounted for, whatever happens to the disk meanwhile."""

from __future__ import annotations

import random
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tidegauge as tg
from tidegauge.errors import ArchiveError, ArchiveWarning, InputError
from tidegauge.window import DAY, HOUR

KINDS = ("sqlite", "directory")
START = 20_000 * DAY
N_HOURS = 4
MOST_SECONDS = 5.0  # that a row may take: it waits for no disk, but the machine may be busy
MOST_CLOSING_SECONDS = 60.0
REFERENCE = tg.Reference.fit({"x": np.arange(200.0), "k": ["a", "b"] * 100})
EDGES = (-(2**63), 2**63 - 1)  # no hour that could be told begins before the first or ends after the last
JUMPS = (-(2**63) + HOUR, -HOUR, 0, START - DAY, START + HOUR, START + 40 * DAY, 2**63 - HOUR, *EDGES)


class WrongError(Exception):
    """What must not be."""


def url_of(kind: str, folder: Path) -> str:
    return f"{folder}/archive.db" if kind == "sqlite" else f"{folder}/archive"


class Day:
    """A monitor that takes rows hour after hour, and what it must have at the end of them.

    `jumps`: whether its clock, by which rows are put into windows here, also shows times that make no sense.
    `judges`: whether windows are judged; most of the time would go there.
    """

    def __init__(
        self, kind: str, folder: Path, seed: int, *, jumps: bool = False, judges: bool = False
    ) -> None:
        self.chance = random.Random(seed)
        self.url = url_of(kind, folder)
        self.now_ns = START
        self.jumps, self.judges = jumps, judges
        self.offered: Counter[int] = Counter()  # rows, by the start of their hour
        self.value = 0  # of column x, of all rows together
        self.n_refused = 0  # that must be, where the clock shows no time
        self.failed: Counter[str] = Counter()  # calls that said so
        self.monitor = tg.Monitor(
            "m",
            REFERENCE,
            archive=self.url,
            segments=["k"],
            grace=0,
            checkpoint_seconds=3_600.0,
            clock=lambda: self.now_ns,
        )
        self.archive = tg.Archive(self.url)

    def steps(self) -> Iterator[None]:
        """Do one thing after the other; between any two the disk may fail or heal."""
        for hour in range(N_HOURS):
            self.now_ns = START + hour * HOUR
            if self.jumps:
                self.now_ns = self.chance.choice(JUMPS)
            for _ in range(2):
                self.take(self.chance.randint(1, 9))
                yield
                self.tried(self.monitor.checkpoint)
                yield
            if hour == 2:
                yield from self.upkeep()

    def upkeep(self) -> Iterator[None]:
        if not self.jumps:  # by which a writer that lives may seem to be silent for hours, as a dead one is
            self.tried(lambda: self.archive.compact(older_than=START + 2 * HOUR, to="2h", now_ns=START + DAY))
            yield
        self.tried(lambda: self.archive.windows("m", segment={"k": "a"}))
        yield
        if self.judges:
            self.tried(lambda: tg.judge(self.archive, now_ns=START + 3 * HOUR))
            yield

    def take(self, n: int) -> None:
        """Offer n rows in a batch and one alone. Whatever the disk does, neither raises nor waits for it."""
        start = self.now_ns // HOUR * HOUR
        batch = {"x": np.full(n, float(n)), "k": ["ab"[n % 2]] * n}
        for rows, value, call in (
            (n, n, lambda: self.monitor.update(batch)),
            (1, 1, lambda: self.monitor.record({"x": 1.0, "k": "a"})),
        ):
            began = time.monotonic()
            call()
            if (seconds := time.monotonic() - began) > MOST_SECONDS:
                raise WrongError(f"a row waited {seconds:.1f} s")
            if self.now_ns in EDGES:
                self.n_refused += rows
                continue
            self.offered[start] += rows
            self.value += rows * value
        self.accounted()

    def tried(self, call: Callable[[], Any]) -> None:
        """Do what may fail, in one way."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ArchiveWarning)
                if call() is False:
                    self.failed["checkpoint"] += 1
        except ArchiveError:
            self.failed["archive"] += 1
        except InputError:  # nothing was ever written: the model is not known
            self.failed["unknown"] += 1

    def accounted(self) -> None:
        """Every row offered has one place, at any moment."""
        health = self.monitor.health
        n = sum(self.offered.values())
        if health.n_rows != n or health.n_rows_refused != self.n_refused:
            raise WrongError(f"{n} rows to take and {self.n_refused} to refuse were offered: {health}")
        if health.n_rows_waiting + health.n_rows_archived + health.n_rows_lost != health.n_rows:
            raise WrongError(f"rows have no place: {health}")

    def acknowledged(self) -> None:
        """What the archive said it has, it has, and no row that was not offered."""
        n = self.monitor.health.n_rows_archived
        with tg.Archive(self.url, read_only=True) as archive:
            try:
                there = archive.merged("m").n_rows
            except (ArchiveError, InputError) as error:
                if n:
                    raise WrongError(f"{n} rows acknowledged, and the archive says {error}") from error
                return
        if not n <= there <= sum(self.offered.values()):
            raise WrongError(f"{n} rows acknowledged, {there} there, {sum(self.offered.values())} offered")

    def end(self) -> None:
        """The disk is well again: nothing may be missing, and nothing there twice."""
        began = time.monotonic()
        self.monitor.close()
        if (seconds := time.monotonic() - began) > MOST_CLOSING_SECONDS:
            raise WrongError(f"closing took {seconds:.1f} s")
        self.accounted()
        if self.monitor.health.n_rows_waiting or self.monitor.health.n_rows_lost:
            raise WrongError(f"closed on a disk that is well: {self.monitor.health}")
        self.archive.close()
        with tg.Archive(self.url) as archive:
            self.whole(archive)
            archive.compact(older_than=START + 2 * HOUR, to="2h", now_ns=START + DAY)
            self.whole(archive)
            if self.judges:
                tg.judge(archive, now_ns=START + DAY)
                if len(archive.store.document_names("verdicts")) < 1:
                    raise WrongError("no window was judged")

    def whole(self, archive: tg.Archive) -> None:
        """Look at all that is there."""
        if not self.offered:
            return
        if archive.quarantined():
            raise WrongError(f"set aside, though nothing is damaged: {archive.quarantined()}")
        wanted = {start // (2 * HOUR): 0 for start in self.offered}
        for start, n in self.offered.items():
            wanted[start // (2 * HOUR)] += n
        found: Counter[int] = Counter()
        for window, profile in archive.windows("m").items():
            found[window.start_ns // (2 * HOUR)] += profile.n_rows
        if found != wanted:
            raise WrongError(f"rows by two hours: {dict(found)}, offered {wanted}")
        total = archive.merged("m")
        if round(total["x"].mean * total.n_rows) != self.value:
            raise WrongError(f"column x adds up to {total['x'].mean * total.n_rows}, offered {self.value}")
        parts = sum(archive.merged("m", segment=each).n_rows for each in archive.segments("m"))
        if parts != total.n_rows:
            raise WrongError(f"segments have {parts} rows, all together {total.n_rows}")
