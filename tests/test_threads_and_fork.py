"""A profile shared by threads and inherited over fork: exact totals, no thread left, no deadlock."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from tests.threads import LIMIT_SECONDS, in_child, needs_fork, together

import tidegauge as tg
from tidegauge import _core

RANDOM = np.random.default_rng(1)
LARGE = {f"x{i}": RANDOM.normal(size=400_000) for i in range(8)}  # milliseconds of work, on any machine
SMALL = {"x": np.arange(100), "s": ["a", "b"] * 50}


# ---- threads


def test_updates_from_eight_threads_add_up():
    profile = tg.Profile.empty()

    def update() -> None:
        for _ in range(200):
            profile.update(SMALL)

    together([update] * 8)
    one = tg.profile(SMALL)
    assert profile.n_rows == 8 * 200 * 100
    assert profile["x"].sum == 1600 * one["x"].sum
    assert dict(profile["s"].top(2)) == {"a": 80_000, "b": 80_000}
    assert profile["x"].n_distinct == 100
    # Equal batches: whichever thread came first, the same rows came in the same order.
    again = tg.Profile.empty()
    for _ in range(1600):
        again.update(SMALL)
    assert profile == again


def test_updates_merges_and_reads_at_once():
    reference = tg.Reference.fit({"x": np.arange(100.0), "s": ["a", "b"] * 50})
    profile, part = tg.Profile.empty(reference), tg.profile(SMALL, reference)
    torn: list[str] = []

    def update() -> None:
        for _ in range(100):
            profile.update(SMALL)

    def merge() -> None:
        for _ in range(100):
            profile.merge(part)

    def read() -> None:
        for _ in range(100):
            column = profile["x"]
            if column.n_rows % 100 or column.counts.sum() + column.n_above != column.n_present:
                torn.append("column")
            if profile.n_rows % 100:
                torn.append("profile")

    def save() -> None:
        for _ in range(100):
            loaded = tg.Profile.from_bytes(profile.to_bytes(), reference)
            if {c.n_rows for c in loaded.values()} != {loaded.n_rows} or loaded.n_rows % 100:
                torn.append("bytes")

    together([update, update, merge, merge, read, read, save, save])
    assert not torn
    assert profile.n_rows == 40_000
    assert profile["x"].counts.sum() == 40_000
    assert profile["s"].counts.tolist() == [20_000, 20_000]


def test_two_profiles_merged_into_each_other_do_not_lock_each_other_out():
    a, b = tg.profile(SMALL), tg.profile(SMALL)

    def into(target: tg.Profile, other: tg.Profile) -> Callable[[], None]:
        def merge() -> None:
            for _ in range(6):
                target.merge(other.copy())
                tg.Profile.empty().merge(target)

        return merge

    together([into(a, b), into(b, a), into(a, a), into(b, b)])
    assert a.n_rows % 100 == b.n_rows % 100 == 0
    assert a["x"].n_rows == a.n_rows


def test_two_profiles_are_merged_both_ways_while_rows_come_to_both():
    """A merge waits for the updates under way on both sides, and keeps neither side's rows out for ever."""
    reference = tg.Reference.fit({"x": np.arange(100.0), "s": ["a", "b"] * 50})
    a, b = tg.Profile.empty(reference), tg.Profile.empty(reference)

    def update(profile: tg.Profile) -> Callable[[], None]:
        def run() -> None:
            for _ in range(300):
                profile.update(SMALL)

        return run

    def merge(target: tg.Profile, other: tg.Profile) -> Callable[[], None]:
        def run() -> None:
            for _ in range(8):
                target.merge(other)

        return run

    together([update(a), update(b), merge(a, b), merge(b, a), update(a), update(b)])
    for profile in (a, b):
        assert profile.n_rows >= 60_000
        assert profile.n_rows % 100 == 0
        assert {column.n_rows for column in profile.values()} == {profile.n_rows}
        assert profile["x"].counts.sum() == profile["s"].counts.sum() == profile.n_rows


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_the_gil_is_released_during_a_large_update(threads):
    """Python goes on in this thread while another is inside the engine."""
    profile = tg.Profile.empty()
    # Long enough inside for this thread to have its turns, also where eight others share two cores.
    (batch,) = tg.arrow.batches({name: np.tile(values, 4) for name, values in LARGE.items()})
    n_updates, inside, steps_inside = 20, threading.Event(), 0

    def update() -> None:
        for _ in range(n_updates):
            inside.set()
            profile._core.update(batch, threads)
            inside.clear()

    before = sys.getswitchinterval()
    sys.setswitchinterval(10)  # no thread is asked to let go: only the engine does
    try:
        worker = threading.Thread(target=update)
        worker.start()
        while worker.is_alive():
            time.sleep(0)  # lets go itself, so that the worker can start
            steps_inside += inside.is_set()
        worker.join()
    finally:
        sys.setswitchinterval(before)
    assert profile.n_rows == n_updates * 1_600_000
    assert steps_inside > 10 * n_updates


@pytest.mark.parametrize("n_each", [2_500_000, pytest.param(25_000_000, marks=pytest.mark.slow)])
def test_updates_side_by_side_are_exact_to_the_last_row(n_each):
    """10^7 and 10^8 rows from four threads, in batches of unlike sizes: every count is that of one thread."""
    names = [f"x{i}" for i in range(6)]
    rng = np.random.default_rng(5)
    data = {name: rng.normal(size=400_000) for name in names} | {"s": ["a", "b", "c", "d"] * 100_000}
    data["x0"][::7] = np.nan
    reference = tg.Reference.fit({name: values[:20_000] for name, values in data.items()})
    (batch,) = tg.arrow.batches(data)
    shared = tg.Profile.empty(reference)

    def update(step: int) -> Callable[[], None]:
        parts = [batch.slice(begin, min(step, 400_000 - begin)) for begin in range(0, 400_000, step)]

        def run() -> None:
            added = 0
            while added < n_each:
                for part in parts:
                    n = min(part.n_rows, n_each - added)
                    shared.update(part.slice(0, n), threads=1)
                    added += n

        return run

    together([update(step) for step in (400_000, 10_000, 130_001, 77_777)])
    assert shared.n_rows == 4 * n_each
    times, rest = divmod(n_each, 400_000)
    expected = tg.Profile.empty(reference, accumulators="light")
    for _ in range(times):
        expected.update(batch)
    expected.update(batch.slice(0, rest))
    for name in (*names, "s"):
        one, all_ = expected[name], shared[name]
        assert all_.n_rows == 4 * n_each
        assert (all_.n_present, all_.n_nan) == (4 * one.n_present, 4 * one.n_nan)
        assert all_.counts.tolist() == (4 * one.counts).tolist()
    joint = shared._core.joint
    assert joint is not None
    of_all, of_rest = sums_of(batch, reference), sums_of(batch.slice(0, rest), reference)
    for found, one, part in zip(joint.total, of_all, of_rest, strict=True):
        assert np.array_equal(found, 4 * (times * one + part))


def sums_of(batch: _core.Batch, reference: tg.Reference) -> list[np.ndarray]:
    joint = tg.profile(batch, reference)._core.joint
    assert joint is not None
    return [np.asarray(sums) for sums in joint.total]


def n_threads() -> int:
    return len(os.listdir("/proc/self/task"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")
def test_no_thread_is_left_after_import_nor_after_an_update():
    code = """
import os
def count(): return len(os.listdir("/proc/self/task"))
import numpy as np
before = count()
import tidegauge as tg
assert count() == before, "import started a thread"
profile = tg.profile({f"x{i}": np.arange(200_000.0) for i in range(8)}, threads=8)
profile.merge(profile)
tg.Profile.from_bytes(profile.to_bytes())
assert count() == before, "a thread is left"
"""
    path = os.pathsep.join(p for p in sys.path if p)
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()


# ---- fork


@contextmanager
def busy(profile: tg.Profile) -> Iterator[None]:
    """Keep another thread inside the engine, updating."""
    stop = threading.Event()

    def update() -> None:
        while not stop.is_set():
            profile.update(LARGE)

    worker = threading.Thread(target=update)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join(LIMIT_SECONDS)
    assert not worker.is_alive()


pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@needs_fork
def test_a_child_uses_what_it_inherits_and_the_parent_keeps_its_own():
    profile = tg.profile(LARGE)
    before = profile.to_bytes()

    def task() -> None:
        assert profile.to_bytes() == before
        profile.update(LARGE, threads=4)
        profile.merge(profile)
        assert profile.n_rows == 4 * 400_000

    for _ in range(3):
        in_child(task)
    assert profile.to_bytes() == before


@needs_fork
def test_a_child_profiles_while_the_parent_is_within_an_update():
    """Neither dispatch nor scratch memory nor any other process-wide state is held locked across a fork."""
    theirs, idle = tg.Profile.empty(), tg.profile(SMALL)
    expected = tg.profile(LARGE).to_bytes()

    def task() -> None:
        assert tg.profile(LARGE, threads=2).to_bytes() == expected
        idle.update(SMALL)
        assert idle.n_rows == 200
        reference = tg.Reference.fit(SMALL)
        assert tg.Profile.from_bytes(tg.profile(SMALL, reference).to_bytes(), reference).n_rows == 100

    with busy(theirs):
        for _ in range(5):
            in_child(task)
    assert idle.n_rows == 100
    assert theirs.n_rows % 400_000 == 0


@needs_fork
def test_a_child_uses_a_profile_that_another_thread_was_updating():
    """The fork waits for the update, so the child inherits it whole and its lock free."""
    theirs = tg.Profile.empty()

    def task() -> None:
        rows = theirs.n_rows
        assert rows % 400_000 == 0
        assert all(column.n_rows == rows for column in theirs.values())
        theirs.update(LARGE)
        theirs.merge(theirs)
        assert tg.Profile.from_bytes(theirs.to_bytes()).n_rows == 2 * (rows + 400_000)

    with busy(theirs):
        for _ in range(10):
            in_child(task)
    assert theirs.n_rows % 400_000 == 0


# ---- the end of the interpreter

ENDS = """
import threading, time
import numpy as np
import tidegauge as tg

def work():
    profile, data = tg.Profile.empty(), {"x": np.arange(20_000.0)}
    while True:
        profile.update(data)

for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
"""


def test_daemon_threads_inside_the_engine_do_not_abort_the_end_of_the_interpreter():
    """CPython unwinds them when they come back: no destructor of the engine may be in the way."""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", ENDS], capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS
        )
        assert (done.returncode, done.stderr) == (0, "")
