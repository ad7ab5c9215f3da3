"""`tidegauge performance` as real processes: rows, profiles, labels that came later, archives."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.performance.rows import DAY, FIRST, days, fitted

import tidegauge as tg


def tidegauge(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tidegauge.cli", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reference; four days with labels, the same without and their labels apart, four bad days."""
    folder = tmp_path_factory.mktemp("performance")
    reference = fitted()
    reference.save(folder / "ref.tg")
    rows = days(40, 44, n=3_000)
    pq.write_table(rows, folder / "rows.parquet")
    pq.write_table(rows.drop_columns(["y"]), folder / "unlabelled.parquet")
    labels = rows.select(["id", "y"]).take(np.random.default_rng(0).permutation(rows.num_rows))
    pq.write_table(labels, folder / "labels.parquet")
    pq.write_table(days(40, 44, n=3_000, lost=0.4), folder / "bad.parquet")
    tg.profile(rows, reference).save(folder / "rows.tg")
    return folder


def told(folder: Path, *words: object, code: int = 0) -> dict:
    done = tidegauge("performance", *words, "--json", cwd=folder)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_rows_profiles_and_joined_labels_tell_the_same(folder: Path) -> None:
    reference = tg.load(folder / "ref.tg")
    wanted = tg.performance(tg.profile(folder / "rows.parquet", reference), reference).to_dict()
    assert told(folder, "rows.parquet", "--reference", "ref.tg") == wanted
    assert told(folder, "rows.tg", "--reference", "ref.tg") == wanted
    joined = ("unlabelled.parquet", "--reference", "ref.tg", "--labels", "labels.parquet", "--id", "id")
    assert told(folder, *joined) == wanted
    done = tidegauge("performance", *joined[:-2], cwd=folder)  # the schema knows the id
    assert "12,000 of 12,000 rows have a label; 0 labels were given again" in done.stderr
    assert done.stdout.startswith("ok: realised roc_auc")


def test_a_loss_exits_with_1_and_names_it(folder: Path) -> None:
    found = told(folder, "bad.parquet", "--reference", "ref.tg", "--fail-on", "alert", code=1)
    assert found["status"] == "alert"
    assert "realised" in found["summary"]


def test_windows_are_told_one_by_one_with_a_page(folder: Path) -> None:
    found = told(folder, "bad.parquet", "--reference", "ref.tg", "--window", "1d", "--html", "p.html", code=1)
    assert len(found["windows"]) == 4
    assert found["alarms"][0]["name"] in {"brier", "error_rate"}
    assert "<svg" in (folder / "p.html").read_text()


def test_labels_of_nobody_are_an_error_and_repeated_ones_are_counted(folder: Path, tmp_path: Path) -> None:
    labels = pq.read_table(folder / "labels.parquet")
    joined = ("performance", "unlabelled.parquet", "--reference", "ref.tg", "--labels")
    digits = labels["id"].cast("string")
    pq.write_table(labels.set_column(0, "id", digits), tmp_path / "text.parquet")
    done = tidegauge(*joined, tmp_path / "text.parquet", cwd=folder)
    assert "12,000 of 12,000 rows have a label" in done.stderr  # 5 is "5", as for an archive's labels
    others = pc.binary_join_element_wise(digits, "x", "")
    pq.write_table(labels.set_column(0, "id", others), tmp_path / "others.parquet")
    done = tidegauge(*joined, tmp_path / "others.parquet", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "are they ids of the same rows?" in done.stderr
    pq.write_table(pa.concat_tables([labels, labels.slice(0, 7)]), tmp_path / "twice.parquet")
    done = tidegauge(*joined, tmp_path / "twice.parquet", cwd=folder)
    assert "7 labels were given again" in done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["rows.parquet", "unlabelled.parquet"], "name the --reference"),
        (["rows.parquet", "--reference", "rows.tg"], "is a profile, not a reference"),
        (["rows.tg", "--reference", "ref.tg", "--labels", "labels.parquet"], "hold no ids"),
        (
            ["rows.parquet", "--reference", "ref.tg", "--labels", "labels.parquet"],
            "has the column 'y' already",
        ),
        (
            ["unlabelled.parquet", "--reference", "ref.tg", "--labels", "labels.parquet", "--id", "key"],
            "'key'",
        ),
        (["rows.parquet", "--reference", "ref.tg", "--budget", "2"], "budget is 2.0"),
        (["nothing.db"], "there is no such file"),
    ],
)
def test_errors_are_one_line_with_a_remedy(folder: Path, words: list[str], why: str) -> None:
    done = tidegauge("performance", *words, cwd=folder)
    assert done.returncode == 2
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_a_monitors_windows_are_judged_and_told(folder: Path, tmp_path: Path) -> None:
    reference = tg.load(folder / "ref.tg")
    url = tmp_path / "a.db"
    end_ns = int((FIRST + 44 * DAY).astype("M8[ns]").astype(int))
    rows = days(40, 44, n=3_000)
    with tg.Monitor("m", reference, archive=str(url), window="1d", clock=lambda: end_ns) as monitor:
        monitor.update(days(40, 43, n=3_000))
        monitor.update(days(43, 44, n=3_000, lost=0.5))
    with tg.Archive(url) as archive:
        verdicts = tg.judge(archive, now_ns=end_ns + 10**12)
        (series,) = archive.models()
        assert tg.verdicts(archive, series) == verdicts
    assert [each.performance["status"] for each in verdicts] == ["ok", "ok", "ok", "alert"]
    assert verdicts[-1].status == "alert"
    old = {name: value for name, value in verdicts[0].to_dict().items() if name != "performance"}
    read = tg.Verdict.from_bytes(zlib.compress(json.dumps(old).encode()))  # as before it told of performance
    assert read.performance is None
    assert read.summary == verdicts[0].summary
    assert "performance alert: " in verdicts[-1].summary
    assert verdicts[0].performance["n_rows"] == rows.num_rows / 4
    found = told(tmp_path, "a.db", code=1)
    assert [each["status"] for each in found["windows"]] == ["ok", "ok", "ok", "alert"]
    merged = told(tmp_path, "a.db", "--window", "7d", code=1)
    assert len(merged["windows"]) < 4
