"""Which branches of what reads foreign bytes were taken by the tests and by hostile input, file by file.

    python -m trust.coverage [--bound 0.95] [--missed] [--measured]

Three groups: the Arrow import (cpp/tidegauge/arrow), the decoders (every function of the engine that reads
from a ByteReader), and the archives (src/tidegauge/archive), which must open whatever a crash left. `make
coverage` builds the preset first. Ends with 1 below the bound.

A branch is a line's: templates and inlined copies of it are one, taken if any of them took it. Left out are
the branches that GCC adds to every call that may throw, those it finds unreachable, and those of lines that
only build the words of an error; so are lines marked GCOVR_EXCL_LINE or `pragma: no cover`, each with its
reason beside it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

from trust.capsules.part import tried_apart
from trust.fuzz.parts import CORPUS, GOLDEN
from trust.totals import ROOT

BUILD = ROOT / "build" / "coverage"
SITE = ROOT / "build" / "coverage-site"
FOUND = ROOT / ".trust" / "coverage"
IMPORT = "import"
DECODERS = "decoders"
ARCHIVES = "archives"
# What reads foreign bytes, and no more: the build that counts is slow.
ENGINE_TESTS = (
    [
        *("tests/test_arrow_import.py", "tests/test_arrow_malformed.py", "tests/test_inputs.py"),
        *("tests/test_take.py", "tests/test_partition.py", "tests/test_stage.py", "tests/test_golden.py"),
        *("tests/test_bad_input.py", "tests/test_outcomes_native.py", "tests/test_forged_container.py"),
        *("tests/test_forged_sketches.py", "tests/test_forged_joint.py", "tests/test_forged_outcomes.py"),
        "tests/test_quoted.py",
    ],
    ["tests/test_profile_laws.py", "-k", "refused or container or without_its_edges or changes_nothing"],
)
N_CAPSULES = 26_000  # more than there are pairs of a layout and a fault, twice
N_FUZZED = {"run": 100_000, "sweep": 3_000}  # by the modes of trust/fuzz/driver.cpp
ARCHIVE_TESTS = (
    *("tests/archive", "tests/labels", "tests/test_cli_archives.py"),
    # It looks at what a process loads, and coverage.py loads sqlite3.
    "--deselect=tests/archive/test_processes.py"
    "::test_the_serving_path_of_each_kind_loads_no_more_than_it_needs",
)
IS_DECODER = re.compile(r"decode|ByteReader")


@dataclass
class Branches:
    """The branches of one file: by line and number, whether one was taken."""

    taken: dict[tuple[int, str], bool] = field(default_factory=dict)

    def add(self, line: int, branch: str, taken: bool) -> None:
        self.taken[line, branch] = taken or self.taken.get((line, branch), False)

    @property
    def n_taken(self) -> int:
        return sum(self.taken.values())

    def missed(self) -> list[int]:
        """Return the lines with a branch that was not taken."""
        return sorted({line for (line, _), taken in self.taken.items() if not taken})


Groups = dict[str, dict[str, Branches]]


def measure() -> None:
    """Run the tests, and hostile input, over the build that counts."""
    FOUND.mkdir(parents=True, exist_ok=True)
    for old in (*BUILD.rglob("*.gcda"), *FOUND.glob("*")):
        old.unlink()
    environment = os.environ | {"PYTHONPATH": str(SITE), "COVERAGE_FILE": str(FOUND / "python")}

    def run(*command: str | Path) -> None:
        subprocess.run(command, cwd=ROOT, env=environment, check=True)

    pytest = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    for tests in ENGINE_TESTS:
        run(sys.executable, *pytest, *tests)
    if findings := tried_apart("engine", 0, N_CAPSULES, 1, 600.0, environment).findings:
        raise SystemExit("\n".join(findings))
    for mode, n in N_FUZZED.items():
        run(BUILD / "fuzz" / "fuzz", mode, CORPUS, *GOLDEN, "--runs", str(n))
    # pyproject.toml has children counted too: much of an archive is what processes do to each other.
    coverage = (sys.executable, "-m", "coverage")
    run(*coverage, "run", *pytest, *ARCHIVE_TESTS)
    run(*coverage, "combine", "-q")
    run(*coverage, "json", "-q", "-o", FOUND / "archives.json")
    gcovr = ("--json", FOUND / "engine.json", "--filter", "cpp/tidegauge/", "-j", "2")
    only = ("--exclude-throw-branches", "--exclude-unreachable-branches", "--exclude-noncode-lines")
    # Lines that build an error's words decide nothing; GCC branches there to clean temporaries up.
    words = ("--exclude-branches-by-pattern", r"\s*(throw\b|(return )?refuse(?!_if)\w*\(|std::to_string).*")
    run(sys.executable, "-m", "gcovr", *gcovr, *only, *words, BUILD)


def groups() -> Groups:
    """Return what was measured."""
    found: Groups = {IMPORT: {}, DECODERS: {}, ARCHIVES: {}}
    for group, name, line, branch, taken in (*engine_branches(), *python_branches()):
        found[group].setdefault(name, Branches()).add(line, branch, taken)
    return found


def engine_branches() -> Iterator[tuple[str, str, int, str, bool]]:
    """Yield each branch of the import and of the decoders."""
    for each in json.loads((FOUND / "engine.json").read_text())["files"]:
        name = each["file"].removeprefix("cpp/tidegauge/")
        for line in each["lines"]:
            if name.startswith("arrow/"):
                group = IMPORT
            elif IS_DECODER.search(line.get("function_name", "")):
                group = DECODERS
            else:
                continue
            for branch in line["branches"]:
                if not branch.get("gcovr/excluded"):
                    yield group, name, line["line_number"], str(branch["branchno"]), branch["count"] > 0


def python_branches() -> Iterator[tuple[str, str, int, str, bool]]:
    """Yield each branch of the archives: from a line to another."""
    for path, each in json.loads((FOUND / "archives.json").read_text())["files"].items():
        for what, taken in (("executed_branches", True), ("missing_branches", False)):
            for begin, end in each[what]:
                yield ARCHIVES, f"archive/{Path(path).name}", begin, str(end), taken


def table(found: Groups) -> str:
    """Return the figures of each file, as a table in Markdown."""
    lines = ["| group | file | branches | taken | |", "|---|---|---|---|---|"]
    for group, files in found.items():
        sums: dict[str, int] = defaultdict(int)
        for name, each in sorted(files.items()):
            lines.append(row("", name, each.n_taken, len(each.taken)))
            sums["taken"] += each.n_taken
            sums["all"] += len(each.taken)
        lines.append(row(f"**{group}**", "", sums["taken"], sums["all"]))
    return "\n".join(lines)


def row(group: str, name: str, taken: int, n: int) -> str:
    return f"| {group} | {name} | {n} | {taken} | {share(taken, n):.1%} |"


def share(taken: int, n: int) -> float:
    return taken / n if n else 1.0


def below(found: Groups, bound: float) -> list[str]:
    """Return the groups of which less than `bound` was taken."""
    return [
        group
        for group, files in found.items()
        if sum(each.n_taken for each in files.values())
        < bound * sum(len(each.taken) for each in files.values())
    ]


@click.command(help=__doc__.partition("\n")[0] if __doc__ else None)
@click.option("--bound", default=0.90, help="the least share of each group")
@click.option("--missed", is_flag=True, help="list the lines with branches that were not taken")
@click.option("--measured", is_flag=True, help="show what was measured last, and run nothing")
def main(bound: float, missed: bool, measured: bool) -> None:
    """Measure, print, compare."""
    if not measured:
        measure()
    found = groups()
    click.echo(table(found))
    if missed:
        for files in found.values():
            for name, each in sorted(files.items()):
                if lines := each.missed():
                    click.echo(f"{name}: {', '.join(map(str, lines))}")
    if lacking := below(found, bound):
        click.echo(f"below {bound:.0%}: {', '.join(lacking)}")
        raise SystemExit(1)


if __name__ == "__main__":
    main()
