"""Every number of a column's profile against a slow and obvious computation over the same rows.

Long because every kind and physical type has an oracle of its own.
"""

from __future__ import annotations

import decimal
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from trust.oracle.checks import central_sums, check_cells, check_homes, check_moments, check_ranks

import tidegauge as tg

INT_MIN, INT_MAX = -(2**63), 2**63 - 1


def column_of(array, **options) -> tg.profiles.ColumnProfile:
    return tg.profile({"x": array}, **options)["x"]


# ---- any floats, with nulls and values that are none

finite = st.floats(allow_nan=False, allow_infinity=False)
moderate = st.one_of(st.just(0.0), st.just(-0.0), st.floats(1e-50, 1e50), st.floats(-1e50, -1e-50))
integers = st.integers(INT_MIN, INT_MAX)
homeless = st.sampled_from([None, math.nan, math.inf, -math.inf])


@given(st.lists(st.one_of(finite, homeless, st.just(5e-324), st.just(-0.0)), min_size=1, max_size=120))
def test_homes_extremes_and_counters_of_any_floats(rows):
    column = column_of(pa.array(rows, pa.float64()))
    values = [x for x in rows if x is not None and math.isfinite(x)]
    check_homes(
        column,
        n_present=len(values),
        n_null=rows.count(None),
        n_nan=sum(x is not None and math.isnan(x) for x in rows),
        n_inf=sum(x is not None and math.isinf(x) for x in rows),
    )
    assert column.n_zero == values.count(0)
    assert column.n_negative == sum(x < 0 for x in values)
    assert column.n_distinct == len(set(values))
    assert column.min == min(values, default=None)
    assert column.max == max(values, default=None)
    assert 0.0 not in {column.min, column.max} or math.copysign(1, column.min + column.max) == math.copysign(
        1, (min(values) + 0.0) + (max(values) + 0.0)
    )
    for told in (column.mean, column.variance, column.skewness, column.kurtosis, column.sum):
        assert told is None or math.isfinite(told)
    total = sum(map(Fraction, values))
    if sum(map(abs, map(Fraction, values))) < Fraction(1e308):
        assert column.sum == pytest.approx(float(total), abs=1e-12 * math.fsum(map(abs, values)))
    if values:
        check_ranks(column, np.array(values))
    else:
        assert [column.mean, column.variance, column.quantile(0.5), column.rank(0.0)] == [None] * 4


@given(st.lists(moderate, min_size=1, max_size=150))
def test_moments_of_any_floats(values):
    column = column_of(np.array(values))
    # The first value is the pivot of the sums; however far out it lies, no more than its own square is lost.
    check_moments(column, values, 1e-10)


@given(
    st.lists(
        st.one_of(st.integers(INT_MIN, INT_MAX), st.none(), st.integers(-5, 5)), min_size=1, max_size=120
    )
)
def test_any_integers(rows):
    column = column_of(pa.array(rows, pa.int64()))
    values = [x for x in rows if x is not None]
    check_homes(column, n_present=len(values), n_null=rows.count(None))
    assert column.n_zero == values.count(0)
    assert column.n_negative == sum(x < 0 for x in values)
    assert column.n_distinct == len(set(values))
    assert column.sum == sum(values)  # all 64 bits and more
    assert isinstance(column.sum, int)
    assert (column.min, column.max) == (min(values, default=None), max(values, default=None))
    if values:
        assert column.mean == pytest.approx(sum(values) / len(values), abs=1e-12 * max(map(abs, values)))
        check_ranks(column, np.array(values, np.int64))


@given(st.lists(st.one_of(st.booleans(), st.none()), min_size=1, max_size=200))
def test_any_booleans(rows):
    column = column_of(pa.array(rows, pa.bool_()))
    check_homes(column, n_present=len(rows) - rows.count(None), n_null=rows.count(None))
    assert column.kind == "boolean"
    assert column.counts.tolist() == [rows.count(False), rows.count(True)]
    assert column.categories == ["false", "true"]
    assert dict(column.top(2)) == {
        value: count for value, count in Counter(rows).items() if value is not None
    }
    assert column.n_distinct == len(set(rows) - {None})


texts = st.one_of(st.sampled_from(["", "a", "bb", "löß", "🜲"]), st.text(max_size=20))


@given(
    st.lists(st.one_of(texts, st.none()), min_size=1, max_size=150),
    st.sampled_from(["plain", "large", "view", "codes"]),
)
def test_any_texts(rows, layout):
    array = pa.array(rows, {"large": pa.large_string(), "view": pa.string_view()}.get(layout, pa.string()))
    profile = tg.profile({"x": array.dictionary_encode() if layout == "codes" else array})
    column = profile["x"]
    values = Counter(x for x in rows if x is not None)
    check_homes(column, n_present=values.total(), n_null=rows.count(None))
    assert column.kind == "category"
    assert column.n_distinct == len(values)
    told = column.top(1000)
    assert sorted(count for _, count in told) == sorted(values.values())
    assert {name: count for name, count in told if name is not None} == {
        name: count for name, count in values.items() if count >= 5
    }
    assert column.error_bounds == {"n_distinct": 0.0, "top": 0.0}
    if values:
        sizes = [len(x.encode()) for x in values.elements()]
        engine = profile._core.column("x")
        assert engine.n_bytes == sum(sizes)
        assert engine.n_empty == sizes.count(0)
        assert (engine.shortest, engine.longest) == (min(sizes), max(sizes))


# ---- every physical type


@pytest.mark.parametrize("name", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("nulls", [False, True])
def test_every_integer_type(name, nulls):
    limits = np.iinfo(name)
    low, high = max(limits.min, INT_MIN), min(limits.max, INT_MAX)
    rows = [low, high, 0, 1, 2, low, 100, *range(50)]
    rows = [None if nulls and i % 3 == 0 else x for i, x in enumerate(rows)]
    values = [x for x in rows if x is not None]
    column = column_of(pa.array(rows, pa.type_for_alias(name)))
    check_homes(column, n_present=len(values), n_null=rows.count(None))
    assert (column.min, column.max, column.sum) == (min(values), max(values), sum(values))
    assert column.n_distinct == len(set(values))
    check_moments(column, values)


def test_what_int64_cannot_hold_is_mistyped_and_the_rest_is_kept():
    column = column_of(pa.array([1, 2**63 - 1, 2**63, 2**64 - 1, None, 5], pa.uint64()))
    check_homes(column, n_present=3, n_mistyped=2, n_null=1)
    assert column.sum == 2**63 + 5


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_every_float_type(name):
    values = np.array(
        [0.1, -2.5, 1000.0, 6e-8, -0.0, 3.0, 3.0, np.finfo(name).max, np.finfo(name).tiny], name
    )
    array = np.concatenate([values, np.array([np.nan, np.inf, -np.inf], name)])
    column = column_of(pa.array([None, *array], pa.from_numpy_dtype(name)))
    check_homes(column, n_present=9, n_null=1, n_nan=1, n_inf=2)
    wide = values.astype(float)
    assert (column.min, column.max) == (wide.min(), wide.max())
    assert column.n_distinct == len(set(wide.tolist()))
    if name != "float64":
        check_moments(column, wide.tolist())
    assert column.sum == pytest.approx(math.fsum(wide), rel=1e-15)
    check_ranks(column, wide)


@pytest.mark.parametrize("make", [pa.decimal32, pa.decimal64, pa.decimal128, pa.decimal256])
def test_every_decimal_width(make):
    rows = [decimal.Decimal("0.10"), decimal.Decimal("-12345.67"), None, decimal.Decimal("99999.99")]
    column = column_of(pa.array(rows, make(7, 2)))
    values = [float(x) for x in rows if x is not None]
    check_homes(column, n_present=3, n_null=1)
    assert (column.min, column.max, column.kind) == (min(values), max(values), "number")
    check_moments(column, values)


@pytest.mark.parametrize(
    ("type_", "unit"),
    [(pa.timestamp(unit), unit) for unit in ("s", "ms", "us", "ns")]
    + [(pa.duration(unit), unit) for unit in ("s", "ms", "us", "ns")]
    + [(pa.timestamp("us", "Europe/Rome"), "us"), (pa.time32("s"), "s"), (pa.time32("ms"), "ms")]
    + [(pa.time64("us"), "us"), (pa.time64("ns"), "ns"), (pa.date32(), "D")],
)
def test_every_unit_of_time(type_, unit):
    rows = [None, 5, 80_000, 0, 5]
    column = column_of(pa.array(rows, pa.int32() if type_.bit_width == 32 else pa.int64()).cast(type_))
    check_homes(column, n_present=4, n_null=1)
    assert column.kind == "time"
    assert column.min == np.datetime64(0, unit)
    assert column.max == np.datetime64(80_000, unit)
    assert column.n_distinct == 3
    assert [column.mean, column.sum, column.quantile(0.5), column.rank(1)] == [None] * 4


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_embeddings(name):
    random = np.random.default_rng(1)
    rows = random.normal(size=(300, 70)).astype(name)
    rows[7, 3], rows[8, 69], rows[9, 0] = np.nan, np.inf, -np.inf
    inner = pa.array(rows.ravel(), pa.from_numpy_dtype(name))
    array = pa.FixedSizeListArray.from_arrays(inner, 70, mask=pa.array(np.arange(300) % 100 == 0))
    profile = tg.profile({"x": array})
    used = np.delete(rows, [0, 7, 8, 9, 100, 200], axis=0).astype(float)
    check_homes(profile["x"], n_present=294, n_null=3, n_nan=3)
    engine = profile._core.column("x")
    assert engine.mean == pytest.approx(used.mean(axis=0), abs=1e-15)
    norms = np.linalg.norm(used, axis=1)
    assert (engine.norm_min, engine.norm_max) == pytest.approx((norms.min(), norms.max()), rel=1e-15)
    n, mean, m2, m3, m4 = engine.norm_central
    assert n == 294
    exact = central_sums(norms.tolist())
    assert mean == pytest.approx(norms.mean(), rel=1e-14)
    assert [m2, m4] == pytest.approx([float(exact[2]), float(exact[4])], rel=1e-12)
    assert m3 == pytest.approx(float(exact[3]), abs=1e-12 * np.sum(np.abs(norms - norms.mean()) ** 3))


@pytest.mark.parametrize("pattern", ["none", "first", "last", "alternate", "all", "runs"])
@pytest.mark.parametrize("n", [1, 7, 8, 63, 64, 65, 2047, 2048, 2049, 5000])
def test_null_patterns_across_every_border(pattern, n):
    at = np.arange(n)
    is_null = {
        "none": at < 0,
        "first": at == 0,
        "last": at == n - 1,
        "alternate": at % 2 == 0,
        "all": at >= 0,
        "runs": at // 100 % 2 == 0,
    }[pattern]
    floats, words = at * 0.5 - 100, (at % 7).astype(str)
    table = {
        "i": pa.array(at, mask=is_null),
        "f": pa.array(floats, mask=is_null),
        "b": pa.array(at % 3 == 0, mask=is_null),
        "s": pa.array(words, pa.string(), mask=is_null),
        "t": pa.array(at.astype("M8[s]"), mask=is_null),
    }
    kept = ~is_null
    for offset in {0, min(3, n - 1)}:  # bitmaps that start within a byte
        profile = tg.profile({name: array.slice(offset) for name, array in table.items()})
        used = kept[offset:]
        for column in profile.values():
            check_homes(column, n_present=used.sum(), n_null=len(used) - used.sum())
        assert profile["i"].sum == at[offset:][used].sum()
        assert profile["f"].sum == pytest.approx(floats[offset:][used].sum(), rel=1e-14)
        assert profile["b"].counts[1] == np.sum(at[offset:][used] % 3 == 0)
        assert sorted(count for _, count in profile["s"].top(9)) == sorted(
            Counter(words[offset:][used].tolist()).values()
        )
        assert profile["t"].n_distinct == pytest.approx(used.sum(), rel=0.06)


# ---- larger data


def shapes(n: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(2)
    return {
        "normal": random.normal(3, 2, n),
        "lognormal": np.exp(random.normal(size=n)),
        "shifted": 1e6 + random.normal(size=n),
        "two values": random.choice([0.1, 0.7], n),
        "ascending": np.linspace(-1, 1, n),
        "ties": random.poisson(4, n).astype(float),
        "outlier first": np.append(1e6, random.normal(size=n - 1)),
        "outlier last": np.append(random.normal(size=n - 1), -1e6),
    }


@pytest.mark.parametrize("shape", shapes(2))
@pytest.mark.parametrize("n", [4095, 4096, 30_000])
def test_moments_to_twelve_digits_and_ranks_within_bounds(shape, n):
    values = shapes(n)[shape]
    column = column_of(values)
    wide = values.astype(np.longdouble)
    assert column.sum == pytest.approx(math.fsum(values), rel=1e-12, abs=1e-12 * np.abs(values).sum())
    mean = wide.mean()
    m2, m3, m4 = (((wide - mean) ** k).sum() for k in (2, 3, 4))
    assert column.mean == pytest.approx(float(mean), rel=1e-12, abs=1e-12 * float(np.std(values)))
    # Sums are taken about the first value; where it is the outlier, digits go as the square of its distance.
    digits = 1e-11 if shape == "outlier first" else 1e-12
    assert column.variance == pytest.approx(float(m2 / (n - 1)), rel=digits)
    assert column.skewness == pytest.approx(float(m3 / m2**1.5 * np.sqrt(n)), rel=digits, abs=10 * digits)
    assert column.kurtosis == pytest.approx(float(n * m4 / m2**2 - 3), rel=digits, abs=10 * digits)
    n_distinct = len(np.unique(values))
    bound = column.error_bounds["n_distinct"]
    assert (bound == 0) == (n_distinct <= 512)
    assert column.n_distinct == pytest.approx(n_distinct, rel=5 * bound, abs=0)
    check_ranks(column, values)


def test_a_mean_of_1e15_with_a_spread_of_one():
    eighths = np.random.default_rng(3).integers(-16, 17, 50_000)  # doubles near 1e15 are 1/8 apart
    column = column_of(1e15 + eighths / 8)
    sums = central_sums(eighths.tolist())
    n = len(eighths)
    assert column.mean == pytest.approx(float(10**15 + Fraction(int(eighths.sum()), 8 * n)), rel=1e-16)
    assert column.variance == pytest.approx(float(sums[2] / 64 / (n - 1)), rel=1e-12)
    assert column.kurtosis == pytest.approx(float(n * sums[4] / sums[2] ** 2 - 3), rel=1e-11)


@pytest.mark.parametrize("n", [2, 3, 100, 4096, 10_001])
@pytest.mark.parametrize("size", [1e308, 1.7e308, 1e200, 1e78])
def test_sums_beyond_a_double_are_undefined_and_never_nan(n, size):
    values = np.where(np.arange(n) % 2 == 0, size, -size)
    whole = tg.profile({"x": values})
    merged = tg.merge([tg.profile({"x": values[: n // 2]}), tg.profile({"x": values[n // 2 :]})])
    for column in (whole["x"], merged["x"]):
        check_homes(column, n_present=n)
        assert (column.min, column.max) == (-size, size)
        told = column.to_dict()
        for name in ("sum", "mean", "variance", "skewness", "kurtosis"):
            assert told[name] is None or math.isfinite(told[name])
        if column.mean is not None:
            assert abs(column.mean) <= size
        assert column.quantile(0.0) == -size


def test_a_billion_equal_values():
    floats, integers = (tg.profile({"x": np.full(1024, value)}) for value in (0.1, INT_MAX))
    for profile in (floats, integers):
        for _ in range(20):
            profile.merge(profile)
    n = 2**30
    column = floats["x"]
    check_homes(column, n_present=n)
    assert column.mean == pytest.approx(0.1, rel=1e-12)
    assert column.sum == pytest.approx(float(n * Fraction(0.1)), rel=1e-12)
    assert 0 <= column.variance <= 1e-30
    assert (column.n_distinct, column.min, column.max, column.quantile(0.3)) == (1, 0.1, 0.1, 0.1)
    assert integers["x"].sum == n * INT_MAX
    assert integers["x"].mean == pytest.approx(INT_MAX, rel=1e-15)


# ---- against a reference


@pytest.mark.parametrize("shape", shapes(2))
@pytest.mark.parametrize("moved", [0.0, 0.7])
@pytest.mark.parametrize("accumulators", ["full", "light"])
def test_cells_of_floats_are_exact(shape, moved, accumulators):
    values = shapes(20_000)[shape]
    reference = tg.Reference.fit({"x": values})
    check_cells(reference.profile["x"], values)
    assert reference.profile["x"].n_below + reference.profile["x"].n_above == 0
    now = values[:9_000] + moved * np.std(values)
    column = column_of(now, reference=reference, accumulators=accumulators)
    check_cells(column, now)
    check_homes(column, n_present=9_000)
    if accumulators == "full":
        check_ranks(column, now)


@given(
    st.lists(st.integers(INT_MIN, INT_MAX), min_size=1), st.lists(st.integers(INT_MIN, INT_MAX), min_size=1)
)
def test_cells_of_any_integers_are_exact(fitted, rows):
    reference = tg.Reference.fit({"x": np.array(fitted, np.int64)})
    rows = np.array([*rows, *fitted, INT_MIN, INT_MAX], np.int64)
    column = column_of(rows, reference=reference)
    check_cells(column, rows)
    check_homes(column, n_present=len(rows))
    check_ranks(column, rows)


@given(st.lists(finite, min_size=1), st.lists(st.one_of(finite, homeless.filter(lambda x: x is not None))))
@example([1.5324646032507383e-50], [1.5324646032507383e-50] * 2)  # interpolation rounds below its cell
def test_cells_of_any_floats_are_exact(fitted, rows):
    reference = tg.Reference.fit({"x": np.array(fitted)})
    rows = np.array([*rows, *fitted, -1.7e308, 1.7e308])
    column = column_of(rows, reference=reference)
    values = rows[np.isfinite(rows)]
    check_cells(column, values)
    check_homes(column, n_present=len(values), n_nan=np.isnan(rows).sum(), n_inf=np.isinf(rows).sum())
    check_ranks(column, values)


@given(st.lists(texts, min_size=1), st.lists(texts, min_size=1))
def test_cells_of_any_texts_are_exact(fitted, rows):
    reference = tg.Reference.fit({"x": fitted})
    column = column_of(pa.array(rows, pa.string()), reference=reference)
    known = Counter(fitted)
    check_homes(column, n_present=len(rows))
    assert len(column.counts) == len(known)
    assert column.n_unseen == sum(x not in known for x in rows)
    now = Counter(x for x in rows if x in known)
    assert sorted(column.counts.tolist()) == sorted(now[x] for x in known)
    for name, count in zip(column.categories, column.counts.tolist(), strict=True):
        assert name is None or (known[name] >= 5 and count == now[name])
    assert {name for name in column.categories if name is not None} == {x for x in known if known[x] >= 5}


def test_values_of_another_kind_are_mistyped_and_the_rest_is_kept():
    reference = tg.Reference.fit(
        {
            "i": np.arange(10),
            "f": np.arange(10.0),
            "t": np.arange(10).astype("M8[s]"),
            "s": list("abcdefghij"),
        }
    )
    profile = tg.Profile.empty(reference)
    profile.update({"i": [1.0, 2.5, math.nan], "f": np.array([1, 2**53 + 1, 3]), "s": [1, 2, 3]})
    check_homes(profile["i"], n_present=1, n_mistyped=2)
    check_homes(profile["f"], n_present=2, n_mistyped=1)
    check_homes(profile["t"], n_absent=3)
    check_homes(profile["s"], n_present=3)  # a number can be read as a category: its decimal text
    profile.update({"i": ["1", "2"], "f": [True, False], "t": np.array([1500, 2000], "M8[ms]")})
    check_homes(profile["i"], n_present=1, n_mistyped=4)
    check_homes(profile["f"], n_present=2, n_mistyped=3)
    check_homes(profile["t"], n_present=1, n_mistyped=1, n_absent=3)
    assert profile["t"].max == np.datetime64(2, "s")
    check_homes(profile["s"], n_present=3, n_absent=2)


def test_numbers_dict_and_arrow_tell_the_same():
    profile = tg.profile({"x": [1.0, 2.0, 4.0], "s": ["a", "a", "b"], "b": [True, None, False]})
    table = pa.table(profile).to_pylist()
    assert [row["column"] for row in table] == list(profile)
    for row, column in zip(table, profile.values(), strict=True):
        assert row == column.to_dict()
        for name in ("n_rows", "n_present", "n_null", "n_distinct", "mean", "variance"):
            assert row[name] == getattr(column, name)


def test_powers_that_overflow_leave_the_lower_ones():
    column = column_of(np.array([1e100, 3e100]))
    assert column.mean == pytest.approx(2e100)
    assert column.variance == pytest.approx(2e200)
    assert column.kurtosis is None
    column = column_of(np.array([1e200, 3e200] * 5_000))
    assert column.mean == pytest.approx(2e200)
    assert column.variance is None


def test_an_embeddings_mean_vector_and_norms():
    rows = np.random.default_rng(0).normal(size=(500, 7))
    column = column_of(rows)
    assert column.mean_vector == pytest.approx(rows.mean(axis=0), rel=1e-12)
    norms = np.linalg.norm(rows, axis=1)
    assert column.norms == pytest.approx(
        {"mean": norms.mean(), "variance": norms.var(ddof=1), "min": norms.min(), "max": norms.max()}
    )
    assert column.mean is None
    assert column_of(np.arange(3.0)).mean_vector is None
    assert column_of(np.arange(3.0)).norms is None


def test_the_median_of_a_point_mass_is_the_point():
    rows = np.array([0.0] * 900 + [1.5] * 100)
    reference = tg.Reference.fit({"x": rows})
    column = column_of(rows, reference=reference)
    assert [column.quantile(q) for q in (0, 0.3, 0.9, 0.95, 1)] == [0, 0, 0, 1.5, 1.5]
    assert column.error_bounds["rank"] == 0


def test_a_light_column_ranks_within_its_edges_and_knows_no_more():
    rows = np.random.default_rng(5).normal(size=20_000)
    reference = tg.Reference.fit({"x": rows, "i": np.arange(20_000) % 700})
    light = tg.profile({"x": rows * 3, "i": np.arange(20_000) % 900}, reference, accumulators="light")
    column = light["x"]
    assert column.rank(0.1) == pytest.approx(np.mean(rows * 3 <= 0.1), abs=0.004)
    assert column.quantile(0.5) == pytest.approx(np.median(rows * 3), abs=0.05)
    assert column.rank(rows.max() * 2) is None  # beyond the edges nothing is kept but the extremes
    assert column.quantile(1) == column.max
    assert light["i"].rank(349) == pytest.approx(np.mean(np.arange(20_000) % 900 <= 349), abs=1 / 256)
    assert light["i"].rank(349.5) == light["i"].rank(349)
