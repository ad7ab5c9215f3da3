"""Metrics of yes-or-no answers against scikit-learn on raw rows, and their intervals by simulation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from tests.outcomes.samples import assert_sound, counted, coverage, equal_mass_edges, scored_rows

from tidegauge.outcomes.binary import (
    accuracy,
    balanced_accuracy,
    business_value,
    f_beta,
    matthews_correlation,
    negative_predictive_value,
    precision,
    recall,
    specificity,
)
from tidegauge.outcomes.binary_counts import count_binary
from tidegauge.outcomes.confusion import Confusion, confusion_at
from tidegauge.outcomes.metric import Metric

WORTH = [[0.0, -1.0], [-20.0, 5.0]]


def mean_worth(labels: np.ndarray, answers: np.ndarray) -> float:
    return float(np.mean([WORTH[int(y)][int(a)] for y, a in zip(labels, answers, strict=True)]))


CASES: dict[str, tuple[Callable[[Confusion], Metric], Callable[[np.ndarray, np.ndarray], float]]] = {
    "accuracy": (accuracy, sk.accuracy_score),
    "balanced_accuracy": (balanced_accuracy, sk.balanced_accuracy_score),
    "precision": (precision, sk.precision_score),
    "recall": (recall, sk.recall_score),
    "specificity": (specificity, partial(sk.recall_score, pos_label=0)),
    "negative_predictive_value": (negative_predictive_value, partial(sk.precision_score, pos_label=0)),
    "f1": (f_beta, sk.f1_score),
    "f2": (partial(f_beta, beta=2.0), partial(sk.fbeta_score, beta=2.0)),
    "f0.5": (partial(f_beta, beta=0.5), partial(sk.fbeta_score, beta=0.5)),
    "matthews_correlation": (matthews_correlation, sk.matthews_corrcoef),
    "business_value": (partial(business_value, worth=WORTH), mean_worth),
}
TABLES = st.tuples(*[st.sampled_from([0.0, 1.0, 2.5, 7.0, 300.0])] * 4).map(lambda cells: Confusion(*cells))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("name", CASES)
def test_at_an_edge_it_is_scikit_learns(name: str) -> None:
    metric, oracle = CASES[name]
    scores, labels = scored_rows(5_000, 1)
    edges = equal_mass_edges(scores, 100)
    counts = count_binary(scores, labels, edges)
    for threshold in (edges[3], edges[50], edges[90]):
        found = metric(confusion_at(counts, threshold))
        assert found.name == name
        assert found.value == pytest.approx(oracle(labels, scores >= threshold), abs=1e-9)
        assert found.bound == 0
        assert found.n == 5_000
        constants = [oracle(labels, np.full(5_000, each)) for each in (True, False)]
        assert found.constant == pytest.approx(max(constants), abs=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_inside_a_cell_it_is_within_the_bound(name: str) -> None:
    metric, oracle = CASES[name]
    scores, labels = scored_rows(2_000, 2)
    counts = count_binary(scores, labels, equal_mass_edges(scores, 20))
    off = []
    for threshold in np.quantile(scores, np.linspace(0.02, 0.98, 49)) + 1e-6:
        found = metric(confusion_at(counts, threshold))
        off.append(abs(found.value - oracle(labels, scores >= threshold)))
        assert off[-1] <= found.bound + 1e-12
    assert max(off) > 0.002  # else the bound would have had nothing to do


def test_the_nearest_edge_is_used_and_said() -> None:
    counts = count_binary([0.1, 0.2, 0.3, 0.7], [0, 1, 1, 1], [0.25, 0.5])
    table = confusion_at(counts, 0.3)
    assert (table.threshold, table.asked) == (0.25, 0.3)
    assert (table.true_positives, table.positives_in_doubt) == (2, -1)
    table = confusion_at(counts, 0.45)
    assert (table.threshold, table.true_positives, table.positives_in_doubt) == (0.5, 1, 1)
    assert confusion_at(counts, 0.9).threshold == 0.5
    assert confusion_at(counts, 0.0).threshold == 0.25
    assert confusion_at(counts, -np.inf).false_negatives == 0
    assert confusion_at(counts, np.inf).true_positives == 0
    assert confusion_at(count_binary([0.1], [1], []), 0.5).positives_in_doubt == -1
    with pytest.raises(ValueError, match="threshold is NaN"):
        confusion_at(counts, np.nan)


@given(TABLES)
def test_any_counts_give_a_sound_answer(table: Confusion) -> None:
    for metric, _ in CASES.values():
        assert_sound(metric(table))


@pytest.mark.parametrize("name", CASES)
def test_no_rows_is_an_answer(name: str) -> None:
    found = CASES[name][0](Confusion(0, 0, 0, 0))
    assert found.value is None
    assert found.reason == "no row is labelled"


def test_one_class_says_which_is_missing() -> None:
    assert recall(Confusion(0, 3, 0, 2)).reason == "no labelled row is positive"
    assert specificity(Confusion(3, 0, 2, 0)).reason == "no labelled row is negative"
    assert balanced_accuracy(Confusion(3, 0, 2, 0)).reason == "no labelled row is negative"
    assert precision(Confusion(0, 0, 2, 2)).reason == "no answer is positive"
    assert "one class" in matthews_correlation(Confusion(3, 0, 2, 0)).reason


@pytest.mark.parametrize("worth", [[1, 2], [[1, 2], [3, np.nan]]])
def test_worth_of_another_shape_is_refused(worth: list) -> None:
    with pytest.raises(ValueError, match="worth must be"):
        business_value(Confusion(1, 1, 1, 1), worth)


@pytest.mark.parametrize("beta", [0.0, -1.0, np.nan, np.inf])
def test_beta_must_be_above_zero(beta: float) -> None:
    with pytest.raises(ValueError, match="beta is"):
        f_beta(Confusion(1, 1, 1, 1), beta)


def test_merging_then_measuring_is_measuring_all() -> None:
    scores, labels = scored_rows(3_000, 3)
    edges = equal_mass_edges(scores, 50)
    parts = [count_binary(scores[i::3], labels[i::3], edges) for i in range(3)]
    whole = count_binary(scores, labels, edges)
    for metric, _ in CASES.values():
        found = metric(confusion_at(parts[0] + parts[1] + parts[2], edges[30]))
        assert found == metric(confusion_at(whole, edges[30]))


@pytest.mark.parametrize("name", CASES)
def test_intervals_hold_the_truth_in_95_of_100(name: str) -> None:
    rng = np.random.default_rng(4)
    chances = np.array([0.12, 0.08, 0.07, 0.73])
    truth = CASES[name][0](Confusion(*chances * 1e9)).value
    draws = rng.multinomial(400, chances, size=2_000)
    found = [CASES[name][0](Confusion(*map(float, cells))) for cells in draws]
    assert 0.93 <= coverage(found, truth) <= 0.97


def test_state_of_a_threshold_adds_up() -> None:
    counts = counted()
    table = confusion_at(counts, 0.4)
    assert table.positives == counts.positives.sum()
    assert table.negatives == counts.negatives.sum()
