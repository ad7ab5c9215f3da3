"""Examples of the machines by number, shrunk by Hypothesis when one fails.

A machine is tried in groups of ten examples, since Hypothesis begins every run with the simplest one: the
number of a case, divided by ten, is the seed of its group.
"""

from __future__ import annotations

import time
from collections import Counter

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from trust.machines.intake import IntakeMachine
from trust.machines.monitor import MonitorMachine
from trust.machines.profile import ProfileMachine
from trust.part import Outcome

GROUP = 10
STEPS = 30
TURNS: tuple[type[RuleBasedStateMachine], ...] = (
    *(ProfileMachine, IntakeMachine, ProfileMachine, MonitorMachine, ProfileMachine),
)
SETTINGS = settings(
    max_examples=GROUP,
    stateful_step_count=STEPS,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


def try_group(number: int, machine: type[RuleBasedStateMachine]) -> str:
    """Try a group of examples; return what was found with the steps to it, "" if nothing."""
    try:
        run_state_machine_as_test(seed(number)(machine), settings=SETTINGS)
    except Exception as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())[:400]
        steps = " ".join(" ".join(getattr(error, "__notes__", ())).split())[:2_000]
        return f"{words} [{steps}]"
    return ""


def run(first: int, n: int, seconds: float) -> Outcome:
    """Try the examples first … first + n - 1, and those of the groups that reach over either end."""
    outcome, until = Outcome(0), time.monotonic() + seconds
    tried, counts = 0, Counter[str]()
    for group in range(first // GROUP, (first + n - 1) // GROUP + 1):
        machine = TURNS[group % len(TURNS)]
        if found := try_group(group, machine):
            outcome.findings.append(
                f"{machine.__name__}: {found}: python -m trust try machines {group * GROUP}"
            )
        inside = range(max(first, group * GROUP), min(first + n, (group + 1) * GROUP))
        tried += len(inside)
        counts[machine.__name__] += len(inside)
        if time.monotonic() >= until:
            break
    return Outcome(tried, outcome.findings, counts)
