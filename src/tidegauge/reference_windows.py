"""The reference's own windows: how its rows lay in time, in coarse cells."""

from __future__ import annotations

import base64
import struct
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge import cells as coarse
from tidegauge.column_profiles import ColumnProfile
from tidegauge.errors import DecodeError, InputError, InputWarning, SchemaError
from tidegauge.homes import ABSENT, HOMES, OUTSIDE, homes_of
from tidegauge.outcome_specs import Outcomes
from tidegauge.outcomes.windowed import WindowedMetrics
from tidegauge.profiles import Profile, accumulator_bits
from tidegauge.window import MOST, Window, as_window, parse_duration, partitioned

Integers = npt.NDArray[np.int64]

MAX_WINDOWS = 20_000  # two years of hours; the reference keeps some 50 bytes of each column in each
_ORDERED = ("number", "time")
_MAGIC = b"TGW1"
_WIDTHS = (1, 2, 4, 8)  # bytes of a count


@dataclass(frozen=True, slots=True)
class WindowedColumn:
    """One column window by window.

    `cells` `[windows, coarse cells]` as `cells.number_groups` or `category_groups` number them; `hits`
    `[windows, homes]`, the rows in each of HOMES, and `exposed` the rows of which those are a share.
    """

    cells: Integers
    hits: Integers
    exposed: Integers


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceWindows:
    """Windows of `width_ns` that start at `starts` `[windows]`, ascending; `rows` in each; judged columns.

    `metrics` tell how right the model was in each window, one for each score and prediction with a label.
    """

    width_ns: int
    starts: Integers
    rows: Integers
    columns: Mapping[str, WindowedColumn]
    metrics: tuple[WindowedMetrics, ...] = ()

    def __len__(self) -> int:
        return len(self.starts)

    def without(self, window: Window) -> ReferenceWindows:
        """Return the windows that do not overlap `window`; the same where none does."""
        outside = (self.starts + self.width_ns <= window.start_ns) | (self.starts >= window.end_ns)
        if outside.all():
            return self
        columns = {
            name: WindowedColumn(c.cells[outside], c.hits[outside], c.exposed[outside])
            for name, c in self.columns.items()
        }
        metrics = tuple(each.at(outside) for each in self.metrics)
        return ReferenceWindows(self.width_ns, self.starts[outside], self.rows[outside], columns, metrics)

    def span(self) -> Window:
        """Return the time from the first window's start to the last one's end."""
        return as_window((int(self.starts[0]), int(self.starts[-1]) + self.width_ns))


class Splitter:
    """Counts the rows of batches window by window, in the memory of a few profiles and bytes of the rest."""

    _LIVE = 8  # rows come about in order: windows that had none for so many others are put into bytes

    def __init__(
        self,
        specs: Sequence[_core.ColumnSpec],
        timestamp: str,
        window: str | float | timedelta,
        outcomes: Sequence[Outcomes] = (),
    ) -> None:
        light = accumulator_bits("light")
        self._outcomes = list(outcomes)
        self._specs = [spec.with_options(spec.accumulators & light) for spec in specs]
        self._holder = Profile(_core.Profile(self._specs))
        self._timestamp = timestamp
        self._width_ns = parse_duration(window)
        self._live: dict[int, Profile] = {}
        self._put: dict[int, bytes] = {}
        self._lost = self._rows = 0

    def update(self, batch: _core.Batch, threads: int) -> None:
        """Add the rows of a batch.

        Raises SchemaError if its column `timestamp` holds no times, InputError for more than MAX_WINDOWS.
        """
        if self._timestamp not in (field[0] for field in batch.fields):
            raise SchemaError(
                f"column {self._timestamp!r}: it is to tell the time, but the data does not have it"
            )
        for start, rows in partitioned([batch], self._timestamp, self._width_ns):
            self._rows += rows.n_rows
            if start is None:
                self._lost += rows.n_rows
                continue
            window = self._live.pop(start, None)
            if window is None and start in self._put:
                window = Profile.from_bytes(self._put.pop(start), self._holder)
            window = window or Profile(_core.Profile(self._specs, outcomes=self._outcomes))
            window._core.update(rows, threads)
            self._live[start] = window  # the last used is the last in order
            if len(self._live) + len(self._put) > MAX_WINDOWS:
                raise InputError(
                    f"reference: its rows lie in more than {MAX_WINDOWS:,} windows, which is the limit; "
                    "take longer windows"
                )
            if len(self._live) > self._LIVE:
                oldest = next(iter(self._live))
                self._put[oldest] = self._live.pop(oldest).to_bytes()

    def windows(
        self,
        total: Profile,
        judged: Collection[str],
        measured: Callable[[Iterable[Sequence[Outcomes]]], tuple[WindowedMetrics, ...]],
    ) -> ReferenceWindows:
        """Return the windows of a reference whose rows are `total`, of the columns that are `judged`.

        `measured` makes metrics of the outcomes of the windows. Raises InputError if there are none.
        """
        self._put |= {start: window.to_bytes() for start, window in self._live.items()}
        if self._lost:
            warnings.warn(
                f"{self._lost:,} of {self._rows:,} rows are in no window of the reference: their time in "
                f"column {self._timestamp!r} is null or outside the years 1678 to 2261",
                InputWarning,
                stacklevel=3,
            )
        if not self._put:
            raise InputError(
                f"reference: no row has a time in column {self._timestamp!r}, so there are no windows"
            )
        found = windows_of(total, judged, self._width_ns, self._put)
        if not self._outcomes:
            return found
        parts = (Profile.from_bytes(self._put[start])._core.outcomes for start in sorted(self._put))
        return replace(found, metrics=measured(parts))


def groups_of(column: ColumnProfile) -> Integers | None:
    """Return the coarse cell of each fine cell of a reference's column; None of a column without cells."""
    if not column.judge or column.counts is None:
        return None
    counts = _fine(column)[None, :]
    n_coarse = coarse.coarse_cell_count([column.n_present])
    group = coarse.number_groups if column.kind in _ORDERED else coarse.category_groups
    return np.asarray(group(counts, n_coarse)[0])


def windows_of(
    total: Profile, judged: Collection[str], width_ns: int, parts: Mapping[int, bytes]
) -> ReferenceWindows:
    """Reduce light profiles of windows, bytes by start, to the coarse cells of the reference `total`."""
    groups = {name: found for name in judged if (found := groups_of(total[name])) is not None}
    starts = sorted(parts)
    shape = len(starts), len(HOMES)
    tables = {
        name: WindowedColumn(
            np.zeros((len(starts), int(group.max()) + 1), np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
        )
        for name, group in groups.items()
    }
    rows = np.zeros(len(starts), np.int64)
    for at, start in enumerate(starts):
        window = Profile.from_bytes(parts[start])
        rows[at] = window.n_rows
        for name, group in groups.items():
            column = window[name]
            table = tables[name]
            table.cells[at] = np.bincount(group, _fine(column), len(table.cells[at]))
            table.hits[at] = homes_of(column)
            table.exposed[at] = exposed(column.n_rows, column.n_absent, column.n_present)
    return ReferenceWindows(width_ns, np.array(starts, np.int64), rows, tables)


def exposed(n_rows: int, n_absent: int, n_present: int) -> Integers:
    """Return the rows of which each home is a share: all, those that have the column, present values."""
    found = np.full(len(HOMES), n_rows - n_absent, np.int64)
    found[ABSENT] = n_rows
    found[OUTSIDE] = n_present
    return found


def to_text(windows: ReferenceWindows) -> str:
    """Encode windows as text: base85 of little-endian bytes.

    "TGW1", width_ns i64, windows u32, columns u32, starts i64[windows], rows u64[windows]; then each column
    by name: length u32 and UTF-8 of the name, cells u16, bytes of a count u8, counts [windows, homes + 1 +
    cells] (the rows in each home, present values, cells).
    """
    parts = [_MAGIC, struct.pack("<qII", windows.width_ns, len(windows), len(windows.columns))]
    parts += [windows.starts.astype("<i8").tobytes(), windows.rows.astype("<u8").tobytes()]
    for name in sorted(windows.columns):
        column = windows.columns[name]
        counts = np.concatenate([column.hits, column.exposed[:, OUTSIDE:], column.cells], axis=1)
        size = next(each for each in _WIDTHS if int(counts.max(initial=0)) < 1 << 8 * each)
        told = name.encode()
        parts += [struct.pack("<I", len(told)), told, struct.pack("<HB", column.cells.shape[1], size)]
        parts.append(counts.astype(f"<u{size}").tobytes())
    return base64.b85encode(b"".join(parts)).decode()


def from_text(text: str, profile: Profile) -> ReferenceWindows:
    """Read what `to_text` wrote, of the reference with this profile. Raises DecodeError."""
    try:
        reader = _Reader(base64.b85decode(text))
    except ValueError as error:
        raise DecodeError(f"reference windows: not base85: {error}") from None
    if reader.take(4) != _MAGIC:
        raise DecodeError("reference windows: the first bytes are not their mark")
    width_ns, n_windows, n_columns = reader.unpack("<qII")
    if width_ns < 1 or not 1 <= n_windows <= MAX_WINDOWS:
        raise DecodeError(f"reference windows: {n_windows:,} windows of {width_ns:,} ns are impossible")
    starts = reader.array("<i8", (n_windows,))
    rows = reader.array("<u8", (n_windows,))
    # Of ascending starts the distance fits in 64 bits without a sign.
    apart = np.diff(starts.view(np.uint64))
    if (starts[1:] <= starts[:-1]).any() or (apart < width_ns).any() or starts[-1] > MOST - width_ns:
        raise DecodeError("reference windows: not in the order of time, or overlapping")
    if (rows < 0).any() or sum(rows.tolist()) > profile.n_rows:
        raise DecodeError(f"reference windows: more rows than the {profile.n_rows:,} of the reference")
    columns: dict[str, WindowedColumn] = {}
    last = b""
    for at in range(n_columns):
        told = reader.take(*reader.unpack("<I"))
        if at and told <= last:
            raise DecodeError("reference windows: columns are not in the order of their names")
        last = told
        try:
            name = told.decode()
        except UnicodeDecodeError as error:
            raise DecodeError(f"reference windows: the name of a column is not UTF-8: {error}") from None
        n_cells, size = reader.unpack("<HB")
        if size not in _WIDTHS:
            raise DecodeError(f"reference windows: column {name!r} has counts of {size} bytes")
        counts = reader.array(f"<u{size}", (n_windows, len(HOMES) + 1 + n_cells))
        columns[name] = _checked(name, counts, rows, profile)
    reader.expect_end()
    return ReferenceWindows(width_ns, starts, rows, columns)


def _checked(name: str, counts: Integers, rows: Integers, profile: Profile) -> WindowedColumn:
    """Return a column whose counts add up, in the cells that the reference's profile has."""
    group = groups_of(profile[name]) if name in profile else None
    hits, present, cells = counts[:, : len(HOMES)], counts[:, len(HOMES)], counts[:, len(HOMES) + 1 :]
    lost = hits[:, :OUTSIDE].sum(axis=1)
    if group is None or cells.shape[1] != int(group.max()) + 1:
        raise DecodeError(f"reference windows: column {name!r} has not the cells of the reference")
    # No count above the rows, of which there are no more than the reference has: so no sum overflows.
    impossible = (counts < 0) | (counts > rows[:, None])
    unlike = (cells.sum(axis=1) != present) | (lost + present != rows) | (hits[:, OUTSIDE] > present)
    if impossible.any() or unlike.any():
        raise DecodeError(f"reference windows: the counts of column {name!r} do not add up to its rows")
    of = [exposed(int(n), int(a), int(p)) for n, a, p in zip(rows, hits[:, ABSENT], present, strict=True)]
    return WindowedColumn(cells, hits, np.array(of, np.int64))


class _Reader:
    """Bytes from the front, never beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def take(self, size: int) -> bytes:
        if size > len(self._data):
            raise DecodeError(
                f"reference windows: truncated, {size:,} bytes wanted where {len(self._data):,} are left"
            )
        found, self._data = bytes(self._data[:size]), self._data[size:]
        return found

    def unpack(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def array(self, form: str, shape: tuple[int, ...]) -> Integers:
        dtype = np.dtype(form)
        found = np.frombuffer(self.take(int(np.prod(shape, dtype=object)) * dtype.itemsize), dtype)
        return found.reshape(shape).astype(np.int64)

    def expect_end(self) -> None:
        if len(self._data):
            raise DecodeError(f"reference windows: {len(self._data):,} bytes too many")


def _fine(column: ColumnProfile) -> Integers:
    """Return counts of below + cells + above of a number, categories + unseen of a category."""
    assert column.counts is not None
    inner = column.counts.astype(np.int64)
    if column.kind in _ORDERED:
        return np.concatenate([[column.n_below], inner, [column.n_above]])
    return np.concatenate([inner, [column.n_unseen]])
