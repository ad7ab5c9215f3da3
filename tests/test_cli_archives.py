"""watch, judge, windows, compact: files replayed into an archive, judged, listed, rolled up."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidegauge as tg
from tidegauge.window import DAY

N_DAYS = 3
# Days of the last month, so that the command's own clock has them within reach.
FIRST = (time.time_ns() // DAY - 10) * DAY


def day_of_rows(day: int, n: int = 4_800, factor: float = 1.0) -> pa.Table:
    rng = np.random.default_rng(day + 10)
    at = FIRST + day * DAY + np.sort(rng.integers(0, DAY, n))
    return pa.table(
        {
            "time": pa.array(at // 1_000).cast(pa.timestamp("us", tz="UTC")),
            "amount": factor * rng.lognormal(3.0, 1.0, n),
            "country": pa.array(["SE", "DE", "US"]).take(pa.array(rng.integers(0, 3, n))),
        }
    )


def tidegauge(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tidegauge.cli", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reference, three days of files of which the last is in cents, and an archive of them."""
    folder = tmp_path_factory.mktemp("watch")
    pq.write_table(day_of_rows(-1, 20_000), folder / "train.parquet")
    for day in range(N_DAYS):
        pq.write_table(day_of_rows(day, factor=100.0 if day == 2 else 1.0), folder / f"day-{day}.parquet")
    schema = tg.Schema.infer(folder / "train.parquet", timestamp="time")
    fitted = tidegauge("reference", "train.parquet", "-o", "ref.tg", "--segment", "country", cwd=folder)
    assert (fitted.returncode, fitted.stderr) == (0, "")
    assert tg.load(folder / "ref.tg") == tg.Reference.fit(folder / "train.parquet", segments=["country"])
    tg.Reference.fit(folder / "train.parquet", schema=schema, segments=["country"]).save(folder / "ref.tg")
    done = tidegauge(
        *("watch", "day-*.parquet", "--reference", "ref.tg", "--archive", "a.db", "--model", "fraud"),
        *("--window", "6h", "--segment", "country"),
        cwd=folder,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "14,400 rows archived\n"
    return folder


def test_watch_archives_what_the_files_hold(folder: Path) -> None:
    with tg.Archive(folder / "a.db") as archive:
        whole = archive.windows("fraud", step="1d")
        assert [profile.n_rows for profile in whole.values()] == [4_800] * N_DAYS
        reference = tg.load(folder / "ref.tg")
        windows = archive.windows("fraud")
        assert list(windows) == list(
            tg.profile_windows(str(folder / "day-*.parquet"), reference, window="6h")
        )
        parts = [archive.merged("fraud", segment=each) for each in archive.segments("fraud")]
        assert sum(part.n_rows for part in parts) == 14_400


def test_judge_judges_once_and_says_what_it_found(folder: Path) -> None:
    done = tidegauge("judge", "a.db", cwd=folder)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, len(lines)) == (1, "", 4 * N_DAYS)
    assert all("fraud  ok" in line for line in lines[:8])
    assert all("fraud  alert" in line and "amount" in line for line in lines[8:])
    again = tidegauge("judge", "a.db", cwd=folder)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_windows_lists_them_with_their_verdicts(folder: Path) -> None:
    tidegauge("judge", "a.db", cwd=folder)
    done = tidegauge("windows", "a.db", "--model", "fraud", "--last", "7d", "--json", cwd=folder)
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert [each["status"] for each in found] == ["ok"] * 8 + ["alert"] * 4
    assert {each["n_verdicts"] for each in found} == {1}
    table = tidegauge("windows", "a.db", "--step", "1d", "--last", "2d", cwd=folder)
    assert table.returncode == 0
    assert table.stdout.count(" 4,800 │") == 2
    assert "4 windows: 4 alert" in table.stdout
    assert "4 windows, all ok" in table.stdout
    segment = tidegauge("windows", "a.db", "--segment", "country=SE", "--step", "1w", "--json", cwd=folder)
    rows = sum(each["n_rows"] for each in json.loads(segment.stdout))
    expected = sum(
        int((table["country"].to_numpy(zero_copy_only=False) == "SE").sum())
        for table in map(pq.read_table, folder.glob("day-*.parquet"))
    )
    assert rows == expected


def test_compact_keeps_every_count(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "b.db"
    with sqlite3.connect(folder / "a.db") as source, sqlite3.connect(copy) as target:
        source.backup(target)
    done = tidegauge("compact", copy, "--older-than", "1d", "--to", "1d", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("48 records became 12, of 28,800 rows")
    with tg.Archive(copy) as after, tg.Archive(folder / "a.db") as before:
        assert [p.n_rows for p in after.windows("fraud").values()] == [4_800] * N_DAYS
        assert after.merged("fraud")["amount"].n_rows == before.merged("fraud")["amount"].n_rows


def test_watch_follows_files_that_come_to_be(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tidegauge.cli", "watch", str(tmp_path / "*.parquet"), "--follow"]
    command += ["--reference", str(folder / "ref.tg"), "--archive", str(tmp_path / "a.db"), "--window", "1d"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for day in range(2):
            pq.write_table(day_of_rows(day, 500), tmp_path / "half-written")
            os.rename(tmp_path / "half-written", tmp_path / f"{day}.parquet")
            deadline, n_rows = time.monotonic() + 60, 0
            while n_rows < 500 * (day + 1) and time.monotonic() < deadline:
                time.sleep(0.2)
                with tg.Archive(tmp_path / "a.db", read_only=True) as archive:
                    if (tmp_path / "a.db").exists() and archive.models():
                        n_rows = archive.merged("model").n_rows
            assert n_rows == 500 * (day + 1)
    finally:
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (0, "")
    assert out == "1,000 rows archived\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("judge", "nowhere.db"), "nowhere.db"),
        (("windows", "nowhere.db"), "nowhere.db"),
        (("compact", "nowhere.db"), "nowhere.db"),
        (("windows", "a.db", "--model", "other"), "no such model"),
        (("windows", "a.db", "--segment", "SE"), "COLUMN=VALUE"),
        (("windows", "a.db", "--last", "soon"), "is no length of time"),
        (("judge", "ref.tg"), "ref.tg"),
        (("compact", "a.db", "--to", "0d"), "above 0"),
        (("watch", "day-0.parquet", "--reference", "a.db", "--archive", "b.db"), "a.db"),
        (("watch", "nothing-*.parquet", "--reference", "ref.tg", "--archive", "b.db"), "nothing-"),
        (
            ("watch", "day-0.parquet", "--reference", "ref.tg", "--archive", "b.db", "--segment", "amount"),
            "amount",
        ),
    ],
)
def test_errors_are_one_line_and_code_2(folder: Path, words: tuple[str, ...], told: str) -> None:
    done = tidegauge(*words, cwd=folder)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert told in done.stderr
