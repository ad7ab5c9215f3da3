"""A machine of an intake: rows of any time and segment into open windows, and what is taken out of them.

The model is a list of rows by window. The sum of their column `i`, whole numbers drawn from 2^41, tells
whether the rows of a part are the right ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache
from random import Random
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import tidegauge as tg
from tidegauge import arrow
from tidegauge.calendar import Calendar
from tidegauge.errors import ArrowError
from tidegauge.intake import Intake, Part
from tidegauge.intake.segmentation import Segmentation
from tidegauge.segments import TOTAL, key_of, parse_segment
from tidegauge.window import HOUR, Window

T0 = 1_700_000_000 * 10**9 // HOUR * HOUR
MINUTE = HOUR // 60
COUNTRIES = ("SE", "DE", "", "é", "x" * 300, None, "a\0b")
HOURS = st.integers(-3, 6)
SEEDS = st.integers(0, 2**32)


@cache
def reference() -> tg.Reference:
    """Return the reference of the rows below."""
    random = Random(5)
    data, _ = drawn(random, 300, lambda: T0 - random.randrange(100 * HOUR))
    return tg.Reference.fit(data, schema=tg.Schema.infer(data, timestamp="time"))


def drawn(
    random: Random, n: int, time: Any
) -> tuple[pa.Table, list[tuple[int | None, str | None, bool, int]]]:
    """Draw n rows as a table, and as (time, country, device, i)."""
    rows = [
        (time(), random.choice(COUNTRIES), random.random() < 0.5, random.randint(-(2**40), 2**40))
        for _ in range(n)
    ]
    table = pa.table(
        {
            "time": pa.array([row[0] for row in rows], pa.timestamp("ns")),
            "country": pa.array([row[1] for row in rows], pa.string()),
            "device": pa.array([row[2] for row in rows], pa.bool_()),
            "i": pa.array([row[3] for row in rows], pa.int64()),
            "x": pa.array([random.gauss(0, 1) for _ in rows], pa.float64()),
        }
    )
    return table, rows


class IntakeMachine(RuleBasedStateMachine):
    """One intake with two dimensions of segments."""

    @initialize(cap=st.sampled_from([0, 1, 3, 1_000]), reserved=st.booleans())
    def begin(self, cap: int, reserved: bool) -> None:
        segmentation = Segmentation(reference(), ["country", ("country", "device")], 64 << 20)
        segmentation.max_segments = cap
        if not reserved or cap < 6:
            segmentation._reserved = [[], []]
        self.cap = cap
        self.intake = Intake(segmentation, Calendar(HOUR), "time", grace_ns=5 * MINUTE)
        self.now = T0
        self.rows: dict[Window, list[tuple[str | None, bool, int]]] = defaultdict(list)
        self.parts: dict[tuple[Window, int, str], Part] = {}
        self.final: set[tuple[Window, int, str]] = set()

    @rule(seed=SEEDS, n=st.sampled_from([0, 1, 2, 17]), hour=HOURS, spread=st.sampled_from([0, 1, 4]))
    def update(self, seed: int, n: int, hour: int, spread: int) -> None:
        """Rows of one hour or of several; some have no time and are where the clock is."""
        random = Random(seed)

        def time() -> int | None:
            if random.random() < 0.1:
                return None
            return self.now + (hour + random.randint(0, spread)) * HOUR + random.randrange(HOUR)

        table, rows = drawn(random, n, time)
        for batch in arrow.batches(table):
            self.intake.update(batch, self.now, threads=random.choice([1, 1, 2]))
        for at, country, device, i in rows:
            self.rows[self.window(self.now if at is None else at)].append((country, device, i))

    update_more = update_still_more = update  # a rule three times as likely as the others

    @rule(seed=SEEDS)
    def update_with_times_of_another_kind(self, seed: int) -> None:
        """A column of times that holds something else: its rows are where the clock is, and it is noted."""
        table, rows = drawn(Random(seed), 3, lambda: None)
        table = table.set_column(0, "time", pa.array(["not a time"] * 3))
        (batch,) = arrow.batches(table)
        self.intake.update(batch, self.now)
        assert self.intake.untimed_why is not None
        self.intake.untimed_why = None
        for _, country, device, i in rows:
            self.rows[self.window(self.now)].append((country, device, i))

    @rule(seed=SEEDS)
    def refuse(self, seed: int) -> None:
        """A malformed batch is refused before the first row."""
        table, _ = drawn(Random(seed), 3, lambda: self.now)
        codes = pa.DictionaryArray.from_arrays(pa.array([0, 1, 77], pa.int8()), ["SE", "DE"], safe=False)
        bad = table.set_column(1, "country", codes)
        before = self.intake.n_segments, self.intake.memory_bytes, Counter(self.intake.counts)
        refused = [each for batch in arrow.batches(bad) for each in self.intake.update(batch, self.now)]
        assert [(type(error), n_rows) for error, n_rows in refused] == [(ArrowError, 3)]
        assert before == (self.intake.n_segments, self.intake.memory_bytes, self.intake.counts)

    @rule(minutes=st.sampled_from([0, 1, 5, 6, 59, 60, 66, 180, -30, -120]))
    def clock(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @rule(checkpoint=st.booleans())
    def take(self, checkpoint: bool) -> None:
        self.keep(self.intake.take(self.now, checkpoint=checkpoint))

    def keep(self, parts: list[Part]) -> None:
        seen = set()
        for part in parts:
            key = (part.window, part.sequence, part.segment)
            assert key not in seen, "a part comes twice in one take"
            assert key not in self.final, "a final part comes again"
            seen.add(key)
            if part.final:
                self.final.add(key)
            older = self.parts.get(key)
            assert older is None or older.n_rows <= part.n_rows, "a part lost rows"
            self.parts[key] = part

    @invariant()
    def at_most_two_windows_are_open(self) -> None:
        if not hasattr(self, "intake"):
            return
        assert len(self.intake.windows) <= 2
        assert self.intake.n_segments <= self.cap + 2

    @staticmethod
    def window(at: int) -> Window:
        start = at // HOUR * HOUR
        return Window(start, start + HOUR)

    def teardown(self) -> None:
        if not hasattr(self, "intake"):
            return
        self.keep(self.intake.take(self.now, everything=True))
        assert self.intake.take(self.now, everything=True) == []
        assert not self.intake.windows
        found: dict[Window, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        for (window, _, segment), part in self.parts.items():
            profile = tg.Profile.from_bytes(part.state, reference())
            assert profile.n_rows == part.n_rows
            there = found[window][segment]
            there["rows"] += part.n_rows
            there["sum"] += profile["i"].sum
            there["true"] += int(profile["device"].counts[1])
        expected = {window: rows for window, rows in self.rows.items() if rows}
        assert set(found) == set(expected)
        for window, rows in expected.items():
            self.check_window(found[window], rows)

    def check_window(self, found: dict[str, Counter[str]], rows: list[tuple[str | None, bool, int]]) -> None:
        """Totals are exact; segments are exact where nobody was turned away, and always add up."""
        assert found[TOTAL] == facts(rows)
        by_key: dict[str, list[Any]] = defaultdict(list)
        for row in rows:
            country = None if row[0] is not None and len(row[0]) > 256 else row[0]
            too_long = row[0] is not None and len(row[0]) > 256
            device = "true" if row[1] else "false"
            for names, values in ((("country",), (country,)), (("country", "device"), (country, device))):
                by_key[key_of(names, None if too_long else values)].append(row)
        for names in (("country",), ("country", "device")):
            other = key_of(names, None)
            keys = {key for key in found if set(parse_segment(key)) == set(names)}
            total = Counter()
            for key in keys:
                total.update(found[key])
                if key != other:
                    # A late part of a window has tables of its own, in which others may have been first.
                    assert found[key]["rows"] <= len(by_key[key])
                    if self.cap >= 1_000:
                        assert found[key] == facts(by_key[key]), key
            assert total == found[TOTAL], f"the segments of {names} do not add up"


def facts(rows: list[tuple[str | None, bool, int]]) -> Counter[str]:
    return Counter(
        {"rows": len(rows), "sum": sum(row[2] for row in rows), "true": sum(row[1] for row in rows)}
    )
