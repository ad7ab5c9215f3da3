"""Calibration against formulas written out on raw rows, simulated null laws and intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.calibration import calibration_curve
from tests.outcomes.samples import assert_sound, coverage, equal_mass_edges, one_score_a_cell, scored_rows

from tidegauge.outcomes.binary_counts import BinaryCounts, count_binary
from tidegauge.outcomes.calibration import (
    brier_parts,
    expected_calibration_error,
    reliability_curve,
    rms_calibration_error,
    spiegelhalter_z,
)
from tidegauge.outcomes.proper_scores import brier

METRICS = (expected_calibration_error, rms_calibration_error, spiegelhalter_z)


def plain_z(labels: np.ndarray, scores: np.ndarray) -> float:
    top = ((labels - scores) * (1 - 2 * scores)).sum()
    return float(top / np.sqrt(((1 - 2 * scores) ** 2 * scores * (1 - scores)).sum()))


def sample(n: int, seed: int, cells: int = 300, confidence: float = 1.2) -> BinaryCounts:
    scores, labels = scored_rows(n, seed, confidence=confidence)
    return count_binary(scores, labels, FIXED[confidence][:: 300 // cells])


FIXED = {each: equal_mass_edges(scored_rows(100_000, 0, confidence=each)[0], 300) for each in (1.0, 1.2, 2.0)}


def test_the_curve_is_scikit_learns() -> None:
    scores, labels = scored_rows(10_000, 1)
    shares, means = calibration_curve(labels, scores, n_bins=10, strategy="quantile")
    found = reliability_curve(count_binary(scores, labels, equal_mass_edges(scores, 1_000)), 10)
    np.testing.assert_allclose(found.scores, means, atol=1e-3)
    np.testing.assert_allclose(found.shares, shares, atol=3e-3)
    assert found.rows.sum() == 10_000
    assert ((found.low < found.shares) & (found.shares < found.high)).all()


def test_errors_are_the_formulas_written_out() -> None:
    scores, labels = scored_rows(3_000, 2)
    scores = np.round(scores, 1)  # each bin is one score
    counts = count_binary(scores, labels, one_score_a_cell(scores))
    square = total = 0.0
    for score in np.unique(scores):
        inside = labels[scores == score]
        n, share = len(inside), inside.mean()
        gap, noise = abs(share - score), share * (1 - share) / (n - 1)
        square += n / 3_000 * (gap**2 - noise)
        deviation = np.sqrt(noise)
        folded = stats.foldnorm.mean(gap / deviation, scale=deviation) if noise else gap
        total += n / 3_000 * (2 * gap - folded)
    assert rms_calibration_error(counts, 10_000).value == pytest.approx(np.sqrt(max(square, 0)), abs=1e-9)
    assert expected_calibration_error(counts, 10_000).value == pytest.approx(max(total, 0), abs=1e-9)


def test_debiasing_takes_away_what_chance_adds() -> None:
    squares, plain, errors = [], [], []
    for seed in range(300):
        counts = sample(1_000, 100 + seed, confidence=1.0)
        curve = reliability_curve(counts, 15)
        plain.append((curve.rows / 1_000) @ (curve.scores - curve.shares) ** 2)
        squares.append(brier_parts(counts, 15).reliability)
        errors.append(expected_calibration_error(counts).value)
    error = np.std(squares) / np.sqrt(300)
    assert abs(np.mean(squares)) < 3 * error < 0.1 * np.mean(plain)
    assert np.mean(errors) < 0.65 * np.mean(np.sqrt(plain))


@pytest.mark.parametrize("metric", [expected_calibration_error, rms_calibration_error])
def test_intervals_of_a_wrong_model_hold_the_truth_in_95_of_100(metric) -> None:
    truth = metric(sample(1_000_000, 3, confidence=2.0)).value
    found = [metric(sample(3_000, 200 + seed, confidence=2.0)) for seed in range(600)]
    assert 0.93 <= coverage(found, truth) <= 0.975


@pytest.mark.parametrize("cells", [300, 20])
def test_z_is_standard_normal_for_a_calibrated_model(cells: int) -> None:
    drawn = [spiegelhalter_z(sample(2_000, 300 + seed, cells, confidence=1.0)) for seed in range(800)]
    values = np.array([each.value for each in drawn])
    assert abs(values.mean()) < 0.12
    assert values.std() == pytest.approx(1, abs=0.08)
    assert np.mean([each.p_value < 0.05 for each in drawn]) == pytest.approx(0.05, abs=0.025)


def test_z_without_loss_is_the_formula() -> None:
    scores, labels = scored_rows(2_000, 4)
    found = spiegelhalter_z(count_binary(scores, labels, one_score_a_cell(scores)))
    assert found.value == pytest.approx(plain_z(labels, scores), abs=1e-6)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(found.value)))


@pytest.mark.parametrize("cells", [3, 20, 300])
def test_z_in_cells_is_within_its_bound(cells: int) -> None:
    for seed in range(10):
        scores, labels = scored_rows(1_000, 400 + seed)
        found = spiegelhalter_z(count_binary(scores, labels, equal_mass_edges(scores, cells)))
        assert abs(found.value - plain_z(labels, scores)) <= found.bound


def test_unlabelled_rows_widen_the_bound_only() -> None:
    scores, labels = scored_rows(4_000, 5)
    edges = equal_mass_edges(scores, 50)
    some = np.where(np.arange(4_000) % 2 == 0, labels, np.nan)
    for metric in METRICS:
        half = metric(count_binary(scores, some, edges))
        of_half = metric(count_binary(scores[::2], labels[::2], edges))
        assert half.n == of_half.n == 2_000
        assert abs(half.value - of_half.value) <= half.bound
        assert half.bound > of_half.bound


def test_the_parts_add_up_to_the_brier_score() -> None:
    counts = sample(5_000, 6)
    parts = brier_parts(counts)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within
    assert total == pytest.approx(brier(counts).value, abs=1e-12)
    assert 0 < parts.reliability < parts.resolution < parts.uncertainty


def test_parts_by_hand() -> None:
    # Two scores: of four rows at .25 one is positive, of four at .75 four are.
    counts = count_binary([0.25] * 4 + [0.75] * 4, [1, 0, 0, 0, 1, 1, 1, 1], [0.5])
    parts = brier_parts(counts, 2)
    chance = 0.5 * (0.1875 / 3)
    of_share = 0.625 * 0.375 / 7
    assert parts.reliability == pytest.approx(0.03125 - chance)
    assert parts.resolution == pytest.approx(0.140625 - chance + of_share)
    assert parts.uncertainty == pytest.approx(0.234375 + of_share)
    assert parts.within == pytest.approx(0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.3, 0.5, 1.0]),
            st.sampled_from([0.0, 1.0, None]),
            st.sampled_from([0.0, 0.5, 1.0, 4.0]),
        ),
        max_size=12,
    )
)
def test_any_rows_give_a_sound_answer(rows: list[tuple[float, float | None, float]]) -> None:
    scores, labels, weights = zip(*rows, strict=True) if rows else ((), (), ())
    counts = count_binary(scores, labels, [0.2, 0.4, 0.9], weights)
    for metric in METRICS:
        assert_sound(metric(counts))
    parts = brier_parts(counts)
    assert (parts.reliability is None) == bool(parts.reason)
    assert np.isfinite(reliability_curve(counts).shares).all()


def test_nothing_to_tell() -> None:
    for metric in METRICS:
        assert metric(count_binary([], [], [0.5])).reason == "no row is labelled"
        assert "not probabilities" in metric(count_binary([7.0], [1], [0.5])).reason
    assert "no variance" in spiegelhalter_z(count_binary([0.5, 1.0], [1, 1], [0.7])).reason
    assert len(reliability_curve(count_binary([], [], [0.5])).rows) == 0
    with pytest.raises(ValueError, match="bins is 0"):
        reliability_curve(count_binary([], [], [0.5]), 0)
