"""Inputs and concept: they add up, each is found where it was planted alone, intervals hold the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score

from tidegauge.outcomes.binary_counts import BinaryCounts, count_binary
from tidegauge.outcomes.calibrator import Calibrator, fit_calibrator
from tidegauge.outcomes.estimated import estimate
from tidegauge.outcomes.realised_error import realised_errors
from tidegauge.outcomes.shift_parts import shift_parts

SCORES = np.arange(1, 20) / 20  # of one value a cell
EDGES = SCORES - 1e-9
TRUTH = np.clip(SCORES**1.3, 0, 1)  # what a score means in the reference
BEFORE = np.exp(-(((SCORES - 0.35) / 0.3) ** 2))
AFTER = np.exp(-(((SCORES - 0.6) / 0.25) ** 2))


def drawn(
    rng: np.random.Generator, n: int, shares: np.ndarray, p: np.ndarray, labels: float = 1.0
) -> BinaryCounts:
    rows = rng.multinomial(n, shares / shares.sum())
    known = rng.binomial(rows, labels)
    positives = rng.binomial(known, p)
    cells = [
        np.concatenate([[0], each]).astype(float) for each in (positives, known - positives, rows - known)
    ]
    scores = np.concatenate([[0.0], rows * SCORES]), np.concatenate([[0.0], rows * SCORES**2])
    return BinaryCounts(EDGES, *cells, *scores)


def parts_of(reference: BinaryCounts, window: BinaryCounts, *, labelled: bool = True, **options):
    edge = float(EDGES[9])
    return shift_parts("p", reference, window, fit_calibrator(reference), edge, labelled=labelled, **options)


def test_it_is_what_the_metrics_of_raw_rows_differ_by() -> None:
    rng = np.random.default_rng(1)
    x = [rng.choice(SCORES, 5_000, p=w / w.sum()) for w in (BEFORE, AFTER)]
    y = [(rng.random(len(each)) < np.interp(each, SCORES, TRUTH)).astype(float) for each in x]
    reference, window = (count_binary(*each, EDGES) for each in zip(x, y, strict=True))
    found = parts_of(reference, window, worth=[[0, -1], [-5, 2]])
    raw = {
        "accuracy": lambda x, y: accuracy_score(y, x >= 0.5),
        "f1": lambda x, y: f1_score(y, x >= 0.5),
        "roc_auc": lambda x, y: roc_auc_score(y, x),
        "average_precision": lambda x, y: average_precision_score(y, x),
        "base_rate": lambda x, y: y.mean(),
        "business_value": lambda x, y: np.select(
            [(x >= 0.5) & (y == 1), x >= 0.5, y == 1], [2.0, -1.0, -5.0], 0.0
        ).mean(),
    }
    calibrator = fit_calibrator(reference)
    told = estimate(window, calibrator, float(EDGES[9]), [[0, -1], [-5, 2]])
    for name, metric in raw.items():
        each = found[name]
        assert each.reference_value == pytest.approx(metric(x[0], y[0]))
        assert each.realised_value == pytest.approx(metric(x[1], y[1]))
        assert each.inputs + each.concept == pytest.approx(each.realised_value - each.reference_value)
        if name in told:
            assert each.expected_value == pytest.approx(told[name].value)
            errors = realised_errors(window, calibrator, float(EDGES[9]), [[0, -1], [-5, 2]])[name]
            half = (each.concept_interval[1] - each.concept_interval[0]) / 2
            assert half == pytest.approx(1.959964 * errors.standard_error, rel=1e-5)
            assert each.concept == pytest.approx(-errors.error)
    assert set(found) == {*raw, "precision", "recall", "specificity"}


def test_intervals_hold_the_truth_in_95_of_100_and_their_parts_stay_apart() -> None:
    """Rows change alone: the concept is 0 and the inputs' part is that of a million million rows."""
    rng = np.random.default_rng(2)
    names = ("accuracy", "recall", "specificity", "roc_auc", "base_rate")

    def certain(shares: np.ndarray) -> BinaryCounts:
        rows = shares / shares.sum() * 1e12
        cells = [np.concatenate([[0], each]) for each in (rows * TRUTH, rows * (1 - TRUTH), 0 * rows)]
        return BinaryCounts(EDGES, *cells, np.zeros(20), np.zeros(20))

    for after in (AFTER, BEFORE):
        truth = {name: each.inputs for name, each in parts_of(certain(BEFORE), certain(after)).items()}
        inside = np.zeros((2, len(names)))
        n = 600
        for _ in range(n):
            found = parts_of(drawn(rng, 6_000, BEFORE, TRUTH), drawn(rng, 2_000, after, TRUTH))
            for i, name in enumerate(names):
                low, high = found[name].inputs_interval
                inside[0, i] += low <= truth[name] <= high
                inside[1, i] += found[name].concept_interval[0] <= 0 <= found[name].concept_interval[1]
        assert (inside / n > 0.92).all(), inside / n
        assert (inside / n < 0.985).all(), inside / n


def test_a_score_that_means_something_else_is_concept_alone() -> None:
    rng = np.random.default_rng(3)
    weaker = 0.5 + (TRUTH - 0.5) * 0.5
    found = parts_of(drawn(rng, 50_000, BEFORE, TRUTH), drawn(rng, 20_000, BEFORE, weaker))
    for name in ("accuracy", "roc_auc"):
        each = found[name]
        assert each.concept_interval[1] < 0
        assert each.inputs_interval[0] < 0 < each.inputs_interval[1]
        assert abs(each.inputs) < 0.05 * abs(each.concept)
    assert found["base_rate"].concept_interval[0] > 0  # labels shifted, and scores had not told so


def test_without_labels_there_is_no_concept_and_all_rows_count() -> None:
    rng = np.random.default_rng(4)
    window = drawn(rng, 4_000, AFTER, TRUTH, labels=0.3)
    reference = drawn(rng, 20_000, BEFORE, TRUTH)
    found = parts_of(reference, window, labelled=False)["accuracy"]
    assert (found.concept, found.concept_interval, found.realised_value, found.n_rows) == (
        None,
        None,
        None,
        4_000,
    )
    some = parts_of(reference, window)["accuracy"]
    assert some.n_rows == window.positives.sum() + window.negatives.sum()
    again = parts_of(reference, replace(window, unlabelled=np.zeros(20)))["accuracy"]
    assert some == again


def test_nothing_is_told_where_nothing_is_known() -> None:
    rng = np.random.default_rng(5)
    empty = drawn(rng, 0, BEFORE, TRUTH)
    full = drawn(rng, 1_000, BEFORE, TRUTH)
    assert parts_of(full, empty) == {}
    assert parts_of(empty, full) == {}
    of_one = replace(full, positives=np.zeros(20))  # no positive label anywhere: no recall, no area
    assert {"recall", "roc_auc"}.isdisjoint(parts_of(of_one, full))
    unknown = Calibrator(EDGES, np.full(20, np.nan), np.zeros(20, np.int64), np.ones(1))
    assert shift_parts("p", full, full, unknown, float(EDGES[9]), labelled=True) == {}
    with pytest.raises(ValueError, match="is not an edge"):
        shift_parts("p", full, full, fit_calibrator(full), 0.123, labelled=True)
