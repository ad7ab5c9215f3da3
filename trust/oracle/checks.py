"""What a column's profile must say, by slow and obvious computation over its rows.

Each `check_...` raises AssertionError. Rows are Python values, None for a null, and MISTYPED or ABSENT for
what the column cannot hold and for rows of batches without it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

HOMES = ("n_present", "n_null", "n_nan", "n_inf", "n_mistyped", "n_absent")
MISTYPED, ABSENT = object(), object()


def check_homes(column, **expected) -> None:
    """Every row has one home; those not named are empty."""
    homes = {name: getattr(column, name) for name in HOMES}
    assert homes == {name: expected.get(name, 0) for name in HOMES}
    assert column.n_rows == sum(homes.values())
    counts = column.counts
    if counts is not None:
        assert column.n_present == counts.sum() + column.n_below + column.n_above + column.n_unseen


def as_integers(values: Sequence[int | float]) -> tuple[list[int], int]:
    """Return whole numbers and the denominator under which they are these values, exactly."""
    ratios = [value.as_integer_ratio() for value in values]
    denominator = max((below for _, below in ratios), default=1)  # powers of two: the largest is common
    return [above * (denominator // below) for above, below in ratios], denominator


def central_sums(values: Sequence[int | float]) -> list[Fraction]:
    """sum (x - mean)^k for k = 0 to 4, exact."""
    whole, denominator = as_integers(values)
    n, total = len(whole), sum(whole)
    off = [n * x - total for x in whole]
    return [Fraction(sum(x**k for x in off), (n * denominator) ** k) for k in range(5)]


def check_moments(column, values: list, tolerance: float = 1e-12) -> None:
    """Mean and shape, to a tolerance relative to the size of the terms that were added."""
    n = len(values)
    mean = sum(map(Fraction, values)) / n
    _, _, m2, m3, m4 = central_sums(values)
    largest = float(max(abs(Fraction(v)) for v in values))
    assert column.mean == pytest.approx(float(mean), rel=tolerance, abs=tolerance * largest)
    if n < 2:
        assert column.variance is None
    else:
        assert column.variance == pytest.approx(float(m2 / (n - 1)), rel=tolerance, abs=0)
    if m2 == 0:
        assert column.skewness is None
        assert column.kurtosis is None
        return
    third = float(sum(abs(Fraction(v) - mean) ** 3 for v in values))
    scale = math.sqrt(n) / float(m2) / math.sqrt(float(m2))
    assert column.skewness == pytest.approx(float(m3) * scale, abs=10 * tolerance * third * scale)
    assert column.kurtosis + 3 == pytest.approx(float(n * m4 / m2 / m2), rel=10 * tolerance)


def check_ranks(column, values: np.ndarray, slack: float = 1.0) -> None:
    """Quantiles and ranks lie within the bound that the column itself states, times `slack`."""
    bound = slack * column.error_bounds["rank"] + 1e-9
    ordered = np.sort(values)
    for q in (0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0):
        value = column.quantile(q)
        assert column.min <= value <= column.max
        below = np.searchsorted(ordered, value, side="left") / len(ordered)
        up_to = np.searchsorted(ordered, value, side="right") / len(ordered)
        assert below - bound <= q <= up_to + bound, (q, value)
    for x in ordered[:: max(1, len(ordered) // 20)].tolist():
        rank = column.rank(x)
        if rank is None:  # a light profile keeps nothing of what lies outside the edges but the extremes
            assert not column._column.n_quantiles
            assert not column.edges[0] <= x < column.edges[-1]
        else:
            assert rank == pytest.approx(np.mean(ordered <= x), abs=bound)
    array = column.quantile([0.25, 0.75])
    assert array.tolist() == [column.quantile(0.25), column.quantile(0.75)]


def check_cells(column, values: np.ndarray) -> None:
    edges = column.edges
    cells = np.searchsorted(edges, values, side="right")
    counts = np.bincount(cells, minlength=len(edges) + 1)
    assert column.n_below == counts[0]
    assert column.n_above == counts[-1]
    assert column.counts.tolist() == counts[1:-1].tolist()


def home_of(row: Any) -> str:
    """Return the counter in which a row must be."""
    if row is None:
        return "n_null"
    if row is MISTYPED:
        return "n_mistyped"
    if row is ABSENT:
        return "n_absent"
    parts = row if isinstance(row, tuple) else (row,)
    if isinstance(parts[0], float) and not all(map(math.isfinite, parts)):
        # An embedding with a component that is not finite is not a number as a whole.
        return "n_nan" if isinstance(row, tuple) or math.isnan(row) else "n_inf"
    return "n_present"


def check_column(column: Any, rows: Sequence[Any], kind: str, *, merged: bool = False) -> None:
    """Check every public number of a column that was offered these rows.

    `merged`: the state was added up from parts, so moments are right to fewer digits.
    """
    if column.kind == "unsupported":  # not even the nulls of a type that cannot be read are known
        assert (column.n_rows, column.n_present + column.n_null + column.n_absent) == (len(rows),) * 2
        return
    check_homes(column, **Counter(map(home_of, rows)))
    values = [row for row in rows if home_of(row) == "n_present"]
    assert column.kind == kind
    {
        "number": check_number,
        "boolean": check_boolean,
        "category": check_category,
        "time": check_time,
        "embedding": check_embedding,
    }[kind](column, values, merged)


def check_distinct(column: Any, n_distinct: int) -> None:
    """Check the number of distinct values, exact up to 512."""
    if column.n_distinct is None:
        return
    bound = column.error_bounds.get("n_distinct", 0.0)
    assert (bound == 0) == (n_distinct <= 512)
    assert column.n_distinct == pytest.approx(n_distinct, rel=6 * bound, abs=0)


def check_number(column: Any, values: list[Any], merged: bool) -> None:
    """Check the numbers of a column of ints or of floats, all finite."""
    assert (column.min, column.max) == (min(values, default=None), max(values, default=None))
    assert column.n_zero == values.count(0)
    assert column.n_negative == sum(x < 0 for x in values)
    check_distinct(column, len(set(values)))
    whole = all(isinstance(x, int) for x in values) and isinstance(column.sum, int)
    if column.edges is not None:
        check_cells(column, np.array(values, column.edges.dtype))
    if not values:
        assert [column.mean, column.variance, column.skewness, column.quantile(0.5), column.rank(0)] == [
            None
        ] * 5
        assert not column.sum
        return
    for told in (column.mean, column.variance, column.skewness, column.kurtosis, column.sum):
        assert told is None or math.isfinite(told)
    assert column.variance is None or column.variance >= 0
    if whole:
        assert column.sum == sum(values)
    integers, denominator = as_integers(values)
    total, size = (Fraction(sum(each), denominator) for each in (integers, map(abs, integers)))
    if size < 1e300:
        assert float(column.sum) == pytest.approx(float(total), rel=1e-12, abs=1e-12 * float(size))
        largest = float(max(map(abs, values)))
        assert column.mean == pytest.approx(float(total / len(values)), abs=1e-12 * largest)
    if all(x == 0 or 1e-50 < abs(x) < 1e50 for x in values):
        check_shape(column, values, 1e-8 if merged else 1e-10)
    if "rank" in column.error_bounds:
        # A sketch keeps its bound for 99 of 100 ranks by Hoeffding's inequality, so twice the bound for all
        # but one of 10^9.
        sketched = column._column.has_quantiles and column._column.quantile_error > 0
        check_ranks(column, np.array(values), 2.0 if sketched else 1.0)


def check_shape(column: Any, values: list[Any], tolerance: float) -> None:
    """Check the variance to a tolerance relative to the squares that were added about the first value.

    The first value is the pivot of the sums, and no more is lost than its own distance: the law that
    `check_moments` holds to on tamer rows.
    """
    if len(values) < 2:
        assert column.variance is None
        return
    exact = central_sums(values)
    if exact[2] == 0:
        assert column.variance <= 1e-18 * max(1e-50, float(max(map(abs, values))) ** 2)
        return
    # About any pivot the squares are at most four times the largest square.
    largest = float(max(abs(Fraction(x) - Fraction(values[0])) for x in values)) ** 2
    assert column.variance == pytest.approx(
        float(exact[2] / (len(values) - 1)), rel=tolerance, abs=tolerance * largest
    )


def check_boolean(column: Any, values: list[Any], merged: bool) -> None:
    """Check a column of truth values."""
    assert column.counts.tolist() == [values.count(False), values.count(True)]
    assert dict(column.top(2)) == Counter(values)
    assert column.n_distinct == len(set(values))


def check_category(column: Any, values: list[Any], merged: bool) -> None:
    """Check a column of texts, which are bytes here."""
    counts = Counter(values)
    check_distinct(column, len(counts))
    engine = column._column
    sizes = [len(x) for x in values]
    assert engine.n_bytes == sum(sizes)
    assert engine.n_empty == sizes.count(0)
    if values:
        assert (engine.shortest, engine.longest) == (min(sizes), max(sizes))
    told = column.top(100_000)
    names = Counter({shown(name): 0 for name in counts})
    for name, count in counts.items():
        names[shown(name)] += count
    for name, count in told:
        # A frozen category is named where the reference had it often enough.
        assert name is None or count >= 5 or column.counts is not None, f"{name!r} is shown, of {count} rows"
        if name is not None and not column.error_bounds["top"] and len(name.encode()) < 250:
            assert names[name] >= count > 0
    if engine.has_frequent and column.counts is None and not column.error_bounds["top"]:
        assert sorted(count for _, count in told) == sorted(counts.values())


def shown(value: bytes) -> str:
    """Return a text as Python is told of it: bytes that are no UTF-8 as \\xhh."""
    return value.decode("utf-8", "backslashreplace")


def check_time(column: Any, values: list[Any], merged: bool) -> None:
    """Check a column of times, which are ints in the column's unit here."""
    unit = column._spec.unit
    told = (
        (None, None) if not values else (np.datetime64(min(values), unit), np.datetime64(max(values), unit))
    )
    # The least int64 is NaT to NumPy, which equals nothing; as an int it does.
    assert [None if x is None else int(x.astype(np.int64)) for x in (column.min, column.max)] == [
        None if x is None else int(x.astype(np.int64)) for x in told
    ]
    check_distinct(column, len(set(values)))


def check_embedding(column: Any, values: list[Any], merged: bool) -> None:
    """Check a column of vectors, which are tuples here."""
    if not values:
        assert column.mean_vector is None
        return
    rows = np.array(values)
    if np.abs(rows).max() > 1e100:
        return
    assert column.mean_vector == pytest.approx(rows.mean(axis=0), rel=1e-11, abs=1e-12 * np.abs(rows).max())
    norms = np.sqrt((rows.astype(np.longdouble) ** 2).sum(axis=1)).astype(float)
    assert column.norms["min"] == pytest.approx(norms.min(), rel=1e-14)
    assert column.norms["max"] == pytest.approx(norms.max(), rel=1e-14)
    assert column.norms["mean"] == pytest.approx(norms.mean(), rel=1e-12)
