"""A batch job that watches itself: scores Parquet files batch by batch, then has the day judged.

    python batch_job.py reference.tg october-1.parquet archive.db

The windows are hours of the rows' own time; the exit code is 1 where one was judged an alert.
"""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import tidegauge as tg


def score(batch: pa.RecordBatch) -> np.ndarray:
    """Return how likely each payment is fraud: the model."""
    amount = batch.column("amount").to_numpy(zero_copy_only=False)
    return 1 / (1 + np.exp(2.0 - 0.02 * amount))


def main(reference: str, payments: str, archive: str) -> int:
    """Score, record, judge; return the exit code."""
    with tg.Monitor("fraud", reference, version="3", window="1h", archive=archive) as monitor:
        for batch in pq.ParquetFile(payments).iter_batches(batch_size=65_536):
            scored = batch.append_column("score", pa.array(score(batch)))
            monitor.update(scored)  # and write `scored` where it is wanted
    health = monitor.health
    print(f"{health.n_rows_archived:,} of {health.n_rows:,} rows archived, {health.n_rows_refused:,} refused")
    with tg.Archive(archive) as opened:
        verdicts = tg.judge(opened, since="3650d")
    for verdict in verdicts:
        print(verdict.window, verdict.status, verdict.summary)
    return int(any(verdict.status == "alert" for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
