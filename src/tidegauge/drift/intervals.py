"""Exact scans: the one cell, or the one interval of cells, whose share changed most beyond chance.

Counts are `[columns, cells]` (one-dimensional ones are one column). Every candidate is a cell or a dyadic
interval (halves of halves of the row of cells, extended by empty cells to a power of two) that holds some of
the pooled rows and not all. Its p is exact: given the pooled counts, the current rows in it are
hypergeometric. The smallest p of a column is corrected for the number of candidates that differ (Sidak 1967).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge.drift.hypergeometric import exact_log_p_value, overdispersed_log_p_value

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_EXACT = 16  # candidates of a column whose exact p is computed: those with the largest deviance


@dataclass(frozen=True, slots=True)
class Scan:
    """The winners of a scan, `[columns]` each.

    `p` allows for all candidates; cells `start` to `stop` - 1 (0 and 0 without candidates) changed their
    share by `change` = current - reference, range [-1, 1]. p is 1 where all rows are in one cell and NaN
    where a side has no rows.
    """

    p: Floats
    start: Integers
    stop: Integers
    change: Floats


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Sets of cells: rows of each side and whether they are tested, `[columns, sets]`; ends `[sets]`."""

    a: Floats
    b: Floats
    counts: npt.NDArray[np.bool_]
    start: Integers
    stop: Integers


@dataclass(frozen=True, slots=True)
class Overdispersion:
    """How much more than independent rows the sets of `candidates` vary, `[columns, sets]`, and how surely.

    `factor` is that of the variance, `denominator` the degrees of freedom of its estimate.
    """

    factor: Floats
    denominator: Floats


def candidates(width: int, ordered: bool) -> tuple[Integers, Integers]:
    """Return (start, stop) of every set that is scanned in a row of `width` cells, `[sets]` each.

    Single cells; of ordered ones, dyadic intervals as well, the finest level first.
    """
    place = np.arange(width, dtype=np.int64)
    if not ordered:
        return place, place + 1
    levels = (width - 1).bit_length()
    start = [np.arange(1 << (levels - level), dtype=np.int64) << level for level in range(levels + 1)]
    stop = [np.minimum(each + (1 << level), width) for level, each in enumerate(start)]
    return np.minimum(np.concatenate(start), width), np.concatenate(stop)


def cell_scan(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    dispersion: Overdispersion | None = None,
    *,
    last: bool = True,
) -> Scan:
    """Test every cell on its own (but the `last`, if that is not to be); their order has no meaning."""
    a, b = _columns(reference, current)
    n, m = a.sum(axis=1), b.sum(axis=1)
    counts = (a + b > 0) & (a + b < (n + m)[:, None])
    counts[:, -1] &= last
    tests = counts.sum(axis=1)
    sets = _Candidates(a, b, counts, *candidates(a.shape[1], ordered=False))
    # Two cells that share all rows are one test.
    return _best(sets, np.where(tests == 2, 1, tests), n, m, dispersion)


def interval_scan(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    dispersion: Overdispersion | None = None,
    *,
    above: Integers | None = None,
) -> Scan:
    """Test every dyadic interval of cells; the order of the cells is that of the numbers.

    Of two intervals that hold the same rows one is a candidate. The first interval that splits the rows has
    complementary halves, so the tests are one fewer than the candidates: 509 for 256 cells. `above`
    `[columns]` is the place that the last cell of each column would have without the empty ones that were put
    before it: a column's intervals are then the same whatever the width.
    """
    a, b = _columns(reference, current)
    if above is not None:
        a, b = _with_last_at(a, above), _with_last_at(b, above)
    n, m = a.sum(axis=1), b.sum(axis=1)
    width = a.shape[1]
    levels = (width - 1).bit_length()
    padding = ((0, 0), (0, (1 << levels) - width))
    a, b = np.pad(a, padding), np.pad(b, padding)
    parts: list[tuple[Floats, Floats, npt.NDArray[np.bool_]]] = []
    differs = a + b > 0
    for level in range(levels + 1):
        parts.append((a, b, differs & (a + b < (n + m)[:, None])))
        if level < levels:
            left, right = slice(0, None, 2), slice(1, None, 2)
            # An interval with an empty half is the other half.
            differs = (a[:, left] + b[:, left] > 0) & (a[:, right] + b[:, right] > 0)
            a, b = a[:, left] + a[:, right], b[:, left] + b[:, right]
    hits_a, hits_b, counts = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
    every = _Candidates(hits_a, hits_b, counts, *candidates(width, ordered=True))
    found = _best(every, np.maximum(counts.sum(axis=1) - 1, 1), n, m, dispersion)
    if above is None:
        return found
    start = np.where((found.start == above) & (found.stop > found.start), width - 1, found.start)
    return Scan(found.p, start, np.where(found.stop > above, width, found.stop), found.change)


def _with_last_at(counts: Floats, place: Integers) -> Floats:
    """Return counts with the last cell of each column moved to `place`, and nothing after it."""
    moved = counts.copy()
    moved[:, -1] = 0.0
    moved[np.arange(len(counts)), place] += counts[:, -1]
    return moved


def _columns(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Floats, Floats]:
    a = np.atleast_2d(np.asarray(reference, dtype=np.float64))
    b = np.atleast_2d(np.asarray(current, dtype=np.float64))
    a, b = np.broadcast_arrays(a, b)
    return a, b


def _best(
    sets: _Candidates, tests: Integers, n: Floats, m: Floats, dispersion: Overdispersion | None
) -> Scan:
    """Return the candidate with the smallest p of every column; the first of equals."""
    factor = 1.0 if dispersion is None else dispersion.factor
    # The normal deviation costs a tenth of the deviance, and errs on the side of thin sets: it keeps four
    # times as many as are needed.
    square = np.where(sets.counts, _squared_deviation(sets.a, sets.b, n, m) / factor, -1.0)
    screened = _largest(square, 4 * _EXACT)
    near_a, near_b = (
        np.asarray(np.take_along_axis(each, screened, 1), np.float64) for each in (sets.a, sets.b)
    )
    near = np.take_along_axis(sets.counts, screened, 1)
    deviance = np.where(near, _deviance(near_a, near_b, n, m), -1.0)
    if dispersion is not None:
        deviance /= np.take_along_axis(dispersion.factor, screened, 1)
    screened = np.take_along_axis(screened, _largest(deviance, _EXACT), 1)
    a, b, counts = (np.take_along_axis(each, screened, 1) for each in (sets.a, sets.b, sets.counts))
    if dispersion is None:
        log_p = exact_log_p_value(a, n[:, None], b, m[:, None])
    else:
        factor = np.take_along_axis(dispersion.factor, screened, 1)
        denominator = np.take_along_axis(np.broadcast_to(dispersion.denominator, sets.a.shape), screened, 1)
        log_p = overdispersed_log_p_value(
            a, n[:, None], b, m[:, None], factor=factor, denominator=denominator
        )
    log_p = np.asarray(np.where(counts, log_p, 1.0), np.float64)
    # Complementary halves have the same p but for rounding, which must not decide.
    winner = np.argmax(log_p <= log_p.min(axis=1, keepdims=True) * (1.0 - 1e-9), axis=1)[:, None]
    hits_a, hits_b, least = (
        np.asarray(np.take_along_axis(each, winner, 1)[:, 0], np.float64) for each in (a, b, log_p)
    )
    place = np.take_along_axis(screened, winner, 1)[:, 0]
    some = sets.counts.any(axis=1)
    # Sidak's 1 - (1 - p)^tests. Bonferroni's p is the same where it is small, but 1 in most columns of many
    # cells when nothing changed, and a 1 is heard in a combination as a denial of what other tests found.
    with np.errstate(divide="ignore"):
        p = -np.expm1(np.maximum(tests, 1) * np.log1p(-np.exp(np.minimum(least, 0.0))))
    p = np.where(some, p, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(some, hits_b / m - hits_a / n, 0.0)
    filled = (n > 0) & (m > 0)
    return Scan(
        np.where(filled, p, np.nan),
        np.where(some, sets.start[place], 0),
        np.where(some, sets.stop[place], 0),
        np.where(filled, change, np.nan),
    )


def _largest(score: Floats, count: int) -> Integers:
    """Return the places of the `count` largest of each row, in ascending order of place."""
    count = min(count, score.shape[1])
    return np.asarray(np.sort(np.argpartition(-score, count - 1, axis=1)[:, :count], axis=1), np.int64)


def _squared_deviation(a: Floats, b: Floats, n: Floats, m: Floats) -> Floats:
    """Return the squared normal deviation of each candidate, half a row nearer to what is expected."""
    total = (n + m)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled, rate = a + b, m[:, None] / total
        off = np.maximum(np.abs(b - pooled * rate) - 0.5, 0.0)
        spread = pooled * rate * (1.0 - rate) * (1.0 - pooled / total)
        return np.asarray(np.nan_to_num(off * off / spread))


def _deviance(a: Floats, b: Floats, n: Floats, m: Floats) -> Floats:
    """Return G^2 of each candidate's 2 x 2 table, half a row nearer to what is expected; 0 within half a row.

    It orders candidates as their exact p does, in thin cells too, where the normal z does not.
    """
    from scipy.special import xlogy

    total = (n + m)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled, rate = a + b, m[:, None] / total
        expected = pooled * rate
        off = np.maximum(np.abs(b - expected) - 0.5, 0.0) * np.sign(b - expected)
        found = 0.0
        for y, d in (
            (expected, off),
            (pooled - expected, -off),
            (m[:, None] - expected, -off),
            (total - pooled - m[:, None] + expected, off),
        ):
            found = found + xlogy(y + d, 1.0 + d / y)
    return np.asarray(np.nan_to_num(2.0 * found))
