"""Health: what a monitor says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tidegauge.window import Window


@dataclass(frozen=True, slots=True)
class Health:
    """What a monitor took, what it holds, and what went wrong. Rows are counted since this process began.

    `status`: "ok"; "degraded" where something was refused, waits for the archive longer than it should, or
    was lost; "closed". Every row offered is in exactly one of `n_rows` (taken) and `n_rows_refused`; every
    row taken is in memory (`n_rows_waiting`), in the archive (`n_rows_archived`), or lost for want of memory
    while the archive was away (`n_rows_lost`). Of those taken, `n_rows_late` came after their window was
    closed, `n_rows_early` lay over one window ahead of the clock, `n_rows_untimed` had no time.

    Where labels are to come, `n_rows_kept` of the rows wait for theirs and `n_rows_unkept` cannot: they have
    no id, or there was no room (see `Monitor`, `waiting_bytes`).

    `errors` counts by reason what was held back from the caller, `last_error` is the last in words.
    `seconds_since_rows` and `seconds_since_archived` are the age of the last row taken and of the last word
    that the archive had of this process, None before the first: alarm on them, for a monitor that has died
    raises nothing. `memory_bytes` is what windows and waiting rows hold, of `budget_bytes`.
    """

    status: Literal["ok", "degraded", "closed"]
    model: str
    version: str
    writer: str
    n_rows: int
    n_rows_waiting: int
    n_rows_archived: int
    n_rows_lost: int
    n_rows_refused: int
    n_rows_late: int
    n_rows_early: int
    n_rows_untimed: int
    n_segments: int
    max_segments: int
    n_other_rows: int
    n_rows_kept: int
    n_rows_unkept: int
    windows: tuple[Window, ...]
    memory_bytes: int
    budget_bytes: int
    errors: Mapping[str, int]
    last_error: str
    seconds_since_rows: float | None
    seconds_since_archived: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able; windows as [start, end) in nanoseconds."""
        found = asdict(self)
        found["windows"] = [[each.start_ns, each.end_ns] for each in self.windows]
        found["errors"] = dict(self.errors)
        return found
