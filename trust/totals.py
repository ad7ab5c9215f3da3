"""What deep runs have tried, kept in a file: a later run adds to it and replaces nothing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from trust.part import Outcome

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Total:
    """What all runs of one part over one state of the code came to."""

    part: str
    code: str
    first: str  # day of the first and of the last run
    last: str
    tried: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    levels: dict[str, float] = field(default_factory=dict)

    def add(self, outcome: Outcome, seconds: float, day: str) -> None:
        """Take in what a slice came to."""
        self.last = day
        self.tried += outcome.tried
        self.seconds = round(self.seconds + seconds, 1)
        self.findings += outcome.findings
        self.counts = dict(Counter(self.counts) + Counter(outcome.counts))
        for name, level in outcome.levels.items():
            self.levels[name] = max(level, self.levels.get(name, level))


@cache
def code_digest() -> str:
    """Return a digest of all that the engine and the package are built from, as it was when first asked."""
    names = subprocess.check_output(
        [
            "git",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "cpp",
            "src",
            "CMakeLists.txt",
        ],
        cwd=ROOT,
    )
    digest = hashlib.sha256()
    for name in sorted(filter(None, names.split(b"\0"))):
        path = ROOT / os.fsdecode(name)
        if path.exists():
            digest.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def load(path: Path) -> tuple[dict[str, int], list[Total]]:
    """Return the number of each part's next case, and the totals. Nothing where there is no file."""
    if not path.exists():
        return {}, []
    kept = json.loads(path.read_text())
    return kept["next"], [Total(**each) for each in kept["totals"]]


def save(path: Path, numbers: dict[str, int], totals: list[Total]) -> None:
    """Replace the file in one step: a run that is killed loses at most the slice it was in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    kept = {"next": numbers, "totals": [asdict(each) for each in totals]}
    beside.write_text(json.dumps(kept, indent=1) + "\n")
    beside.replace(path)
