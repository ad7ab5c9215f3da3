"""Scores of all classes through the public path: held to scikit-learn and to NannyML's way of estimating."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk
from sklearn.isotonic import IsotonicRegression

import tidegauge as tg
from tidegauge.errors import InputWarning, MergeError, SchemaError

NAMES = np.array(["ant", "bee", "cow", "<b>"])
COLUMNS = [f"p_{name}" for name in NAMES]
N = 20_000


def rows(n: int, seed: int, *, heat: float = 1.0, labels: float = 1.0, shift: float = 0.0) -> pa.Table:
    """Scores whose logits are `heat` times the true ones; class 3 is rare."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, 4)) + np.array([0.5 + shift, 0, -0.5, -2.5])
    truth = softmax(logits)
    label = (truth.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1)
    scores = softmax(heat * logits)
    columns = {name: scores[:, i] for i, name in enumerate(COLUMNS)}
    return pa.table(columns | {"is": pa.array(NAMES[label], mask=rng.random(n) >= labels)})


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def scores_of(table: pa.Table) -> np.ndarray:
    return np.stack([table[name].to_numpy() for name in COLUMNS], axis=1)


def fitted(table: pa.Table) -> tg.Reference:
    score = dict(zip(NAMES.tolist(), COLUMNS, strict=True))
    return tg.Reference.fit(table, schema=tg.Schema.infer(table, score=score, label="is"))


REFERENCE = fitted(rows(N, 1))


def test_they_are_measured_as_by_scikit_learn() -> None:
    now = rows(N, 2)
    found = tg.performance(tg.profile(now, REFERENCE), REFERENCE)
    scores, label = scores_of(now), np.searchsorted(np.sort(NAMES), now["is"].to_pylist())
    order = np.argsort(NAMES)  # scikit-learn wants classes in order
    scores = scores[:, order]
    one_hot = np.eye(4)[label]
    for average in ("macro", "weighted"):
        wanted = sk.roc_auc_score(label, scores, multi_class="ovr", average=average)
        each = found.measurement(f"{average}_roc_auc")
        assert each.value == pytest.approx(wanted, abs=1e-4)
        assert abs(each.value - wanted) <= each.bound + 1e-9
        assert each.low < wanted < each.high
    for i, name in enumerate(NAMES[order]):
        wanted = sk.roc_auc_score(one_hot[:, i], scores[:, i])
        each = found.measurement("roc_auc", label=str(name))
        assert each.value == pytest.approx(wanted, abs=1e-4)
        assert each.reference_value is not None
    for k in (1, 2, 3):
        wanted = sk.top_k_accuracy_score(label, scores, k=k)
        assert found.value(f"top_{k}_accuracy") == pytest.approx(wanted, abs=1e-12)
    assert found.value("log_loss") == pytest.approx(sk.log_loss(label, scores), abs=1e-9)
    brier = ((scores - one_hot) ** 2).sum(axis=1)
    assert found.value("brier") == pytest.approx(sk.brier_score_loss(label, scores), abs=1e-9)
    half = 1.96 * brier.std(ddof=1) / np.sqrt(N)
    assert found.measurement("brier").high - found.value("brier") == pytest.approx(half, rel=1e-3)
    assert {each.name for each in found.measurements if each.kind == "realised" and not each.label} == {
        *("macro_roc_auc", "weighted_roc_auc", "log_loss", "brier"),
        *(f"top_{k}_accuracy" for k in (1, 2, 3)),
    }
    assert found.status == "ok"


def test_equal_scores_are_ranked_as_by_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    scores = np.round(rng.dirichlet(np.ones(4), 4_000), 1)
    label = rng.integers(0, 4, 4_000)
    table = pa.table({name: scores[:, i] for i, name in enumerate(COLUMNS)} | {"is": NAMES[label]})
    found = tg.performance(tg.profile(table, REFERENCE), REFERENCE)
    for k in (1, 2, 3):
        wanted = sk.top_k_accuracy_score(label, scores, k=k, labels=range(4))
        assert found.value(f"top_{k}_accuracy") == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("heat", [1.0, 2.0])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_right_answers_are_estimated_without_labels(heat: float, shift: float) -> None:
    """Nearer to the truth, on overconfident scores too, than classes calibrated one by one and normalised."""
    before, now = rows(N, 4, heat=heat), rows(N, 5, heat=heat, shift=shift)
    reference = fitted(before)
    found = tg.performance(tg.profile(now.drop_columns(["is"]), reference), reference)
    each = found.measurement("top_1_accuracy", kind="estimated")
    scores, label = scores_of(now), np.array(now["is"].to_pylist())
    realised = float((NAMES[scores.argmax(axis=1)] == label).mean())
    assert each.low <= realised <= each.high
    assert each.n_current == N
    of_reference = tg.performance(REFERENCE.profile, REFERENCE)
    assert of_reference.value("top_1_accuracy", kind="estimated") == pytest.approx(
        of_reference.value("top_1_accuracy"), abs=1e-12
    )
    train, known = scores_of(before), np.array(before["is"].to_pylist())
    fits = [
        IsotonicRegression(out_of_bounds="clip").fit(train[:, i], known == name)
        for i, name in enumerate(NAMES)
    ]
    calibrated = np.stack([fit.predict(scores[:, i]) for i, fit in enumerate(fits)], axis=1)
    calibrated /= calibrated.sum(axis=1, keepdims=True)
    by_class = float(calibrated[np.arange(N), scores.argmax(axis=1)].mean())
    assert each.value == pytest.approx(by_class, abs=0.02)
    assert abs(each.value - realised) <= abs(by_class - realised) + 0.003


def test_where_being_the_highest_tells_more_than_the_score_that_is_noted() -> None:
    """Of scores that leave out what the others are: half of the answers with .5 are right, whatever it is."""
    rng = np.random.default_rng(6)
    n = 5_000
    label = rng.integers(0, 4, n)
    own = rng.uniform(0.3, 0.6, n)
    scores = np.repeat(((1 - own) / 3)[:, None], 4, axis=1)
    answer = np.where(rng.random(n) < 0.5, label, rng.integers(0, 4, n))
    scores[np.arange(n), answer] = 0.3 + 0.05 * rng.random(n)
    other = (answer + 1) % 4
    scores[np.arange(n), other] = 0.3 * rng.random(n) + 0.02
    table = pa.table({name: scores[:, i] for i, name in enumerate(COLUMNS)} | {"is": NAMES[label]})
    reference = fitted(table)
    told = tg.performance(tg.profile(table, reference), reference)
    plain = tg.performance(REFERENCE.profile, REFERENCE)
    assert any("one against the rest is off by" in note for note in told.notes)
    assert not any("one against the rest is off by" in note for note in plain.notes)


def test_estimates_are_held_against_labels_that_have_come() -> None:
    found = tg.performance(tg.profile(rows(N, 7, labels=0.3), REFERENCE), REFERENCE)
    error = found.errors["top_1_accuracy"]
    assert error.n_labelled == pytest.approx(0.3 * N, rel=0.05)
    assert abs(error.error) < 3 * error.standard_error
    assert found.measurement("top_1_accuracy").status == "immature"


def test_a_worse_model_is_alarmed_and_dated() -> None:
    bad = rows(N, 8, heat=1.0)
    label = np.array(bad["is"].to_pylist())
    wrong = np.random.default_rng(9).random(N) < 0.2
    label[wrong] = np.roll(label, 1)[wrong]
    bad = bad.set_column(4, "is", pa.array(label))
    found = tg.performance(tg.profile(bad, REFERENCE), REFERENCE)
    assert found.status == "alert"
    assert found.measurement("top_1_accuracy").status == "alert"
    scan = tg.performance_scan(
        [tg.profile(rows(2_000, 20 + i), REFERENCE) for i in range(4)]
        + [tg.profile(bad.slice(2_000 * i, 2_000), REFERENCE) for i in range(4)],
        REFERENCE,
    )
    assert [(each.name, each.since) for each in scan.alarms] == [("top_1_error_rate", 4)]


def test_a_light_profile_has_fewer_cells_and_is_judged() -> None:
    now = rows(N, 10)
    light = tg.profile(now, REFERENCE, accumulators="light")
    found, full = (tg.performance(each, REFERENCE) for each in (light, tg.profile(now, REFERENCE)))
    (counts,) = light._core.outcomes
    assert max(len(edges) for edges in counts.edges) < 20
    for name in ("top_1_accuracy", "log_loss", "brier"):
        assert found.value(name) == full.value(name)
    assert found.value("macro_roc_auc") == pytest.approx(full.value("macro_roc_auc"), abs=5e-3)
    assert found.value("top_1_accuracy", kind="estimated") == pytest.approx(
        full.value("top_1_accuracy", kind="estimated"), abs=5e-3
    )
    with pytest.raises(MergeError, match="another reference"):
        tg.performance(light, fitted(rows(2_000, 11)))


def test_scores_that_are_no_probabilities_have_no_losses() -> None:
    now = rows(2_000, 12)
    now = now.set_column(0, COLUMNS[0], pa.array(3 * now[COLUMNS[0]].to_numpy() - 1))
    found = tg.performance(tg.profile(now, REFERENCE), REFERENCE)
    assert found.value("log_loss") is None
    assert found.measurement("brier").status == "undefined"
    assert any("some scores lie outside [0, 1]" in note for note in found.notes)
    assert found.value("top_1_accuracy") is not None


def test_no_rows_and_no_labels() -> None:
    found = tg.performance(tg.Profile.empty(REFERENCE), REFERENCE)
    assert found.value("top_1_accuracy") is None
    assert found.value("top_1_accuracy", kind="estimated") is None
    assert found.value("macro_roc_auc") is None


def test_a_schema_of_scores_by_class() -> None:
    table = rows(100, 13)
    schema = tg.Schema.infer(table, score={"ant": "p_ant", "bee": "p_bee"}, label="is")
    assert schema["p_bee"].of_class == "bee"
    assert tg.Schema.from_toml(schema.to_toml()) == schema
    for score, message in [
        ({"ant": "p_ant"}, "scores of 1 classes: 2 to 253"),
        ({"ant": "p_ant", "bee": "p_ant"}, "gives two classes one column"),
        ({"ant": "p_ant", 1: "p_bee"}, "texts and numbers"),
        ({"ant": "p_ant", "bee": "p_be"}, "no column 'p_be': did you mean"),
        ({"ant": "p_ant", "bee": "is"}, "two roles, score and label"),
        ({"ant": "p_ant", float("nan"): "p_bee"}, "of_class is NaN"),
    ]:
        with pytest.raises(SchemaError, match=message):
            tg.Schema.infer(table, score=score, label="is")
    with pytest.raises(SchemaError, match="both scores of class 'bee'"):
        schema.replace("p_ant", of_class="bee")
    with pytest.raises(SchemaError, match="without a threshold"):
        tg.Schema.infer(table, score={"ant": "p_ant", "bee": "p_bee"}, label="is", threshold=0.4)
    with pytest.raises(SchemaError, match="of_class is of a score"):
        schema.replace("is", of_class="bee")
    by_model = dict(zip(np.array(["ant", "bee"]), COLUMNS[:2], strict=True))
    assert tg.Schema.infer(table, score=by_model, label="is")["p_bee"].of_class == "bee"
    counted_by = tg.Schema.infer(table, score=dict(zip(np.arange(2), COLUMNS[:2], strict=True)), label="is")
    assert type(counted_by["p_bee"].of_class) is int
    assert tg.Schema.from_toml(counted_by.to_toml()) == counted_by
    numbered = table.set_column(4, "is", pa.array(np.arange(100) % 2))
    schema = tg.Schema.infer(numbered, score={"ant": "p_ant", "bee": "p_bee"}, label="is")
    with pytest.warns(InputWarning, match="none of which is a class with a score"):
        tg.Reference.fit(numbered, schema=schema)
