"""When a model is less right than its reference: thresholds, directions, too few rows, labels to come."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from tests.performance.rows import DAY, FIRST, day_of, days, fitted

import tidegauge as tg
from tidegauge.errors import InputError, MergeError


@pytest.fixture(scope="module")
def reference() -> tg.Reference:
    return fitted()


def told(rows: pa.Table, reference: tg.Reference, **options: object) -> tg.Performance:
    return tg.performance(tg.profile(rows, reference), reference, **options)  # type: ignore[arg-type]


def test_a_clean_day_is_ok_and_says_what_it_was_held_against(reference: tg.Reference) -> None:
    found = told(day_of(40, 5_000), reference)
    assert found.status == "ok"
    area = found.measurement("roc_auc")
    assert area.threshold < area.low < area.value < area.high
    assert area.reference_value == pytest.approx(
        tg.performance(reference.profile, reference).value("roc_auc")
    )
    assert (area.kind, area.column, area.direction, area.coverage) == ("realised", "p", "lower_is_worse", 1.0)
    day = 86_400 * 10**9
    start = int(FIRST.astype("M8[ns]").astype(int)) + 40 * day
    assert area.window == (start, start + day)
    assert (area.n_reference, area.n_current) == (30_000, 5_000)
    assert found.measurement("brier").threshold > found.value("brier")
    assert found.assumptions == ("windows differ as the reference's own 30 windows did",)
    assert found.notes == ()


def test_lost_labels_are_an_alert_of_the_realised_only(reference: tg.Reference) -> None:
    found = told(day_of(40, 5_000, lost=0.3), reference)
    assert found.status == "alert"
    assert found.measurement("roc_auc").status == "alert"
    assert found.measurement("brier").status == "alert"
    assert found.measurement("roc_auc").p_value < 1e-6
    assert found.measurement("roc_auc", kind="estimated").status == "ok"
    error = found.errors["roc_auc"]
    assert error.error == pytest.approx(error.estimated - error.realised)
    assert error.error > 3 * error.standard_error
    assert found.summary.startswith("alert: ")
    assert "realised" in found.summary


def test_a_model_that_is_better_is_no_alert(reference: tg.Reference) -> None:
    worse = fitted(lost=0.4)
    found = told(day_of(40, 20_000), worse, kinds=("realised",))
    assert found.value("roc_auc") > found.measurement("roc_auc").reference_value + 0.1
    assert found.status == "ok"


def test_between_value_and_interval_it_is_a_warning(reference: tg.Reference) -> None:
    seen = {}
    for lost in np.linspace(0.0, 0.2, 41):
        area = told(day_of(40, 3_000, lost=lost), reference, judged=["roc_auc"]).measurement("roc_auc")
        beyond, surely = area.value < area.threshold, area.high < area.threshold
        assert area.status == ("alert" if surely else "warning" if beyond else "ok")
        seen[area.status] = True
    assert set(seen) == {"ok", "warning", "alert"}


def test_estimates_see_scores_that_lose_their_meaning_for_lack_of_spread(reference: tg.Reference) -> None:
    # Scores around 0.5 say little: the estimate falls without any label.
    n = 5_000
    rng = np.random.default_rng(1)
    rows = pa.table(
        {
            "id": np.arange(n),
            "time": np.full(n, FIRST + 50 * DAY),
            "p": 1 / (1 + np.exp(-0.4 * rng.normal(size=n))),
        }
    )
    found = told(rows, reference)
    assert found.status == "alert"
    assert found.measurement("accuracy", kind="estimated").status == "alert"
    assert found.measurement("roc_auc").status == "immature"
    assert found.coverage == 0
    assert found.value("roc_auc") is None


def test_labels_that_come_first_are_not_judged(reference: tg.Reference) -> None:
    rows = day_of(40, 5_000, lost=0.5, labels=0.5)
    found = told(rows, reference, kinds=("realised",))
    assert found.status == "immature"
    assert found.measurement("roc_auc").value is not None
    assert {each.status for each in found.measurements} == {"immature"}
    assert "judged from 90.0% on" in found.notes[0]
    assert told(rows, reference, kinds=("realised",), mature_coverage=0.4).status == "alert"


def test_coverage_is_held_against_the_references_own() -> None:
    half = fitted(labels=0.5)
    assert told(day_of(40, 5_000, labels=0.5), half).measurement("roc_auc").status == "ok"
    assert told(day_of(40, 5_000, labels=0.4), half).measurement("roc_auc").status == "immature"


def test_too_few_rows_are_insufficient(reference: tg.Reference) -> None:
    found = told(day_of(40, 99), reference)
    assert found.status == "insufficient"
    assert any("99 labelled rows" in note and "100 are needed" in note for note in found.notes)
    rare = told(day_of(40, 2_000, shift=-7.0), reference)
    assert rare.status == "insufficient"
    assert any("of the rarer class" in note for note in rare.notes)


def test_windows_that_differ_move_the_threshold() -> None:
    """A reference whose days differ by themselves lets a day be worse before it is an alarm."""
    calm = fitted()
    draw = np.random.default_rng(3).uniform(0.0, 0.3, 30)
    rows = pa.concat_tables([day_of(day, 1_000, lost=draw[day]) for day in range(30)])
    schema = tg.Schema.infer(rows, score="p", label="y", positive=1, id="id", timestamp="time")
    restless = tg.Reference.fit(rows, schema=schema, window="1d")
    now = day_of(40, 5_000)
    for name in ("roc_auc", "accuracy"):
        a, b = (told(now, each).measurement(name) for each in (calm, restless))
        assert b.reference_value - b.threshold > 1.5 * (a.reference_value - a.threshold)
    bad = day_of(40, 1_000, lost=0.25)
    assert told(bad, restless).measurement("roc_auc").status == "ok"


def test_no_number_of_rows_makes_a_trifle_matter() -> None:
    reference = fitted(20, n=20_000, window=None)
    n = 1_000_000
    found = told(day_of(40, n, lost=0.02), reference)
    assert found.value("roc_auc") < found.measurement("roc_auc").reference_value
    assert found.status == "ok"
    assert found.measurement("roc_auc").threshold == pytest.approx(
        found.measurement("roc_auc").reference_value - 0.01
    )
    assert found.assumptions[0].startswith("rows are taken as independent")
    strict = told(day_of(40, n, lost=0.02), reference, tolerance=0.0)
    assert strict.status == "alert"


def test_a_window_of_the_reference_is_not_held_against_itself(reference: tg.Reference) -> None:
    found = told(day_of(3), reference, window=(FIRST.item() + 3 * DAY.item(), FIRST.item() + 4 * DAY.item()))
    assert found.assumptions == ("windows differ as the reference's own 29 windows did",)


def test_a_light_profile_is_held_against_the_same_coarse_cells(reference: tg.Reference) -> None:
    rows = day_of(40, 5_000)
    full = told(rows, reference)
    light = tg.performance(tg.profile(rows, reference, accumulators="light"), reference)
    assert light.status == full.status == "ok"
    for each in light.measurements:
        other = full.measurement(each.name, each.kind)
        assert each.value == pytest.approx(other.value, abs=max(5e-3, each.bound or 0.0)), each.name


def test_metrics_of_merged_profiles_are_those_of_all_rows(reference: tg.Reference) -> None:
    parts = [tg.profile(day_of(day), reference) for day in range(40, 44)]
    whole = tg.performance(tg.merge(parts), reference)
    assert whole.to_dict() == told(days(40, 44), reference).to_dict()
    assert tg.performance(tg.merge(parts[::-1]), reference).to_dict() == whole.to_dict()


def test_a_reference_tells_the_same_after_it_was_saved(reference: tg.Reference) -> None:
    again = tg.Reference.from_bytes(reference.to_bytes())
    assert again == reference
    rows = day_of(40, 2_000)
    assert told(rows, again).to_dict() == told(rows, reference).to_dict()
    assert [each.values.keys() for each in again.windows.metrics] == [
        each.values.keys() for each in reference.windows.metrics
    ]


def test_a_reference_from_before_it_kept_metrics_of_windows_is_read(reference: tg.Reference) -> None:
    bare = replace(reference.windows, metrics=())
    written = tg.Reference(reference.profile, reference.schema, bare, reference.segments).to_bytes()
    assert b'"metrics"' not in written
    old = tg.Reference.from_bytes(written)
    found = told(day_of(40, 5_000, lost=0.4), old)
    assert found.status == "alert"
    assert found.assumptions[0].startswith("rows are taken as independent")


def test_it_is_told_as_json_arrow_and_text(reference: tg.Reference) -> None:
    found = told(day_of(40, 2_000), reference)
    whole = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert whole["measurements"][0]["name"] == "roc_auc"
    table = pa.table(found)
    assert table.num_rows == len(found.measurements)
    assert table.schema.field("coverage").type == pa.float64()
    assert set(table["kind"].to_pylist()) == {"realised", "estimated"}
    assert "roc_auc" in repr(found)
    assert "<table" in found._repr_html_()


def test_only_what_is_asked_for_is_judged(reference: tg.Reference) -> None:
    found = told(day_of(40, 5_000, lost=0.3), reference, judged=["recall"], kinds=("realised",))
    assert [each.name for each in found.measurements if each.threshold is not None] == ["recall"]
    with pytest.raises(InputError, match="no metric 'auc' can be judged here; there are accuracy"):
        told(day_of(40), reference, judged=["auc"])
    with pytest.raises(InputError, match="list of names"):
        told(day_of(40), reference, judged="auc")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"budget": 0.0}, "budget is 0.0"),
        ({"budget": float("nan")}, "budget is nan"),
        ({"tolerance": -0.1}, "tolerance is -0.1"),
        ({"mature_coverage": 1.5}, "mature_coverage is 1.5"),
        ({"kinds": ("true",)}, "kinds is"),
        ({"kinds": "realised"}, "kinds is"),
        ({"kinds": ()}, "kinds is"),
        ({"worth": [[1, 2]]}, "worth is"),
        ({"worth": [[1, 2], [3, float("nan")]]}, "worth is"),
        ({"worth": 7}, "worth is"),
    ],
)
def test_settings_out_of_range_are_refused(reference: tg.Reference, options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        told(day_of(40), reference, **options)


def test_a_name_that_is_not_there_says_which_are(reference: tg.Reference) -> None:
    found = told(day_of(40), reference)
    with pytest.raises(KeyError, match="there are accuracy"):
        found.value("auc")
    with pytest.raises(KeyError, match="estimated metric 'brier'"):
        found.value("brier", kind="estimated")
    with pytest.raises(KeyError, match="macro_recall"):
        found.value("recall", average="macro")


def test_another_references_profile_is_refused(reference: tg.Reference) -> None:
    rows = days(0, 5, seed=9)
    schema = tg.Schema.infer(rows, score="p", label="y", positive=1, id="id", timestamp="time")
    other = tg.Reference.fit(rows, schema=schema)
    with pytest.raises(MergeError, match="make the profile with this reference"):
        tg.performance(tg.profile(day_of(40), other), reference)


def test_an_estimate_that_labels_refute_is_no_alarm(reference: tg.Reference) -> None:
    """Scores that moved while labels did not: without labels that is a loss, with labels it is none."""
    day = day_of(40, 5_000)
    at = day.column_names.index("p")
    squeezed = day.set_column(at, "p", pa.array(0.5 + (day["p"].to_numpy() - 0.5) * 0.2))
    labelled = told(squeezed, reference, judged=["roc_auc"])
    assert labelled.measurement("roc_auc", kind="estimated").status in {"warning", "alert"}
    assert labelled.measurement("roc_auc").status == "ok"
    assert labelled.status == "ok"
    assert labelled.summary.startswith("ok: ")
    without = told(squeezed.drop_columns(["y"]), reference, judged=["roc_auc"])
    assert without.status == without.measurement("roc_auc", kind="estimated").status
