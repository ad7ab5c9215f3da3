"""One segmented profile, many threads: exact sums, one moment for all parts, no lock left over a fork."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from tests.threads import LIMIT_SECONDS, in_child, needs_fork, together

import tidegauge as tg
from tidegauge import _core

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")

N = 20_000
RANDOM = np.random.default_rng(4)
DATA = {
    **{f"x{i}": RANDOM.normal(size=N) for i in range(4)},
    "word": [f"w{i}" for i in RANDOM.integers(0, 10, N)],
    "store": RANDOM.integers(0, 40, N).astype(np.int32),
}
REFERENCE = tg.Reference.fit(DATA)
HELD = REFERENCE.profile._core
(BATCH,) = tg.arrow.batches(DATA)
DIMENSIONS = [["store"], ["word", "store"], ["new"]]


def empty(max_segments: int = 100) -> _core.SegmentedProfile:
    specs = [column.spec for column in HELD.columns]
    return _core.SegmentedProfile(specs, HELD.joint_spec, dimensions=DIMENSIONS, max_segments=max_segments)


def counts(data: bytes) -> dict[str, list[int]]:
    """Everything of a profile that is a count."""
    profile = tg.Profile.from_bytes(data, REFERENCE)
    found = {"rows": [profile.n_rows]}
    for name, column in profile.items():
        found[name] = [column.n_rows, column.n_present, column.n_null, *np.asarray(column.counts).tolist()]
        assert column.n_rows == profile.n_rows
    return found


def added(parts: list[dict[str, list[int]]]) -> dict[str, list[int]]:
    return {name: np.sum([part[name] for part in parts], axis=0).tolist() for name in parts[0]}


@pytest.mark.parametrize("max_segments", [100, 100_000])
def test_four_threads_count_what_one_counts(max_segments):
    shared, one = empty(max_segments), empty(max_segments)
    n_each = 12

    def update() -> None:
        for step in range(n_each):
            assert shared.update(BATCH.slice(step * 1_000, 1_000 + 100 * step), 1 + step % 2)

    together([update] * 4)
    for step in range(n_each):
        for _ in range(4):
            one.update(BATCH.slice(step * 1_000, 1_000 + 100 * step), 1)
    assert shared.n_rows == one.n_rows
    # With room for all, which rows came first cannot show; without, how many are other rows may.
    mine = {(d, key): counts(data) for d, key, _, data in shared.take_changed()}
    theirs = {(d, key): counts(data) for d, key, _, data in one.take_changed()}
    if max_segments > 100:
        assert mine == theirs
    assert mine[-1, None] == theirs[-1, None]
    for d in range(3):
        assert added([part for (where, _), part in mine.items() if where == d]) == mine[-1, None]


def test_what_is_taken_meanwhile_is_of_one_moment():
    """The parts' latest counts add up to the total at every look, whatever threads were doing."""
    profile, done, looks = empty(), threading.Event(), 0
    latest: dict[tuple[int, object], int] = {}

    def update() -> None:
        for step in range(40):
            profile.update(BATCH.slice(400 * step, 1_000), 1)

    def look() -> None:
        nonlocal looks
        while not done.is_set():
            for d, key, n_rows, data in profile.take_changed():
                assert tg.Profile.from_bytes(data).n_rows == n_rows
                latest[d, key] = n_rows
            for d in range(3):
                assert sum(n for (where, _), n in latest.items() if where == d) == latest.get((-1, None), 0)
            assert profile.memory_bytes > 0
            looks += 1

    looker = threading.Thread(target=look)
    looker.start()
    try:
        together([update] * 3)
    finally:
        done.set()
        looker.join(LIMIT_SECONDS)
    assert looks > 1
    total = profile.total()
    assert total.n_rows == 120_000


def test_every_row_is_before_the_seal_or_refused():
    profile, accepted = empty(), []

    def update() -> None:
        n = 0
        while profile.update(BATCH.slice(0, 500), 1):
            n += 500
        accepted.append(n)

    def seal() -> None:
        while profile.n_rows < 20_000:
            pass
        profile.seal()
        sealed_with.append(profile.n_rows)

    sealed_with: list[int] = []
    together([update, update, update, seal])
    assert sealed_with == [sum(accepted)] == [profile.n_rows]
    assert counts(profile.total().to_bytes(with_edges=False))["rows"] == sealed_with


def test_totals_merged_both_ways_and_copied_while_rows_come():
    a, b = empty(), empty()
    merged = tg.Profile.empty(REFERENCE, accumulators="light")

    def update(profile: _core.SegmentedProfile) -> Callable[[], None]:
        def run() -> None:
            for _ in range(30):
                profile.update(BATCH.slice(0, 2_000), 1)

        return run

    def copy(mine: _core.SegmentedProfile, theirs: _core.SegmentedProfile) -> Callable[[], None]:
        def run() -> None:
            for _ in range(20):
                one, other = mine.total(), theirs.total()
                one.merge(other)
                other.merge(one)
                assert other.n_rows % 2_000 == 0
                if part := mine.segment(1, None):
                    merged.merge(tg.Profile(part))

        return run

    together([update(a), update(b), copy(a, b), copy(b, a)])
    assert a.n_rows == b.n_rows == 60_000
    assert {column.n_rows for column in merged.values()} == {merged.n_rows}


@needs_fork
def test_a_child_uses_a_profile_that_threads_were_updating():
    profile, stop = empty(), threading.Event()

    def update() -> None:
        while not stop.is_set():
            profile.update(BATCH, 1)

    def task() -> None:
        rows = profile.n_rows
        assert rows % N == 0
        parts = profile.take_changed()
        for d in range(-1, 3):
            assert sum(n for where, _, n, _ in parts if where == d) == rows
        assert profile.update(BATCH, 2)
        profile.seal()
        assert profile.total().n_rows == rows + N
        assert tg.profile(DATA, REFERENCE).n_rows == N

    workers = [threading.Thread(target=update) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(6):
            in_child(task)
    finally:
        stop.set()
        for worker in workers:
            worker.join(LIMIT_SECONDS)
    assert not any(worker.is_alive() for worker in workers)
    assert profile.n_rows % N == 0
