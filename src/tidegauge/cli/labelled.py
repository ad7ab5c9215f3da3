"""Rows and the labels that came for them later, put together in memory by their ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import tidegauge as tg
from tidegauge.arrow import Batches, batches
from tidegauge.arrow.batches import refuse_missing
from tidegauge.errors import InputError

LABELS_AT_ONCE = 1 << 16  # values of a column turned into Python's at a time


@dataclass
class Joined:
    """How many rows had an id that has a label; ids given labels more than once keep the last."""

    n_rows: int = 0
    n_labelled: int = 0
    n_again: int = 0


def rows_of(
    data: tuple[str, ...], labels: str | None, reference: tg.Reference, id_column: str | None
) -> Batches:
    """Return the rows of files, with the labels of `labels` beside them where that is given."""
    if labels is None:
        return batches(list(data))
    return with_labels(list(data), labels, reference, id_column)[0]


def with_labels(
    data: list[str], labels: str, reference: tg.Reference, id_column: str | None
) -> tuple[Batches, Joined]:
    """Return the rows of `data` with the labels of a file beside them; the counts are whole after reading.

    `id_column` None takes the one that the schema has. Raises InputError for columns that are missing, or for
    rows that have the label already.
    """
    name = the_column(reference, "label", None)
    key = the_column(reference, "id", id_column)
    rows = batches(data)
    there = [field.name for field in rows.fields]
    refuse_missing([key], there)
    if name in there:
        raise InputError(f"the data has the column {name!r} already: leave --labels out, or that column")
    joined = Joined()
    known: dict[bytes, Any] = {}
    id_key = tg.Archive.id_key(reference)
    for batch in batches(labels, columns=[key, name]):
        values = chain.from_iterable(pieces(batch, name))
        for each, value in zip(ids_of(batch, key, id_key), values, strict=True):
            if each is not None:
                joined.n_again += each in known
                known[each] = value
    kinds = {field.name: field for field in batches(labels, columns=[name]).fields}
    made = labelled(rows, key, name, known, joined, id_key)
    return Batches([*rows.fields, kinds[name]], made, None, rows.n_rows), joined


def the_column(reference: tg.Reference, role: str, given: str | None) -> str:
    """Return the column of a role, or the one that was given. Raises InputError where there is none."""
    names = reference.schema.with_role(role) if given is None else (given,)
    if not names:
        raise InputError(
            f"the reference's schema has no column with the role {role}"
            + (": say which column it is with --id" if role == "id" else ": fit it with one")
        )
    return names[0]


def ids_of(batch: tg._core.Batch, name: str, id_key: bytes) -> list[bytes | None]:
    """Return the ids of a batch as an archive tells them apart (5 is "5"), None for what is no id."""
    at = [field[0] for field in batch.fields].index(name)
    hashes, valid = tg._core.hash_ids(batch, at, id_key)
    known: list[bytes] = hashes.view("V16").ravel().tolist()
    return [each if is_id else None for each, is_id in zip(known, valid.tolist(), strict=True)]


def pieces(batch: tg._core.Batch, name: str) -> Iterator[list[Any]]:
    """Yield the values of a column, some at a time."""
    at = [field[0] for field in batch.fields].index(name)
    for begin in range(0, batch.n_rows, LABELS_AT_ONCE):
        yield batch.slice(begin, min(LABELS_AT_ONCE, batch.n_rows - begin)).to_pylist(at)


def labelled(  # noqa: PLR0917
    rows: Batches, key: str, name: str, known: dict[bytes, Any], joined: Joined, id_key: bytes
) -> Iterator[tg._core.Batch]:
    """Yield batches with the labels that are known as a column; without one where none is."""
    import pyarrow as pa

    for batch in rows:
        ids = ids_of(batch, key, id_key)
        values = [None if each is None else known.get(each) for each in ids]
        joined.n_rows += batch.n_rows
        n = sum(value is not None for value in values)
        joined.n_labelled += n
        if not n:
            yield batch
            continue
        (column,) = batches(pa.table({name: pa.array(values)}))
        parts = [(field[0], batch.select([i])) for i, field in enumerate(batch.fields)]
        yield tg._core.combine([*parts, (name, column)])
