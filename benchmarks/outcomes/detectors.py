"""Detectors of a rising error rate, ours beside River's: `python -m benchmarks.outcomes.detectors FOLDER`.

FOLDER is where benchmarks/peers/run.py makes its environments (river is made if missing). All see the same
1,000 streams in which an error rate of .10 rises to .12 after 5,000 rows, and 200 in which it never does.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from benchmarks.outcomes.peers.streams import BASELINE, BEFORE, QUIET, QUIET_SEEDS, SEEDS, quiet, risen
from benchmarks.statistics.peers.run import environment

from tidegauge.outcomes.detector import bets_for, start_detector, step
from tidegauge.outcomes.evidence import BETS, compiled_follow

HERE = Path(__file__).parent
RIVER = ("DDM", "ADWIN", "Page-Hinkley", "HDDM_A", "HDDM_W")


def first_alarm(rows: np.ndarray, batch: int, average_run_length: float) -> int:
    """Return how many rows it took, -1 for no alarm."""
    sums = rows.reshape(-1, batch).sum(axis=1, dtype=np.float64)
    batches = np.stack([np.full(len(sums), float(batch)), sums, sums])
    found = compiled_follow()(np.zeros(len(BETS)), batches, BASELINE, bets_for(BASELINE), average_run_length)
    return -1 if found < 0 else (found + 1) * batch


def row(who: str, changed: list[int], calm: list[int]) -> str:
    """One line: early alarms, the delay of the others (of none: all rows that were seen), quiet runs."""
    after = [alarm for alarm in changed if alarm < 0 or alarm > BEFORE]
    delays = [len(risen(0)) - BEFORE if alarm < 0 else alarm - BEFORE for alarm in after]
    alarms = [alarm for alarm in calm if alarm > 0]
    # Of runs that end without an alarm only a lower bound is known: rows per alarm is the censored estimate.
    rows = sum(QUIET if alarm < 0 else alarm for alarm in calm)
    run_length = f"{rows / len(alarms):,.0f}" if alarms else f"> {rows:,}"
    early = 1.0 - len(after) / len(changed)
    seen = np.mean([alarm > 0 for alarm in after]) if after else math.nan
    return f"| {who} | {early:.3f} | {seen:.3f} | {np.mean(delays):,.0f} | {run_length} |"


def step_seconds() -> float:
    """Seconds of one `step` through the front door, the least of five."""
    detector, times = start_detector(BASELINE), []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(1_000):
            step(detector, 100, 10.0, 10.0)
        times.append((time.perf_counter() - started) / 1_000)
    return min(times)


def main() -> None:
    folder = Path(sys.argv[1])
    scale = int(sys.argv[2]) if len(sys.argv) > 2 else 1  # 10: a tenth of the streams
    print("| detector | alarms before the rise | then found | mean delay, rows | rows an alarm, no rise |")
    print("|---|---|---|---|---|")
    for length in (10_000, 20_000, 30_000):
        for batch in (1, 100, 500):
            started = time.perf_counter()
            changed = [first_alarm(risen(seed), batch, length) for seed in range(SEEDS // scale)]
            calm = [first_alarm(quiet(seed), batch, length) for seed in range(QUIET_SEEDS // scale)]
            took = time.perf_counter() - started
            who = f"tidegauge, run length {length:,}, batches of {batch} ({took:.0f} s)"
            print(row(who, changed, calm), flush=True)
    for name in RIVER:
        command = [environment(folder, "river"), HERE / "peers" / "river_detectors.py", name, str(scale)]
        asked = subprocess.run(command, check=True, capture_output=True, text=True)
        told = json.loads(asked.stdout.splitlines()[-1])
        who = f"{name}, River {told['version']} ({told['seconds']:.0f} s)"
        print(row(who, told["risen"], told["quiet"]), flush=True)
    print(f"\none step: {step_seconds() * 1e6:.1f} us")


if __name__ == "__main__":
    main()
