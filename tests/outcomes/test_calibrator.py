"""Isotonic calibration and the edges it is learned on, against SciPy and the raw rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import isotonic_regression

from tidegauge.isotonic import isotonic
from tidegauge.outcomes.binary_counts import count_binary
from tidegauge.outcomes.calibrator import fit_calibrator, trust_scores
from tidegauge.score_cells import balanced_edges, score_edges

places = st.integers(1, 40)


@given(st.data())
def test_isotonic_is_scipys(data: st.DataObject) -> None:
    n = data.draw(places)
    y = data.draw(arrays(np.float64, n, elements=st.floats(-10, 10, width=32)))
    w = data.draw(arrays(np.float64, n, elements=st.floats(0.0625, 16, width=32)))
    np.testing.assert_allclose(isotonic(y, w), isotonic_regression(y, weights=w).x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["noise", "steps", "one last drop", "falling"])
def test_isotonic_of_many_places_is_scipys(kind: str) -> None:
    rng, n = np.random.default_rng(0), 20_000
    y = {
        "noise": rng.normal(size=n) + np.arange(n) / n,
        "steps": (rng.random(n) < np.arange(n) / n).astype(float),
        "one last drop": np.append(np.arange(n - 1.0), -1e9),
        "falling": -np.arange(float(n)),
    }[kind]
    w = rng.uniform(0.5, 2, n)
    np.testing.assert_allclose(isotonic(y, w), isotonic_regression(y, weights=w).x, rtol=1e-9, atol=1e-9)


@given(st.data())
def test_places_without_weight_have_no_say(data: st.DataObject) -> None:
    n = data.draw(places)
    y = data.draw(arrays(np.float64, n, elements=st.floats(0, 1)))
    w = data.draw(arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0, 2.5])))
    fitted, held = isotonic(np.where(w > 0, y, np.nan), w), np.flatnonzero(w > 0)
    if not held.size:
        assert np.isnan(fitted).all()
        return
    np.testing.assert_allclose(fitted[held], isotonic(y[held], w[held]))
    assert (np.diff(fitted) >= 0).all()
    assert fitted[0] == fitted[held[0]]
    assert fitted[-1] == fitted[held[-1]]


@pytest.mark.parametrize(
    ("values", "weights", "words"),
    [
        ([1.0, 2.0], [1.0], "one of each"),
        ([1.0], [-1.0], "not negative"),
        ([1.0], [np.nan], "finite"),
        ([np.inf], [1.0], "wherever their weight"),
    ],
)
def test_isotonic_refuses(values: list[float], weights: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        isotonic(values, weights)


@pytest.mark.parametrize("digits", [2, 6])
def test_cells_calibrate_as_the_raw_rows_do(digits: int) -> None:
    rng = np.random.default_rng(3)
    score = rng.random(20_000).round(digits)
    label = (rng.random(20_000) < score**2 * 0.6 + 0.1).astype(float)
    label[::7] = np.nan
    edges = score_edges(score, label, [0.5])
    assert len(edges) < 1_000
    assert 0.5 in edges
    fitted = fit_calibrator(count_binary(score, label, edges))
    known = ~np.isnan(label)
    # The slow one: isotonic regression over rows, tied scores averaged first.
    values, of_row = np.unique(score[known], return_inverse=True)
    rows = np.bincount(of_row)
    raw = isotonic_regression(np.bincount(of_row, label[known]) / rows, weights=rows).x
    cell = np.searchsorted(edges, values, side="right")
    np.testing.assert_allclose(fitted.probabilities[cell], raw, atol=1e-12)


def test_pools_hold_the_rows_that_their_value_was_learned_from() -> None:
    counts = count_binary([1, 1, 2, 2, 3, 3, 4], [0, 0, 1, 0, 0, 1, 1], [1.5, 2.5, 3.5])
    fitted = fit_calibrator(counts)
    assert fitted.probabilities.tolist() == [0.0, 0.5, 0.5, 1.0]
    assert fitted.pools.tolist() == [0, 1, 1, 2]
    assert fitted.pool_weights.tolist() == [2.0, 4.0, 1.0]


def test_edges_of_hostile_scores() -> None:
    assert score_edges([], [], [0.5]).tolist() == [0.5]
    assert score_edges([np.nan, np.inf, 3.0, 3.0], [1, 0, 1, np.nan]).tolist() == [3.0]
    rng = np.random.default_rng(0)
    many = score_edges(rng.random(5_000), rng.integers(0, 2, 5_000), [0.1, 0.9], cells=8)
    assert len(many) <= 7
    assert {0.1, 0.9} <= set(many)
    with pytest.raises(ValueError, match="2 thresholds"):
        score_edges([1.0], [1.0], [0.1, 0.9], cells=2)
    with pytest.raises(ValueError, match="finite"):
        score_edges([1.0], [1.0], [np.nan])


def test_scores_taken_for_probabilities() -> None:
    fitted = trust_scores(count_binary([0.2, 0.4, 0.9], [np.nan] * 3, [0.5, 0.95]))
    np.testing.assert_allclose(fitted.probabilities, [0.3, 0.9, np.nan])
    with pytest.raises(ValueError, match="cell 1 is 7"):
        trust_scores(count_binary([0.2, 7.0], [1, 0], [0.5]))


def test_no_label_no_calibration() -> None:
    fitted = fit_calibrator(count_binary([0.2, 0.4], [np.nan, np.nan], [0.3]))
    assert np.isnan(fitted.probabilities).all()


def test_balanced_edges_tell_a_rare_label_apart() -> None:
    rng = np.random.default_rng(8)
    label = (rng.random(50_000) < 0.01).astype(float)
    score = rng.normal(2 * label, 1)
    edges = balanced_edges(score, label, 100)
    assert len(edges) == 99
    cells = np.searchsorted(edges, score, side="right")
    share = np.bincount(cells, label / label.sum()) + np.bincount(cells, (1 - label) / (1 - label).sum())
    assert share.max() < 0.025
    assert balanced_edges([np.nan, -0.0], [1, 0], 5).tolist() == [0.0]
    assert not np.signbit(balanced_edges([-0.0], [1], 5)).any()
    assert balanced_edges([], [], 5).tolist() == [0.5]
    assert balanced_edges([3.0, 1.0, 2.0], [np.nan] * 3, 3).tolist() == [1.5, 2.5]
    assert balanced_edges([1.7e308, -1.7e308], [1, 0], 4).size
