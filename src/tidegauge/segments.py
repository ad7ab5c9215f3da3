"""Segments: rows that share the value of one column, or of several; how they are named and written."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from typing import TypeVar

from tidegauge.errors import InputError

T = TypeVar("T")

TOTAL = ""  # the key of all rows


class Other(enum.Enum):
    """The one segment that holds the rows of all values beyond the cap."""

    OTHER = "other"

    def __repr__(self) -> str:
        return "OTHER"


OTHER = Other.OTHER
Segment = Mapping[str, str | Other | None]


def segment_key(segment: Segment | None) -> str:
    """Return a segment as text, the same for equal segments: {"country": "SE"}, "" for all rows (None).

    A value is a text (numbers and booleans as JSON writes them), None for rows without one, or OTHER. Raises
    InputError for anything else.
    """
    if not segment:
        return TOTAL
    written: dict[str, object] = {}
    for column, value in sorted(segment.items()):
        if value is not None and value is not OTHER and not isinstance(value, str):
            raise InputError(
                f"segment: column {column!r} has {value!r}: a segment's value is a text (write a number as "
                "text), None or OTHER"
            )
        written[column] = {"other": True} if value is OTHER else value
    return json.dumps(written, ensure_ascii=False, separators=(",", ":"))


def key_of(names: Sequence[str], values: Sequence[str | None] | None) -> str:
    """Return the key of the segment in which these columns have these values, None for all others."""
    if values is None:
        return segment_key(dict.fromkeys(names, OTHER))
    return segment_key(dict(zip(names, values, strict=True)))


def parse_segment(key: str) -> dict[str, str | Other | None]:
    """Return the segment that `segment_key` wrote; {} for all rows. Raises InputError."""
    if key == TOTAL:
        return {}
    try:
        found = json.loads(key)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(
            f"segment: {key!r} is no segment: a JSON object of column names and values is needed"
        )
    segment: dict[str, str | Other | None] = {}
    for column, value in found.items():
        if value is not None and not isinstance(value, str) and value != {"other": True}:
            raise InputError(f"segment: {key!r} is no segment: column {column!r} has {value!r}")
        segment[column] = OTHER if isinstance(value, dict) else value
    return segment


def shown_segment(segment: Segment) -> str:
    """Return a segment for people: "country=SE, device=(none)"; "all rows"."""
    words = {None: "(none)", OTHER: "(other)"}
    pairs = (
        f"{column}={value if isinstance(value, str) else words[value]}" for column, value in segment.items()
    )
    return ", ".join(pairs) or "all rows"


def by_dimension(segments: Mapping[str, T]) -> dict[tuple[str, ...], dict[str, T]]:
    """Sort what is known of segments, by their keys, by the columns that the segments are made of."""
    found: dict[tuple[str, ...], dict[str, T]] = {}
    for key, each in segments.items():
        found.setdefault(tuple(parse_segment(key)), {})[key] = each
    return found
