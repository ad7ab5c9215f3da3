"""Segments of a calibrator, against a brute-force tree and offsets found by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from tidegauge.outcomes.binary_counts import BinaryCounts, count_binary
from tidegauge.outcomes.calibrator import fit_calibrator
from tidegauge.outcomes.estimated import estimate
from tidegauge.outcomes.leaf_calibrator import fit_leaf_calibrator, unsupported_leaves
from tidegauge.outcomes.leaves import Leaves, leaf_of, learn_leaves

EDGES = np.linspace(0.1, 0.9, 9).round(1)


def squares(residual: np.ndarray) -> float:
    return float(((residual - residual.mean()) ** 2).sum())


def best_by_force(codes: np.ndarray, residual: np.ndarray, categorical: np.ndarray, least: int) -> float:
    """Return the squares that the best of all splits explains: every cut, every subset of categories."""
    best = 0.0
    for j in range(codes.shape[1]):
        n_bins = int(codes.max()) + 1
        subsets = (
            [[b for b in range(n_bins) if mask >> b & 1] for mask in range(2**n_bins)]
            if categorical[j]
            else [list(range(b)) for b in range(n_bins)]
        )
        for subset in subsets:
            left = np.isin(codes[:, j], subset)
            if min(left.sum(), (~left).sum()) >= least:
                best = max(best, squares(residual) - squares(residual[left]) - squares(residual[~left]))
    return best


@given(st.integers(0, 2**32), st.integers(1, 8))
def test_a_split_explains_the_most_squares(seed: int, least: int) -> None:
    rng = np.random.default_rng(seed)
    codes, residual = rng.integers(0, 4, (40, 3)), rng.normal(size=40)
    categorical = np.array([False, True, False])
    leaf = leaf_of(learn_leaves(codes, residual, categorical, max_leaves=2, min_rows=least), codes)
    explained = squares(residual) - sum(squares(residual[leaf == k]) for k in np.unique(leaf))
    assert explained == pytest.approx(best_by_force(codes, residual, categorical, least), abs=1e-9)


def leaf_by_hand(leaves: Leaves, row: list[int]) -> int:
    node = 0
    while leaves.column[node] >= 0:
        code = row[leaves.column[node]]
        goes_left = code < leaves.goes_left.shape[1] and leaves.goes_left[node, code]
        node = int(leaves.left[node] if goes_left else leaves.right[node])
    return int(leaves.leaf[node])


@given(st.integers(0, 2**32), st.integers(1, 16), st.integers(1, 60))
def test_leaves_are_bounded_and_every_row_has_one(seed: int, most: int, least: int) -> None:
    rng = np.random.default_rng(seed)
    codes, residual = rng.integers(0, 6, (300, 3)), rng.normal(size=300)
    leaves = learn_leaves(codes, residual, [False, True, False], most, least)
    leaf = leaf_of(leaves, codes)
    assert leaves.n_leaves <= most
    assert np.bincount(leaf, minlength=leaves.n_leaves).min() >= least
    unseen = rng.integers(0, 9, (20, 3))
    assert leaf_of(leaves, unseen).tolist() == [leaf_by_hand(leaves, row) for row in unseen.tolist()]


def test_nothing_to_split_is_one_leaf() -> None:
    codes = np.random.default_rng(0).integers(0, 5, (100, 2))
    for residual in (np.zeros(100), np.full(100, 0.1)):
        assert learn_leaves(codes, residual, [False, True], min_rows=1).n_leaves == 1
    empty = learn_leaves(np.empty((0, 2), dtype=int), [], [False, True])
    assert empty.n_leaves == 1
    assert leaf_of(empty, codes).tolist() == [0] * 100


@pytest.mark.parametrize(
    ("codes", "residual", "words"),
    [
        ([[0.5]], [1.0], "pass integers"),
        ([[1]], [1.0, 2.0], "for 2 residuals"),
        ([[-1]], [1.0], "number them from 0"),
        ([[70_000]], [1.0], "65,535"),
        ([[1]], [np.nan], "finite"),
    ],
)
def test_refused_by_name(codes: list[list[float]], residual: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        learn_leaves(codes, residual, [False])


def segmented(
    n: int, seed: int, share: float, labelled: bool = True
) -> tuple[np.ndarray, list[BinaryCounts], float]:
    """Two segments that mean unlike things by a score, `share` of rows in the second; the true precision."""
    rng = np.random.default_rng(seed)
    segment = (rng.random(n) < share).astype(int)
    score = rng.random(n)
    odds = score / (1 - score) * np.where(segment == 1, 0.2, 1.5)
    truth = odds / (1 + odds)
    label = (rng.random(n) < truth).astype(float)
    right = truth[score >= 0.5].sum() / max((score >= 0.5).sum(), 1)
    told = label if labelled else np.full(n, np.nan)
    counts = [count_binary(score[segment == k], told[segment == k], EDGES) for k in (0, 1)]
    return segment, counts, float(right)


@pytest.mark.parametrize(("n", "gain"), [(20_000, 8.0), (3_000, 2.0)])  # curves; offsets
def test_a_shift_among_segments_is_seen_where_one_calibrator_is_blind(n: int, gain: float) -> None:
    _, reference, _ = segmented(n, 0, 0.2)
    whole = reference[0] + reference[1]
    _, window, truth = segmented(40_000, 1, 0.8, labelled=False)
    plain = estimate(window[0] + window[1], fit_calibrator(whole), 0.5)["precision"].value
    by_leaf = estimate(window, fit_leaf_calibrator(reference), 0.5)["precision"].value
    assert plain is not None
    assert by_leaf is not None
    assert abs(plain - truth) > gain * abs(by_leaf - truth)


def test_one_leaf_is_the_plain_calibrator() -> None:
    _, reference, _ = segmented(5_000, 0, 0.2)
    plain, leaf = fit_calibrator(reference[0]), fit_leaf_calibrator(reference[:1])
    np.testing.assert_allclose(leaf.probabilities[0], plain.probabilities)
    a, b = estimate(reference[0], plain, 0.5), estimate(reference[:1], leaf, 0.5)
    assert a["roc_auc"].standard_error == pytest.approx(b["roc_auc"].standard_error)


def logit(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


def test_a_small_leaf_is_shifted_and_shrunk() -> None:
    _, reference, _ = segmented(20_000, 0, 0.02)
    p = fit_calibrator(reference[0] + reference[1]).probabilities
    small = reference[1]
    labelled = small.positives + small.negatives
    n = labelled.sum()
    assert 300 < n < 1_000

    def expected(offset: float) -> float:
        return float(labelled @ (1 / (1 + np.exp(-np.log(p / (1 - p)) - offset)))) - small.positives.sum()

    shrunk = brentq(expected, -10, 10) * n / (n + 200)
    fitted = logit(fit_leaf_calibrator(reference).probabilities)
    agreed = fitted[0] - logit(fit_calibrator(reference[0]).probabilities)  # by as much in every leaf
    np.testing.assert_allclose(fitted[1], logit(p) + shrunk + agreed, atol=1e-9)


@pytest.mark.parametrize("turned", [False, True])
def test_at_the_references_own_mix_leaves_say_what_one_calibrator_says(turned: bool) -> None:
    _, reference, _ = segmented(20_000, 0, 0.3)
    if turned:  # a leaf in which the score means the opposite, which no monotone curve tells
        small = reference[1]
        reference[1] = replace(small, positives=small.negatives[::-1], negatives=small.positives[::-1])
    whole = reference[0] + reference[1]
    plain = estimate(whole, fit_calibrator(whole), 0.5)
    by_leaf = estimate(reference, fit_leaf_calibrator(reference), 0.5)
    for name, each in plain.items():
        assert by_leaf[name].value == pytest.approx(each.value, rel=1e-9), name


def test_a_leaf_without_labels_has_the_curve_of_the_whole() -> None:
    _, reference, _ = segmented(5_000, 0, 0.2)
    _, blank, _ = segmented(100, 1, 0.5, labelled=False)
    fitted = fit_leaf_calibrator([reference[0], blank[1]])
    np.testing.assert_allclose(
        fitted.probabilities[1], fit_calibrator(reference[0]).probabilities, rtol=1e-12
    )
    assert np.isnan(fit_leaf_calibrator(blank).probabilities).all()


def test_rows_out_of_support_are_told() -> None:
    _, reference, _ = segmented(5_000, 0, 0.02)
    for share, flags in ((0.1, [False, False]), (0.5, [False, True])):
        _, window, _ = segmented(5_000, 1, share)
        assert unsupported_leaves(reference, window).tolist() == flags
    _, none, _ = segmented(0, 0, 0.5)
    assert unsupported_leaves(reference, none).tolist() == [False, False]
    assert unsupported_leaves([reference[0], none[1]], window).tolist() == [False, True]


def test_leaves_are_matched_one_for_one() -> None:
    _, reference, _ = segmented(500, 0, 0.2)
    with pytest.raises(ValueError, match="1 leaves of a window, 2 of the reference"):
        unsupported_leaves(reference, reference[:1])
    with pytest.raises(ValueError, match="at least one leaf"):
        fit_leaf_calibrator([])
    with pytest.raises(ValueError, match="edges"):
        fit_leaf_calibrator([reference[0], count_binary([0.2], [1], [0.5])])
