"""No outcomes, one class, no labels, no rows, scores that are no probabilities: an answer to each."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest
from tests.performance.rows import day_of, fitted

import tidegauge as tg
from tidegauge.errors import DecodeError, InputError
from tidegauge.outcomes.windowed import WindowedNote, from_note, to_note


@pytest.fixture(scope="module")
def reference() -> tg.Reference:
    return fitted()


def sound(found: tg.Performance) -> None:
    """Nothing is NaN, what is undefined is None, and it can be shown."""
    json.dumps(found.to_dict(), allow_nan=False)
    pa.table(found)
    repr(found)
    for each in found.measurements:
        if each.value is None:
            assert each.status in {"undefined", "immature", "insufficient"}
            assert each.low is None


def rows_of(score: object, label: object) -> pa.Table:
    n = len(score)  # type: ignore[arg-type]
    time = np.full(n, np.datetime64("2026-03-01", "us"))
    return pa.table({"id": np.arange(n), "time": time, "p": score, "y": label})


def test_a_profile_without_outcomes_says_how_to_get_them(reference: tg.Reference) -> None:
    with pytest.raises(InputError, match="make it with the reference"):
        tg.performance(tg.profile(day_of(1)), reference)
    bare = tg.Reference.fit(day_of(1))
    with pytest.raises(InputError, match="names the label and a score"):
        tg.performance(tg.profile(day_of(1), bare), bare)


def test_an_empty_profile_is_an_answer(reference: tg.Reference) -> None:
    found = tg.performance(tg.Profile.empty(reference), reference)
    assert found.status == "insufficient"
    assert (found.n_rows, found.coverage) == (0, None)
    sound(found)


@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_class_leave_what_they_can_tell(reference: tg.Reference, label: int) -> None:
    score = day_of(40, 2_000)["p"]
    found = tg.performance(tg.profile(rows_of(score, np.full(2_000, label)), reference), reference)
    assert found.value("roc_auc") is None
    assert found.value("accuracy") is not None
    assert found.measurement("accuracy").status == "insufficient"
    assert any("no labelled row is" in note for note in found.notes)
    sound(found)


def test_scores_that_are_no_numbers_are_left_out(reference: tg.Reference) -> None:
    whole = day_of(40, 2_000)
    score = whole["p"].to_numpy().copy()
    score[:500], score[500:600] = np.nan, np.inf
    rows = rows_of(pa.array(score, from_pandas=False), whole["y"])
    found = tg.performance(tg.profile(rows, reference), reference)
    assert found.n_rows == 1_400
    plain = tg.performance(tg.profile(rows_of(score[600:], whole["y"].slice(600)), reference), reference)
    assert found.value("roc_auc") == plain.value("roc_auc")
    sound(found)


def test_scores_beyond_probabilities_rank_and_have_no_brier() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(size=5_000) * 3
    rows = rows_of(margin, (rng.random(5_000) < 1 / (1 + np.exp(-margin))).astype(int))
    schema = tg.Schema.infer(rows, score="p", label="y", positive=1, threshold=0.0)
    reference = tg.Reference.fit(rows, schema=schema)
    found = tg.performance(tg.profile(rows, reference), reference)
    assert found.value("brier") is None
    assert any("scores are not probabilities" in note and "brier" in note for note in found.notes)
    assert found.value("roc_auc") > 0.8
    assert found.value("accuracy", kind="estimated") == pytest.approx(found.value("accuracy"), abs=5e-3)
    assert found.reliability is None
    sound(found)


def test_a_reference_of_one_class_judges_nothing() -> None:
    rows = rows_of(np.linspace(0, 1, 3_000), np.ones(3_000, np.int64))
    reference = tg.Reference.fit(rows, schema=tg.Schema.infer(rows, score="p", label="y", positive=1))
    found = tg.performance(tg.profile(day_of(40), reference), reference)
    assert found.status == "insufficient"
    assert any("the reference: " in note for note in found.notes)
    sound(found)


def test_perfect_and_constant_scores_are_sound() -> None:
    label = np.arange(4_000) % 2
    for score in (label.astype(float), np.full(4_000, 0.5), np.full(4_000, 0.0)):
        rows = rows_of(score, label)
        reference = tg.Reference.fit(rows, schema=tg.Schema.infer(rows, score="p", label="y", positive=1))
        sound(tg.performance(tg.profile(rows, reference), reference))


def test_huge_numbers_are_undefined_not_infinite() -> None:
    rng = np.random.default_rng(2)
    label = rng.normal(size=3_000) * 1e160
    rows = pa.table({"guess": label * (1 + 0.1 * rng.normal(size=3_000)), "truth": label})
    reference = tg.Reference.fit(rows, schema=tg.Schema.infer(rows, prediction="guess", label="truth"))
    sound(tg.performance(tg.profile(rows, reference), reference))


def test_a_class_nobody_had_seen_is_told_apart() -> None:
    rng = np.random.default_rng(6)
    label = rng.choice(["a", "b", "c"], 2_000)
    rows = pa.table({"said": label, "is": label})
    reference = tg.Reference.fit(rows, schema=tg.Schema.infer(rows, prediction="said", label="is"))
    new = np.where(rng.random(2_000) < 0.1, "z", label)
    found = tg.performance(tg.profile(pa.table({"said": label, "is": new}), reference), reference)
    assert found.confusion[0].classes == ("a", "b", "c", "(other)")
    assert found.value("accuracy") == pytest.approx((new == label).mean())
    assert found.status == "alert"
    sound(found)


def test_damaged_metrics_of_windows_are_refused(reference: tg.Reference) -> None:
    good = to_note(reference.windows.metrics[0])
    n = len(reference.windows)
    assert from_note(good, n).column == "p"
    bad = [
        WindowedNote(good.column, good.names, "~~ \x00", good.values),
        WindowedNote(good.column, good.names, good.rows[:-5], good.values),
        WindowedNote(good.column, good.names[:-1], good.rows, good.values),
        WindowedNote(good.column, [good.names[0]] * len(good.names), good.rows, good.values),
        WindowedNote(good.column, good.names, good.rows, good.values[:-1]),
    ]
    for note in bad:
        with pytest.raises(DecodeError, match="reference windows: metrics of column 'p'"):
            from_note(note, n)
    with pytest.raises(DecodeError):
        from_note(good, n + 1)


def test_a_threshold_that_an_old_references_cells_lack_takes_the_nearest_edge(
    reference: tg.Reference,
) -> None:
    rows = day_of(41, 5_000)
    schema = tg.Schema.infer(rows, score="p", label="y", positive=1, threshold=0.123456)
    again = tg.Reference.fit(rows, schema=schema, edges=reference)
    found = tg.performance(tg.profile(day_of(42, 50_000), again), again)
    assert 0 < found.measurement("specificity").bound < 0.01
    assert found.value("recall", kind="estimated") == pytest.approx(found.value("recall"), abs=0.02)
    sound(found)


def test_what_cannot_be_judged_is_not_ok() -> None:
    """Told-only metrics do not make a result ok whose judged ones could not be judged."""
    rows = day_of(1, 2_000)
    schema = tg.Schema.infer(rows, score="p", label="y", positive=1)
    reference = tg.Reference.fit(rows, schema=schema)
    flat = rows.set_column(2, "p", pa.array(np.full(2_000, 0.2)))  # no answer is positive
    found = tg.performance(tg.profile(flat, reference), reference, judged=["precision"], kinds=("realised",))
    assert found.value("precision") is None
    assert found.value("gini") is not None
    assert found.status == "insufficient"


def test_the_budget_is_of_all_columns_together(reference: tg.Reference) -> None:
    rows = day_of(5, 20_000)
    both = rows.append_column("q", pa.compute.greater_equal(rows["p"], 0.5).cast("int64"))
    limits = []
    for schema in (
        tg.Schema.infer(both, score="p", label="y", positive=1),
        tg.Schema.infer(both, score="p", prediction="q", label="y", positive=1),
    ):
        fitted_on = tg.Reference.fit(both, schema=schema)
        found = tg.performance(tg.profile(both, fitted_on), fitted_on, tolerance=0.0)
        limits.append(
            (found.measurement("recall").threshold, found.measurement("recall", "estimated").threshold)
        )
    assert limits[1][0] < limits[0][0]
    assert limits[1][1] == limits[0][1]
