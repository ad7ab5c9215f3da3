"""Each kernel at each instruction set, bit for bit, against a plain loop over the same values."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge import _contract

LEVELS = _contract.kernel_levels().split()
SIZES = range(301)
LIMIT = 2**64 - 1
INT_MIN, INT_MAX = -(2**63), 2**63 - 1
MAX = np.finfo(float).max

at_every_level = pytest.mark.parametrize("level", LEVELS)


def floats(n: int, seed: int = 0) -> np.ndarray:
    """Finite values of all sorts: both zeros, repeats, subnormals, large and small."""
    random = np.random.default_rng(seed)
    values = random.normal(size=n) * 10.0 ** random.integers(-3, 4, n)
    special = np.array([0.0, -0.0, 5e-324, -5e-324, 1.0, -1.0, 1e100, -1e100, 2.5, 2.5])
    where = random.random(n) < 0.2
    values[where] = random.choice(special, int(where.sum()))
    return values


def integers(n: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = random.integers(-1000, 1000, n)
    special = np.array([0, 1, -1, INT_MIN, INT_MIN + 1, INT_MAX, INT_MAX - 1, 2**53 + 1, -(2**32), 2**32 - 1])
    where = random.random(n) < 0.2
    values[where] = random.choice(special, int(where.sum()))
    return values


def with_homeless(x: np.ndarray, seed: int = 0) -> np.ndarray:
    x = x.copy()
    random = np.random.default_rng(seed)
    where = random.random(len(x)) < 0.3
    x[where] = random.choice([np.nan, -np.nan, np.inf, -np.inf], int(where.sum()))
    return x


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def power_lanes(x: list, pivot: float) -> np.ndarray:
    """Sum and power sums about the pivot, value by value; the value at position i adds to lane i mod 8."""
    lanes = [[0.0] * 8 for _ in range(5)]
    for i, value in enumerate(x):
        d = float(value) - pivot
        d2 = d * d
        for row, term in enumerate((float(value), d, d2, d2 * d, d2 * d2)):
            lanes[row][i % 8] += term
    return np.array(lanes)


# ---- surveys


@at_every_level
def test_survey_of_floats(level):
    x = floats(300)
    for n in SIZES:
        cut = n * 5 % 13 if n > 13 else n // 2  # the second piece starts in any lane, aligned or not
        told, lanes = _contract.kernel_survey_f64(level, [x[:cut], x[cut:n]], 0.25)
        assert same_bits(lanes, power_lanes(x[:n].tolist(), 0.25)), n
        for facts, piece in zip(told, (x[:cut], x[cut:n]), strict=True):
            assert (facts["homeless"], facts["n_nan"], facts["n_pos_inf"], facts["n_neg_inf"]) == (0, 0, 0, 0)
            assert facts["n_zero"] == np.sum(piece == 0)
            assert facts["n_negative"] == np.sum(piece < 0)
            if len(piece):
                assert (facts["min"], facts["max"]) == (piece.min(), piece.max())


@at_every_level
def test_survey_of_floats_leaves_the_lanes_alone_where_some_are_not_finite(level):
    x = floats(300, 1)
    for n in range(1, 301):
        bad = x[:n].copy()
        bad[n * 7 % n] = (np.nan, np.inf, -np.inf)[n % 3]
        (_, facts, _), lanes = _contract.kernel_survey_f64(level, [x[:9], bad, x[:n]], -1.0)
        assert facts["homeless"] == 1
        assert [facts["n_nan"], facts["n_pos_inf"], facts["n_neg_inf"]] == [n % 3 == i for i in range(3)]
        assert same_bits(lanes, power_lanes([*x[:9].tolist(), *x[:n].tolist()], -1.0)), n


@at_every_level
def test_survey_tells_an_overflowing_sum_from_an_infinity(level):
    x = np.full(64, 1e308)
    (facts,), lanes = _contract.kernel_survey_f64(level, [x], 1e308)
    assert facts["homeless"] == 0
    assert np.isinf(lanes[0]).all()
    assert (facts["min"], facts["max"]) == (1e308, 1e308)
    (facts,), _ = _contract.kernel_survey_f64(level, [np.append(x, np.inf)], 1e308)
    assert (facts["homeless"], facts["n_pos_inf"]) == (1, 1)


@at_every_level
def test_survey_of_integers(level):
    x = integers(300)
    for n in SIZES:
        cut = n * 5 % 13 if n > 13 else n // 2
        told, lanes = _contract.kernel_survey_i64(level, [x[:cut], x[cut:n]], 3.0)
        assert same_bits(lanes[1:], power_lanes(x[:n].tolist(), 3.0)[1:]), n
        for facts, piece in zip(told, (x[:cut], x[cut:n]), strict=True):
            assert facts["sum"] == sum(piece.tolist())
            assert facts["n_zero"] == np.sum(piece == 0)
            assert facts["n_negative"] == np.sum(piece < 0)
            if len(piece):
                assert (facts["min"], facts["max"]) == (piece.min(), piece.max())


@at_every_level
@pytest.mark.parametrize("value", [INT_MIN, INT_MAX, -1, 0])
def test_sums_of_extreme_integers_are_exact(level, value):
    (facts,), _ = _contract.kernel_survey_i64(level, [np.full(4096, value)], 0.0)
    assert facts["sum"] == 4096 * value


# ---- copies


@at_every_level
@pytest.mark.parametrize("in_place", [False, True])
def test_finite(level, in_place):
    x = with_homeless(floats(300, 2), 3)
    for n in SIZES:
        piece = x[n % 5 : n]
        kept, facts = _contract.kernel_finite_f64(level, piece, in_place)
        assert same_bits(kept, piece[np.isfinite(piece)]), n
        assert facts["n_nan"] == np.isnan(piece).sum()
        assert facts["n_pos_inf"] == np.sum(piece == np.inf)
        assert facts["n_neg_inf"] == np.sum(piece == -np.inf)


@at_every_level
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_compress(level, in_place, share):
    random = np.random.default_rng(4)
    x = random.integers(0, 2**64, 300, dtype=np.uint64)
    bits = random.random(320) < share
    words = np.packbits(bits, bitorder="little").view(np.uint64)
    for n in SIZES:
        kept = _contract.kernel_compress_64(level, x[:n], words, in_place)
        assert same_bits(kept, x[:n][bits[:n]]), n


# ---- hashes


def mix64(x: int) -> int:
    """Stafford's Mix13."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return x ^ (x >> 31)


def kept_hashes(bits: np.ndarray, seed: int, limit: int) -> np.ndarray:
    hashes = [mix64(b ^ seed) for b in bits.tolist()]
    return np.array([h for h in hashes if (h << 12) % 2**64 < limit], np.uint64)


@at_every_level
@pytest.mark.parametrize("limit", [LIMIT, 2**63, 2**50, 1, 0])
def test_hashes(level, limit):
    seed = 0x7469646567617567
    for x, kernel in (
        (floats(300, 5), _contract.kernel_hash_f64),
        (integers(300, 5), _contract.kernel_hash_i64),
    ):
        bits = (x + 0).view(np.uint64)
        for n in SIZES:
            begin = n % 3 if n > 3 else 0
            assert same_bits(
                kernel(level, x[begin:n], seed, limit), kept_hashes(bits[begin:n], seed, limit)
            ), n


@at_every_level
def test_zero_has_one_hash_whatever_its_sign(level):
    plus, minus = (_contract.kernel_hash_f64(level, np.full(17, zero), 7, LIMIT) for zero in (0.0, -0.0))
    assert same_bits(plus, minus)
    assert len(set(plus.tolist())) == 1


@at_every_level
@pytest.mark.parametrize("in_place", [False, True])
def test_unseen(level, in_place):
    random = np.random.default_rng(6)
    x = random.integers(0, 2**64, 300, dtype=np.uint64)
    for n_slots in (1, 2, 64, 1024):
        slots = ~np.arange(n_slots, dtype=np.uint64)
        for h in random.choice(x, 100):
            slots[int(h) % n_slots] = h
        for n in SIZES:
            expected = np.array([h for h in x[:n].tolist() if int(slots[h % n_slots]) != h], np.uint64)
            assert same_bits(_contract.kernel_unseen(level, x[:n], slots, in_place), expected), (n_slots, n)


def would_change(h: int, register: int) -> bool:
    """A register u u u u u u b a says: level u was seen, u - 1 if b, u - 2 if a."""
    level = 64 - 12 - (h % 2**52).bit_length() + 1
    distance = (register >> 2) - level
    seen = {0: True, 1: bool(register & 2), 2: bool(register & 1)}.get(distance, distance > 0)
    return register == 0 or not seen


@at_every_level
@pytest.mark.parametrize("in_place", [False, True])
def test_no_hash_is_dropped_that_would_change_a_register(level, in_place):
    random = np.random.default_rng(10)
    for n in SIZES:
        levels = random.integers(0, 20, n).astype(np.uint64)
        x = random.integers(0, 2**64, n, dtype=np.uint64) & (
            (np.uint64(2**52 - 1) >> levels) | np.uint64(0xFFF << 52)
        )
        registers = random.integers(4, 64, 4096).astype(np.uint8)
        registers[random.random(4096) < 0.1] = 0
        kept = _contract.kernel_unobserved(level, x, registers, in_place).tolist()
        needed = [would_change(h, int(registers[h >> 52])) for h in x.tolist()]
        assert [h for h, wanted in zip(x.tolist(), needed, strict=True) if wanted] == [
            h for h in kept if would_change(h, int(registers[h >> 52]))
        ]
        assert kept == [h for h in x.tolist() if h in set(kept)]  # in order
        if level == "v4":  # and where eight are looked at side by side, every other one is dropped
            whole = n - n % 8
            assert len(kept) == sum(needed[:whole]) + n - whole


# ---- cells


def above(x: float) -> float:
    return math.nextafter(x, math.inf)


def atoms(values: list[float]) -> list[float]:
    """Each value as a point: an edge at it, an edge just above."""
    return sorted({edge for v in values for edge in (v, above(v))})


def ulps(start: float, n: int) -> list[float]:
    run = [start]
    while len(run) < n:
        run.append(above(run[-1]))
    return run


NORMAL = np.sort(np.random.default_rng(7).normal(size=257)).tolist()
FLOAT_EDGES = {
    "one": [0.0],
    "one, huge": [MAX],
    "one, tiny": [5e-324],
    "two": [-1.0, 1.0],
    "the whole range": [-MAX, MAX],
    "both ends as points": [-MAX, above(-MAX), 0.0, 5e-324, MAX],
    "even": np.linspace(0, 1, 257).tolist(),
    "near equal mass": NORMAL,
    "points": atoms([0.0, 1.0, 2.0, 3.0, 100.0]),
    "128 points": atoms(list(np.arange(128.0))),
    "points far apart": atoms([-1e300, -1.0, -1e-300, 0.0, 1e-300, 1.0, 1e300]),
    "powers of ten": [10.0**e for e in range(-128, 129)],
    "powers of ten of both signs": sorted(
        [-(10.0**e) for e in range(-300, 301, 6)] + [10.0**e for e in range(-300, 301, 6)]
    ),
    "neighbours": ulps(1.0, 257),
    "neighbours and an outlier": [*ulps(1.0, 256), 1e300],
    "neighbours and two outliers": [-1e300, *ulps(1.0, 255), 1e300],
    "subnormals": ulps(5e-324, 257),
    "around zero": [*(-e for e in reversed(ulps(5e-324, 20))), 0.0, *ulps(5e-324, 20)],
    "large whole numbers": [float(2**53 + 2 * i) for i in range(200)],
    "eight and nine to a key": sorted([-1e9, 1e9, *np.linspace(0, 1e-6, 8), *np.linspace(5, 5 + 1e-6, 9)]),
    "lognormal": np.sort(np.exp(3 * np.random.default_rng(8).normal(size=257))).tolist(),
}
INT_EDGES = {
    "one": [0],
    "the smallest": [INT_MIN],
    "the largest": [INT_MAX],
    "the whole range": [INT_MIN, INT_MAX],
    "both ends as points": [INT_MIN, INT_MIN + 1, 0, 1, INT_MAX - 1, INT_MAX],
    "up to the largest": list(range(INT_MAX - 256, INT_MAX + 1)),
    "from the smallest": list(range(INT_MIN, INT_MIN + 257)),
    "one double near 2^62": list(range(2**62, 2**62 + 257)),
    "small": list(range(-128, 129)),
    "points": sorted({e for v in (0, 5, 9, 1000, 10**15) for e in (v, v + 1)}),
    "beyond 2^53": [2**53 + i for i in range(100)],
    "powers of two": [*(-(2**i) for i in reversed(range(64))), 0, *(2**i for i in range(63))],
    "times in nanoseconds": [1_700_000_000_000_000_000 + i * 3_600_000_000_000 for i in range(257)],
    "one cluster at each end": [*range(INT_MIN, INT_MIN + 100), *range(INT_MAX - 100, INT_MAX + 1)],
}


def values_near(edges: np.ndarray) -> np.ndarray:
    """Each edge, its neighbours, the extremes of the type, and values between edges."""
    if edges.dtype == np.int64:
        below, over = edges - (edges > INT_MIN), edges + (edges < INT_MAX)
        ends = np.array([INT_MIN, INT_MAX, 0, -1, 1])
        middles = edges[:-1] + ((edges[1:].astype(object) - edges[:-1].astype(object)) // 2).astype(np.int64)
    else:
        with np.errstate(over="ignore"):
            below, over = np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)
        ends = np.array([-MAX, MAX, 0.0, -0.0, 5e-324, -5e-324, 1.0, 1e-300])
        middles = edges[:-1] / 2 + edges[1:] / 2
    near = np.concatenate([below, edges, over, ends, middles])
    near = near[np.isfinite(near)] if near.dtype == np.float64 else near
    return np.random.default_rng(len(edges)).permutation(np.concatenate([near, near[::-2]]))


def cells_of(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Cell i holds the values that i edges do not exceed."""
    return np.searchsorted(edges, x, side="right").astype(np.uint64)


HOSTILE = [(name, np.array(edges, np.float64)) for name, edges in FLOAT_EDGES.items()] + [
    (name, np.array(edges, np.int64)) for name, edges in INT_EDGES.items()
]


@at_every_level
@pytest.mark.parametrize(
    "edges", [e for _, e in HOSTILE], ids=[f"{e.dtype.kind}: {name}" for name, e in HOSTILE]
)
def test_cells_of_hostile_edges(level, edges):
    count = _contract.kernel_count_i64 if edges.dtype == np.int64 else _contract.kernel_count_f64
    search = _contract.search_i64 if edges.dtype == np.int64 else _contract.search_f64
    x = values_near(edges)
    expected = cells_of(x, edges)
    assert same_bits(search(x, edges), expected)
    for begin, end in ((0, len(x)), (1, len(x) - 3), (0, min(255, len(x))), (0, 7)):
        counts = np.bincount(expected[begin:end], minlength=len(edges) + 1).astype(np.uint64)
        assert same_bits(count(level, x[begin:end], edges), counts)
    find = _contract.kernel_cells_i64 if edges.dtype == np.int64 else _contract.kernel_cells_f64
    for begin, end in ((0, len(x)), (1, len(x) - 3), (0, 9), (0, 8), (0, 1), (0, 0)):
        assert same_bits(find(level, x[begin:end], edges), expected[begin:end])
    for value, cell in zip(x[:40], expected[:40], strict=True):  # one by one: no error cancels another
        assert count(level, np.array([value]), edges)[cell] == 1


@at_every_level
@pytest.mark.parametrize("n_edges", [258, 511, 512, 513, 999, 1023])
@pytest.mark.parametrize("shape", ["even", "crowded", "beyond any key"])
def test_cells_of_many_edges(level, n_edges, shape):
    steps = np.arange(float(n_edges))
    edges = {"even": steps, "crowded": np.exp(steps / 50), "beyond any key": ulps(1.0, n_edges)}[shape]
    edges = np.concatenate([[-1e300], edges[1:]]) if shape == "beyond any key" else np.asarray(edges)
    x = values_near(edges)
    expected = cells_of(x, edges)
    assert same_bits(_contract.search_f64(x, edges), expected)
    assert same_bits(_contract.kernel_cells_f64(level, x, edges), expected)


@at_every_level
@pytest.mark.parametrize("scale", [1.0, 0.5, 2.0**-40])
def test_fixed_point(level, scale):
    x = np.concatenate(
        [floats(300, 5), np.array([0.5, 1, 3, 5]) * 2.0**-40, [31.999, 32, -32, 33, -1e300, MAX]]
    )
    z = [min(max(v * scale, -32.0), 32.0) for v in x.tolist()]
    for n in (0, 1, 7, 8, 9, 255, len(x)):
        largest, fixed, squares = _contract.kernel_fixed_f64(level, x[:n], scale)
        assert fixed.tolist() == [round(v * 2.0**40) for v in z[:n]]  # ties to even, as `round`
        assert squares.tolist() == [round(v * v * 2.0**40) for v in z[:n]]
        assert largest == max((abs(v) * scale for v in x[:n].tolist()), default=0)


@at_every_level
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_fixed_point_of_what_is_not_finite(level, value):
    for n in (1, 8, 20):
        for i in range(n):
            x = np.full(n, 0.5)
            x[i] = value
            assert math.isnan(_contract.kernel_fixed_f64(level, x, 1.0)[0])


@at_every_level
def test_cells_of_every_size(level):
    for x, edges, count in (
        (floats(300, 9), np.array(NORMAL), _contract.kernel_count_f64),
        (integers(300, 9), np.array([-500, -1, 0, 1, 500]), _contract.kernel_count_i64),
    ):
        cells = cells_of(x, edges)
        for n in SIZES:
            begin = n % 4 if n > 4 else 0
            expected = np.bincount(cells[begin:n], minlength=len(edges) + 1).astype(np.uint64)
            assert same_bits(count(level, x[begin:n], edges), expected), n


finite = st.floats(allow_nan=False, allow_infinity=False)
integral = st.one_of(
    st.integers(INT_MIN, INT_MAX), st.integers(INT_MAX - 300, INT_MAX), st.integers(-300, 300)
)


@given(st.sets(finite.map(lambda x: x + 0.0), min_size=1, max_size=40), st.lists(finite, max_size=40))
def test_cells_of_any_float_edges(edges, more):
    edges = np.array(sorted(edges))
    x = np.concatenate([values_near(edges), more])
    expected = np.bincount(cells_of(x, edges), minlength=len(edges) + 1).astype(np.uint64)
    for level in LEVELS:
        assert same_bits(_contract.kernel_count_f64(level, x, edges), expected), level


@given(st.sets(integral, min_size=1, max_size=257), st.lists(integral, max_size=40))
def test_cells_of_any_integer_edges(edges, more):
    edges = np.array(sorted(edges), np.int64)
    x = np.concatenate([values_near(edges), np.array(more, np.int64)])
    expected = np.bincount(cells_of(x, edges), minlength=len(edges) + 1).astype(np.uint64)
    for level in LEVELS:
        assert same_bits(_contract.kernel_count_i64(level, x, edges), expected), level


@given(st.lists(st.one_of(integral), max_size=200), st.integers(0, 7))
def test_sums_of_any_integers_are_exact(x, cut):
    array = np.array(x, np.int64)
    for level in LEVELS:
        told, lanes = _contract.kernel_survey_i64(level, [array[:cut], array[cut:]], 0.5)
        assert sum(facts["sum"] for facts in told) == sum(x)
        assert same_bits(lanes[1:], power_lanes(x, 0.5)[1:])


def test_the_oracle_of_power_sums_is_the_definition():
    x = [1.5, -2.0, 4.0, 0.5, 3.0, 8.0, -1.0, 2.0, 6.5, 7.0]
    lanes = power_lanes(x, 1.0)
    for power in range(1, 5):
        assert Fraction(lanes[power].sum()) == sum((Fraction(v) - 1) ** power for v in x)


@at_every_level
@pytest.mark.parametrize("n_cuts", [0, 1, 3, 15, 40])
def test_bits_left_open_by_cuts(level, n_cuts):
    draw = np.random.default_rng(n_cuts)
    cuts = np.unique(draw.normal(size=n_cuts))
    flips = draw.integers(0, 2**63, len(cuts)).astype(np.uint64)
    x = np.concatenate([values_near(cuts) if n_cuts else floats(40, 3), [np.nan, np.inf, -np.inf, 0.0, -0.0]])
    expected = []
    for value in x.tolist():
        kept = 0x5A5A
        for cut, flip in zip(cuts.tolist(), flips.tolist(), strict=True):
            kept ^= flip if value >= cut else 0
        expected.append(77 if math.isnan(value) else kept)
    for n in (0, 1, 7, 8, 9, len(x)):
        found = _contract.kernel_narrow_f64(level, x[:n], cuts, flips, 0x5A5A, 77)
        assert found.tolist() == expected[:n]
