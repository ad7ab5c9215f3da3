"""Which rows reach which profile: open windows, late and early rows, segments. No clock, no I/O."""

from tidegauge.intake.intake import Intake
from tidegauge.intake.part import Part
from tidegauge.intake.waiting import Block, Waiting

__all__ = ["Block", "Intake", "Part", "Waiting"]
