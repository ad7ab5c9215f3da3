"""The process of one cell: `python -m trust.races.program NUMBER FOLDER`. Ends with 0 and says nothing.

Threads do what comes next by chance until time is over; the main thread is one of them where something can
happen to it, and otherwise makes it happen. Then every total must be exact.
"""

from __future__ import annotations

import faulthandler
import gc
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import tidegauge as tg
from trust.races.cell import Cell
from trust.races.targets import SIZES, SharedMonitor, Target, made

HANG_SECONDS = 60  # with what ThreadSanitizer costs, on a machine that others use
LATE_SECONDS = 5.0  # for the first interrupt, on a machine that is busy
EVERY_SECONDS = 0.001  # a signal


class Crew:
    """Threads at work on a target."""

    def __init__(self, cell: Cell, target: Target, *, daemon: bool) -> None:
        self.stop, self.failures, self.target = threading.Event(), [], target
        tasks = target.tasks()
        self.threads = [
            threading.Thread(
                target=self._work, args=(cell.number * 100 + i, tasks[i % len(tasks)]), daemon=daemon
            )
            for i in range(cell.n_threads)
        ]
        for thread in self.threads:
            thread.start()

    def _work(self, seed: int, first: Callable[[random.Random], None]) -> None:
        chance, tasks = random.Random(seed), self.target.tasks()
        task = first  # so that each is somebody's
        try:
            while not self.stop.is_set():
                task(chance)
                task = chance.choice([first, *tasks])
        except BaseException as error:
            self.failures.append(error)
            self.stop.set()

    def join(self) -> None:
        """Have the threads end, and raise what the first of them raised."""
        self.stop.set()
        for thread in self.threads:
            thread.join()
        for failure in self.failures:
            raise failure


def work_here(target: Target, seconds: float) -> None:
    """Be one more thread at work for so long."""
    chance, until, tasks = random.Random(0), time.monotonic() + seconds, target.tasks()
    while time.monotonic() < until:
        chance.choice(tasks)(chance)


def with_signals(target: Target, seconds: float, timer: int, number: int) -> None:
    """Be at work while a handler of Python runs a thousand times a second."""
    seen = [0]

    def handle(*_: object) -> None:
        seen[0] += 1

    signal.signal(number, handle)
    signal.setitimer(timer, EVERY_SECONDS, EVERY_SECONDS)
    try:
        work_here(target, seconds)
    finally:
        signal.setitimer(timer, 0)
    assert seen[0] > 0, "no signal came"


def with_interrupts(target: Target, seconds: float) -> None:
    """Be interrupted again and again: each call is done, or is one that was interrupted."""
    done = threading.Event()
    armed = threading.Event()

    def interrupt() -> None:
        while not done.is_set():
            if armed.is_set():
                armed.clear()
                time.sleep(random.uniform(0, 0.002))
                if not done.is_set():
                    signal.raise_signal(signal.SIGINT)
            time.sleep(0)

    other = threading.Thread(target=interrupt)
    other.start()
    chance, until, n_interrupts = random.Random(0), time.monotonic() + seconds, 0
    try:
        while time.monotonic() < until or (n_interrupts == 0 and time.monotonic() < until + LATE_SECONDS):
            n = chance.choice(SIZES)
            given = 0
            try:
                armed.set()
                for _ in range(20):
                    target.give(n)
                    given += n
                    time.sleep(0)
            except KeyboardInterrupt:
                n_interrupts += 1
                target.tally.unsure(n)
            target.tally.add(given)
    except KeyboardInterrupt:  # between two calls: `given` may not have been added
        target.tally.unsure(max(SIZES) * 20)
    for _ in range(3):  # the last one may come at any of these lines, and must not come later
        try:
            done.set()
            other.join()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        except KeyboardInterrupt:
            n_interrupts += 1
    assert n_interrupts > 0, "nothing was interrupted"


def with_forks(target: Target, seconds: float) -> None:
    """Fork while threads are at work; the children use what they inherit."""
    until, n_forks = time.monotonic() + seconds, 0
    while time.monotonic() < until or n_forks < 3:
        child = os.fork()
        if child == 0:
            signal.alarm(HANG_SECONDS // 2)  # faulthandler's own watchdog hangs in a child of who has set it
            try:
                target.in_child()
            except BaseException as error:
                print(f"in a child: {error!r}", file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        n_forks += 1
        assert os.waitpid(child, 0)[1] == 0, "a child failed"
    if isinstance(target, SharedMonitor):
        target.elsewhere += 300 * n_forks


def own_rows(number: int, folder: str) -> None:
    """Be a process of multiprocessing that has a target of its own, on the same archive."""
    target = made(Cell.of(number).target, Path(folder), closes=False)
    if isinstance(target, SharedMonitor):
        target.in_child()
    else:
        target.give(1_000)
        target.tally.add(1_000)
        target.end()


def with_processes(cell: Cell, target: Target, folder: Path) -> None:
    """Have multiprocessing start processes while threads are at work."""
    method = "fork" if cell.meanwhile == "multiprocessing" else cell.meanwhile
    context = multiprocessing.get_context(method)
    if method == "fork":
        children = [context.Process(target=target.in_child) for _ in range(3)]
    else:
        children = [context.Process(target=own_rows, args=(cell.number, str(folder))) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0, f"a process of {cell.meanwhile} ended with {child.exitcode}"
    if isinstance(target, SharedMonitor):
        target.elsewhere += 300 * len(children)


def with_collections(target: Target, seconds: float) -> None:
    """Collect garbage at almost every allocation, and have its callbacks run."""
    seen = [0]

    def collected(*_: object) -> None:
        seen[0] += 1

    gc.callbacks.append(collected)
    before = gc.get_threshold()
    gc.set_threshold(10)
    try:
        work_here(target, seconds)
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(collected)
    assert seen[0] > 0, "no garbage was collected"


def run(cell: Cell, folder: Path) -> None:
    """Run a cell. Raises AssertionError."""
    ends = cell.meanwhile == "exit"
    target = made(cell.target, folder, closes=cell.number % 3 == 0 and cell.meanwhile != "fork")
    crew = Crew(cell, target, daemon=ends)
    if ends:
        time.sleep(cell.seconds)
        return  # the interpreter ends now
    if cell.meanwhile in ("SIGALRM", "SIGPROF"):
        is_alarm = cell.meanwhile == "SIGALRM"
        timer, number = (
            (signal.ITIMER_REAL, signal.SIGALRM) if is_alarm else (signal.ITIMER_PROF, signal.SIGPROF)
        )
        with_signals(target, cell.seconds, timer, number)
    elif cell.meanwhile == "Ctrl-C":
        with_interrupts(target, cell.seconds)
    elif cell.meanwhile == "fork":
        with_forks(target, cell.seconds)
    elif cell.meanwhile == "gc":
        with_collections(target, cell.seconds)
    elif cell.meanwhile == "nothing":
        work_here(target, cell.seconds)
    else:
        with_processes(cell, target, folder)
    crew.join()
    target.end()


def main(cell: Cell, folder: Path) -> None:
    """Run a cell; one that fails ends at once, and not when its threads do."""
    try:
        run(cell, folder)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    faulthandler.enable()
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
    warnings.filterwarnings("ignore", ".*use of fork", DeprecationWarning)
    assert tg.__version__
    main(Cell.of(int(sys.argv[1])), Path(sys.argv[2]))
