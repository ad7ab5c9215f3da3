"""The demo's second part: is the model still right, before labels come, while they do, and in the end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table
from rich.text import Text

import tidegauge as tg
from tidegauge.demo.payments import FIRST_DAY, Population, payments, population
from tidegauge.measurement import Kind
from tidegauge.window import DAY, as_ns

MODEL = "fraud"
COLUMNS = ("payment_id", "time", "country", "channel", "amount", "score")
N_REFERENCE, N_DAYS = 14, 24  # days: the first of them are the reference, the others are watched
CHANGED_DAY = 20  # from here on, online fraud no longer looks as the model learned it
REVIEWED = 0.1  # the score from which on somebody looks at a payment
ROWS_PER_DAY = 20_000
EARLY_DAYS = 3  # after which the first labels are told
STYLES = {"ok": "green", "warning": "yellow", "alert": "bold red"}


class Told(NamedTuple):
    """How right the model was, day by day: before any label, with the early ones, with all of them."""

    before: tg.PerformanceScan
    early: tg.PerformanceScan
    after: tg.PerformanceScan


def labelled(people: Population, day: int, n_rows: int, seed: int = 7) -> pa.Table:
    """Draw a day of clean payments, whether each is fraud, and when that is known.

    Fraud comes to light within days, and so does what somebody looked at; the rest counts as honest after
    three weeks. From CHANGED_DAY on, online fraud happens as often, and no longer where the score says.
    """
    columns = payments(people, seed, day, n_rows)
    rng = np.random.default_rng([seed, 3, day])
    truth = columns["score"].to_numpy().copy()
    if day >= CHANGED_DAY:
        online = columns["channel"].to_numpy(zero_copy_only=False) == "online"
        truth[online] = truth[online].mean()
    fraud = rng.random(n_rows) < truth
    soon = fraud | (rng.random(n_rows) < 0.2)
    age = np.where(soon, rng.exponential(1.0, n_rows), 21.0)
    told_at = columns["time"].cast(pa.int64()).to_numpy() + (age * DAY / 1_000).astype(np.int64)
    return pa.table(
        {name: columns[name] for name in COLUMNS}
        | {
            "is_fraud": pa.array(fraud.astype(np.int8)),
            "told_at": pa.array(told_at).cast(pa.timestamp("us", tz="UTC")),
        }
    )


def fit(rows: pa.Table) -> tg.Reference:
    """Fit the reference: days whose labels are all there, and when each of them came."""
    schema = tg.Schema.infer(
        rows,
        score="score",
        label="is_fraud",
        positive=1,
        threshold=REVIEWED,
        id="payment_id",
        timestamp="time",
        labelled_at="told_at",
    )
    return tg.Reference.fit(rows, schema=schema, window="1d", segments=["channel"])


def watch(archive: str, rows_per_day: int = ROWS_PER_DAY) -> Told:
    """Watch days of payments without labels, tell these later, and ask each time how right the model was."""
    people = population(7)
    days = [labelled(people, day, rows_per_day) for day in range(N_DAYS)]
    reference = fit(pa.concat_tables(days[:N_REFERENCE]))
    watched = pa.concat_tables(days[N_REFERENCE:])
    late_ns = watched["told_at"].cast(pa.int64()).to_numpy() - watched["time"].cast(pa.int64()).to_numpy()
    is_early = late_ns * 1_000 <= EARLY_DAYS * DAY
    labels = watched.select(["payment_id", "is_fraud"])
    end_ns = as_ns(FIRST_DAY + timedelta(days=N_DAYS))

    def told(now_ns: int) -> tg.PerformanceScan:
        with tg.Archive(archive) as opened:
            return tg.performance_scan(
                opened.windows(MODEL),
                reference,
                now_ns=now_ns,
                segments=lambda day: opened.merged_segments(MODEL, day.start_ns, day.end_ns),
            )

    with tg.Monitor(MODEL, reference, window="1d", segments=["channel"], archive=archive) as monitor:
        for day in days[N_REFERENCE:]:
            monitor.update(day.drop_columns(["is_fraud", "told_at"]))
        monitor.checkpoint()
        before = told(end_ns)
        monitor.label(labels.filter(pa.array(is_early)))
        early = told(end_ns + EARLY_DAYS * DAY)
        monitor.label(labels)
    return Told(before, early, told(end_ns + 30 * DAY))


def show(told: Told, console: Console) -> None:
    """Print a line a day: what was said of it before any label, after three days, and in the end."""
    shown = Table(
        *("day", "no label yet", f"labels of {EARLY_DAYS} days", "all labels", "what"),
        title="ROC AUC of ten days: estimated, held against early labels at equal age, and in the end",
    )
    for before, early, after in zip(*(scan.performances for scan in told), strict=True):
        shown.add_row(
            str(after.window),
            in_words(before, "estimated"),
            in_words(early, "realised"),
            in_words(after, "realised"),
            Text(after.summary.partition("; ")[2].partition(" (")[0], style="dim"),
        )
    console.print(shown)
    console.print(
        f"Online fraud was planted to look otherwise from {FIRST_DAY + timedelta(days=CHANGED_DAY)} on: "
        "scores alone cannot tell, labels of three days do",
        highlight=False,
    )


def in_words(found: tg.Performance, kind: Kind) -> Text:
    """Return one day's ROC AUC, with the status of its day."""
    value = found.value("roc_auc", kind)
    known = "" if value is None else f"{value:.3f} "
    share = "" if kind == "estimated" or found.coverage is None else f" ({found.coverage:.0%} labelled)"
    return Text(f"{known}{found.status}{share}", style=STYLES.get(found.status, ""))


class Bookings(NamedTuple):
    """What is said of all bookings before and after it is known who cancelled, and of their weeks after."""

    before: tg.Performance
    after: tg.Performance
    weeks: tg.PerformanceScan


def hotel(data: Path, archive: str) -> Bookings:
    """Watch bookings that nobody knows the end of, then tell who cancelled."""
    test_set = data / "hotel_reference.parquet"
    schema = tg.Schema.infer(
        test_set,
        score="y_pred_proba",
        prediction="y_pred",
        label="is_canceled",
        positive=1,
        id="customer_id",
        timestamp="timestamp",
    )
    reference = tg.Reference.fit(test_set, schema=schema, window="7d")
    with tg.Monitor("hotel", reference, window="7d", archive=archive) as monitor:
        monitor.update(data / "hotel_production.parquet")
        monitor.checkpoint()
        with tg.Archive(archive) as opened:
            before = tg.performance(opened.merged("hotel"), reference)
        monitor.label(data / "hotel_labels.parquet")
    with tg.Archive(archive) as opened:
        after = tg.performance(opened.merged("hotel"), reference)
        return Bookings(before, after, tg.performance_scan(opened.windows("hotel"), reference))


def show_hotel(bookings: Bookings, console: Console) -> None:
    """Print metrics of the hotel's bookings, expected without a label and as they turned out."""
    before, after, weeks = bookings
    shown = Table(
        *("metric", "test set", "estimated, no label", "95 % interval", "realised, all labels"),
        title=f"Hotel bookings: {before.n_rows:,} without labels, then {after.coverage:.0%} with them",
    )
    for name in ("accuracy", "roc_auc", "precision", "recall", "f1"):
        told, truth = before.measurement(name, "estimated"), after.measurement(name)
        shown.add_row(
            name,
            number(truth.reference_value),
            number(told.value),
            f"{number(told.low)} to {number(told.high)}",
            number(truth.value),
        )
    console.print(shown)
    console.print(f"Without labels: {before.summary}", highlight=False)
    console.print(f"Week by week, with labels: {weeks.summary}", highlight=False)


def number(value: float | None) -> str:
    """Return three decimals, "" of none."""
    return "" if value is None else f"{value:.3f}"
