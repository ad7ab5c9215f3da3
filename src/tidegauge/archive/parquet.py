"""ParquetStore: an archive of immutable Parquet files, on a disk or in an object store, for many machines."""

from __future__ import annotations

import os
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from urllib.parse import parse_qs, urlsplit

from tidegauge.archive.bucket import Bucket
from tidegauge.archive.catalog import Catalog, File, GoneError, Held, Listing, in_threads
from tidegauge.archive.directory import Directory
from tidegauge.archive.parquet_file import DamagedError, encode, head_of, states_of
from tidegauge.archive.parquet_names import (
    MERGED,
    PROFILES,
    document_folder,
    document_name,
    document_path,
    path_of,
)
from tidegauge.archive.places import Place
from tidegauge.archive.records import Found, Key, Quarantined, Record, checked_text, digest_of, fields_of
from tidegauge.archive.spool import Spool, clock
from tidegauge.archive.store import ALONE_SECONDS, OvertakenError
from tidegauge.archive.urls import shown
from tidegauge.errors import ArchiveError, ArchiveWarning, InputError
from tidegauge.window import HOUR

SPOOL = ".spool"
RECOVER_SECONDS = 60.0
READ_AT_A_TIME = 256


class ParquetStore:
    """A `Store` of Parquet files: final records are immutable files, checkpoints wait in a spool.

    What has to be all or none, and is more than one file, goes
    through the spool: there first, in one file, then in its places, then out of the spool again.
    """

    def __init__(self, place: Place, spool: Spool, *, read_only: bool = False) -> None:
        self._place = place
        self._spool = spool
        self._read_only = read_only
        self.conditional = place.conditional
        self._catalog = Catalog(place, spool.place, read_only=read_only)
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._written_ns = 0
        self._recovered: float | None = None
        self._tidied: float | None = None
        self._listing: Listing | None = None

    @classmethod
    def of_directory(cls, path: str | os.PathLike[str], *, read_only: bool = False) -> ParquetStore:
        """Return the store in a directory, which is made when it is first written to."""
        place = Directory(path)
        return cls(place, Spool(os.path.join(place.root, SPOOL), private=False), read_only=read_only)

    @classmethod
    def of_url(
        cls, url: str, *, read_only: bool = False, spool: str | os.PathLike[str] | None = None
    ) -> ParquetStore:
        """Return the store at the URL of an object store; `spool` is a local folder for checkpoints."""
        where = os.path.join(tempfile.gettempdir(), f"tidegauge-spool-{os.getuid()}")
        private = Spool(os.path.join(spool or where, digest_of(without_credentials(url))), private=True)
        return cls(Bucket(url), private, read_only=read_only)

    def append(self, records: Sequence[Record]) -> None:
        """See Store."""
        if not records:
            return
        unlike = {record.key: record for record in records}  # the last of a key counts
        finals = [record for record in unlike.values() if record.final]
        with self._writing(f"store {len(records)} profiles"):
            self._recover()
            if all(each.final for each in unlike.values()) and len({each.key.model for each in finals}) == 1:
                self._put(finals)
                self._spool_without({each.key for each in finals})
                return
            # From here on all of it is found, or none; what fails after that is done by the next attempt.
            kept = {each.key: each for each in self._spool.records()} | unlike
            self._spool.put(list(kept.values()), written_ns=self._now())
            for model in sorted({each.key.model for each in finals}):
                self._put([each for each in finals if each.key.model == model])
            self._spool_without({each.key for each in finals})

    def _put(self, records: Sequence[Record], folder: str = PROFILES, replaces: Sequence[Key] = ()) -> str:
        """Put one file of final records, in the order of their keys, so that all rows come first."""
        ordered = sorted(records, key=lambda each: fields_of(each.key))
        found = [Found(each.key, each.n_rows, True) for each in ordered]
        path = path_of(found, folder)
        self._place.put(path, encode(ordered, replaces, written_ns=self._now()))
        return path

    def _spool_without(self, keys: set[Key]) -> None:
        kept = self._spool.records()
        if any(each.key in keys for each in kept):
            left = [each for each in kept if each.key not in keys]
            self._spool.put(left, written_ns=self._now())

    def _recover(self) -> None:
        """Put the checkpoints of dead processes as final records, now and then."""
        now = time.monotonic()
        if self._recovered is None or now - self._recovered > RECOVER_SECONDS:
            self._recovered = now
            try:
                self._spool.recover(self._take_over)
            except ArchiveError as error:
                warnings.warn(
                    f"archive {self._place}: the checkpoints of dead processes wait on: {error}",
                    ArchiveWarning,
                    stacklevel=4,
                )

    def _take_over(self, records: Sequence[Record]) -> None:
        for model in sorted({each.key.model for each in records}):
            of_model = [each for each in records if each.key.model == model]
            start_ns = min(each.key.window.start_ns for each in of_model)
            end_ns = max(each.key.window.end_ns for each in of_model)
            listing = self._catalog.listing(model, start_ns, end_ns)
            # What went to its place just before the process died, or was compacted since, is there already.
            there = listing.replaced | {
                key
                for key, held in listing.held.items()
                if held.found.final and held.file.place is self._place
            }
            self._put_all([each for each in of_model if each.key not in there])

    def _put_all(self, records: Sequence[Record]) -> None:
        if records:
            self._put([Record(each.key, each.n_rows, each.state) for each in records])

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
        """See Store."""
        self._after_fork()
        self._listing = listing = self._catalog.listing(model, start_ns, end_ns, totals=segment == "")
        found = [
            each.found
            for key, each in listing.held.items()
            if (model is None or key.model == model)
            and (version is None or key.version == version)
            and (reference_id is None or key.reference_id == reference_id)
            and (segment is None or key.segment == segment)
            and (start_ns is None or key.window.end_ns > start_ns)
            and (end_ns is None or key.window.start_ns < end_ns)
        ]
        return sorted(found, key=lambda each: fields_of(each.key))

    def series(self) -> list[tuple[str, str, str]]:
        """See Store."""
        self._after_fork()
        return sorted({(key.model, key.version, key.reference_id) for key in self._catalog.listing().held})

    def read(self, keys: Sequence[Key]) -> Iterator[tuple[Key, bytes]]:
        """See Store."""
        self._after_fork()
        listing = self._listing  # of the last find: what was found is what is read
        if listing is None or any(key not in listing.held for key in keys):
            models = {key.model for key in keys}
            listing = self._catalog.listing(models.pop() if len(models) == 1 else None)
        for begin in range(0, len(keys), READ_AT_A_TIME):
            some = keys[begin : begin + READ_AT_A_TIME]
            by_file: dict[File, list[Held]] = {}
            for key in some:
                if (held := listing.held.get(key)) is not None:
                    by_file.setdefault(held.file, []).append(held)
            states: dict[Key, bytes] = {}
            for found in in_threads(self._states, by_file.items()):
                states |= found
            yield from ((key, states[key]) for key in some if key in states)

    def _states(self, wanted: tuple[File, list[Held]]) -> dict[Key, bytes]:
        file, held = wanted
        try:
            opened = self._catalog.open(file)
            rows = {each.found.key: each.row for each in held}
            if file.place is not self._place:  # a spool file is replaced: its rows are others now
                there = {each.key: row for row, each in enumerate(head_of(opened).found)}
                rows = {key: there[key] for key in rows if key in there}
            return dict(zip(rows, states_of(opened, list(rows.values())), strict=True))
        except GoneError:
            return {}
        except DamagedError:
            return dict.fromkeys((each.found.key for each in held), b"")

    def replace(self, merged: Sequence[Record], replaced: Sequence[Key]) -> None:
        """See Store. The file that is put names what it replaces, so readers never see both."""
        gone = set(replaced)
        models = {each.key.model for each in merged} | {key.model for key in gone}
        if len(models) != 1 or not merged:
            raise InputError("archive: what is merged has to be of one model, and something")
        start_ns = min(each.key.window.start_ns for each in merged)
        end_ns = max(each.key.window.end_ns for each in merged)
        if any(key.window.start_ns < start_ns or key.window.end_ns > end_ns for key in gone):
            raise InputError("archive: what is replaced has to lie in the time of what is merged")
        lock = self._writing(f"compact {len(gone)} profiles")
        with self._place.alone("compaction"), lock:
            self._recover()
            listing = self._catalog.listing(models.pop(), start_ns, end_ns)
            missing = gone - set(listing.held)
            if missing:
                raise OvertakenError(f"archive {self._place}: cannot compact {min(missing)}: it is not there")
            kept = still_replaced(listing, since_ns=time.time_ns() - HOUR)
            self._put(merged, MERGED, sorted(gone | kept, key=fields_of))
            self._delete_replaced(listing, gone | listing.replaced)
            self._tidy()

    def _tidy(self) -> None:
        now = time.monotonic()
        if self._tidied is None or now - self._tidied > RECOVER_SECONDS:
            self._place.tidy(time.time_ns() - HOUR)
            self._tidied = now

    def _delete_replaced(self, listing: Listing, replaced: set[Key]) -> None:
        for file, head in listing.heads.items():
            if file.place is self._place and all(each.key in replaced for each in head.found):
                self._place.delete(file.entry.path)

    def put_document(self, kind: str, name: str, body: bytes, *, if_absent: bool = False) -> bool:
        """See Store."""
        checked_text("document: kind", kind)
        checked_text("document: name", name)
        with self._writing(f"store the document {kind}/{name}"):
            return self._place.put(document_path(kind, name), body, if_absent=if_absent)

    def documents(self, kind: str, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """See Store."""
        names = self.document_names(kind, prefix)
        bodies = in_threads(lambda name: self._place.get(document_path(kind, name)), names)
        for name, body in zip(names, bodies, strict=True):
            if body is not None:
                yield name, body

    def document_names(self, kind: str, prefix: str = "") -> list[str]:
        """See Store."""
        self._after_fork()
        listed = self._place.listed(document_folder(kind))
        names = (document_name(kind, each.path) for each in listed)
        return sorted(name for name in names if name.startswith(prefix))

    def delete_documents(self, kind: str, names: Sequence[str]) -> None:
        """See Store."""
        with self._writing(f"delete documents of {kind}"):
            for name in names:
                self._place.delete(document_path(kind, name))

    def alone(self, what: str) -> AbstractContextManager[None]:
        """See Store."""
        if self._read_only:
            raise ArchiveError(f"archive {self._place}: no {what}: it was opened with read_only=True")
        self._after_fork()
        return self._place.alone(what, ALONE_SECONDS)

    def quarantine(self, keys: Sequence[Key], why: str) -> None:
        """See Store."""
        with self._writing("set profiles aside"):
            held = self._catalog.listing().held
            for key in keys:
                if key in held:
                    self._catalog.put_aside(key, why, when_ns=self._now(), at=held[key].file.entry.path)

    def quarantined(self) -> list[Quarantined]:
        """See Store."""
        self._after_fork()
        return self._catalog.quarantined()

    def close(self) -> None:
        """See Store."""
        self._after_fork()
        with self._lock:
            self._spool.close()

    def _writing(self, what: str) -> threading.Lock:
        """Return the lock that writers hold. Raises ArchiveError of an archive that is only read."""
        if self._read_only:
            raise ArchiveError(f"archive {self._place}: cannot {what}: it was opened with read_only=True")
        self._after_fork()
        return self._lock

    def _after_fork(self) -> None:
        if self._pid != os.getpid():
            self._spool.after_fork()
            self._begin()

    def _now(self) -> int:
        self._written_ns = clock(self._written_ns)
        return self._written_ns


def without_credentials(url: str) -> list[str]:
    """Return what tells one object store from another: keys and options may change meanwhile."""
    endpoint = parse_qs(urlsplit(url).query).get("endpoint_override", [])
    return [shown(url), *endpoint]


def still_replaced(listing: Listing, since_ns: int) -> set[Key]:
    """Return what earlier files replaced and must stay replaced when those files go in their turn.

    What is not deleted yet, and what was replaced `since_ns`: a reader may have listed it before that.
    """
    there = {each.key for head in listing.heads.values() for each in head.found}
    recent = {key for head in listing.heads.values() if head.written_ns > since_ns for key in head.replaces}
    return recent | (listing.replaced & there)
