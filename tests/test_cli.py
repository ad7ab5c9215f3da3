"""The command line, as real processes: exit codes, errors in one line, whole files or none."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidegauge as tg

N = 20_000


def tidegauge(*words: object, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tidegauge.cli", *map(str, words)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120, **options
    )  # type: ignore[call-overload]


def rows(seed: int, n: int = N, scale: float = 1.0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "row": np.arange(seed * n, (seed + 1) * n),  # always new: profiled, never judged
            "amount": scale * rng.lognormal(3.0, 1.0, n),
            "count": rng.poisson(4.0, n),
            "country": pa.array(["SE", "DE", "US"]).take(pa.array(rng.integers(0, 3, n))),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data files train, same and cents, and the reference of train."""
    folder = tmp_path_factory.mktemp("cli")
    for name, table in (("train", rows(1)), ("same", rows(2)), ("cents", rows(3, scale=100.0))):
        pq.write_table(table, folder / f"{name}.parquet")
    done = tidegauge("reference", "train.parquet", "-o", "ref.tg", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_reference_is_what_the_api_fits(folder: Path) -> None:
    assert tg.load(folder / "ref.tg").to_bytes() == tg.Reference.fit(folder / "train.parquet").to_bytes()


def test_profile_is_what_the_api_makes(folder: Path, tmp_path: Path) -> None:
    day = tmp_path / "day.tg"
    done = tidegauge("profile", "same.parquet", "-o", day, "--reference", "ref.tg", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "20,000 rows, 4 columns" in done.stdout
    assert tg.load(day) == tg.profile(folder / "same.parquet", tg.load(folder / "ref.tg"))


def test_profile_of_several_files_counts_them_all(folder: Path, tmp_path: Path) -> None:
    done = tidegauge("profile", "train.parquet", "same.parquet", "-o", tmp_path / "two.tg", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert tg.load(tmp_path / "two.tg").n_rows == 2 * N


def test_light_is_smaller(folder: Path, tmp_path: Path) -> None:
    for accumulators in ("full", "light"):
        output = tmp_path / f"{accumulators}.tg"
        done = tidegauge("profile", "same.parquet", "-o", output, "--accumulators", accumulators, cwd=folder)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "light.tg").stat().st_size < (tmp_path / "full.tg").stat().st_size


def test_threads_change_no_byte(folder: Path, tmp_path: Path) -> None:
    for threads in (1, 2):
        done = tidegauge(
            "profile", "same.parquet", "-o", tmp_path / f"{threads}.tg", "--threads", threads, cwd=folder
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "1.tg").read_bytes() == (tmp_path / "2.tg").read_bytes()


def test_compare_exits_0_when_nothing_is_found(folder: Path) -> None:
    done = tidegauge("compare", "ref.tg", "same.parquet", cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_compare_exits_1_and_names_the_column(folder: Path) -> None:
    done = tidegauge("compare", "ref.tg", "cents.parquet", cwd=folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert "amount" in done.stdout


def test_compare_takes_a_saved_profile_and_says_the_same(folder: Path, tmp_path: Path) -> None:
    day = tmp_path / "day.tg"
    tidegauge("profile", "cents.parquet", "-o", day, "--reference", "ref.tg", cwd=folder)
    saved = tidegauge("compare", "ref.tg", day, "--json", cwd=folder)
    fresh = tidegauge("compare", "ref.tg", "cents.parquet", "--json", cwd=folder)
    assert saved.returncode == fresh.returncode == 1
    assert json.loads(saved.stdout) == json.loads(fresh.stdout)


def test_json_is_the_comparison(folder: Path) -> None:
    done = tidegauge("compare", "ref.tg", "cents.parquet", "--json", cwd=folder)
    reference = tg.load(folder / "ref.tg")
    expected = tg.compare(reference, tg.profile(folder / "cents.parquet", reference)).to_dict()
    assert json.loads(done.stdout) == json.loads(json.dumps(expected))


def test_show_lists_columns_and_one_of_them(folder: Path) -> None:
    listed = tidegauge("show", "ref.tg", cwd=folder)
    assert listed.returncode == 0, listed.stderr
    assert all(word in listed.stdout for word in ("amount", "count", "country", "20,000 rows"))
    one = tidegauge("show", "ref.tg", "country", cwd=folder)
    assert one.returncode == 0, one.stderr
    assert "SE" in one.stdout
    assert "amount" not in one.stdout


def test_a_hostile_name_is_shown_not_obeyed(tmp_path: Path) -> None:
    name = "[bold red]x\x1b[2J"
    pq.write_table(pa.table({name: rows(1)["amount"]}), tmp_path / "hostile.parquet")
    assert tidegauge("profile", "hostile.parquet", "-o", "h.tg", cwd=tmp_path).returncode == 0
    done = tidegauge("show", "h.tg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "[bold red]x" in done.stdout


def test_bench_prints_a_table(tmp_path: Path) -> None:
    done = tidegauge("bench", "--rows", 20_000, "--kinds", "float64,category", "--nulls", 0.1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in ("float64", "category", "ns/value", "GB/s", "np.sum"))


ERRORS = {
    "no such file": (("profile", "absent.parquet", "-o", "x.tg"), "absent.parquet"),
    "no match": (("profile", "absent-*.parquet", "-o", "x.tg"), "absent-*.parquet"),
    "not what its name says": (("profile", "lie.parquet", "-o", "x.tg"), "lie.parquet"),
    "not a profile": (("show", "lie.parquet"), "lie.parquet"),
    "no such column": (("show", "ref.tg", "absent"), "'absent'"),
    "not a reference": (("compare", "day.tg", "same.parquet"), "tidegauge reference"),
    "no such folder": (("profile", "same.parquet", "-o", "absent/x.tg"), "absent"),
    "bad option": (("profile", "same.parquet", "-o", "x.tg", "--threads", "0"), "--threads"),
    "bad kind": (("bench", "--kinds", "complex"), "complex"),
    "no such schema": (("reference", "same.parquet", "-o", "x.tg", "--schema", "absent.toml"), "absent.toml"),
}


@pytest.mark.parametrize("what", ERRORS)
def test_an_error_is_one_message_exit_2_and_no_file(folder: Path, what: str) -> None:
    (folder / "lie.parquet").write_bytes(b"this is no Parquet file, whatever its name says")
    if not (folder / "day.tg").exists():
        tidegauge("profile", "same.parquet", "-o", "day.tg", cwd=folder)
    words, named = ERRORS[what]
    before = set(os.listdir(folder))
    done = tidegauge(*words, cwd=folder)
    assert done.returncode == 2, done
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert set(os.listdir(folder)) == before


def test_debug_shows_the_traceback(folder: Path) -> None:
    done = tidegauge("--debug", "profile", "absent.parquet", "-o", "x.tg", cwd=folder)
    assert "Traceback" in done.stderr
    assert done.returncode not in {0, 1, 2} or "absent.parquet" in done.stderr


def test_a_full_disk_leaves_the_old_file(folder: Path, tmp_path: Path) -> None:
    """A limit on the size of written files stands for a full disk: write() fails half-way in both."""
    output = tmp_path / "day.tg"
    output.write_bytes(b"the old file")
    limited = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)); from tidegauge.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", limited, "profile", "same.parquet", "-o", str(output)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    assert output.read_bytes() == b"the old file"
    assert os.listdir(tmp_path) == ["day.tg"]


def test_a_reader_that_leaves_is_no_error(folder: Path) -> None:
    command = f"{sys.executable} -m tidegauge.cli compare ref.tg cents.parquet --json | head -c 1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stderr == ""


def test_progress_shows_on_a_terminal_only(folder: Path, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "tidegauge.cli", "profile", "same.parquet", "-o", str(tmp_path / "x.tg")]
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=follower, check=False, timeout=120
    )
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 4096):
            shown += chunk
    except OSError:  # how a closed terminal reads on Linux
        pass
    os.close(leader)
    assert done.returncode == 0
    assert b"20,000 rows" in shown
    assert b"\x1b" not in done.stdout


def test_memory_is_flat_over_a_file_much_larger_than_a_batch(tmp_path: Path) -> None:
    """Peak memory over 8 M rows (about 190 MB of values) stays within 100 MB of that over 1 M rows."""
    with pq.ParquetWriter(tmp_path / "large.parquet", rows(1).schema) as writer:
        chunk = rows(1, 250_000)
        for _ in range(32):
            writer.write_table(chunk)
    pq.write_table(pa.concat_tables([chunk] * 4), tmp_path / "small.parquet", row_group_size=250_000)
    peak = {}
    for name in ("small", "large"):
        code = (
            "from tidegauge.cli import main\n"
            "try: main()\n"
            "finally: print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, "profile", f"{name}.parquet", "-o", f"{name}.tg"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        peak[name] = int(done.stdout.split()[-2]) / 1024  # kB; ru_maxrss would be inherited from this process
    assert tg.load(tmp_path / "large.tg").n_rows == 8_000_000
    assert peak["large"] - peak["small"] < 100


def in_time(seed: int, days: int, first: str, shift: float = 0.0) -> pa.Table:
    """1,000 rows a day, in the order of time."""
    rng = np.random.default_rng(seed)
    n = days * 1_000
    time = np.datetime64(first, "s") + (np.arange(n) * 86).astype("timedelta64[s]")
    return pa.table({"time": time, "x": rng.normal(shift, 1.0, n), "k": rng.integers(0, 3, n).astype(str)})


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 days of reference that knows them, ten more like them, and ten with a shifted column."""
    folder = tmp_path_factory.mktemp("windowed")
    pq.write_table(in_time(1, 60, "2026-01-05"), folder / "train.parquet")
    pq.write_table(in_time(2, 10, "2026-04-06"), folder / "same.parquet")
    pq.write_table(in_time(3, 10, "2026-04-16", shift=0.5), folder / "moved.parquet")
    words = ("reference", "train.parquet", "-o", "ref.tg", "--window", "1d", "--timestamp", "time")
    done = tidegauge(*words, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_a_reference_keeps_its_windows(windowed: Path) -> None:
    loaded = tg.load(windowed / "ref.tg")
    assert isinstance(loaded, tg.Reference)
    assert loaded.windows is not None
    assert len(loaded.windows) == 60


def test_a_scan_names_the_day_and_exits_1(windowed: Path) -> None:
    done = tidegauge("scan", "ref.tg", "same.parquet", "moved.parquet", cwd=windowed)
    assert (done.returncode, done.stderr) == (1, "")
    assert "x since 2026-04-16 UTC" in done.stdout
    quiet = tidegauge("scan", "ref.tg", "same.parquet", "--json", cwd=windowed)
    assert (quiet.returncode, json.loads(quiet.stdout)["alarms"]) == (0, [])


def test_a_scan_takes_saved_profiles_in_order(windowed: Path, tmp_path: Path) -> None:
    reference = tg.load(windowed / "ref.tg")
    files = []
    for i, profile in enumerate(
        tg.profile_windows(windowed / "moved.parquet", reference, window="1d").values()
    ):
        files.append(tmp_path / f"{i:02}.tg")
        profile.save(files[-1])
    done = tidegauge("scan", "ref.tg", *files, cwd=windowed)
    assert done.returncode == 1
    assert "x since 0" in done.stdout


def test_a_scan_without_a_length_says_what_to_do(folder: Path) -> None:
    done = tidegauge("scan", "ref.tg", "same.parquet", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--window 1d" in done.stderr


def test_reports_are_written_beside_the_verdict(folder: Path, tmp_path: Path) -> None:
    html, markdown, junit = (tmp_path / name for name in ("r.html", "r.md", "r.xml"))
    words = ("--html", html, "--markdown", markdown, "--junit", junit)
    done = tidegauge("compare", "ref.tg", "cents.parquet", *words, cwd=folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert html.read_text().startswith("<!DOCTYPE html>")
    assert "amount" in markdown.read_text()
    assert '<testcase classname="tidegauge" name="amount"' in junit.read_text()


@pytest.mark.parametrize(
    ("data", "fail_on", "code"),
    [
        ("cents.parquet", "alert", 1),
        ("same.parquet", "alert", 0),
        ("same.parquet", "insufficient", 0),
        ("few.parquet", "warning", 0),
        ("few.parquet", "insufficient", 1),
    ],
)
def test_the_gate_fails_on_what_it_is_told(folder: Path, data: str, fail_on: str, code: int) -> None:
    pq.write_table(rows(4, n=40), folder / "few.parquet")
    done = tidegauge("compare", "ref.tg", data, "--fail-on", fail_on, cwd=folder)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--budget", "2"), "budget is 2.0"),
        (("--tolerance", "0"), "tolerance is 0.0"),
        (("--tolerance-share", "-1"), "tolerance_share is -1.0"),
        (("--window", "2026-04-06", "2026-04-01"), "it must end after it starts"),
        (("--html", "/nowhere/r.html"), "/nowhere/r.html cannot be written"),
    ],
)
def test_a_wrong_option_is_told_in_a_line(folder: Path, words: tuple[str, ...], says: str) -> None:
    done = tidegauge("compare", "ref.tg", "same.parquet", *words, cwd=folder)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
