"""The parts, in the order in which the table shows them."""

from __future__ import annotations

from trust import forks, leaks, soak, threads
from trust.allocations.part import ALLOCATIONS
from trust.capsules.part import CAPSULES
from trust.faults.parts import FAULTS, KILLS, LABELS, MEMORY, POWER
from trust.fuzz.parts import FUZZ, SWEEP
from trust.machines.part import MACHINES
from trust.oracle.part import ORACLE
from trust.part import Part
from trust.races import part as races

PARTS: list[Part] = [
    *(FUZZ, SWEEP, CAPSULES),
    *(MACHINES, ORACLE),
    *(ALLOCATIONS, FAULTS, POWER, KILLS, LABELS, MEMORY),
    *(races.PART, forks.PART, leaks.PART, threads.PART, soak.PART),
]
