"""`python -m trust.faults.injected FIRST N SECONDS`, with the shim: days of a monitor on a disk that fails.

A case is a store, an error, once or for good, and the operation that it begins with; every third is healed
halfway and then struck again, so that it also fails while it recovers. The last sixteenth have a clock
that jumps instead.
"""

from __future__ import annotations

import errno
import logging
import random
import sys
import time
from collections import Counter
from functools import cache
from pathlib import Path

from trust.faults.scenario import KINDS, Day, WrongError
from trust.faults.shim import ALL, CHANGES, Kind, Mode, Shim, scratch
from trust.faults.words import raised
from trust.part import Outcome
from trust.slices import encoded

NEVER = 1 << 40
LASTING = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE)
# A signal that interrupts every call for good is no fault that exists: calls are tried again by all.
FAULTS = (
    *((Mode.ONCE, error) for error in (*LASTING, errno.EINTR)),
    *((Mode.FOR_GOOD, error) for error in LASTING),
    (Mode.SHORT, errno.ENOSPC),
)
MASKS = (ALL, CHANGES, Kind.WRITE, Kind.FSYNC, Kind.OPEN, Kind.CLOSE, Kind.READ, Kind.MKDIR | Kind.LINK,
         Kind.RENAME | Kind.UNLINK | Kind.TRUNCATE)  # fmt: skip
PRIME = 7_919  # neighbours in number are far apart in time


def one(shim: Shim, number: int, folder: Path, n_operations: int) -> int:
    """Try a case; return how many operations failed. Raises what is wrong."""
    kind = KINDS[number % 2]
    mode, error = FAULTS[number // 2 % len(FAULTS)]
    turn = number // (2 * len(FAULTS))
    chance = random.Random(number)
    mask = MASKS[turn % len(MASKS)] if turn % 2 else ALL
    again = number % 3 == 0
    k = 1 + turn * PRIME % n_operations if mask == ALL else chance.randint(1, max(1, n_operations // 8))
    day = Day(kind, folder, number, jumps=number % 16 == 15, judges=number % 32 < 2)
    heals = chance.randint(2, 12) if again else 99
    strikes = heals + chance.randint(1, 2)
    n_failed = 0
    try:
        shim.arm(mask, k, mode, error)
        for step, _ in enumerate(day.steps()):
            if step == heals:
                n_failed += shim.hits
                shim.disarm()
            if step == strikes:
                mode, error = chance.choice(FAULTS)
                shim.arm(ALL, chance.randint(1, 60), mode, error)
        n_failed += shim.hits
        shim.disarm()
        day.acknowledged()
        day.end()
    finally:
        shim.disarm()
        day.monitor.close(timeout_seconds=0.0)
    return n_failed


@cache
def n_operations_of(shim: Shim, kind: str) -> int:
    """Return how many operations a day has on a disk that is well."""
    with scratch() as folder:
        day = Day(kind, Path(folder), 0)
        shim.watch(Path(folder))
        shim.arm(ALL, NEVER, Mode.ONCE)
        for _ in day.steps():
            pass
        n = shim.seen
        shim.disarm()
        day.end()
    return n


def run(first: int, n: int, seconds: float) -> Outcome:
    """Try cases."""
    logging.getLogger("tidegauge").setLevel(logging.CRITICAL + 1)
    shim, findings, counts = Shim(), [], Counter[str]()
    until, longest, tried = time.monotonic() + seconds, 0.0, 0
    for number in range(first, first + n):
        if tried and time.monotonic() > until:
            break
        began = time.monotonic()
        n_operations = n_operations_of(shim, KINDS[number % 2])
        with scratch() as name:
            folder = Path(name) / "under"
            folder.mkdir()
            shim.watch(folder)
            try:
                counts["calls of the system that failed"] += (hit := one(shim, number, folder, n_operations))
                counts["cases without any"] += not hit
            except Exception as error:
                shim.disarm()
                told = str(error) if isinstance(error, WrongError) else raised(error)
                findings.append(f"case {number}: {told}: python -m trust try faults {number}")
        tried += 1
        longest = max(longest, time.monotonic() - began)
    return Outcome(tried, findings, counts, {"seconds of the longest case": round(longest, 2)})


if __name__ == "__main__":
    outcome = run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    print("\n" + encoded(outcome), flush=True)
