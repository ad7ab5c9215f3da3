"""Estimates by segments: of a score whose meaning differs between them, and of a predicted number."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, roc_auc_score

import tidegauge as tg
from tidegauge.arrow import batches
from tidegauge.errors import DecodeError
from tidegauge.outcomes.binary_counts import count_binary
from tidegauge.outcomes.estimated import estimate
from tidegauge.outcomes.leaf_calibrator import fit_leaf_calibrator
from tidegauge.outcomes.leaf_errors import LeafErrors, estimate_errors, sum_errors


def scored(n: int, seed: int, shop: float = 0.3) -> pa.Table:
    """Rows of two channels; in the shop a score says little."""
    draw = np.random.default_rng(seed)
    score = draw.beta(2, 2, n)
    web = draw.random(n) >= shop
    label = draw.random(n) < np.where(web, score, 0.35 + 0.1 * score)
    columns = {
        "channel": np.where(web, "web", "shop"),
        "amount": draw.normal(size=n),
        "score": score,
        "label": label.astype(np.int64),
    }
    return pa.table(columns)


SCHEMA = tg.Schema.infer(scored(10, 1), score="score", label="label", positive=1)
REFERENCE = tg.Reference.fit(scored(20_000, 1), schema=SCHEMA)


def estimates_of(data: pa.Table, reference: tg.Reference = REFERENCE) -> tg.performances.Performance:
    return tg.performance(tg.profile(data, reference), reference)


@pytest.mark.parametrize("shop", [0.02, 0.3, 0.8])
def test_estimates_follow_the_mix_of_segments(shop):
    data = scored(40_000, 2, shop)
    told = estimates_of(data.drop_columns(["label"]))
    score, label = data["score"].to_numpy(), data["label"].to_numpy()
    answer = score >= 0.5
    truth = {
        "accuracy": accuracy_score(label, answer),
        "f1": f1_score(label, answer),
        "roc_auc": roc_auc_score(label, score),
    }
    light = tg.Profile.empty(REFERENCE, accumulators="light")
    light.update(data.drop_columns(["label"]))
    plain = tg.performance(light, REFERENCE)  # whose profiles have no leaves
    assert not any("segments" in each for each in plain.assumptions)
    for name, value in truth.items():
        found = told.measurement(name, "estimated")
        assert found.value == pytest.approx(value, abs=0.015)
        if shop != 0.3:
            assert abs(found.value - value) < abs(plain.value(name, "estimated") - value) / 2  # type: ignore[operator]


def test_the_interval_holds_the_truth_of_the_very_same_rows():
    within = []
    for seed in range(60):
        data = scored(2_000, 100 + seed, 0.5)
        found = estimates_of(data.drop_columns(["label"])).measurement("accuracy", "estimated")
        answer = data["score"].to_numpy() >= 0.5
        assert found.low is not None
        assert found.high is not None
        within.append(found.low <= accuracy_score(data["label"].to_numpy(), answer) <= found.high)
    assert np.mean(within) > 0.85


def test_it_is_what_counts_by_leaf_of_raw_rows_give():
    leaves = REFERENCE.profile._core.leaves
    assert leaves is not None

    def by_leaf(data: pa.Table, *, labels: bool) -> list:
        (batch,) = batches(data)
        leaf, score = leaves.leaf_of(batch), data["score"].to_numpy()
        label = data["label"].to_numpy() if labels else np.full(len(data), np.nan)
        return [
            count_binary(score[leaf == k], label[leaf == k], leaves.edges) for k in range(leaves.n_leaves)
        ]

    data = scored(3_000, 3)
    fitted = fit_leaf_calibrator(by_leaf(scored(20_000, 1), labels=True))
    expected = estimate(by_leaf(data, labels=False), fitted, 0.5)
    told = estimates_of(data.drop_columns(["label"]))
    for name in ("accuracy", "precision", "recall", "f1", "roc_auc", "average_precision", "brier_score"):
        if name in expected:
            assert told.value(name, "estimated") == pytest.approx(expected[name].value, rel=1e-12)


def test_it_says_on_what_it_rests_and_where_that_is_little():
    usual = estimates_of(scored(3_000, 4))
    (words,) = (each for each in usual.assumptions if "segments" in each)
    assert words.startswith("score: estimates by ")
    assert "channel" in words
    assert "ten times" not in words
    rare = tg.Reference.fit(scored(20_000, 5, 0.06), schema=SCHEMA)
    assert rare.profile._core.leaves is not None
    told = estimates_of(scored(3_000, 6, 0.9).drop_columns(["label"]), rare)
    (words,) = (each for each in told.assumptions if "segments" in each)
    assert "over ten times as frequent" in words
    assert json.dumps(told.to_dict())


def test_errors_of_estimates_are_those_of_the_estimates_that_are_told():
    data = scored(3_000, 7, 0.7)
    told = estimates_of(data)
    for name in ("accuracy", "f1", "roc_auc"):
        error = told.errors[name]
        assert error.estimated == pytest.approx(told.value(name, "estimated"), rel=1e-9)
        assert error.realised == pytest.approx(told.value(name, "realised"), abs=5e-3)


def test_labels_that_came_late_leave_the_estimate_as_it_was():
    data = scored(2_000, 8, 0.7)
    profile = tg.profile(data.drop_columns(["label"]), REFERENCE)
    before = tg.performance(profile, REFERENCE)
    core = profile._core
    outcomes = [type(each).from_bytes(each.to_bytes()) for each in core.outcomes]
    given, withdrawn = ([each.copy() for each in outcomes] for _ in range(2))
    for each in (*given, *withdrawn):
        each.subtract(each.copy())
    for batch in batches(data):
        given[0].update(batch)
    profile.merge(tg.Profile(tg._core.Profile.of_labels(given, withdrawn)))
    after = tg.performance(profile, REFERENCE)
    assert after.n_labelled == 2_000
    assert after.value("accuracy", "estimated") == before.value("accuracy", "estimated")
    # Of late labels the leaf is not known: the error is that of one calibrator for all.
    assert after.errors["accuracy"].estimated != pytest.approx(before.value("accuracy", "estimated"))


# A predicted number.


def predicted(n: int, seed: int, far: float = 0.3) -> pa.Table:
    """Rows of two routes; on the far one errors are four times as large, and above 0."""
    draw = np.random.default_rng(seed)
    is_far = draw.random(n) < far
    label = draw.normal(20, 5, n)
    error = np.where(is_far, draw.normal(1, 4, n), draw.normal(0, 1, n))
    return pa.table(
        {
            "route": np.where(is_far, "far", "near"),
            "weight": draw.normal(size=n),
            "prediction": label + error,
            "label": label,
        }
    )


NUMBERS = tg.Schema.infer(predicted(10, 1), prediction="prediction", label="label")
BY_NUMBER = tg.Reference.fit(predicted(20_000, 1), schema=NUMBERS)


@pytest.mark.parametrize("far", [0.05, 0.3, 0.9])
def test_errors_are_estimated_from_the_mix_of_segments(far):
    data = predicted(20_000, 2, far)
    told = tg.performance(tg.profile(data.drop_columns(["label"]), BY_NUMBER), BY_NUMBER)
    truth = tg.performance(tg.profile(data, BY_NUMBER), BY_NUMBER)
    prediction, label = data["prediction"].to_numpy(), data["label"].to_numpy()
    mae = told.measurement("mean_absolute_error", "estimated")
    assert mae.value == pytest.approx(mean_absolute_error(label, prediction), rel=0.05)
    for name in ("bias", "mean_absolute_error", "mean_squared_error", "root_mean_squared_error"):
        found = told.measurement(name, "estimated")
        assert found.value == pytest.approx(truth.value(name), rel=0.08, abs=0.05)
        assert found.kind == "estimated"
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.value < found.high
    assert any("how far its predictions were off" in each for each in told.assumptions)
    assert told.status == ("alert" if far == 0.9 else told.status)


def test_intervals_of_estimated_errors_hold_the_truth_of_the_very_same_rows():
    within = []
    for seed in range(80):
        data = predicted(1_000, 50 + seed, 0.5)
        told = tg.performance(tg.profile(data.drop_columns(["label"]), BY_NUMBER), BY_NUMBER)
        found = told.measurement("mean_absolute_error", "estimated")
        truth = mean_absolute_error(data["label"].to_numpy(), data["prediction"].to_numpy())
        assert found.low is not None
        assert found.high is not None
        within.append(found.low <= truth <= found.high)
    assert 0.88 <= np.mean(within) <= 1.0


def test_estimated_errors_by_hand():
    draw = np.random.default_rng(3)
    leaf, error = draw.integers(0, 3, 500), draw.normal(size=500) * 2
    sums = sum_errors(error, leaf, 4)
    rows = np.array([10.0, 0.0, 30.0, 0.0])
    found = estimate_errors(rows, sums)
    shares = rows / 40
    for name, values in (
        ("bias", error),
        ("mean_absolute_error", np.abs(error)),
        ("mean_squared_error", error**2),
    ):
        means = [values[leaf == k].mean() if (leaf == k).any() else 0.0 for k in range(4)]
        variances = [values[leaf == k].var() if (leaf == k).any() else 0.0 for k in range(4)]
        counts = np.maximum(np.bincount(leaf, minlength=4), 1)
        assert found[name].value == pytest.approx(shares @ means)
        expected = np.sqrt(shares @ variances / 40 + shares**2 @ (variances / counts))
        assert found[name].standard_error == pytest.approx(expected)
    assert found["root_mean_squared_error"].value == pytest.approx(
        np.sqrt(found["mean_squared_error"].value or 0.0)
    )
    for nothing in (np.zeros(4), np.array([1.0, 0.0, 0.0, 2.0])):  # no rows; rows of which nothing is known
        assert {each.value for each in estimate_errors(nothing, sums).values()} == {None}


def test_errors_alike_everywhere_leave_no_estimate():
    draw = np.random.default_rng(4)
    data = predicted(8_000, 5).set_column(2, "prediction", pa.array(draw.normal(size=8_000)))
    data = data.set_column(3, "label", pa.array(data["prediction"].to_numpy() + draw.normal(size=8_000)))
    made = tg.Reference.fit(data, schema=NUMBERS)
    assert made.leaf_errors is None
    told = tg.performance(tg.profile(data, made), made)
    assert {each.kind for each in told.measurements} == {"realised"}


def test_a_reference_keeps_errors_by_leaf_and_refuses_what_are_none():
    again = tg.Reference.from_bytes(BY_NUMBER.to_bytes())
    assert again == BY_NUMBER
    assert again.leaf_errors == BY_NUMBER.leaf_errors
    errors = BY_NUMBER.leaf_errors
    assert errors is not None
    n = len(errors.rows)
    for wrong, why in (
        (replace(errors, rows=errors.rows[1:]), "not one for each leaf"),
        (replace(errors, squares=(-1.0,) * n), "that no rows have"),
        (LeafErrors((), (), (), (), ()), "not one for each leaf"),
    ):
        made = tg.Reference(BY_NUMBER.profile, BY_NUMBER.schema, leaf_errors=wrong)
        with pytest.raises(DecodeError, match=why):
            tg.Reference.from_bytes(made.to_bytes())
    kept = tg.Reference.fit(predicted(3_000, 6), schema=NUMBERS, edges=BY_NUMBER)
    assert kept.leaf_errors is not None  # of its own rows, by the older tree
    assert kept.leaf_errors != errors
    assert kept.profile._core.leaves.id == BY_NUMBER.profile._core.leaves.id


@pytest.mark.parametrize("reference", [REFERENCE, BY_NUMBER], ids=["score", "number"])
@pytest.mark.parametrize("n", [0, 1, 150])
def test_few_rows_are_an_answer(reference, n):
    data = scored(n, 9) if reference is REFERENCE else predicted(n, 9)
    for rows in (data, data.drop_columns(["label"])):
        profile = tg.Profile.empty(reference)
        profile.update(rows)
        told = tg.performance(profile, reference)
        json.dumps(told.to_dict(), allow_nan=False)
        assert told.status in {"insufficient", "immature", "ok"}
        repr(told)
        for each in told.measurements:
            assert each.value is not None or each.status in {"undefined", "immature", "insufficient"}


def test_windows_and_a_scan_are_estimated_by_segments():
    data = scored(24_000, 10)
    hours = np.datetime64("2026-01-05", "us") + np.arange(24_000) * np.timedelta64(3_600, "s") // 250
    data = data.append_column("time", pa.array(hours.astype("M8[us]")))
    schema = tg.Schema.infer(data, score="score", label="label", positive=1, timestamp="time")
    reference = tg.Reference.fit(data, schema=schema, window="1h")
    moved = scored(2_000, 11, 0.9)
    later = np.datetime64("2026-03-02", "us") + np.arange(2_000) * np.timedelta64(3_600, "s") // 250
    moved = moved.append_column("time", pa.array(later.astype("M8[us]"))).drop_columns(["label"])
    windows = tg.profile_windows(moved, reference, window="1h")
    scanned = tg.performance_scan(windows, reference)
    for each in scanned.performances:
        assert any("segments" in words for words in each.assumptions)
        assert each.value("accuracy", "estimated") == pytest.approx(0.5, abs=0.12)


def scored_with_gaps(n: int, seed: int, *, infinite: bool = False) -> pa.Table:
    """A score that means something else where `x` is missing, and nothing that its value tells."""
    rng = np.random.default_rng(seed)
    score, missing = rng.random(n), rng.random(n) < 0.5
    label = rng.random(n) < np.clip(score + np.where(missing, 0.25, -0.25), 0, 1)
    x = rng.normal(size=n)
    if infinite:
        x[rng.random(n) < 0.02] = np.inf
    return pa.table({"s": score, "x": pa.array(x, mask=missing), "y": label.astype(np.int8)})


@pytest.mark.parametrize("infinite", [False, True])
def test_a_tree_may_ask_of_a_number_only_whether_it_is_there(infinite: bool) -> None:
    rows = scored_with_gaps(8_000, 0, infinite=infinite)
    reference = tg.Reference.fit(rows, schema=tg.Schema.infer(rows, score="s", label="y", positive=1))
    leaves = reference.profile._core.leaves
    assert leaves is not None
    assert [each.name for each in leaves.columns] == ["x"]
    (batch,) = tg.arrow.batches(rows)
    missing = np.asarray(rows["x"].is_null())
    of_leaf = leaves.leaf_of(batch)
    assert {len(set(of_leaf[missing])), len(set(of_leaf[~missing]))} == {1}


def test_what_a_refit_keeps_of_a_tree() -> None:
    rows = scored_with_gaps(8_000, 0)
    schema = tg.Schema.infer(rows, score="s", label="y", positive=1)
    old = tg.Reference.fit(rows, schema=schema)
    assert tg.Reference.fit(rows, schema=schema, edges=old).profile._core.leaves.n_leaves == 2
    light = tg.Reference.fit(rows, schema=schema, edges=old, accumulators="light")
    assert light.profile._core.leaves is None
    gone = rows.drop_columns(["x"])
    without = tg.Schema.infer(gone, score="s", label="y", positive=1)
    assert tg.Reference.fit(gone, schema=without, edges=old).profile._core.leaves is None


def test_a_refit_keeps_estimates_of_a_number() -> None:
    rng = np.random.default_rng(3)
    far, truth = rng.random(6_000) < 0.5, 5 * rng.normal(size=6_000)
    rows = pa.table({"p": truth + rng.normal(size=6_000) * np.where(far, 5, 1), "y": truth, "far": far})
    schema = tg.Schema.infer(rows, prediction="p", label="y")
    old = tg.Reference.fit(rows, schema=schema)
    again = tg.Reference.fit(rows, schema=schema, edges=old)
    assert old.leaf_errors is not None
    assert again == old
