"""The parts, in the order in which the table shows them."""

from __future__ import annotations

from trust import forks, leaks, soak, threads
from trust.part import Part
from trust.races import part as races

PARTS: list[Part] = [races.PART, forks.PART, leaks.PART, threads.PART, soak.PART]
