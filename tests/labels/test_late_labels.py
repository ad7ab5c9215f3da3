"""Labels that come late count as if they had come with their rows, whatever came before and in what order."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.monitor.doubles import Clock

import tidegauge as tg
from tidegauge.window import DAY, HOUR


def test_labels_that_come_late_count_as_if_they_had_come_with_their_rows(monitor, url, reference, late):
    rows = late.payments(5_000)
    with monitor() as watching:
        watching.update(late.without_labels(rows))
        report = watching.label(late.labels_of(rows).take(np.random.default_rng(2).permutation(5_000)))
        assert (report.n_rows, report.n_given, report.stored) == (5_000, 5_000, True)
        again = watching.label(late.labels_of(rows.slice(0, 100)))
        assert (again.n_given, again.n_duplicate) == (0, 100)
    with tg.Archive(url) as archive:
        late.require_equal(archive, rows, reference)
        assert archive.models() == [("m", "", archive.id_of(reference))]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("update"), st.integers(1, 25)),
        st.tuples(st.just("record"), st.integers(1, 5)),
        st.tuples(st.just("label"), st.lists(st.tuples(st.integers(0, 79), st.booleans()), max_size=25)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("compact"), st.just(0)),
    ),
    max_size=14,
)
TWO_MERGED_WINDOWS = [("update", 2), ("restart", 0), ("compact", 0), ("label", [(0, False), (1, False)])]


@given(steps=STEPS)
@example(steps=TWO_MERGED_WINDOWS)
@settings(max_examples=60, deadline=None)
def test_any_order_of_rows_labels_corrections_duplicates_and_restarts(late, reference, steps):
    """The last label told of an id counts, also where it was told before the row came."""
    rows, labels = late.payments(80), {}
    n_taken = 0
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/a.db"
        clock = Clock(late.T0 + HOUR)
        started = lambda: tg.Monitor(  # noqa: E731
            "m", reference, archive=url, window="1h", clock=clock, strict=True, segments=["country"]
        )
        monitor = started()
        for step, how in steps:
            if step == "update":
                monitor.update(late.without_labels(rows.slice(n_taken, how)))
                n_taken = min(80, n_taken + how)
            elif step == "record":
                for row in late.without_labels(rows.slice(n_taken, how)).to_pylist():
                    monitor.record(row)
                n_taken = min(80, n_taken + how)
            elif step == "label":
                told = {"id": [f"p-{i}" for i, _ in how], "label": [int(value) for _, value in how]}
                table = pa.table(told, schema=pa.schema({"id": pa.string(), "label": pa.int64()}))
                report = monitor.label(table)
                labels |= dict(zip(told["id"], told["label"], strict=True))
                parts = report.n_given + report.n_corrected + report.n_duplicate + report.n_early
                assert (parts, report.n_dropped) == (len(how), 0)
            elif step == "restart":
                monitor.close()
                monitor = started()
            else:
                with tg.Archive(url) as archive:
                    archive.compact(older_than=clock() + DAY, to="1d", now_ns=clock())
        monitor.close()
        with tg.Archive(url) as archive:
            known = rows.slice(0, n_taken)
            at = known.column_names.index("label")
            values = pa.array([labels.get(each) for each in known["id"].to_pylist()], pa.int64())
            joined = known.set_column(at, "label", values)
            if not n_taken:
                assert archive.models() == []
                return
            assert late.told(archive.merged("m")) == late.told(tg.profile(joined, reference))
            for country in set(joined["country"].to_pylist()):
                chosen = joined.filter(pa.compute.equal(joined["country"], country))
                light = tg.profile(chosen, reference, accumulators="light")
                assert late.told(archive.merged("m", segment={"country": country})) == late.told(light)
            # Rows of a window that was compacted while a writer still filled it lie apart until then.
            archive.compact(older_than=clock() + DAY, to="1d", now_ns=clock())
            covered = archive.coverage("m")
            assert sum(each.n_labelled for each in covered) == sum(
                each is not None for each in values.to_pylist()
            )
            assert sum(each.n_rows for each in covered) == n_taken
            assert all(each.rate == 1 for each in covered)


HOTEL = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.skipif(not HOTEL.exists(), reason="the folder of shared data is not here")
@pytest.mark.parametrize("kind", ["sqlite", "directory"])
def test_hotel_bookings_get_their_labels_in_chunks_with_corrections(tmp_path, late, kind):
    url = f"sqlite:///{tmp_path}/a.db" if kind == "sqlite" else f"file://{tmp_path}/a"
    read = lambda name: pq.read_table(HOTEL / f"hotel_{name}.parquet")  # noqa: E731
    train, production, labels = read("reference"), read("production"), read("labels")
    roles = {
        "score": "y_pred_proba",
        "prediction": "y_pred",
        "label": "is_canceled",
        "id": "customer_id",
        "timestamp": "timestamp",
    }
    schema = tg.Schema.infer(train, positive=1, **roles)
    fitted = tg.Reference.fit(train, schema=schema)
    of_production = pa.compute.is_in(labels["customer_id"], production["customer_id"])
    labels = labels.filter(of_production)
    shuffled = labels.take(np.random.default_rng(5).permutation(len(labels)))
    wrong = shuffled.slice(0, 500)
    wrong = wrong.set_column(1, "is_canceled", [1 - wrong["is_canceled"].to_numpy()])
    with tg.Monitor("hotel", fitted, archive=url, window="7d", segments=["hotel"], strict=True) as monitor:
        monitor.update(production)
        reports = [monitor.label(wrong)]
        reports += [monitor.label(shuffled.slice(begin, 3_000)) for begin in range(0, len(labels), 3_000)]
    assert sum(each.n_given for each in reports) == production.num_rows
    assert sum(each.n_corrected for each in reports) == 500
    joined = production.join(labels, "customer_id")
    with tg.Archive(url) as archive:
        assert late.told(archive.merged("hotel")) == late.told(tg.profile(joined, fitted))
        for hotel in ("City Hotel", "Resort Hotel"):
            chosen = joined.filter(pa.compute.equal(joined["hotel"], hotel))
            light = tg.profile(chosen, fitted, accumulators="light")
            assert late.told(archive.merged("hotel", segment={"hotel": hotel})) == late.told(light)
        covered = archive.coverage("hotel")
        assert {each.share for each in covered} == {1.0}
        assert sum(each.n_labelled for each in covered) == production.num_rows
