"""`find_slices` and `tidegauge slices`: windows, one set of rows, files, archives; what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.performance.segmented_rows import COUNTRIES, SEGMENTS, fitted, rows_of

import tidegauge as tg
from tidegauge.errors import InputError
from tidegauge.segment_profiles import segment_parts
from tidegauge.segments import segment_key

SE = segment_key({"country": "SE"})
EVEN = {"shares": (0.4, 0.6, 0.0)}  # SE and DE, in which the model is as right


@pytest.fixture(scope="module")
def reference() -> tg.Reference:
    return fitted(**EVEN)


def test_windows_take_turns_in_suggesting_and_confirming(reference: tg.Reference) -> None:
    windows = [
        tg.profile_segments(rows_of(2_000, seed, lost={"SE": 0.4}, **EVEN), reference, SEGMENTS)
        for seed in range(10, 16)
    ]
    found = tg.find_slices(windows, reference)
    assert found.held_out
    assert [each.segment for each in found.confirmed] == [SE]
    (it,) = found.confirmed
    confirming = pa.concat_tables([rows_of(2_000, seed, lost={"SE": 0.4}, **EVEN) for seed in (11, 13, 15)])
    frame = confirming.to_pandas()
    right = (frame.p >= 0.5) == frame.y
    assert it.value == pytest.approx(right[frame.country == "SE"].mean())
    assert it.gap == pytest.approx(right[frame.country != "SE"].mean() - it.value)
    assert it.gap_interval[0] > 0.03
    assert it.n_rows == (frame.country == "SE").sum()
    assert abs(it.reference_gap) < 0.03
    assert found.summary.startswith("country=SE worse by 0.")
    assert "confirmed" in repr(found)
    assert "<table" in found._repr_html_()
    json.dumps(found.to_dict(), allow_nan=False)


def test_one_set_of_rows_is_told_with_its_gap_shrunk(reference: tg.Reference) -> None:
    rows = rows_of(8_000, 3, lost={"SE": 0.4}, **EVEN)
    found = tg.find_slices(tg.profile_segments(rows, reference, SEGMENTS), reference)
    assert not found.held_out
    assert found.confirmed[0].segment == SE
    assert found.confirmed[0].gap <= found.confirmed[0].other_value - found.confirmed[0].value


def test_where_all_slices_are_alike_none_is_told(reference: tg.Reference) -> None:
    rows = rows_of(8_000, 4, **EVEN)
    for parts in (
        segment_parts(rows, reference, SEGMENTS, 2),
        tg.profile_segments(rows, reference, SEGMENTS),
    ):
        found = tg.find_slices(parts, reference)
        assert found.confirmed == ()
        assert found.summary.startswith("no slice is worse than the rest beyond chance; accuracy 0.7")
        assert found.n_slices == 6


def test_every_second_row_is_a_half_and_nothing_is_lost(reference: tg.Reference) -> None:
    rows = rows_of(1_001, 5)
    table = pa.Table.from_batches(rows.to_batches(max_chunksize=37))
    one, other = segment_parts(table, reference, ["country"], 2)
    frame = rows.to_pandas()
    for name in COUNTRIES:
        key = segment_key({"country": name})
        assert one[key].n_rows == (frame.country[::2] == name).sum()
        assert other[key].n_rows == (frame.country[1::2] == name).sum()
        assert (
            tg.merge([one[key], other[key]]).n_rows
            == tg.profile_segments(rows, reference, ["country"])[key].n_rows
        )


def test_a_slice_that_was_worse_in_the_reference_says_so() -> None:
    reference = fitted()
    found = tg.find_slices(segment_parts(rows_of(10_000, 6), reference, ["country"], 2), reference)
    (it,) = found.confirmed
    assert it.segment == segment_key({"country": "US"})
    assert it.reference_gap == pytest.approx(it.gap, abs=0.03)


def test_numbers_have_their_absolute_error_cut() -> None:
    rng = np.random.default_rng(1)
    n = 6_000
    country = rng.choice(COUNTRIES, n)
    truth = rng.normal(0, 10, n)
    rows = pa.table(
        {
            "country": country,
            "truth": truth,
            "guess": truth + rng.normal(0, np.where(country == "DE", 4, 2), n),
        }
    )
    schema = tg.Schema.infer(rows, prediction="guess", label="truth")
    reference = tg.Reference.fit(rows, schema=schema)
    found = tg.find_slices(segment_parts(rows, reference, ["country"], 2), reference)
    assert found.metric == "mean_absolute_error"
    assert found.tolerance == pytest.approx(0.01 * 10, rel=0.05)
    (it,) = found.confirmed
    assert it.segment == segment_key({"country": "DE"})
    assert it.gap == pytest.approx(2 * np.sqrt(2 / np.pi), rel=0.1)
    assert it.reference_gap is None


def test_what_does_not_fit_is_refused(reference: tg.Reference) -> None:
    parts = tg.profile_segments(rows_of(500, 7), reference, ["country"])
    for options, why in (
        ({"metric": "roc_auc"}, "metric 'roc_auc' is no mean over rows of 'p'"),
        ({"metric": "base_rate"}, "metric 'base_rate' is no mean"),
        ({"column": "q"}, "no means over rows of 'q'; it has p"),
        ({"level": 0.7}, "level is 0.7"),
        ({"tolerance": 1.0}, "tolerance 1.0"),
    ):
        with pytest.raises(InputError, match=why):
            tg.find_slices(parts, reference, **options)
    for nothing in ({}, [], [{}, {}]):
        with pytest.raises(InputError, match="no segments are given"):
            tg.find_slices(nothing, reference)
    bare = tg.Reference.fit(rows_of(500, 8).drop_columns(["y"]))
    with pytest.raises(InputError, match="none: fit it with a label"):
        tg.find_slices(parts, bare)


def test_the_command_takes_files_and_archives(tmp_path: Path, reference: tg.Reference) -> None:
    def tidegauge(*words: object, code: int = 0) -> str:
        command = [sys.executable, "-m", "tidegauge.cli", "slices", *map(str, words)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    reference.save(tmp_path / "ref.tg")
    rows = rows_of(8_000, 9, lost={"SE": 0.5}, **EVEN)
    pq.write_table(rows, tmp_path / "rows.parquet")
    found = json.loads(
        tidegauge(
            "rows.parquet",
            "--reference",
            "ref.tg",
            "--segment",
            "country",
            "--segment",
            "country,channel",
            "--json",
        )
    )
    assert found["held_out"]
    assert found["found"][0]["segment"] == SE
    wanted = tg.find_slices(segment_parts(rows, reference, SEGMENTS, 2), reference)
    assert found == json.loads(json.dumps(wanted.to_dict()))
    assert "--segment" in tidegauge("rows.parquet", "--reference", "ref.tg", code=2)
    assert "--reference" in tidegauge("rows.parquet", "--segment", "country", code=2)

    start = np.datetime64("2026-03-02", "us")
    end_ns = int((start + np.timedelta64(4, "D")).astype("M8[ns]").astype(int))
    options = {"window": "1d", "timestamp": "time", "segments": SEGMENTS, "clock": lambda: end_ns}
    with tg.Monitor("m", reference, archive=str(tmp_path / "a.db"), **options) as monitor:
        for day in range(4):
            part = rows.slice(day * 2_000, 2_000)
            monitor.update(
                part.append_column("time", pa.array(np.full(2_000, start + np.timedelta64(day, "D"))))
            )
    assert tidegauge("a.db").startswith("country=SE worse by")


def test_without_labels_nothing_is_told(reference: tg.Reference) -> None:
    rows = rows_of(2_000, 40, labels=0.0, **EVEN)
    for parts in (
        segment_parts(rows, reference, SEGMENTS, 2),
        tg.profile_segments(rows, reference, SEGMENTS),
    ):
        found = tg.find_slices(parts, reference)
        assert (found.found, found.n_slices, found.value) == ((), 0, None)
        assert "no labelled rows, 0 slices" in found.summary


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_weights_of_a_window_are_no_rows(scale: float) -> None:
    """That all rows weigh a hundred times as much as the reference's makes no gap surer."""
    rng = np.random.default_rng(2)

    def weighted(n: int, weight: float) -> pa.Table:
        score = rng.random(n)
        label = (rng.random(n) < score).astype(np.int8)
        return pa.table({"p": score, "y": label, "w": np.full(n, weight), "g": rng.choice(["u", "v"], n)})

    before, rows = weighted(5_000, 1.0), weighted(400, scale)
    schema = tg.Schema.infer(before, score="p", label="y", positive=1, weight="w")
    reference = tg.Reference.fit(before, schema=schema, segments=["g"])
    segments = tg.profile_segments(rows, reference, ["g"])
    assert tg.find_slices(segments, reference).confirmed == ()
    found = tg.fairness(segments, reference, "g", advantaged="u")
    assert sum(each.n_rows for each in found.facets) == 400
    gap = found.measurement("recall_difference", "v")
    assert gap.low < 0 < gap.high or gap.high - gap.low > 0.1


def test_windows_without_segments_are_passed_over() -> None:
    before = rows_of(4_000, 1)
    reference = tg.Reference.fit(
        before, schema=tg.Schema.infer(before, score="p", label="y", positive=1), segments=SEGMENTS
    )
    segments = tg.profile_segments(rows_of(2_000, 2), reference, SEGMENTS)
    one = tg.find_slices([segments], reference)
    assert tg.find_slices([segments, {}], reference).summary == one.summary
