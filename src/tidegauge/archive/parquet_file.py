"""One Parquet file of an archive: a row for each record, and a sealed list of them in its footer."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tidegauge.archive.records import Found, Key, Record, fields_of, key_of
from tidegauge.errors import ArchiveError

FORMAT = 1
NOTE = b"tidegauge"
ROWS_OF_GROUP = 32  # what is read for one record of many


class DamagedError(ArchiveError):
    """A file that is none, or no longer what was written."""


class LaterFormatError(ArchiveError):
    """A file of a later tidegauge."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a file holds, in the order of its rows, what it takes the place of, and when it was written."""

    found: tuple[Found, ...]
    replaces: frozenset[Key]
    written_ns: int


def encode(records: Sequence[Record], replaces: Sequence[Key] = (), *, written_ns: int) -> bytes:
    """Return the bytes of a file. Its other columns are for other readers: we take the footer and states."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    keys = [record.key for record in records]
    text, count, moment = pa.string(), pa.int64(), pa.timestamp("ns", "UTC")
    columns: dict[str, tuple[Any, list[Any]]] = {
        "model": (text, [key.model for key in keys]),
        "version": (text, [key.version for key in keys]),
        "reference_id": (text, [key.reference_id for key in keys]),
        "window_start": (moment, [key.window.start_ns for key in keys]),
        "window_end": (moment, [key.window.end_ns for key in keys]),
        "segment": (text, [key.segment for key in keys]),
        "writer": (text, [key.writer for key in keys]),
        "sequence": (count, [key.sequence for key in keys]),
        "n_rows": (count, [record.n_rows for record in records]),
        "state": (pa.large_binary(), [record.state for record in records]),
    }
    table = pa.Table.from_arrays([array_of(*each) for each in columns.values()], list(columns))
    told = {
        "format": FORMAT,
        "written_ns": written_ns,
        "records": [[*fields_of(each.key), each.n_rows, int(each.final)] for each in records],
        "replaces": [fields_of(key) for key in replaces],
    }
    body = json.dumps(told, separators=(",", ":")).encode()
    sink = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata({NOTE: seal_of(body) + body}),
        sink,
        row_group_size=ROWS_OF_GROUP,
        compression="zstd" if pa.Codec.is_available("zstd") else "none",
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
    )
    return sink.getvalue()


def array_of(kind: Any, values: Sequence[Any]) -> Any:
    """Return an Arrow array of texts, bytes or integers; pyarrow.array would load pandas, half a second."""
    import pyarrow as pa

    if pa.types.is_string(kind) or pa.types.is_large_binary(kind):
        parts = [value.encode() if isinstance(value, str) else value for value in values]
        width = np.int32 if pa.types.is_string(kind) else np.int64
        offsets = np.cumsum([0, *map(len, parts)], dtype=width)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(parts))]
    else:
        buffers = [None, pa.py_buffer(np.array(values, np.int64))]
    return pa.Array.from_buffers(kind, len(values), buffers)


def open_file(source: Any) -> Any:
    """Return bytes, or a pyarrow file, as a Parquet file. Raises DamagedError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(
            pa.BufferReader(source) if isinstance(source, bytes) else source,
            page_checksum_verification=True,
            memory_map=False,
            pre_buffer=True,
        )
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError, MemoryError) as error:
        require_read(error)
        raise DamagedError(f"it is no whole Parquet file: {error}") from error


def head_of(file: Any) -> Head:
    """Return what an open file holds. Raises DamagedError, LaterFormatError."""
    note = (file.metadata.metadata or {}).get(NOTE, b"")
    seal, body = note[:16], note[16:]
    if not body or seal != seal_of(body):
        raise DamagedError("the list of its records is missing or was changed")
    # A seal is no secret: what is behind it may be anybody's, and one such file must not hide the others.
    try:
        head = listed(json.loads(body))
    except LaterFormatError:
        raise
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DamagedError(f"the list of its records holds what is none: {error!r}") from error
    if len(head.found) != file.metadata.num_rows:
        raise DamagedError(f"it has {file.metadata.num_rows:,} rows and a list of {len(head.found):,}")
    return head


def listed(told: Any) -> Head:
    """Return what a file says that it holds. Raises LaterFormatError, and what wrong JSON raises."""
    if told["format"] > FORMAT:
        raise LaterFormatError(
            f"it has format {told['format']}, and this tidegauge knows {FORMAT} at most: upgrade tidegauge"
        )
    found = tuple(Found(key_of(row[:8]), int(row[8]), bool(row[9])) for row in told["records"])
    return Head(found, frozenset(key_of(row) for row in told["replaces"]), int(told["written_ns"]))


def states_of(file: Any, rows: Sequence[int]) -> list[bytes]:
    """Return the states of these rows; b"" for those whose pages are damaged."""
    import pyarrow as pa

    states: dict[int, bytes] = {}
    for group in {row // ROWS_OF_GROUP for row in rows}:
        begin = group * ROWS_OF_GROUP
        wanted = [row for row in rows if row // ROWS_OF_GROUP == group]
        try:
            column = file.read_row_group(group, columns=["state"], use_threads=False).column(0)
            if column.type != pa.large_binary() and column.type != pa.binary():
                continue
            states |= {row: column[row - begin].as_py() or b"" for row in wanted}
        except (pa.ArrowException, OSError, ValueError, IndexError, OverflowError, MemoryError) as error:
            require_read(error)
            continue
    return [states.get(row, b"") for row in rows]


def require_read(error: Exception) -> None:
    """Raise ArchiveError if it was the system that could not read: what lies on the disk may be whole.

    Arrow says OSError of damaged bytes as well, then without a number.
    """
    if isinstance(error, OSError) and error.errno:
        raise ArchiveError(f"archive: cannot read a file: {error}; look at the disk, try again") from error


def seal_of(body: bytes) -> bytes:
    """Return a checksum: 64 bits of BLAKE2b, in hex."""
    return hashlib.blake2b(body, digest_size=8).hexdigest().encode()
