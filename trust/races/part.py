"""Runs cells, each in a process of its own, and judges how the process ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

from trust.part import Outcome, Part
from trust.races.cell import Cell
from trust.sanitized import environment
from trust.totals import ROOT

WATCHDOG_SECONDS = 120.0
# What a thread may be told that comes with rows when the monitor has been closed.
ALLOWED = "it is closed and takes no more rows"


def command(cell: Cell, folder: str) -> list[str]:
    return [sys.executable, "-m", "trust.races.program", str(cell.number), folder]


def run_cell(cell: Cell) -> tuple[str, str]:
    """Run a cell; return what is wrong, "" if nothing is, and what it ran under."""
    build, variables = "as shipped", None
    if cell.sanitized:
        try:
            variables = environment("tsan")
            build = "under ThreadSanitizer"
        except FileNotFoundError:
            build = "as shipped, for want of a sanitized build"
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command(cell, folder),
            cwd=ROOT,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            told, _ = process.communicate(timeout=WATCHDOG_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its children too, which hold the pipe
            told, _ = process.communicate()
            return f"hangs: {told[-400:]}", build
    said = [line for line in told.splitlines() if line and ALLOWED not in line]
    if process.returncode == 0 and not said:
        return "", build
    last = next((line for line in said if "SUMMARY: ThreadSanitizer" in line), said[-1] if said else "")
    return f"ended with {process.returncode}: {last[:400]}", build


def run(first: int, n: int, seconds: float) -> Outcome:
    """Run cells first … first + n - 1."""
    findings, counts, until, tried = [], Counter[str](), time.monotonic() + seconds, 0
    for number in range(first, first + n):
        cell = Cell.of(number)
        wrong, build = run_cell(cell)
        tried += 1
        counts[build] += 1
        counts["interpreters ended among threads"] += cell.meanwhile == "exit"
        if wrong:
            findings.append(f"{cell}, {build}: {wrong}; python -m trust try races {number}")
        if time.monotonic() > until:
            break
    return Outcome(tried, findings, counts)


PART = Part(
    "races",
    "runs",
    "calls from many threads at once, amid forks, signals and the end of the interpreter: exact, and no hang",
    run,
    change=60,
    deep=2_000,
)
