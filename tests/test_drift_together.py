"""The verdict on columns together: sizes where nothing changed, power where something did, and its words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import tidegauge as tg
from tidegauge import _core
from tidegauge.drift.together import COMPONENTS, Multivariate, multivariate_outcome
from tidegauge.errors import MergeError

Draw = Callable[[np.random.Generator, int, int], np.ndarray]


def common_factor(random: np.random.Generator, n: int, d: int, rho: float) -> np.ndarray:
    return np.sqrt(rho) * random.normal(size=(n, 1)) + np.sqrt(1 - rho) * random.normal(size=(n, d))


POPULATIONS: dict[str, Draw] = {
    "normal": lambda random, n, d: random.normal(size=(n, d)),
    "lognormal": lambda random, n, d: random.lognormal(size=(n, d)),
    "t3": lambda random, n, d: random.standard_t(3, size=(n, d)),
    "jointly t3": lambda random, n, d: (
        random.normal(size=(n, d)) / np.sqrt(random.chisquare(3, size=(n, 1)) / 3)
    ),
    "zero-inflated": lambda random, n, d: np.where(
        random.random((n, d)) < 0.6, 0.0, random.exponential(size=(n, d))
    ),
    "correlated": lambda random, n, d: common_factor(random, n, d, 0.5),
    "strongly correlated": lambda random, n, d: common_factor(random, n, d, 0.9),
    "discrete": lambda random, n, d: random.poisson(1, size=(n, d)).astype(np.float64),
    "missing": lambda random, n, d: np.where(random.random((n, d)) < 0.3, np.nan, random.normal(size=(n, d))),
    "rare": lambda random, n, d: (random.random((n, d)) < 0.01).astype(np.float64),
}


def frame(x: np.ndarray) -> dict[str, np.ndarray]:
    return {f"x{j}": np.ascontiguousarray(x[:, j]) for j in range(x.shape[1])}


def outcomes(
    before: Draw, after: Draw, d: int, m: int, *, references: int, windows: int, n: int = 20_000
) -> Iterator[Multivariate]:
    random = np.random.default_rng(7)
    for _ in range(references):
        reference = tg.Reference.fit(frame(before(random, n, d)), threads=1)
        for _ in range(windows):
            window = tg.profile(frame(after(random, m, d)), reference, threads=1)
            found = multivariate_outcome(reference.profile, window)
            assert found is not None
            yield found


def check_sizes(population: str, d: int, m: int, references: int) -> None:
    draw = POPULATIONS[population]
    # Rows that are far out in all columns at once, a hundredth of them: the normal law comes late.
    factor = 2.0 if population == "jointly t3" else 1.2
    found = list(outcomes(draw, draw, d, m, references=references, windows=4))
    tests = {"combined": [each.p_value for each in found]}
    tests |= {name: [each.p_values[name] for each in found] for name in COMPONENTS}
    for name, each in tests.items():
        p = np.array(each, np.float64)
        p = p[~np.isnan(p)]
        if len(p) == 0:  # a product of rare events varies in too few rows
            assert (population, name) in {("rare", each) for each in COMPONENTS[:3]}
            continue
        for level in (0.05, 0.01):
            # The four windows of a reference share its noise: counted as if they were at most 1 + 3 n / N.
            share = m / (20_000 + m)
            error = np.sqrt(level * (1 - level) / len(p) * (1 + 3 * share))
            assert np.mean(p <= level) <= factor * level + 3 * error, (name, level, np.mean(p <= level))
        assert name != "combined" or len(p) == len(found)


@pytest.mark.parametrize("population", ["normal", "strongly correlated", "zero-inflated", "rare"])
def test_sizes_of_a_few(population):
    check_sizes(population, 5, 1_000, 40)


@pytest.mark.slow
@pytest.mark.parametrize("m", [1_000, 5_000])
@pytest.mark.parametrize("d", [5, 20])
@pytest.mark.parametrize("population", POPULATIONS)
def test_sizes(population, d, m):
    check_sizes(population, d, m, 150)


def normal(random: np.random.Generator, n: int, d: int) -> np.ndarray:
    return random.normal(size=(n, d))


def paired(sign: float) -> Draw:
    """Every column is standard normal; two are correlated by half, one way or the other."""

    def draw(random: np.random.Generator, n: int, d: int) -> np.ndarray:
        x = random.normal(size=(n, d))
        x[:, 1] = sign * 0.5 * x[:, 0] + np.sqrt(0.75) * x[:, 1]
        return x

    return draw


def test_a_correlation_that_flips_is_found_at_once():
    """Marginals unchanged: no test of one column can see it. In the first window of 1,000 rows."""
    found = list(outcomes(paired(1), paired(-1), 32, 1_000, references=3, windows=10))
    assert max(each.p_value for each in found) < 1e-12
    for each in found:
        assert each.component == "largest second moment"
        pair = each.pairs[0]
        assert pair.columns == ("x0", "x1")
        assert pair.reference == pytest.approx(0.5, abs=0.05)
        assert pair.current == pytest.approx(-0.5, abs=0.12)
        assert pair.z < -15
        assert pair.p_value < 1e-12
        assert all(other.p_value > 1e-4 for other in each.pairs[1:])


def test_the_same_flip_leaves_the_columns_alone():
    random = np.random.default_rng(5)
    reference = tg.Reference.fit(frame(paired(1)(random, 20_000, 8)))
    assert tg.compare(reference, tg.profile(frame(paired(-1)(random, 5_000, 8)), reference)).status == "ok"


def cluster(random: np.random.Generator, n: int, d: int) -> np.ndarray:
    """One row in twenty lies close to a point that is extreme in no column."""
    x = random.normal(size=(n, d))
    chosen = random.random(n) < 0.05
    x[chosen] = 0.3 * x[chosen] + 1.2 * np.where(np.arange(d) % 2, 1, -1)
    return x


@pytest.mark.parametrize(
    ("after", "component", "least"),
    [
        (lambda random, n, d: normal(random, n, d) + 0.2 * (np.arange(d) < 2), "means", 0.95),
        (lambda random, n, d: 1.05 * normal(random, n, d), "sum of second moments", 0.95),
        (cluster, "sum of second moments", 0.95),
    ],
    ids=["two means by 0.2", "spread by 1.05", "a cluster of 5 %"],
)
def test_power(after, component, least):
    found = list(outcomes(normal, after, 32, 1_000, references=3, windows=10))
    assert np.mean([each.p_value <= 0.01 for each in found]) >= least
    assert np.mean([each.component == component for each in found]) >= 0.8
    if component == "means":
        parts = found[0].columns[:2]
        assert {part.column for part in parts} == {"x0", "x1"}
        assert all(part.mean_change == pytest.approx(0.2, abs=0.15) for part in parts)


def test_a_dependence_without_correlation_is_seen_by_the_waves():
    def folded(random: np.random.Generator, n: int, d: int) -> np.ndarray:
        x = normal(random, n, d)
        x[:, 1] = np.abs(x[:, 1]) * np.where(np.abs(x[:, 0]) > 0.6745, 1, -1)
        return x

    found = list(outcomes(normal, folded, 3, 1_000, references=3, windows=5))
    assert np.mean([each.p_value <= 0.01 for each in found]) == 1
    assert all(each.component == "joint distribution" for each in found)
    assert np.median([each.p_values["means"] for each in found]) > 0.05


def test_the_effect_is_a_shift_in_standard_deviations():
    for shift in (0.0, 0.1, 0.5):
        after = lambda random, n, d, by=shift: normal(random, n, d) + by  # noqa: E731
        found = list(outcomes(normal, after, 10, 5_000, references=2, windows=4))
        assert np.mean([each.effect for each in found]) == pytest.approx(shift, abs=0.02)


# ---- what it tells


def one(d: int = 3, m: int = 1_000, after: Draw = normal) -> Multivariate:
    return next(outcomes(normal, after, d, m, references=1, windows=1, n=5_000))


def test_measurements():
    found = one()
    told = {each.name: each for each in found.measurements}
    assert list(told) == [
        "multivariate_drift",
        "hotelling_t2",
        "second_moment_change",
        "largest_second_moment_change",
        "mmd",
        "pca_reconstruction_error",
    ]
    assert told["multivariate_drift"].p_value == found.p_value
    assert told["multivariate_drift"].value == found.effect
    assert told["hotelling_t2"].reference_value == 3
    assert told["second_moment_change"].reference_value == 6
    for each in told.values():
        assert (each.column, each.n_reference, each.n_current) == (None, 5_000, 1_000)
        assert each.direction == "higher_is_worse"
    assert [told[name].p_value for name in list(told)[1:5]] == [found.p_values[name] for name in COMPONENTS]
    assert sum(part.share for part in found.columns) == pytest.approx(1)


def test_too_few_rows():
    few = one(d=20, m=199)
    assert (few.p_value, few.effect, few.component) == (None, None, None)
    assert few.why == "20 columns together need 200 rows, and the window has 199"
    assert (few.pairs, few.columns, few.measurements) == ((), (), ())
    assert one(d=20, m=200).p_value is not None
    reference = tg.Reference.fit(frame(normal(np.random.default_rng(1), 150, 20)))
    window = tg.profile(frame(normal(np.random.default_rng(2), 500, 20)), reference)
    assert "the reference has 150" in multivariate_outcome(reference.profile, window).why
    assert multivariate_outcome(reference.profile, tg.Profile.empty(reference)).p_value is None


def test_a_profile_as_reference_has_no_parts():
    random = np.random.default_rng(4)
    reference = tg.Reference.fit(frame(normal(random, 5_000, 4)))
    yesterday, today = (tg.profile(frame(normal(random, 3_000, 4)), reference) for _ in range(2))
    found = multivariate_outcome(yesterday, today)
    assert found.p_value is not None
    assert found.p_values["sum of second moments"] is None
    assert found.p_values["joint distribution"] is None
    assert found.p_values["means"] is not None
    assert found.p_values["largest second moment"] is not None


def test_constants_and_columns_that_vanish():
    random = np.random.default_rng(4)
    rows = frame(normal(random, 3_000, 3)) | {"constant": np.ones(3_000)}
    reference = tg.Reference.fit(rows)
    assert multivariate_outcome(reference.profile, tg.profile(rows, reference)).p_value > 0.5
    gone = multivariate_outcome(
        reference.profile, tg.profile({name: rows[name] for name in ("x0", "x1")}, reference)
    )
    assert gone.p_value < 1e-12  # x2 scores 0 in every row: its spread is gone
    assert gone.pairs[0].columns == ("x2", "x2")
    assert (gone.pairs[0].current, gone.effect > 0.3) == (0.0, True)
    empty = multivariate_outcome(reference.profile, tg.profile({"other": np.ones(3_000)}, reference))
    assert empty.p_value < 1e-12
    flat = tg.Reference.fit({"a": np.ones(500), "b": np.ones(500)})
    nothing = multivariate_outcome(flat.profile, flat.profile)
    assert (nothing.p_value, nothing.why) == (None, "no column varies in enough rows")


def test_unlike_scores_are_refused():
    random = np.random.default_rng(4)
    rows = frame(normal(random, 500, 3))
    reference = tg.Reference.fit(rows)
    spec = reference.profile._core.joint_spec
    specs = [column.spec for column in reference.profile._core.columns]
    other = tg.Profile(_core.Profile(specs, _core.JointSpec(spec.names, spec.scores, 8)))
    with pytest.raises(MergeError, match=r"joint: scored by .* edges=old"):
        multivariate_outcome(reference.profile, other)


def test_without_a_joint():
    random = np.random.default_rng(4)
    rows = frame(normal(random, 500, 3))
    reference = tg.Reference.fit(rows)
    assert multivariate_outcome(reference.profile, tg.profile(rows, reference, accumulators="light")) is None
    assert multivariate_outcome(tg.profile(rows), tg.profile(rows)) is None


def test_embeddings():
    random = np.random.default_rng(4)
    vectors = random.normal(size=(4_000, 8)) @ random.normal(size=(8, 8))
    reference = tg.Reference.fit({"v": vectors, "k": random.normal(size=4_000)})
    alike = multivariate_outcome(reference.profile, tg.profile({"v": vectors[:2_000]}, reference))
    (same,) = alike.embeddings
    assert alike.p_value is None
    assert "no joint" in alike.why
    assert (same.column, same.n_reference, same.n_current, same.why) == ("v", 4_000, 2_000, None)
    assert same.p_value > 0.01
    assert same.effect < 0.1
    moved = multivariate_outcome(reference.profile, tg.profile({"v": vectors[:2_000] + 1}, reference))
    expected = np.sqrt(8 / np.trace(np.cov(vectors.T)))
    assert moved.embeddings[0].p_value < 1e-12
    assert moved.embeddings[0].effect == pytest.approx(expected, rel=0.1)
    (told,) = moved.measurements
    assert (told.name, told.column, told.status) == ("embedding_drift", "v", "ok")
    few = multivariate_outcome(reference.profile, tg.profile({"v": vectors[:79]}, reference))
    assert few.embeddings[0].why == "8 floats together need 80 rows, and a side has 79"
    assert few.measurements[0].status == "insufficient"
    light = multivariate_outcome(
        reference.profile, tg.profile({"v": vectors}, reference, accumulators="light")
    )
    assert "light profiles" in light.embeddings[0].why
