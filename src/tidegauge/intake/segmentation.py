"""Segmentation: which segments a window has, and how many may be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tidegauge._core import CategoryColumn, SegmentedProfile, light_profile_bytes
from tidegauge.errors import InputError
from tidegauge.outcome_specs import light_outcomes
from tidegauge.reference import Reference
from tidegauge.segments import TOTAL, key_of

MOST_SEGMENTS = 2_000
WINDOWS = 4  # that may be in memory at once: two open ones, two of late or early rows
Values = tuple[str | None, ...]


class Segmentation:
    """A reference's columns, counted for all rows and for the values of some columns.

    `dimensions`: columns, or several of them for each combination. `budget_bytes` bounds what the open
    windows hold together, by capping the segments of each at `max_segments`; the reference's most frequent
    categories are admitted first, the rest as they come, and what is over goes to one segment `other`. Raises
    InputError for columns that cannot be segments and for a budget too small for any.
    """

    __slots__ = (
        *("_joint", "_leaves", "_names", "_outcomes", "_reserved", "_segment_outcomes"),
        *("max_segments", "specs"),
    )

    def __init__(
        self, reference: Reference, dimensions: Sequence[str | Sequence[str]], budget_bytes: int
    ) -> None:
        held = reference.profile._core
        self.specs = [column.spec for column in held.columns]
        self._joint = held.joint_spec
        self._outcomes = held.outcomes
        self._leaves = held.leaves
        self._segment_outcomes = light_outcomes(held.outcomes, reference.schema)
        self._names = [
            (each,) if isinstance(each, str) else tuple(each) for each in checked(reference, dimensions)
        ]
        whole = full_profile_bytes(reference)
        light = light_profile_bytes(self.specs, self._segment_outcomes)
        others = light * len(self._names)
        room = budget_bytes // WINDOWS - whole - others
        if room < 0:
            raise InputError(
                f"monitor: of budget_bytes, {budget_bytes:,} are for windows, but {WINDOWS} of them with "
                f"{len(self.specs)} columns need {WINDOWS * (whole + others):,} before the first segment: "
                "raise it, or watch fewer columns"
            )
        self.max_segments = min(MOST_SEGMENTS, room // max(light, 1)) if self._names else 0
        each_share = self.max_segments // max(len(self._names), 1)
        self._reserved = [frequent_values(reference, names, each_share) for names in self._names]
        self.empty()  # refuses columns whose type has no segments

    def empty(self) -> SegmentedProfile:
        """Return a window's profile of no rows."""
        return SegmentedProfile(
            self.specs,
            self._joint,
            dimensions=self._names,
            max_segments=self.max_segments,
            reserved=self._reserved,
            outcomes=self._outcomes,
            segment_outcomes=self._segment_outcomes,
            leaves=self._leaves,
        )

    def key(self, dimension: int, values: Values | None) -> str:
        """Return the segment's key of what `SegmentedProfile` calls dimension and values."""
        if dimension < 0:
            return TOTAL
        return key_of(self._names[dimension], values)

    @property
    def n_dimensions(self) -> int:
        """How many columns, or combinations of them, tell segments apart."""
        return len(self._names)

    @property
    def columns(self) -> list[str]:
        """The columns whose values are read, each once."""
        return list(dict.fromkeys(name for names in self._names for name in names))


def checked(reference: Reference, dimensions: Sequence[str | Sequence[str]]) -> Sequence[str | Sequence[str]]:
    """Return `dimensions`. Raises InputError for what is no column, or twice there."""
    if isinstance(dimensions, str):
        raise InputError(f"segments: {dimensions!r} is a text: write segments=[{dimensions!r}]")
    seen: set[tuple[str, ...]] = set()
    for each in dimensions:
        names = (each,) if isinstance(each, str) else tuple(each)
        if not names or len(set(names)) < len(names) or tuple(sorted(names)) in seen:
            raise InputError(f"segments: {each!r} is empty, names a column twice, or is there twice")
        seen.add(tuple(sorted(names)))
        for name in names:
            if name not in reference.schema:
                raise InputError(
                    f"segments: the reference knows no column {name!r}; it has {list(reference.schema)[:20]}"
                )
            kind = reference.schema[name].kind
            if kind in {"embedding", "time"}:
                raise InputError(
                    f"segments: column {name!r} holds a {kind}: segments are made of categories, booleans or "
                    "whole numbers; add a column that sorts them"
                )
    return dimensions


def full_profile_bytes(reference: Reference) -> int:
    """Return what a full profile of the reference's columns takes in memory, about: twice its bytes."""
    return 2 * len(reference.profile.to_bytes())


def frequent_values(reference: Reference, names: Sequence[str], most: int) -> list[Values]:
    """Return the values of a column that the reference saw most often, at most `most`; [] for a cross."""
    if len(names) > 1 or names[0] not in reference:
        return []
    column = reference.profile._core.column(names[0])
    if not isinstance(column, CategoryColumn) or not column.spec.category_names:
        return []
    known = column.spec.category_names
    order = np.argsort(-column.cells[: len(known)].astype(np.int64), kind="stable")
    found: list[Values] = [(known[i],) for i in order if known[i] is not None]
    return found[:most]
