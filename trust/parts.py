"""The parts, in the order in which the table shows them."""

from __future__ import annotations

from trust.fuzz.parts import FUZZ, SWEEP
from trust.part import Part

PARTS: list[Part] = [FUZZ, SWEEP]
