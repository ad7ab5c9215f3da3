"""What a window is compared with: the reference's windows of the same season, and how those differed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge.drift.baseline import WIDTH, Baseline, pooled_in_proportion, stacked_baseline
from tidegauge.drift.columns import ColumnCounts, Stack
from tidegauge.drift.dispersion import MIN_BLOCKS, Dispersion, dispersion_of_column
from tidegauge.homes import HOMES, OUTSIDE
from tidegauge.reference_windows import MAX_WINDOWS, ReferenceWindows, WindowedColumn
from tidegauge.window import DAY, Window, hour_of_day, hour_of_week, origin_ns

Integers = npt.NDArray[np.int64]

MIN_WINDOWS = 8  # of a reference; with fewer, rows are taken as independent
MIN_IN_SLOT = 4  # windows of one seasonal slot; with fewer, the next coarser slots are taken
DAY_OF_WEEK, HOUR_OF_WEEK, HOUR_OF_DAY = "day of the week", "hour of the week", "hour of the day"
# A window may be as long as the history of a reference over this: of blocks held to their mean one is
# lost.
LONGEST = MIN_BLOCKS + 1


@dataclass(frozen=True, slots=True)
class Season:
    """The seasonal slots of a reference's windows `[windows]` and what they are called."""

    slots: Integers
    name: str


def season_of(windows: ReferenceWindows) -> Season:
    """Return the finest slots with at least 4 windows each; one slot for all where there are none.

    Hours of the week or of the day; of windows of a day or longer, days of the week.
    """
    names = (DAY_OF_WEEK,) if windows.width_ns >= DAY else (HOUR_OF_WEEK, HOUR_OF_DAY)
    for name in names:
        slots = slots_of(windows.starts, windows.width_ns, name)
        _, counts = np.unique(slots, return_counts=True)
        # A slot or two may be short of windows, as where a day is missing; one in ten may not.
        if len(counts) > 1 and np.quantile(counts, 0.1) >= MIN_IN_SLOT:
            return Season(slots, name)
    return Season(np.zeros(len(windows), np.int64), "")


def slots_of(starts: Integers, width_ns: int, name: str) -> Integers:
    """Return the slot of windows of this width, `[windows]`.

    A day is the one that holds its middle, so that a day by other clocks than UTC's is the same one.
    """
    if name == DAY_OF_WEEK:
        return hour_of_week(starts + width_ns // 2) // 24
    if name == HOUR_OF_WEEK:
        return hour_of_week(starts)
    return hour_of_day(starts) if name else np.zeros(len(starts), np.int64)


def slots_within(window: Window, season: Season, width_ns: int) -> Integers:
    """Return the slot of every reference-long part of `window`, at least one; of days of 23 to 25 hours, one.

    Of the first MAX_WINDOWS parts: of what is longer than any reference no more is known.
    """
    n_parts = min(max(round((window.end_ns - window.start_ns) / width_ns), 1), MAX_WINDOWS)
    starts = window.start_ns + np.arange(n_parts, dtype=np.int64) * width_ns
    return slots_of(starts, width_ns, season.name)


class Baselines:
    """The baselines of one reference's windows, which are costly to learn and asked for again and again.

    `assumption` says in a sentence what they rest on.
    """

    def __init__(self, windows: ReferenceWindows) -> None:
        self.windows = windows
        self.season = season_of(windows)
        self._spread: dict[tuple[str, int, bool], Dispersion | None] = {}

    @property
    def assumption(self) -> str:
        """What verdicts by these windows take for granted."""
        slots = f", compared by {self.season.name}" if self.season.name else ""
        return f"windows vary as the reference's own {len(self.windows):,} windows did{slots}"

    def block_of(self, n_rows: int, window: Window | None) -> int:
        """Return how many of the reference's windows make up a window: by its time, else by its rows."""
        if window is not None:
            ratio = (window.end_ns - window.start_ns) / self.windows.width_ns
        else:
            ratio = n_rows / max(float(self.windows.rows.mean()), 1.0)
        return max(round(ratio), 1)

    def baseline(self, stack: Stack, block: int, wanted: Integers | None) -> Baseline:
        """Return what `block` windows in slots `wanted` (None: in all, as they come) are compared with."""
        cells, hits, exposed, found = [], [], [], []
        slots = self.season.slots if wanted is not None else np.zeros_like(self.season.slots)
        within = slots[:1] if wanted is None else wanted
        for i, name in enumerate(stack.names):
            column = self.windows.columns.get(name) or _nothing(len(self.windows))
            cells.append(_wide(pooled_in_proportion(column.cells, slots, within)))
            per_home, per_exposed = _homes(column, slots, within)
            # What a fresh sample would have unseen, which the reference by its making has not.
            share = stack.reference.hits[i, OUTSIDE] / max(int(stack.reference.exposed[i, OUTSIDE]), 1)
            per_home[OUTSIDE] = round(share * float(per_exposed[OUTSIDE]))
            hits.append(per_home)
            exposed.append(per_exposed)
            found.append(self._dispersion(name, column, ordered=stack.ordered, block=block, slots=slots))
        return stacked_baseline(
            np.stack(cells),
            np.stack(hits),
            np.stack(exposed),
            found,
            ordered=stack.ordered,
            n_windows=len(self.windows),
            block=block,
            seasonal=bool(self.season.name) and wanted is not None,
        )

    def _dispersion(
        self, name: str, column: WindowedColumn, *, ordered: bool, block: int, slots: Integers
    ) -> Dispersion | None:
        """Learn how blocks differ from what their slots have; seasons add to it where these are not known."""
        key = (name, block, slots is self.season.slots)
        if key not in self._spread:
            self._spread[key] = (
                None
                if block * LONGEST > len(self.windows)
                else dispersion_of_column(
                    _wide(column.cells),
                    column.hits,
                    column.exposed,
                    ordered=ordered,
                    slots=slots,
                    block=block,
                )
            )
        return self._spread[key]


def _nothing(n_windows: int) -> WindowedColumn:
    """Return a column of which the reference has no cells, as one that is null throughout."""
    homes = np.zeros((n_windows, len(HOMES)), np.int64)
    return WindowedColumn(np.zeros((n_windows, 1), np.int64), homes, homes)


def _wide(cells: Integers) -> Integers:
    """Return `[..., cells]` with empty cells up to WIDTH."""
    return np.pad(cells, [*[(0, 0)] * (cells.ndim - 1), (0, WIDTH - cells.shape[-1])])


def _homes(column: WindowedColumn, slots: Integers, wanted: Integers) -> tuple[Integers, Integers]:
    """Return hits and exposed rows of each home, pooled in proportion."""
    pairs = []
    for home in range(column.hits.shape[1]):
        pair = np.stack([column.hits[:, home], column.exposed[:, home] - column.hits[:, home]], axis=1)
        hits, rest = pooled_in_proportion(pair, slots, wanted)
        pairs.append((hits, hits + rest))
    return np.array([p[0] for p in pairs], np.int64), np.array([p[1] for p in pairs], np.int64)


def time_of(profile: Mapping[str, ColumnCounts], schema: Any, width_ns: int) -> Window | None:
    """Return the whole windows that a profile's rows lie in, by its timestamp column; None without times."""
    names = schema.with_role("timestamp")
    column = profile.get(names[0]) if names else None
    if column is None or column.kind != "time" or column.min is None:
        return None
    first, last = (int(time.astype("datetime64[ns]").astype(np.int64)) for time in (column.min, column.max))
    origin = origin_ns(width_ns)
    start = (first - origin) // width_ns * width_ns + origin
    return Window(start, (last - origin) // width_ns * width_ns + origin + width_ns)


@lru_cache(maxsize=8)
def baselines_of(windows: ReferenceWindows) -> Baselines:
    """Return the baselines of these very windows, learned once."""
    return Baselines(windows)
