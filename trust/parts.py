"""The parts, in the order in which the table shows them."""

from __future__ import annotations

from trust.allocations.part import ALLOCATIONS
from trust.faults.parts import FAULTS, KILLS, MEMORY, POWER
from trust.fuzz.parts import FUZZ, SWEEP
from trust.machines.part import MACHINES
from trust.oracle.part import ORACLE
from trust.part import Part

PARTS: list[Part] = [FUZZ, SWEEP, MACHINES, ORACLE, ALLOCATIONS, FAULTS, POWER, KILLS, MEMORY]
