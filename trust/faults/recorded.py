"""`python -m trust.faults.recorded KIND SEED FOLDER LOG`, with the shim: a writer and what it does.

Two lives of a writer, the second of which compacts what the first wrote; in every third run one fsync fails,
and what failed is done again. LOG is what shim.py's `watch` writes, with the writer's words between.
"""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tidegauge.archive import Archive
from tidegauge.errors import ArchiveError
from trust.faults.scenario import url_of
from trust.faults.shim import Kind, Mode, Shim
from trust.faults.writer import write
from trust.part import Outcome
from trust.slices import encoded

N_HOURS = 4  # of each life
MOST_SYNCS = 40  # until one fails
DOCUMENT = b"a document " * 50


def insist(call: Callable[[], object]) -> None:
    """Do it, again if it failed."""
    try:
        call()
    except ArchiveError:
        call()


def main(kind: str, seed: int, folder: Path, log: Path) -> None:
    """Write and record."""
    shim = Shim()
    with open(log, "ab", buffering=0) as file:
        shim.watch(folder, file.fileno())

        def say(what: str, hour: int, n: int) -> None:
            shim.note(json.dumps([what, hour, n]))

        if seed % 3 == 2:
            shim.arm(Kind.FSYNC, 1 + seed * 7 % MOST_SYNCS, Mode.ONCE, errno.EIO)
        for life in (1, 2):
            with Archive(url_of(kind, folder)) as archive:
                for i in range(2):
                    put = partial(archive.store.put_document, "d", f"{life}{i}", DOCUMENT, if_absent=i == 1)
                    insist(put)
                    say("document done", life, i)
            write(url_of(kind, folder), life + 2 * (seed % 40), say, N_HOURS + seed % 3, insist)
        shim.watch(Path("/dev/null/none"))
    print("\n" + encoded(Outcome(1)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
