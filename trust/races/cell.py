"""One cell of the matrix: what is shared, by how many threads, what happens meanwhile. Made from a number."""

from __future__ import annotations

import random
from dataclasses import dataclass

TARGETS = ("profile", "segmented", "monitor")
MEANWHILE = (
    "nothing",
    "SIGALRM",
    "SIGPROF",
    "fork",
    "multiprocessing",
    "forkserver",
    "spawn",
    "Ctrl-C",
    "gc",
)
FORKS = {"fork", "multiprocessing", "forkserver", "spawn"}
MOST_THREADS = 16
SANITIZED = 0.12  # of the cells without a fork: ThreadSanitizer cannot follow one


@dataclass(frozen=True)
class Cell:
    """A process: threads that share a target, and what happens to it meanwhile."""

    number: int
    target: str
    meanwhile: str  # or "exit": the interpreter ends while threads are at work
    n_threads: int
    seconds: float  # how long the threads are at work
    sanitized: bool

    @classmethod
    def of(cls, number: int) -> Cell:
        """Return the cell of a number: every second one is an exit, the others go through the matrix."""
        chance = random.Random(number)
        half = number // 2
        target = TARGETS[half % len(TARGETS)]
        meanwhile = "exit" if number % 2 == 0 else MEANWHILE[half // len(TARGETS) % len(MEANWHILE)]
        seconds = chance.uniform(0.0, 0.1) if meanwhile == "exit" else chance.uniform(0.1, 0.3)
        sanitized = meanwhile not in FORKS and chance.random() < SANITIZED
        return cls(number, target, meanwhile, chance.randint(2, MOST_THREADS), seconds, sanitized)

    def __str__(self) -> str:
        return f"{self.target}, {self.n_threads} threads, {self.meanwhile}"
