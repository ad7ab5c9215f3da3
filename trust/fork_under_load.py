"""Forks while threads update and record and the background thread writes: no hang, no row lost or twice.

Children take rows of their own and end by `close` or by the exit handlers. What parent and children counted
must be what is in the archive, to the row.

    python trust/fork_under_load.py [--forks 500]
"""

from __future__ import annotations

import argparse
import atexit
import faulthandler
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

import tidegauge as tg

HANG_SECONDS = 60
AT_ONCE = 4  # children
CHILD_ROWS = 3 * 100 + 7
SMALL = {"x": np.arange(100.0), "k": ["a", "b"] * 50}
LARGE = {"x": np.arange(5_000.0), "k": ["a", "b"] * 2_500}


def child(monitor: tg.Monitor, i: int) -> None:
    """Take CHILD_ROWS rows in a forked child, then end; a child that hangs says where, and ends with 1."""
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
    try:
        extra = threading.Thread(target=monitor.update, args=(SMALL,))
        extra.start()
        for _ in range(2):
            monitor.update(SMALL)
        for j in range(7):
            monitor.record({"x": float(j), "k": "a"})
        extra.join()
        if monitor.health.n_rows != CHILD_ROWS:
            raise RuntimeError(f"a child took {CHILD_ROWS} rows and says {monitor.health}")
        monitor.close() if i % 2 else atexit._run_exitfuncs()
        if monitor.health.n_rows_archived != CHILD_ROWS:
            raise RuntimeError(f"a child closed and says {monitor.health}")
    except BaseException as error:
        print(f"child {i}: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def run(n_forks: int, folder: Path) -> None:
    reference = tg.Reference.fit({"x": np.arange(5_000.0), "k": ["a", "b"] * 2_500})
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
    begin, failed, alive, longest = time.monotonic(), 0, {}, 0.0

    def reap() -> None:
        nonlocal failed, longest
        pid, status = os.wait()
        longest = max(longest, time.monotonic() - alive.pop(pid))
        failed += status != 0

    for i in range(n_forks):
        pid = os.fork()
        if pid == 0:
            child(monitor, i)
        alive[pid] = time.monotonic()
        while len(alive) >= AT_ONCE:
            reap()
    while alive:
        reap()
    stop.set()
    for worker in workers:
        worker.join()
    monitor.close()
    seconds = time.monotonic() - begin
    with tg.Archive(archive) as opened:
        found = opened.store.find(segment="")
        states = opened.store.read([each.key for each in found])
        n_archived = sum(tg.Profile.from_bytes(state).n_rows for _, state in states)
    n_wanted = sum(counts) + (n_forks - failed) * CHILD_ROWS
    print(
        f"{n_forks} forks in {seconds:.1f} s, {failed} children failed or hung, the slowest took "
        f"{longest:.2f} s; {n_archived:,} rows in the archive of {n_wanted:,} taken, by "
        f"{len({each.key.writer for each in found})} writers"
    )
    if failed or n_archived != n_wanted or monitor.health.n_rows_refused:
        raise SystemExit(f"wrong: {monitor.health}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--forks", type=int, default=500)
    faulthandler.enable()
    options = parser.parse_args()
    # Not a TemporaryDirectory, which the exit handlers of the first child would delete.
    folder = tempfile.mkdtemp()
    try:
        run(options.forks, Path(folder))
    finally:
        shutil.rmtree(folder)
