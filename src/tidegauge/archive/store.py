"""Store: what every kind of archive can do, from which `Archive` is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from tidegauge.archive.records import Found, Key, Quarantined, Record
from tidegauge.errors import ArchiveError

ALONE_SECONDS = 120.0  # that one process waits for another to end what it does alone


class OvertakenError(ArchiveError):
    """What was to be replaced is no longer all there: another process was faster. Nothing was changed."""


class Store(Protocol):
    """Profiles by key and small named documents, for many writers and readers at once.

    Constructing one opens nothing. Every method may be called from any thread, and raises ArchiveError for
    what the state of the world forbids: then nothing has changed, or (the outcome of a write being unknown)
    the same call again does no harm.
    """

    conditional: bool
    """Whether put_document(if_absent=True) is atomic between processes."""

    def append(self, records: Sequence[Record]) -> None:
        """Store all or none, durable when it returns; a record replaces the one of an equal key.

        Save that a checkpoint, which may come late, does not replace a final record.
        """

    def find(
        self,
        *,
        model: str | None = None,
        version: str | None = None,
        reference_id: str | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        segment: str | None = None,
    ) -> list[Found]:
        """Return what is stored of windows that overlap [start_ns, end_ns), in the order of keys."""

    def series(self) -> list[tuple[str, str, str]]:
        """Return each (model, version, reference_id) of which anything is stored, in order."""

    def read(self, keys: Sequence[Key]) -> Iterator[tuple[Key, bytes]]:
        """Give the states of those that are there, in the order asked for; b"" for one that is unreadable."""

    def replace(self, merged: Sequence[Record], replaced: Sequence[Key]) -> None:
        """Put `merged` in the place of `replaced`; at no moment does a reader miss rows or see them twice.

        All are of one model. Raises OvertakenError if some of `replaced` are not there.
        """

    def put_document(self, kind: str, name: str, body: bytes, *, if_absent: bool = False) -> bool:
        """Store a named document, durable when it returns; False if it was there and `if_absent`."""

    def documents(self, kind: str, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Give (name, body) of a kind's documents whose names start with `prefix`, in order of names."""

    def document_names(self, kind: str, prefix: str = "") -> list[str]:
        """Return the names of a kind's documents that start with `prefix`, in order, without reading them."""

    def delete_documents(self, kind: str, names: Sequence[str]) -> None:
        """Delete those of the named documents that are there."""

    def alone(self, what: str) -> AbstractContextManager[None]:
        """Keep other processes from doing `what` meanwhile, where the store can (`conditional`).

        Raises ArchiveError, when entered, where another does it for two minutes.
        """

    def quarantine(self, keys: Sequence[Key], why: str) -> None:
        """Set records aside: kept, listed by `quarantined`, and no longer found."""

    def quarantined(self) -> list[Quarantined]:
        """Return what was set aside, the oldest first."""

    def close(self) -> None:
        """Let go of files and locks; a closed store opens them again when used."""
