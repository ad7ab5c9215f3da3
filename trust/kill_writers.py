"""Kills a process that writes an archive, at random moments, and looks at what is left.

`python -m trust.kill_writers CYCLES sqlite|directory`. In each cycle a child appends checkpoints and
whole windows, compacts what earlier ones wrote, and says what it begins and what is acknowledged; SIGKILL is
sent milliseconds after one of its words. Then the archive must open, hold every acknowledged record whole,
and nothing else. That proves that the death of a process harms nothing; against the loss of power fsync comes
before each acknowledgement.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from tidegauge.archive import Archive, Key, Record
from tidegauge.profiles import Profile
from tidegauge.window import HOUR, Window

SEGMENTS = ("", '{"country":"SE"}', '{"country":"DE"}')
HOURS = 100  # of each cycle
N_ROWS, N_LATE = 30, 5
MOST_WORDS = 40  # that a writer says before it is killed
MOST_SECONDS = 0.004  # after the last of them
WHOLE_EVERY = 50  # cycles between looks at all of it


def profile_of(n: int, hour: int) -> bytes:
    """Return a profile that says which record it is of: n rows, all with the value of the hour."""
    profile = Profile.empty(accumulators="light")
    profile.update({"hour": np.full(n, float(hour)), "x": np.arange(float(n))})
    return profile.to_bytes()


def window_of(hour: int) -> Window:
    return Window(hour * HOUR, (hour + 1) * HOUR)


def write(url: str, cycle: int) -> None:
    """Write until killed. A whole window comes in one append with a checkpoint of another: all or none."""
    archive = Archive(url)
    for i, hour in enumerate(range(cycle * HOURS, (cycle + 1) * HOURS)):
        keys = [Key("m", "1", "r", window_of(hour), segment, f"writer{cycle}") for segment in SEGMENTS]
        for n in (N_ROWS // 3, N_ROWS // 2):
            say("checkpoint begun", hour, n)
            archive.store.append([Record(key, n, profile_of(n, hour), final=False) for key in keys])
            say("checkpoint done", hour, n)
        late = Key("m", "1", "r", window_of(hour), "", f"late{cycle}")
        say("window begun", hour, N_ROWS)
        whole = [Record(key, N_ROWS, profile_of(N_ROWS, hour)) for key in keys]
        archive.store.append([*whole, Record(late, N_LATE, profile_of(N_LATE, hour), final=False)])
        say("window done", hour, N_ROWS)
        if i % 3 == 2:
            say("compaction begun", hour, 0)
            before = min((cycle - 1) * HOURS + 24 * (1 + i // 3), cycle * HOURS)
            archive.compact(older_than=before * HOUR, to="1d", now_ns=0)
            say("compaction done", hour, 0)
    time.sleep(60)


def say(what: str, hour: int, n: int) -> None:
    os.write(1, (json.dumps([what, hour, n]) + "\n").encode())


def killed_writer(url: str, cycle: int, n_words: int, delay: float) -> list[tuple[str, int, int]]:
    """Fork a writer, kill it so long after so many words, and return what it said."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.dup2(writer, 1)
            write(url, cycle)
        finally:
            os._exit(1)
    os.close(writer)
    with open(reader, "rb") as told:
        lines = [told.readline() for _ in range(n_words)]
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        lines += told.readlines()
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, "the writer failed before it was killed"
    return [tuple(json.loads(line)) for line in lines]


def check_cycle(archive: Archive, said: list[tuple[str, int, int]], cycle: int) -> dict[int, int]:
    """Return the rows of each hour of a cycle. Raises AssertionError for what is lost, torn or invented."""
    owed = {hour: n for what, hour, n in said if what in ("checkpoint done", "window done")}
    last, last_hour, last_n = said[-1]
    found = archive.store.find(model="m", start_ns=cycle * HOURS * HOUR)
    there: dict[int, dict[str, int]] = {}
    late: dict[int, int] = {}
    for each in found:
        hour = each.key.window.start_ns // HOUR
        if each.key.writer == f"writer{cycle}":
            there.setdefault(hour, {})[each.key.segment] = each.n_rows
        else:
            assert each.key.writer == f"late{cycle}"
            late[hour] = each.n_rows
    rows: dict[int, int] = {}
    for hour in owed.keys() | there.keys():
        (rows[hour],) = set(there[hour].values())
        assert set(there[hour]) == set(SEGMENTS), f"hour {hour} is there in part"
        unsure = last.endswith("begun") and hour == last_hour and rows[hour] == last_n
        assert rows[hour] == owed.get(hour) or unsure, (
            f"hour {hour}: {rows[hour]} rows, owed {owed.get(hour)}"
        )
        assert late.get(hour, 0) == (N_LATE if rows[hour] == N_ROWS else 0), f"hour {hour}: half of an append"
    n_read = 0
    for key, state in archive.store.read([each.key for each in found]):
        profile = Profile.from_bytes(state)
        assert profile["hour"].min == profile["hour"].max == key.window.start_ns // HOUR
        n_read += 1
    assert n_read == len(found)
    return rows


def check_whole(archive: Archive, rows: dict[int, int]) -> None:
    """Compare all that is there, compacted or not, with all that was there after each cycle."""
    for segment in SEGMENTS:
        late = {hour: N_LATE for hour, n in rows.items() if n == N_ROWS and not segment}
        total = archive.merged("m", segment=segment)
        assert total.n_rows == sum(rows.values()) + sum(late.values())
        weighted = sum(hour * n for hour, n in [*rows.items(), *late.items()])
        assert abs(total["hour"].mean * total.n_rows - weighted) <= 1e-9 * weighted


def run(cycles: int, kind: str, folder: Path, seed: int = 1) -> Counter[str]:
    """Kill `cycles` writers; return how many were killed after each last word. Raises AssertionError."""
    import pyarrow.parquet  # noqa: F401  # here, and not in each child

    chance = random.Random(seed)
    url = str(folder / ("archive.db" if kind == "sqlite" else "archive"))
    rows: dict[int, int] = {}
    hit: Counter[str] = Counter()
    with Archive(url, read_only=True) as archive:
        for cycle in range(cycles):
            said = killed_writer(url, cycle, chance.randint(1, MOST_WORDS), chance.uniform(0, MOST_SECONDS))
            hit[said[-1][0]] += 1
            if cycle == 0 and not os.path.exists(url):
                continue  # killed before the archive was made
            rows |= check_cycle(archive, said, cycle)
            if rows and (cycle % WHOLE_EVERY == 0 or cycle == cycles - 1):
                check_whole(archive, rows)
        assert archive.quarantined() == []
    hit["records acknowledged"] = len(rows) * len(SEGMENTS)
    return hit


if __name__ == "__main__":
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        for what, n in run(int(sys.argv[1]), sys.argv[2], Path(temporary)).most_common():
            print(f"{n:7,} {what}")
    print(f"nothing lost, torn or doubled; {time.perf_counter() - began:.0f} s")
