"""Labels that come after the verdict of their window: what they say is said once, in a revision of it."""

from __future__ import annotations

import pyarrow.compute as pc
import pytest

import tidegauge as tg
from tidegauge.window import DAY


@pytest.fixture
def watched(monitor, url, late, clock):
    """Two hours of payments whose labels are to come, judged once."""
    rows = late.payments(6_000)
    with monitor() as watching:
        watching.update(late.without_labels(rows))
    clock.now_ns = late.T0 + DAY
    with tg.Archive(url) as archive:
        first = tg.judge(archive, now_ns=clock())
        assert [each.revision for each in first] == [0, 0]
        assert {realised(each, "roc_auc") for each in first} == {"immature"}
        yield rows, archive


def realised(verdict, name):
    (status,) = [
        each["status"]
        for each in verdict.performance["measurements"]
        if (each["name"], each["kind"]) == (name, "realised")
    ]
    return status


def label(archive, labels, clock):
    return archive.label("m", labels, now_ns=clock())


def flipped(labels):
    return labels.set_column(1, "label", pc.subtract(1, labels["label"]))


def test_labels_are_judged_when_enough_have_come(watched, late, clock):
    rows, archive = watched
    labels = late.labels_of(rows)
    label(archive, labels.slice(0, 1_000), clock)
    assert tg.judge(archive, now_ns=clock()) == []  # immature before and after
    label(archive, labels, clock)
    heard = []
    again = tg.judge(archive, now_ns=clock(), on_close=heard.append)
    assert heard == again
    assert [each.revision for each in again] == [1, 1]
    assert {realised(each, "roc_auc") for each in again} == {"ok"}
    assert [each.n_rows for each in again] == [
        each.n_rows for each in tg.verdicts(archive, archive.series()[0])[::2]
    ]
    assert tg.judge(archive, now_ns=clock()) == []


def test_labels_that_tell_of_a_loss_are_an_alert_and_corrections_take_it_back(watched, late, clock):
    rows, archive = watched
    labels = late.labels_of(rows)
    label(archive, flipped(labels), clock)
    bad = tg.judge(archive, now_ns=clock())
    assert {each.status for each in bad} == {"alert"}
    assert all("performance alert" in each.summary for each in bad)
    label(archive, labels, clock)
    good = tg.judge(archive, now_ns=clock())
    assert [each.revision for each in good] == [2, 2]
    assert {each.status for each in good} == {"ok"}
    assert all("performance" not in each.summary for each in good)


def test_rows_that_come_late_are_judged_with_the_labels_that_are_there(watched, monitor, url, late, clock):
    rows, archive = watched
    label(archive, late.labels_of(rows), clock)
    more = late.payments(200, 7, first=50_000)
    with monitor() as watching:
        watching.update(more)
    found = tg.judge(archive, now_ns=clock() + DAY)
    assert sorted(each.revision for each in found) == [1, 1]
    assert sum(each.n_rows for each in found) == 6_200
    assert {realised(each, "roc_auc") for each in found} == {"ok"}
    assert tg.judge(archive, now_ns=clock() + DAY) == []
