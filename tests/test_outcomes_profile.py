"""Outcomes as a part of a profile: of all rows and of each segment's, through merges, stages and bytes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tidegauge as tg
from tidegauge import _core
from tidegauge.arrow import batches
from tidegauge.errors import DecodeError, InputWarning, MergeError, SchemaError
from tidegauge.outcome_specs import LIGHT_CELLS, LabelledRows, light_outcomes

RANDOM = np.random.default_rng(3)


def rows(n: int, seed: int = 1, *, labels: bool = True) -> pa.Table:
    """Scores, labels that follow them, predictions, weights and a segment, each with its gaps."""
    draw = np.random.default_rng(seed)
    score = np.round(draw.beta(2, 3, n), 3)
    label = (draw.random(n) < score).astype(np.int64)
    columns = {
        "score": pa.array(score, mask=draw.random(n) < 0.02),
        "prediction": (score > 0.5).astype(np.int64),
        "label": pa.array(label, mask=draw.random(n) < 0.1),
        "country": draw.choice(["SE", "DE", "FR"], n, p=[0.6, 0.3, 0.1]),
        "amount": draw.normal(size=n),
    }
    if not labels:
        del columns["label"]
    return pa.table(columns)


SCHEMA = tg.Schema.infer(rows(10), score="score", prediction="prediction", label="label", positive=1)
REFERENCE = tg.Reference.fit(rows(5_000), schema=SCHEMA, segments=["country"])
LATER = rows(3_000, 2)


def of(profile: tg.Profile) -> list[_core.BinaryOutcomes | _core.ConfusionOutcomes]:
    return profile._core.outcomes


def alone(data: pa.Table, like: list) -> list[bytes]:
    """The bytes of the same outcomes, counted without a profile."""
    found = []
    for each in like:
        counts = each.copy()
        counts.subtract(each)
        for batch in batches(data):
            counts.update(batch)
        found.append(counts.to_bytes())
    return found


def told(profile: tg.Profile) -> list[bytes]:
    return [each.to_bytes() for each in of(profile)]


def test_a_profile_counts_outcomes_as_they_are_counted_alone():
    profile = tg.profile(LATER, REFERENCE)
    assert {type(each).__name__ for each in of(profile)} == {"BinaryOutcomes", "ConfusionOutcomes"}
    assert told(profile) == alone(LATER, of(profile))
    without = tg.profile(LATER.drop_columns(["label"]), REFERENCE)
    for each in of(without):
        counted = each.counts()
        labelled = counted[0][:2].sum() if isinstance(each, _core.BinaryOutcomes) else counted[:, :-1].sum()
        assert (each.n_rows, labelled) == (3_000, 0)


@given(st.lists(st.integers(0, 3_000), max_size=4), st.randoms(use_true_random=False))
def test_any_split_and_any_order_of_merges_gives_the_same_outcomes(cuts, chance):
    ends = sorted({0, 3_000, *cuts})
    parts = [tg.profile(LATER.slice(a, b - a), REFERENCE) for a, b in pairwise(ends)]
    chance.shuffle(parts)
    while len(parts) > 1:
        other = parts.pop()
        parts[chance.randrange(len(parts))].merge(other)
    assert told(parts[0]) == told(tg.profile(LATER, REFERENCE))


def test_bytes_hold_them_and_need_nothing_else():
    profile = tg.profile(LATER, REFERENCE)
    read = tg.Profile.from_bytes(profile.to_bytes())
    assert read == profile
    assert told(read) == told(profile)
    copied = profile.copy()
    copied.merge(read)
    assert [each.n_rows for each in of(copied)] == [6_000, 6_000]
    assert [each.n_rows for each in of(profile)] == [3_000, 3_000]
    assert tg.Reference.from_bytes(REFERENCE.to_bytes()) == REFERENCE
    assert told(REFERENCE.profile) == alone(rows(5_000), of(REFERENCE.profile))


def test_a_side_without_outcomes_takes_none_away():
    bare = _core.Profile([column.spec for column in REFERENCE.profile._core.columns])
    for batch in batches(LATER):
        bare.update(batch, 1)
    profile = tg.profile(LATER, REFERENCE)
    before = told(profile)
    profile.merge(tg.Profile(bare))
    assert profile.n_rows == 6_000
    assert told(profile) == before
    other = tg.Profile(bare.copy())
    other.merge(tg.profile(LATER, REFERENCE))
    assert told(other) == before


def test_other_cells_are_refused_and_nothing_is_added():
    edges = _core.BinaryOutcomes("score", "label", np.array([0.5]), positive=1)
    specs = [column.spec for column in REFERENCE.profile._core.columns]
    other = tg.Profile(_core.Profile(specs, outcomes=[edges]))
    profile = tg.profile(LATER, REFERENCE)
    before = profile.to_bytes()
    with pytest.raises(MergeError, match="count both with the same reference"):
        profile.merge(other)
    assert profile.to_bytes() == before
    with pytest.raises(SchemaError, match="no column 'nowhere'"):
        _core.Profile(specs, outcomes=[_core.BinaryOutcomes("nowhere", "label", np.array([0.5]), positive=1)])
    with pytest.raises(SchemaError, match="counted twice"):
        _core.Profile(specs, outcomes=[edges, edges.copy()])
    with pytest.raises(SchemaError, match="'score' is none"):
        _core.Profile(specs, outcomes=["score"])


def segmented() -> _core.SegmentedProfile:
    held = REFERENCE.profile._core
    return _core.SegmentedProfile(
        [column.spec for column in held.columns],
        held.joint_spec,
        dimensions=[["country"], ["country", "prediction"]],
        max_segments=50,
        outcomes=held.outcomes,
        segment_outcomes=light_outcomes(held.outcomes, SCHEMA),
    )


def test_each_segment_has_the_outcomes_of_a_light_profile_of_its_rows():
    profile = segmented()
    for begin in range(0, 3_000, 701):
        for batch in batches(LATER.slice(begin, 701)):
            profile.update(batch, 1)
    parts = {(dimension, values): data for dimension, values, _, data in profile.take_changed()}
    assert parts[-1, None] == tg.profile(LATER, REFERENCE).to_bytes()
    for country in ("SE", "DE", "FR"):
        chosen = LATER.filter(pa.compute.equal(LATER["country"], country))
        light = tg.Profile.empty(REFERENCE, accumulators="light")
        light.update(chosen)
        assert parts[0, (country,)] == light.to_bytes()
        assert profile.segment(0, (country,)).to_bytes(False) == light.to_bytes()
        assert max(len(each.edges) for each in of(light) if hasattr(each, "edges")) < LIGHT_CELLS
        assert all(each.n_rows == chosen.num_rows for each in of(light))


def test_segments_of_the_reference_have_outcomes():
    for profile in REFERENCE.segments.values():
        assert [each.n_rows for each in of(profile)] == [profile.n_rows] * 2


def test_threads_lose_no_outcome():
    table = rows(400_000, 7)
    one, many = tg.profile(table, REFERENCE, threads=1), tg.profile(table, REFERENCE, threads=4)
    assert many == one
    assert told(many) == told(one)


def test_rows_of_a_stage_have_the_outcomes_of_a_batch(tmp_path):
    """A value of another type is mistyped, a field that is left out is as good as null."""
    records = [
        {"score": 0.25, "label": 1, "prediction": 0, "country": "SE", "amount": 1.0},
        {"score": "high", "label": 0, "prediction": 0, "country": "SE", "amount": 1.0},
        {"score": 0.75, "label": "yes", "prediction": 1, "country": "SE", "amount": 1.0},
        {"score": 0.75, "prediction": 1, "country": "DE", "amount": 1.0},
        {"score": None, "label": 1, "prediction": "no", "country": "DE", "amount": 1.0},
        {"score": 0.1, "label": None, "prediction": 0, "country": "DE", "amount": 1.0},
    ]
    url = f"sqlite:///{tmp_path}/staged.db"
    with tg.Monitor("m", REFERENCE, segments=["country"], archive=url) as monitor:
        for record in records:
            monitor.record(record)
    with tg.Archive(url) as archive:
        profile = archive.merged("m")
    binary = next(each for each in of(profile) if isinstance(each, _core.BinaryOutcomes))
    n_negative, n_positive, n_unlabelled = binary.counts()[0].sum(axis=1)
    assert (n_negative, n_positive, n_unlabelled) == (0, 1, 2)
    homes = binary.homes
    assert (homes["score_mistyped"], homes["score_null"], homes["label_mistyped"]) == (1, 1, 1)


WHOLE = tg.profile(LATER.slice(0, 200), REFERENCE).to_bytes()


@pytest.mark.parametrize("step", [41])
def test_bytes_cut_short_or_changed_are_refused_or_read_whole(step):
    for end in range(0, len(WHOLE), step):
        with pytest.raises(DecodeError):
            tg.Profile.from_bytes(WHOLE[:end])
    at = WHOLE.index(b"OUTC")
    for i in range(at, len(WHOLE) - 8, step):
        for bit in (0, 3, 7):
            changed = bytearray(WHOLE)
            changed[i] ^= 1 << bit
            with pytest.raises(DecodeError):
                tg.Profile.from_bytes(bytes(changed))


@pytest.mark.parametrize(
    ("labels", "settings", "kinds"),
    [
        ([True, False], {}, {"BinaryOutcomes", "ConfusionOutcomes"}),
        ([1.0, 0.0], {}, {"BinaryOutcomes", "ConfusionOutcomes"}),
        (["yes", "no"], {"positive": "yes"}, {"BinaryOutcomes"}),
        ([0, 1, 2], {}, {"ConfusionOutcomes"}),
    ],
)
def test_what_a_label_is_decides_what_is_counted(labels, settings, kinds):
    n = 600
    label = [labels[i % len(labels)] for i in range(n)]
    score = RANDOM.random(n)
    prediction = label if isinstance(labels[0], str) else [float(each) for each in label]
    table = pa.table({"score": score, "label": label, "prediction": prediction})
    schema = tg.Schema.infer(table, score="score", label="label", prediction="prediction", **settings)
    if kinds == {"ConfusionOutcomes"}:
        with pytest.warns(InputWarning, match="say which of them the score is the probability of"):
            reference = tg.Reference.fit(table, schema=schema)
    else:
        reference = tg.Reference.fit(table, schema=schema)
    found = of(reference.profile)
    assert kinds <= {type(each).__name__ for each in found}
    assert all(each.n_rows == n for each in found)


def test_numbers_are_a_regression_and_residuals_lie_in_cells():
    n = 2_000
    label = RANDOM.normal(size=n)
    table = pa.table({"prediction": label + RANDOM.normal(size=n), "label": label})
    schema = tg.Schema.infer(table, prediction="prediction", label="label")
    (counts,) = of(tg.Reference.fit(table, schema=schema).profile)
    assert isinstance(counts, _core.RegressionOutcomes)
    assert counts.homes["labelled"] == n
    assert counts.counts().max() < 0.02 * n


def test_no_label_no_outcomes_and_a_label_without_values_warns():
    table = rows(100, labels=False)
    assert of(tg.Reference.fit(table, schema=tg.Schema.infer(table, score="score")).profile) == []
    blank = table.append_column("label", pa.nulls(100, pa.int64()))
    schema = tg.Schema.infer(blank, score="score", label="label", positive=1)
    with pytest.warns(InputWarning, match="'label' has no value in the reference"):
        assert of(tg.Reference.fit(blank, schema=schema).profile) == []


def test_edges_are_kept_from_an_older_reference():
    again = tg.Reference.fit(rows(500, 9), schema=SCHEMA, edges=REFERENCE)
    assert [each.id for each in of(again.profile)] == [each.id for each in of(REFERENCE.profile)]


def test_settings_of_outcomes_in_a_schema():
    assert tg.Schema.from_toml(SCHEMA.to_toml()) == SCHEMA
    assert SCHEMA["label"].positive == 1
    with pytest.raises(SchemaError, match="positive is of a label, not of a score"):
        SCHEMA.replace("score", positive=1)
    with pytest.raises(SchemaError, match="threshold is of a score, not of a label"):
        SCHEMA.replace("label", threshold=0.5)
    with pytest.raises(SchemaError, match="it must be finite"):
        SCHEMA.replace("score", threshold=float("nan"))
    with pytest.raises(SchemaError, match="given without a label"):
        tg.Schema.infer(rows(5), score="score", positive=1)
    at = SCHEMA.replace("score", threshold=0.3)
    counts = of(tg.Reference.fit(rows(5_000), schema=at).profile)
    assert any(0.3 in each.edges for each in counts if isinstance(each, _core.BinaryOutcomes))


@given(st.lists(st.booleans(), min_size=400, max_size=400), st.integers(0, 3))
def test_labels_that_come_late_leave_what_labels_at_once_do(is_late, n_corrected):
    """Exactly, in every cell and sum; corrections too: the old label is taken away, the new one given."""
    table = LATER.slice(0, 400)
    known = table["label"].to_pylist()
    late = [value if is_so else None for value, is_so in zip(known, is_late, strict=True)]
    first = [None if is_so else value for value, is_so in zip(known, is_late, strict=True)]
    at = table.column_names.index("label")

    def with_labels(values, chosen):
        rows_of = table.set_column(at, "label", pa.array(values, pa.int64()))
        return tg.profile(rows_of.filter(pa.array(chosen)), REFERENCE)._core

    profile = with_labels(first, [True] * 400)
    joined = [value is not None for value in late]
    wrong = list(late)
    for i in [i for i, is_so in enumerate(joined) if is_so][:n_corrected]:
        wrong[i] = 1 - late[i]
    corrected = [a != b for a, b in zip(wrong, late, strict=True)]
    profile.merge(labels(with_labels(wrong, joined)))
    profile.merge(labels(with_labels(late, corrected), withdrawn=with_labels(wrong, corrected)))
    assert [each.to_bytes() for each in profile.outcomes] == told(tg.profile(table, REFERENCE))


def labels(given: _core.Profile, withdrawn: _core.Profile | None = None) -> _core.Profile:
    return _core.Profile.of_labels(given.outcomes, [] if withdrawn is None else withdrawn.outcomes)


def test_labels_of_rows_that_never_came_change_no_outcome_and_say_so():
    other = tg.profile(LATER, REFERENCE)._core
    for few in (tg.profile(LATER.slice(0, 10), REFERENCE)._core, tg.profile({"a": [1.0]})._core):
        before = [each.to_bytes() for each in few.outcomes]
        few.merge(labels(other))
        assert few.labels_unresolved
        assert [each.to_bytes() for each in few.outcomes] == before
    withdrawn = tg.profile(LATER.slice(0, 10), REFERENCE)._core
    before = [each.to_bytes() for each in withdrawn.outcomes]
    withdrawn.merge(_core.Profile.of_labels([], other.outcomes))
    assert withdrawn.labels_unresolved
    assert [each.to_bytes() for each in withdrawn.outcomes] == before


def test_rows_are_taken_only_where_something_is_chosen_by_them(monkeypatch):
    """Turning a million scores into Python's takes a second that nobody without labels owes."""
    taken = []
    update = LabelledRows.update

    def noted(self, batch):
        update(self, batch)
        taken.append(self.n_rows)

    monkeypatch.setattr(LabelledRows, "update", noted)
    table = rows(100)
    tg.Reference.fit(table, schema=tg.Schema.infer(table, score="score"))
    tg.Reference.fit(table, schema=tg.Schema.infer(table, label="label"))
    tg.Reference.fit(table, schema=SCHEMA, edges=REFERENCE)
    assert taken == [0, 0, 0]
    tg.Reference.fit(table, schema=SCHEMA)
    assert taken[-1] == 100
