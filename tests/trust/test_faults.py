"""The disk and memory: a reduced run of each part, and a defect planted for each that it must find."""

import io
import json
import random
import subprocess
import sys

import pytest
from trust.allocations.part import GROUP, N_OPERATIONS, plain, run_program
from trust.faults.disk import Disk, File, apply, left_of, steps, torn
from trust.faults.parts import FAULTS, KILLS, LABELS, MEMORY, POWER
from trust.totals import ROOT

SECONDS = 60.0


@pytest.mark.parametrize(("part", "n"), [(KILLS, 30), (LABELS, 30), (FAULTS, 40), (POWER, 120), (MEMORY, 40)])
def test_a_reduced_run_finds_nothing(part, n):
    outcome = part.run(part.deep + 100_000, n, SECONDS)
    assert outcome.findings == []
    assert outcome.tried == n


def test_kills_hit_the_middle_of_operations():
    counts = KILLS.run(50, 40, SECONDS).counts
    assert counts["with part of an operation done"] >= 4
    assert counts["records acknowledged"] > 50


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Have every Python that starts from here run some lines first."""

    def plant(lines: str) -> None:
        (tmp_path / "sitecustomize.py").write_text(lines)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return plant


ONE_BY_ONE = """
from tidegauge.archive.sqlite import SqliteStore
append = SqliteStore.append
SqliteStore.append = lambda self, records: [append(self, [record]) for record in records] and None
"""
NO_SYNC = "import os; os.fsync = lambda descriptor: None"
SYNC_OFF = """
from tidegauge.archive.sqlite_file import SqliteFile
prepared = SqliteFile._prepared
def careless(self, connection):
    prepared(self, connection)
    connection.execute("PRAGMA synchronous = OFF")
SqliteFile._prepared = careless
"""
ERRORS_SWALLOWED = """
from contextlib import suppress
from tidegauge.archive.{module} import {store}
from tidegauge.errors import ArchiveError
append = {store}.append
def careless(self, records):
    with suppress(ArchiveError):
        append(self, records)
{store}.append = careless
"""
BROKEN_KEPT = """
from tidegauge.intake import Intake
Intake.take_lost = lambda self: []
"""


@pytest.mark.parametrize(
    ("part", "first", "n", "lines"),
    [
        (KILLS, 50, 20, ONE_BY_ONE),
        (LABELS, 25, 40, ONE_BY_ONE),
        (POWER, 250, 100, NO_SYNC),
        (POWER, 0, 100, SYNC_OFF),
        (FAULTS, 0, 60, ERRORS_SWALLOWED.format(module="sqlite", store="SqliteStore")),
        (FAULTS, 0, 60, ERRORS_SWALLOWED.format(module="parquet", store="ParquetStore")),
        (MEMORY, 0, 60, BROKEN_KEPT),
    ],
    ids=[
        "not-atomic",
        "labels-not-atomic",
        "no-fsync",
        "synchronous-off",
        "sqlite-errors",
        "parquet-errors",
        "lost-not-counted",
    ],
)
def test_a_planted_defect_is_found(planted, part, first, n, lines):
    planted(lines)
    found = part.run(first, n, SECONDS).findings
    assert found
    assert f"python -m trust try {part.name} " in found[0]


# The model of a disk.


def disk(*lines: str) -> Disk:
    made = Disk("/r")
    for line, data in steps(io.BytesIO("".join(lines).encode())):
        made.step(line, data)
    return made


def states(made: Disk, tmp_path, n: int = 60) -> set[tuple[tuple[str, bytes], ...]]:
    """All that may be left, each as the files there and their bytes."""
    found = set()
    for i in range(n):
        folder = tmp_path / str(i)
        made.lose_power(folder, random.Random(i))
        files = sorted(each for each in folder.rglob("*") if each.is_file())
        found.add(tuple((str(each.relative_to(folder)), each.read_bytes()) for each in files))
    return found


def test_what_was_synced_is_left_and_what_was_not_may_be(tmp_path):
    new = ["C 7 /r/.tmp\n", "W 7 0 3\nabc"]
    assert states(disk(*new), tmp_path / "1") == {(), ((".tmp", b""),), ((".tmp", b"abc"),)}
    made = disk(*new, "S 7\n", "R /r/.tmp\t/r/a\n")
    assert states(made, tmp_path / "2") == {(), ((".tmp", b"abc"),), (("a", b"abc"),)}
    assert states(disk(*new, "S 7\n", "R /r/.tmp\t/r/a\n", "S 1\n"), tmp_path / "3") == {(("a", b"abc"),)}


def test_a_folder_that_was_not_synced_takes_all_in_it_along(tmp_path):
    lines = ["M 5 /r/d\n", "C 7 /r/d/a\n", "W 7 0 1\nx", "S 7\n", "S 5\n"]
    assert states(disk(*lines), tmp_path / "1") == {(), (("d/a", b"x"),)}
    assert states(disk(*lines, "S 1\n"), tmp_path / "2") == {(("d/a", b"x"),)}


def test_writes_are_torn_at_the_borders_of_pieces():
    assert list(torn((500, b"x" * 600), 512)) == [(500, b"x" * 12), (512, b"x" * 512), (1024, b"x" * 76)]
    body = bytearray(b"abc")
    apply(body, (5, b"z"))
    apply(body, (-1, 1))
    assert body == b"a"
    file = File(bytearray(2_000), [(0, b"x" * 2_000)])
    left = {left_of(file, random.Random(i), 0.5) for i in range(20)}
    assert len(left) > 5
    assert all(len(each) == 2_000 for each in left)


# Memory of the engine.


def test_the_engine_without_memory():
    n_groups = 0
    for group in range(N_OPERATIONS):
        outcome = run_program(plain(), group * GROUP, GROUP // 2, SECONDS)
        assert outcome.findings == []
        assert outcome.tried == GROUP // 2
        n_groups += len([name for name, n in outcome.counts.items() if n == GROUP // 2])
    assert n_groups >= N_OPERATIONS, "each an operation of its own"


def test_an_operation_that_is_changed_by_a_failed_call_is_found():
    outcome = run_program(plain(), 0, 8, SECONDS, "planted")
    assert outcome.tried == len(outcome.findings) == 8
    assert outcome.findings[0].startswith("case 0, allocation 1 of 1: be careless is changed by the call")


def test_an_engine_that_dies_or_leaks_is_a_finding(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho 'case 7: aborted' >&2\nkill -6 $$\n")
    program.chmod(0o755)
    assert run_program(program, 5, 9, SECONDS).findings == [
        "ended with -6: case 7: aborted: python -m trust try allocations 5 9"
    ]


# A disk that is really full.


FILL = """
import json, sys
from pathlib import Path
from trust.faults.scenario import Day
kind, folder = sys.argv[1], Path(sys.argv[2])
day = Day(kind, folder, 1)
filler = folder / "filler"
with open(filler, "wb", buffering=0) as file:
    try:
        while file.write(bytes(4096)):
            pass
    except OSError:
        pass
for step, _ in enumerate(day.steps()):
    if step == 9:
        filler.unlink()
day.acknowledged()
day.end()
print(json.dumps([day.failed["checkpoint"], sum(day.offered.values())]))
"""


@pytest.mark.parametrize("kind", ["sqlite", "directory"])
def test_a_disk_that_is_full_and_has_room_again(tmp_path, kind):
    """A file system of a megabyte, full from the start; then there is room, and nothing restarts."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        done = subprocess.run(
            [sys.executable, "-c", FILL, kind, str(tmp_path)],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert not done.returncode, done.stderr
    n_failed, n_rows = json.loads(done.stdout.splitlines()[-1])
    assert n_failed >= 4
    assert n_rows > 0
