"""Frames and mappings column by column: NumPy memory as it is, the rest through each column's Arrow stream.

Because Polars' stream of a frame merges the caller's chunks in place, and pandas' turns NaN into null.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge._core import Batch, Stream, batch_from_arrays, batch_from_capsules, combine
from tidegauge.arrow.batches import Batches, refuse_duplicates
from tidegauge.errors import InputError, SchemaError

# Opens one column: its batches, each of one column.
Opener = Callable[[], Iterable[Batch]]


def origin(data: Any) -> tuple[str, str]:
    """Return package and name of a frame type, or of the one it derives from: ("pandas", "DataFrame")."""
    for base in type(data).__mro__:
        package = base.__module__.partition(".")[0]
        if package in {"pandas", "polars"} and base.__name__ in {"DataFrame", "LazyFrame", "Series"}:
            return package, base.__name__
    return "", ""


def columns_of_polars(frame: Any) -> list[tuple[str, Any]]:
    """Return the Series of a Polars frame, in their own chunks."""
    return [(series.name, series) for series in frame.get_columns()]


def columns_of_pandas(frame: Any) -> list[tuple[str, Any]]:
    """Return the Series of a pandas frame; index levels that have a name come last, as columns."""
    levels = [name for name in frame.index.names if name is not None]
    by_position = [(str(name), frame.iloc[:, i]) for i, name in enumerate(frame.columns)]
    return by_position + [(str(name), frame.index.get_level_values(name).to_series()) for name in levels]


def of_columns(columns: Iterable[tuple[Any, Any]], n_rows: int | None) -> Batches:
    """Read (name, values) pairs of equal length."""
    pairs = [(str(name), values) for name, values in columns]
    names = [name for name, _ in pairs]
    refuse_duplicates(names)
    arrays = [as_array(name, values) for name, values in pairs]
    if all(array is not None for array in arrays):
        batch = as_batch(names, [array for array in arrays if array is not None])
        return Batches(batch.fields, [batch], lambda: [batch], batch.n_rows if names else n_rows)
    openers = [
        opener(name, values) if array is None else partial(one_batch, as_batch([name], [array]))
        for (name, values), array in zip(pairs, arrays, strict=True)
    ]
    fields = []
    opened: list[Iterable[Batch]] = []
    for name, open_column in zip(names, openers, strict=True):
        column = open_column()
        found = column.fields if isinstance(column, Stream) else next(iter(column)).fields
        if len(found) != 1:
            raise InputError(f"column {name!r} is a table of {len(found)} columns: pass its columns")
        fields.append((name, *found[0][1:]))
        opened.append(column)
    rereadable = all(
        array is not None or streams_again(values) for (_, values), array in zip(pairs, arrays, strict=True)
    )
    return Batches(
        fields,
        side_by_side(names, opened),
        (lambda: side_by_side(names, [open_column() for open_column in openers])) if rereadable else None,
        n_rows,
    )


def streams_again(data: Any) -> bool:
    """Tell whether a producer is a table, whose type can tell its size; a stream cannot, and is read once."""
    return any(hasattr(type(data), sized) for sized in ("__len__", "num_rows", "shape", "count"))


def one_batch(batch: Batch) -> Iterable[Batch]:
    """Open a column that is one batch."""
    return [batch]


def as_batch(names: list[str], arrays: list[npt.NDArray[Any]]) -> Batch:
    """Make NumPy columns one batch. Raises InputError for arrays that cannot be columns."""
    try:
        return batch_from_arrays(names, arrays)
    except SchemaError as error:
        raise InputError(str(error)) from None


def as_array(name: str, values: Any) -> npt.NDArray[Any] | None:
    """Return the NumPy array of one column, None if it must come through its Arrow stream."""
    package, _ = origin(values)
    if package == "pandas":
        return array_of_pandas(values)
    if package == "polars":
        return array_of_objects(values.to_numpy()) if str(values.dtype) == "Object" else None
    if isinstance(values, np.ndarray):
        return array_of_objects(values)
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        return None
    if hasattr(values, "__array__") and np.ndim(values) > 0:
        return array_of_objects(np.asarray(values))
    if isinstance(values, Sequence) and not isinstance(values, str | bytes | bytearray):
        return array_of_objects(np.fromiter(values, dtype=object, count=len(values)))
    raise InputError(
        f"column {name!r} is a {type(values).__module__}.{type(values).__qualname__}, not an array: pass "
        "arrays or lists of equal length, and a single row through record()"
    )


def array_of_pandas(series: Any) -> npt.NDArray[Any] | None:
    """Return a Series' NumPy memory, None for an extension type that pandas can export through pyarrow."""
    if isinstance(series.dtype, np.dtype):
        return array_of_objects(series.to_numpy())
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return array_of_objects(series.to_numpy(dtype=object))
    return None


def array_of_objects(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Make objects that are all times datetime64 or timedelta64, and rows of equally many numbers 2-D.

    Aware datetimes are written in UTC. Other objects, and arrays of other types, are returned as they are.
    """
    if values.dtype != object or values.ndim != 1:
        return values
    first = next((value for value in values if value is not None), None)
    try:
        if isinstance(first, np.datetime64 | np.timedelta64):
            return np.array(values.tolist(), dtype=first.dtype)
        if isinstance(first, datetime.date):
            return np.array([in_utc(value) for value in values], dtype="datetime64[us]")
        if isinstance(first, datetime.timedelta):
            return np.array(values, dtype="timedelta64[us]")
        if isinstance(first, list | tuple | np.ndarray):
            rows = np.array(values.tolist())
            return rows if rows.ndim == 2 and rows.dtype.kind in "biuf" else values
    except (TypeError, ValueError):
        pass  # of several sorts, or rows of unequal lengths
    return values


def in_utc(value: Any) -> Any:
    """Make an aware datetime a naive one in UTC and NaT None; leave anything else as it is."""
    if type(value).__name__ == "NaTType":
        return None
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.UTC).replace(tzinfo=None)
    return value


def opener(name: str, values: Any) -> Opener:
    """Return what reads one Arrow column from its beginning."""
    if hasattr(values, "__arrow_c_stream__"):
        return lambda: open_stream(name, values)
    batch = batch_from_capsules(*values.__arrow_c_array__())
    return lambda: [batch]


def open_stream(name: str, values: Any) -> Stream:
    """Open one column's stream; what its producer refuses is an InputError that names the column."""
    try:
        return Stream(values.__arrow_c_stream__())
    except Exception as error:
        raise InputError(
            f"column {name!r}: a {type(values).__qualname__} gives no Arrow ({error}): convert or drop it"
        ) from error


def side_by_side(names: list[str], columns: list[Iterable[Batch]]) -> Iterator[Batch]:
    """Cut columns of unequal chunks into batches, wherever any column's chunk ends. Shares memory."""
    chunks = [iter(column) for column in columns]
    current = [next_chunk(chunk) for chunk in chunks]
    begin = [0] * len(names)
    while True:
        ended = [name for name, batch in zip(names, current, strict=True) if batch is None]
        if ended and len(ended) < len(names):
            longer = next(name for name in names if name not in ended)
            raise InputError(f"column {ended[0]!r} ends before column {longer!r}: columns have equal lengths")
        parts = [batch for batch in current if batch is not None]
        if not parts:
            return
        n = min(batch.n_rows - i for batch, i in zip(parts, begin, strict=True))
        yield combine(
            [
                (name, batch if n == batch.n_rows else batch.slice(i, n))
                for name, batch, i in zip(names, parts, begin, strict=True)
            ]
        )
        for k, batch in enumerate(parts):
            begin[k] += n
            if begin[k] == batch.n_rows:
                current[k], begin[k] = next_chunk(chunks[k]), 0


def next_chunk(chunks: Iterator[Batch]) -> Batch | None:
    """Return the next chunk that has a row, None at the end."""
    return next((batch for batch in chunks if batch.n_rows > 0), None)
