"""The parts of the harness that are about the disk."""

from __future__ import annotations

from trust.faults import kills, labels, power
from trust.faults.shim import run_apart
from trust.part import Outcome, Part


def _faults(first: int, n: int, seconds: float) -> Outcome:
    return run_apart("trust.faults.injected", first, n, seconds)


def _memory(first: int, n: int, seconds: float) -> Outcome:
    return run_apart("trust.faults.memory", first, n, seconds)


KILLS = Part(
    "kills",
    "writers killed",
    "a writer killed at any point leaves an archive that has all it acknowledged, and nothing in part",
    kills.run,
    change=200,
    deep=10_000,
)
LABELS = Part(
    "labels",
    "labelling killed",
    "killed between prediction, label and correction, an archive has all it acknowledged, each label once",
    labels.run,
    change=200,
    deep=5_000,
)
FAULTS = Part(
    "faults",
    "days on a failing disk",
    "whatever call to the disk fails, rows are taken at once, and none is lost or counted twice",
    _faults,
    change=500,
    deep=20_000,
)
POWER = Part(
    "power",
    "states of a disk",
    "whatever of the writes that were not synced is lost with the power, all that was acknowledged is there",
    power.run,
    change=500,
    deep=20_000,
)
MEMORY = Part(
    "memory",
    "days short of memory",
    "a monitor that finds no memory raises nothing, counts every row that it could not keep, and goes on",
    _memory,
    change=200,
    deep=5_000,
)
