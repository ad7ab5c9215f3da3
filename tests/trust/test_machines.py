"""The part `machines` finds nothing in the engine, and finds what is planted, with the steps to it."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings
from trust.machines import groups
from trust.machines.intake import IntakeMachine
from trust.machines.monitor import MonitorMachine
from trust.machines.part import MACHINES
from trust.machines.profile import ProfileMachine

from tidegauge.intake import Intake
from tidegauge.monitor.outbox import Outbox
from tidegauge.profiles import Profile
from tidegauge.segments import TOTAL


def test_a_reduced_run_finds_nothing():
    outcome = MACHINES.run(0, 50, 60.0)
    assert outcome.findings == []
    assert outcome.tried == 50
    assert len(outcome.counts) == 3


def test_cases_within_a_group_are_its_group():
    assert MACHINES.run(13, 4, 60.0).tried == 4
    assert MACHINES.run(18, 4, 60.0).tried == 4


def merge_without_the_rows_of_small_ones(self, other, right=Profile.merge):
    if other.n_rows != 1:
        right(self, other)


def copy_that_is_no_copy(self):
    return self


def take_without_late_rows(self, now_ns, right=Intake.take, **options):
    return [part for part in right(self, now_ns, **options) if part.sequence != 2]


def update_of_the_newest_window(self, batch, now_ns, threads=1, right=Intake.update):
    right(self, batch, max(now_ns, getattr(self, "latest", 0)), threads)
    self.latest = now_ns


def acknowledge_twice(self, record, right=Outbox._acknowledged):
    right(self, record)
    if record.final and record.key.segment == TOTAL and record.n_rows == 1:
        self._n_rows_settled += 1


def forget_what_failed(self, archive, right=Outbox.send):
    try:
        right(self, archive)
    except Exception:
        self._waiting.clear()
        raise


PLANTED = [
    (ProfileMachine, Profile, "merge", merge_without_the_rows_of_small_ones),
    (ProfileMachine, Profile, "copy", copy_that_is_no_copy),
    (IntakeMachine, Intake, "take", take_without_late_rows),
    (IntakeMachine, Intake, "update", update_of_the_newest_window),
    (MonitorMachine, Outbox, "_acknowledged", acknowledge_twice),
    (MonitorMachine, Outbox, "send", forget_what_failed),
]


@pytest.mark.parametrize(
    ("machine", "owner", "name", "defect"), PLANTED, ids=lambda each: getattr(each, "__name__", None)
)
def test_a_planted_defect_is_found(monkeypatch, machine, owner, name, defect):
    monkeypatch.setattr(groups, "SETTINGS", settings(groups.SETTINGS, phases=[Phase.generate]))
    monkeypatch.setattr(owner, name, defect)
    for number in range(15):
        if found := groups.try_group(number, machine):
            break
    assert "teardown" in found or "state." in found, "the steps to it are told"


def test_what_is_found_comes_shrunk_and_with_its_command(monkeypatch):
    monkeypatch.setattr(Profile, "copy", copy_that_is_no_copy)
    monkeypatch.setattr(groups, "TURNS", (ProfileMachine,))
    found = next(each for number in range(10) for each in MACHINES.run(number * 10, 10, 60.0).findings)
    assert "state.copy(" in found
    assert found.count("state.") <= 12, "a handful of steps is left"
    assert "python -m trust try machines" in found
