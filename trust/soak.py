"""A long run: 10^9 values through windows and segments; memory must stay flat and counts exact.

The clock is a double that goes on a minute with every batch, so that windows close and are archived all the
time. Prints resident memory as it goes, and its slope over the second half.

    python benchmarks/soak.py [--values 1e9]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

import tidegauge as tg

N_COLUMNS = 10
N_ROWS = 20_000  # of a batch
MINUTE_NS = 60_000_000_000
GROWTH_LIMIT = 8 << 20  # bytes over the second half; 10^9 values are some seconds, in which caches still fill
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def run(n_values: int, folder: Path) -> None:
    rng = np.random.default_rng(1)
    names = [f"x{i}" for i in range(N_COLUMNS)]
    segments = np.array([f"s{i:03d}" for i in range(50)])

    def rows(n: int, at_ns: int) -> dict[str, np.ndarray]:
        made = {name: rng.normal(size=n) for name in names}
        made["segment"] = segments[rng.integers(0, len(segments), n)]
        made["time"] = (at_ns + rng.integers(-MINUTE_NS, MINUTE_NS, n)).astype("datetime64[ns]")
        return made

    now = [np.datetime64("2026-11-02", "ns").astype(int).item()]
    reference = tg.Reference.fit(rows(50_000, now[0]))
    batches = [rows(N_ROWS, 0) for _ in range(8)]
    times = [batch.pop("time").astype("int64") for batch in batches]
    archive = f"sqlite:///{folder}/soak.db"
    watch = {"window": "1h", "timestamp": "time", "segments": ["segment"], "grace": "2m"}
    monitor = tg.Monitor(
        "soak", reference, archive=archive, clock=lambda: now[0], checkpoint_seconds=1.0, **watch
    )
    n_batches = max(1, n_values // (N_ROWS * N_COLUMNS))
    seen: list[tuple[int, int]] = []
    begin = last = time.monotonic()
    for i in range(n_batches):
        now[0] += MINUTE_NS
        k = i % len(batches)
        monitor.update({**batches[k], "time": (now[0] + times[k]).astype("datetime64[ns]")})
        if i % max(1, n_batches // 200) == 0:
            seen.append((i * N_ROWS * N_COLUMNS, resident_bytes()))
        if time.monotonic() - last > 10:
            last = time.monotonic()
            held = resident_bytes() / 2**20
            print(f"{i * N_ROWS * N_COLUMNS:.2e} values, {held:.1f} MB, {monitor.health.status}", flush=True)
    monitor.close()
    seconds, health = time.monotonic() - begin, monitor.health
    with tg.Archive(archive) as opened:
        found = opened.store.find()
    n_all = sum(each.n_rows for each in found if each.key.segment == "")
    n_parts = sum(each.n_rows for each in found if each.key.segment)
    half = np.array(seen[len(seen) // 2 :], float)
    slope = np.polyfit(half[:, 0], half[:, 1], 1)[0] * 1e9 if len(half) > 2 else 0.0
    n_rows = n_batches * N_ROWS
    print(
        f"{n_rows * N_COLUMNS:.3g} values in {seconds:.0f} s; {n_all:,} rows archived of {n_rows:,}, "
        f"{n_parts:,} in segments; {len(found):,} profiles; resident {half[-1, 1] / 2**20:.1f} MB, slope "
        f"{slope / 2**20:+.3f} MB for 10^9 values"
    )
    if not (n_all == n_parts == n_rows and health.n_rows_refused == health.n_rows_lost == 0):
        raise SystemExit(f"wrong counts: {health}")
    if slope * n_values / 2e9 > GROWTH_LIMIT:
        raise SystemExit("memory grows")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--values", type=float, default=1e9)
    with tempfile.TemporaryDirectory() as name:
        run(int(parser.parse_args().values), Path(name))
