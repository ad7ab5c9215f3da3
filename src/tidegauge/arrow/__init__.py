"""Anything that speaks Arrow, NumPy or names a file, as batches; the only place that knows input kinds.

Importing this imports neither pyarrow, pandas nor polars: a frame is known by the module of its type.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tidegauge._core import Batch, Stream, batch_from_capsules, batch_from_dict
from tidegauge.arrow.batches import Batches, Field
from tidegauge.arrow.columns import columns_of_pandas, columns_of_polars, of_columns, origin, streams_again
from tidegauge.errors import InputError

__all__ = ["Batches", "Field", "at_once", "batches"]

ACCEPTED = (
    "accepted are objects with __arrow_c_stream__ or __arrow_c_array__ (PyArrow, Polars, pandas, DuckDB), a "
    "mapping of names to arrays, a path, URI or glob of Parquet, Arrow, CSV or JSON-lines files, and a list "
    "or generator of these"
)


def batches(data: Any, *, columns: Sequence[str] | None = None, use_threads: bool = True) -> Batches:
    """Read the rows of `data`, without a copy where its memory allows it.

    `columns`: read these alone. `use_threads`: let pyarrow decode files on all cores. A generator announces
    the columns of its first part, a list those of all its parts. Raises InputError for data of no accepted
    kind, for files that are missing or are not what their name says, and for columns that are not there.
    """
    if is_location(data) or (isinstance(data, list | tuple) and data and all(map(is_location, data))):
        from tidegauge.arrow.files import of_files

        locations = [data] if is_location(data) else data
        return of_files([os.fspath(location) for location in locations], columns, use_threads)
    found = of_frame(data) or of_arrow(data) or of_parts(data)
    if found is None:
        raise InputError(f"cannot read a {type(data).__module__}.{type(data).__qualname__}: {ACCEPTED}")
    return found if columns is None else found.select(columns)


def at_once(data: Any) -> Batch | None:
    """Read a record batch, or a dict of NumPy arrays, in a few microseconds; None for every other kind.

    What `batches` would give as its only batch, without what streams, files and frames need. Raises
    ArrowError or InputError.
    """
    if isinstance(data, Batch):
        return data
    kind = type(data)
    if kind is dict:
        return batch_from_dict(data)
    if hasattr(kind, "column_names") or kind.__name__ == "RecordBatch":
        export = getattr(data, "__arrow_c_array__", None)
        return None if export is None else batch_from_capsules(*export())
    return None


def is_location(data: Any) -> bool:
    """Tell whether this names a file."""
    return isinstance(data, str | os.PathLike)


def of_frame(data: Any) -> Batches | None:
    """Read what is made of named columns: a frame, a Series, a mapping, a structured array."""
    match origin(data):
        case "polars", "DataFrame":
            pairs, n_rows = columns_of_polars(data), data.height
        case "polars", "LazyFrame":
            raise InputError("a Polars LazyFrame has no rows yet: pass its .collect()")
        case "pandas", "DataFrame":
            pairs, n_rows = columns_of_pandas(data), len(data)
        case _, "Series":
            pairs, n_rows = [(named(data.name, data), data)], len(data)
        case _ if isinstance(data, Mapping):
            pairs, n_rows = list(data.items()), None
        case _ if isinstance(data, np.ndarray) and data.dtype.names:
            pairs, n_rows = [(name, data[name]) for name in data.dtype.names], len(data)
        case _:
            return None
    return of_columns(pairs, n_rows)


def named(name: Any, data: Any) -> str:
    """Return the name of a lone array. Raises InputError if it has none."""
    if name is None or name == "":
        raise InputError(f"a {type(data).__qualname__} without a name is no column: pass {{'name': array}}")
    return str(name)


def of_arrow(data: Any) -> Batches | None:
    """Read a producer of the Arrow PyCapsule interface."""
    if hasattr(data, "__arrow_c_stream__"):
        opened = Stream(data.__arrow_c_stream__())
        if len(opened.fields) == 1:
            named(opened.fields[0][0], data)
        n_rows = getattr(data, "num_rows", None)
        return Batches(
            opened.fields,
            opened,
            (lambda: Stream(data.__arrow_c_stream__())) if streams_again(data) else None,
            n_rows if isinstance(n_rows, int) else None,
        )
    if hasattr(data, "__arrow_c_array__"):
        batch = batch_from_capsules(*data.__arrow_c_array__())
        if len(batch.fields) == 1:
            named(batch.fields[0][0], data)
        return Batches(batch.fields, [batch], lambda: [batch], batch.n_rows)
    return None


def of_parts(data: Any) -> Batches | None:
    """Read batches that are already ours, and lists and iterators of inputs."""
    if isinstance(data, Batches):
        return data
    if isinstance(data, Batch):
        return Batches(data.fields, [data], lambda: [data], data.n_rows)
    if isinstance(data, list | tuple):
        return of_list(data)
    return of_iterator(data) if isinstance(data, Iterator) else None


def of_list(parts: Sequence[Any]) -> Batches:
    """Read parts one after the other; columns are united by name, the first to announce one describes it."""
    if not parts:
        raise InputError(f"an empty list has no columns: {ACCEPTED}")
    read = [batches(part) for part in parts]
    field_of: dict[str, Field] = {}
    for part in read:
        field_of = {field.name: field for field in part.fields} | field_of
    order = dict.fromkeys(field.name for part in read for field in part.fields)
    sizes = [part.n_rows for part in read if part.n_rows is not None]

    def chained() -> Iterator[Batch]:
        return (batch for part in read for batch in part)

    return Batches(
        [field_of[name] for name in order],
        chained(),
        chained if all(part.rereadable for part in read) else None,
        sum(sizes) if len(sizes) == len(read) else None,
    )


def of_iterator(parts: Iterator[Any]) -> Batches:
    """Read parts as they come, once; the first is taken at once, to learn the columns."""
    for first in parts:
        head = batches(first)
        return Batches(head.fields, chain(head, parts), None)
    raise InputError("a generator that yields nothing has no columns, or was read before: pass a new one")


def chain(head: Iterable[Batch], parts: Iterator[Any]) -> Iterator[Batch]:
    """Give the batches of the first part, then of each other part."""
    yield from head
    for part in parts:
        yield from batches(part)
