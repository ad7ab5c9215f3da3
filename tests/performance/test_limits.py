"""Limits of metrics: how reference windows differ, the law of the threshold, and states put together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tidegauge import _core
from tidegauge.outcomes.binary_counts import count_binary
from tidegauge.outcomes.intervals import Z
from tidegauge.outcomes.limits import Spread, limit_of, span_of, spread_of, status_of
from tidegauge.outcomes.metric import Metric
from tidegauge.outcomes.states import coarser, regression_sums


def metric(value: float, error: float, n: float = 1e6, direction: str = "lower_is_worse") -> Metric:
    low, high = value - Z * error, value + Z * error
    return Metric(name="accuracy", value=value, low=low, high=high, direction=direction, n=n)  # type: ignore[arg-type]


def limit(reference: Metric, n: float, spread: Spread | None = None, **options: float):
    settings = {"level": 1e-3, "tolerance": 0.0, "current_error": 0.0} | options
    error = settings.pop("current_error")
    return limit_of(reference, n, error, spread, **settings)


def test_without_windows_it_is_the_normal_of_both_samples() -> None:
    found = limit(metric(0.8, 0.001, 10_000), 2_500)
    error = 0.001 * np.sqrt(1 + 4)
    assert found.threshold == pytest.approx(0.8 - stats.norm.isf(1e-3) * error, abs=1e-9)
    assert found.p_value(0.8 - 2 * error) == pytest.approx(stats.norm.sf(2))
    worse = limit(metric(0.2, 0.001, 10_000, "higher_is_worse"), 2_500)
    assert worse.threshold == pytest.approx(0.2 + stats.norm.isf(1e-3) * error, abs=1e-9)
    assert worse.p_value(0.2 - 2 * error) == pytest.approx(stats.norm.sf(-2))


@pytest.mark.parametrize("blocks", [8, 20, 100])
@pytest.mark.parametrize("level", [1e-2, 1e-3, 1e-4])
def test_of_windows_as_large_as_the_references_it_is_students(blocks: int, level: float) -> None:
    """Their own spread is all there is to know: (value - mean) / spread has Student's law."""
    n_windows, error = 1_000, 0.0005
    reference = metric(0.8, error, 1e6)
    sampling = error**2 * 1e6 / n_windows
    found = limit(reference, n_windows, Spread(3 * sampling, sampling, blocks), level=level)
    # The least total that can be is the sampling's, which cuts nothing of the law above it.
    wanted = stats.t.isf(level, blocks - 1) * np.sqrt(3 * sampling)
    assert 0.8 - found.threshold == pytest.approx(wanted, rel=0.03)


@given(st.floats(1e-6, 0.2), st.floats(1.0, 1e6))
def test_the_threshold_moves_with_what_is_unknown(tau: float, n: float) -> None:
    reference = metric(0.8, 0.001)
    sampling = 0.001**2 * 1e6 / 1_000
    plain = limit(reference, n)
    spread = limit(reference, n, Spread(sampling + tau**2, sampling, 20))
    assert spread.threshold <= plain.threshold + 1e-12
    assert limit(reference, n, tolerance=0.3).threshold <= 0.5 + 1e-12
    assert limit(reference, n, current_error=0.5).threshold <= plain.threshold


def test_nothing_is_judged_without_an_error_a_side_or_rows() -> None:
    assert limit(metric(0.8, 0.001, direction="neutral"), 100) is None
    assert limit(metric(0.8, 0.001), 0) is None
    bare = Metric(name="accuracy", value=0.8, direction="lower_is_worse", n=100)
    assert limit(bare, 100) is None
    assert limit(Metric(name="accuracy", value=None, direction="lower_is_worse", n=0), 100) is None


@pytest.mark.parametrize(
    ("low", "value", "high", "status"),
    [
        (0.6, 0.65, 0.69, "alert"),
        (0.6, 0.65, 0.71, "warning"),
        (0.69, 0.701, 0.8, "ok"),
        (0.8, 0.9, 0.95, "ok"),
    ],
)
def test_the_interval_decides_between_warning_and_alert(
    low: float, value: float, high: float, status: str
) -> None:
    at = limit(metric(0.8, 1e-9), 1e9, tolerance=0.1)
    assert at.threshold == pytest.approx(0.7)
    assert status_of(value, low, high, at) == status
    mirrored = limit(metric(0.2, 1e-9, direction="higher_is_worse"), 1e9, tolerance=0.1)
    assert status_of(1 - value, 1 - high, 1 - low, mirrored) == status


def test_the_spread_is_the_variance_beyond_sampling() -> None:
    rng = np.random.default_rng(0)
    n, tau, found = 1_000.0, 0.02, []
    for _ in range(200):
        truth = 0.8 + tau * rng.normal(size=40)
        values = truth + np.sqrt(0.16 / n) * rng.normal(size=40)
        found.append(spread_of(values, np.full(40, n), 0.16, 1))
    assert np.mean([each.variance for each in found]) == pytest.approx(tau**2, rel=0.1)
    assert {each.n_blocks for each in found} == {40}
    quiet = spread_of(0.8 + np.sqrt(0.16 / n) * rng.normal(size=40), np.full(40, n), 0.16, 1)
    assert quiet.variance < 0.3 * 0.16 / n


def test_one_bad_window_does_not_excuse_the_next() -> None:
    values = 0.8 + 0.01 * np.random.default_rng(1).normal(size=30)
    rows = np.full(30, 1e6)
    calm = spread_of(values, rows, 0.16, 1)
    values[7] = 0.2
    assert spread_of(values, rows, 0.16, 1).total < 1.6 * calm.total


def test_blocks_of_windows_differ_less_and_longer_ones_are_means_of_them() -> None:
    rng = np.random.default_rng(2)
    values, rows = 0.8 + 0.02 * rng.normal(size=160), np.full(160, 1e6)
    one, four, forty = (spread_of(values, rows, 0.16, block) for block in (1, 4, 80))
    assert one.total == pytest.approx(4e-4, rel=0.25)
    assert four.total == pytest.approx(1e-4, rel=0.4)
    assert (four.n_blocks, forty.n_blocks) == (40, 8)
    assert forty.total < 0.3 * four.total


def test_too_few_windows_and_undefined_ones_tell_nothing() -> None:
    assert spread_of(np.full(7, 0.8), np.full(7, 100.0), 0.16, 1) is None
    assert spread_of(np.full(9, np.nan), np.full(9, 100.0), 0.16, 1) is None
    assert spread_of(np.full(9, 0.8), np.zeros(9), 0.16, 1) is None
    assert spread_of(np.full(9, 0.8), np.full(9, 100.0), np.nan, 1) is None
    small = np.r_[np.full(9, 0.8), 0.1]
    assert spread_of(small, np.r_[np.full(9, 1_000.0), 10.0], 0.0, 1).total == 0.0  # left out: too small


def test_spans_are_those_of_the_metrics() -> None:
    def of(name: str) -> float:
        return span_of(
            Metric(name=name, value=0.5, direction="neutral", n=1), 3.0, [[0.0, -1.0], [-5.0, 3.0]]
        )

    assert [of(name) for name in ("recall", "gini", "lift_at_0.1", "business_value")] == [1, 2, 10, 8]
    assert [of(name) for name in ("bias", "mean_squared_error", "mean_squared_log_error")] == [3, 9, 0.5]


@given(st.integers(0, 500), st.sets(st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.7, 0.9]), min_size=1))
def test_coarser_cells_are_what_they_count_themselves(n: int, edges: set[float]) -> None:
    rng = np.random.default_rng(n)
    score, label = rng.random(n), np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 2, n))
    fine = count_binary(score, label, [0.1, 0.2, 0.3, 0.5, 0.7, 0.9])
    plain, found = count_binary(score, label, sorted(edges)), coarser(fine, np.array(sorted(edges)))
    for name in ("positives", "negatives", "unlabelled", "score_sums", "score_squares"):
        assert np.allclose(getattr(found, name), getattr(plain, name)), name
    with pytest.raises(ValueError, match="not all edges"):
        coarser(fine, np.array([0.15]))


@pytest.mark.parametrize("law", ["normal", "laplace", "standard_t", "uniform"])
def test_sums_of_fourth_powers_from_cells_are_near(law: str) -> None:
    rng = np.random.default_rng(4)
    draw = {"standard_t": lambda size: rng.standard_t(8, size)}.get(law, getattr(rng, law))
    train, now = draw(size=20_000), draw(size=20_000)
    edges = np.unique(np.quantile(train, np.linspace(0, 1, 199), method="inverted_cdf"))
    counts = _core.RegressionOutcomes("guess", "truth", edges)
    from tidegauge.arrow import batches

    for batch in batches({"guess": now, "truth": np.zeros(20_000)}):
        counts.update(batch)
    assert regression_sums(counts).squares.square == pytest.approx((now**4).sum(), rel=0.12)
