"""Power that is lost: states of a disk while an archive is written, each opened and looked at.

All that was acknowledged must be there, whole, and nothing that was not begun; and the archive goes on. A
group of cases is one recorded run of a writer (recorded.py); they go through it from its first operation to
its last.
"""

from __future__ import annotations

import json
import random
import shutil
import time
import warnings
from collections import Counter
from pathlib import Path

from tidegauge.archive import Archive, Key, Record
from tidegauge.errors import ArchiveWarning
from trust.faults.disk import Disk, steps
from trust.faults.recorded import DOCUMENT
from trust.faults.scenario import KINDS, WrongError, url_of
from trust.faults.shim import run_apart, scratch
from trust.faults.words import raised
from trust.faults.writer import HOURS, SEGMENTS, check_cycle, check_whole, profile_of, window_of
from trust.part import Outcome

GROUP = 250  # states of one recorded run
Said = list[tuple[str, int, int]]


def cycle_of(life: int, seed: int) -> int:
    """Return the cycle of hours that a writer wrote in its first or second life."""
    return life + 2 * (seed % 40)


def check(url: str, said: Said, seed: int) -> None:
    """Look at what is left, twice: as a reader, and after writing once more. Raises what is wrong."""
    first, second = cycle_of(1, seed), cycle_of(2, seed)
    documents = [(hour, n) for what, hour, n in said if what == "document done"]
    if not said and not Path(url).exists():
        return
    for read_only in (True, False):
        if read_only and (not said or Path(url + "-journal").exists()):
            continue  # nothing is owed, or a transaction is to be rolled back, which a reader may not
        with Archive(url, read_only=read_only) as archive:
            if not read_only:
                key = Key("other", "1", "r", window_of(0), "", "after")
                archive.store.append([Record(key, 1, profile_of(1, 0))])
                if archive.merged("other").n_rows != 1:
                    raise WrongError("what is written after it is not there")
            there = dict(archive.store.documents("d"))
            for life, i in documents:
                if there.get(f"{life}{i}") != DOCUMENT:
                    raise WrongError(f"document {life}{i} is lost")
            rows: dict[int, int] = {}
            for cycle in (first, second):
                of_cycle = [each for each in said if each[1] // HOURS == cycle and "document" not in each[0]]
                later = any(each[1] // HOURS == second and "document" not in each[0] for each in said)
                if cycle == first and later:  # perhaps compacted by now
                    rows |= {hour: n for what, hour, n in of_cycle if what == "window done"}
                elif of_cycle:
                    rows |= check_cycle(archive, of_cycle, cycle)
            if rows:
                check_whole(archive, rows)
            if archive.quarantined():
                raise WrongError(f"set aside: {archive.quarantined()}")


def group(kind: str, seed: int, wanted: dict[int, int], until: float) -> tuple[int, list[str], Counter[str]]:
    """Record a run, and try its states; `wanted`: cases by their place among the states of a group."""
    findings: list[str] = []
    counts = Counter[str]()
    tried = 0
    with scratch() as name:
        folder, log = Path(name) / "under", Path(name) / "log"
        folder.mkdir()
        run_apart("trust.faults.recorded", kind, seed, folder, log)
        with open(log, "rb") as file:
            lines = list(steps(file))
        disk, said, done = Disk(str(folder), seed), Said(), 0
        for place, number in sorted(wanted.items()):
            if tried and time.monotonic() > until:
                break
            chance = random.Random(number)
            while done < 1 + place * (len(lines) - 1) // (GROUP - 1):
                line, data = lines[done]
                if line.startswith("A "):
                    said.append(tuple(json.loads(line[2:])))
                else:
                    disk.step(line, data)
                done += 1
            left = Path(name) / "left"
            counts[f"lost {disk.lose_power(left, chance)}"] += 1
            counts["records owed"] += len(SEGMENTS) * sum(what == "window done" for what, _, _ in said)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ArchiveWarning)
                    check(url_of(kind, left), said, seed)
            except Exception as error:
                findings.append(
                    f"case {number}, {kind}, after operation {done} of {len(lines)}: {raised(error)}: "
                    f"python -m trust try power {number}"
                )
            shutil.rmtree(left)
            tried += 1
    return tried, findings, counts


def run(first: int, n: int, seconds: float) -> Outcome:
    """Try cases."""
    until = time.monotonic() + seconds
    tried, findings, counts = 0, list[str](), Counter[str]()
    for seed in range(first // GROUP, (first + n - 1) // GROUP + 1):
        if tried and time.monotonic() > until:
            break
        numbers = range(max(first, seed * GROUP), min(first + n, (seed + 1) * GROUP))
        wanted = {number - seed * GROUP: number for number in numbers}
        outcome = group(KINDS[seed % 2], seed // 2, wanted, until)
        tried += outcome[0]
        findings += outcome[1]
        counts += outcome[2]
    return Outcome(tried, findings, counts)
