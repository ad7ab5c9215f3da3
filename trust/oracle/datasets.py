"""One dataset: all that its profile says, its bytes under every instruction set and split, its merges."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

import pyarrow as pa

import tidegauge as tg
from tidegauge import _core
from trust.oracle.checks import check_column
from trust.oracle.columns import KINDS, Column, Kind, column

LEVELS = _core.available_isas().split()
SIZES = (0, 1, 2, 7, 8, 9, 31, 64, 65, 100, 100, 200, 300)
LARGE = (513, 2_047, 2_049, 4_097, 5_000)


@dataclass(frozen=True)
class Dataset:
    """Columns of equally many rows, and how they are profiled."""

    columns: dict[str, Column]
    n_rows: int
    reference: tg.Reference | None
    accumulators: Any

    def table(self) -> pa.Table:
        return pa.table({name: each.array for name, each in self.columns.items()})

    def empty(self) -> tg.Profile:
        return tg.Profile.empty(self.reference, accumulators=self.accumulators)

    def of(self, data: Any, **options: Any) -> tg.Profile:
        return tg.profile(data, self.reference, accumulators=self.accumulators, **options)


def drawn(random: Random) -> Dataset:
    """Draw a dataset."""
    n = random.choice(LARGE if random.random() < 0.02 else SIZES)
    kinds = {
        f"c{i} {kind.type}": kind for i, kind in enumerate(random.choices(KINDS, k=random.randint(1, 5)))
    }
    bounds = sorted(random.randint(0, n) for _ in range(random.choice([0, 0, 1, 3])))
    columns = {name: column(random, n, kind, bounds) for name, kind in kinds.items()}
    return Dataset(columns, n, fitted(random, kinds), random.choice(["full", "full", "light"]))


def fitted(random: Random, kinds: dict[str, Kind]) -> tg.Reference | None:
    """Fit a reference to other rows of the same types, or none."""
    if random.random() < 0.55:
        return None
    n = random.choice([1, 20, 120])
    data = pa.table({name: column(random, n, kind).array for name, kind in kinds.items()})
    return tg.Reference.fit(data)


@contextmanager
def forced(level: str) -> Iterator[None]:
    """Have the kernels of one instruction set used."""
    before = _core.isa()
    _core.force_isa(level)
    try:
        yield
    finally:
        _core.force_isa(before)


def check(random: Random) -> Counter[str]:
    """Draw a dataset and check it. Returns what was compared; raises AssertionError."""
    data = drawn(random)
    table, told = data.table(), Counter[str]()
    whole = data.of(table)
    check_profile(whole, data)
    told["columns"] += len(data.columns)
    told.update(each.layout for each in data.columns.values())
    expected = whole.to_bytes()
    for level in LEVELS:
        with forced(level):
            assert data.of(table).to_bytes() == expected, f"instruction set {level} shows"
    told["instruction sets"] += len(LEVELS)
    check_inputs(random, data, table, expected)
    check_splits(random, data, table, expected)
    told["merge trees"] += check_merges(random, data, table, whole)
    if data.reference is not None and random.random() < 0.3:
        told["measurements"] += check_comparison(tg.compare(data.reference, whole))
    return told


def check_profile(profile: tg.Profile, data: Dataset, *, merged: bool = False) -> None:
    """Check every column against its rows."""
    assert profile.n_rows == data.n_rows
    for name, each in data.columns.items():
        if not data.n_rows and name not in profile:
            continue
        try:
            check_column(profile[name], each.rows, each.kind, merged=merged)
        except AssertionError as error:
            raise AssertionError(f"{name} ({each.layout}): {error}") from error


def check_inputs(random: Random, data: Dataset, table: pa.Table, expected: bytes) -> None:
    """The same rows as batches, as a stream, and as a struct of which a part was cut out."""
    batches = table.to_batches()
    how = random.choice(["batches", "stream", "struct"])
    if how == "stream" and data.n_rows:
        given: Any = pa.RecordBatchReader.from_batches(table.schema, batches)
    elif how == "struct" and len(batches) == 1 and data.n_rows:
        begin = random.randrange(data.n_rows)
        given = pa.StructArray.from_arrays(batches[0].columns, table.column_names).slice(begin)
        expected = data.of(table.slice(begin)).to_bytes()
    else:
        given = batches or table
    assert data.of(given).to_bytes() == expected, f"rows given as {how} show"


def check_splits(random: Random, data: Dataset, table: pa.Table, expected: bytes) -> None:
    """Neither splits, nor saving in between, nor threads show."""
    profile = data.empty()
    profile.update(table.slice(0, 0))
    for part in parts(random, data, table):
        profile.update(part, threads=random.choice([0, 1, 1, 3]))
        if random.random() < 0.3:
            profile = tg.Profile.from_bytes(profile.to_bytes(), data.reference)
    assert profile.to_bytes() == expected, "a split shows"


def parts(random: Random, data: Dataset, table: pa.Table) -> list[pa.Table]:
    """Cut rows into parts, in order; some have no row."""
    cuts = sorted(random.randint(0, data.n_rows) for _ in range(random.randint(0, 4)))
    return [table.slice(begin, end - begin) for begin, end in pairwise([0, *cuts, data.n_rows])]


def check_merges(random: Random, data: Dataset, table: pa.Table, whole: tg.Profile) -> int:
    """Merge parts in any order and tree: the numbers of one pass, and the bytes where those are promised."""
    pieces = [data.of(part) for part in parts(random, data, table)]
    random.shuffle(pieces)
    n_merges = 0
    while len(pieces) > 1:
        target, other = pieces.pop(), pieces.pop(random.randrange(len(pieces)))
        before = other.to_bytes()
        if random.random() < 0.3:
            other = tg.Profile.from_bytes(before, data.reference)
        turned = other.copy()
        turned.merge(target)
        target.merge(other)
        assert other.to_bytes() == before, "merging changed its argument"
        assert facts(turned) == facts(target), "a merge depends on who is merged into whom"
        pieces.insert(random.randrange(len(pieces) + 1), target)
        n_merges += 1
    check_profile(pieces[0], data, merged=n_merges > 0)
    check_order_free(random, data, table)
    return n_merges


def check_comparison(comparison: tg.Comparison) -> int:
    """Whatever the rows are, numbers are finite or None, p are shares, values lie in their interval."""
    for each in comparison.measurements:
        what = f"{each.name} of {each.column}"
        assert each.p_value is None or 0 <= each.p_value <= 1, f"the p of {what} is {each.p_value}"
        if each.low is not None and each.high is not None and each.value is not None:
            slack = 1e-9 * max(1.0, abs(each.value))
            assert each.low - slack <= each.value <= each.high + slack, f"{what} lies outside its interval"
    json.dumps(comparison.to_dict(), allow_nan=False)
    return len(comparison.measurements)


def check_order_free(random: Random, data: Dataset, table: pa.Table) -> None:
    """Where the state is whole numbers alone, any order and tree of merging gives the bytes of one pass."""
    names = [name for name, each in data.columns.items() if is_order_free(each, data)]
    if not names:
        return
    chosen = table.select(names)
    pieces = [data.of(part) for part in parts(random, data, chosen)]
    random.shuffle(pieces)
    while len(pieces) > 1:
        pieces[0].merge(pieces.pop())
    assert pieces[0].to_bytes() == data.of(chosen).to_bytes(), f"the order of merging shows in {names}"


def is_order_free(each: Column, data: Dataset) -> bool:
    """Tell whether homes, cells and lengths are all that a column keeps."""
    return each.kind in ("boolean", "unsupported") or (
        each.kind == "category" and data.accumulators == "light"
    )


def facts(profile: tg.Profile) -> dict[str, Any]:
    """Return the integer facts of a profile, which no order of merging changes."""
    names = (
        "n_rows n_present n_null n_nan n_inf n_mistyped n_absent n_zero n_negative n_below n_above n_unseen "
        "n_distinct"
    )
    return {
        name: (
            *(getattr(column, fact) for fact in names.split()),
            None if column.counts is None else column.counts.tobytes(),
            None if column.hash_counts is None else column.hash_counts.tobytes(),
            str(column.min),
            str(column.max),
        )
        for name, column in profile.items()
    }
