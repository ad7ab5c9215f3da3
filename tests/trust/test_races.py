"""Threads, forks and exits under the harness: its small run, and what it must find when it is planted."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from trust import forks, leaks, soak, threads
from trust.part import Outcome
from trust.races import part as races
from trust.races.cell import MEANWHILE, TARGETS, Cell
from trust.races.targets import SharedMonitor, SharedProfile, SharedSegments
from trust.sanitized import ROOT

import tidegauge as tg


def tried(part: str, first: int, n: int) -> Outcome:
    """Run cases in a process of their own, as the harness does."""
    from trust.parts import PARTS
    from trust.slices import Slice, run_apart

    (found,) = [each for each in PARTS if each.name == part]
    outcome, _ = run_apart(Slice(found, first, n, 60.0))
    assert outcome.findings == []
    assert outcome.tried == n
    return outcome


# ---- races


def test_every_cell_of_the_matrix_is_among_those_of_a_change():
    cells = [Cell.of(number) for number in range(races.PART.change)]
    assert {(c.target, c.meanwhile) for c in cells} == {
        (target, meanwhile) for target in TARGETS for meanwhile in (*MEANWHILE, "exit")
    }
    assert {c.sanitized for c in cells} == {False, True}
    assert min(c.n_threads for c in cells) == 2
    assert max(c.n_threads for c in cells) == 16


@pytest.mark.parametrize("number", [0, 2, 4, 17, 19, 23, 31, 47, 49])
def test_a_cell(number):
    wrong, _ = races.run_cell(Cell.of(number))
    assert wrong == ""


def test_a_total_that_is_wrong_is_found(tmp_path):
    for target in (SharedProfile(), SharedSegments(), SharedMonitor(tmp_path, closes=False)):
        target.give(100)
        with pytest.raises(AssertionError, match="100 rows"):
            target.end()


def test_a_process_that_says_something_or_ends_badly_is_a_finding(monkeypatch):
    found = []
    for program in ("print('Traceback')", "import os; os.abort()", "import time; time.sleep(60)"):
        monkeypatch.setattr(races, "WATCHDOG_SECONDS", 1.0)
        monkeypatch.setattr(races, "command", lambda *_, p=program: [sys.executable, "-c", p])
        found += races.run(0, 1, 60.0).findings
    assert [("ended with 0: Traceback" in found[0]), ("ended with -6" in found[1]), "hangs" in found[2]] == [
        True
    ] * 3


# ---- forks


def test_forks_under_load():
    outcome = tried("forks", 0, 24)
    assert outcome.counts["processes that wrote"] == 25


def test_a_child_that_counts_wrongly_or_hangs_is_found():
    """In a process of its own, which forks."""
    program = """
import sys
from trust import forks
forks.WATCHDOG_SECONDS = 1
if sys.argv[1] == "hang":
    forks.live = lambda *_: __import__("time").sleep(60)
elif sys.argv[1] == "wrong":
    forks.CHILD_ROWS += 1
else:
    forks.owed = lambda case: 5
print(forks.run(0, 3, 60.0).findings)
"""
    for how, said in (("hang", "Timeout"), ("wrong", "it took 308 rows"), ("lost", "rows in the archive of")):
        done = subprocess.run(
            [sys.executable, "-c", program, how],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert said in done.stdout, done.stdout + done.stderr


# ---- threads


def test_totals_of_threads_are_exact():
    outcome = tried("threads", 3 * threads.ROUND - 1_000_000, 2_000_000)
    assert len(outcome.counts) == 2


def test_a_row_that_is_lost_or_twice_is_found(monkeypatch):
    whole = threads.parts

    def one_short(rows, first, end):
        return whole(rows, first, end - 1)

    for _ in threads.HOLDERS:
        assert threads.run(0, 1_000, 60.0).findings == []
    monkeypatch.setattr(threads, "parts", one_short)
    (found,) = threads.run(0, 1_000, 60.0).findings
    assert "rows: 999, not 1000" in found
    assert "python -m trust try threads 0 1000" in found


def test_what_rows_come_to_is_counted_apart_from_the_engine():
    rows = threads.Rows.make()
    counted = threads.Oracle(rows).between(65_000, 3 * threads.PERIOD + 17)
    assert counted.n_rows == 3 * threads.PERIOD + 17 - 65_000
    assert counted.words.sum() == counted.cells_i.sum() == counted.n_rows
    assert counted.cells_x.sum() == counted.n_rows - counted.n_null - counted.n_nan
    assert threads.Oracle(rows).between(0, threads.PERIOD).sum_i == sum(rows.values["i"].tolist())


# ---- soak


def test_a_short_run_through_windows_and_segments_counts_exactly(tmp_path):
    done, findings, counts, levels = soak.run_in(tmp_path, 480, 60.0)
    assert done == 480
    assert findings == []
    assert counts["late rows"] == 7 * soak.N_ROWS
    assert counts["appends that failed"] > 0
    assert levels["10^6 values a second"] > 0


def test_growth_and_slowness_are_found():
    seen = soak.Seen()
    n = 400
    seen.values = [i * 10**7 for i in range(n)]
    noise = np.random.default_rng(1).normal(size=n) * 1e6
    seen.resident = (100e6 + noise).astype(int).tolist()
    seen.seconds = (np.arange(n) * 0.1).tolist()
    seen.files, seen.threads = [20] * n, [3] * n
    assert seen.findings() == []
    seen.resident = (100e6 + noise + 0.05 * np.arange(n) * 10**7).astype(int).tolist()
    seen.seconds = (np.arange(n) * 0.1 + np.arange(n) ** 2 * 0.001).tolist()
    seen.files = [20] * (n - 1) + [21]
    seen.threads = [3] * (n // 2) + [4] * (n - n // 2)
    said = " | ".join(seen.findings())
    for words in ("memory grows", "slows down", "files grow", "threads grow"):
        assert words in said


# ---- leaks


def test_failing_calls_leave_nothing():
    outcome = tried("leaks", 0, 8_000)
    assert len(outcome.counts) > 1


def test_every_kind_fails(tmp_path):
    with tg.Archive(f"{tmp_path}/archive.db") as archive:
        raised = {kind: leaks.fail(call, 1) for kind, call in leaks.calls(tmp_path, archive).items()}
    assert {"ArrowError", "SchemaError", "MergeError", "DecodeError", "InputError", "ArchiveError"} <= set(
        raised.values()
    )
    assert len(raised) <= leaks.PART.change / 2 / leaks.CALLS_OF_A_KIND, (
        "each half of a change tries every kind"
    )


def test_a_leak_is_found():
    held = []

    def leaks_objects():  # two, as what earlier tests left behind may go meanwhile
        held.append([object()])
        raise ValueError

    profile = tg.profile({"x": np.arange(100.0)})

    def leaks_memory():
        held.append(profile.copy())
        raise ValueError

    used = leaks.allocator()
    n_objects, _, _ = leaks.growth(leaks_objects, 1_000, used)
    assert n_objects >= 500
    _, n_bytes, _ = leaks.growth(leaks_memory, 100, used)
    assert n_bytes >= 50 * 100
    assert forks.owed(3) == 0
