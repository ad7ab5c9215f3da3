"""A run of cases in a process of its own, so that what kills it is a finding and not the end of the run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass

from trust.part import Outcome, Part
from trust.totals import ROOT

GRACE_SECONDS = 300.0  # past twice its time a slice hangs


@dataclass(frozen=True)
class Slice:
    """Cases first … first + n - 1 of a part."""

    part: Part
    first: int
    n: int
    seconds: float

    def command(self) -> str:
        """Return what a person types to try these cases again."""
        return f"python -m trust try {self.part.name} {self.first} {self.n}"


def encoded(outcome: Outcome) -> str:
    """Return an outcome as one line of JSON."""
    return json.dumps(vars(outcome))


def decoded(line: str) -> Outcome:
    """Return the outcome of such a line."""
    told = json.loads(line)
    return Outcome(told["tried"], told["findings"], Counter(told["counts"]), told["levels"])


def run_apart(piece: Slice) -> tuple[Outcome, float]:
    """Run a slice in a child; return what came of it and how long it took."""
    began = time.monotonic()
    arguments = [piece.part.name, str(piece.first), str(piece.n), "--seconds", str(piece.seconds), "--json"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "trust", "try", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=2 * piece.seconds + GRACE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        outcome = Outcome(0, [f"hangs: {piece.command()}"])
    else:
        outcome = told_by(done, piece)
    return outcome, time.monotonic() - began


def told_by(done: subprocess.CompletedProcess[str], piece: Slice) -> Outcome:
    """Return the outcome in the last line of a child's output; a child without one is itself a finding."""
    try:
        return decoded(done.stdout.strip().rpartition("\n")[2])
    except (ValueError, KeyError, TypeError):
        died = done.returncode < 0
        how = f"died by {signal.Signals(-done.returncode).name}" if died else f"ended with {done.returncode}"
        last = done.stderr.strip().splitlines()[-1:] or [""]
        return Outcome(0, [f"{how} ({last[0][:300]}): {piece.command()}"])
