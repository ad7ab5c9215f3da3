"""Attribution drift: Clarify's figure, exact or bounded means of |x|, intervals by parts, what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr
from sklearn.metrics import ndcg_score
from tests.report.test_page import require_sound

import tidegauge as tg
from tidegauge.absolute_sums import absolute_sum
from tidegauge.attributions import row_parts
from tidegauge.errors import InputError
from tidegauge.outcomes.attribution import MIN_PARTS, attribution_ndcg, ndcg_interval, rank_correlation
from tidegauge.report import render_attribution

GAINS = arrays(np.float64, 6, elements=st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0, 3.0]))


def test_it_is_the_figure_of_clarifys_documentation() -> None:
    """SAT score .70, .50 GPA and .05 class rank became .10, .20 and .70: nDCG .69."""
    assert attribution_ndcg([0.70, 0.50, 0.05], [0.10, 0.20, 0.70]) == pytest.approx(0.6876, abs=5e-5)
    assert attribution_ndcg([0.70, 0.50, 0.05], [0.7, 0.5, 0.05]) == 1.0
    assert np.isnan(attribution_ndcg([0.0, 0.0], [1.0, 2.0]))


@given(GAINS, arrays(np.float64, 6, elements=st.floats(0, 10, allow_subnormal=False), unique=True))
def test_it_is_scikit_learns_without_ties(gains: np.ndarray, now: np.ndarray) -> None:
    if gains.any():
        assert attribution_ndcg(gains, now) == pytest.approx(ndcg_score([gains], [now]))
    if np.ptp(gains) > 0:
        assert rank_correlation(gains, now) == pytest.approx(spearmanr(gains, now).statistic)


def test_ties_now_are_no_drift_and_the_reverse_is_the_worst() -> None:
    gains = np.array([4.0, 3.0, 2.0, 1.0])
    assert attribution_ndcg(gains, np.ones(4)) == 1.0
    found = {order: attribution_ndcg(gains, np.array(order, float)) for order in permutations(range(4))}
    assert min(found, key=found.get) == (0, 1, 2, 3)
    assert max(found, key=found.get) == (3, 2, 1, 0)
    assert np.isnan(rank_correlation(np.ones(3), np.arange(3.0)))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["normal", "positive", "negative", "lattice", "zeros", "heavy", "whole"]),
    st.floats(-2, 2),
)
def test_the_sum_of_absolute_values_is_within_its_bound(seed: int, kind: str, shift: float) -> None:
    """The reference chose the cells; the rows that are asked lie elsewhere, beyond them too."""
    rng = np.random.default_rng(seed)

    def drawn(n: int, shift: float) -> np.ndarray:
        return {
            "normal": lambda: rng.normal(shift, 1, n),
            "positive": lambda: rng.exponential(1, n),
            "negative": lambda: -rng.exponential(1, n),
            "lattice": lambda: rng.integers(-3, 4, n) / 4,
            "zeros": lambda: np.where(rng.random(n) < 0.7, 0.0, rng.normal(shift, 1, n)),
            "heavy": lambda: rng.standard_t(2, n) + shift,
            "whole": lambda: rng.integers(-100, 100, n),
        }[kind]()

    reference = tg.Reference.fit({"x": drawn(2_000, 0.0)})
    rows = drawn(int(rng.integers(1, 3_000)), shift)
    column = tg.profile({"x": rows}, reference)["x"]
    value, bound = absolute_sum(column)
    truth = float(np.abs(rows).sum())
    assert abs(value - truth) <= bound + 1e-9 * max(truth, 1.0)
    if kind in ("positive", "negative", "lattice"):
        assert bound <= 1e-9 * truth
    light = absolute_sum(tg.profile({"x": rows}, reference, accumulators="light")["x"])
    assert light == (pytest.approx(value), pytest.approx(bound, abs=1e-9))


def test_the_bound_is_small_and_the_error_smaller() -> None:
    rng = np.random.default_rng(1)
    reference = tg.Reference.fit({"x": rng.normal(size=100_000)})
    rows = rng.normal(0.2, 1.1, 50_000)
    value, bound = absolute_sum(tg.profile({"x": rows}, reference)["x"])
    truth = np.abs(rows).sum()
    assert bound / truth < 0.03
    assert abs(value - truth) / truth < 0.01


def test_what_has_no_absolute_sum_says_so() -> None:
    rows = {"x": np.array([1.0, -2.0, np.nan]), "s": ["a", "b", "c"], "n": np.array([-3, -4, -5])}
    profile = tg.profile(rows)
    assert absolute_sum(profile["x"]) is None  # both signs, and no cells without a reference
    assert absolute_sum(profile["s"]) is None
    assert absolute_sum(profile["n"]) == (12.0, 0.0)
    empty = tg.Profile.empty(tg.Reference.fit(rows))
    assert absolute_sum(empty["n"]) == (0.0, 0.0)


def shap(n: int, seed: int, sizes: tuple[float, ...] = (1.0, 0.6, 0.4, 0.1)) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, len(sizes))) * np.array(sizes)
    return pd.DataFrame(rows, columns=[f"shap_{i}" for i in range(len(sizes))]).assign(income=rng.random(n))


MOVED = (0.05, 0.6, 0.4, 1.2)


@pytest.fixture(scope="module")
def reference() -> tg.Reference:
    rows = shap(10_000, 1)
    schema = tg.Schema.infer(rows, attribution=[f"shap_{i}" for i in range(4)])
    return tg.Reference.fit(rows, schema=schema)


def test_features_that_change_places_are_named(reference: tg.Reference) -> None:
    rows = shap(8_000, 2, MOVED)
    found = tg.attribution_drift(row_parts(rows, reference), reference)
    frames = [each.abs().mean()[:4].to_numpy() for each in (shap(10_000, 1), rows)]
    assert found.ndcg.value == pytest.approx(attribution_ndcg(*frames), abs=1e-3)
    assert found.status == found.ndcg.status == "alert"
    assert found.ndcg.low <= found.ndcg.value <= found.ndcg.high < 0.9
    assert found.n_parts == 32
    assert found.measurements[1].value == pytest.approx(spearmanr(*frames).statistic)
    first = found.attributions[0]
    assert (first.column, first.rank, first.reference_rank, first.n_rows) == ("shap_3", 1, 4, 8_000)
    by_name = dict(zip((f"shap_{i}" for i in range(4)), frames[1], strict=True))
    for each in found.attributions:
        assert abs(each.value - by_name[each.column]) <= each.bound
        assert each.value == pytest.approx(by_name[each.column], rel=0.02)
    assert "shap_3 from place 4 to 1" in found.summary
    assert pa.table(found).num_rows == 2
    assert "<table" in found._repr_html_()
    assert "shap_3" in repr(found)


def test_an_alert_needs_an_interval_and_a_warning_does_not(reference: tg.Reference) -> None:
    profile = tg.profile(shap(8_000, 3, MOVED), reference)
    alone = tg.attribution_drift(profile, reference)
    assert (alone.status, alone.ndcg.low, alone.n_parts) == ("warning", None, 1)
    few = tg.attribution_drift(row_parts(shap(8_000, 3, MOVED), reference, MIN_PARTS - 1), reference)
    assert few.status == "warning"
    windows = dict(enumerate(row_parts(shap(8_000, 3, MOVED), reference, MIN_PARTS)))
    assert tg.attribution_drift(windows, reference).status == "alert"
    clean = tg.attribution_drift(row_parts(shap(8_000, 4), reference), reference)
    assert (clean.status, clean.ndcg.value) == ("ok", 1.0)
    assert "no feature changed places" in clean.summary
    assert tg.attribution_drift(tg.profile(shap(99, 5), reference), reference).status == "insufficient"
    lenient = tg.attribution_drift(windows, reference, threshold=0.5)
    assert lenient.status == "ok"


def test_the_interval_holds_the_truth_and_parts_that_wander_widen_it() -> None:
    """Two close features: whether they change places is chance, by rows or by whole days."""
    gains = np.array([1.0, 0.97, 0.3])
    rng = np.random.default_rng(6)
    rows = np.full((20, 3), 500.0)
    calm = rng.normal(gains, 0.01, (20, 3)) * rows
    wild = rng.normal(gains, 0.5, (20, 3)).clip(0) * rows
    low, high = ndcg_interval(gains, calm, rows)
    assert low > 0.99
    assert high == 1.0
    assert ndcg_interval(gains, wild, rows)[0] < low
    assert ndcg_interval(gains, calm, rows) == (low, high)  # the same draws each time
    truth = attribution_ndcg(gains, [1.0, 0.9, 0.95])
    inside = 0
    for _ in range(100):
        sums = rng.normal([1.0, 0.9, 0.95], 0.05, (20, 3)) * rows
        low, high = ndcg_interval(gains, sums, rows)
        inside += low <= truth <= high
    assert inside >= 93
    assert np.isnan(ndcg_interval(gains, calm[: MIN_PARTS - 1], rows[: MIN_PARTS - 1])).all()


def test_what_cannot_be_ranked_is_refused_or_undefined(reference: tg.Reference) -> None:
    gone = tg.attribution_drift(tg.profile(shap(500, 7).drop(columns="shap_2"), reference), reference)
    assert (gone.status, gone.ndcg.value) == ("undefined", None)
    assert "nothing to rank features by" in gone.summary
    empty = tg.attribution_drift(tg.Profile.empty(reference), reference)
    assert empty.status == "insufficient"
    json.dumps(empty.to_dict(), allow_nan=False)
    bare = tg.Reference.fit(shap(500, 8))
    with pytest.raises(InputError, match="schema has 0 of them"):
        tg.attribution_drift(tg.profile(shap(500, 8), bare), bare)
    with pytest.raises(InputError, match="no profiles are given"):
        tg.attribution_drift([], reference)
    with pytest.raises(InputError, match=r"threshold is 1\.5"):
        tg.attribution_drift(tg.Profile.empty(reference), reference, threshold=1.5)


def test_the_page_is_sound_with_hostile_names() -> None:
    rows = shap(2_000, 9).rename(columns={"shap_0": "<script>x</script>", "shap_1": "a\u202eb\x00"})
    names = list(rows.columns[:4])
    made = tg.Reference.fit(rows, schema=tg.Schema.infer(rows, attribution=names))
    for parts in (tg.profile(rows, made), row_parts(rows, made)):
        found = tg.attribution_drift(parts, made)
        page = render_attribution(found)
        require_sound(page)
        assert "<script" not in page
        assert "\u202e" not in page + repr(found)
        assert page == render_attribution(found)


def test_the_command_takes_files_profiles_and_archives(tmp_path: Path, reference: tg.Reference) -> None:
    def tidegauge(*words: object, code: int = 0) -> str:
        command = [sys.executable, "-m", "tidegauge.cli", "attribution", *map(str, words)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == code, done.stderr
        return done.stderr if code == 2 else done.stdout

    reference.save(tmp_path / "ref.tg")
    rows = shap(6_000, 10, MOVED)
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), tmp_path / "rows.parquet")
    found = json.loads(
        tidegauge("rows.parquet", "--reference", "ref.tg", "--json", "--html", "a.html", code=1)
    )
    wanted = tg.attribution_drift(row_parts(rows, reference), reference).to_dict()
    assert found == json.loads(json.dumps(wanted))
    assert "What the model goes by" in (tmp_path / "a.html").read_text()
    tg.profile(rows, reference).save(tmp_path / "p.tg")
    assert tidegauge("p.tg", "--reference", "ref.tg", code=1).startswith("warning")
    assert tidegauge("p.tg", "--reference", "ref.tg", "--fail-on", "alert").startswith("warning")
    assert "--reference" in tidegauge("rows.parquet", "p.tg", code=2)

    start = np.datetime64("2026-03-02", "us")
    end_ns = int((start + np.timedelta64(10, "D")).astype("M8[ns]").astype(int))
    options = {"window": "1d", "timestamp": "time", "clock": lambda: end_ns}
    with tg.Monitor("m", reference, archive=str(tmp_path / "a.db"), **options) as monitor:
        for day in range(10):
            part = rows.iloc[day * 600 : (day + 1) * 600]
            monitor.update(part.assign(time=start + np.timedelta64(day, "D")))
    of_archive = json.loads(tidegauge("a.db", "--json", code=1))
    assert (of_archive["n_parts"], of_archive["status"]) == (10, "alert")


def test_a_column_that_is_missing_leaves_the_ranking_undefined() -> None:
    rng = np.random.default_rng(5)
    tables = [
        pa.table({"a": rng.normal(size=500), "b": rng.normal(size=500) / 2, "c": rng.normal(size=500) / 3})
        for _ in range(11)
    ]
    schema = tg.Schema.infer(tables[0], attribution=["a", "b", "c"])
    reference = tg.Reference.fit(tables[0], schema=schema)
    parts = [tg.profile(each.drop_columns(["b"]), reference) for each in tables[1:]]
    for profiles in (parts, parts[0]):
        for each in tg.attribution_drift(profiles, reference).measurements:
            assert (each.value, each.low, each.high, each.status) == (None, None, None, "undefined")
