"""Every label told is in one of the counts, once, and nothing that is wrong stops the service."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

import tidegauge as tg
from tidegauge.archive import LabelReport
from tidegauge.archive.shelves import found_on
from tidegauge.errors import ArchiveWarning, InputError
from tidegauge.window import DAY


def labels(pairs):
    ids, values = zip(*pairs, strict=True)
    return pa.table({"id": pa.array(ids, pa.string()), "label": values})


def test_each_label_is_in_one_count(monitor, url, reference, late):
    rows = late.payments(10)
    with monitor() as watching:
        watching.update(late.without_labels(rows))
        report = watching.label(
            labels([("p-0", 1), ("p-1", 0), ("p-1", 1), ("p-2", None), (None, 1), ("p-3", 7), ("p-99", 1)])
        )
        assert report == LabelReport(
            n_rows=7, n_given=2, n_duplicate=1, n_null=1, n_null_id=1, n_unknown=1, n_early=1, n_early_kept=1
        )
        assert watching.label(labels([("p-0", 0), ("p-1", 1)])) == LabelReport(
            n_rows=2, n_corrected=1, n_duplicate=1, n_early_kept=1
        )
        assert watching.label(labels([("p-4", "yes")])) == LabelReport(n_rows=1, n_mistyped=1, n_early_kept=1)
        assert watching.health.n_rows_kept == 10
    with tg.Archive(url) as archive:
        values = pa.array([0, 1, *([None] * 8)], pa.int64())
        joined = rows.set_column(rows.column_names.index("label"), "label", values)
        late.require_equal(archive, joined, reference)
        assert sum(each.n_labelled for each in archive.coverage("m")) == 2


def test_labels_before_their_predictions_wait_for_them(monitor, url, reference, late):
    rows = late.payments(200)
    with monitor() as watching:
        assert watching.label(late.labels_of(rows)).n_early == 200
        watching.update(late.without_labels(rows.slice(0, 120)))
        assert watching.checkpoint()
        watching.update(late.without_labels(rows.slice(120)))
    with tg.Archive(url) as archive:
        late.require_equal(archive, rows, reference)
        assert not archive.has_early_labels(archive.models()[0])


def test_several_predictions_of_one_id_each_get_its_label(monitor, url, reference, late):
    rows = late.payments(60)
    same = rows.set_column(0, "id", pa.array(["a", "b"] * 30))
    told = same.set_column(same.column_names.index("label"), "label", pa.array([1, 0] * 30))
    with monitor() as watching:
        watching.update(late.without_labels(same.slice(0, 20)))
        assert watching.label(labels([("a", 0), ("b", 0)])).n_given == 2
        watching.update(late.without_labels(same.slice(20)))
        report = watching.label(labels([("a", 1), ("b", 0)]))
        assert (report.n_corrected, report.n_given) == (1, 1)
    with tg.Archive(url) as archive:
        late.require_equal(archive, told, reference)


def test_rows_that_came_with_labels_are_corrected_too(monitor, url, reference, late):
    rows = late.payments(100)
    at = rows.column_names.index("label")
    first = rows.set_column(at, "label", pa.array([None if i % 3 else 1 for i in range(100)], pa.int64()))
    with monitor() as watching:
        watching.update(first)
        report = watching.label(late.labels_of(rows))
    ones = sum(rows["label"].to_pylist()[i] for i in range(0, 100, 3))
    assert (report.n_given, report.n_duplicate, report.n_corrected) == (66, ones, 34 - ones)
    with tg.Archive(url) as archive:
        late.require_equal(archive, rows, reference)


def test_scores_that_are_amiss_and_rows_without_ids(monitor, url, reference, late):
    rows = late.payments(300)
    score = rows["score"].to_numpy().copy()
    score[::7], score[::11], score[::13] = np.nan, np.inf, 9.0
    rows = rows.set_column(rows.column_names.index("score"), "score", pa.array(score))
    rows = rows.set_column(0, "id", pa.array([None if i % 10 == 9 else f"p-{i}" for i in range(300)]))
    keeps = [i % 10 != 9 for i in range(300)]
    joined = rows.set_column(
        rows.column_names.index("label"),
        "label",
        pa.array(
            [v if k else None for v, k in zip(rows["label"].to_pylist(), keeps, strict=True)], pa.int64()
        ),
    )
    with monitor() as watching:
        watching.update(late.without_labels(rows))
        for row in late.without_labels(rows).slice(0, 5).to_pylist():
            watching.record(row | {"id": "extra", "score": "high"})
        report = watching.label(late.labels_of(rows))
        assert (report.n_given, report.n_null_id) == (270, 30)
        assert watching.label(labels([("extra", 1)])).n_given == 1
        assert watching.label(labels([("extra", 1)])).n_duplicate == 1
        assert (watching.health.n_rows_kept, watching.health.n_rows_unkept) == (275, 30)
    with tg.Archive(url) as archive:
        merged = archive.merged("m")
        binary = next(each for each in merged._core.outcomes if hasattr(each, "edges"))
        alone = next(each for each in tg.profile(joined, reference)._core.outcomes if hasattr(each, "edges"))
        assert np.array_equal(binary.counts()[0], alone.counts()[0])
        assert binary.homes["score_mistyped"] == 5


def test_over_the_bytes_half_of_the_ids_are_let_go_and_the_others_are_exact(
    monitor, url, reference, late, clock
):
    rows = late.payments(4_000)
    with monitor(waiting_bytes=33 * 2_500) as watching:
        watching.update(late.without_labels(rows))
        report = watching.label(late.labels_of(rows))
        assert 0 < report.n_given < 2_500
        assert report.n_given + report.n_dropped == 4_000
        assert watching.label(late.labels_of(rows)).n_duplicate == report.n_given
    with tg.Archive(url) as archive:
        covered = archive.coverage("m")
        assert {each.rate for each in covered} == {0.5}
        assert sum(each.n_labelled for each in covered) == report.n_given
        assert all(0.8 < each.share <= 1 for each in covered)
        merged = archive.merged("m")
        assert merged.n_rows == 4_000
        assert not merged._core.labels_unresolved


def test_predictions_wait_no_longer_than_they_should(monitor, url, late, clock):
    rows = late.payments(500)
    with monitor(wait="30d") as watching:
        watching.update(late.without_labels(rows))
        assert watching.label(late.labels_of(rows.slice(0, 100))).n_given == 100
    clock.now_ns += 31 * DAY
    with monitor(wait="30d") as watching:
        watching.update(late.without_labels(late.payments(10, first=900, begin_ns=clock())))
        assert watching.checkpoint()
        report = watching.label(late.labels_of(rows))
        assert (report.n_given, report.n_duplicate, report.n_early) == (0, 0, 500)
    with tg.Archive(url) as archive:
        assert not archive.merged("m")._core.labels_unresolved
        assert sum(each.n_labelled for each in archive.coverage("m")) == 100
        assert sum(each.n_rows for each in found_on(archive.store, archive.models()[0], "waiting")) == 10


def test_many_blocks_become_one_and_labels_find_their_rows_in_it(monitor, url, reference, late):
    rows = late.payments(600)
    for begin in range(0, 600, 20):
        with monitor() as watching:
            watching.update(late.without_labels(rows.slice(begin, 20)))
            watching.label(late.labels_of(rows.slice(0, begin + 20)))
    with tg.Archive(url) as archive:
        late.require_equal(archive, rows, reference)
        for shelf in ("waiting", "given"):
            assert len(found_on(archive.store, archive.models()[0], shelf)) < 25
        assert archive.label("m", late.labels_of(rows)).n_duplicate == 600


def test_columns_by_other_names_and_ids_of_another_type(monitor, url, reference, late):
    rows = late.payments(50)
    numbered = rows.set_column(0, "id", pa.array([str(i) for i in range(50)]))
    told = pa.table({"payment": pa.array(range(50), pa.int32()), "fraud": rows["label"].cast(pa.float64())})
    with monitor() as watching:
        watching.update(late.without_labels(numbered))
        assert watching.label(told, id="payment", label="fraud").n_given == 50
        with pytest.raises(InputError, match=r"no column 'label'.*it has \['payment', 'fraud'\]"):
            watching.label(told, id="payment")
    with tg.Archive(url) as archive:
        late.require_equal(archive, numbered, reference)


def test_a_reference_without_ids_or_outcomes_says_what_to_do(url, late, clock):
    rows = late.payments(2_000)
    for without, match in (("id", "has no id"), ("label", "counts no outcomes")):
        roles = {role: name for role, name in late.roles.items() if role != without}
        positive = {} if without == "label" else {"positive": 1}
        reference = tg.Reference.fit(rows, schema=tg.Schema.infer(rows, **positive, **roles))
        with tg.Monitor("m", reference, archive=url, clock=clock, strict=True) as watching:
            watching.update(rows)
            with pytest.raises(InputError, match=match):
                watching.label(late.labels_of(rows))
            assert watching.health.n_rows_kept == 0


def test_nothing_is_raised_where_the_archive_cannot_be_written(monitor, tmp_path, url, late):
    rows = late.payments(300)
    watching = monitor(strict=False)
    watching.update(late.without_labels(rows))
    assert watching.checkpoint()
    holder = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert watching.label(late.labels_of(rows)) == LabelReport(stored=False)
    holder.execute("ROLLBACK")
    holder.close()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        assert not watching.label(late.labels_of(rows)).stored
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert watching.health.errors["archive"] >= 1
    assert not watching.label({"nonsense": np.zeros(3)}).stored
    assert watching.health.errors["InputError"] == 1
    assert watching.label(late.labels_of(rows)).n_given == 300
    watching.close()


def label_in_another_process(url: str, told: dict[str, list], at_once) -> None:
    at_once.wait()
    with tg.Archive(url) as archive:
        for begin in range(0, len(told["id"]), 50):
            archive.label("m", {name: np.array(values[begin : begin + 50]) for name, values in told.items()})


def test_two_processes_that_label_at_once_give_each_label_once(monitor, url, reference, late):
    rows = late.payments(400)
    with monitor() as watching:
        watching.update(late.without_labels(rows))
    told = late.labels_of(rows).to_pydict()
    context = multiprocessing.get_context("spawn")
    at_once = context.Barrier(2)
    workers = [context.Process(target=label_in_another_process, args=(url, told, at_once)) for _ in range(2)]
    for each in workers:
        each.start()
    for each in workers:
        each.join(60)
        assert each.exitcode == 0
    with tg.Archive(url) as archive:
        late.require_equal(archive, rows, reference)


def test_a_child_that_is_forked_while_labels_are_given_holds_nothing_up(url, late, monitor):
    rows = late.payments(50)
    with monitor() as watching:
        watching.update(late.without_labels(rows))
    with tg.Archive(url) as archive:
        with archive.store.alone("labels"):
            child = os.fork()
            if child == 0:
                signal.pause()
        try:
            signal.alarm(60)  # the lock is free, though the child lives
            assert archive.label("m", late.labels_of(rows)).n_given == 50
        finally:
            signal.alarm(0)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


@pytest.mark.parametrize("shelf", ["waiting", "given"])
def test_a_damaged_block_is_set_aside_and_the_others_are_read(monitor, url, late, tmp_path, shelf):
    rows = late.payments(100)
    with monitor() as watching:
        watching.update(late.without_labels(rows.slice(0, 50)))
        watching.label(late.labels_of(rows.slice(0, 50)))
    with tg.Archive(url) as archive:
        key = found_on(archive.store, archive.models()[0], shelf)[0].key
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute(
            "UPDATE profiles SET state = ? WHERE model = ? AND sequence = ? AND writer = ? AND start_ns = ?",
            (b"damaged", key.model, key.sequence, key.writer, key.window.start_ns),
        )
    with tg.Archive(url) as archive:
        with pytest.warns(ArchiveWarning, match="is set aside"):
            archive.label("m", late.labels_of(rows))
        assert len(archive.quarantined()) == 1


def test_the_command_line_tells_labels(monitor, url, reference, late, tmp_path):
    import pyarrow.parquet as pq

    rows = late.payments(200)
    with monitor() as watching:
        watching.update(late.without_labels(rows))
    pq.write_table(late.labels_of(rows).slice(0, 150), tmp_path / "labels-1.parquet")
    pq.write_table(late.labels_of(rows).slice(100), tmp_path / "labels-2.parquet")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tidegauge.cli", "label", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    done = run("a.db", "labels-*.parquet", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["n_rows"], found["n_given"], found["n_duplicate"]) == (250, 200, 50)
    again = run("a.db", "labels-1.parquet", "--model", "m")
    assert (again.returncode, again.stdout) == (0, "150 labels: 150 known already\n")
    wrong = run("a.db", "labels-1.parquet", "--label", "fraud")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "no column 'fraud'" in wrong.stderr
    assert run("none.db", "labels-1.parquet").returncode == 2
    assert run("a.db", "labels-1.parquet", "--model", "other").returncode == 2
    with tg.Archive(url) as archive:
        late.require_equal(archive, rows, reference)


def test_numbers_are_labels_of_a_regression(url, late, clock):
    rng = np.random.default_rng(4)
    n = 2_000
    rows = pa.table(
        {
            "id": np.arange(n),
            "time": pa.array(late.T0 + rng.integers(0, DAY, n), pa.timestamp("ns")),
            "prediction": rng.normal(size=n),
            "weight": rng.random(n),
            "low": pa.array(rng.normal(-1, 1, n), mask=rng.random(n) < 0.1),
            "high": rng.normal(1, 1, n),
        }
    )
    label = rows["prediction"].to_numpy() + rng.normal(size=n)
    joined = rows.append_column("label", pa.array(label))
    roles = {"prediction": "prediction", "label": "label", "id": "id", "timestamp": "time"}
    roles |= {"lower": "low", "upper": "high"}
    reference = tg.Reference.fit(joined, schema=tg.Schema.infer(joined, **roles))
    wrong = pa.table({"id": rows["id"], "label": pa.array(np.where(np.arange(n) % 5, label, label + 1))})
    amiss = pa.table({"id": [0, 1, 2], "label": [float("nan"), float("inf"), 1e300]})
    with tg.Monitor("m", reference, archive=url, window="1d", clock=clock, strict=True) as watching:
        watching.update(rows)
        assert watching.label(wrong.slice(0, 1_500)).n_given == 1_500
        report = watching.label(joined.select(["id", "label"]))
        assert (report.n_given, report.n_corrected, report.n_duplicate) == (500, 300, 1_200)
        report = watching.label(amiss)
        assert (report.n_null, report.n_unknown) == (1, 2)
    (alone,) = tg.profile(joined, reference)._core.outcomes
    with tg.Archive(url) as archive:
        (counts,) = archive.merged("m")._core.outcomes
        assert counts.homes == alone.homes
        assert np.array_equal(counts.counts(), alone.counts())
        assert counts.sides() == alone.sides()
        assert min(alone.sides()) > 0
        for name, (of_rows, total) in alone.sums().items():
            assert counts.sums()[name] == (of_rows, pytest.approx(total, rel=1e-12, abs=1e-9)), name


def test_texts_are_labels_of_many_classes_and_new_ones_are_other(url, late, clock):
    rng = np.random.default_rng(6)
    n = 900
    classes = np.array(["cat", "dog", "owl"])
    rows = pa.table({"id": np.arange(n), "prediction": classes[rng.integers(0, 3, n)]})
    joined = rows.append_column("label", pa.array(classes[rng.integers(0, 3, n)]))
    schema = tg.Schema.infer(joined, prediction="prediction", label="label", id="id")
    reference = tg.Reference.fit(joined, schema=schema)
    label = joined["label"].to_pylist()
    label[:10] = ["yak"] * 10
    joined = joined.set_column(2, "label", pa.array(label))
    with tg.Monitor("m", reference, archive=url, window="1d", clock=clock, strict=True) as watching:
        watching.update(rows)
        report = watching.label(joined.select(["id", "label"]))
        assert report.n_given == n
        assert watching.label({"id": np.array([5]), "label": np.array([7])}).n_mistyped == 1
    with tg.Archive(url) as archive:
        assert late.told(archive.merged("m")) == late.told(tg.profile(joined, reference))


def test_weighted_scores_keep_their_weights(url, late, clock):
    rows = late.payments(1_000)
    schema = tg.Schema.infer(rows, positive=1, **(late.roles | {"weight": "amount"}))
    reference = tg.Reference.fit(rows, schema=schema)
    with tg.Monitor("m", reference, archive=url, window="1d", clock=clock, strict=True) as watching:
        watching.update(late.without_labels(rows))
        watching.label(late.labels_of(rows).take(list(range(999, -1, -1))))
    with tg.Archive(url) as archive:
        found = next(each for each in archive.merged("m")._core.outcomes if hasattr(each, "edges"))
    alone = next(each for each in tg.profile(rows, reference)._core.outcomes if hasattr(each, "edges"))
    assert np.array_equal(found.counts()[0], alone.counts()[0])
    for one, other in zip(found.weighted(), alone.weighted(), strict=True):
        assert np.allclose(one, other, rtol=1e-12, atol=1e-12 * np.abs(other).sum())


@pytest.mark.parametrize("kind", ["sqlite", "directory"])
def test_a_labeller_that_is_stopped_holds_nobody_up_for_ever(tmp_path, late, reference, monkeypatch, kind):
    url = f"sqlite:///{tmp_path}/a.db" if kind == "sqlite" else f"file://{tmp_path}/a"
    monkeypatch.setattr(f"tidegauge.archive.{'sqlite' if kind == 'sqlite' else 'parquet'}.ALONE_SECONDS", 0.2)
    rows = late.payments(20)
    with tg.Monitor("m", reference, archive=url) as watching:
        watching.update(late.without_labels(rows))
        assert watching.checkpoint()
        with tg.Archive(url) as other, other.store.alone("labels"):
            assert not watching.label(late.labels_of(rows)).stored
            assert "look if it is stopped" in watching.health.last_error
        assert watching.label(late.labels_of(rows)).n_given == 20


def test_scores_of_all_classes_get_labels_late_as_at_once(url, late, clock):
    rng = np.random.default_rng(7)
    n = 1_200
    scores = rng.dirichlet([1, 2, 3], n)
    classes = np.array(["cat", "dog", "owl"])
    rows = pa.table(
        {
            "id": np.arange(n),
            "country": rng.choice(["SE", "DE"], n),
            "p_cat": pa.array(scores[:, 0], mask=rng.random(n) < 0.05),
            "p_dog": scores[:, 1],
            "p_owl": scores[:, 2],
        }
    )
    joined = rows.append_column("label", pa.array(classes[rng.integers(0, 3, n)]))
    score = {name: f"p_{name}" for name in classes.tolist()}
    reference = tg.Reference.fit(joined, schema=tg.Schema.infer(joined, score=score, label="label", id="id"))
    wrong = joined.set_column(5, "label", pa.array(np.roll(joined["label"].to_pylist(), 1)))
    strange = pa.table({"id": [0, 1, 2], "label": pa.array(["yak", None, "cat"])})
    with tg.Monitor(
        "m", reference, archive=url, window="1d", clock=clock, strict=True, segments=["country"]
    ) as watching:
        watching.update(rows)
        assert watching.label(wrong.select(["id", "label"]).slice(0, 400)).n_given == 400
        report = watching.label(joined.select(["id", "label"]))
        assert report.n_given + report.n_corrected + report.n_duplicate == n
        assert report.n_corrected > 200
        report = watching.label(strange)
        assert (report.n_unknown, report.n_null) == (1, 1)
        watching.label(joined.select(["id", "label"]).slice(0, 3))
    with tg.Archive(url) as archive:
        assert late.told(archive.merged("m")) == late.told(tg.profile(joined, reference))
        for country in ("SE", "DE"):
            chosen = joined.filter(pa.compute.equal(joined["country"], country))
            light = tg.profile(chosen, reference, accumulators="light")
            assert late.told(archive.merged("m", segment={"country": country})) == late.told(light)
        (window,) = archive.coverage("m")
        assert window.n_labelled == n - joined["p_cat"].null_count
