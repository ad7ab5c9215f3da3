"""Hotel bookings, scored before it is known who cancels: the estimate beside what turned out."""

from __future__ import annotations

from pathlib import Path

import pytest

import tidegauge as tg
from tidegauge.segment_profiles import segment_parts

DATA = Path(__file__).parents[2].parent / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not (DATA / "hotel_reference.parquet").exists(), reason=f"{DATA} does not hold the hotel data"
)


@pytest.fixture(scope="module")
def reference() -> tg.Reference:
    path = DATA / "hotel_reference.parquet"
    schema = tg.Schema.infer(
        path,
        score="y_pred_proba",
        prediction="y_pred",
        label="is_canceled",
        positive=1,
        id="customer_id",
        timestamp="timestamp",
    )
    return tg.Reference.fit(path, schema=schema, window="7d")


@pytest.fixture(scope="module")
def labelled():
    import pyarrow.parquet as pq

    rows, labels = (pq.read_table(DATA / f"hotel_{name}.parquet") for name in ("production", "labels"))
    return rows.join(labels, "customer_id")


def test_the_estimate_is_there_before_any_label_and_near_what_turns_out(
    reference: tg.Reference, labelled
) -> None:
    before = tg.performance(tg.profile(DATA / "hotel_production.parquet", reference), reference)
    assert (before.n_rows, before.coverage) == (14_671, 0.0)
    after = tg.performance(tg.profile(labelled, reference), reference)
    assert after.coverage == 1.0
    # Measured: accuracy .7700 for .7707, recall .643 for .642, ROC AUC .796 for .776, precision .089 for
    # .097.
    for name, most in (("accuracy", 0.002), ("recall", 0.01), ("roc_auc", 0.025), ("precision", 0.01)):
        told, truth = before.value(name, kind="estimated"), after.value(name)
        assert told == after.value(name, kind="estimated")
        assert abs(told - truth) < most, name
        assert after.errors[name].error == pytest.approx(told - truth, abs=2e-4)
    # The model is right less often than on its test set, and that was said without a label.
    assert before.measurement("accuracy", kind="estimated").status in {"warning", "alert"}
    assert before.value("accuracy", kind="estimated") < after.measurement("accuracy").reference_value - 0.05
    assert before.measurement("roc_auc").status == "immature"


def test_given_answers_and_the_score_at_its_threshold_agree(reference: tg.Reference, labelled) -> None:
    found = tg.performance(tg.profile(labelled, reference), reference)
    for name in ("accuracy", "precision", "recall", "f1", "matthews_correlation"):
        assert found.value(name, column="y_pred") == pytest.approx(found.value(name, column="y_pred_proba"))
    assert [each.column for each in found.confusion] == ["y_pred_proba", "y_pred"]
    assert (found.confusion[0].rows == found.confusion[1].rows).all()


def test_its_weeks_say_since_when_it_errs_more(reference: tg.Reference, labelled) -> None:
    windows = tg.profile_windows(labelled, reference, window="7d")
    found = tg.performance_scan(windows, reference)
    assert len(found.performances) == 23
    assert found.status == "alert"
    assert found.alarms[0].name == "error_rate"
    assert found.alarms[0].value > 0.25 > found.alarms[0].reference_value
    assert str(found.since).startswith("2016-11")


def test_why_it_errs_more_is_told_with_its_segments(reference: tg.Reference, labelled) -> None:
    """What docs/design/0026 quotes."""
    by = ["hotel", "market_segment", "country", ("hotel", "market_segment")]
    path = DATA / "hotel_reference.parquet"
    segmented = tg.Reference.fit(path, schema=reference.schema, edges=reference, window="7d", segments=by)
    parts = tg.profile_segments(labelled, segmented, by)
    found = tg.performance(tg.profile(labelled, segmented), segmented, segments=parts)
    assert found.value("accuracy") == pytest.approx(0.7707, abs=5e-5)
    shift = found.shift_of("accuracy")
    assert shift.inputs == pytest.approx(-0.061, abs=5e-4)
    assert shift.inputs_interval == pytest.approx((-0.069, -0.053), abs=5e-4)
    assert shift.concept_interval == pytest.approx((-0.003, 0.005), abs=5e-4)
    area = found.shift_of("roc_auc")
    assert (area.inputs, area.concept) == pytest.approx((-0.020, -0.020), abs=5e-4)
    shares = {each.by: each.share for each in found.columns("accuracy")}
    assert shares["country",] == pytest.approx(0.55, abs=5e-3)
    assert shares["market_segment",] == pytest.approx(0.255, abs=5e-3)
    assert "country=PRT -0.0271 by rate" in found.summary
    for change in found.causes:
        if change.decomposes:
            assert sum(each.part for each in change.segments) == pytest.approx(change.change, abs=1e-12)


def test_its_worst_slices_were_so_before(reference: tg.Reference, labelled) -> None:
    by = ["hotel", "market_segment", ("hotel", "market_segment")]
    path = DATA / "hotel_reference.parquet"
    segmented = tg.Reference.fit(path, schema=reference.schema, edges=reference, segments=by)
    found = tg.find_slices(segment_parts(labelled, segmented, by, 2), segmented)
    assert found.confirmed
    for each in found.confirmed:
        assert each.gap_interval[0] > 0
        assert each.reference_gap is not None
    one_set = tg.find_slices(tg.profile_segments(labelled, segmented, by), segmented)
    assert {each.segment for each in found.confirmed} <= {each.segment for each in one_set.found}
    corporate = found.confirmed[0]
    assert corporate.segment == '{"market_segment":"Corporate"}'
    assert (corporate.gap, corporate.reference_gap) == pytest.approx((0.227, 0.30), abs=1e-3)
