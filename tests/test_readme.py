"""What the README shows, runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def block_with(words: str) -> str:
    """The one piece of Python that says so."""
    (found,) = [block for block in blocks("py") if words in block]
    return found


def output_of(program: str, folder: Path) -> str:
    """What a program prints that ends well and says nothing on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_example_runs_and_names_the_column(tmp_path: Path) -> None:
    (example,) = blocks("python")
    said = output_of(example, tmp_path)
    assert "amount" in said
    assert "alert" in said.lower()
    assert (tmp_path / "today.tg").stat().st_size < 32_768


# What the scan is shown with: the example's data, over 60 days and the month after.
IN_TIME = """
first = np.datetime64("2026-08-01", "s")
train["time"] = first + (np.arange(100_000) * 51).astype("timedelta64[s]")
october = {"amount": rng.lognormal(3.2, 1, 50_000), "country": rng.choice(["SE", "DE"], 50_000)}
october["time"] = np.datetime64("2026-10-01", "s") + (np.arange(50_000) * 51).astype("timedelta64[s]")
"""


def test_the_scan_of_the_example_finds_when(tmp_path: Path) -> None:
    (example,), windows = blocks("python"), block_with("tg.scan(")
    said = output_of(example + IN_TIME + windows + "\nprint(result.since, result)", tmp_path)
    assert "2026-10-01 UTC" in said
    assert "shift" in said


def test_the_monitor_of_the_example_archives_and_judges(tmp_path: Path) -> None:
    (example,), monitor = blocks("python"), block_with("tg.Monitor(")
    said = output_of(example + monitor, tmp_path)
    assert "Health(status='closed'" in said
    assert "Profile of" in said
    assert (tmp_path / "tidegauge.db").stat().st_size > 4_096


LABELLED = """
import numpy as np
import tidegauge as tg
rng = np.random.default_rng(5)
def rows(first, n, lost=0.0):
    p = rng.beta(2, 3, n)
    y = np.where(rng.random(n) < lost, rng.random(n) < 0.4, rng.random(n) < p).astype(int)
    return {"p": p, "y": y, "time": np.datetime64(first, "s") + (np.arange(n) * 302).astype("timedelta64[s]")}
test_set, production = rows("2026-01-05", 40_000), rows("2026-06-01", 20_000, lost=0.3)
"""


def test_the_performance_of_the_example_is_told_with_and_without_labels(tmp_path: Path) -> None:
    example = block_with("tg.performance_scan(")
    said = output_of(
        LABELLED + example + "\nprint(performance, tg.performance_scan(weeks, reference).since)", tmp_path
    )
    assert said.startswith("alert: ")
    assert "realised" in said
    assert "estimated" in said
    assert "2026-06-01" in said.splitlines()[-1]


SEGMENTED = """
place = np.random.default_rng(6)
for side in (test_set, production):
    side["country"] = place.choice(["PRT", "DEU"], len(side["p"]))
    side["channel"] = place.choice(["app", "web"], len(side["p"]))
wrong = (production["country"] == "PRT") & (place.random(len(production["p"])) < 0.5)
production["y"][wrong] = place.random(wrong.sum()) < 0.4
"""


def test_the_causes_of_the_example_are_told(tmp_path: Path) -> None:
    scan, causes = block_with("tg.performance_scan("), block_with("tg.find_slices(")
    shown = "\nprint(performance.summary, tg.find_slices(parts, reference).summary, sep='|')"
    summary, slices = output_of(LABELLED + SEGMENTED + scan + causes + shown, tmp_path).split("|")
    assert "country=PRT -" in summary or "country=PRT +" in summary
    assert "by rate" in summary
    assert "inputs explain" in summary
    assert slices.startswith("country=PRT worse by")


def test_the_reports_of_the_example_are_written(tmp_path: Path) -> None:
    (example,), reports = blocks("python"), block_with("render_junit")
    output_of(example + reports, tmp_path)
    names = re.findall(r'"([\w.]+\.(?:html|xml|png))"', reports)
    assert len(names) == 3
    for name in names:
        assert (tmp_path / name).stat().st_size > 200


def test_the_commands_it_shows_exist() -> None:
    shown = re.findall(r"^tidegauge (\w+)", "\n".join(blocks("sh")), flags=re.MULTILINE)
    assert shown
    for command in shown:
        done = subprocess.run(
            [sys.executable, "-m", "tidegauge.cli", command, "--help"],
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", re.findall(r"\bmake (\w+)", README))
def test_the_make_targets_it_names_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("path", re.findall(r"`((?:docs/|benchmarks/)?[\w.-]+\.(?:md|py))`", README))
def test_the_files_it_names_exist(path: str) -> None:
    assert (ROOT / path).is_file()
