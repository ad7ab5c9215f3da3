"""Every metric through the public path, held to scikit-learn on raw rows: of scores, classes, numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk

import tidegauge as tg

N = 20_000


def scored(n: int, seed: int, *, weights: bool = False) -> pa.Table:
    """Scores of few digits, so that every score can be a cell of its own, and labels that follow them."""
    rng = np.random.default_rng(seed)
    score = np.round(rng.beta(2, 3, n), 2)
    columns = {"p": score, "y": (rng.random(n) < score).astype(np.int64), "x": rng.normal(size=n)}
    if weights:
        columns["w"] = rng.uniform(0.5, 1.5, n)
    return pa.table(columns)


def measured(train: pa.Table, now: pa.Table, **options: object) -> tg.Performance:
    schema = tg.Schema.infer(train, **options)  # type: ignore[arg-type]
    reference = tg.Reference.fit(train, schema=schema)
    return tg.performance(tg.profile(now, reference), reference, worth=[[0, -1], [-5, 3]], tolerance=0.5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_a_score_is_measured_as_by_scikit_learn(threshold: float, weighted: bool) -> None:
    now = scored(N, 2, weights=weighted)
    found = measured(
        scored(N, 1, weights=weighted),
        now,
        score="p",
        label="y",
        positive=1,
        threshold=threshold,
        weight="w" if weighted else None,
    )
    score, label = now["p"].to_numpy(), now["y"].to_numpy()
    weight = now["w"].to_numpy() if weighted else np.ones(N)
    answer = (score >= threshold).astype(int)
    given = {"sample_weight": weight}
    false, true, _ = sk.roc_curve(label, score, **given)
    value = np.array([[0, -1], [-5, 3]])[label, answer]
    oracle = {
        "roc_auc": sk.roc_auc_score(label, score, **given),
        "gini": 2 * sk.roc_auc_score(label, score, **given) - 1,
        "average_precision": sk.average_precision_score(label, score, **given),
        "ks": (true - false).max(),
        "log_loss": sk.log_loss(label, score, **given),
        "brier": sk.brier_score_loss(label, score, **given),
        "accuracy": sk.accuracy_score(label, answer, **given),
        "balanced_accuracy": sk.balanced_accuracy_score(label, answer, **given),
        "precision": sk.precision_score(label, answer, **given),
        "recall": sk.recall_score(label, answer, **given),
        "specificity": sk.recall_score(1 - label, 1 - answer, **given),
        "f1": sk.f1_score(label, answer, **given),
        "matthews_correlation": sk.matthews_corrcoef(label, answer, **given),
        "business_value": np.average(value, weights=weight),
    }
    for name, wanted in oracle.items():
        each = found.measurement(name)
        assert abs(each.value - wanted) <= each.bound + 1e-9, name  # a few rare scores share their cell
        assert abs(each.value - wanted) < 1e-3, name
        assert each.bound == 0 or name in {"roc_auc", "gini", "average_precision", "ks", "log_loss", "brier"}
    order = np.argsort(-score, kind="stable")
    top = np.cumsum(weight[order]) <= 0.1 * weight.sum()
    share = (weight * label)[order][top].sum() / (weight * label).sum()
    assert found.value("capture_at_0.1") == pytest.approx(share, abs=0.01)
    assert found.value("lift_at_0.1") == pytest.approx(10 * found.value("capture_at_0.1"))
    names = {each.name for each in found.measurements if each.kind == "realised"}
    assert names == {
        *oracle,
        "lift_at_0.1",
        "capture_at_0.1",
        "expected_calibration_error",
        "spiegelhalter_z",
    }
    z = ((label - score) * (1 - 2 * score) * weight).sum() / np.sqrt(
        ((1 - 2 * score) ** 2 * score * (1 - score) * weight).sum()
    )
    if not weighted:
        assert found.value("spiegelhalter_z") == pytest.approx(z, abs=1e-3)
    assert found.confusion[0].classes == ("0", "1")
    table = sk.confusion_matrix(label, answer, sample_weight=weight)
    assert np.allclose(found.confusion[0].rows / found.confusion[0].rows.sum(), table / table.sum())


def test_the_estimate_is_what_cbpe_expects_of_raw_rows() -> None:
    train, now = scored(N, 1), scored(N, 2).drop_columns(["y"])
    found = measured(train, now, score="p", label="y", positive=1)
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(train["p"].to_numpy(), train["y"].to_numpy())
    p = fitted.predict(now["p"].to_numpy())
    answer = now["p"].to_numpy() >= 0.5
    hits, total = p[answer].sum(), p.sum()
    assert found.value("accuracy", kind="estimated") == pytest.approx(
        np.where(answer, p, 1 - p).mean(), abs=1e-9
    )
    assert found.value("recall", kind="estimated") == pytest.approx(hits / total, abs=1e-9)
    assert found.value("precision", kind="estimated") == pytest.approx(hits / answer.sum(), abs=1e-9)
    order = np.argsort(now["p"].to_numpy(), kind="stable")
    labels = np.r_[np.ones(N), np.zeros(N)]
    scores = np.r_[now["p"].to_numpy()[order], now["p"].to_numpy()[order]]
    area = sk.roc_auc_score(labels, scores, sample_weight=np.r_[p[order], 1 - p[order]])
    assert found.value("roc_auc", kind="estimated") == pytest.approx(area, abs=1e-9)
    assert found.coverage == 0
    assert found.measurement("roc_auc").status == "immature"


def test_classes_are_measured_as_by_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    names = np.array(["cat", "dog", "eel", "<b>"])

    def rows(n: int) -> pa.Table:
        label = rng.choice(4, n, p=[0.5, 0.3, 0.15, 0.05])
        answer = np.where(rng.random(n) < 0.8, label, rng.integers(0, 4, n))
        return pa.table({"said": names[answer], "is": names[label]})

    now = rows(N)
    train = rows(N)
    schema = tg.Schema.infer(train, prediction="said", label="is")
    reference = tg.Reference.fit(train, schema=schema)
    found = tg.performance(tg.profile(now, reference), reference)
    label, answer = now["is"].to_pylist(), now["said"].to_pylist()
    assert found.value("accuracy") == pytest.approx(sk.accuracy_score(label, answer))
    assert found.value("kappa") == pytest.approx(sk.cohen_kappa_score(label, answer))
    assert found.value("matthews_correlation") == pytest.approx(sk.matthews_corrcoef(label, answer))
    for average in ("macro", "micro", "weighted"):
        for name, oracle in (
            ("precision", sk.precision_score),
            ("recall", sk.recall_score),
            ("f1", sk.f1_score),
        ):
            assert found.value(name, average=average) == pytest.approx(oracle(label, answer, average=average))
    for place, each in enumerate(found.confusion[0].classes):
        one = sk.precision_score(label, answer, labels=[each], average="macro")
        assert found.value("precision", label=each) == pytest.approx(one), place
        assert found.value("recall", label=each) == pytest.approx(
            sk.recall_score(label, answer, labels=[each], average="macro")
        )
    table = sk.confusion_matrix(label, answer, labels=list(found.confusion[0].classes))
    assert np.array_equal(found.confusion[0].rows, table)


def test_yes_or_no_answers_are_measured_as_such() -> None:
    rng = np.random.default_rng(4)
    label = rng.random(N) < 0.3
    answer = np.where(rng.random(N) < 0.85, label, ~label)
    rows = pa.table({"said": answer, "is": label})
    schema = tg.Schema.infer(rows, prediction="said", label="is", positive=True)
    reference = tg.Reference.fit(rows, schema=schema)
    found = tg.performance(tg.profile(rows, reference), reference)
    assert found.value("precision") == pytest.approx(sk.precision_score(label, answer))
    assert found.value("f1") == pytest.approx(sk.f1_score(label, answer))
    assert found.status == "ok"
    with pytest.raises(KeyError, match="there are accuracy"):
        found.value("kappa")


def test_numbers_are_measured_as_by_scikit_learn() -> None:
    rng = np.random.default_rng(5)

    def rows(n: int) -> pa.Table:
        label = rng.gamma(4, 2.5, n)
        guess = label + rng.normal(0.1, 1.0, n)
        return pa.table({"guess": guess, "truth": label, "low": guess - 1, "high": guess + 1.5})

    train, now = rows(N), rows(N)
    schema = tg.Schema.infer(train, prediction="guess", label="truth", lower="low", upper="high")
    reference = tg.Reference.fit(train, schema=schema)
    found = tg.performance(tg.profile(now, reference), reference)
    guess, truth = now["guess"].to_numpy(), now["truth"].to_numpy()
    loggable = guess > -1
    oracle = {
        "mean_absolute_error": sk.mean_absolute_error(truth, guess),
        "mean_squared_error": sk.mean_squared_error(truth, guess),
        "root_mean_squared_error": sk.root_mean_squared_error(truth, guess),
        "mean_absolute_percentage_error": sk.mean_absolute_percentage_error(truth, guess),
        "symmetric_absolute_percentage_error": np.mean(2 * abs(guess - truth) / (abs(guess) + abs(truth))),
        "mean_squared_log_error": sk.mean_squared_log_error(truth[loggable], guess[loggable]),
        "r2": sk.r2_score(truth, guess),
        "bias": (guess - truth).mean(),
        **{f"pinball_loss_{q}": sk.mean_pinball_loss(truth, guess, alpha=q) for q in (0.1, 0.5, 0.9)},
        "interval_coverage": ((truth >= guess - 1) & (truth <= guess + 1.5)).mean(),
        "below_interval": (truth < guess - 1).mean(),
        "above_interval": (truth > guess + 1.5).mean(),
    }
    for name, wanted in oracle.items():
        each = found.measurement(name)
        assert each.value == pytest.approx(wanted, rel=1e-9, abs=1e-12), name
        assert each.low <= each.value <= each.high, name
    assert {each.name for each in found.measurements} == {*oracle, "median_absolute_error"}
    median = found.measurement("median_absolute_error")
    assert median.value == pytest.approx(sk.median_absolute_error(truth, guess), abs=2 * median.bound)
    assert found.status == "ok"
    assert found.measurement("bias").threshold is None
    fourth = ((guess - truth) ** 4).mean()
    half = 1.96 * np.sqrt((fourth - found.value("mean_squared_error") ** 2) / N)
    error = found.measurement("mean_squared_error")
    assert (error.high - error.low) / 2 == pytest.approx(half, rel=0.15)


def test_rows_without_a_part_in_a_metric_of_numbers_are_told() -> None:
    rng = np.random.default_rng(6)
    truth = np.round(rng.normal(0, 2, 2_000))
    guess = truth + rng.normal(0, 1, 2_000)
    rows = pa.table({"guess": guess, "truth": truth})
    reference = tg.Reference.fit(rows, schema=tg.Schema.infer(rows, prediction="guess", label="truth"))
    found = tg.performance(tg.profile(rows, reference), reference)
    some, logs = truth != 0, (truth > -1) & (guess > -1)
    relative = found.value("mean_absolute_percentage_error")
    assert relative == pytest.approx(sk.mean_absolute_percentage_error(truth[some], guess[some]), rel=1e-9)
    wanted = sk.mean_squared_log_error(truth[logs], guess[logs])
    assert found.value("mean_squared_log_error") == pytest.approx(wanted, rel=1e-9)
    told = "\n".join(found.notes)
    assert f"{2_000 - some.sum()} of 2,000 labelled rows have a label of 0" in told
    assert f"{2_000 - logs.sum():,} of 2,000 labelled rows have a label or a prediction of -1 or less" in told
