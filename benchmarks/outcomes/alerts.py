"""What alarms about performance are worth, simulated: `python -m benchmarks.outcomes.alerts [RUNS]`.

Through the front door: rows, profiles, `performance`. A score is a probability. Windows may differ by
themselves ("wander": the log odds are times exp of a normal with that deviation, drawn for each window). A
drop is a share of labels that the score no longer tells, drawn at the base rate. Told are the shares of
windows with a warning or an alert, and with an alert, of each kind; the budget is the default 1 in 1,000.
"""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa

import tidegauge as tg

REFERENCE_WINDOWS = 60
FIRST = np.datetime64("2026-01-05", "us")
DAY = np.timedelta64(1, "D")


def rows(
    rng: np.random.Generator,
    n: int,
    *,
    day: int = 0,
    wander: float = 0.0,
    drop: float = 0.0,
    rate: float = 0.0,
) -> pa.Table:
    """Return a window of `n` rows on a day; `rate` moves all log odds, `drop` is the share of labels lost."""
    x = 1.5 * rng.normal(size=n) + rate
    truth = 1 / (1 + np.exp(-np.exp(wander * rng.normal()) * x))
    label = rng.random(n) < truth
    forgotten = rng.random(n) < drop
    label[forgotten] = rng.random(int(forgotten.sum())) < truth.mean()
    return pa.table(
        {
            "score": 1 / (1 + np.exp(-x)),
            "label": label.astype(np.int64),
            "time": np.full(n, FIRST + day * DAY),
        }
    )


def fitted(rng: np.random.Generator, n: int, wander: float, rate: float) -> tg.Reference:
    """Return a reference of REFERENCE_WINDOWS days."""
    days = [rows(rng, n, day=day, wander=wander, rate=rate) for day in range(REFERENCE_WINDOWS)]
    data = pa.concat_tables(days)
    schema = tg.Schema.infer(data, score="score", label="label", positive=1, timestamp="time")
    return tg.Reference.fit(data, schema=schema, window="1d", accumulators="light")


def loud(found: tg.Performance, kind: str) -> tuple[bool, bool]:
    """Return whether there is a warning or an alert of a kind, and whether there is an alert."""
    statuses = {each.status for each in found.measurements if each.kind == kind}
    return bool(statuses & {"warning", "alert"}), "alert" in statuses


def main(runs: int) -> None:
    """Print a table, a line for each kind of window."""
    print(f"{runs} windows a line, 20 a reference of {REFERENCE_WINDOWS} days")
    print("rows  base   wander drop | realised: any  alert | estimated: any  alert")
    for n, rate, wander, drop in (
        (500, 0.0, 0.0, 0.0),
        (2_000, 0.0, 0.0, 0.0),
        (2_000, -3.0, 0.0, 0.0),
        (2_000, 0.0, 0.2, 0.0),
        (20_000, 0.0, 0.0, 0.0),
        (2_000, 0.0, 0.0, 0.05),
        (2_000, 0.0, 0.0, 0.10),
        (2_000, 0.0, 0.0, 0.20),
        (20_000, 0.0, 0.0, 0.05),
        (20_000, 0.0, 0.0, 0.10),
    ):
        rng = np.random.default_rng([n, int(10 * abs(rate)), int(10 * wander), int(100 * drop)])
        counts, areas = np.zeros(4), []
        for run in range(runs):
            if run % 20 == 0:
                reference = fitted(rng, n, wander, rate)
            window = rows(rng, n, day=REFERENCE_WINDOWS + run % 20, wander=wander, drop=drop, rate=rate)
            found = tg.performance(tg.profile(window, reference, accumulators="light"), reference)
            counts += [*loud(found, "realised"), *loud(found, "estimated")]
            area = found.measurement("roc_auc")
            areas.append((area.value or 0.0) - (area.reference_value or 0.0))
        share = counts / runs
        print(
            f"{n:6,} {rate:5} {wander:5} {drop:5} | {share[0]:.4f} {share[1]:.4f} | "
            f"{share[2]:.4f} {share[3]:.4f} | AUC {np.mean(areas):+.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
