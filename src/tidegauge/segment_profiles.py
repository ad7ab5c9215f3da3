"""Rows into segments: a light profile for each value of a column, or of several together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegauge.arrow import batches
from tidegauge.arrow.dealing import dealt
from tidegauge.outcome_specs import light_outcomes
from tidegauge.profiles import Profile
from tidegauge.reference import Reference, dimensions_of, profiles_of, segmented


def profile_segments(
    data: Any, reference: Reference, segments: Sequence[str | Sequence[str]], *, threads: int = 0
) -> dict[str, Profile]:
    """Return a light profile of the rows of each segment, by its key (`segments.segment_key`).

    `data`: anything `tidegauge.arrow.batches` takes, streamed. `segments`: columns, or several together,
    whose values are counted apart (a category, a boolean, a whole number), as those of `Reference.fit`;
    values beyond the first 2,000 share one segment. `threads`: 0 takes one per core for large batches. Raises
    InputError, ArrowError or SchemaError.
    """
    return segment_parts(data, reference, segments, 1, threads=threads)[0]


def segment_parts(
    data: Any, reference: Reference, segments: Sequence[str | Sequence[str]], n: int, *, threads: int = 0
) -> list[dict[str, Profile]]:
    """Return the segments of every n-th row, from the first, the second, ... on: `n` parts of like size."""
    dimensions = dimensions_of(segments, reference.schema)
    held = reference.profile._core
    specs = [column.spec for column in held.columns]
    outcomes = light_outcomes(held.outcomes, reference.schema)
    parts = [segmented(specs, dimensions, outcomes) for _ in range(n)]
    for i, rows in dealt(batches(data), n):
        parts[i].update(rows, threads)
    return [profiles_of(part, dimensions, reference.profile) for part in parts]
