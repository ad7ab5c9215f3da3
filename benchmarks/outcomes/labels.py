"""Late labels against waiting predictions: `python -m benchmarks.outcomes.labels [MILLIONS]`.

An archive in SQLite with so many predictions (10 M) waiting in windows of a day, each window's in one block,
as upkeep leaves them; then calls of 1 M, 100,000 and 1,000 labels of random predictions. Every label is
counted once, and the counts are compared with those of the labels. Prints the least CPU seconds of some
calls (and the rate by the clock, which others on the machine slow down), and the memory at its highest. `ids`
is hashing alone, `waiting` what a waiting row adds to `update`.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

import tidegauge as tg
from tidegauge import _core
from tidegauge.arrow import batches
from tidegauge.window import DAY

T0 = 20_000 * DAY
A_DAY = 1 << 20
ROLES = {"score": "score", "label": "label", "id": "id", "timestamp": "time", "prediction": "prediction"}


def rows(begin: int, n: int) -> pa.Table:
    """Predictions without labels, ids from `begin` on."""
    rng = np.random.default_rng(begin)
    score = rng.random(n)
    day = begin // A_DAY
    return pa.table(
        {
            "id": pa.array(np.arange(begin, begin + n)),
            "time": pa.array(T0 + day * DAY + np.sort(rng.integers(0, DAY, n)), pa.timestamp("ns")),
            "score": score,
            "prediction": (score > 0.5).astype(np.int64),
            "amount": rng.lognormal(size=n),
        }
    )


def labels(ids: np.ndarray) -> pa.Table:
    """A label that is known from the id."""
    return pa.table({"id": pa.array(ids), "label": pa.array(ids % 3 == 0)})


def fitted() -> tg.Reference:
    some = rows(0, 50_000)
    some = some.append_column("label", labels(np.arange(50_000))["label"])
    return tg.Reference.fit(some, schema=tg.Schema.infer(some, positive=True, **ROLES))


def seconds(call) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(n_waiting: int) -> None:
    reference = fitted()
    (batch,) = batches(rows(0, A_DAY).combine_chunks().to_batches()[0])
    key = bytes(16)
    least = min(seconds(lambda: _core.hash_ids(batch, 0, key)) for _ in range(5))
    print(f"ids: {1e9 * least / A_DAY:.1f} ns an id of 64 bits")
    with tempfile.TemporaryDirectory() as folder:
        url = f"{folder}/a.db"
        costs = {}
        for waiting_bytes in (0, 1 << 40):
            with tg.Monitor("warm", reference, archive=f"{folder}/w.db", waiting_bytes=waiting_bytes,
                            window="1d", budget_bytes=4 << 30, strict=True) as monitor:  # fmt: skip
                costs[waiting_bytes] = min(seconds(lambda: monitor.update(batch)) for _ in range(5))
        with_them, without = (1e9 * costs[each] / A_DAY for each in (1 << 40, 0))
        print(f"waiting: {with_them - without:.1f} ns a row, beside {without:.1f}")
        with tg.Monitor("m", reference, archive=url, window="1d", waiting_bytes=1 << 40,
                        budget_bytes=4 << 30, strict=True) as monitor:  # fmt: skip
            for begin in range(0, n_waiting, A_DAY):
                monitor.update(rows(begin, min(A_DAY, n_waiting - begin)))
                assert monitor.checkpoint()
        on_disk = Path(url).stat().st_size / n_waiting
        print(f"{n_waiting:,} predictions wait; {on_disk:.1f} bytes each on the disk")
        order = np.random.default_rng(1).permutation(n_waiting)
        done, before = 0, peak_mb()
        with tg.Archive(url) as archive:
            for n, calls in ((1_000_000, 3), (100_000, 3), (1_000, 3)):
                best = least = float("inf")
                for _ in range(calls):
                    ids = order[done : done + n]
                    table = labels(ids)
                    began, cpu = time.perf_counter(), time.process_time()
                    report = archive.label("m", table)
                    best = min(best, time.perf_counter() - began)
                    least = min(least, time.process_time() - cpu)
                    assert report.n_given == n, report
                    done += n
                memory = f"peak {peak_mb():.0f} MB (+{peak_mb() - before:.0f})"
                rates = f"{n / least:,.0f} labels/s of CPU, {n / best:,.0f} by the clock"
                print(f"{n:,} labels at once: {least:.2f} s, {rates}; {memory}")
            (binary,) = [each for each in archive.merged("m")._core.outcomes if hasattr(each, "edges")]
            negative, positive, _ = binary.counts()[0].sum(axis=1)
            truth = (order[:done] % 3 == 0).sum()
            assert (positive, negative) == (truth, done - truth)


if __name__ == "__main__":
    main(int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 10_000_000)
