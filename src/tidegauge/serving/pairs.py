"""What went into a scoring function joined with what came out: rows, or a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegauge.arrow.columns import columns_of_pandas, columns_of_polars, origin
from tidegauge.errors import InputError

__all__ = ["is_model", "pair"]

Row = Mapping[str, Any]


def pair(features: Any, result: Any, output: str) -> tuple[Sequence[Row], dict[str, Any] | None]:
    """Return the rows of a call, or no row and its batch (a mapping of columns).

    `output`: the column of a plain score. Raises InputError for what is neither. Copies no array.
    """
    if isinstance(features, (list, tuple)):
        return rows_of(features, result, output), None
    row = fields_of(features)
    if row is not None and (is_one(result) or is_one_row(row)):
        return ({**row, **outcome_of(result, output)},), None
    columns = dict(row) if row is not None else columns_of(features, "features")
    is_table = isinstance(result, Mapping) or table(result) is not None
    return (), {**columns, **(columns_of(result, "a result") if is_table else {output: result})}


def rows_of(features: Sequence[Any], results: Any, output: str) -> list[Row]:
    """Return a row for each of the features. Raises InputError unless there are as many results."""
    if not hasattr(results, "__len__") or len(results) != len(features):
        made = len(results) if hasattr(results, "__len__") else f"one {type(results).__qualname__}"
        raise InputError(f"{len(features)} rows went in and {made} came out: return a result for each row")
    rows: list[Row] = []
    for each, result in zip(features, results, strict=True):
        row = fields_of(each)
        if row is None:
            raise InputError(f"a list of {type(each).__qualname__} is no list of rows: {ACCEPTED}")
        rows.append({**row, **outcome_of(result, output)})
    return rows


def outcome_of(result: Any, output: str) -> Row:
    """Return what one row was given: a record's items, else the score under its column."""
    if type(result) is float:
        return {output: result}
    if getattr(result, "ndim", None) == 0:
        return {output: result.item()}  # NumPy's and torch's
    fields = fields_of(result)
    return {output: result} if fields is None else fields


def fields_of(record: Any) -> Row | None:
    """Return the names and values of a mapping or record, None for anything else."""
    kind = type(record)
    if kind is dict:
        return record  # type: ignore[no-any-return]
    if is_model(kind):
        return record.__dict__  # type: ignore[no-any-return]
    if isinstance(record, Mapping):
        return record
    if hasattr(kind, "__dataclass_fields__"):
        return {name: getattr(record, name) for name in kind.__dataclass_fields__}
    if hasattr(kind, "__struct_fields__"):
        return {name: getattr(record, name) for name in kind.__struct_fields__}
    return None


def is_model(kind: type) -> bool:
    """Tell whether a class is pydantic's, whose instances keep their fields, nothing else, in `__dict__`."""
    return hasattr(kind, "__pydantic_fields__")


def is_one(result: Any) -> bool:
    """Tell whether a result can only be one row's: a score, or a record with a value that is no array."""
    if is_scalar(result):
        return result is not None  # which a function that forgot to return gives for a batch, too
    fields = fields_of(result)
    return fields is not None and len(fields) > 0 and is_one_row(fields)


def is_one_row(row: Row) -> bool:
    """Tell whether a mapping has a value in it that is no array, and so is a row, not columns."""
    return not row or any(map(is_scalar, row.values()))


def is_scalar(value: Any) -> bool:
    """Tell whether a value is one value, rather than several: text is one, and so is an array of no axis."""
    if isinstance(value, (float, int, str, bytes)):
        return True
    if not hasattr(value, "__len__"):
        return fields_of(value) is None
    return getattr(value, "ndim", None) == 0


def columns_of(data: Any, what: str) -> dict[str, Any]:
    """Return the columns of a mapping, frame or table. Raises InputError for anything else."""
    pairs = list(data.items()) if isinstance(data, Mapping) else table(data)
    if pairs is None:
        raise InputError(f"cannot read {what} of type {type(data).__qualname__}: {ACCEPTED}")
    columns = dict(pairs)
    if len(columns) < len(pairs):
        raise InputError(f"{what}: a column's name stands twice in {[name for name, _ in pairs]!r:.200}")
    return columns


def table(data: Any) -> list[tuple[str, Any]] | None:
    """Return the names and columns of a frame or PyArrow table or record batch, None for anything else."""
    match origin(data):
        case "pandas", "DataFrame":
            return columns_of_pandas(data)
        case "polars", "DataFrame":
            return columns_of_polars(data)
    if type(data).__module__.startswith("pyarrow.") and hasattr(data, "column_names"):
        return list(zip(data.column_names, data.columns, strict=True))
    return None


ACCEPTED = (
    "a watched function takes a mapping or record (one row), a list of them (rows), or a frame, a PyArrow "
    "table or a mapping of arrays (a batch)"
)
