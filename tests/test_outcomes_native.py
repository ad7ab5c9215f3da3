"""The engine's outcome counts against plain Python and NumPy on raw rows: every Arrow layout, every home.

Long because three states share the readers, and so the layouts, the homes and the hostile bytes.
"""

from __future__ import annotations

import decimal
import math
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge import _core
from tidegauge.arrow import batches
from tidegauge.errors import ArrowError, DecodeError, MergeError, SchemaError

Outcomes = _core.BinaryOutcomes | _core.ConfusionOutcomes | _core.RegressionOutcomes

EDGES = np.linspace(0.001, 0.999, 999)
NO_HOMES = dict.fromkeys(
    (
        "score_null",
        "score_mistyped",
        "score_nan",
        "score_infinite",
        "label_unknown",
        "label_mistyped",
        "weight_unusable",
    ),
    0,
)


def binary(edges: Iterable[float] = (0.25, 0.5, 0.75), **options) -> _core.BinaryOutcomes:
    return _core.BinaryOutcomes("score", "label", np.array(edges, float), **{"positive": 1, **options})


def counted(outcomes: Outcomes, data) -> Outcomes:
    for batch in batches(data):
        outcomes.update(batch)
    return outcomes


def scored(scores, labels, weights=None) -> pa.Table:
    columns = {"score": scores, "label": labels}
    return pa.table(columns if weights is None else {**columns, "weight": weights})


def fixed(x: float) -> int:
    """A score in [-32, 32] in units of 2^-40, ties to even: as `round` does."""
    return round(min(max(x, -32.0), 32.0) * 2.0**40)


def check_binary(outcomes: _core.BinaryOutcomes, rows: Iterable[tuple], scale: float = 1.0) -> None:
    """`rows` hold (score, outcome): 0, 1, 2 for unlabelled, or the name of a home. `scale` as the spec's."""
    edges = outcomes.edges
    counts = np.zeros((3, len(edges) + 1), np.uint64)
    sums, squares = (np.zeros((3, len(edges) + 1), object) for _ in range(2))
    homes = dict(NO_HOMES)
    n_rows = 0
    for score, outcome in rows:
        n_rows += 1
        if isinstance(outcome, str):
            homes[outcome] += 1
            continue
        cell = int(np.sum(edges <= score))
        z = min(max(score * scale, -32.0), 32.0)
        counts[outcome, cell] += 1
        sums[outcome, cell] += fixed(z)
        squares[outcome, cell] += round(z * z * 2.0**40)
    told, told_sums, told_squares = outcomes.counts()
    assert outcomes.homes == homes
    assert outcomes.n_rows == n_rows == told.sum() + sum(homes.values())
    np.testing.assert_array_equal(told, counts)
    np.testing.assert_array_equal(told_sums, (sums / 2**40 / scale).astype(float))
    np.testing.assert_array_equal(told_squares, (squares / 2**40 / scale**2).astype(float))


RANDOM = np.random.default_rng(3)
N = 3_000
SCORES = [None if u < 0.1 else float(x) for u, x in zip(RANDOM.random(N), RANDOM.beta(2, 5, N), strict=True)]
LABELS = [None if u < 0.2 else int(y) for u, y in zip(RANDOM.random(N), RANDOM.random(N) < 0.3, strict=True)]


def plain_rows(scores: Iterable, labels: Iterable) -> list[tuple]:
    return [
        (score, "score_null" if score is None else 2 if label is None else label)
        for score, label in zip(scores, labels, strict=True)
    ]


def texts(labels: Iterable) -> list[str | None]:
    return [None if y is None else ("no", "yes")[y] for y in labels]


def run_ends(array: pa.Array) -> pa.Array:
    return pa.compute.run_end_encode(array)


LABEL_LAYOUTS: dict[str, tuple[Callable[[list], pa.Array], dict]] = {
    "boolean": (lambda y: pa.array([None if v is None else v == 1 for v in y]), {}),
    "boolean runs": (lambda y: run_ends(pa.array([None if v is None else v == 1 for v in y])), {}),
    **{
        str(kind): (lambda y, kind=kind: pa.array(y, kind), {})
        for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64(), pa.float32())
    },
    "float64": (lambda y: pa.array(y, pa.float64()), {}),
    "float64, NaN for null": (lambda y: pa.array([math.nan if v is None else float(v) for v in y]), {}),
    "decimal": (
        lambda y: pa.array([None if v is None else decimal.Decimal(v) for v in y], pa.decimal128(5, 2)),
        {},
    ),
    "dictionary of integers": (lambda y: pa.array(y).dictionary_encode(), {}),
    "runs of integers": (lambda y: run_ends(pa.array(y)), {}),
    "string": (lambda y: pa.array(texts(y)), {"positive": "yes", "negative": "no"}),
    "large_string": (
        lambda y: pa.array(texts(y), pa.large_string()),
        {"positive": "yes", "negative": "no"},
    ),
    "string_view": (lambda y: pa.array(texts(y), pa.string_view()), {"positive": "yes", "negative": "no"}),
    "dictionary": (lambda y: pa.array(texts(y)).dictionary_encode(), {"positive": "yes", "negative": "no"}),
    "dictionary with null values": (
        lambda y: pa.DictionaryArray.from_arrays(
            pa.array([2 if v is None else v for v in y], pa.int8()), pa.array(["no", "yes", None])
        ),
        {"positive": "yes", "negative": "no"},
    ),
    "dictionary, positive alone": (
        lambda y: pa.array(texts(y)).dictionary_encode(),
        {"positive": "yes"},
    ),
    "runs of dictionary": (
        lambda y: pa.RunEndEncodedArray.from_arrays(
            np.arange(1, len(y) + 1, dtype=np.int32), pa.array(texts(y)).dictionary_encode()
        ),
        {"positive": "yes"},
    ),
}


@pytest.mark.parametrize("layout", LABEL_LAYOUTS)
def test_labels_of_every_layout_and_slice(layout: str) -> None:
    make, classes = LABEL_LAYOUTS[layout]
    table = scored(pa.array(SCORES), make(LABELS))
    check_binary(counted(binary(**classes), table), plain_rows(SCORES, LABELS))
    for begin, n in ((1, 1), (3, 700), (513, 1_024), (2_999, 1), (5, 0)):
        part = table.slice(begin, n)
        rows = plain_rows(SCORES[begin : begin + n], LABELS[begin : begin + n])
        check_binary(counted(binary(**classes), part), rows)


SCORE_LAYOUTS: dict[str, Callable[[], tuple[pa.Array, list]]] = {
    "float32": lambda: (pa.array(SCORES, pa.float32()), pa.array(SCORES, pa.float32()).to_pylist()),
    "int64": lambda: (pa.array([None if x is None else int(8 * x) for x in SCORES]),) * 2,
    "decimal": lambda: (
        pa.array([None if x is None else decimal.Decimal(f"{x:.4f}") for x in SCORES], pa.decimal128(9, 4)),
        [None if x is None else float(f"{x:.4f}") for x in SCORES],
    ),
    "dictionary": lambda: (pa.array(SCORES).dictionary_encode(), SCORES),
    "runs": lambda: (run_ends(pa.array(SCORES)), SCORES),
}


@pytest.mark.parametrize("layout", SCORE_LAYOUTS)
def test_scores_of_every_layout(layout: str) -> None:
    array, scores = SCORE_LAYOUTS[layout]()
    scores = scores.to_pylist() if isinstance(scores, pa.Array) else scores
    outcomes = counted(binary([0.25, 0.5, 1.0]), scored(array, pa.array(LABELS)))
    check_binary(outcomes, plain_rows(scores, LABELS))


@pytest.mark.parametrize("isa", _core.available_isas().split())
def test_a_thousand_cells_at_every_instruction_set(isa: str) -> None:
    scores = np.concatenate(
        [np.random.default_rng(4).beta(1, 20, 2_000), EDGES, np.nextafter(EDGES, 0), [-1, 2]]
    )
    labels = np.arange(len(scores)) % 3 == 0
    before = _core.isa()
    try:
        _core.force_isa(isa)
        outcomes = counted(binary(EDGES), {"score": scores, "label": labels})
    finally:
        _core.force_isa(before)
    assert len(outcomes.edges) + 1 == 1_000
    check_binary(outcomes, zip(scores.tolist(), labels.astype(int).tolist(), strict=True))
    expected = np.bincount(np.searchsorted(EDGES, scores, side="right"), minlength=1_000)
    np.testing.assert_array_equal(outcomes.counts()[0].sum(axis=0), expected)
    np.testing.assert_allclose(outcomes.counts()[1].sum(), scores.sum(), rtol=0, atol=len(scores) * 2.0**-41)


def test_every_home_of_a_row() -> None:
    scores = pa.array([0.1, None, math.nan, math.inf, -math.inf, 0.6, 0.6, 0.6, 0.6, None, 0.9])
    labels = pa.array([1, 1, 0, 1, 0, 7, -1, None, 2**60, 7, 0])
    expected = [
        (0.1, 1),
        (None, "score_null"),
        (None, "score_nan"),
        (None, "score_infinite"),
        (None, "score_infinite"),
        (0.6, "label_unknown"),
        (0.6, "label_unknown"),
        (0.6, 2),
        (0.6, "label_unknown"),
        (None, "score_null"),
        (0.9, 0),
    ]
    check_binary(counted(binary(negative=0), scored(scores, labels)), expected)
    alone = [(score, 0 if outcome == "label_unknown" else outcome) for score, outcome in expected]
    check_binary(counted(binary(), scored(scores, labels)), alone)


@pytest.mark.parametrize(
    ("scores", "labels", "home"),
    [
        (pa.array(["0.5", None, "x"]), pa.array([1, 1, 0]), "score_mistyped"),
        (pa.array([True, None, False]), pa.array([1, 1, 0]), "score_mistyped"),
        (pa.array([1, None, 2], pa.timestamp("us")), pa.array([1, 1, 0]), "score_mistyped"),
        (pa.array([2**53 + 1, None, 2**62 + 1]), pa.array([1, 1, 0]), "score_mistyped"),
        (pa.array([0.5, None, 0.5]), pa.array(["1", "1", "0"]), "label_mistyped"),
        (pa.array([0.5, None, 0.5]), pa.array([1, 1, 0], pa.date32()), "label_mistyped"),
    ],
)
def test_values_of_another_type_are_counted_apart(scores: pa.Array, labels: pa.Array, home: str) -> None:
    outcomes = counted(binary(), scored(scores, labels))
    assert outcomes.homes == {**NO_HOMES, "score_null": 1, home: 2}
    assert outcomes.counts()[0].sum() == 0


def test_lists_and_nulls_have_no_score() -> None:
    for column in (pa.array([[1], None, [2]]), pa.nulls(3)):
        outcomes = counted(binary(), scored(column, pa.array([1, 0, 1])))
        assert outcomes.homes == {**NO_HOMES, "score_null": 3}


def test_columns_that_did_not_come_have_no_values() -> None:
    unlabelled = counted(binary(), {"score": np.array([0.1, 0.9])})
    assert unlabelled.counts()[0].tolist() == [[0] * 4, [0] * 4, [1, 0, 0, 1]]
    assert counted(binary(), {"label": np.array([1, 0])}).homes["score_null"] == 2
    no_weight = counted(binary(weight="weight"), {"score": np.array([0.1]), "label": np.array([1])})
    assert no_weight.homes["weight_unusable"] == 1


def test_scores_on_any_scale_are_exact_to_their_power_of_two() -> None:
    scores = np.random.default_rng(5).normal(0, 3e4, 2_000)
    scores[:3] = [1e9, -1e9, 1e300]
    outcomes = counted(binary([-4e4, 0.0, 5e4]), {"score": scores, "label": scores > 0})
    assert outcomes.n_clipped == 3
    check_binary(outcomes, [(float(x), int(x > 0)) for x in scores], scale=2.0**-16)


def test_sums_beyond_64_bits() -> None:
    """4096 merges of themselves: the sums leave 64 bits, and still are exact."""
    one = counted(binary([0.5]), {"score": np.full(1_000, 0.75), "label": np.ones(1_000, bool)})
    for _ in range(32):
        one.merge(one)
    n = 1_000 * 2**32
    assert one.counts()[0][1].tolist() == [0, n]
    assert one.counts()[1][1].tolist() == [0, 0.75 * n]
    assert one.counts()[2][1].tolist() == [0, 0.5625 * n]
    again = _core.BinaryOutcomes.from_bytes(one.to_bytes())
    assert again.to_bytes() == one.to_bytes()
    again.subtract(one)
    assert again.to_bytes() == binary([0.5]).to_bytes()


def test_weights() -> None:
    scores, labels = np.random.default_rng(6).random((2, 1_500))
    labels = (labels < 0.4).astype(int)
    weights = np.random.default_rng(7).exponential(2, 1_500)
    unusable = {10: None, 11: math.nan, 12: math.inf, 13: -1.0, 14: 1e31}
    given_weights = [unusable.get(i, float(w)) for i, w in enumerate(weights)]
    given_weights[15] = weights[15] = 0.0
    outcomes = counted(
        binary(weight="weight"), scored(pa.array(scores), pa.array(labels), pa.array(given_weights))
    )
    rows = [
        (s, "weight_unusable" if i in unusable else y)
        for i, (s, y) in enumerate(zip(scores, labels, strict=True))
    ]
    check_binary(outcomes, rows)
    usable = ~np.isin(np.arange(1_500), list(unusable))
    cells = np.searchsorted(outcomes.edges, scores, side="right")
    for told, values in zip(
        outcomes.weighted(), (weights, weights * scores, weights * scores**2), strict=True
    ):
        for label in (0, 1):
            chosen = usable & (labels == label)
            expected = np.bincount(cells[chosen], values[chosen], minlength=4)
            np.testing.assert_allclose(told[label], expected, rtol=1e-13)
        assert not told[2].any()
    squares = [(weights[usable & (labels == label)] ** 2).sum() for label in (0, 1)]
    np.testing.assert_allclose(outcomes.weight_squares(), [*squares, 0], rtol=1e-13)
    unlabelled = counted(
        binary(weight="weight"), scored(pa.array(scores), pa.nulls(1_500), pa.array(given_weights))
    )
    np.testing.assert_allclose(unlabelled.weight_squares(), [0, 0, sum(squares)], rtol=1e-13)
    assert binary().weighted() is None
    assert binary().weight_squares() is None
    outcomes.subtract(outcomes.copy())
    assert not np.any(outcomes.weighted())
    assert not outcomes.weight_squares().any()


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 1)),
            st.one_of(st.none(), st.integers(-1, 2)),
        ),
        max_size=60,
    ),
    st.lists(st.integers(0, 60), max_size=3),
)
def test_any_rows_split_merged_and_subtracted(rows: list[tuple], cuts: list[int]) -> None:
    def of(part: list[tuple]) -> _core.BinaryOutcomes:
        array = pa.array([x for x, _ in part], pa.float64(), from_pandas=False)
        return counted(binary(negative=0), scored(array, pa.array([y for _, y in part], pa.int64())))

    def outcome(score, label):
        if score is None:
            return "score_null"
        if math.isnan(score):
            return "score_nan"
        if math.isinf(score):
            return "score_infinite"
        return 2 if label is None else label if label in (0, 1) else "label_unknown"

    whole = of(rows)
    check_binary(whole, [(score, outcome(score, label)) for score, label in rows])
    bounds = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    parts = [of(rows[begin:end]) for begin, end in pairwise(bounds)]
    merged = binary(negative=0)
    for part in reversed(parts):
        merged.merge(part)
    assert merged.to_bytes() == whole.to_bytes()
    for part in parts:
        merged.subtract(part)
    assert merged.to_bytes() == binary(negative=0).to_bytes()


CLASSES = {
    "texts": ["cat", "dog", "eel"],
    "small integers": [-3, 0, 200],
    "far integers": [-5, 0, 10**9],
    "reals": [0.5, 1.0, 2.25],
    "two": ["a", "b"],
    "booleans": [False, True],
}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("coded", [False, True], ids=["plain", "dictionary"])
def test_confusion(name: str, coded: bool) -> None:
    classes = CLASSES[name]
    draw = np.random.default_rng(8)
    strange = {str: "zebra", int: 77, float: 9.75}.get(type(classes[0]))
    values = [*classes, None, *([strange] if strange is not None else [])]
    columns = [[values[i] for i in draw.integers(0, len(values), 2_000)] for _ in range(2)]
    arrays = [pa.array(column) for column in columns]
    if coded and name != "booleans":
        arrays = [array.dictionary_encode() for array in arrays]
    outcomes = counted(
        _core.ConfusionOutcomes("guess", "truth", classes),
        pa.table(dict(zip(("guess", "truth"), arrays, strict=True))),
    )
    k = len(classes)
    place = {value: i for i, value in enumerate(classes)}
    expected = np.zeros((k + 1, k + 2), np.uint64)
    n_null = 0
    for guess, truth in zip(*columns, strict=True):
        if guess is None:
            n_null += 1
        else:
            expected[place.get(guess, k), k + 1 if truth is None else place.get(truth, k)] += 1
    np.testing.assert_array_equal(outcomes.counts(), expected)
    assert outcomes.homes == {"prediction_null": n_null, "prediction_mistyped": 0, "label_mistyped": 0}
    assert outcomes.classes == classes


def test_classes_of_another_type_are_counted_apart() -> None:
    table = pa.table({"guess": pa.array(["1", None]), "truth": pa.array([1, 2])})
    outcomes = counted(_core.ConfusionOutcomes("guess", "truth", [1, 2]), table)
    assert outcomes.homes == {"prediction_null": 1, "prediction_mistyped": 1, "label_mistyped": 0}
    outcomes = counted(_core.ConfusionOutcomes("truth", "guess", [1, 2]), table)
    assert outcomes.homes == {"prediction_null": 0, "prediction_mistyped": 0, "label_mistyped": 1}
    assert outcomes.counts()[1].tolist() == [0, 0, 0, 1]


def test_as_many_classes_as_there_may_be() -> None:
    classes = [f"class {i}" for i in range(_core.MAX_CLASSES)]
    outcomes = counted(
        _core.ConfusionOutcomes("p", "y", classes),
        {"p": np.array([*classes, "none"]), "y": np.array([*classes, "x"])},
    )
    assert np.array_equal(outcomes.counts()[:, :-1], np.eye(_core.MAX_CLASSES + 1))
    with pytest.raises(SchemaError, match=r"are 254; 1 to 253 can be told apart"):
        _core.ConfusionOutcomes("p", "y", [*classes, "more"])


@pytest.mark.parametrize("value", [-1, 2**63, 2**64 - 1, 2**53 + 1])
def test_integers_that_are_no_class_never_pass_for_one(value: int) -> None:
    """-1 and 2^64 - 1 have the same bits; 2^53 + 1 rounds to a class."""
    kind = pa.int64() if value < 2**63 else pa.uint64()
    table = pa.table({"p": pa.array([value], kind), "y": pa.array([0])})
    near = counted(_core.ConfusionOutcomes("p", "y", [-1, 0]), table)
    far = counted(_core.ConfusionOutcomes("p", "y", [-1, 2.0**53, 2.0**62]), table)
    assert near.counts()[0].sum() == (value == -1)
    assert near.counts()[2].sum() == (value != -1)
    assert far.counts()[0].sum() == (value == -1)
    assert far.counts()[3].sum() == (value != -1)


def check_regression(outcomes: _core.RegressionOutcomes, p: np.ndarray, y: np.ndarray) -> None:
    """Every sum against the exact one of the rows, which all have a label."""
    rows = [(Fraction(float(a)), Fraction(float(b))) for a, b in zip(p, y, strict=True)]
    added: dict[str, list[float]] = {name: [] for name in outcomes.sums()}
    for guess, truth in rows:
        e = float(guess) - float(truth)
        exact = {"residual": e, "squared": e * e, "absolute": abs(e), "label": float(truth)}
        exact |= {"label_squared": float(truth * truth), "over_squared": e * e if e > 0 else 0.0}
        whole = abs(guess) + abs(truth)
        symmetric = 2 * abs(e) / float(whole) if whole else 0.0
        exact |= {"symmetric": symmetric, "symmetric_squared": symmetric**2}
        if truth and abs(Fraction(e) / truth) <= Fraction(2) ** 470:
            relative = abs(Fraction(e) / truth)
            exact |= {"relative": float(relative), "relative_squared": float(relative**2)}
        if guess > -1 and truth > -1:
            gap = float(Fraction(e) / (1 + truth))
            gap = (math.log1p(gap) if abs(gap) < 0.5 else math.log((1 + guess) / (1 + truth))) ** 2
            exact |= {"log_squared": gap, "log_fourth": gap * gap}
        for name, value in exact.items():
            added[name].append(value)
    for name, (n, total) in outcomes.sums().items():
        of = added[name]
        slack = 1e-13 * sum(map(abs, of))
        assert n == len(of), name
        assert abs(total - math.fsum(of)) <= slack, name


NUMBERS = st.one_of(
    st.sampled_from([0.0, -1.0, 1.0, -0.5, 5e-324, -1 + 2**-53]),
    st.floats(-(2.0**60), 2.0**60, allow_subnormal=True),
)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=40), st.integers(0, 40))
def test_relative_errors_of_any_numbers(rows: list[tuple[float, float]], cut: int) -> None:
    def of(part: list[tuple[float, float]]) -> _core.RegressionOutcomes:
        return counted(
            _core.RegressionOutcomes("p", "y", [0.0]),
            {"p": np.array([a for a, _ in part]), "y": np.array([b for _, b in part])},
        )

    whole = of(rows)
    check_regression(whole, np.array([a for a, _ in rows]), np.array([b for _, b in rows]))
    parts = of(rows[:cut])
    parts.merge(of(rows[cut:]))
    for name, (n, total) in whole.sums().items():
        assert parts.sums()[name] == (n, pytest.approx(total, rel=1e-12, abs=1e-300)), name
    parts.subtract(of(rows[cut:]))
    assert [n for n, _ in parts.sums().values()] == [n for n, _ in of(rows[:cut]).sums().values()]
    parts.subtract(of(rows[:cut]))
    assert parts.to_bytes() == of([]).to_bytes()


def test_labels_beside_their_predicted_interval() -> None:
    bounded = _core.RegressionOutcomes("p", "y", [0.0], lower="low", upper="high")
    rows = [
        (5.0, 4.0, 6.0, "inside"),
        (4.0, 4.0, 6.0, "inside"),
        (6.0, 4.0, 6.0, "inside"),
        (3.0, 4.0, 6.0, "below"),
        (7.0, 4.0, 6.0, "above"),
        (7.0, -math.inf, math.inf, "inside"),
        (7.0, 7.5, 6.0, "below"),  # bounds the wrong way around hold nothing
        (5.0, None, 6.0, None),
        (5.0, 4.0, math.nan, None),
        (None, 4.0, 6.0, None),
        (math.inf, 4.0, 6.0, None),
    ]
    y, low, high = (pa.array([row[i] for row in rows], from_pandas=False) for i in range(3))
    table = pa.table({"p": np.full(len(rows), 5.0), "y": y, "low": low, "high": high})
    expected = Counter(row[3] for row in rows)
    assert counted(bounded, table).sides() == tuple(expected[side] for side in ("below", "inside", "above"))
    again = _core.RegressionOutcomes.from_bytes(bounded.to_bytes())
    assert again.sides() == bounded.sides()
    for begin in range(len(rows)):
        again.merge(counted(_core.RegressionOutcomes.from_bytes(bounded.to_bytes()), table.slice(begin, 1)))
    unbounded = counted(_core.RegressionOutcomes("p", "y", [0.0]), table)
    assert unbounded.sides() is None
    for columns in (["low"], ["high"], []):
        part = counted(
            _core.RegressionOutcomes("p", "y", [0.0], lower="low", upper="high"),
            table.select(["p", "y", *columns]),
        )
        assert part.sides() == (0, 0, 0)
    late = _core.RegressionOutcomes("p", "y", [0.0], lower="low", upper="high")
    for batch in batches(table):
        values, codes, others = late.read(batch)
        assert values.shape == (len(rows), 3)
        late.add(values, codes, others)
    assert (
        late.to_bytes()
        == counted(_core.RegressionOutcomes("p", "y", [0.0], lower="low", upper="high"), table).to_bytes()
    )
    with pytest.raises(SchemaError, match="no rows that were read"):
        late.add(values[:, :2], codes, others)


def test_regression() -> None:
    draw = np.random.default_rng(9)
    truth = draw.lognormal(3, 1, 5_000)
    guess = truth + draw.normal(0.3, 2, 5_000)
    edges = np.linspace(-5, 5, 41)
    strange = {
        3: (None, 1.0, "prediction_null"),
        4: (math.nan, 1.0, "prediction_nan"),
        5: (-math.inf, None, "prediction_infinite"),
        6: (1.0, None, "unlabelled"),
        7: (1.0, math.nan, "unlabelled"),
        8: (1.0, math.inf, "label_infinite"),
        9: (1e200, 1.0, "beyond"),
        10: (1.0, -1e300, "beyond"),
    }
    columns = [list(column) for column in (guess.tolist(), truth.tolist())]
    for i, (prediction, label, _) in strange.items():
        columns[0][i], columns[1][i] = prediction, label
    outcomes = counted(
        _core.RegressionOutcomes("p", "y", edges),
        pa.table({"p": pa.array(columns[0]), "y": pa.array(columns[1])}),
    )
    kept = ~np.isin(np.arange(5_000), list(strange))
    e, y = (guess - truth)[kept], truth[kept]
    homes = Counter(home for _, _, home in strange.values())
    assert {home: n for home, n in outcomes.homes.items() if n} == {**homes, "labelled": len(e)}
    assert outcomes.n_rows == 5_000
    check_regression(outcomes, guess[kept], y)
    np.testing.assert_array_equal(
        outcomes.counts(), np.bincount(np.searchsorted(edges, e, side="right"), minlength=42)
    )
    before = outcomes.to_bytes()
    more = counted(
        _core.RegressionOutcomes("p", "y", edges), {"p": np.array([1e6, 2.0]), "y": np.array([1.0, 2.0])}
    )
    outcomes.merge(more)
    outcomes.subtract(more)
    again = _core.RegressionOutcomes.from_bytes(before)
    for name, (n, total) in again.sums().items():
        assert outcomes.sums()[name] == (n, pytest.approx(total, rel=1e-12)), name
    assert np.array_equal(outcomes.counts(), again.counts())
    outcomes.subtract(outcomes.copy())
    assert outcomes.to_bytes() == _core.RegressionOutcomes("p", "y", edges).to_bytes()


def test_regression_of_other_types() -> None:
    table = pa.table({"p": pa.array(["1", None]), "y": pa.array([1, 2])})
    assert counted(_core.RegressionOutcomes("p", "y", [0.0]), table).homes["prediction_mistyped"] == 1
    assert counted(_core.RegressionOutcomes("y", "p", [0.0]), table).homes["label_mistyped"] == 1
    assert counted(_core.RegressionOutcomes("y", "p", [0.0]), table).homes["unlabelled"] == 1


MAKERS: dict[str, Callable[[], Outcomes]] = {
    "binary": lambda: counted(
        binary(weight="weight", negative=0),
        scored(pa.array(SCORES[:40]), pa.array(LABELS[:40]), pa.array(np.arange(40.0))),
    ),
    "confusion": lambda: counted(
        _core.ConfusionOutcomes("p", "y", ["a", "b"]),
        {"p": np.array(["a", "b", "c"]), "y": np.array(["b"] * 3)},
    ),
    "regression": lambda: counted(
        _core.RegressionOutcomes("p", "y", [-1.0, 1.0]),
        {"p": np.array([1.0, 5.0]), "y": np.array([1.5, 2.0])},
    ),
    "regression with bounds": lambda: counted(
        _core.RegressionOutcomes("p", "y", [-1.0, 1.0], lower="a", upper="b"),
        {"p": np.array([1.0, 5.0]), "y": np.array([0.0, -2.0]), "a": np.zeros(2), "b": np.ones(2)},
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_hostile_bytes(name: str) -> None:
    good = MAKERS[name]()
    data = good.to_bytes()
    again = type(good).from_bytes(data)
    assert again.to_bytes() == data
    assert again.id == good.id
    again.merge(good)
    again.subtract(good)
    assert again.n_rows == good.n_rows
    for size in range(len(data)):
        with pytest.raises(DecodeError):
            type(good).from_bytes(data[:size])
    with pytest.raises(DecodeError):
        type(good).from_bytes(data + b"\0")
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            accepted = type(good).from_bytes(flipped)
        except DecodeError:
            continue
        assert accepted.to_bytes() == flipped
        if accepted.id != good.id:
            with pytest.raises(MergeError):
                good.copy().merge(accepted)


@pytest.mark.parametrize("name", MAKERS)
def test_what_was_never_added_cannot_be_taken_away(name: str) -> None:
    state = MAKERS[name]()
    twice = state.copy()
    twice.merge(state)
    before = state.to_bytes()
    with pytest.raises(MergeError, match="was never added"):
        state.subtract(twice)
    assert state.to_bytes() == before


def test_equal_counts_of_other_scores_cannot_be_taken_away() -> None:
    low = counted(binary([0.5]), {"score": np.array([0.0]), "label": np.array([1])})
    more = counted(binary([0.5]), {"score": np.array([0.4, 0.4]), "label": np.array([1, 1])})
    low.merge(counted(binary([0.5]), {"score": np.array([0.0]), "label": np.array([1])}))
    more.subtract(counted(binary([0.5]), {"score": np.array([0.4]), "label": np.array([1])}))
    with pytest.raises(MergeError, match="was never added"):
        more.subtract(counted(binary([0.5]), {"score": np.array([0.1]), "label": np.array([1])}))
    assert more.counts()[1][1].tolist() == pytest.approx([0.4, 0])


@pytest.mark.parametrize(
    "other",
    [
        lambda: binary([0.25, 0.5]),
        lambda: binary(negative=0),
        lambda: binary(positive=0),
        lambda: binary(weight="w"),
        lambda: _core.BinaryOutcomes("s", "label", np.array([0.25, 0.5, 0.75]), positive=1),
    ],
)
def test_unlike_outcomes_do_not_merge(other: Callable[[], _core.BinaryOutcomes]) -> None:
    with pytest.raises(MergeError, match="other columns, edges or classes"):
        binary().merge(other())
    with pytest.raises(MergeError, match="other columns, edges or classes"):
        binary().subtract(other())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: binary([]), "0 of them; 1 to 999"),
        (lambda: binary(np.arange(1_000.0)), "1000 of them; 1 to 999"),
        (lambda: binary([0.5, 0.5]), "edge 1 is not above"),
        (lambda: binary([math.nan]), "edge 0 is not finite"),
        (lambda: binary(positive=1, negative=True), "named twice"),
        (lambda: binary(positive=1, negative="no"), "texts and numbers"),
        (lambda: binary(positive=math.inf), "not finite"),
        (lambda: binary(positive=2**53 + 1), "is no number that a double holds"),
        (lambda: binary(positive=[1]), "a text, a number or a boolean"),
        (lambda: binary(weight="score"), "different columns"),
        (lambda: _core.ConfusionOutcomes("a", "a", [1]), "must be two"),
        (lambda: _core.ConfusionOutcomes("a", "b", []), "are 0; 1 to 253"),
        (lambda: _core.RegressionOutcomes("a", "a", [0.0]), "must be two"),
        (lambda: _core.RegressionOutcomes("a", "b", [0.0], lower="c"), "'c' is only one of them"),
        (lambda: _core.RegressionOutcomes("a", "b", [0.0], lower="c", upper="c"), "different columns"),
        (lambda: _core.RegressionOutcomes("a", "b", [0.0], lower="b", upper="c"), "different columns"),
    ],
)
def test_what_cannot_be_counted_says_why(make: Callable[[], Outcomes], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        make()


def test_a_refused_batch_changes_nothing() -> None:
    outcomes = MAKERS["binary"]()
    before = outcomes.to_bytes()
    twice = pa.RecordBatch.from_arrays([pa.array([0.5])] * 2, ["score", "score"])
    schema, array = twice.__arrow_c_array__()
    with pytest.raises(SchemaError, match="'score' appears twice"):
        outcomes.update(_core.batch_from_capsules(schema, array))
    codes = pa.Array.from_buffers(pa.int8(), 2, [None, pa.py_buffer(bytes([0, 9]))])
    broken = pa.DictionaryArray.from_arrays(codes, pa.array([1, 0]), safe=False)
    table = pa.RecordBatch.from_arrays([pa.array([0.5, 0.6]), broken], ["score", "label"])
    schema, array = table.__arrow_c_array__()
    with pytest.raises(ArrowError, match="label"):
        outcomes.update(_core.batch_from_capsules(schema, array))
    assert outcomes.to_bytes() == before


def test_many_threads_count_every_row() -> None:
    outcomes = binary(EDGES)
    scores = np.random.default_rng(10).random(5_000)
    (batch,) = batches({"score": scores, "label": scores > 0.5})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: outcomes.update(batch), range(64)))
    expected = counted(binary(EDGES), {"score": np.tile(scores, 64), "label": np.tile(scores > 0.5, 64)})
    assert outcomes.to_bytes() == expected.to_bytes()
