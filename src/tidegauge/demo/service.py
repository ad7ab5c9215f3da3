"""The demo's service: a process that scores payments as they come, and watches itself doing it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import tidegauge as tg
from tidegauge.demo.files import SEGMENTS
from tidegauge.demo.payments import score

MODEL = "payments"
REQUEST_ROWS = 500
ROW_BY_ROW = 100  # one request in so many comes as single rows


@dataclass(frozen=True, slots=True)
class Served:
    """What one process did: rows scored, the seconds it took, and those of them spent in the monitor.

    `closing_seconds` come after: what the archive had not taken by then was sent, and waited for.
    """

    n_rows: int
    seconds: float
    monitor_seconds: float
    closing_seconds: float
    health: tg.Health


def serve(files: Sequence[Path], share: int, n_shares: int, reference: Path, archive: str) -> Served:
    """Score every `n_shares`-th request of the files, from number `share` on, at full speed."""
    n_rows, monitor_seconds, began = 0, 0.0, time.perf_counter()
    monitor = tg.Monitor(MODEL, reference, version="1", window="1h", segments=SEGMENTS, archive=archive)
    for number, request in enumerate(requests(files, share, n_shares)):
        scored = score({name: request[name].combine_chunks() for name in request.column_names})
        n_rows += request.num_rows
        answered = pa.table(scored)
        rows = answered.to_pylist() if number % ROW_BY_ROW == 0 else []
        started = time.perf_counter()
        for row in rows:
            monitor.record(row)
        if not rows:
            monitor.update(answered)
        monitor_seconds += time.perf_counter() - started
    scored_at = time.perf_counter()
    monitor.close()
    closing_seconds = time.perf_counter() - scored_at
    return Served(n_rows, scored_at - began, monitor_seconds, closing_seconds, monitor.health)


def requests(files: Sequence[Path], share: int, n_shares: int) -> Iterator[pa.Table]:
    """Yield this process's share of the payments, without what the model is to say."""
    number = 0
    for path in files:
        payments = pq.read_table(path).drop_columns(["score", "decision"])
        for begin in range(0, payments.num_rows, REQUEST_ROWS):
            if number % n_shares == share:
                yield payments.slice(begin, REQUEST_ROWS)
            number += 1
