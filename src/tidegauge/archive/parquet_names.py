"""Paths of a Parquet archive: what can be told of a file without reading it.

profiles/model=fraud/date=2026-11-02/START_END_WRITER_SEQUENCE_ROWS_REFERENCE_VERSION_SEGMENT.parquet is one
record. With +N-DIGEST for the segment it is that of all rows and N of segments of the same window; other
files, and those whose names would be too long, say START_END_RECORDS_ROWS_DIGEST. Files that replace others
are below merged/. Texts are percent-encoded, "_" and "~" too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from tidegauge.archive.records import Found, Key, digest_of, fields_of
from tidegauge.errors import InputError
from tidegauge.window import Window, datetime_of

PROFILES, MERGED = "profiles", "merged"
LONGEST = 200  # characters of one part of a path; file systems take 255
LONGEST_DOCUMENT = 800  # characters of a document's path; object stores take 1,024


@dataclass(frozen=True, slots=True)
class Named:
    """What the path of a file says: the time of its windows, its first record, and how many more there are.

    `found` is None where the file must be read.
    """

    start_ns: int
    end_ns: int
    found: Found | None
    n_more: int = 0


def path_of(found: Sequence[Found], folder: str) -> str:
    """Return the path of the file of these records, all of one model, in order of their keys.

    The same for the same records, so that an append that is tried again makes no other file.
    """
    start_ns = min(each.key.window.start_ns for each in found)
    end_ns = max(each.key.window.end_ns for each in found)
    day = f"date={datetime_of(start_ns):%Y-%m-%d}"
    head = f"{start_ns}_{end_ns}"
    key = found[0].key
    parts = [
        encoded(key.writer),
        str(key.sequence),
        str(found[0].n_rows),
        *map(encoded, (key.reference_id, key.version, key.segment)),
    ]
    alike = all(replace(each.key, segment="") == key for each in found)
    if alike and len(found) > 1:  # the first is all rows
        parts[-1] = f"+{len(found) - 1}-{digest_of([each.key.segment for each in found], 12)}"
    name = "_".join([head, *parts])
    if not (alike or len(found) == 1) or len(name) > LONGEST:
        n_rows = sum(each.n_rows for each in found)
        told = [[fields_of(each.key), each.n_rows] for each in found]
        name = f"{head}_{len(found)}_{n_rows}_{digest_of(told, 12)}"
    return f"{folder}/{model_folder(key.model)}/{day}/{name}.parquet"


def model_folder(model: str) -> str:
    """Return the folder of a model; a name too long is cut, and told apart by its digest."""
    name = encoded(model)
    if len(name) > LONGEST:
        name = f"{name[: LONGEST - 40]}~{digest_of(model, 12)}"
    return f"model={name}"


def named(path: str) -> Named | None:
    """Return what a path says, None of one that `path_of` did not make."""
    folder, _, name = path.rpartition("/")
    parts = name.removesuffix(".parquet").split("_")
    model = folder.split("/")[-2].removeprefix("model=") if folder.count("/") >= 2 else "~"
    try:
        if len(parts) == 5:
            return Named(int(parts[0]), int(parts[1]), None)
        start, end, writer, sequence, n_rows, reference_id, version, segment = parts
        window = Window(int(start), int(end))
        if "~" in model:
            return Named(window.start_ns, window.end_ns, None)
        n_more = int(segment[1:].partition("-")[0]) if segment.startswith("+") else 0
        key = Key(
            unquote(model, errors="strict"),
            unquote(version, errors="strict"),
            unquote(reference_id, errors="strict"),
            window,
            "" if n_more else unquote(segment, errors="strict"),
            unquote(writer, errors="strict"),
            int(sequence),
        )
        return Named(window.start_ns, window.end_ns, Found(key, int(n_rows)), n_more)
    except (ValueError, InputError):
        return None


def document_path(kind: str, name: str) -> str:
    """Return the path of a document; a long name is folders that end in "+". Raises InputError."""
    text = encoded(name)
    if len(text) > LONGEST_DOCUMENT:
        raise InputError(
            f"document: the name {name[:40]!r}... has {len(text):,} characters as it is written in a path; "
            f"{LONGEST_DOCUMENT} is the limit"
        )
    pieces = [text[begin : begin + LONGEST] for begin in range(0, len(text), LONGEST)] or [""]
    return "/".join([document_folder(kind), *(f"={piece}+" for piece in pieces[:-1]), f"={pieces[-1]}"])


def document_folder(kind: str) -> str:
    """Return the folder of a kind of documents. Raises InputError for a long kind."""
    if len(encoded(kind)) > LONGEST:
        raise InputError(f"document: the kind {kind[:40]!r}... is longer than {LONGEST} characters in a path")
    return f"documents/={encoded(kind)}"


def document_name(kind: str, path: str) -> str:
    """Return the name of the document at a path."""
    pieces = path.removeprefix(f"{document_folder(kind)}/").split("/")
    return unquote("".join(piece.removeprefix("=").removesuffix("+") for piece in pieces))


def encoded(text: str) -> str:
    """Return a text that is one part of a path and of a name."""
    return quote(text, safe="").replace("_", "%5F").replace("~", "%7E")
