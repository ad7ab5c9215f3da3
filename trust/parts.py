"""The parts, in the order in which the table shows them."""

from __future__ import annotations

from trust.capsules.part import CAPSULES
from trust.part import Part

PARTS: list[Part] = [CAPSULES]
