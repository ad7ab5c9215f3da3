"""Shelves: records beside the profiles of a series, for its late labels; under models of their own.

A shelf's records go through the same append as profiles do, so that both are there or neither, and are
sealed, quarantined and recovered alike. No model of a user begins as they do.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeVar

from tidegauge.archive.records import Found, Key
from tidegauge.archive.store import Store
from tidegauge.errors import ArchiveError, ArchiveWarning, DecodeError
from tidegauge.window import Window

MARK = "\0"
ATTEMPTS = 20
Content = TypeVar("Content")
# Rows that wait for labels; labels that were given; labels that came before their rows.
Shelf = Literal["waiting", "given", "early"]


class Series(NamedTuple):
    """What is counted alike: one version of a model, against one reference."""

    model: str
    version: str
    reference_id: str


def on_shelf(series: Series, shelf: Shelf, window: Window, writer: str, sequence: int = 0) -> Key:
    """Return the key of a record on a shelf."""
    model = f"{MARK}{shelf}{MARK}{series.model}"
    return Key(model, series.version, series.reference_id, window, "", writer, sequence)


def is_on_shelf(model: str) -> bool:
    """Tell whether a model is a shelf's."""
    return model.startswith(MARK)


def found_on(
    store: Store, series: Series, shelf: Shelf, start_ns: int | None = None, end_ns: int | None = None
) -> list[Found]:
    """Return what lies on a shelf, in the order of keys."""
    model = f"{MARK}{shelf}{MARK}{series.model}"
    return store.find(
        model=model,
        version=series.version,
        reference_id=series.reference_id,
        start_ns=start_ns,
        end_ns=end_ns,
        segment="",
    )


def read_from(
    store: Store, find: Callable[[], Sequence[Found]], decode: Callable[[bytes], Content]
) -> dict[Key, Content]:
    """Return what `find` lists, decoded, in its order; what is damaged is set aside, with an ArchiveWarning.

    Where a record went between being found and being read, all is done again. Raises ArchiveError.
    """
    for _ in range(ATTEMPTS):
        keys = [each.key for each in find()]
        found: dict[Key, Content] = {}
        damaged: dict[Key, str] = {}
        for key, state in store.read(keys):
            try:
                found[key] = decode(state)
            except DecodeError as error:
                damaged[key] = str(error)
        if len(found) + len(damaged) < len(keys):
            continue
        for key, why in damaged.items():
            warnings.warn(f"archive: {key} is set aside: {why}", ArchiveWarning, stacklevel=3)
            store.quarantine([key], why)
        return found
    raise ArchiveError("archive: it changed under all attempts to read what waits for labels: try again")
