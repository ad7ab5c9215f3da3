"""What labels change in the counts of an archive: rows given a label, and rows whose label is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge.outcome_specs import Outcomes, late_outcomes, light_outcomes
from tidegauge.profiles import Profile
from tidegauge.reference import Reference
from tidegauge.segments import TOTAL
from tidegauge.waiting_rows import Coded, WaitingRows
from tidegauge.window import Window

Truths = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Changes:
    """Rows by window and segment, as they are with a label and as they were with the one before.

    Segments are counted by coarser cells, as their profiles are.
    """

    reference: Reference
    _given: dict[tuple[Window, str], list[Outcomes]] = field(default_factory=dict)
    _withdrawn: dict[tuple[Window, str], list[Outcomes]] = field(default_factory=dict)

    def add(  # noqa: PLR0917
        self,
        window: Window,
        rows: WaitingRows,
        before: Sequence[Coded],
        after: Sequence[Coded],
        gets: Truths,
        loses: Truths,
    ) -> None:
        """Add rows: those that get a label as it is `after`, and of them those that lose the one `before`."""
        for to, labels, chosen in ((self._given, after, gets), (self._withdrawn, before, loses)):
            if not chosen.any():
                continue
            self._count(to, (window, TOTAL), rows, labels, chosen)
            for d, keys in enumerate(rows.keys):
                for number in np.unique(rows.segments[chosen, d]):
                    of_segment = chosen & (rows.segments[:, d] == number)
                    self._count(to, (window, keys[number]), rows, labels, of_segment)

    def _count(
        self,
        to: dict[tuple[Window, str], list[Outcomes]],
        place: tuple[Window, str],
        rows: WaitingRows,
        labels: Sequence[Coded],
        chosen: Truths,
    ) -> None:
        if place not in to:
            to[place] = empty_outcomes(self.reference, light=place[1] != TOTAL)
        for counts, row, label in zip(late_outcomes(to[place]), rows.states, labels, strict=True):
            others = label.others if isinstance(counts, _core.RegressionOutcomes) else row.others
            counts.add(row.values[chosen], label.codes[chosen], others[chosen] if len(others) else None)

    def profiles(self) -> dict[tuple[Window, str], Profile]:
        """Return what is to be merged with the profiles of the rows, by window and segment."""
        return {
            place: Profile(_core.Profile.of_labels(given, self._withdrawn.get(place, [])))
            for place, given in self._given.items()
        }


def empty_outcomes(reference: Reference, *, light: bool) -> list[Outcomes]:
    """Return a reference's outcomes of no rows, in its order; `light`: as a segment counts them."""
    held = reference.profile._core.outcomes
    wanted = light_outcomes(held, reference.schema) if light else held
    empty = Profile.empty(reference, accumulators="light" if light else "full")._core.outcomes
    by_id = {each.id: each for each in empty}
    return [by_id[each.id] for each in wanted]
