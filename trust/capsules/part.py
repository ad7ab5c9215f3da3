"""The part `capsules`: every case in the engine, some again under sanitizers, some again through Python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from trust import sanitized
from trust.part import Outcome, Part
from trust.totals import ROOT

# Of so many cases one is tried again: no factor of the number of layouts, so that each comes by.
STEP_SANITIZED, STEP_PYTHON = 11, 53
HANG_SECONDS = 30.0  # for one case; the slowest take a millisecond
MOST_CRASHES = 20


def run(first: int, n: int, seconds: float) -> Outcome:
    """Try cases first … first + n - 1."""
    began = time.monotonic()
    outcome = tried_apart("engine", first, n, 1, seconds / 2)
    n = outcome.tried
    left = max(10.0, seconds - (time.monotonic() - began))
    again = {"through Python": tried_apart("python", first, n, STEP_PYTHON, left / 3)}
    try:
        environment = sanitized.environment("asan-ubsan")
    except FileNotFoundError:
        outcome.counts["not tried under sanitizers: not built"] += n // STEP_SANITIZED
    else:
        again["under sanitizers"] = tried_apart("engine", first, n, STEP_SANITIZED, left, environment)
    for where, other in again.items():
        outcome.findings.extend(f"{finding} [{where}]" for finding in other.findings)
        outcome.counts[f"again {where}"] += other.counts["refused"] + other.counts["accepted"]
    return outcome


def tried_apart(
    mode: str, first: int, n: int, step: int, seconds: float, environment: dict[str, str] | None = None
) -> Outcome:
    """Try every `step`th of these cases in a child; one that dies names its case, and the next goes on."""
    outcome = Outcome(0)
    tried, until = 0, time.monotonic() + seconds
    with tempfile.NamedTemporaryFile() as file:
        while tried < n and len(outcome.findings) < MOST_CRASHES:
            arguments = [mode, str(first + tried), str(n - tried), str(step)]
            left = max(0.0, until - time.monotonic())
            Path(file.name).write_bytes((first + tried).to_bytes(8, "little"))
            told, how = told_by([*arguments, str(left), file.name], environment, Path(file.name))
            if told is not None:
                outcome.findings.extend(told["findings"])
                outcome.counts.update(told["counts"])
                tried += told["tried"]
                break
            case = int.from_bytes(Path(file.name).read_bytes()[:8], "little")
            outcome.findings.append(f"case {case} {how}: python -m trust try capsules {case}")
            tried = case - first + step
    return Outcome(min(tried, n), outcome.findings, outcome.counts)


def told_by(
    arguments: list[str], environment: dict[str, str] | None, progress: Path
) -> tuple[dict[str, Any] | None, str]:
    """Run a child; return what it tells, or nothing and how it ended."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "trust.capsules.child", *arguments],
            cwd=ROOT,
            env=environment or dict(os.environ),
            stdout=out,
            stderr=errors,
        )
        at, since = b"", time.monotonic()
        while child.poll() is None:
            now = progress.read_bytes()
            if now != at:
                at, since = now, time.monotonic()
            if time.monotonic() - since > HANG_SECONDS:
                child.kill()
                child.wait()
                return None, "hangs"
            time.sleep(0.02)
        out.seek(0)
        errors.seek(0)
        if child.returncode == 0:
            return json.loads(out.read().rpartition("\n{")[2].join(["{", ""])), ""
        lines = [line for line in errors.read().splitlines() if "ERROR" in line or "error" in line]
        died = child.returncode < 0
        how = f"dies by {signal.Signals(-child.returncode).name}" if died else f"ends with {child.returncode}"
        return None, f"{how} ({lines[0][:300] if lines else ''})"


CAPSULES = Part(
    name="capsules",
    unit="structures",
    promise="a malformed Arrow structure is refused by name and changes nothing, where it can be noticed",
    run=run,
    change=100_000,
    deep=10_000_000,
)
