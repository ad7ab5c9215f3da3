"""What an archive holds: the state of one profile under its key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tidegauge.errors import InputError
from tidegauge.window import MOST, Window

_ENCODER = json.JSONEncoder(default=repr)  # one: json.dumps makes another for each call
MAX_TEXT_BYTES = 16_384  # of a name; a segment of a few columns needs a hundred


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What one stored profile is of, and who stored it. Ordered by its fields, texts by code point.

    `reference_id`: as `Archive.put_reference` returned it. `segment`: a `segment_key`, "" of all rows.
    `writer`: random hex of one process. `sequence`: 0 for the window as it was open; 1, 2, ... for late rows
    of it by the same writer. Raises InputError for what no store could hold.
    """

    model: str
    version: str
    reference_id: str
    window: Window
    segment: str = ""
    writer: str = ""
    sequence: int = 0

    def __post_init__(self) -> None:
        """Refuse texts that are not UTF-8 or huge, and a sequence below 0 or beyond 63 bits."""
        for name in ("model", "version", "reference_id", "segment", "writer"):
            checked_text(f"key: {name}", getattr(self, name))
        if not 0 <= self.sequence <= MOST:
            raise InputError(f"key: sequence {self.sequence!r} is not from 0 to 2^63 - 1")

    @property
    def series(self) -> tuple[str, str, str]:
        """Model, version and reference: what is counted alike."""
        return self.model, self.version, self.reference_id

    def __str__(self) -> str:
        """Return it for people: model 'fraud', version '3', 2026-11-02 UTC, ..."""
        parts = [f"model {self.model!r}", f"version {self.version!r}", str(self.window)]
        parts += [f"segment {self.segment}"] if self.segment else []
        parts += [f"writer {self.writer!r}", f"sequence {self.sequence}"]
        return ", ".join([*parts, f"reference {self.reference_id!r}"])


@dataclass(frozen=True, slots=True)
class Found:
    """A stored profile without its state: `final` is False for a checkpoint."""

    key: Key
    n_rows: int
    final: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """A profile to store: `state` is `Profile.to_bytes()`, of `n_rows` rows.

    `final`: False for a checkpoint, which the next record of the same key replaces.
    """

    key: Key
    n_rows: int
    state: bytes
    final: bool = True

    def __post_init__(self) -> None:
        """Refuse a count that is none."""
        if not 0 <= self.n_rows <= MOST:
            raise InputError(f"record of {self.key}: n_rows {self.n_rows!r} is not from 0 to 2^63 - 1")


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record set aside because it could not be read: `why`, and since when, in ns since 1970-01-01 UTC.

    `key` is None where not even that could be read; `place` says where in the store it lies.
    """

    key: Key | None
    why: str
    when_ns: int
    place: str


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did: records it read and deleted, records it wrote instead, and their rows."""

    n_records_before: int
    n_records_after: int
    n_rows: int


def fields_of(key: Key) -> tuple[str | int, ...]:
    """Return a key as the values that stores hold; their order is that of keys."""
    window = key.window
    return (
        *(key.model, key.version, key.reference_id, window.start_ns, window.end_ns),
        *(key.segment, key.writer, key.sequence),
    )


def key_of(fields: Sequence[Any]) -> Key:
    """Return the key that `fields_of` took apart. Raises InputError for what is none."""
    if len(fields) != 8 or not all(isinstance(fields[i], int) for i in (3, 4, 7)):
        raise InputError(f"key: {fields!r} is none")
    return Key(fields[0], fields[1], fields[2], Window(fields[3], fields[4]), *fields[5:])


def digest_of(told: object, size: int = 16) -> str:
    """Return a name for what JSON can hold: BLAKE2b of `size` bytes, in hex, the same on every machine."""
    return hashlib.blake2b(_ENCODER.encode(told).encode(), digest_size=size).hexdigest()


def checked_text(what: str, text: str) -> str:
    """Return a text that every store can hold. Raises InputError."""
    if not isinstance(text, str):
        raise InputError(f"{what} is a {type(text).__qualname__}: a text is needed")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InputError(f"{what} {text!r} is not UTF-8: half of a surrogate pair stands in it") from None
    if size > MAX_TEXT_BYTES:
        raise InputError(f"{what} {text[:40]!r}... has {size:,} bytes; {MAX_TEXT_BYTES:,} is the limit")
    return text
