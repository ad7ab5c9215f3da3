"""Estimates without labels, against a plain CBPE over raw rows, numeric derivatives and simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge.outcomes import binary, discrimination
from tidegauge.outcomes.binary_counts import BinaryCounts, count_binary
from tidegauge.outcomes.calibrator import fit_calibrator, trust_scores
from tidegauge.outcomes.confusion import confusion_at
from tidegauge.outcomes.estimated import estimate
from tidegauge.outcomes.realised_error import RealisedError, realised_errors, trust
from tidegauge.outcomes.sampling_error import sampling_errors
from tidegauge.outcomes.sensitivities import sensitivities

WORTH = [[1.0, -5.0], [-2.0, 3.0]]
SCORES = np.linspace(0.05, 0.95, 10).round(2)
EDGES = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])  # every score its own cell


def slow_cbpe(score: list[float], p: list[float], threshold: float) -> dict[str, float]:
    """Row by row, pair by pair: a row of probability p is p of a positive and 1 - p of a negative."""
    rows = list(zip(score, p, strict=True))
    tp = sum(q for s, q in rows if s >= threshold)
    fp = sum(1 - q for s, q in rows if s >= threshold)
    fn = sum(q for s, q in rows if s < threshold)
    tn = sum(1 - q for s, q in rows if s < threshold)
    positives, negatives = tp + fn, fp + tn
    order = [(a * (1 - b)) * (1.0 if s > t else 0.5 if s == t else 0.0) for s, a in rows for t, b in rows]
    average_precision, before = 0.0, 0.0
    for at in sorted(set(score), reverse=True):
        found = sum(q for s, q in rows if s >= at)
        average_precision += (found - before) / positives * found / sum(s >= at for s in score)
        before = found
    return {
        "true_positives": tp,
        "false_positives": fp,
        "false_negatives": fn,
        "true_negatives": tn,
        "accuracy": (tp + tn) / len(rows),
        "precision": tp / (tp + fp),
        "recall": tp / positives,
        "specificity": tn / negatives,
        "f1": 2 * tp / (2 * tp + fp + fn),
        "roc_auc": sum(order) / (positives * negatives),
        "average_precision": average_precision,
        "business_value": (tn * 1.0 - fp * 5.0 - fn * 2.0 + tp * 3.0) / len(rows),
    }


def reference(n: int = 4_000, seed: int = 0) -> BinaryCounts:
    rng = np.random.default_rng(seed)
    score = rng.choice(SCORES, n)
    return count_binary(score, rng.random(n) < 0.1 + 0.8 * score**2, EDGES)


def test_estimates_are_those_of_the_raw_rows() -> None:
    calibrator = fit_calibrator(reference())
    score = np.random.default_rng(1).choice(SCORES, 150)
    p = calibrator.probabilities[np.searchsorted(EDGES, score, side="right")]
    found = estimate(count_binary(score, np.full(150, np.nan), EDGES), calibrator, 0.5, WORTH)
    slow = slow_cbpe(score.tolist(), p.tolist(), 0.5)
    assert set(found) == set(slow)
    for name, value in slow.items():
        assert found[name].value == pytest.approx(value, abs=1e-9), name
        assert found[name].n_rows == 150


@given(st.integers(0, 2**32), st.integers(1, 9))
def test_labels_and_parts_change_no_estimate(seed: int, first: int) -> None:
    rng = np.random.default_rng(seed)
    calibrator = fit_calibrator(reference())
    score, label = rng.choice(SCORES, 60), rng.choice([0.0, 1.0, np.nan], 60)
    blind = count_binary(score, np.full(60, np.nan), EDGES)
    parts = count_binary(score[:20], label[:20], EDGES) + count_binary(score[20:], label[20:], EDGES)
    threshold = float(EDGES[first - 1])
    for name, each in estimate(blind, calibrator, threshold).items():
        other = estimate(parts, calibrator, threshold)[name]
        assert (each.value is None) == (other.value is None)
        if each.value is not None:
            assert other.value == pytest.approx(each.value, abs=1e-9)
            assert other.standard_error == pytest.approx(each.standard_error, abs=1e-9)


@given(st.integers(0, 2**32), st.integers(0, 10))
def test_derivatives_are_those_of_the_values(seed: int, first: int) -> None:
    rng = np.random.default_rng(seed)
    positives, negatives = rng.uniform(0.5, 20, (2, 10))
    exact = sensitivities(positives, negatives, first, WORTH)
    step = 1e-4

    def moved(cell: int, of_positives: bool, by: float) -> dict[str, float]:
        both = [positives.copy(), negatives.copy()]
        both[0 if of_positives else 1][cell] += by
        return {name: each.value for name, each in sensitivities(*both, first, WORTH).items()}

    for cell in range(10):
        for of_positives in (True, False):
            up, down = moved(cell, of_positives, step), moved(cell, of_positives, -step)
            for name, each in exact.items():
                derivative = (each.by_positives if of_positives else each.by_negatives)[cell]
                if math.isnan(each.value):
                    assert math.isnan(derivative)
                else:
                    numeric = (up[name] - down[name]) / (2 * step)
                    assert derivative == pytest.approx(numeric, rel=1e-5, abs=1e-7), (name, cell)


@pytest.mark.parametrize("n_reference", [300, 100_000])  # the calibrator's own error counts, or does not
def test_the_stated_error_is_the_error(n_reference: int) -> None:
    rng = np.random.default_rng(7)
    truth = 0.1 + 0.8 * SCORES**2
    rows = np.bincount(rng.choice(10, 1_500), minlength=10)
    blank = np.zeros(10)
    off: dict[str, list[float]] = {}
    stated: dict[str, list[float]] = {}
    for seed in range(400):
        calibrator = fit_calibrator(reference(n_reference, seed))
        positives = rng.binomial(rows, truth).astype(float)
        window = BinaryCounts(EDGES, positives, rows - positives, blank, blank, blank)
        for name, each in realised_errors(window, calibrator, 0.5, WORTH).items():
            assert each.error is not None
            assert each.standard_error is not None
            off.setdefault(name, []).append(each.error)
            stated.setdefault(name, []).append(each.standard_error)
    for name, errors in off.items():
        ratio = float(np.std(errors) / np.mean(stated[name]))
        assert 0.85 < ratio < 1.15, (name, ratio)  # a standard deviation of 400 is off by 3.5 %


def test_sampling_errors_are_nannymls() -> None:
    rng = np.random.default_rng(2)
    score = rng.choice(SCORES, 3_000)
    label = (rng.random(3_000) < 0.05 + 0.4 * score).astype(int)
    right, answer = label == (score >= 0.5), score >= 0.5
    found = sampling_errors(count_binary(score, label, EDGES), 0.5, 500, WORTH)
    tp, wrong = answer & (label == 1), ~right
    relevant = tp | wrong
    factor = relevant.sum() / (tp.sum() + wrong.sum() / 2)
    worth = np.array(WORTH)[label, answer.astype(int)]
    # As documented there: the spread over rows that matter, over the square root of how many they are.
    expected = {
        "accuracy": right.std() / math.sqrt(500),
        "precision": label[answer].std() / math.sqrt(500 * answer.mean()),
        "recall": answer[label == 1].std() / math.sqrt(500 * label.mean()),
        "specificity": answer[label == 0].std() / math.sqrt(500 * (1 - label.mean())),
        "f1": (tp[relevant] * factor).std() / math.sqrt(500 * relevant.mean()),
        "business_value": worth.std() / math.sqrt(500),
        "true_positives": tp.std() * math.sqrt(500),
    }
    for name, error in expected.items():
        assert found[name] == pytest.approx(error, rel=1e-9), name
    negatives = np.sort(score[label == 0])
    shares = [
        (np.searchsorted(negatives, s, "left") + rng.random() * (negatives == s).sum()) / len(negatives)
        for s in score[label == 1]
    ]
    assert found["roc_auc"] == pytest.approx(np.std(shares) / math.sqrt(500 * label.mean()), rel=0.05)


def test_sampling_error_of_average_precision_is_that_of_resampling() -> None:
    rng = np.random.default_rng(4)
    score = rng.choice(SCORES, 3_000)
    label = (rng.random(3_000) < 0.05 + 0.4 * score).astype(float)
    stated = sampling_errors(count_binary(score, label, EDGES), 0.5, 1_500)["average_precision"]
    drawn = []
    for _ in range(400):
        rows = rng.choice(3_000, 1_500)
        counts = count_binary(score[rows], label[rows], EDGES)
        drawn.append(sensitivities(counts.positives, counts.negatives, 5)["average_precision"].value)
    assert np.std(drawn) == pytest.approx(stated, rel=0.15)


def test_scores_that_are_probabilities_need_no_reference() -> None:
    window = count_binary([0.1, 0.3, 0.8, 0.9], [np.nan] * 4, [0.5])
    found = estimate(window, trust_scores(window), 0.5)
    assert found["accuracy"].value == pytest.approx((0.9 + 0.7 + 0.8 + 0.9) / 4)
    spread = 2 * 0.2 * 0.8 + 2 * 0.85 * 0.15  # of labels only: nothing was learned
    assert found["accuracy"].standard_error == pytest.approx(math.sqrt(spread) / 4)


def test_undefined_is_none() -> None:
    calibrator = fit_calibrator(reference())
    nothing = count_binary([], [], EDGES)
    for name, each in estimate(nothing, calibrator, 0.5, WORTH).items():
        assert each.value == (0.0 if name.endswith(("positives", "negatives")) else None), name
    never = estimate(count_binary([0.05], [np.nan], EDGES), calibrator, 0.5)
    assert never["precision"] == replace(never["precision"], value=None, standard_error=None)
    assert never["accuracy"].value is not None
    unknown = fit_calibrator(count_binary([0.2], [np.nan], EDGES))
    found = estimate(reference(), unknown, 0.5, WORTH)
    assert {each.value for each in found.values()} == {None}
    assert set(found) == set(estimate(reference(), calibrator, 0.5, WORTH))
    blind = sampling_errors(count_binary([0.2], [np.nan], EDGES), 0.5, 100, WORTH)
    assert set(blind.values()) == {None}


def test_refused_by_name() -> None:
    calibrator = fit_calibrator(reference())
    with pytest.raises(ValueError, match=r"threshold 0.55 is not an edge .* 0.5, 0.6"):
        estimate(reference(), calibrator, 0.55)
    with pytest.raises(ValueError, match="not an edge"):
        estimate(reference(), calibrator, math.nan)
    with pytest.raises(ValueError, match="1 edges, not the 9"):
        estimate(count_binary([0.2], [1], [0.5]), calibrator, 0.5)
    with pytest.raises(ValueError, match="2 sets of counts for a calibrator of 1 leaves"):
        estimate([reference(), reference()], calibrator, 0.5)
    for worth in ([1.0, 2.0], [[1, 2], [3, math.inf]]):
        with pytest.raises(ValueError, match="worth"):
            estimate(reference(), calibrator, 0.5, worth)


def test_realised_error_is_of_the_labelled_rows_alone() -> None:
    calibrator = fit_calibrator(reference())
    window = count_binary([0.05, 0.95, 0.95, 0.15], [0, 1, 0, np.nan], EDGES)
    found = realised_errors(window, calibrator, 0.5)["accuracy"]
    labelled = estimate(count_binary([0.05, 0.95, 0.95], [np.nan] * 3, EDGES), calibrator, 0.5)["accuracy"]
    assert found.realised == pytest.approx(2 / 3)
    assert found.estimated == pytest.approx(labelled.value)
    assert found.error == pytest.approx(labelled.value - 2 / 3)
    assert found.n_labelled == 3
    none_yet = realised_errors(count_binary([0.05], [np.nan], EDGES), calibrator, 0.5)["accuracy"]
    assert (none_yet.realised, none_yet.error, none_yet.n_labelled) == (None, None, 0.0)


def test_trust_sums_up_what_was_realised() -> None:
    told = trust(
        [
            RealisedError(0.9, 0.8, 0.1, 0.01, 50.0),
            RealisedError(0.9, 0.92, -0.02, 0.02, 50.0),
            RealisedError(None, 0.8, None, None, 50.0),
        ]
    )
    assert told.mean_absolute_error == pytest.approx(0.06)
    assert told.bias == pytest.approx(0.04)
    assert (told.coverage, told.n_windows) == (0.5, 2)
    assert trust([]).mean_absolute_error is None


def test_values_are_those_of_the_metrics_of_labelled_rows() -> None:
    counts = reference()
    ours = sensitivities(counts.positives, counts.negatives, 5, WORTH)
    table = confusion_at(counts, 0.5)
    theirs = {
        "accuracy": binary.accuracy(table),
        "precision": binary.precision(table),
        "recall": binary.recall(table),
        "specificity": binary.specificity(table),
        "f1": binary.f_beta(table),
        "business_value": binary.business_value(table, WORTH),
        "roc_auc": discrimination.roc_auc(counts),
        "average_precision": discrimination.average_precision(counts),
    }
    for name, each in theirs.items():
        assert ours[name].value == pytest.approx(each.value, abs=1e-12), name
    assert (ours["true_positives"].value, ours["false_negatives"].value) == (
        table.true_positives,
        table.false_negatives,
    )
