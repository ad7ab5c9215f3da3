"""Forks while threads update and record and the background thread writes: no hang, no row lost or twice.

A case is one fork: the child takes rows of its own and ends in the way that its number says. The cases of a
run are forked from one process with one monitor. What parent and children took must be what is in the
archive, to the row.
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

import tidegauge as tg
from trust.part import Outcome, Part

WATCHDOG_SECONDS = 10
AT_ONCE = 4  # children
CHILD_ROWS = 3 * 100 + 7
SMALL = {"x": np.arange(100.0), "k": ["a", "b"] * 50}
LARGE = {"x": np.arange(5_000.0), "k": ["a", "b"] * 2_500}
ENDS = ("closes", "runs exit handlers", "has a child, then closes", "takes nothing and leaves")


def owed(case: int) -> int:
    """Return how many rows the child of a case brings into the archive, its own child's among them."""
    return (CHILD_ROWS, CHILD_ROWS, 2 * CHILD_ROWS, 0)[case % len(ENDS)]


def take_rows(monitor: tg.Monitor) -> None:
    extra = threading.Thread(target=monitor.update, args=(SMALL,))
    extra.start()
    for _ in range(2):
        monitor.update(SMALL)
    for j in range(7):
        monitor.record({"x": float(j), "k": "a"})
    extra.join()
    if monitor.health.n_rows != CHILD_ROWS:
        raise RuntimeError(f"it took {CHILD_ROWS} rows and says {monitor.health}")


def live(monitor: tg.Monitor, case: int) -> None:
    """Do what the child of a case does. Raises RuntimeError for a wrong count."""
    if monitor.health.n_rows:
        raise RuntimeError(f"it has the parent's rows: {monitor.health}")
    how = ENDS[case % len(ENDS)]
    if how == "takes nothing and leaves":
        return
    take_rows(monitor)
    if how == "has a child, then closes":
        grandchild = os.fork()
        if grandchild == 0:
            live(monitor, 0)
            return
        if os.waitpid(grandchild, 0)[1]:
            raise RuntimeError("its child failed")
    atexit._run_exitfuncs() if how == "runs exit handlers" else monitor.close()
    if monitor.health.n_rows_archived != CHILD_ROWS:
        raise RuntimeError(f"it closed and says {monitor.health}")


def child(monitor: tg.Monitor, case: int, told: Path) -> None:
    """Be the child of a case; what goes wrong is written to a file, and where it hangs as well."""
    with told.open("w") as file:
        faulthandler.dump_traceback_later(WATCHDOG_SECONDS, exit=True, file=file)
        try:
            live(monitor, case)
        except BaseException as error:
            file.write(f"{error!r}")
            file.flush()
            os._exit(1)
        os._exit(0)


class Family:
    """The children that are alive, and what became of the others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.alive: dict[int, tuple[int, float]] = {}  # case and start, by process
        self.failed: dict[int, str] = {}
        self.longest = 0.0

    def reap(self, at_most: int) -> None:
        """Wait until no more than so many are alive; one that its own watchdog cannot end is killed."""
        while len(self.alive) > at_most:
            ended = 0
            for pid, (case, began) in list(self.alive.items()):
                seconds = time.monotonic() - began
                if seconds > 2 * WATCHDOG_SECONDS:
                    os.kill(pid, signal.SIGKILL)
                found, status = os.waitpid(pid, os.WNOHANG)
                if found:
                    del self.alive[pid]
                    self.longest, ended = max(self.longest, seconds), ended + 1
                    if status:
                        self.failed[case] = self.words(case, status)
            if not ended:
                time.sleep(0.001)

    def words(self, case: int, status: int) -> str:
        told = (self.folder / str(case)).read_text().strip() or "no word"
        return f"ended with {os.waitstatus_to_exitcode(status)}: {' | '.join(told.splitlines())[:500]}"


def run(first: int, n: int, seconds: float) -> Outcome:
    """Fork cases first … first + n - 1, one after the other, up to AT_ONCE of them alive."""
    # Not a TemporaryDirectory, which the exit handlers of the first child would delete.
    folder = Path(tempfile.mkdtemp())
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*use of fork", DeprecationWarning)
            return under_load(range(first, first + n), seconds, folder)
    finally:
        shutil.rmtree(folder)


def under_load(cases: range, seconds: float, folder: Path) -> Outcome:
    reference = tg.Reference.fit(LARGE)
    archive = f"sqlite:///{folder}/forked.db"
    monitor = tg.Monitor("forked", reference, segments=["k"], archive=archive, checkpoint_seconds=0.05)
    stop, counts = threading.Event(), [0, 0, 0]

    def work(who: int) -> None:
        while not stop.is_set():
            if who == 0:
                monitor.record({"x": 1.0, "k": "b"})
            else:
                monitor.update(SMALL if who == 1 else LARGE)
            counts[who] += (1, 100, 5_000)[who]
            time.sleep(0.0005)

    workers = [threading.Thread(target=work, args=(who,)) for who in range(3)]
    for worker in workers:
        worker.start()
    family, until, forked = Family(folder), time.monotonic() + seconds, 0
    for case in cases:
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            child(monitor, case, folder / str(case))
        forked += 1
        family.alive[pid] = case, time.monotonic()
        family.reap(AT_ONCE - 1)
        if time.monotonic() > until:
            break
    family.reap(0)
    stop.set()
    for worker in workers:
        worker.join()
    monitor.close()
    n_wanted = sum(counts) + sum(owed(case) for case in cases[:forked] if case not in family.failed)
    n_archived, n_writers = archived(archive)
    findings = [
        f"a child that {ENDS[case % len(ENDS)]} {words}; python -m trust try forks {case}"
        for case, words in family.failed.items()
    ]
    # A child that failed may have sent what it took.
    if (n_archived != n_wanted and not family.failed) or monitor.health.n_rows_refused:
        findings.append(
            f"{n_archived:,} rows in the archive of {n_wanted:,} taken, {monitor.health}; "
            f"python -m trust try forks {cases[0]} {forked}"
        )
    facts = Counter({"rows counted in the archive": n_archived, "processes that wrote": n_writers})
    return Outcome(forked, findings, facts, {"longest child, seconds": round(family.longest, 2)})


def archived(url: str) -> tuple[int, int]:
    """Return the rows, counted in the profiles themselves, and how many processes sent them."""
    with tg.Archive(url) as opened:
        found = opened.store.find(segment="")
        states = opened.store.read([each.key for each in found])
        n_rows = sum(tg.Profile.from_bytes(state).n_rows for _, state in states)
    return n_rows, len({each.key.writer for each in found})


PART = Part(
    "forks",
    "forks",
    "a child of a process that is busy hangs at no lock, takes none of its rows and loses none of its own",
    run,
    change=100,
    deep=5_000,
)
