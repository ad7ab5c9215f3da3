"""Windows whose labels are still coming are held against the reference as it was at that age."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.performance.rows import FIRST, day_of, days

import tidegauge as tg
from tidegauge import _core
from tidegauge.errors import DecodeError, SchemaError
from tidegauge.label_ages import AGES_NS, AgeCounter, known_by
from tidegauge.window import DAY, HOUR

BINARY = _core.BinaryOutcomes("p", "y", np.array([0.25, 0.5]), positive=1.0)


def with_ages(rows: pa.Table, seed: int = 0) -> pa.Table:
    """Fraud is told within days, its absence after two months, but where somebody looked."""
    rng = np.random.default_rng(seed)
    soon = pc.equal(rows["y"], 1).to_numpy(zero_copy_only=False) | (rng.random(rows.num_rows) < 0.2)
    age = np.where(soon, rng.exponential(3.0, len(soon)), 60.0 + rng.random(len(soon)))
    at = rows["time"].to_numpy() + (age * 86_400e6).astype("m8[us]")
    return rows.append_column("told", pa.array(at))


def known_at(rows: pa.Table, age_ns: int) -> pa.Table:
    """The rows with the labels that had come by an age."""
    age = (rows["told"].to_numpy() - rows["time"].to_numpy()).astype("m8[ns]").astype(np.int64)
    place = rows.column_names.index("y")
    return rows.set_column(place, "y", pc.if_else(pa.array(age <= age_ns), rows["y"], None))


@pytest.fixture(scope="module")
def reference() -> tg.Reference:
    rows = with_ages(days(0, 30, n=2_000))
    schema = tg.Schema.infer(rows, score="p", label="y", positive=1, timestamp="time", labelled_at="told")
    return tg.Reference.fit(rows, schema=schema, window="1d")


def after(day: int, n_days: float) -> int:
    end = (FIRST + np.timedelta64(day + 1, "D")).astype("M8[ns]").astype(np.int64)
    return int(end + n_days * DAY)


def test_each_age_has_the_labels_that_had_come(reference: tg.Reference) -> None:
    """Oracle: the rows counted anew, with the later labels taken out."""
    rows = with_ages(days(0, 30, n=2_000))
    n_known = [len(known_at(rows, age)["y"].drop_null()) for age in (0, *AGES_NS)]
    grown = [age for age, some, before in zip(AGES_NS, n_known[1:], n_known, strict=False) if some > before]
    assert [each.age_ns for each in reference.label_ages] == grown
    assert n_known[-1] == rows.num_rows
    for each in reference.label_ages:
        (counts,) = each.outcomes
        plain = _core.BinaryOutcomes("p", "y", counts.edges, positive=1.0, negative=0.0)  # type: ignore[union-attr]
        for batch in tg.arrow.batches(known_at(rows, each.age_ns)):
            plain.update(batch)
        assert counts.to_bytes() == plain.to_bytes()


def test_a_reference_keeps_its_ages(reference: tg.Reference) -> None:
    again = tg.Reference.from_bytes(reference.to_bytes())
    assert again == reference
    assert [each.age_ns for each in again.label_ages] == [each.age_ns for each in reference.label_ages]
    fewer = reference.profile._core.to_bytes(with_edges=True, note="")
    assert len(fewer) < len(reference.to_bytes())


def test_a_week_old_window_is_judged_by_a_week_old_reference(reference: tg.Reference) -> None:
    rows = known_at(with_ages(day_of(40, 5_000), 1), 7 * DAY)
    profile = tg.profile(rows, reference)
    alone = tg.performance(profile, reference)
    assert alone.measurement("roc_auc").status == "immature"
    assert alone.measurement("roc_auc").label_age is None
    found = tg.performance(profile, reference, now_ns=after(40, 7))
    assert found.measurement("recall").status == "ok"
    assert found.measurement("recall").label_age == 7 * 86_400.0
    assert found.measurement("recall", kind="estimated").label_age is None
    assert "after 7 days" in found.assumptions[1]
    assert found.status == "ok"


def test_a_loss_is_seen_before_most_labels_have_come(reference: tg.Reference) -> None:
    """Of frauds that were told within a week, fewer have a high score than of the reference's."""
    lost = day_of(40, 20_000, lost=0.5)
    rows = known_at(with_ages(lost, 1), 7 * DAY)
    found = tg.performance(tg.profile(rows, reference), reference, now_ns=after(40, 7), kinds=("realised",))
    assert found.measurement("recall").status == "alert"
    clean = known_at(with_ages(day_of(40, 20_000), 1), 7 * DAY)
    found = tg.performance(tg.profile(clean, reference), reference, now_ns=after(40, 7), kinds=("realised",))
    assert found.measurement("recall").status == "ok"


def test_an_old_window_is_held_against_all_labels(reference: tg.Reference) -> None:
    profile = tg.profile(day_of(40, 5_000), reference)
    late = tg.performance(profile, reference, now_ns=after(40, 365))
    plain = tg.performance(profile, reference)
    assert late.value("roc_auc") == plain.value("roc_auc")
    assert late.measurement("roc_auc").reference_value == plain.measurement("roc_auc").reference_value
    scanned = tg.performance_scan([profile], reference, now_ns=after(40, 365))
    assert scanned.performances[0].measurement("roc_auc").label_age == 365 * 86_400.0


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1),
            st.sampled_from([0, 1, None]),
            st.one_of(st.none(), st.integers(0, 400 * DAY)),
            st.one_of(st.none(), st.integers(-DAY, 400 * DAY)),
        ),
        max_size=30,
    ),
    st.integers(0, 30),
)
@settings(deadline=None)
def test_however_rows_come_their_ages_are_the_same(
    rows: list[tuple[float, int | None, int | None, int | None]], cut: int
) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    types = (pa.float64(), pa.int64(), pa.timestamp("ns"), pa.timestamp("ns"))
    arrays = [pa.array(each, kind) for each, kind in zip(columns, types, strict=True)]
    table = pa.table(arrays, names=["p", "y", "time", "told"])
    told = []
    for parts in ([table], [table.slice(0, cut), table.slice(cut)]):
        counter = AgeCounter([BINARY], "time", "told")
        for part in parts:
            for batch in tg.arrow.batches(part):
                counter.update(batch)
        ages = counter.ages()
        told.append([(each.age_ns, [counts.to_bytes() for counts in each.outcomes]) for each in ages])
        assert all(each.outcomes[0].n_rows == len(rows) for each in ages)
    assert told[0] == told[1]


def test_the_age_that_is_looked_up_is_the_last_one_reached(reference: tg.Reference) -> None:
    ages = reference.label_ages
    assert known_by((), DAY) is None
    assert known_by(ages, 0) is ages[0]
    assert known_by(ages, 4 * DAY).age_ns == 3 * DAY  # type: ignore[union-attr]
    assert known_by(ages, 179 * DAY) is ages[-1]
    assert known_by(ages, 180 * DAY) is None
    assert ages[0].age_ns == HOUR


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda ages: ages | {"7": ["!"]}, "cannot be read"),
        (lambda ages: ages | {"x": next(iter(ages.values()))}, "cannot be read"),
        (lambda ages: ages | {"1": []}, "cannot be read"),
        (lambda ages: {"9": [base64.b64encode(BINARY.to_bytes()).decode()]}, "in other cells"),
        (lambda ages: dict(reversed(ages.items())), "out of order"),
    ],
)
def test_a_damaged_note_is_refused(
    reference: tg.Reference, change: Callable[[dict[str, list[str]]], dict[str, list[str]]], why: str
) -> None:
    core, note = _core.Profile.from_bytes(reference.to_bytes())
    found = json.loads(note)
    found["label_ages"] = change(found["label_ages"])
    with pytest.raises(DecodeError, match=why):
        tg.Reference.from_bytes(core.to_bytes(with_edges=True, note=json.dumps(found)))


def test_times_are_asked_for_in_words() -> None:
    rows = with_ages(day_of(0, 300))
    columns = {"score": "p", "label": "y", "positive": 1}
    with pytest.raises(SchemaError, match="pass timestamp="):
        tg.Reference.fit(rows, schema=tg.Schema.infer(rows, labelled_at="told", **columns))
    with pytest.raises(SchemaError, match="a labelled_at is time"):
        tg.Schema.infer(rows, labelled_at="id", timestamp="time", **columns)


def test_labels_without_an_age_are_known_in_the_end(reference: tg.Reference) -> None:
    """Chargebacks have a date, their absence has none: an old window is held against both."""
    rows = with_ages(days(0, 20, n=1_000))
    dated = pc.if_else(pc.equal(rows["y"], 1), rows["told"], None)
    rows = rows.set_column(rows.column_names.index("told"), "told", dated)
    schema = tg.Schema.infer(rows, score="p", label="y", positive=1, timestamp="time", labelled_at="told")
    fitted = tg.Reference.fit(rows, schema=schema, window="1d")
    profile = tg.profile(day_of(40, 5_000), fitted)
    found = tg.performance(profile, fitted, now_ns=after(40, 200))
    assert found.measurement("roc_auc").status == "ok"
    assert found.measurement("roc_auc").reference_value is not None
