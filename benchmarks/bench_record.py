"""One row at a time: how long each call takes, the flush of what waits included.

`python benchmarks/bench_record.py` prints nanoseconds a row of 20 features (12 floats, 3 integers, 4 texts, a
boolean): the median, the slow ones, the slowest, and the mean, which spreads the flushes over all rows. Each
figure is the least of several runs, as whatever else the machine does only adds to it.

A loop finds everything in the nearest cache. A service records one row a request, after its framework has run
through megabytes of its own: the second table is of such calls, each after 2 MB of other memory were read and
other Python code has run, with a row that was just made. What `id` takes there is the clock's.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Histogram

import tidegauge as tg
from tidegauge import _core

N_ROWS, N_RUNS = 100_000, 5
N_COLD = 4_000
SHARES = {"median": 50, "p99": 99, "p99.9": 99.9, "slowest": 100}
Row = dict[str, Any]
Record = Callable[[Row], object]


def rows_of(seed: int) -> list[Row]:
    """Rows as a service has them: objects of their own, keys that are the same text."""
    draw = random.Random(seed)
    names = (
        [f"amount_{i}" for i in range(12)],
        [f"count_{i}" for i in range(3)],
        [f"name_{i}" for i in range(4)],
    )
    return [
        {name: draw.gauss(0, 1) for name in names[0]}
        | {name: draw.randrange(100_000) for name in names[1]}
        | {name: f"value {draw.randrange(30)}" for name in names[2]}
        | {"is_new": draw.random() < 0.5}
        for _ in range(N_ROWS)
    ]


def with_stage(rows: list[Row], accumulators: str = "full") -> Iterator[Record]:
    """Record into a stage, which is emptied into a profile whenever it is due."""
    names = list(rows[0])
    reference = tg.Reference.fit({name: [row[name] for row in rows[:10_000]] for name in names})
    stage = _core.Stage([column.spec for column in reference.profile._core.columns])
    profile = tg.Profile.empty(reference, accumulators=accumulators)

    def flush() -> None:
        for batch in stage.take():
            profile._core.update(batch, 1)

    def record(row: Row) -> None:
        if stage.record(row):
            flush()

    while True:
        yield record
        flush()
        assert profile.n_rows % N_ROWS == 0  # every row of the run has arrived
        column = profile[names[0]]
        assert column.n_present + column.n_absent == profile.n_rows


def with_prometheus(rows: list[Row]) -> Iterator[Record]:
    """Observe each number in a histogram, count each text and boolean by its value."""
    registry = CollectorRegistry()
    histograms, counters = {}, {}
    for name, value in rows[0].items():
        if isinstance(value, str | bool):
            counters[name] = Counter(name, "rows", ["value"], registry=registry)
        else:
            histograms[name] = Histogram(name, "values", registry=registry)

    def record(row: Row) -> None:
        for name, value in row.items():
            if name in histograms:
                histograms[name].observe(value)
            else:
                counters[name].labels(value).inc()

    while True:
        yield record
        assert registry.get_sample_value("amount_0_count") % N_ROWS == 0


def with_lists(rows: list[Row]) -> Iterator[Record]:
    """Append each value to a list: the least that pure Python can do with it."""
    lists: dict[str, list[Any]] = {name: [] for name in rows[0]}

    def record(row: Row) -> None:
        for name, value in row.items():
            lists[name].append(value)

    while True:
        yield record
        assert all(len(values) % N_ROWS == 0 for values in lists.values())
        for values in lists.values():
            values.clear()


def timed(rows: list[Row], record: Record) -> list[float]:
    """Nanoseconds of each share of SHARES, and the mean; a clock's reading is in each."""
    clock, ns = time.perf_counter_ns, np.empty(len(rows), np.int64)
    for i, row in enumerate(rows):
        begin = clock()
        record(row)
        ns[i] = clock() - begin
    return [*(float(np.percentile(ns, share)) for share in SHARES.values()), float(ns.mean())]


def with_nothing(_: list[Row]) -> Iterator[Record]:
    """Call what does nothing: what is left is the clock."""
    while True:
        yield id


def timed_cold(rows: list[Row], record: Record) -> list[float]:
    """As timed, of rows whose values are new and whose keys are the texts that all rows share."""
    clock, ns = time.perf_counter_ns, np.empty(N_COLD, np.int64)
    names, texts = list(rows[0]), [json.dumps(list(row.values())) for row in rows[:N_COLD]]
    elsewhere = np.ones((2 << 20) // 8)
    lines = np.random.default_rng(1).permutation(len(elsewhere) // 8) * 8  # in no order that is foreseen
    for i, text in enumerate(texts):
        elsewhere[lines].sum()
        re.sub(r"\d+", lambda found: f"{int(found[0]):x}", text)
        row = dict(zip(names, json.loads(text), strict=True))
        begin = clock()
        record(row)
        ns[i] = clock() - begin
    return [*(float(np.percentile(ns, share)) for share in SHARES.values()), float(ns.mean())]


def show(who: str, runs: list[list[float]]) -> None:
    print(f"{who:40}" + "".join(f"{min(each):12,.0f}" for each in zip(*runs, strict=True)), flush=True)


def main() -> None:
    """Print the tables."""
    rows = rows_of(seed=1)
    decoded = [json.loads(text) for text in map(json.dumps, rows)]
    sparse = [{name: value for name, value in row.items() if random.random() > 0.1} for row in rows]
    cases: list[tuple[str, list[Row], Iterator[Record]]] = [
        ("tidegauge, full profile", rows, with_stage(rows)),
        ("tidegauge, light profile", rows, with_stage(rows, "light")),
        ("tidegauge, rows from json.loads", decoded, with_stage(rows)),
        ("tidegauge, a tenth of fields missing", sparse, with_stage(rows)),
        ("list.append", rows, with_lists(rows)),
        ("prometheus_client", rows, with_prometheus(rows)),
    ]
    print(f"{'ns a row':40}" + "".join(f"{name:>12}" for name in [*SHARES, "mean"]))
    for who, data, records in cases:
        runs = [timed(data, next(records)) for _ in range(N_RUNS)]
        next(records)  # checks the last run
        show(who, runs)
    for who, records in [
        ("cold: tidegauge, full profile", with_stage(rows)),
        ("cold: list.append", with_lists(rows)),
        ("cold: prometheus_client", with_prometheus(rows)),
        ("cold: id", with_nothing(rows)),
    ]:
        record = next(records)
        show(who, [timed_cold(rows, record) for _ in range(N_RUNS)])


if __name__ == "__main__":
    main()
