"""Why performance changed: exact splits of raw rows, honest intervals, the planted segment named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score
from tests.performance.segmented_rows import COUNTRIES, SEGMENTS, fitted, rows_of
from tests.report.test_page import require_sound

import tidegauge as tg
from tidegauge.errors import InputError, MergeError
from tidegauge.mix_and_rate import split_change, split_with_errors
from tidegauge.outcomes.metric_change import MAX_TOLD
from tidegauge.report import render_performance
from tidegauge.segments import OTHER, segment_key

SE = segment_key({"country": "SE"})


@pytest.fixture(scope="module")
def reference() -> tg.Reference:
    return fitted()


def told(reference: tg.Reference, rows: pa.Table, **options: object) -> tg.Performance:
    segments = tg.profile_segments(rows, reference, SEGMENTS)
    return tg.performance(tg.profile(rows, reference), reference, segments=segments, **options)


# Of raw rows: which the metric is about, and what it is the mean of.
MEANS = {
    "accuracy": lambda d: (d.y >= 0, (d.p >= 0.5) == d.y),
    "precision": lambda d: (d.p >= 0.5, d.y),
    "recall": lambda d: (d.y == 1, d.p >= 0.5),
    "specificity": lambda d: (d.y == 0, d.p < 0.5),
    "selection_rate": lambda d: (d.y >= 0, d.p >= 0.5),
    "base_rate": lambda d: (d.y >= 0, d.y),
    "brier": lambda d: (d.y >= 0, (d.y - d.p) ** 2),
    "business_value": lambda d: (
        d.y >= 0,
        np.select([(d.y == 1) & (d.p >= 0.5), d.p >= 0.5], [5.0, -2.0], 0.0),
    ),
}
WORTH = [[0.0, -2.0], [0.0, 5.0]]


@pytest.mark.parametrize("by", ["country", ("country", "channel")])
def test_every_mean_is_split_as_the_formula_says_of_raw_rows(reference: tg.Reference, by) -> None:
    then, now = rows_of(20_000, 1), rows_of(6_000, 2, shares=(0.5, 0.3, 0.2), lost={"SE": 0.4})
    found = told(reference, now, worth=WORTH)
    sides = [each.to_pandas() for each in (then, now)]
    columns = [by] if isinstance(by, str) else list(by)
    for name, rows_of_metric in MEANS.items():
        change = found.cause(name, by)
        means, weights = [], []
        for side in sides:
            about, value = rows_of_metric(side)
            kept = side.assign(value=np.asarray(value, float))[np.asarray(about)]
            groups = kept.groupby(columns if len(columns) > 1 else columns[0])["value"]
            means.append(groups.mean())
            weights.append(groups.size() / len(kept))
            whole = kept["value"].mean()
            told_whole = change.reference_value if side is sides[0] else change.current_value
            assert told_whole == pytest.approx(whole, abs=2e-4 if name == "brier" else 1e-12), name
        middle = sum((w * m).sum() for w, m in zip(weights, means, strict=True)) / 2
        for key in means[0].index:
            values = (key,) if isinstance(key, str) else key
            part = change.segment(segment_key(dict(zip(columns, values, strict=True))))
            (p_0, p_1), (w_0, w_1) = [each[key] for each in means], [each[key] for each in weights]
            close = {"abs": 2e-4 if name == "brier" else 1e-12}
            assert part.rate == pytest.approx((p_1 - p_0) * (w_0 + w_1) / 2, **close), name
            assert part.mix == pytest.approx((w_1 - w_0) * ((p_0 + p_1) / 2 - middle), **close), name
            assert part.part == part.rate + part.mix
        assert sum(each.part for each in change.segments) == pytest.approx(change.change, abs=1e-12)
        assert change.rate + change.mix == pytest.approx(change.change, abs=1e-12)
        if name in ("accuracy", "precision", "recall", "business_value"):
            assert change.change == pytest.approx(found.value(name) - found.measurement(name).reference_value)


def test_an_area_is_told_by_what_leaving_a_segment_out_does(reference: tg.Reference) -> None:
    then, now = rows_of(20_000, 1), rows_of(6_000, 2, lost={"SE": 0.6})
    change = told(reference, now).cause("roc_auc", "country")
    assert not change.decomposes
    assert change.rate is None
    sides = [each.to_pandas() for each in (then, now)]
    whole = [roc_auc_score(side.y, side.p) for side in sides]
    assert [change.reference_value, change.current_value] == pytest.approx(whole, abs=1e-3)
    for name in COUNTRIES:
        kept = [side[side.country != name] for side in sides]
        without = [roc_auc_score(side.y, side.p) for side in kept]
        part = change.segment(segment_key({"country": name}))
        assert part.part == pytest.approx(whole[1] - whole[0] - (without[1] - without[0]), abs=1e-3)
        own = sides[1][sides[1].country == name]
        assert part.current_value == pytest.approx(roc_auc_score(own.y, own.p), abs=2e-3)
    assert change.segments[0].segment == SE
    assert change.segments[0].part_interval[1] < 0


def test_errors_of_predicted_numbers_are_split_too() -> None:
    def numbers(n: int, seed: int, worse: float) -> pa.Table:
        rng = np.random.default_rng(seed)
        country = rng.choice(COUNTRIES, n)
        truth = rng.normal(50, 20, n)
        off = rng.normal(0, np.where(country == "SE", worse, 1.0), n)
        return pa.table({"country": country, "guess": truth + off, "truth": truth})

    then, now = numbers(9_000, 1, 1.0), numbers(4_000, 2, 3.0)
    schema = tg.Schema.infer(then, prediction="guess", label="truth")
    reference = tg.Reference.fit(then, schema=schema, segments=["country"])
    segments = tg.profile_segments(now, reference, ["country"])
    found = tg.performance(tg.profile(now, reference), reference, segments=segments)
    for name, power in (("mean_absolute_error", 1), ("mean_squared_error", 2)):
        change = found.cause(name, "country")
        assert change.change == pytest.approx(found.value(name) - found.measurement(name).reference_value)
        (first, *others) = change.segments
        assert first.segment == SE
        frame = now.to_pandas()
        own = frame[frame.country == "SE"]
        assert first.current_value == pytest.approx(((own.guess - own.truth).abs() ** power).mean())
        assert first.rate_interval[0] > 5 * max(abs(each.rate) for each in others)
    assert "country=SE +" in found.summary


COUNTS = arrays(np.int64, 5, elements=st.integers(0, 200))


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_parts_add_up_and_errors_are_numbers(hits_0, more_0, hits_1, more_1) -> None:
    rows_0, rows_1 = (hits_0 + more_0).astype(float), (hits_1 + more_1).astype(float)
    if not rows_0.sum() or not rows_1.sum():
        return
    sides = (
        (rows_0, hits_0.astype(float), hits_0.astype(float)),
        (rows_1, hits_1.astype(float), hits_1.astype(float)),
    )
    found = split_with_errors(*sides)
    rate, mix = split_change(sides[0][1], rows_0, sides[1][1], rows_1)
    assert (found.rate == rate).all()
    assert (found.mix == mix).all()
    change = hits_1.sum() / rows_1.sum() - hits_0.sum() / rows_0.sum()
    assert (found.rate + found.mix).sum() == pytest.approx(change, abs=1e-12)
    assert found.excess.sum() == pytest.approx(0, abs=1e-12)
    for name in ("rate_error", "mix_error", "part_error", "excess_error"):
        errors = getattr(found, name)
        assert (errors >= 0).all()
        assert np.isfinite(errors).all()
    back = split_with_errors(*reversed(sides))
    assert back.rate == pytest.approx(-found.rate)
    assert back.part_error == pytest.approx(found.part_error)


def test_intervals_hold_the_truth_in_95_of_100() -> None:
    """Both sides are drawn anew: weights, rows and answers; each quantity in 1,500 samples."""
    rng = np.random.default_rng(5)
    weights = np.array([[0.5, 0.3, 0.2], [0.3, 0.2, 0.5]])
    means = np.array([[0.9, 0.7, 0.6], [0.8, 0.7, 0.65]])
    sizes = np.array([3_000, 1_500])

    def sides_of(rows):
        hits = [rng.binomial(n.astype(int), p).astype(float) for n, p in zip(rows, means, strict=True)]
        return [(n, h, h) for n, h in zip(rows, hits, strict=True)]

    large = [(w * 1e12, w * p * 1e12, w * p * 1e12) for w, p in zip(weights, means, strict=True)]
    truth = split_with_errors(*large)
    names = (("rate", "rate_error"), ("mix", "mix_error"), ("excess", "excess_error"))
    inside = {name: np.zeros(3) for name, _ in names} | {"part": np.zeros(3), "whole": np.zeros(2)}
    n = 1_500
    for _ in range(n):
        rows = [rng.multinomial(size, w).astype(float) for size, w in zip(sizes, weights, strict=True)]
        found = split_with_errors(*sides_of(rows))
        for name, error in names:
            off = getattr(found, name) - getattr(truth, name)
            inside[name] += np.abs(off) <= 1.96 * getattr(found, error)
        off = found.rate + found.mix - truth.rate - truth.mix
        inside["part"] += np.abs(off) <= 1.96 * found.part_error
        wholes = np.array([(found.rate - truth.rate).sum(), (found.mix - truth.mix).sum()])
        inside["whole"] += np.abs(wholes) <= 1.96 * np.array([found.whole_rate_error, found.whole_mix_error])
    for name, each in inside.items():
        assert (each / n > 0.935).all(), name
        assert (each / n < 0.968).all(), name


def test_the_segment_that_went_wrong_is_named_in_the_sentence(reference: tg.Reference) -> None:
    found = told(reference, rows_of(8_000, 3, lost={"SE": 0.7}))
    assert found.status == "alert"
    assert "country=SE " in found.summary
    assert "by rate" in found.summary
    assert "DE" not in found.summary
    change = found.cause("accuracy", "country")
    assert change.rate_interval[1] < 0
    assert change.mix_interval[0] < 0 < change.mix_interval[1]


def test_more_rows_of_a_hard_segment_are_mix(reference: tg.Reference) -> None:
    found = told(reference, rows_of(8_000, 4, shares=(0.1, 0.2, 0.7)))
    change = found.cause("accuracy", "country")
    assert change.mix_interval[1] < 0
    assert abs(change.rate) < 0.25 * abs(change.mix)
    assert "country=US " in found.summary
    assert "by mix" in found.summary


def test_a_fall_that_all_segments_share_names_none(reference: tg.Reference) -> None:
    # Scores are as sharp in SE and DE, so as many lost labels cost both as much; US, where it costs less, is
    # left out.
    shares, lost = (0.4, 0.6, 0.0), {"SE": 0.5, "DE": 0.5}
    even = fitted(shares=shares)
    found = told(even, rows_of(8_000, 5, shares=shares, lost=lost))
    assert found.status == "alert"
    assert found.cause("accuracy", "country").change < -0.05
    assert ", and no segment stands out" in found.summary
    clean = told(reference, rows_of(8_000, 6))
    assert "; it " not in clean.summary


@pytest.mark.slow
def test_of_falls_that_all_segments_share_few_name_one() -> None:
    """Measured: 7 of 150, at a false discovery rate of .05."""
    shares, lost = (0.4, 0.6, 0.0), {"SE": 0.4, "DE": 0.4}
    even = fitted(shares=shares)
    named = 0
    for i in range(150):
        found = told(even, rows_of(4_000, 1_000 + i, shares=shares, lost=lost))
        assert found.status == "alert"
        named += "no segment stands out" not in found.summary
    assert named <= 16  # of which chance exceeds at .05 in 1 of 1,000


def test_without_labels_the_change_that_scores_tell_is_split(reference: tg.Reference) -> None:
    found = told(reference, rows_of(8_000, 4, shares=(0.1, 0.2, 0.7), labels=0.0))
    change = found.cause("accuracy", "country", "estimated")
    assert change.mix_interval[1] < 0
    assert change.change == pytest.approx(
        found.value("accuracy", "estimated") - found.measurement("accuracy", "estimated").reference_value,
        abs=2e-3,
    )
    with pytest.raises(KeyError, match="no realised change of 'accuracy' by country; there are none"):
        found.cause("accuracy", "country")


def test_new_and_vanished_segments_are_mix_alone(reference: tg.Reference) -> None:
    now = rows_of(4_000, 7)
    named = pa.array(["NO" if each == "SE" else each for each in now["country"].to_pylist()])
    change = told(reference, now.set_column(0, "country", named)).cause("accuracy", "country")
    for name, side in (("NO", "reference_value"), ("SE", "current_value")):
        part = change.segment(segment_key({"country": name}))
        assert (part.rate, getattr(part, side)) == (0.0, None)
        assert part.mix != 0.0
    assert sum(each.part for each in change.segments) == pytest.approx(change.change, abs=1e-12)


def test_rows_that_no_segment_holds_stand_with_the_others(reference: tg.Reference) -> None:
    now = rows_of(4_000, 8)
    segments = tg.profile_segments(now, reference, ["country"])
    left = segments.pop(SE)
    change = tg.performance(tg.profile(now, reference), reference, segments=segments).cause(
        "accuracy", "country"
    )
    other = change.segment(segment_key({"country": OTHER}))
    assert other.n_current == left.n_rows
    assert sum(each.part for each in change.segments) == pytest.approx(change.change, abs=1e-12)


def test_weights_add_up_over_segments() -> None:
    then, now = rows_of(6_000, 1), rows_of(6_000, 2, lost={"SE": 0.5})

    def weighted(rows: pa.Table, seed: int) -> pa.Table:
        weight = np.random.default_rng(seed).uniform(0.5, 4.0, rows.num_rows)
        weight[np.asarray(rows["country"]) == "SE"] *= 3
        return rows.append_column("w", pa.array(weight))

    then, now = weighted(then, 1), weighted(now, 2)
    schema = tg.Schema.infer(then, score="p", label="y", positive=1, weight="w")
    reference = tg.Reference.fit(then, schema=schema, segments=["country"])
    segments = tg.profile_segments(now, reference, ["country"])
    found = tg.performance(tg.profile(now, reference), reference, segments=segments)
    change = found.cause("accuracy", "country")
    frame = now.to_pandas()
    right = (frame.p >= 0.5) == frame.y
    assert change.current_value == pytest.approx(np.average(right, weights=frame.w))
    assert change.change == pytest.approx(
        found.value("accuracy") - found.measurement("accuracy").reference_value
    )
    share = frame.w[frame.country == "SE"].sum() / frame.w.sum()
    assert change.segments[0].n_current == pytest.approx(share * len(frame))


def test_what_does_not_fit_is_refused(reference: tg.Reference) -> None:
    now = rows_of(2_000, 9)
    segments = tg.profile_segments(now, reference, ["country"])
    with pytest.raises(InputError, match="segments: those by country hold 2,000 rows of 'accuracy'"):
        tg.performance(tg.profile(now.slice(0, 500), reference), reference, segments=segments)
    foreign = tg.Reference.fit(
        rows_of(5_000, 77).to_pandas().assign(p=lambda d: d.p**2),
        schema=reference.schema,
        segments=["country"],
    )
    strange = tg.profile_segments(now, foreign, ["country"])
    with pytest.raises(MergeError, match="'p' were counted with another reference"):
        tg.performance(tg.profile(now, reference), reference, segments=strange)
    with pytest.raises(InputError, match="segment: 'country' is no segment"):
        tg.performance(tg.profile(now, reference), reference, segments={"country": segments[SE]})
    with pytest.raises(InputError, match="'land'"):
        tg.profile_segments(now, reference, ["land"])
    unknown = {segment_key({"channel": "web"}): segments[SE]}
    assert tg.performance(tg.profile(now, reference), reference, segments=unknown).causes == ()


def test_segments_of_full_profiles_do_as_well_as_light_ones(reference: tg.Reference) -> None:
    now = rows_of(4_000, 10, lost={"SE": 0.5})
    light = tg.profile_segments(now, reference, ["country"])
    frame = now.to_pandas()
    full = {
        segment_key({"country": name}): tg.profile(
            pa.Table.from_pandas(part, preserve_index=False), reference
        )
        for name, part in frame.groupby("country")
    }
    whole = tg.profile(now, reference)
    one, other = (tg.performance(whole, reference, segments=each) for each in (light, full))
    assert one.cause("accuracy", "country") == other.cause("accuracy", "country")
    assert one.cause("roc_auc", "country") == other.cause("roc_auc", "country")


def test_to_dict_is_bounded_and_json(reference: tg.Reference) -> None:
    names = [f"c{i}" for i in range(60)]
    now = rows_of(6_000, 11)
    many = now.set_column(0, "country", pa.array(np.random.default_rng(1).choice(names, 6_000)))
    found = told(reference, many)
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    accuracy = next(each for each in written["causes"] if each["name"] == "accuracy")
    assert accuracy["n_segments"] == 63
    assert len(accuracy["segments"]) == MAX_TOLD
    least = min(abs(each["part"]) for each in accuracy["segments"])
    change = found.cause("accuracy", "country")
    assert sorted((abs(each.part) for each in change.segments), reverse=True)[MAX_TOLD - 1] == least


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory, reference: tg.Reference) -> Path:
    """Two days of a monitor with segments, the second one with SE gone wrong."""
    url = tmp_path_factory.mktemp("causes") / "a.db"
    start = np.datetime64("2026-03-02", "us")
    end_ns = int((start + np.timedelta64(2, "D")).astype("M8[ns]").astype(int))
    with tg.Monitor(
        "m",
        reference,
        archive=str(url),
        window="1d",
        timestamp="time",
        segments=SEGMENTS,
        clock=lambda: end_ns,
    ) as monitor:
        for day, lost in enumerate(({}, {"SE": 0.7})):
            rows = rows_of(6_000, 20 + day, lost=lost)
            time = np.full(6_000, start + np.timedelta64(day * 24 + 1, "h"))
            monitor.update(rows.append_column("time", pa.array(time)))
    return url


def test_verdicts_of_an_archive_say_why(archived: Path) -> None:
    with tg.Archive(archived) as archive:
        merged = archive.merged_segments("m")
        assert {key for key in merged if "channel" not in key} == {
            segment_key({"country": name}) for name in COUNTRIES
        }
        assert merged[SE].n_rows == archive.merged("m", segment=SE).n_rows
        assert merged[SE] == archive.merged("m", segment=SE)
        verdicts = tg.judge(archive, now_ns=10**18 * 2, since="9999d")
    assert [each.performance["status"] for each in verdicts] == ["ok", "alert"]
    assert verdicts[0].performance["causes"] == []
    causes = verdicts[1].performance["causes"]
    assert {(each["name"], each["kind"]) for each in causes} >= {
        ("accuracy", "realised"),
        ("brier", "realised"),
    }
    accuracy = next(each for each in causes if each["name"] == "accuracy")
    assert accuracy["segments"][0]["segment"] == SE
    assert "country=SE" in verdicts[1].summary


def test_the_command_passes_segments_by_itself(
    archived: Path, tmp_path: Path, reference: tg.Reference
) -> None:
    def tidegauge(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tidegauge.cli", "performance", *map(str, words)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    done = tidegauge(archived, "--html", "a.html")
    assert done.returncode == 1, done.stderr
    assert "country=SE" in done.stdout
    page = (tmp_path / "a.html").read_text()
    assert "how right it is for each" in page
    assert "this metric is no sum over segments" in page
    reference.save(tmp_path / "ref.tg")
    rows = rows_of(6_000, 21, lost={"SE": 0.7})
    pq.write_table(rows, tmp_path / "rows.parquet")
    done = tidegauge("rows.parquet", "--reference", "ref.tg", "--json")
    found = json.loads(done.stdout)
    assert "country=SE" in found["summary"]
    wanted = told(reference, rows).to_dict()
    assert found["causes"] == json.loads(json.dumps(wanted["causes"]))


def test_classes_have_their_accuracy_split() -> None:
    def classes(n: int, seed: int, wrong: float) -> pa.Table:
        rng = np.random.default_rng(seed)
        country = rng.choice(COUNTRIES, n)
        truth = rng.choice(["x", "y", "z"], n)
        off = rng.random(n) < np.where(country == "SE", wrong, 0.1)
        return pa.table(
            {"country": country, "said": np.where(off, rng.choice(["x", "y", "z"], n), truth), "was": truth}
        )

    then, now = classes(6_000, 1, 0.1), classes(4_000, 2, 0.5)
    schema = tg.Schema.infer(then, prediction="said", label="was")
    reference = tg.Reference.fit(then, schema=schema, segments=["country"])
    segments = tg.profile_segments(now, reference, ["country"])
    found = tg.performance(tg.profile(now, reference), reference, segments=segments)
    change = found.cause("accuracy", "country")
    assert change.change == pytest.approx(
        found.value("accuracy") - found.measurement("accuracy").reference_value
    )
    assert change.segments[0].segment == SE
    frame = now.to_pandas()
    own = frame[frame.country == "SE"]
    assert change.segments[0].current_value == pytest.approx((own.said == own.was).mean())
    assert {each.name for each in found.causes} == {"accuracy"}


def test_merged_windows_are_told_as_their_rows_are(reference: tg.Reference) -> None:
    windows = [rows_of(3_000, seed, lost={"SE": 0.4}) for seed in (51, 52, 53)]
    whole = told(reference, pa.concat_tables(windows))
    parts = [tg.profile_segments(each, reference, SEGMENTS) for each in windows]
    merged = {key: tg.merge(part[key] for part in parts if key in part) for key in {**parts[0], **parts[1]}}
    profile = tg.merge(tg.profile(each, reference) for each in windows)
    again = tg.performance(profile, reference, segments=merged)
    assert again.causes == whole.causes
    assert again.shift == whole.shift
    read = {key: tg.Profile.from_bytes(each.to_bytes(), reference) for key, each in merged.items()}
    assert tg.performance(profile, reference, segments=read).causes == whole.causes


def test_hostile_names_and_values_are_harmless_on_the_page() -> None:
    names = {"SE": "<script>alert(1)</script>", "DE": "d\u202e\x00", "US": ""}

    def renamed(rows: pa.Table) -> pa.Table:
        country = pa.array([names[each] for each in rows["country"].to_pylist()])
        return rows.set_column(0, "<b>\u202eland", country)

    then, now = renamed(rows_of(6_000, 1)), renamed(rows_of(4_000, 2, lost={"SE": 0.8}))
    schema = tg.Schema.infer(then, score="p", label="y", positive=1)
    reference = tg.Reference.fit(then, schema=schema, segments=["<b>\u202eland"])
    segments = tg.profile_segments(now, reference, ["<b>\u202eland"])
    found = tg.performance(tg.profile(now, reference), reference, segments=segments)
    page = render_performance([found])
    require_sound(page)
    assert "alert(1)" in page
    assert "<script" not in page
    assert "\u202e" not in page + repr(found)
    assert "<script" not in found._repr_html_()
    slices = tg.find_slices(segments, reference)
    assert slices.found
    assert "\u202e" not in repr(slices)
    assert "<script" not in slices._repr_html_()


def classes_of(n: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet([1, 1, 1], n)
    return pa.table(
        {"a": scores[:, 0], "b": scores[:, 1], "c": scores[:, 2]}
        | {"y": rng.choice(["a", "b", "c"], n), "g": rng.choice(["u", "v"], n)}
    )


def lists_of(n: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    relevant = rng.integers(0, 2, n)
    return pa.table(
        {"q": np.arange(n) // 10, "s": relevant / 2 + rng.random(n), "y": relevant}
        | {"g": rng.choice(["u", "v"], n)}
    )


@pytest.mark.parametrize(
    ("made", "roles"),
    [
        (classes_of, {"score": {"a": "a", "b": "b", "c": "c"}}),
        (lists_of, {"score": "s", "query": "q"}),
    ],
)
def test_what_is_no_mean_over_rows_stands_beside_segments(made, roles) -> None:
    before, rows = made(3_000, 1), made(2_000, 2)
    schema = tg.Schema.infer(before, label="y", **roles)
    reference = tg.Reference.fit(before, schema=schema, segments=["g"])
    segments = tg.profile_segments(rows, reference, ["g"])
    found = tg.performance(tg.profile(rows, reference), reference, segments=segments)
    columns = {each.column for each in found.causes}
    assert columns <= {"s"}
    assert {each.column for each in found.measurements} > columns
    if columns:
        assert tg.find_slices(segments, reference).column == "s"
    else:
        with pytest.raises(InputError, match="no means over rows"):
            tg.find_slices(segments, reference)
