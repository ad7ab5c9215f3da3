"""A long run: values through windows, segments and an archive; memory and speed stay, and counts are exact.

A case is a value. The clock goes on a minute with every batch, so that windows close and are archived all the
time. Among the rows are nulls and NaN, words that nobody has seen before, new segments, rows that are hours
late; in its first half the archive is away for a while.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import tidegauge as tg
from trust.part import Outcome, Part

N_NUMBERS = 10  # columns
N_ROWS = 20_000  # of a batch
N_BATCHES = 8  # that come again and again
N_SEGMENTS = 20
N_WORDS = 50
NEW_WORDS_EVERY, NEW_SEGMENT_EVERY, LATE_EVERY = 3, 20, 40  # batches
FIRST_LATE = 200  # batch: older windows than the two that are open then
START_NS = int(np.datetime64("2026-11-02", "ns").astype(np.int64))
MINUTE_NS = 60_000_000_000
LATE_NS = 5 * 60 * MINUTE_NS
AWAY = 0.20, 0.23  # of the run, the archive
LONGEST_AWAY = 1_500  # batches: what the outbox can hold
GROWTH_LIMIT = 16 << 20  # bytes for 10^9 values; lower, what allocators keep for themselves would show
LEAST_JUDGED = 7 * 10**8  # values; before, caches fill and threads come
SLOWEST = 0.8  # the second half's speed, of the first's
PAGE = os.sysconf("SC_PAGE_SIZE")


class AwayStore:
    """A store that is there or not; everything but appending is the store's own."""

    def __init__(self, store: Any) -> None:
        self._store, self.away, self.n_failures = store, False, 0

    def append(self, records: Any) -> None:
        if self.away:
            self.n_failures += 1
            raise OSError("the archive is away")
        self._store.append(records)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@dataclass
class Given:
    """What has been given to the monitor."""

    n_rows: int = 0
    n_late: int = 0
    n_null: int = 0
    n_nan: int = 0
    n_first_word: int = 0
    by_segment: Counter[str] = field(default_factory=Counter)


class Source:
    """Batches: numbers are made once, words, segments and times anew for each."""

    def __init__(self) -> None:
        random = np.random.default_rng(1)
        self._made = [self._make(random) for _ in range(N_BATCHES)]

    def _make(self, random: np.random.Generator) -> dict[str, Any]:
        made: dict[str, Any] = {f"x{i}": random.normal(size=N_ROWS) for i in range(N_NUMBERS)}
        made["x1"][random.random(N_ROWS) < 0.01] = np.nan
        null = random.random(N_ROWS) < 0.01
        words = random.integers(0, N_WORDS, N_ROWS).astype(np.int32)
        segments = random.integers(0, N_SEGMENTS, N_ROWS).astype(np.int32)
        columns = {name: pa.array(values) for name, values in made.items()}
        columns["x0"] = pa.array(made["x0"], mask=null)
        return {
            "columns": columns,
            "words": pa.array(words),
            "segments": pa.array(segments),
            "time": random.integers(-MINUTE_NS, MINUTE_NS, N_ROWS),
            "null": int(null.sum()),
            "nan": int(np.isnan(made["x1"]).sum()),
            "first word": int((words == 0).sum()),
            "by segment": np.bincount(segments, minlength=N_SEGMENTS),
        }

    def batch(self, number: int, now_ns: int, given: Given | None = None) -> pa.RecordBatch:
        """Return a batch whose rows are around a time, and add it to what was given."""
        made = self._made[number % N_BATCHES]
        words = [f"w{i}" for i in range(N_WORDS)]
        segments = [f"s{i}" for i in range(N_SEGMENTS)]
        if number and number % NEW_WORDS_EVERY == 0:
            words[-10:] = [f"new {number} {i}" for i in range(10)]
        if number and number % NEW_SEGMENT_EVERY == 0:
            segments[-1] = f"new {number}"
        is_late = given is not None and number > FIRST_LATE and number % LATE_EVERY == 0
        at = made["time"] + (now_ns - LATE_NS if is_late else now_ns)
        if given is not None:
            given.n_rows += N_ROWS
            given.n_late += N_ROWS * is_late
            given.n_null += made["null"]
            given.n_nan += made["nan"]
            given.n_first_word += made["first word"]
            for name, n in zip(segments, made["by segment"].tolist(), strict=True):
                given.by_segment[name if name.startswith("s") else "new"] += n
        return pa.record_batch(
            {
                **made["columns"],
                "word": pa.DictionaryArray.from_arrays(made["words"], words),
                "segment": pa.DictionaryArray.from_arrays(made["segments"], segments),
                "time": pa.array(at.view("datetime64[ns]")),
            }
        )


@dataclass
class Seen:
    """The process as it was now and then."""

    values: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def look(self, n_values: int) -> None:
        self.values.append(n_values)
        self.seconds.append(time.monotonic())
        self.resident.append(int(Path("/proc/self/statm").read_text().split()[1]) * PAGE)
        self.files.append(len(os.listdir("/proc/self/fd")))
        self.threads.append(threading.active_count())

    def slope(self) -> tuple[float, float]:
        """Return the slope of memory over the second half, bytes for 10^9 values, and its lower bound (95 %).

        Theil and Sen's: the median of the slopes between all pairs, and of them the one whose rank is
        Kendall's interval. Pairs are of the least memory in each of 20 blocks, which leaves out what is held
        for moments, and most of what makes neighbours alike.
        """
        half = len(self.values) // 2
        blocks = np.array_split(np.arange(half, len(self.values)), 20)
        at = np.array([np.mean([self.values[i] for i in block]) for block in blocks if len(block)])
        held = np.array([min(self.resident[i] for i in block) for block in blocks if len(block)], float)
        first, second = np.triu_indices(len(at), 1)
        slopes = np.sort((held[second] - held[first]) / (at[second] - at[first])) * 1e9
        n = len(at)
        width = 1.96 * np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
        lower = slopes[max(0, int((len(slopes) - width) / 2))]
        return float(np.median(slopes)), float(lower)

    def slowed(self) -> float:
        """Return the speed of the second half, as a part of the first's: of the quickest quarter of each."""
        rates = np.diff(self.values) / np.diff(self.seconds)
        half = len(rates) // 2
        return float(np.quantile(rates[half:], 0.75) / np.quantile(rates[:half], 0.75))

    def findings(self) -> list[str]:
        """Return what grew or slowed down; of a run that is too short to tell, nothing."""
        if self.values[-1] < LEAST_JUDGED:
            return []
        slope, lower = self.slope()
        found = []
        if lower > 0 and slope > GROWTH_LIMIT:
            found.append(
                f"memory grows by {slope / 2**20:.1f} MB for 10^9 values, {lower / 2**20:.1f} at least"
            )
        if self.slowed() < SLOWEST:
            found.append(f"it slows down: {self.slowed():.2f} of its speed in the second half")
        for what, counts in (("files", self.files), ("threads", self.threads)):
            half = len(counts) // 2
            if max(counts[half:]) > max(counts[:half]):
                found.append(f"open {what} grow: {max(counts[:half])}, then {max(counts[half:])}")
        return found


def wrong_counts(given: Given, health: Any, archive: tg.Archive) -> list[str]:
    """Compare what is archived, and what health says, with what was given."""
    found = archive.store.find()
    totals = [each.key for each in found if each.key.segment == ""]
    by_segment: Counter[str] = Counter()
    for each in found:
        if each.key.segment:
            name = each.key.segment.removeprefix('{"segment":"').removesuffix('"}')
            by_segment[name if name.startswith("s") else "new"] += each.n_rows
    merged = tg.merge(tg.Profile.from_bytes(state) for _, state in archive.store.read(totals))
    attached = tg.Profile.from_bytes(merged.to_bytes(), archive.reference(totals[0].reference_id))
    word = attached._core.column("word")
    n_by_word = dict(zip(word.spec.category_names, word.cells.tolist(), strict=False))
    told = {
        "rows archived": (sum(each.n_rows for each in found if each.key.segment == ""), given.n_rows),
        "rows in the profiles": (merged.n_rows, given.n_rows),
        "rows in health": (health.n_rows, given.n_rows),
        "rows archived in health": (health.n_rows_archived, given.n_rows),
        # Where the clock has closed all windows but one, late rows may open another and be on time.
        "late rows in health": (min(health.n_rows_late, given.n_late // 2), given.n_late // 2),
        "refused, lost": (health.n_rows_refused + health.n_rows_lost, 0),
        "null": (merged["x0"].n_null, given.n_null),
        "NaN": (merged["x1"].n_nan, given.n_nan),
        "the first word": (n_by_word["w0"], given.n_first_word),
        "rows by segment": (dict(by_segment), dict(given.by_segment)),
    }
    return [f"{what}: {is_}, not {owed}" for what, (is_, owed) in told.items() if is_ != owed]


def run_in(
    folder: Path, n_batches: int, seconds: float
) -> tuple[int, list[str], Counter[str], dict[str, float]]:
    source, given, seen, now = Source(), Given(), Seen(), [START_NS]
    reference = tg.Reference.fit(source.batch(0, now[0]))
    archive = tg.Archive(f"sqlite:///{folder}/soak.db")
    store = AwayStore(archive.store)
    monitor = tg.Monitor(
        "soak",
        reference,
        archive=tg.Archive(store),
        clock=lambda: now[0],
        checkpoint_seconds=1.0,
        budget_bytes=256 << 20,
        window="1h",
        timestamp="time",
        segments=["segment"],
        grace="2m",
    )
    away_from = int(AWAY[0] * n_batches)
    away_until = min(int(AWAY[1] * n_batches), away_from + LONGEST_AWAY)
    until = time.monotonic() + seconds
    done = 0
    for done in range(1, n_batches + 1):
        now[0] += MINUTE_NS
        store.away = away_from <= done < away_until
        monitor.update(source.batch(done, now[0], given))
        if store.away and done % 10 == 0 and monitor.checkpoint():
            raise AssertionError("an archive that is away took a checkpoint")
        if done % max(1, n_batches // 400) == 0:
            seen.look(done * N_ROWS * N_NUMBERS)
            if time.monotonic() > until:
                break
    monitor.close()
    with archive:
        findings = wrong_counts(given, monitor.health, archive)
        n_profiles = len(archive.store.find())
    counts = Counter(
        {
            "late rows": given.n_late,
            "profiles archived": n_profiles,
            "appends that failed": store.n_failures,
        }
    )
    slope, _ = seen.slope()
    levels = {
        "memory, MB for 10^9 values": round(slope / 2**20, 2),
        "resident, MB": round(max(seen.resident) / 2**20, 1),
        "10^6 values a second": round(done * N_ROWS * N_NUMBERS / (seen.seconds[-1] - seen.seconds[0]) / 1e6),
        "slowdown": round(1 / seen.slowed(), 2),
    }
    return done, findings + seen.findings(), counts, levels


def run(first: int, n: int, seconds: float) -> Outcome:
    """Give n values and some, in whole batches. Which come first makes no difference."""
    n_batches = max(400, -(-n // (N_ROWS * N_NUMBERS)))
    with tempfile.TemporaryDirectory() as folder:
        done, findings, counts, levels = run_in(Path(folder), n_batches, seconds)
    again = f"python -m trust try soak {first} {n}"
    tried = min(n, done * N_ROWS * N_NUMBERS)
    return Outcome(tried, [f"{each}; {again}" for each in findings], counts, levels)


PART = Part(
    "soak",
    "values",
    "memory, open files and speed stay the same and counts exact, with new words, late rows, an archive away",
    run,
    change=10**9,
    deep=10**10,
    alone=True,
)
