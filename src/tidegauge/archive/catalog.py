"""Catalog: which record of a Parquet archive lies in which file, from names where they say it."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from tidegauge.archive.parquet_file import DamagedError, Head, LaterFormatError, head_of, open_file
from tidegauge.archive.parquet_names import MERGED, PROFILES, model_folder, named
from tidegauge.archive.places import Entry, Place
from tidegauge.archive.records import Found, Key, Quarantined, digest_of, fields_of, key_of
from tidegauge.archive.spool import OPEN
from tidegauge.errors import ArchiveError, ArchiveWarning, InputError

Item = TypeVar("Item")
Result = TypeVar("Result")
QUARANTINE = "quarantine"
THREADS = 8
ATTEMPTS = 20
SMALL_BYTES = 1 << 20  # read whole: one request instead of three
MOST_HEADS = 100_000  # kept in memory, a few hundred bytes each


class File(NamedTuple):
    """A file and where it lies: in the archive or in the spool."""

    place: Place
    entry: Entry


class Held(NamedTuple):
    """One record of a file."""

    found: Found
    file: File
    row: int


class GoneError(Exception):
    """A file went between being listed and being read."""


@dataclass(slots=True)
class Listing:
    """The files of an archive at one moment, what each holds, and what of that counts."""

    heads: dict[File, Head]
    replaced: set[Key]
    held: dict[Key, Held]


class Catalog:
    """Lists files and reads their heads, each once."""

    def __init__(self, place: Place, spool: Place, *, read_only: bool) -> None:
        self._place = place
        self._spool = spool
        self._read_only = read_only
        self._heads: dict[File, Head] = {}
        self._asides: dict[Entry, tuple[Key, int] | None] = {}

    def listing(
        self,
        model: str | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        *,
        totals: bool = False,
    ) -> Listing:
        """Return what is there of windows that overlap [start_ns, end_ns), consistent for one moment.

        `totals`: records of segments may be left out, which spares reading files whose names tell the rest.

        What is moved goes from the spool to profiles/ to merged/, and is written before it is deleted: so it
        is looked for in that order. Within merged/ a listing that a compaction overtakes may miss a file,
        so it is repeated until it stays the same. Raises ArchiveError.
        """
        for _ in range(ATTEMPTS):
            files = [File(self._spool, each) for each in self._spool.listed(OPEN)]
            files += [File(self._place, each) for each in self._listed(PROFILES, model)]
            merged = self._listed(MERGED, model)
            while merged != (merged := self._listed(MERGED, model)):
                pass
            files += [File(self._place, each) for each in merged]
            try:
                return self._read(files, start_ns, end_ns, totals)
            except GoneError:
                continue
        raise ArchiveError(
            f"archive {self._place}: it changed under {ATTEMPTS} attempts to list it: try again"
        )

    def _listed(self, folder: str, model: str | None) -> list[Entry]:
        folder = folder if model is None else f"{folder}/{model_folder(model)}"
        return [each for each in self._place.listed(folder) if each.path.endswith(".parquet")]

    def _read(self, files: Sequence[File], start_ns: int | None, end_ns: int | None, totals: bool) -> Listing:
        heads: dict[File, Head] = {}
        unread: list[File] = []
        for file in files:
            said = named(file.entry.path)
            if said is not None and not (
                (start_ns is None or said.end_ns > start_ns) and (end_ns is None or said.start_ns < end_ns)
            ):
                continue
            if file in self._heads:
                heads[file] = self._heads[file]
            elif (
                said is not None
                and said.found is not None
                and (totals or not said.n_more)
                and not file.entry.path.startswith(MERGED)  # what it replaces is in no name
            ):
                heads[file] = Head((said.found,), frozenset(), 0)
            else:
                unread.append(file)
        heads |= self._read_heads(unread)
        replaced = {key for head in heads.values() for key in head.replaces}
        aside = self.set_aside_keys()
        held: dict[Key, Held] = {}
        for file, head in heads.items():
            for row, found in enumerate(head.found):
                if found.key in replaced:
                    continue
                if found.key in aside and self._written_ns(file, head) <= aside[found.key]:
                    continue
                new, old = Held(found, file, row), held.get(found.key)
                if old is None or self._rank(new, head) > self._rank(old, heads[old.file]):
                    held[found.key] = new
        return Listing(heads, replaced, held)

    def _rank(self, held: Held, head: Head) -> tuple[bool, int, str]:
        """Order records of one key: a final one, then the later one, counts."""
        return held.found.final, self._written_ns(held.file, head), held.file.entry.path

    def _written_ns(self, file: File, head: Head) -> int:
        if head.written_ns:
            return head.written_ns
        read = self._heads.get(file) or self._read_heads([file]).get(file)
        return 0 if read is None else read.written_ns

    def _read_heads(self, files: Sequence[File]) -> dict[File, Head]:
        """Read heads that are not known yet, in threads: most of the time is waiting. Raises GoneError."""
        if len(self._heads) > MOST_HEADS:
            self._heads.clear()
        read: dict[File, Head] = {}
        for file, head in zip(files, in_threads(self.head, files), strict=True):
            if isinstance(head, DamagedError):
                self.set_file_aside(file, str(head))
            else:
                read[file] = self._heads[file] = head
        return read

    def head(self, file: File) -> Head | DamagedError:
        """Read what a file holds. Raises GoneError, or ArchiveError where the place cannot be read."""
        try:
            known = self._heads.get(file)
            return known or head_of(self.open(file))
        except DamagedError as damage:
            return damage
        except LaterFormatError as error:
            raise ArchiveError(f"archive {file.place}: {file.entry.path}: {error}") from None

    @staticmethod
    def open(file: File) -> object:
        """Open a file to read parts of it; a small one is read at once. Raises GoneError, DamagedError."""
        small = file.entry.n_bytes <= SMALL_BYTES
        source = file.place.get(file.entry.path) if small else file.place.opened(file.entry.path)
        if source is None:
            raise GoneError
        return open_file(source)

    # What was set aside.

    def set_file_aside(self, file: File, why: str) -> None:
        """Move a file that cannot be read out of the way, and say so; one that another process moved is."""
        said = named(file.entry.path)
        path = f"{QUARANTINE}/files/{os.path.basename(file.entry.path)}"
        found = None if said is None else said.found
        known = "" if found is None else f", {found.n_rows:,} rows of {found.key},"
        moved = "left out" if self._read_only else f"moved to {path}"
        warnings.warn(
            f"archive {self._place}: {file.entry.path}{known} is {moved}: {why}", ArchiveWarning, stacklevel=7
        )
        if self._read_only:
            return
        body = file.place.get(file.entry.path)
        if body is not None:
            self._place.put(path, body)
            self.put_aside(None if found is None else found.key, why, when_ns=0, at=path)
            file.place.delete(file.entry.path)

    def put_aside(self, key: Key | None, why: str, *, when_ns: int, at: str) -> None:
        """Note that a record, or a file, is set aside."""
        told = {"key": None if key is None else fields_of(key), "why": why, "when_ns": when_ns, "at": at}
        body = json.dumps(told).encode()
        self._place.put(f"{QUARANTINE}/notes/{digest_of([at, told['key']])}.json", body)

    def set_aside_keys(self) -> dict[Key, int]:
        """Return the keys of records set aside, and when; what was written later is another record."""
        entries = self._place.listed(f"{QUARANTINE}/notes")
        found: dict[Key, int] = {}
        for entry in entries:
            if entry not in self._asides:
                note = self._note(entry)
                self._asides[entry] = None if note is None or note.key is None else (note.key, note.when_ns)
            if (known := self._asides[entry]) is not None:
                found[known[0]] = max(known[1], found.get(known[0], 0))
        return found

    def quarantined(self) -> list[Quarantined]:
        """Return all notes, the oldest first."""
        notes = (self._note(entry) for entry in self._place.listed(f"{QUARANTINE}/notes"))
        known = (each for each in notes if each is not None)
        return sorted(known, key=lambda each: (each.when_ns, each.place))

    def _note(self, entry: Entry) -> Quarantined | None:
        body = self._place.get(entry.path)
        try:
            told = json.loads(body or b"")
            key = None if told["key"] is None else key_of(told["key"])
            when_ns = told["when_ns"] or entry.changed_ns
            return Quarantined(key, told["why"], when_ns, f"{self._place}/{told['at']}")
        except (ValueError, KeyError, TypeError, IndexError, InputError):
            return None  # a note that is damaged itself


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return what a function gives for each item, in order; several at once where there are several."""
    listed = list(items)
    if len(listed) < 2:
        return [function(item) for item in listed]
    with ThreadPoolExecutor(min(THREADS, len(listed))) as pool:
        return list(pool.map(function, listed))
