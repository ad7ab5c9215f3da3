"""Writers killed: `python -m trust.faults.kills FIRST N SECONDS`, with the shim, for `run`.

Half of them at a call to the disk: before it, after it, or with a write half done; the others at any moment.
A group of cases has one archive, which each cycle goes on with as the last one left it.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

from tidegauge.archive import Archive
from tidegauge.errors import ArchiveError
from trust.faults.groups import by_groups
from trust.faults.scenario import url_of
from trust.faults.shim import CHANGES, Kind, Mode, Shim, run_apart, scratch
from trust.faults.words import raised
from trust.faults.writer import SEGMENTS, Said, check_cycle, check_whole, killed_writer
from trust.part import Outcome
from trust.slices import encoded

GROUP = 50  # cycles of one archive
DIRECTORIES = 4  # every so manieth group is one, the others are SQLite: a fork with pyarrow takes longer
MOST_WORDS = 40  # that a writer says before it is killed
MOST_SECONDS = 0.004  # after the last of them
MOST_CHANGES = 60  # to the disk, that a writer makes before it is killed at one


def never_begun(archive: Archive, said: Said) -> bool:
    """Tell whether the first writer was killed before there was an archive, with nothing acknowledged."""
    try:
        archive.store.find()
    except ArchiveError as error:
        if "nothing was ever stored" not in str(error) or any(what.endswith("done") for what, *_ in said):
            raise
        return True
    return False


def run(first: int, n: int, seconds: float) -> Outcome:
    """Try cases."""
    return run_apart("trust.faults.kills", first, n, seconds)


def kill(shim: Shim, url: str, number: int, hit: Counter[str]) -> Said:
    """Kill a writer; return what it said, and count where it was hit."""
    chance = random.Random(number)
    mode = chance.choice((Mode.KILL_BEFORE, Mode.KILL_HALFWAY, Mode.KILL_AFTER))
    k, n_words, delay = chance.randint(1, MOST_CHANGES), chance.randint(1, MOST_WORDS), chance.random()
    if number % 2:
        said = killed_writer(url, number % GROUP, n_words, delay * MOST_SECONDS, shim, None)
    else:
        arm = partial(shim.arm, CHANGES & ~Kind.OPEN, k, mode)
        said = killed_writer(url, number % GROUP, 0, 0.0, shim, arm)
        in_part = shim.changes and mode != Mode.KILL_AFTER and said and said[-1][0].endswith("begun")
        hit["with part of an operation done"] += bool(in_part)
    shim.disarm()
    hit[f"after: {said[-1][0] if said else 'nothing'}"] += 1
    return said


def group(shim: Shim, numbers: range, kind: str, until: float) -> Outcome:
    """Kill a writer for each number, all of one archive; stops at the first thing that is wrong."""
    hit: Counter[str] = Counter()
    rows: dict[int, int] = {}
    tried = 0
    with scratch() as name:
        folder = Path(name) / "under"
        folder.mkdir()
        url = url_of(kind, folder)
        shim.watch(folder)
        with Archive(url, read_only=True) as archive:
            for number in numbers:
                if tried and time.monotonic() > until:
                    break
                tried += 1
                try:
                    said = kill(shim, url, number, hit)
                    if said and Path(url).exists() and not never_begun(archive, said):
                        rows |= check_cycle(archive, said, number % GROUP)
                    if rows and (tried % 10 == 0 or number == numbers[-1]):
                        check_whole(archive, rows)
                        if archive.quarantined():
                            raise AssertionError(f"set aside: {archive.quarantined()}")
                except Exception as error:
                    again = f"python -m trust try kills {numbers[0]} {tried}"
                    return Outcome(tried, [f"{kind}: {raised(error)}: {again}"], hit)
    hit["records acknowledged"] += len(rows) * len(SEGMENTS)
    return Outcome(tried, [], hit)


def main(first: int, n: int, seconds: float) -> Outcome:
    """Try cases, here, with the shim."""
    return by_groups(group, range(first, first + n), seconds, size=GROUP, directories=DIRECTORIES)


if __name__ == "__main__":
    print("\n" + encoded(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))), flush=True)
