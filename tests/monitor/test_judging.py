"""Windows are judged once, when they are complete, and again when rows came since."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace

import numpy as np
import pytest
from tests.monitor.conftest import T0, payments

import tidegauge as tg
from tidegauge.archive import Series, Writer
from tidegauge.errors import DecodeError, InputError
from tidegauge.judging import CLAIMED_NS, of_like_length
from tidegauge.verdict import latest, name_of, parsed
from tidegauge.window import DAY, HOUR, SECOND, Window

LATER = T0 + 500 * HOUR


def watch(archive, reference, hours, clock, *, change=None, n=1_500, seed=100, **options):
    """Feed a monitor some hours of payments, as one process."""
    with tg.Monitor("fraud", reference, archive=archive, clock=clock, strict=True, **options) as monitor:
        for i in hours:
            data = payments(n, seed + i, begin_ns=T0 + i * HOUR)
            monitor.update(data if change is None else change(i, data))


def series(archive):
    (one,) = archive.series()
    return one


def shifted(from_hour):
    def change(i, data):
        return data | {"amount": data["amount"] * 1.5} if i >= from_hour else data

    return change


def test_a_complete_window_is_judged_once(reference, archive, clock):
    watch(archive, reference, range(3), clock)
    found = tg.judge(archive, now_ns=T0 + 3 * HOUR + 300 * SECOND)
    assert [(each.window.start_ns - T0) // HOUR for each in found] == [0, 1, 2]
    assert {each.status for each in found} == {"ok"}
    assert {each.revision for each in found} == {0}
    assert tg.judge(archive, now_ns=LATER) == []
    assert tg.verdicts(archive, series(archive)) == found


def test_a_window_is_complete_after_its_grace(reference, archive, clock):
    watch(archive, reference, range(1), clock, grace="10m")
    end = T0 + HOUR + 600 * SECOND
    assert tg.judge(archive, now_ns=end - 1) == []
    assert len(tg.judge(archive, now_ns=end)) == 1


def test_the_verdict_is_that_of_compare_and_scan_over_all_processes(reference, archive, clock):
    for seed in (100, 200):
        watch(archive, reference, range(6), clock, change=shifted(3), seed=seed)
    found = tg.judge(archive, now_ns=LATER)
    windows = archive.windows("fraud")
    assert [each.n_rows for each in found] == [3_000] * 6
    assert {each.n_writers for each in found} == {2}
    for each in found:
        comparison = tg.compare(reference, windows[each.window], window=each.window)
        assert each.comparison["status"] == comparison.status
        assert each.comparison["summary"] == comparison.summary
    scanned = tg.scan(reference, windows, model="fraud")
    assert [alarm["column"] for each in found for alarm in each.alarms] == [a.column for a in scanned.alarms]
    (alarm,) = [alarm for each in found for alarm in each.alarms]
    assert alarm["since"] == str(Window(T0 + 3 * HOUR, T0 + 4 * HOUR))
    assert [each.status for each in found[:3]] == ["ok"] * 3
    assert {each.status for each in found[3:]} <= {"warning", "alert"}


def test_small_lasting_changes_are_seen_across_calls(reference, archive, clock):
    """Judged hour by hour, as from cron: what no single window shows is found in merged ones."""

    def change(i, data):
        return data | {"amount": data["amount"] * 1.12} if i >= 8 else data

    alarms = []
    for i in range(24):
        watch(archive, reference, [i], clock, change=change)
        alarms += [a for v in tg.judge(archive, now_ns=T0 + (i + 1) * HOUR + DAY) for a in v.alarms]
    assert [alarm["column"] for alarm in alarms if alarm["column"] == "amount"] != []


def test_late_rows_make_a_revision_and_both_are_kept(reference, archive, clock):
    watch(archive, reference, range(2), clock)
    first = tg.judge(archive, now_ns=LATER)
    watch(archive, reference, [0], clock, change=lambda i, data: data | {"amount": data["amount"] * 50})
    again = tg.judge(archive, now_ns=LATER)
    assert [(each.window, each.revision, each.n_rows) for each in again] == [(first[0].window, 1, 3_000)]
    assert again[0].status == "alert"
    assert tg.verdicts(archive, series(archive)) == [first[0], again[0], first[1]]
    assert latest(tg.verdicts(archive, series(archive))) == {
        first[0].window: again[0],
        first[1].window: first[1],
    }


def test_a_window_that_a_living_process_fills_waits_for_it(reference, archive, clock):
    monitor = tg.Monitor("fraud", reference, archive=archive, clock=clock)
    monitor.update(payments(1_000))
    assert monitor.checkpoint()
    now = T0 + 2 * HOUR
    clock.now_ns = now
    assert monitor.checkpoint()  # seen now; nothing new, still open: rows came within the grace
    writer = archive.writers()[monitor.health.writer]
    assert writer.lives(now)
    if not archive.store.find()[0].final:
        assert tg.judge(archive, now_ns=now) == []
    monitor.close()
    assert len(tg.judge(archive, now_ns=now)) == 1


def test_a_process_that_vanished_is_judged_without_and_the_gap_is_recorded(reference, archive, clock):
    watch(archive, reference, range(2), clock)
    (writer,) = archive.writers().values()
    lost = replace(
        writer, writer="ff" * 16, pid=77, host="x", closed_ns=None, seen_ns=T0 + HOUR + 60 * SECOND
    )
    archive.put_writer(lost)
    found = tg.judge(archive, now_ns=LATER)
    assert [len(each.gaps) for each in found] == [0, 1]
    assert "process 77 on x vanished: its rows of up to 60 s" in str(found[1].gaps[0])


def test_a_change_is_owed_to_the_segment_it_lies_in(archive, clock):
    data = payments(20_000, 1, begin_ns=T0 - 168 * HOUR, length_ns=168 * HOUR)
    schema = tg.Schema.infer(data, score="score", timestamp="time")
    reference = tg.Reference.fit(data, schema=schema, segments=["country"])

    def cents(i, data):
        return data | {"amount": np.where(data["country"] == "US", 100.0 * data["amount"], data["amount"])}

    watch(archive, reference, range(2), clock, change=cents, segments=["country", "device"])
    for verdict in tg.judge(archive, now_ns=LATER):
        assert set(verdict.segments) == {"amount"}
        first = verdict.segments["amount"][0]
        assert first["segment"] == '{"country":"US"}'
        assert first["part"] > 0.9
        assert tg.Verdict.from_bytes(verdict.to_bytes()) == verdict


def test_on_close_is_called_with_each_verdict_and_may_fail(reference, archive, clock, caplog):
    watch(archive, reference, range(3), clock)
    seen = []

    def tell(verdict):
        seen.append(verdict)
        raise RuntimeError("the pager is down")

    assert tg.judge(archive, now_ns=LATER, on_close=tell) == seen
    assert len(seen) == 3
    assert "the pager is down" in caplog.text


def test_of_several_that_elect_one_judges_each_window(reference, archive, clock, tmp_path):
    watch(archive, reference, range(12), clock)
    found, threads = [], []

    def run():
        with tg.Archive(f"sqlite:///{tmp_path / 'a.db'}") as own:
            found.extend(tg.judge(own, now_ns=LATER, elect=True))

    for _ in range(4):
        threads.append(threading.Thread(target=run))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert sorted(each.window for each in found) == [
        Window(T0 + i * HOUR, T0 + (i + 1) * HOUR) for i in range(12)
    ]


def test_a_claim_that_nobody_came_back_to_is_taken_up(reference, archive, clock):
    watch(archive, reference, range(1), clock)
    window = Window(T0, T0 + HOUR)
    archive.store.put_document("claims", name_of(series(archive), window, 0, ""), str(LATER).encode())
    assert tg.judge(archive, now_ns=LATER + 1, elect=True) == []
    assert tg.judge(archive, now_ns=LATER + CLAIMED_NS + 1, elect=True) == []  # lifts the claim
    assert len(tg.judge(archive, now_ns=LATER + CLAIMED_NS + 2, elect=True)) == 1


def test_a_monitor_elects_itself_and_calls_back(reference, archive, clock):
    seen = []
    monitor = tg.Monitor(
        "fraud", reference, archive=archive, clock=clock, judge="elect", on_close=seen.append, grace=0
    )
    monitor.update(payments(1_000))
    monitor.checkpoint()
    clock.now_ns = LATER
    monitor.checkpoint()
    monitor._elect()
    assert [each.n_rows for each in seen] == [1_000]
    monitor.close()


def test_old_windows_are_left_alone(reference, archive, clock):
    watch(archive, reference, range(2), clock)
    assert tg.judge(archive, now_ns=T0 + 40 * DAY, since="30d") == []
    assert len(tg.judge(archive, now_ns=T0 + 40 * DAY, since="60d")) == 2


def test_compacted_windows_are_not_judged_again(reference, archive, clock):
    watch(archive, reference, range(24), clock, n=100)
    first = tg.judge(archive, now_ns=LATER)
    assert len(first) == 24
    archive.compact(older_than=LATER, to="1d", now_ns=LATER)
    assert len(archive.windows("fraud")) == 1
    assert tg.judge(archive, now_ns=LATER) == []


def test_a_series_whose_reference_is_lost_does_not_blind_the_others(reference, archive, clock, caplog):
    watch(archive, reference, range(1), clock, version="1")
    data = payments(5_000, 9)
    other = tg.Reference.fit(data, schema=tg.Schema.infer(data, score="score", timestamp="time"))
    watch(archive, other, range(1), clock, version="2")
    archive.store.delete_documents("references", [archive.id_of(reference)])
    with tg.Archive(archive.store) as fresh:
        found = tg.judge(fresh, now_ns=LATER)
    assert [each.version for each in found] == ["2"]
    assert "has no reference" in caplog.text


def test_days_of_unlike_lengths_are_one_sequence():
    hours = [24, 25, 24, 23]
    ends = np.cumsum([0, *hours]).tolist()
    days = [Window(T0 + a * HOUR, T0 + b * HOUR) for a, b in itertools.pairwise(ends)]
    assert of_like_length([*days, Window(T0, T0 + HOUR)]) == [[Window(T0, T0 + HOUR)], days]


@pytest.mark.parametrize("model", ["fraud", "", "a/b", "../x", "%2F", "mödel", "a b", "-"])
def test_names_of_verdicts_read_back(model):
    of = Series(model, "1/2", "ab")
    window = Window(-5, T0)
    name = name_of(of, window, 3, "ff")
    assert parsed(name) == (window, 3, "ff")
    assert name.count("/") == 5
    with pytest.raises(DecodeError):
        parsed("a/b/c")


def test_a_verdict_reads_back_and_damaged_ones_are_refused(reference, archive, clock):
    watch(archive, reference, range(4), clock, change=shifted(2))
    found = tg.judge(archive, now_ns=LATER)
    for each in found:
        data = each.to_bytes()
        assert tg.Verdict.from_bytes(data) == each
        for cut in (0, 1, len(data) // 2, len(data) - 1):
            with pytest.raises(DecodeError):
                tg.Verdict.from_bytes(data[:cut])


def test_where_processes_cannot_agree_nobody_is_elected(reference, tmp_path):
    class Bucket:
        conditional = False

        def close(self):
            pass

    with pytest.raises(InputError, match="cannot agree"):
        tg.Monitor("fraud", reference, archive=tg.Archive(Bucket()), judge="elect")


def test_a_writer_is_dead_after_five_checkpoints_and_a_minute():
    writer = Writer("m", "w", "h", 1, T0, T0, checkpoint_seconds=10.0)
    assert writer.lives(T0 + 109 * SECOND)
    assert not writer.lives(T0 + 110 * SECOND)
