"""First alarms of River's detectors with their defaults: `python river_detectors.py NAME`, prints JSON."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import numpy as np
from river.drift import ADWIN, PageHinkley
from river.drift.binary import DDM, HDDMA, HDDMW
from streams import QUIET_SEEDS, SEEDS, quiet, risen

DETECTORS = {
    "DDM": DDM,
    "ADWIN": ADWIN,
    "Page-Hinkley": PageHinkley,
    "HDDM_A": HDDMA,
    "HDDM_W": HDDMW,
}


def first_alarm(name: str, rows: np.ndarray) -> int:
    """Return how many rows it took, -1 for no alarm."""
    detector = DETECTORS[name]()
    binary = name in {"DDM", "HDDM_A", "HDDM_W"}
    for i, wrong in enumerate(rows.tolist() if binary else rows.astype(int).tolist()):
        detector.update(wrong)
        if detector.drift_detected:
            return i + 1
    return -1


if __name__ == "__main__":
    name, scale = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    started = time.perf_counter()
    told = {
        "version": version("river"),
        "risen": [first_alarm(name, risen(seed)) for seed in range(SEEDS // scale)],
        "quiet": [first_alarm(name, quiet(seed)) for seed in range(QUIET_SEEDS // scale)],
    }
    print(json.dumps(told | {"seconds": time.perf_counter() - started}))
