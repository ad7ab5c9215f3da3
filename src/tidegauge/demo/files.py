"""The demo's data on disk: a Parquet file a day, and the reference fitted on the first week of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import tidegauge as tg
from tidegauge.demo.incidents import N_DAYS, REFERENCE_DAYS, active, planted
from tidegauge.demo.payments import FIRST_DAY, Columns, Population, payments, population

ROWS_PER_DAY = 95_500  # two million rows in three weeks
SEGMENTS = ("country",)


def write(folder: Path, rows_per_day: int = ROWS_PER_DAY, seed: int = 7) -> list[Path]:
    """Write one Parquet file a day, `N_DAYS` in all, and return their paths in order of time."""
    folder.mkdir(parents=True, exist_ok=True)
    people = population(seed)
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda day: write_day(folder, people, seed, day, rows_per_day), range(N_DAYS)))


def write_day(folder: Path, people: Population, seed: int, day: int, n_rows: int) -> Path:
    """Write one day's file, with the incidents of that day in it."""
    columns: Columns = payments(people, seed, day, n_rows)
    rng = np.random.default_rng([seed, 2, day])
    for incident in active(day):
        columns = planted(incident, columns, rng, day)
    path = folder / f"payments-{FIRST_DAY + timedelta(days=day)}.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def fit(files: list[Path]) -> tg.Reference:
    """Fit the reference: the first week of `files`, with how its hours differed.

    The column `hour` is not judged: it is the time once more, and says of an hour only which it is.
    """
    week = [files[day] for day in REFERENCE_DAYS]
    schema = tg.Schema.infer(
        week, score="score", prediction="decision", id=["payment_id", "card_id"], timestamp="time"
    )
    columns = [replace(column, judge=column.judge and column.name != "hour") for column in schema.values()]
    return tg.Reference.fit(week, schema=tg.Schema(columns), window="1h", segments=SEGMENTS)
