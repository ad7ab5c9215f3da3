"""Slices of rows for which a model is worse than for the rest, without believing the luckiest of many.

The largest of many gaps is large by luck too. So slices are chosen on one half of the data and held to their
word on the other; of one set of rows the family's false discoveries are bounded, and what is told of a slice
is conditional on its having been chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, isnan, nan, sqrt
from typing import Any

import numpy as np

from tidegauge.measurement import defined
from tidegauge.outcomes.intervals import Interval
from tidegauge.outcomes.metric_change import around
from tidegauge.outcomes.sums import Sums
from tidegauge.segments import Other, parse_segment

MIN_ROWS = 30  # of a slice, and of what it is held against: with fewer, a mean is no normal number yet
CHOSEN_AT = 0.05  # p on the first half up to which a slice is worth a look at the second
MAX_CHOSEN = 10  # slices looked at on the second half: each costs level


@dataclass(frozen=True, slots=True)
class Contrast:
    """A slice, and what it is held against.

    `without` are slices in it that were chosen before and are taken out of both sides; `against` is the
    chosen slice that holds it, of which the other rows count, "" for all other rows.
    """

    segment: str
    without: tuple[str, ...] = ()
    against: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A slice of rows: its `gap` is by how much worse the metric is there, in its unit; above 0 is worse.

    `against` is "" where it is held against all other rows, else the slice that holds it, of which the other
    rows count; `without` are chosen slices in it whose rows are left out. `value` is the metric of its
    `n_rows` rows, `other_value` that of the others. `gap` has a 95 % interval. Of two halves all three are of
    the second half, on which nothing was chosen; else they are as measured, but for gap and interval, which
    are conditional on the slice having been chosen. `p_value` is for a gap of `tolerance` at most;
    `confirmed` whether chance is ruled out. `reference_gap` is the same in the reference, None if not known.
    """

    segment: str
    against: str
    without: tuple[str, ...]
    gap: float
    gap_interval: Interval
    value: float
    other_value: float
    n_rows: float
    p_value: float
    confirmed: bool
    reference_gap: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: list(each) if isinstance(each, tuple) else each for name, each in found.items()}


@dataclass(frozen=True, slots=True)
class Rows:
    """Sums of a metric by segment key and of all rows; `sign` is 1 where higher is worse, else -1."""

    sums: Mapping[str, Sums]
    whole: Sums
    sign: float


@dataclass(frozen=True, slots=True)
class Gap:
    """By how much worse one set of rows is than another, its standard error, and both means."""

    value: float
    error: float
    inside: Sums
    outside: Sums


def confirmed_slices(
    first: Mapping[str, Sums],
    second: Mapping[str, Sums],
    *,
    higher_is_worse: bool,
    tolerance: float = 0.0,
    level: float = 0.05,
) -> list[Slice]:
    """Return the slices chosen on the `first` half, as the `second` half shows them, the surest choice first.

    Both are sums of a mean over rows by segment key, of disjoint rows; a dimension's segments add up to all
    rows. Chosen are up to 10 with p <= .05 on the first half; confirmed those that pass Holm's test on the
    second: where no slice is worse by more than `tolerance`, any is confirmed with a chance of `level` at
    most, however many there are. The gap told is that of the second half, confirmed or not: unbiased.
    """
    chosen = choose(rows_of(first, higher_is_worse), tolerance, CHOSEN_AT, MAX_CHOSEN)
    held_out = rows_of(second, higher_is_worse)
    gaps = [gap_of(held_out, each) for each in chosen]
    p = [p_of(gap, tolerance) for gap in gaps]
    passed = holm(p, level)
    return [
        told(contrast, gap, (gap.value, around(gap.value, gap.error)), each_p, confirmed=ok)
        for contrast, gap, each_p, ok in zip(chosen, gaps, p, passed, strict=True)
        if gap is not None
    ]


def discovered_slices(
    sums: Mapping[str, Sums], *, higher_is_worse: bool, tolerance: float = 0.0, level: float = 0.05
) -> list[Slice]:
    """Return slices of one set of rows at a false discovery rate of `level`, the surest first.

    By Benjamini-Hochberg over all slices with enough rows. A slice is told because its z exceeded a limit, so
    its gap is the median-unbiased estimate of a normal number given that it exceeds the limit, and the
    interval holds given that as well (Zhong & Prentice 2008; Lee and others 2016): near the limit the gap
    shrinks towards `tolerance`, far from it hardly. The limit is taken for fixed.
    """
    rows = rows_of(sums, higher_is_worse)
    plain = [p_of(gap_of(rows, Contrast(key)), tolerance) for key in slices_of(sums)]
    known = np.sort([each for each in plain if not isnan(each)])
    passed = np.flatnonzero(known <= level * np.arange(1, len(known) + 1) / max(len(known), 1))
    if not len(passed):
        return []
    limit = level * float(passed[-1] + 1) / len(known)
    found = []
    for contrast in choose(rows, tolerance, limit, len(plain)):
        gap = gap_of(rows, contrast)
        if gap is not None and gap.error > 0:
            low, middle, high = given_chosen((gap.value - tolerance) / gap.error, limit)
            ends = tolerance + low * gap.error, tolerance + high * gap.error
            value = tolerance + max(middle, 0.0) * gap.error
            found.append(told(contrast, gap, (value, ends), p_of(gap, tolerance), confirmed=True))
    return found


def rows_of(sums: Mapping[str, Sums], higher_is_worse: bool) -> Rows:
    """Return sums with those of all rows."""
    return Rows(sums, whole_of(sums), 1.0 if higher_is_worse else -1.0)


def choose(rows: Rows, tolerance: float, limit: float, most: int) -> list[Contrast]:
    """Return up to `most` slices with a p up to `limit`, the smallest first, none that another explains.

    One after another: a slice within a chosen one must be worse than the rest of that, and one that holds
    chosen ones worse without them.
    """
    chosen: list[Contrast] = []
    hardest = {
        key: (Contrast(key), p_of(gap_of(rows, Contrast(key)), tolerance)) for key in slices_of(rows.sums)
    }
    while len(chosen) < most:
        passing = [each for each in hardest.values() if each[1] <= limit]
        if not passing:
            break
        chosen.append(min(passing, key=lambda each: each[1])[0])
        last = hardest.pop(chosen[-1].segment)[0].segment
        for key in hardest:
            if pairs(last) < pairs(key) or pairs(key) < pairs(last):  # the others are held against the same
                against = [(each, p_of(gap_of(rows, each), tolerance)) for each in contrasts(key, chosen)]
                hardest[key] = max(against, key=lambda each: inf if isnan(each[1]) else each[1])
    return chosen


def contrasts(key: str, chosen: Sequence[Contrast]) -> Iterator[Contrast]:
    """Yield what a slice is held against, after others were chosen: all others, and those that hold it."""
    inner = [each.segment for each in chosen if pairs(key) < pairs(each.segment)]
    # Slices of one dimension have no row in common; of those of several only one dimension is taken out.
    columns = tuple(parse_segment(inner[0])) if inner else ()
    without = tuple(each for each in inner if tuple(parse_segment(each)) == columns)
    yield Contrast(key, without)
    for each in chosen:
        if pairs(each.segment) < pairs(key):
            yield Contrast(key, without, each.segment)


@lru_cache(maxsize=4_096)
def pairs(key: str) -> frozenset[tuple[str, str | Other | None]]:
    """Return the columns and values of a segment: all its rows are rows of one with fewer of them."""
    return frozenset(parse_segment(key).items())


def slices_of(sums: Mapping[str, Sums]) -> list[str]:
    """Return the keys of slices with enough rows, and enough that are not in it, in order."""
    n = whole_of(sums).n
    return [key for key in sorted(sums) if key and MIN_ROWS <= sums[key].n <= n - MIN_ROWS]


def whole_of(sums: Mapping[str, Sums]) -> Sums:
    """Return the sums of all rows: of "", or of the dimension that has the most."""
    if "" in sums:
        return sums[""]
    wholes: dict[tuple[str, ...], Sums] = {}
    for key, each in sums.items():
        by = tuple(parse_segment(key))
        wholes[by] = wholes.get(by, Sums()) + each
    return max(wholes.values(), key=lambda each: each.n, default=Sums())


def gap_of(rows: Rows, contrast: Contrast) -> Gap | None:
    """Return by how much worse a slice is; None with fewer than 30 rows on a side.

    Variances lean by one row on that of both sides together, so that few equal rows are not certain.
    """
    sums, nothing = rows.sums, Sums()
    inside = sums.get(contrast.segment, nothing)
    outside = (sums.get(contrast.against, nothing) if contrast.against else rows.whole) - inside
    for key in contrast.without:
        inside = inside - sums.get(key, nothing)
    if min(inside.n, outside.n) < MIN_ROWS:
        return None
    both = inside + outside
    pooled = max(both.square / both.n - both.mean**2, 0.0)
    variance = 0.0
    for side in (inside, outside):
        within = max(side.square - side.total * side.mean, 0.0)
        variance += (within + pooled) / side.n / side.n
    return Gap(rows.sign * (inside.mean - outside.mean), sqrt(variance), inside, outside)


def p_of(gap: Gap | None, tolerance: float) -> float:
    """Return the one-sided p of "it is worse by `tolerance` at most"; NaN where nothing is known."""
    from scipy.special import ndtr

    if gap is None:
        return nan
    return float(ndtr((tolerance - gap.value) / gap.error)) if gap.error > 0 else 1.0


def holm(p: Sequence[float], level: float) -> list[bool]:
    """Return which of a family pass at a familywise error of `level` (Holm 1979); NaN count, and do not."""
    order = sorted(range(len(p)), key=lambda i: inf if isnan(p[i]) else p[i])
    passed = [False] * len(p)
    for rank, i in enumerate(order):
        if not p[i] <= level / (len(p) - rank):
            break
        passed[i] = True
    return passed


def given_chosen(z: float, limit: float) -> tuple[float, float, float]:
    """Return (low, median, high) of the mean of a unit normal that came out at `z`, given p <= `limit`.

    At the mean m the chance of z or more, given that the p passed, is Phi(m - z) / Phi(m - c), c the z of the
    limit: .025, .5 and .975 of it. By bisection, as the chance grows with m; not below z - 40.
    """
    from scipy.special import log_ndtr, ndtri

    c = -float(ndtri(limit))
    found = []
    for rank in (0.025, 0.5, 0.975):
        low, high = z - 40.0, z + 10.0
        for _ in range(60):
            middle = (low + high) / 2
            chance = float(np.exp(log_ndtr(middle - z) - log_ndtr(middle - min(c, z))))
            low, high = (middle, high) if chance < rank else (low, middle)
        found.append((low + high) / 2)
    return found[0], found[1], found[2]


def told(
    contrast: Contrast, gap: Gap, estimate: tuple[float, Interval], p: float, *, confirmed: bool
) -> Slice:
    """Return a slice as it is told, with this estimate of its gap and interval."""
    return Slice(
        segment=contrast.segment,
        against=contrast.against,
        without=contrast.without,
        gap=estimate[0],
        gap_interval=estimate[1],
        value=gap.inside.mean,
        other_value=gap.outside.mean,
        n_rows=gap.inside.n,
        p_value=p,
        confirmed=confirmed,
    )


def gap_in(sums: Mapping[str, Sums], found: Slice, *, higher_is_worse: bool) -> float | None:
    """Return the gap of a slice in other rows; None with too few of them."""
    contrast = Contrast(found.segment, found.without, found.against)
    gap = gap_of(rows_of(sums, higher_is_worse), contrast)
    return None if gap is None else defined(gap.value)
