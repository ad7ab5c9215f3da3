"""Archive: profiles by key, and any range of time as one profile.

Longer than most files: all that can be asked of an archive, each a few lines around what does the work.
"""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from tidegauge.archive.compaction import compact, step_of
from tidegauge.archive.coverage import coverage
from tidegauge.archive.label_report import Coverage, LabelReport
from tidegauge.archive.label_upkeep import keep
from tidegauge.archive.labelling import columns_of
from tidegauge.archive.labelling import label as labelled
from tidegauge.archive.reading import attach, merged_by
from tidegauge.archive.records import Compacted, Found, Key, Quarantined
from tidegauge.archive.shelves import Series, found_on, is_on_shelf
from tidegauge.archive.store import Store
from tidegauge.archive.urls import opened
from tidegauge.archive.writers import KIND as WRITERS
from tidegauge.archive.writers import Writer
from tidegauge.errors import ArchiveError, ArchiveWarning, DecodeError, InputError
from tidegauge.outcome_specs import late_outcomes
from tidegauge.profiles import Profile
from tidegauge.reference import Reference
from tidegauge.segments import TOTAL, Other, Segment, parse_segment, segment_key
from tidegauge.window import Window, as_ns, parse_duration

Time = datetime | date | str | int
REFERENCES = "references"


class Archive:
    """Profiles by model, version, reference, window, segment and writer; merged to whatever range is asked.

    `url`: a path or "sqlite:///relative.db", "sqlite:////absolute.db" for one SQLite file (many processes of
    one machine); a directory, "file:///directory", "s3://bucket/prefix", "gs://..." or "abfs://..." for
    Parquet files (many machines), with the options of pyarrow.fs.FileSystem.from_uri; or a `Store`.
    `spool`: the local folder where the checkpoints for an object store wait, None for one in the folder for
    temporary files. Constructing opens nothing, and raises InputError for a URL that means nothing.

    Methods may be called from any thread, in any process, and after a fork. They raise ArchiveError where the
    archive cannot be read or written. A stored profile that cannot be read is quarantined, and an
    ArchiveWarning names it; the rest is read.
    """

    def __init__(
        self,
        url: str | os.PathLike[str] | Store,
        *,
        read_only: bool = False,
        spool: str | os.PathLike[str] | None = None,
    ) -> None:
        self.store: Store = (
            opened(url, read_only=read_only, spool=spool) if isinstance(url, str | os.PathLike) else url
        )
        self.read_only = read_only
        self._references: dict[str, Reference] = {}

    # References and writers.

    @staticmethod
    def id_of(reference: Reference) -> str:
        """Return the id under which a reference is kept: the BLAKE2b-128 of its bytes, in hex."""
        return id_of_bytes(reference.to_bytes())

    def put_reference(self, reference: Reference) -> str:
        """Store a reference, once, and return its id."""
        body = reference.to_bytes()
        reference_id = id_of_bytes(body)
        self.store.put_document(REFERENCES, reference_id, body, if_absent=True)
        self._references[reference_id] = reference
        return reference_id

    def has_reference(self, reference_id: str) -> bool:
        """Tell whether a reference is stored, without reading it."""
        return reference_id in self.store.document_names(REFERENCES, reference_id)

    def reference(self, reference_id: str) -> Reference:
        """Return a stored reference; read once. Raises ArchiveError if it is not there or was damaged."""
        found = self._reference(reference_id)
        if found is None:
            raise ArchiveError(f"archive: it has no reference {reference_id!r}: store it with put_reference")
        return found

    def _reference(self, reference_id: str) -> Reference | None:
        if reference_id not in self._references:
            for name, body in self.store.documents(REFERENCES, reference_id):
                if name == reference_id:
                    self._references[name] = checked_reference(name, body)
        return self._references.get(reference_id)

    def put_writer(self, writer: Writer) -> None:
        """Store what a process says of itself, in place of what it said before."""
        self.store.put_document(WRITERS, writer.writer, writer.to_bytes())

    def writers(self, model: str | None = None) -> dict[str, Writer]:
        """Return what the processes that fill the archive, or one model of it, last said, by writer."""
        found: dict[str, Writer] = {}
        for name, body in self.store.documents(WRITERS):
            try:
                each = Writer.from_bytes(body)
            except DecodeError as error:
                warnings.warn(
                    f"archive: what writer {name!r} said of itself is left out: {error}",
                    ArchiveWarning,
                    stacklevel=2,
                )
                continue
            if model in (None, each.model):
                found[each.writer] = each
        return found

    def require_can_elect(self) -> None:
        """Raise InputError if processes cannot agree in this archive on which of them does something."""
        if not self.store.conditional:
            raise InputError(
                "archive: on an object store processes cannot agree on which of them judges: run `tidegauge "
                "judge` in one place, or keep the archive in SQLite or in a local directory"
            )

    # What is there.

    def models(self) -> list[Series]:
        """Return each (model, version, reference_id) that has profiles, in order."""
        return [Series(*each) for each in self.store.series() if not is_on_shelf(each[0])]

    def series(
        self, *, model: str | None = None, version: str | None = None, reference_id: str | None = None
    ) -> list[Series]:
        """Return `models()`, those that are asked for."""
        asked = (model, version, reference_id)
        return [
            each
            for each in self.models()
            if all(want in (None, has) for want, has in zip(asked, each, strict=True))
        ]

    def find(
        self,
        series: Series,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        segment: str | None = None,
    ) -> list[Found]:
        """Return what is stored of a series; see `Store.find`."""
        return self.store.find(
            model=series.model,
            version=series.version,
            reference_id=series.reference_id,
            start_ns=start_ns,
            end_ns=end_ns,
            segment=segment,
        )

    def segments(
        self,
        model: str,
        start: Time | None = None,
        end: Time | None = None,
        *,
        version: str | None = None,
        reference_id: str | None = None,
    ) -> list[dict[str, str | Other | None]]:
        """Return the segments that have profiles in [start, end), in order of their keys; not all rows."""
        found = self._select(model, start, end, version=version, reference_id=reference_id, segment=None)
        return [parse_segment(key) for key in sorted({each.key.segment for each in found} - {""})]

    # Profiles.

    def merged(
        self,
        model: str,
        start: Time | None = None,
        end: Time | None = None,
        *,
        version: str | None = None,
        reference_id: str | None = None,
        segment: Segment | str | None = None,
    ) -> Profile:
        """Return the rows of all windows that lie in [start, end) as one profile; without any, an empty one.

        `segment`: None for all rows, else a segment or its key. `version`: None merges all of them. Raises
        InputError for an unknown model, and where it was counted against several references and
        `reference_id` does not say which.
        """
        merged = merged_by(
            self.store,
            lambda: self._select(
                model, start, end, version=version, reference_id=reference_id, segment=key_of(segment)
            ),
            lambda key: key.reference_id,
            read_only=self.read_only,
        )
        if merged:
            ((of_reference, each),) = merged.items()
            attach(each.profile, self._reference(of_reference))
            return each.profile
        references = {each.reference_id for each in self._known(model, version, reference_id)}
        return Profile.empty(self._reference(one_of(references, model)))

    def merged_segments(
        self,
        model: str,
        start: Time | None = None,
        end: Time | None = None,
        *,
        version: str | None = None,
        reference_id: str | None = None,
    ) -> dict[str, Profile]:
        """Return `merged` of every segment that has profiles in [start, end), by its key; not of all rows."""

        def find() -> list[Found]:
            found = self._select(model, start, end, version=version, reference_id=reference_id, segment=None)
            return [each for each in found if each.key.segment != TOTAL]

        merged = merged_by(
            self.store, find, lambda key: (key.reference_id, key.segment), read_only=self.read_only
        )
        for (of_reference, _), each in merged.items():
            attach(each.profile, self._reference(of_reference))
        return {segment: each.profile for (_, segment), each in sorted(merged.items(), key=lambda of: of[0])}

    def windows(
        self,
        model: str,
        *,
        step: str | float | timedelta | None = None,
        start: Time | None = None,
        end: Time | None = None,
        version: str | None = None,
        reference_id: str | None = None,
        segment: Segment | str | None = None,
    ) -> dict[Window, Profile]:
        """Return a profile for each window that lies in [start, end), ascending; those without rows left out.

        `step`: merge them to windows of this length, such as "1d"; a window that does not nest in one stands
        for itself. None: as archived. The rest as for `merged`.
        """
        width_ns = None if step is None else parse_duration(step)
        return self._by_window(
            lambda: self._select(
                model, start, end, version=version, reference_id=reference_id, segment=key_of(segment)
            ),
            width_ns,
        )

    def windows_of(
        self, series: Series, windows: Iterable[Window], *, segment: Segment | str | None = None
    ) -> dict[Window, Profile]:
        """Return the profiles of these windows of a series, ascending; those without records left out."""
        wanted = set(windows)
        if not wanted:
            return {}
        start_ns, end_ns = min(each.start_ns for each in wanted), max(each.end_ns for each in wanted)

        def find() -> list[Found]:
            found = self.find(series, start_ns=start_ns, end_ns=end_ns, segment=key_of(segment))
            return [each for each in found if each.key.window in wanted]

        return self._by_window(find, None)

    def _by_window(self, find: Callable[[], Sequence[Found]], width_ns: int | None) -> dict[Window, Profile]:
        def window_of(key: Key) -> tuple[str, Window]:
            step = None if width_ns is None else step_of(key.window, width_ns)
            return key.reference_id, step or key.window

        merged = merged_by(self.store, find, window_of, read_only=self.read_only)
        for (reference_id, _), each in merged.items():
            attach(each.profile, self._reference(reference_id))
        return {window: each.profile for (_, window), each in sorted(merged.items(), key=lambda of: of[0])}

    def _select(
        self,
        model: str,
        start: Time | None,
        end: Time | None,
        *,
        version: str | None,
        reference_id: str | None,
        segment: str | None,
    ) -> list[Found]:
        """Return what is stored of windows that lie in [start, end), of one reference."""
        start_ns = None if start is None else as_ns(start)
        end_ns = None if end is None else as_ns(end)
        found = self.store.find(
            model=model,
            version=version,
            reference_id=reference_id,
            start_ns=start_ns,
            end_ns=end_ns,
            segment=segment,
        )
        inside = [
            each
            for each in found
            if (start_ns is None or start_ns <= each.key.window.start_ns)
            and (end_ns is None or each.key.window.end_ns <= end_ns)
        ]
        if inside:
            one_of({each.key.reference_id for each in inside}, model)
        else:
            self._known(model, version, reference_id)
        return inside

    def _known(self, model: str, version: str | None, reference_id: str | None) -> list[Series]:
        """Return the series that are meant. Raises InputError if there is none."""
        found = self.series(model=model, version=version, reference_id=reference_id)
        if not found:
            all_of = ", ".join(sorted({f"{each.model!r} version {each.version!r}" for each in self.models()}))
            raise InputError(
                f"archive: it has no profiles of model {model!r}"
                + (f", version {version!r}" if version is not None else "")
                + (f", reference {reference_id!r}" if reference_id is not None else "")
                + f"; it has {all_of or 'none at all'}"
            )
        return found

    # Labels that come late.

    @staticmethod
    def id_key(reference: Reference) -> bytes:
        """Return the key that ids are hashed with: of the reference's bytes, so that all processes agree."""
        return hashlib.blake2b(reference.to_bytes(), digest_size=16, person=b"tidegauge ids").digest()

    def label(
        self,
        model: str,
        data: Any,
        *,
        id: str | None = None,
        label: str | None = None,
        version: str | None = None,
        reference_id: str | None = None,
        now_ns: int | None = None,
    ) -> LabelReport:
        """Give predictions their labels, by their ids: in any order, any time later, corrections too.

        `data`: anything `tidegauge.arrow.batches` takes, with the columns `id` and `label`, by default those
        of the schema. The last label of an id counts. A prediction's window and segments get it, as if it had
        come with the row; all labels of a call are stored, or none. Several predictions of one id each get
        it. Ids are told apart by their text: 5 is "5". `version`, `reference_id`: of several series, the one
        that is meant. `now_ns` is when the labels were told, None: now. One call at a time works on an
        archive, others wait; on an object store run one alone. Raises InputError, ArrowError, ArchiveError.
        """
        series = self._one_series(model, version, reference_id)
        return self.label_series(series, data, id=id, label=label, now_ns=now_ns)

    def label_series(
        self,
        series: Series,
        data: Any | None,
        *,
        id: str | None = None,
        label: str | None = None,
        now_ns: int | None = None,
    ) -> LabelReport:
        """The same for a series, which may have no rows yet; without data, try the labels that came early."""
        reference = self.reference(series.reference_id)
        return labelled(
            self.store,
            series,
            reference,
            data,
            columns_of(reference, id, label),
            id_key=self.id_key(reference),
            now_ns=time.time_ns() if now_ns is None else now_ns,
        )

    def has_early_labels(self, series: Series) -> bool:
        """Tell whether labels of a series came before their predictions, and wait for them."""
        return any(each.n_rows for each in found_on(self.store, series, "early"))

    def keep_waiting(self, series: Series, *, before_ns: int, most_bytes: int, n_dimensions: int = 0) -> int:
        """Let go of predictions that came before a time, and of what was told of their labels.

        Where what is left has over `most_bytes`, so many ids are let go as well that it fits: half of them,
        or half of those. Returns up to which hash (of 2^64) ids are kept.
        """
        outcomes = late_outcomes(self.reference(series.reference_id).profile._core.outcomes)
        return keep(
            self.store,
            series,
            outcomes,
            before_ns=before_ns,
            most_bytes=most_bytes,
            n_dimensions=n_dimensions,
        )

    def coverage(
        self,
        model: str,
        start: Time | None = None,
        end: Time | None = None,
        *,
        version: str | None = None,
        reference_id: str | None = None,
        segment: Segment | str | None = None,
    ) -> list[Coverage]:
        """Return how many rows of each window in [start, end) have their labels, ascending."""
        series = self._one_series(model, version, reference_id)
        profiles = self.windows(
            model,
            start=start,
            end=end,
            version=series.version,
            reference_id=series.reference_id,
            segment=segment,
        )
        return coverage(self.store, series, profiles)

    def _one_series(self, model: str, version: str | None, reference_id: str | None) -> Series:
        found = self._known(model, version, reference_id)
        if len(found) > 1:
            listed = ", ".join(f"version {each.version!r} reference {each.reference_id!r}" for each in found)
            raise InputError(
                f"archive: model {model!r} has several series: pass version= or reference_id= of {listed}"
            )
        return found[0]

    # Upkeep.

    def compact(
        self,
        *,
        older_than: Time,
        to: str | float | timedelta,
        now_ns: int,
        model: str | None = None,
    ) -> Compacted:
        """Merge windows into steps of `to` ("1d"), where the step ended at or before `older_than`.

        Every count is kept, and readers see the same rows at every moment. Merged are final records, and
        checkpoints of writers that closed or have been silent for a week before `now_ns`; windows that do
        not nest in one step are left. Verdicts on the windows merged stay. Run one at a time on an object
        store; elsewhere one that is late leaves the work to the first. Raises InputError, ArchiveError.
        """
        settled = {name: each.settled(now_ns) for name, each in self.writers().items()}
        return compact(
            self.store,
            model,
            width_ns=parse_duration(to),
            before_ns=as_ns(older_than),
            settled=lambda found: found.final or settled.get(found.key.writer, False),
        )

    def quarantined(self) -> list[Quarantined]:
        """Return the records that were set aside because they could not be read, the oldest first."""
        return self.store.quarantined()

    def close(self) -> None:
        """Let go of files and locks."""
        self.store.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def key_of(segment: Segment | str | None) -> str:
    """Return a segment, or its key, as a key; "" of None."""
    return segment if isinstance(segment, str) else segment_key(segment)


def one_of(references: Iterable[str], model: str) -> str:
    """Return the only reference. Raises InputError if they are several."""
    first, *others = sorted(references)
    if others:
        listed = ", ".join(map(repr, [first, *others]))
        raise InputError(
            f"archive: model {model!r} was counted against {1 + len(others)} references, which do not merge: "
            f"pass reference_id=, one of {listed}"
        )
    return first


def id_of_bytes(body: bytes) -> str:
    """Return the id of a reference of these bytes."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def checked_reference(reference_id: str, body: bytes) -> Reference:
    """Return a reference whose bytes are those that were stored. Raises ArchiveError."""
    found = id_of_bytes(body)
    if found != reference_id:
        raise ArchiveError(
            f"archive: reference {reference_id!r} changed after it was stored (it is {found!r} now): delete "
            "the document, and store it again with put_reference"
        )
    return Reference.from_bytes(body)
