"""Ranked lists through the public path, held to scikit-learn and to a loop over queries."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import ndcg_score

import tidegauge as tg
from tidegauge import _core
from tidegauge.errors import InputError

ITEMS = 12


def lists(n: int, seed: int, *, noise: float = 1.0, graded: bool = True, labels: float = 1.0) -> pa.Table:
    """Queries of 12 items, in any order of rows; the score tells the relevance, give or take `noise`."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(0, 1, (n, ITEMS))
    gain = np.clip(np.floor(taste + 0.3), 0, 3)
    gain[gain.sum(axis=1) == 0, 0] = 1
    score = taste + rng.normal(0, noise, (n, ITEMS))
    order = rng.permutation(n * ITEMS)
    relevance = (gain if graded else (gain > 0).astype(float)).ravel()[order]
    query = np.repeat(np.arange(n), ITEMS)[order]
    known = rng.random(n) < labels
    return pa.table(
        {
            "session": pa.array([f"s{seed}-{q}" for q in query]),
            "p": score.ravel()[order],
            "gain": pa.array(relevance, mask=~known[query]),
            "time": pa.array(np.datetime64("2026-01-05", "us") + query % 28 * np.timedelta64(1, "D")),
        }
    )


def fitted(table: pa.Table, **options: object) -> tg.Reference:
    schema = tg.Schema.infer(table, query="session", score="p", label="gain", timestamp="time")
    return tg.Reference.fit(table, schema=schema, **options)  # type: ignore[arg-type]


REFERENCE = fitted(lists(3_000, 1))


def by_loop(table: pa.Table, k: int) -> dict[str, float]:
    """Every metric query by query, written out; `ndcg` by scikit-learn."""
    queries: dict[str, list[tuple[float, float]]] = {}
    for query, score, gain in zip(
        *(table[name].to_pylist() for name in ("session", "p", "gain")), strict=True
    ):
        queries.setdefault(query, []).append((score, gain))
    found: dict[str, list[float]] = {}
    for rows in queries.values():
        ranked = [gain for _, gain in sorted(rows, key=lambda row: -row[0])]
        hits = [gain > 0 for gain in ranked]
        relevant = sum(hits)
        first = [i + 1 for i, hit in enumerate(hits[:k]) if hit]
        scores, gains = np.array([[s for s, _ in rows]]), np.array([[g for _, g in rows]])
        told = {
            "ndcg": ndcg_score(gains, scores, k=k),
            "mean_average_precision": sum(sum(hits[:r]) / r for r in first) / min(relevant, k),
            "mean_reciprocal_rank": 1 / first[0] if first else 0.0,
            "hit_rate": float(bool(first)),
            "recall": len(first) / relevant,
            "precision": len(first) / k,
        }
        for name, value in told.items():
            found.setdefault(f"{name}_at_{k}", []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def test_lists_are_measured_as_by_scikit_learn_and_by_a_loop() -> None:
    now = lists(800, 2)
    found = tg.performance(tg.profile(now, REFERENCE), REFERENCE)
    names = set()
    for k in (1, 5, 10):
        for name, wanted in by_loop(now, k).items():
            each = found.measurement(name)
            assert each.value == pytest.approx(wanted, abs=1e-9), name
            assert each.low <= wanted <= each.high
            assert (each.column, each.n_current, each.n_reference) == ("session", 800, 3_000)
            names.add(name)
    assert {each.name for each in found.measurements} == names
    assert found.status == "ok"
    assert (found.n_rows, found.n_labelled) == (800, 800)
    judged = {each.name for each in found.measurements if each.threshold is not None}
    assert judged == {f"{name}_at_10" for name in ("ndcg", "mean_average_precision", "mean_reciprocal_rank")}


def test_clicks_are_counted_as_answers_too() -> None:
    """A relevance of 0 or 1 is a binary label of each row besides."""
    rows = lists(400, 3, graded=False)
    reference = fitted(rows)
    kinds = {type(each).__name__ for each in reference.profile._core.outcomes}
    assert kinds == {"BinaryOutcomes", "RankingOutcomes"}
    found = tg.performance(tg.profile(rows, reference), reference)
    assert found.value("roc_auc") is not None
    assert found.value("ndcg_at_5") == pytest.approx(by_loop(rows, 5)["ndcg_at_5"], abs=1e-9)


def test_a_worse_ranking_is_alarmed_and_dated() -> None:
    found = tg.performance(tg.profile(lists(800, 4, noise=3.0), REFERENCE), REFERENCE)
    assert found.status == "alert"
    assert found.measurement("ndcg_at_10").status == "alert"
    windows = [tg.profile(lists(300, 10 + i, noise=1.0 if i < 4 else 2.0), REFERENCE) for i in range(8)]
    scan = tg.performance_scan(windows, REFERENCE)
    assert [(each.name, each.column, each.since) for each in scan.alarms] == [("ndcg_loss", "session", 4)]


def test_windows_of_a_reference_are_kept() -> None:
    reference = fitted(lists(3_000, 5), window="1d")
    (metrics,) = reference.windows.metrics
    assert metrics.rows.sum() == 3_000
    assert np.isfinite(metrics.of("ndcg_at_10")).all()
    again = tg.Reference.from_bytes(reference.to_bytes())
    assert again == reference
    found = tg.performance(tg.profile(lists(800, 6), again), again)
    assert found.status == "ok"


def test_queries_that_are_left_out_are_told() -> None:
    rows = lists(300, 7)
    odd = pa.table(
        {
            "session": pa.array(["one", "none", "none", "lacks", "lacks"]),
            "p": pa.array([0.5, 0.5, 0.4, None, 0.3]),
            "gain": [1.0, 0.0, 0.0, 1.0, 0.0],
            "time": rows["time"][:5],
        }
    )
    found = tg.performance(tg.profile(pa.concat_tables([rows, odd]).combine_chunks(), REFERENCE), REFERENCE)
    assert found.n_labelled == 300
    for words in (
        "1 queries have one item",
        "1 queries have no relevant item",
        "1 queries have an item without a score or a relevance",
    ):
        assert any(words in note for note in found.notes), words


def test_queries_wait_for_labels_as_a_whole() -> None:
    found = tg.performance(tg.profile(lists(500, 8, labels=0.4), REFERENCE), REFERENCE)
    assert found.coverage == pytest.approx(0.4, abs=0.08)
    assert found.measurement("ndcg_at_10").status == "immature"
    assert any("of 500 queries have a label" in note for note in found.notes)
    few = tg.performance(tg.profile(lists(50, 9), REFERENCE), REFERENCE)
    assert few.status == "insufficient"
    assert any("50 labelled queries; 100 are needed" in note for note in few.notes)


def test_segments_and_light_profiles_count_the_same() -> None:
    rows = lists(400, 10)
    rows = rows.append_column(
        "shop", pa.array([int(name.split("-")[1]) % 2 for name in rows["session"].to_pylist()])
    )
    schema = tg.Schema.infer(rows, query="session", score="p", label="gain", segments="shop")
    reference = tg.Reference.fit(rows, schema=schema, segments=["shop"])
    (whole,) = reference.profile._core.outcomes
    parts = [profile._core.outcomes[0] for profile in reference.segments.values()]
    assert sum(each.queries["counted"] for each in parts) == whole.queries["counted"] == 400
    (light,) = tg.profile(rows, reference, accumulators="light")._core.outcomes
    assert light.to_bytes() == whole.to_bytes()


@pytest.mark.parametrize("one_by_one", [True, False])
def test_a_monitor_counts_lists(tmp_path, one_by_one: bool) -> None:
    rows = lists(40, 13)
    url = f"sqlite:///{tmp_path}/a.db"
    with tg.Monitor("m", REFERENCE, archive=url, window="60d", grace="60d", strict=True) as monitor:
        if one_by_one:
            for row in rows.to_pylist():
                monitor.record(row)
        else:
            monitor.update(rows)
    with tg.Archive(url) as archive:
        (counts,) = archive.merged("m")._core.outcomes
    (expected,) = tg.profile(rows, REFERENCE)._core.outcomes
    assert counts.queries == expected.queries
    assert counts.to_bytes() == expected.to_bytes()


def test_labels_that_come_late_change_no_list(tmp_path) -> None:
    """Nothing of a ranked list waits; what else is counted of its rows gets the labels."""
    rows = lists(300, 11, graded=False)
    rows = rows.append_column("id", pa.array(range(rows.num_rows)))
    reference = tg.Reference.fit(
        rows, schema=tg.Schema.infer(rows, query="session", score="p", label="gain", id="id")
    )
    url = f"sqlite:///{tmp_path}/a.db"
    with tg.Monitor("m", reference, archive=url, window="1d", strict=True) as monitor:
        monitor.update(rows.drop_columns(["gain"]))
        assert monitor.label(rows.select(["id", "gain"])).n_given == rows.num_rows
    with tg.Archive(url) as archive:
        outcomes = {type(each).__name__: each for each in archive.merged("m")._core.outcomes}
        assert outcomes["RankingOutcomes"].queries["unlabelled"] == 300
        assert outcomes["BinaryOutcomes"].counts()[0][:2].sum() == rows.num_rows
    alone = tg.Reference.fit(
        lists(300, 12).append_column("id", pa.array(range(300 * ITEMS))),
        schema=tg.Schema(
            [
                tg.Column("session", "category", "query", judge=False),
                tg.Column("p", "number", "score"),
                tg.Column("gain", "number", "label"),
                tg.Column("id", "number", "id", judge=False),
            ]
        ),
    )
    assert {type(each) for each in alone.profile._core.outcomes} == {_core.RankingOutcomes}
    with tg.Monitor("m", alone, archive=f"sqlite:///{tmp_path}/b.db", window="1d", strict=True) as monitor:
        monitor.update(rows.drop_columns(["gain"]))
        with pytest.raises(InputError, match="ranked lists have theirs at once"):
            monitor.label(rows.select(["id", "gain"]))
