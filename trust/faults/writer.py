"""A writer of an archive that may be killed at any moment, and what must be there afterwards.

It appends checkpoints and whole windows, compacts what earlier ones wrote, and says what it begins and what
is acknowledged. Then the archive must open, hold every acknowledged record whole, and nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable

import numpy as np

from tidegauge.archive import Archive, Key, Record
from tidegauge.profiles import Profile
from tidegauge.window import HOUR, Window
from trust.faults.shim import Shim

SEGMENTS = ("", '{"country":"SE"}', '{"country":"DE"}')
Said = list[tuple[str, int, int]]
HOURS = 100  # of each cycle
N_ROWS, N_LATE = 30, 5


def profile_of(n: int, hour: int) -> bytes:
    """Return a profile that says which record it is of: n rows, all with the value of the hour."""
    profile = Profile.empty(accumulators="light")
    profile.update({"hour": np.full(n, float(hour)), "x": np.arange(float(n))})
    return profile.to_bytes()


def window_of(hour: int) -> Window:
    return Window(hour * HOUR, (hour + 1) * HOUR)


def write(
    url: str,
    cycle: int,
    say: Callable[[str, int, int], None],
    n_hours: int = HOURS,
    do: Callable[[Callable[[], object]], object] = lambda call: call(),
) -> None:
    """Write some hours. A whole window comes in one append with a checkpoint of another: all or none.

    `do` is given each call to the archive, to do it, or again where it failed.
    """
    archive = Archive(url)
    for i, hour in enumerate(range(cycle * HOURS, cycle * HOURS + n_hours)):
        keys = [Key("m", "1", "r", window_of(hour), segment, f"writer{cycle}") for segment in SEGMENTS]
        for n in (N_ROWS // 3, N_ROWS // 2):
            say("checkpoint begun", hour, n)
            some = [Record(key, n, profile_of(n, hour), final=False) for key in keys]
            do(lambda some=some: archive.store.append(some))
            say("checkpoint done", hour, n)
        late = Key("m", "1", "r", window_of(hour), "", f"late{cycle}")
        say("window begun", hour, N_ROWS)
        whole = [Record(key, N_ROWS, profile_of(N_ROWS, hour)) for key in keys]
        whole.append(Record(late, N_LATE, profile_of(N_LATE, hour), final=False))
        do(lambda whole=whole: archive.store.append(whole))
        say("window done", hour, N_ROWS)
        if i % 3 == 2:
            say("compaction begun", hour, 0)
            before = min((cycle - 1) * HOURS + 24 * (1 + i // 3), cycle * HOURS)
            do(lambda before=before: archive.compact(older_than=before * HOUR, to="1d", now_ns=0))
            say("compaction done", hour, 0)
    archive.close()


def killed_writer(
    url: str,
    cycle: int,
    n_words: int,
    delay: float,
    shim: Shim,
    arm: Callable[[], None] | None,
    writes: Callable[[str, int, Callable[[str, int, int], None]], None] | None = None,
) -> Said:
    """Fork a writer; return what it said until it was killed, as `arm` arms, or so long after n words.

    `writes` is what it does, `write` by default.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            if arm:
                arm()

            def say(what: str, hour: int, n: int) -> None:
                os.write(writer, (json.dumps([what, hour, n]) + "\n").encode())
                if what.endswith("begun"):
                    shim.mark()

            (writes or write)(url, cycle, say)
            time.sleep(60)
        finally:
            os._exit(1)
    os.close(writer)
    with open(reader, "rb") as told:
        lines = [told.readline() for _ in range(n_words)]
        if not arm:
            time.sleep(delay)
            os.kill(child, signal.SIGKILL)
        lines += told.readlines()
    if os.WTERMSIG(os.waitpid(child, 0)[1]) != signal.SIGKILL:
        raise AssertionError("the writer failed before it was killed")
    return [tuple(json.loads(line)) for line in lines]


def check_cycle(archive: Archive, said: Said, cycle: int) -> dict[int, int]:
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
