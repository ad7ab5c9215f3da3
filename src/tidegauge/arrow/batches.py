"""Batches: the rows of one input, in order, with the columns they announce."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from tidegauge._core import Batch
from tidegauge.errors import InputError, InputWarning


class Field(NamedTuple):
    """One column as its producer announced it.

    `kind` is number, boolean, category, time, embedding or unsupported; `format` the Arrow format string;
    `timezone` and `extension` (the Arrow extension type's name) are "" where there is none.
    """

    name: str
    kind: str
    format: str
    timezone: str = ""
    extension: str = ""


class Batches:
    """An iterable of engine batches with `fields`, `n_rows` (None if unknown) and `rereadable`.

    Iterating something that is not rereadable a second time raises InputError; reading no row from a stream
    that announces columns and cannot be rewound warns with InputWarning, since a stream that was read before
    looks exactly like that.
    """

    __slots__ = ("_opened", "_reopen", "fields", "n_rows")

    def __init__(
        self,
        fields: Iterable[tuple[str, str, str, str, str]],
        opened: Iterable[Batch],
        reopen: Callable[[], Iterable[Batch]] | None,
        n_rows: int | None = None,
    ) -> None:
        self.fields = tuple(Field(*field) for field in fields)
        self.n_rows = n_rows
        self._opened: Iterable[Batch] | None = opened
        self._reopen = reopen
        refuse_duplicates(field.name for field in self.fields)

    @property
    def rereadable(self) -> bool:
        """Whether iterating again gives the same rows again."""
        return self._reopen is not None

    def __iter__(self) -> Iterator[Batch]:
        opened = self._take()
        return iter(opened) if self.rereadable or not self.fields else warn_if_empty(opened)

    def _take(self) -> Iterable[Batch]:
        """Return what was opened to learn the columns, the first time; after that, open it again."""
        opened, self._opened = self._opened, None
        if opened is not None:
            return opened
        if self._reopen is None:
            raise InputError("this input was already read, and can be read only once: pass a new one")
        return self._reopen()

    def select(self, columns: Sequence[str]) -> Batches:
        """Return the columns of these names alone, in this order; this object counts as read.

        Raises InputError for a name that is not there.
        """
        field_of = {field.name: field for field in self.fields}
        refuse_missing(columns, list(field_of))
        opened, reopen = self._take(), self._reopen

        def selected(batches: Iterable[Batch]) -> Iterator[Batch]:
            return (batch.select(positions_in(batch, columns)) for batch in batches)

        return Batches(
            [field_of[name] for name in columns],
            selected(opened),
            None if reopen is None else lambda: selected(reopen()),
            self.n_rows,
        )


def positions_in(batch: Batch, columns: Sequence[str]) -> list[int]:
    """Return where these columns stand in this batch; parts of one input may lack or reorder them."""
    position = {field[0]: i for i, field in enumerate(batch.fields)}
    return [position[name] for name in columns if name in position]


def warn_if_empty(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Pass batches on; warn if there was not one row in them."""
    n_rows = 0
    for batch in batches:
        n_rows += batch.n_rows
        yield batch
    if n_rows == 0:
        warnings.warn(
            "no rows: this stream announces columns but gave no row, as a stream does that was read before: "
            "pass a new one",
            InputWarning,
            stacklevel=2,
        )


def refuse_duplicates(names: Iterable[str]) -> None:
    """Raise InputError if a name is there twice: a column is identified by its name alone."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"column {name!r} is there twice: rename one of them")
        seen.add(name)


def refuse_missing(columns: Iterable[str], names: Sequence[str]) -> None:
    """Raise InputError for the first of `columns` that is not among `names`, with near misses."""
    for column in columns:
        if column not in names:
            import difflib

            near = difflib.get_close_matches(column, names, n=3)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {names[:20]}"
            raise InputError(f"no column {column!r}: {hint}")
