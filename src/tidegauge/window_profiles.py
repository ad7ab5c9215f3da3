"""Profiles of windows: the rows of data told apart by their event time, a profile for each window."""

from __future__ import annotations

import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tidegauge.arrow import batches
from tidegauge.arrow.batches import refuse_missing
from tidegauge.errors import InputWarning, SchemaError
from tidegauge.profiles import Accumulators, Profile
from tidegauge.window import Window, parse_duration, partitioned

if TYPE_CHECKING:
    from tidegauge.reference import Reference


def profile_windows(
    data: Any,
    reference: Reference | None = None,
    *,
    timestamp: str | None = None,
    window: str | float | timedelta,
    threads: int = 0,
    accumulators: Accumulators = "full",
) -> dict[Window, Profile]:
    """Describe the rows of `data` window by window of event time; ascending, windows without rows left out.

    `data`: anything `tidegauge.arrow.batches` takes, in any order of time, of any size; it is streamed, and
    what stays in memory are the profiles, one a window. Each is what `profile` gives for the rows of its
    window in their order. `timestamp`: the column of dates or timestamps (without a timezone: UTC); None
    takes the one that has this role in the reference's schema. `window`: how long a window lasts, such as
    "1h", "1d", seconds or a timedelta; windows are half-open and counted from 1970-01-01 00:00 UTC, whole
    weeks from a Monday. `threads`, `accumulators`: as for `profile`.

    Rows without a time (null, or outside the years 1678 to 2261) belong to no window: they are in none of the
    profiles, and an InputWarning says how many they were. Raises InputError for unreadable data, a missing
    column or an impossible window, SchemaError for a column that holds no times, ArrowError.
    """
    width_ns = parse_duration(window)
    name = timestamp_of(reference) if timestamp is None else timestamp
    rows = batches(data)
    refuse_missing([name], [field.name for field in rows.fields])
    found: dict[int, Profile] = {}
    n_lost = n_rows = 0
    for start_ns, part in partitioned(rows, name, width_ns):
        n_rows += part.n_rows
        if start_ns is None:
            n_lost += part.n_rows
            continue
        if start_ns not in found:
            found[start_ns] = Profile.empty(reference, accumulators=accumulators)
        found[start_ns]._core.update(part, threads)
    if n_lost:
        warnings.warn(
            f"{n_lost:,} of {n_rows:,} rows are in no window: their time in column {name!r} is null or "
            "outside the years 1678 to 2261",
            InputWarning,
            stacklevel=2,
        )
    return {Window(start_ns, start_ns + width_ns): found[start_ns] for start_ns in sorted(found)}


def timestamp_of(reference: Reference | None) -> str:
    """Return the column with the role timestamp. Raises SchemaError if there is none."""
    names = reference.schema.with_role("timestamp") if reference is not None else ()
    if not names:
        whose = (
            "without a reference there is no schema to say"
            if reference is None
            else "the schema does not say"
        )
        raise SchemaError(
            f"profile_windows: {whose} which column holds the time: pass timestamp='COLUMN', or fit the "
            "reference with Schema.infer(data, timestamp='COLUMN')"
        )
    return names[0]
