"""The part: a program of the engine alone, in which every allocation fails in its turn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from trust import sanitized
from trust.part import Outcome, Part
from trust.slices import decoded
from trust.totals import ROOT

NAME = "cpp/trust_allocations"
GROUP = 256  # cases of one operation in a row
N_OPERATIONS = 20


def plain() -> Path:
    """Return the program as it was built with the package. Raises FileNotFoundError."""
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    for found in sorted((ROOT / "build").glob(f"{tag}-*/{NAME}")):
        return found
    raise FileNotFoundError(f"build/{tag}-*/{NAME} is not built; run: make setup")


def run_program(program: Path, first: int, n: int, seconds: float, *more: str) -> Outcome:
    """Try cases; a program that dies is a finding, with the last case that it began and its last words."""
    options = {"ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1:abort_on_error=1"}
    done = subprocess.run(
        [program, str(first), str(n), str(seconds), *more],
        env=os.environ | options,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if not done.returncode:
        return decoded(done.stdout.strip().rpartition("\n")[2])
    words = [each for each in done.stderr.splitlines() if each.strip()]
    told = [each for each in words if "case " in each or "SUMMARY" in each or "ERROR" in each] or words[-3:]
    again = f"python -m trust try allocations {first} {n}"
    return Outcome(0, [f"ended with {done.returncode}: {'; '.join(told)[:600]}: {again}"])


def run(first: int, n: int, seconds: float) -> Outcome:
    """Try cases under the sanitizers."""
    return run_program(sanitized.build("asan-ubsan") / NAME, first, n, seconds)


ALLOCATIONS = Part(
    "allocations",
    "allocations failed",
    "the engine without memory says so, is as before the call or refuses to go on, and leaks nothing",
    run,
    change=GROUP * N_OPERATIONS,
    deep=200_000,
)
