"""Measure what our alarms are worth: `python -m benchmarks.statistics [--quick] [--page] [PART ...]`.

Each PART (all of them if none is named) writes its results to benchmarks/statistics/results/, and the page
docs/statistics.md is written from those. `--quick` takes a minute or two and writes to .benchmarks/ instead;
`--page` measures nothing. Seeds are fixed: the same figures come out again, but for the times.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import page, power, sequences, size, speed, tolerance, unlike_windows

ROOT = Path(__file__).parent.parent.parent
RESULTS = Path(__file__).parent / "results"
PEERS = RESULTS / "peers"  # written by peers/run.py
PARTS: dict[str, Callable[[bool], Any]] = {
    "no_change": size.no_change,
    "small_references": size.small_references,
    "missing_values": size.missing_values,
    "power": power.power,
    "tolerance": tolerance.tolerance,
    "quiet": sequences.quiet,
    "delays": sequences.delays,
    "never": sequences.never,
    "unlike_windows": unlike_windows.unlike_windows,
    "speed": speed.speed,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.statistics", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--page", action="store_true", help="write the page from the results there are")
    given = parser.parse_args()
    folder = ROOT / ".benchmarks" / "statistics" if given.quick else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    for part in () if given.page else given.parts or PARTS:
        started = time.perf_counter()
        told = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "rows": PARTS[part](given.quick)}
        seconds = time.perf_counter() - started
        (folder / f"{part}.json").write_text(page.compact(told | {"seconds": round(seconds)}))
        print(f"{part}: {seconds:.0f} s", flush=True)
    found = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    found["peers"] = [json.loads(path.read_text()) for path in sorted(PEERS.glob("*.json"))]
    written = page.block(found)
    if given.quick:
        (folder / "page.md").write_text(written)
        print(written)
    else:
        page.place(ROOT / "docs" / "statistics.md", written)


if __name__ == "__main__":
    main()
