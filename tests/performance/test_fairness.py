"""`fairness`: Clarify's formulas on raw rows, evidence before alarm, too few rows, what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import util
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.report.test_page import require_sound

import tidegauge as tg
from tidegauge.errors import InputError
from tidegauge.measurement import Status
from tidegauge.outcomes.facets import CLARIFY, unlike_p
from tidegauge.report import render_fairness
from tidegauge.segments import segment_key

ADULTS = Path(__file__).parents[2].parent / "shared" / "data" / "adults.parquet"
SEGMENTS = ["sex", ("sex", "job")]


def people(n: int, seed: int, *, unfair: float = 0.0, labels: float = 1.0) -> pd.DataFrame:
    """Rows of two sexes in three jobs; `unfair` is taken off the scores of d."""
    rng = np.random.default_rng(seed)
    sex = np.where(rng.random(n) < 0.6, "a", "d")
    job = rng.choice(["x", "y", "z"], n, p=[0.5, 0.3, 0.2])
    truth = rng.random(n) < 0.35 + 0.15 * (job == "x")
    score = np.round(np.clip(0.3 + 0.3 * truth + 0.2 * rng.normal(size=n) - unfair * (sex == "d"), 0, 1), 2)
    label = pd.array(truth.astype("int64"), dtype="Int64")
    label[rng.random(n) >= labels] = pd.NA
    return pd.DataFrame({"sex": sex, "job": job, "p": score, "y": label})


def fitted(rows: pd.DataFrame, **options: object) -> tg.Reference:
    schema = tg.Schema.infer(rows, **{"score": "p", "label": "y", "positive": 1, **options})
    return tg.Reference.fit(rows, schema=schema, segments=SEGMENTS)


@pytest.fixture(scope="module")
def reference() -> tg.Reference:
    return fitted(people(10_000, 1))


def told(reference: tg.Reference, rows: pd.DataFrame, **options: object) -> tg.Fairness:
    return tg.fairness(tg.profile_segments(rows, reference, SEGMENTS), reference, "sex", **options)


def clarify(a: pd.DataFrame, d: pd.DataFrame, job: pd.Series | None = None) -> dict[str, float]:
    """SageMaker Clarify's metrics as its documentation writes them, of rows with label y and answer f."""
    (p_a, p_d) = (np.array([(1 - s.y).mean(), s.y.mean()], float) for s in (a, d))
    m = (p_a + p_d) / 2

    def kl(p: np.ndarray, q: np.ndarray) -> float:
        return float((p * np.log(p / q)).sum())

    def disparity(column: str) -> float:
        both = pd.concat([a.assign(facet="a"), d.assign(facet="d")])
        total = 0.0
        for _, part in both.groupby("job"):
            accepted, rejected = part[part[column] == 1], part[part[column] == 0]
            gap = (rejected.facet == "d").mean() - (accepted.facet == "d").mean()
            total += len(part) * gap
        return total / len(both)

    n1, n0 = (lambda s: (s.y == 1).sum()), (lambda s: (s.y == 0).sum())
    f1, f0 = (lambda s: (s.f == 1).sum()), (lambda s: (s.f == 0).sum())
    fn, fp = (lambda s: ((s.y == 1) & (s.f == 0)).sum()), (lambda s: ((s.y == 0) & (s.f == 1)).sum())
    both = pd.concat([a, d])
    benefit = both.f - both.y + 1
    return {
        "CI": (len(a) - len(d)) / (len(a) + len(d)),
        "DPL": a.y.mean() - d.y.mean(),
        "KL": kl(p_a, p_d),
        "JS": (kl(p_a, m) + kl(p_d, m)) / 2,
        "LP": np.sqrt(((p_a - p_d) ** 2).sum()),
        "TVD": np.abs(p_a - p_d).sum() / 2,
        "KS": np.abs(p_a - p_d).max(),
        "CDDL": disparity("y"),
        "DPPL": a.f.mean() - d.f.mean(),
        "DI": d.f.mean() / a.f.mean(),
        "RD": a.f[a.y == 1].mean() - d.f[d.y == 1].mean(),
        "SD": (1 - d.f[d.y == 0]).mean() - (1 - a.f[a.y == 0]).mean(),
        "DAR": a.y[a.f == 1].mean() - d.y[d.f == 1].mean(),
        "DRR": (1 - d.y[d.f == 0]).mean() - (1 - a.y[a.f == 0]).mean(),
        "AD": (a.y == a.f).mean() - (d.y == d.f).mean(),
        "DCAcc": n1(a) / f1(a) - n1(d) / f1(d),
        "DCR": n0(d) / f0(d) - n0(a) / f0(a),
        "TE": fn(d) / fp(d) - fn(a) / fp(a),
        "CDDPL": disparity("f"),
        "GE": ((benefit / benefit.mean()) ** 2 - 1).mean() / 2,
    }


@pytest.mark.parametrize("favourable", ["positive", "negative"])
def test_every_metric_is_clarifys_of_raw_rows(reference: tg.Reference, favourable: str) -> None:
    rows = people(6_000, 2, unfair=0.1)
    found = told(reference, rows, advantaged="a", group="job", favourable=favourable)
    marked = rows.assign(f=(rows.p >= 0.5).astype(int), y=rows.y.astype(int))
    if favourable == "negative":
        marked = marked.assign(f=1 - marked.f, y=1 - marked.y)
    wanted = clarify(marked[marked.sex == "a"], marked[marked.sex == "d"])
    assert set(CLARIFY.values()) == set(wanted)
    for name, value in wanted.items():
        assert found.value(name) == pytest.approx(value, abs=1e-12), name
    assert {each.segment for each in found.measurements} == {segment_key({"sex": "d"}), None}
    before = people(10_000, 1)
    marked = before.assign(f=(before.p >= 0.5).astype(int), y=before.y.astype(int))
    if favourable == "negative":
        marked = marked.assign(f=1 - marked.f, y=1 - marked.y)
    for name, value in clarify(marked[marked.sex == "a"], marked[marked.sex == "d"]).items():
        assert found.measurement(name).reference_value == pytest.approx(value, abs=1e-12), name
    (of_a, of_d) = found.facets
    assert of_d.selection_rate == pytest.approx(
        (rows.p[rows.sex == "d"] >= 0.5).mean()
        if favourable == "positive"
        else (rows.p[rows.sex == "d"] < 0.5).mean()
    )
    assert of_a.n_rows + of_d.n_rows == 6_000


def test_answers_given_as_words_are_told_the_same(reference: tg.Reference) -> None:
    def worded(rows: pd.DataFrame) -> pd.DataFrame:
        words = {1: "yes", 0: "no"}
        return rows.assign(answer=(rows.p >= 0.5).astype(int).map(words), truth=rows.y.map(words))[
            ["sex", "job", "answer", "truth"]
        ]

    before, now = people(10_000, 1), people(5_000, 3, unfair=0.1, labels=0.6)
    other = tg.Reference.fit(
        worded(before),
        schema=tg.Schema.infer(worded(before), prediction="answer", label="truth", positive="yes"),
        segments=SEGMENTS,
    )
    one = told(reference, now, advantaged="a", group="job")
    two = told(other, worded(now), advantaged="a", group="job")
    assert [(each.name, each.value, each.status) for each in one.measurements] == [
        (each.name, pytest.approx(each.value), each.status) for each in two.measurements
    ]
    assert one.facets == two.facets


def test_each_facet_is_held_against_all_others_unless_one_is_named() -> None:
    rng = np.random.default_rng(4)
    rows = people(9_000, 4)
    rows["sex"] = rng.choice(["a", "b", "c"], len(rows))
    rows.loc[rows.sex == "c", "p"] = np.round(rows.p * 0.7, 2)
    reference = fitted(people(5_000, 5))
    found = told(reference, rows)
    chosen = rows.p >= 0.5
    for name in "abc":
        inside = rows.sex == name
        assert found.value("DI", name) == pytest.approx(chosen[inside].mean() / chosen[~inside].mean())
    named = told(reference, rows, advantaged="b")
    assert named.value("DI", "c") == pytest.approx(
        chosen[rows.sex == "c"].mean() / chosen[rows.sex == "b"].mean()
    )
    assert "b" not in {each.segment and json.loads(each.segment)["sex"] for each in named.measurements}
    assert found.measurement("DI", "c").status == "alert"
    assert "disparate_impact of sex=c against all others 0." in found.summary
    assert "sex=c against sex=b" in named.summary
    with pytest.raises(KeyError, match="3 metrics 'DI' of facet None; a, b, c"):
        found.value("DI")
    with pytest.raises(KeyError, match="there are acceptance_rate_difference"):
        found.value("nothing")


def test_selection_needs_no_labels(reference: tg.Reference) -> None:
    rows = people(4_000, 6, unfair=0.15, labels=0.01)
    found = told(reference, rows, advantaged="a")
    chosen = rows.p >= 0.5
    assert found.value("DI") == pytest.approx(chosen[rows.sex == "d"].mean() / chosen[rows.sex == "a"].mean())
    assert found.measurement("DI").status == "alert"
    assert found.measurement("RD").status == "insufficient"
    assert "sex=d: too few rows to judge recall_difference" in found.notes[0]


@pytest.mark.parametrize(
    ("hits", "status"),
    [
        ((12, 30), "insufficient"),
        ((42, 55), "ok"),  # .76, but it may be chance
        ((350, 500), "alert"),
        ((395, 500), "warning"),  # .79, its interval ends above .8, and 1 lies outside
        ((480, 500), "ok"),
    ],
)
def test_four_fifths_are_broken_by_the_upper_end_of_the_interval(
    hits: tuple[int, int], status: Status
) -> None:
    """Of the rows of a half are chosen; of d as many in proportion, times the ratio of `hits`."""
    chosen, of = hits
    n = 2 * of
    rows = pd.DataFrame(
        {
            "sex": ["a"] * n + ["d"] * n,
            "job": "x",
            "p": [0.9] * of + [0.1] * (n - of) + [0.9] * chosen + [0.1] * (n - chosen),
            "y": [1, 0] * n,
        }
    )
    if status == "insufficient":
        rows = rows.drop(rows[rows.sex == "d"].index[1::2])
    found = told(fitted(people(5_000, 7)), rows, advantaged="a").measurement("DI")
    assert found.status == status
    assert found.threshold == 0.8


def test_facets_that_are_treated_alike_are_seldom_named() -> None:
    """Forty facets of 150 rows: some differ by more than .1 by luck, which makes no alarm."""
    rng = np.random.default_rng(8)
    reference = fitted(people(5_000, 9))
    loud = 0
    for seed in range(10):
        rows = people(6_000, seed)
        rows["sex"] = rng.choice([f"f{i}" for i in range(40)], len(rows))
        found = told(reference, rows)
        judged = [
            each for each in found.measurements if each.threshold is not None and each.value is not None
        ]
        assert any(abs(each.value) > 0.1 for each in judged if each.name != "disparate_impact"), (
            "luck would have named some"
        )
        loud += found.status in ("warning", "alert")
    assert loud <= 2


def test_weights_count_as_rows() -> None:
    rows = people(4_000, 10, unfair=0.1)
    rows["w"] = np.random.default_rng(1).uniform(0.5, 3.0, len(rows)) * np.where(rows.sex == "d", 2.0, 1.0)
    reference = fitted(rows, weight="w")
    found = told(reference, rows, advantaged="a")
    chosen = rows.p >= 0.5
    rate = {s: np.average(chosen[rows.sex == s], weights=rows.w[rows.sex == s]) for s in "ad"}
    assert found.value("DI") == pytest.approx(rate["d"] / rate["a"])
    of = {s: rows.w[rows.sex == s].sum() for s in "ad"}
    assert found.value("CI") == pytest.approx((of["a"] - of["d"]) / (of["a"] + of["d"]))


def test_a_reference_without_segments_has_no_value_to_tell() -> None:
    rows = people(3_000, 11)
    bare = tg.Reference.fit(rows, schema=tg.Schema.infer(rows, score="p", label="y", positive=1))
    found = told(bare, rows, advantaged="a")
    assert found.status == "ok"
    assert {each.reference_value for each in found.measurements} == {None}


def test_too_few_rows_are_no_verdict(reference: tg.Reference) -> None:
    found = told(reference, people(60, 3))
    assert found.status == "insufficient"
    assert found.summary.startswith("insufficient: too few rows to tell")
    assert {each.status for each in found.measurements if each.threshold is not None} <= {
        "insufficient",
        "undefined",
    }


def test_what_does_not_fit_is_refused(reference: tg.Reference) -> None:
    segments = tg.profile_segments(people(1_000, 12), reference, SEGMENTS)
    for by, options, why in (
        ("age", {}, "two facets at least of column 'age' are needed; the segments have none"),
        ("sex", {"advantaged": "q"}, "the facet 'q' of column 'sex' are needed; the segments have 'sex=a'"),
        ("sex", {"group": "age"}, "no segments by 'sex' and 'age' together"),
        ("sex", {"column": "q"}, "column 'q' of the reference has yes-or-no answers and labels; p has"),
        ("sex", {"favourable": "best"}, "favourable is 'best'"),
        ("sex", {"tolerance": 1.0}, "tolerance 1.0"),
    ):
        with pytest.raises(InputError, match=why):
            tg.fairness(segments, reference, by, **options)
    numbers = people(500, 13).assign(guess=lambda d: d.p * 100, truth=lambda d: d.p * 90)
    schema = tg.Schema.infer(numbers, prediction="guess", label="truth")
    with pytest.raises(InputError, match="no column of the reference has yes-or-no answers"):
        tg.fairness(segments, tg.Reference.fit(numbers, schema=schema), "sex")


def test_the_outcome_is_arrow_json_and_a_sound_page(reference: tg.Reference) -> None:
    rows = people(3_000, 14, unfair=0.15)
    rows["sex"] = rows.sex.map({"a": "<script>alert(1)</script>", "d": "d\u202e\x00"})
    segments = tg.profile_segments(rows, reference, SEGMENTS)
    found = tg.fairness(segments, reference, "sex", group="job")
    table = pa.table(found)
    assert table.num_rows == len(found.measurements)
    assert set(table["segment"].to_pylist()) == {None, *(each.segment for each in found.facets)}
    json.dumps(found.to_dict(), allow_nan=False)
    page = render_fairness(found)
    require_sound(page)
    assert "<script" not in page
    assert "\u202e" not in page
    assert page == render_fairness(found)
    assert "CDDPL" in page
    assert "\x00" not in repr(found)
    assert "<script>" not in found._repr_html_()


def tidegauge(folder: Path, *words: object, code: int = 0) -> str:
    command = [sys.executable, "-m", "tidegauge.cli", "fairness", *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stderr
    return done.stderr if code == 2 else done.stdout


def test_the_command_takes_files_and_archives(tmp_path: Path, reference: tg.Reference) -> None:
    reference.save(tmp_path / "ref.tg")
    rows = people(4_000, 15, unfair=0.15)
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), tmp_path / "rows.parquet")
    options = ("--segment", "sex", "--advantaged", "a", "--group", "job")
    found = json.loads(
        tidegauge(
            tmp_path, "rows.parquet", "--reference", "ref.tg", *options, "--json", "--html", "f.html", code=1
        )
    )
    wanted = told(reference, rows, advantaged="a", group="job").to_dict()
    assert found == json.loads(json.dumps(wanted))
    assert "treated" in (tmp_path / "f.html").read_text()
    assert "--reference" in tidegauge(tmp_path, "rows.parquet", "ref.tg", "--segment", "sex", code=2)
    tg.profile(rows, reference).save(tmp_path / "p.tg")
    assert "files of rows" in tidegauge(tmp_path, "p.tg", "--reference", "ref.tg", "--segment", "sex", code=2)

    start = np.datetime64("2026-03-02", "us")
    end_ns = int((start + np.timedelta64(4, "D")).astype("M8[ns]").astype(int))
    settings = {"window": "1d", "timestamp": "time", "segments": SEGMENTS, "clock": lambda: end_ns}
    with tg.Monitor("m", reference, archive=str(tmp_path / "a.db"), **settings) as monitor:
        for day in range(4):
            part = rows.iloc[day * 1_000 : (day + 1) * 1_000]
            monitor.update(part.assign(time=start + np.timedelta64(day, "D")))
    of_archive = json.loads(tidegauge(tmp_path, "a.db", *options, "--json", code=1))
    assert of_archive["facets"] == found["facets"]


@pytest.mark.skipif(not ADULTS.exists(), reason=f"{ADULTS} is not there")
def test_the_example_finds_what_census_data_are_known_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(__file__).parents[2] / "examples" / "fairness.py"
    spec = util.spec_from_file_location("fairness_example", path)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(str(ADULTS), str(tmp_path / "f.html")) == 1
    said = capsys.readouterr().out
    assert "disparate_impact of sex=Female against sex=Male 0.2" in said
    assert "race=Other: too few rows to judge recall_difference" in said
    require_sound((tmp_path / "f.html").read_text())


def test_the_p_of_unlike_shares_is_scipys() -> None:
    from scipy.stats import chi2_contingency, fisher_exact

    for a, d in (
        ((30.0, 100.0), (50.0, 100.0)),
        ((5.0, 40.0), (900.0, 2_000.0)),
        ((19.0, 20.0), (300.0, 900.0)),
    ):
        table = [[a[0], a[1] - a[0]], [d[0], d[1] - d[0]]]
        assert unlike_p(a, d) == pytest.approx(chi2_contingency(table, correction=True).pvalue)
        assert 0.5 < unlike_p(a, d) / fisher_exact(table).pvalue < 6
    assert unlike_p((10, 10), (20, 20)) == unlike_p((0, 0), (5, 10)) == 1.0
