"""Two parts: mutations without end, and every cut, flipped bit and field of every file of the corpus."""

from __future__ import annotations

import json
import struct
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from trust.part import Outcome, Part
from trust.sanitized import ROOT, build

CORPUS = Path(__file__).parent / "corpus"
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*/*.tg"))
KEPT = ROOT / ".trust" / "fuzz"  # inputs that ended the program
PART_OF = {"run": "fuzz", "sweep": "sweep"}  # by the driver's modes
SAYS = ("ERROR: ", "runtime error: ", "fuzz: ", "terminate called")


def program() -> Path:
    """Return the driver. Raises FileNotFoundError with the command that builds it."""
    return build("asan-ubsan") / "fuzz" / "fuzz"


def drive(mode: str, first: int, n: int, seconds: float, *more: str) -> Outcome:
    """Have the driver try executions first … first + n - 1; an end other than its own is a finding."""
    with tempfile.TemporaryDirectory() as folder:
        current = Path(folder) / "current"
        limits = ["--first", str(first), "--runs", str(n), "--seconds", str(seconds)]
        done = subprocess.run(
            [program(), mode, CORPUS, *GOLDEN, *limits, "--current", current, *more],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode == 0:
            return told(mode, json.loads(done.stdout))
        return died(mode, first, done, current)


def told(mode: str, report: dict[str, Any]) -> Outcome:
    """Return the outcome that the driver's report speaks of."""
    counts: Counter[str] = Counter()
    for name, (n, n_accepted) in report["targets"].items():
        counts[name] = n
        counts["accepted"] += n_accepted
    findings = [f"{each}; again: {again(mode, each.partition(' ')[0])}" for each in report["findings"]]
    levels = {
        "slowest, ms": report["slowest_ms"],
        "largest allocation, bytes": float(report["largest_allocation"]),
        "most memory, bytes": float(report["most_memory"]),
    }
    return Outcome(report["executions"], findings, counts, levels)


def again(mode: str, number: str | int) -> str:
    """Return what a person types to see an execution again."""
    return f"python -m trust try {PART_OF[mode]} {number}"


def died(mode: str, first: int, done: subprocess.CompletedProcess[str], current: Path) -> Outcome:
    """Return an outcome that says what ended the driver, in which execution, and where its input is kept."""
    lines = [line for line in done.stderr.splitlines() if any(mark in line for mark in SAYS)]
    said = lines[0] if lines else done.stderr
    held = current.read_bytes() if current.exists() else b""
    if not any(held):
        raise RuntimeError(f"the fuzzer did not start: {done.stderr.strip()[-300:]}")
    number, size = struct.unpack("<QQ", held[:16])
    target = held[16:48].rstrip(b"\0").decode()
    KEPT.mkdir(parents=True, exist_ok=True)
    file = KEPT / f"{target}-{mode}-{number}"
    file.write_bytes(held[48 : 48 + size])
    what = f"{number} ({target}): ends with {done.returncode} ({said.strip()[:200]}), input in {file}"
    return Outcome(number - first + 1, [f"{what}; again: {again(mode, number)}"])


FUZZ = Part(
    name="fuzz",
    unit="executions",
    promise="no bytes and no table crash, hang, leak, take memory without bound or are read as another's",
    run=lambda first, n, seconds: drive("run", first, n, seconds),
    change=1_000_000,
    deep=100_000_000,
)
SWEEP = Part(
    name="sweep",
    unit="altered files",
    promise="a file cut anywhere, with any bit flipped or any field at a limit, is refused or read whole",
    run=lambda first, n, seconds: drive("sweep", first, n, seconds),
    change=40_000,
    deep=5_000_000,  # more than there are (tests/trust/test_fuzz.py): all of them
)
