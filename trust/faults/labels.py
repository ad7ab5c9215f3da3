"""Labelling killed: `python -m trust.faults.labels FIRST N SECONDS`, with the shim, for `run`.

A process scores, labels and corrects, each step acknowledged, until it is killed: half of the time at a call
to the disk, else at any moment. Then the rows of its window and their labels must be those of the last step
acknowledged, or of the one that was begun; and once all labels are told again, those of the rows that are
there, each once.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

import tidegauge as tg
from tidegauge.window import DAY, HOUR
from trust.faults.groups import by_groups
from trust.faults.scenario import url_of
from trust.faults.shim import CHANGES, Kind, Mode, Shim, run_apart, scratch
from trust.faults.words import raised
from trust.faults.writer import Said, killed_writer
from trust.part import Outcome
from trust.slices import encoded

GROUP = 25  # cycles of one archive
DIRECTORIES = 3  # every so manieth group is one, the others are SQLite
STEPS, N = 4, 10  # of a cycle, and rows of each
MOST_WORDS, MOST_SECONDS, MOST_CHANGES = 20, 0.01, 80
START = 20_000 * DAY
Rows = dict[str, np.ndarray]


def rows_of(cycle: int, n: int) -> Rows:
    """Return the first rows of a cycle, with their labels."""
    at = np.arange(n)
    score = (at * 37 % 100) / 100
    return {
        "id": np.array([f"{cycle}-{i}" for i in at], "U12"),
        "time": (START + cycle * HOUR + at).astype("datetime64[ns]"),
        "k": np.array(["a", "b"])[at % 2],
        "score": score,
        "label": (at * 53 % 100 / 100 < score).astype(np.int64),
    }


def fitted() -> tg.Reference:
    rows = rows_of(-1, 2_000)
    schema = tg.Schema.infer(rows, score="score", label="label", positive=1, id="id", timestamp="time")
    return tg.Reference.fit(rows, schema=schema)


REFERENCE = fitted()
State = tuple[int, dict[int, int]]  # rows that are there, and the label of each that has one


def plan(cycle: int) -> Iterator[tuple[str, int, int, list[int]]]:
    """Give the steps: rows up to a number, or labels (right or wrong) of some; early ones of rows to come."""
    for step in range(STEPS):
        chance = random.Random(cycle * STEPS + step)
        begin, end = step * N, (step + 1) * N
        early = sorted(chance.sample(range(begin, end), 3))
        yield "label", step, 1, early
        yield "rows", end, 0, []
        wrong = sorted(chance.sample(range(end), min(5, end)))
        yield "label", step, 0, wrong
        yield "label", step, 1, sorted(chance.sample(range(end), min(8, end)))


def states(cycle: int) -> list[list[State]]:
    """Return what may be there while each step of the plan runs; the last of them is there after it."""
    right = rows_of(cycle, STEPS * N)["label"]
    n_rows, told = 0, dict[int, int]()
    found = []
    for what, number, is_right, some in plan(cycle):
        before = n_rows, {i: label for i, label in told.items() if i < n_rows}
        while_it_runs = [before]
        if what == "rows":
            n_rows = number
            while_it_runs.append((n_rows, before[1]))
        else:
            told |= {i: int(right[i]) if is_right else 1 - int(right[i]) for i in some}
        while_it_runs.append((n_rows, {i: label for i, label in told.items() if i < n_rows}))
        found.append(while_it_runs)
    return found


def score_and_label(url: str, cycle: int, say: Callable[[str, int, int], None]) -> None:
    """Do what is planned, and say so."""
    all_rows = rows_of(cycle, STEPS * N)
    clock = lambda: START + cycle * HOUR  # noqa: E731
    monitor = tg.Monitor(
        "m", REFERENCE, archive=url, segments=["k"], strict=True, checkpoint_seconds=3_600, clock=clock
    )
    n_rows = 0
    for i, (what, number, is_right, some) in enumerate(plan(cycle)):
        say(f"{what} begun", i, number)
        if what == "rows":
            monitor.update({k: v[n_rows:number] for k, v in all_rows.items() if k != "label"})
            n_rows = number
            done = monitor.checkpoint()
        else:
            labels = all_rows["label"][some]
            told = {"id": all_rows["id"][some], "label": labels if is_right else 1 - labels}
            done = monitor.label(told).stored
        if not done:
            raise AssertionError(monitor.health.last_error)
        say(f"{what} done", i, number)
    monitor.close()


def outcomes_of(cycle: int, state: State, segment: str | None) -> list[bytes]:
    """Return the outcomes of rows that came with these labels."""
    n_rows, labels = state
    rows = rows_of(cycle, n_rows)
    rows["label"] = np.array([float(labels.get(i, np.nan)) for i in range(n_rows)])
    chosen = np.ones(n_rows, np.bool_) if segment is None else rows["k"] == segment
    kept = {name: values[chosen] for name, values in rows.items()}
    profile = tg.profile(kept, REFERENCE, accumulators="full" if segment is None else "light")
    return [each.to_bytes() for each in profile._core.outcomes]


def check(url: str, cycle: int, said: Said) -> int:
    """Compare with what was acknowledged. Returns the number of rows. Raises AssertionError."""
    last, step, _ = said[-1]
    may_be = states(cycle)[step]
    if last.endswith("done"):
        may_be = may_be[-1:] if step == STEPS * 4 - 1 else [may_be[-1], *states(cycle)[step + 1]]
    start, end = START + cycle * HOUR, START + (cycle + 1) * HOUR
    right = rows_of(cycle, STEPS * N)
    with tg.Archive(url) as archive:
        for told_again in (False, True):
            if told_again:
                archive.label("m", {"id": right["id"], "label": right["label"]})
            for segment in (None, "a", "b"):
                named = None if segment is None else {"k": segment}
                profile = archive.merged("m", start, end, segment=named)
                assert not profile._core.labels_unresolved, "labels of rows that are not there"
                if told_again:
                    n_rows = archive.merged("m", start, end).n_rows
                    may_be = [(n_rows, dict(enumerate(right["label"][:n_rows].tolist())))]
                if segment is None:
                    counts = {state[0] for state in may_be}
                    assert profile.n_rows in counts, f"{profile.n_rows} rows, {sorted(counts)} can be"
                outcomes = [each.to_bytes() for each in profile._core.outcomes]
                expected = [outcomes_of(cycle, state, segment) for state in may_be]
                empty = profile.n_rows == 0
                assert empty or outcomes in expected, f"labels of {segment} that were not acknowledged"
        assert not archive.quarantined()
        return archive.merged("m", start, end).n_rows


def kill(shim: Shim, url: str, number: int, hit: Counter[str]) -> Said:
    """Kill a process that scores and labels; return what it said, and count where it was hit."""
    chance = random.Random(number)
    mode = chance.choice((Mode.KILL_BEFORE, Mode.KILL_HALFWAY, Mode.KILL_AFTER))
    k, n_words, delay = chance.randint(1, MOST_CHANGES), chance.randint(1, MOST_WORDS), chance.random()
    at_disk = number % 2 == 0
    arm = partial(shim.arm, CHANGES & ~Kind.OPEN, k, mode) if at_disk else None
    said = killed_writer(
        url, number % GROUP, 0 if at_disk else n_words, delay * MOST_SECONDS, shim, arm, score_and_label
    )
    shim.disarm()
    hit[f"after: {said[-1][0] if said else 'nothing'}"] += 1
    return said


def group(shim: Shim, numbers: range, kind: str, until: float) -> Outcome:
    """Kill a process for each number, all of one archive; stops at the first thing that is wrong."""
    hit: Counter[str] = Counter()
    tried = 0
    with scratch() as name:
        folder = Path(name) / "under"
        folder.mkdir()
        url = url_of(kind, folder)
        shim.watch(folder)
        for number in numbers:
            if tried and time.monotonic() > until:
                break
            tried += 1
            try:
                said = kill(shim, url, number, hit)
                with tg.Archive(url) as archive:
                    known = Path(url).exists() and bool(archive.models())
                if said and known:
                    hit["rows labelled"] += check(url, number % GROUP, said)
            except Exception as error:
                again = f"python -m trust try labels {numbers[0]} {tried}"
                return Outcome(tried, [f"{kind}: {raised(error)}: {again}"], hit)
    return Outcome(tried, [], hit)


def run(first: int, n: int, seconds: float) -> Outcome:
    """Try cases."""
    return run_apart("trust.faults.labels", first, n, seconds)


def main(first: int, n: int, seconds: float) -> Outcome:
    """Try cases, here, with the shim."""
    return by_groups(group, range(first, first + n), seconds, size=GROUP, directories=DIRECTORIES)


if __name__ == "__main__":
    print("\n" + encoded(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))), flush=True)
