"""The parts, in the order in which the table shows them."""

from __future__ import annotations

from trust.allocations.part import ALLOCATIONS
from trust.faults.parts import FAULTS, KILLS, MEMORY, POWER
from trust.part import Part

PARTS: list[Part] = [KILLS, FAULTS, POWER, MEMORY, ALLOCATIONS]
