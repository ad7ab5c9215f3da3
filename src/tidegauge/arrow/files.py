"""Files as batches through pyarrow: Parquet and Arrow as a dataset, CSV, JSON lines and streams in turn.

What a file is is said by its name, else by its first bytes; where both speak they must agree.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import csv, fs, json

from tidegauge._core import Batch, Stream, batch_from_capsules
from tidegauge.arrow.batches import Batches, refuse_missing
from tidegauge.errors import InputError

BATCH_ROWS = 131_072
BLOCK_BYTES = 8 << 20  # of text, decoded at once; the first block decides the types
FORMATS = {
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".arrow": "Arrow",
    ".ipc": "Arrow",
    ".feather": "Arrow",
    ".arrows": "Arrow stream",
    ".csv": "CSV",
    ".tsv": "TSV",
    ".json": "JSON lines",
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
}
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
MAGIC = {
    b"PAR1": "Parquet",
    b"PARE": "encrypted Parquet",
    b"ARROW1": "Arrow",
    b"FEA1": "Feather version 1",
    b"\xff\xff\xff\xff": "Arrow stream",
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"PK\x03\x04": "zip",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"{": "JSON lines",
}
TEXT = {"CSV", "TSV", "JSON lines"}
READABLE = "Parquet, Arrow, CSV, TSV and JSON lines are read, told by " + " ".join(FORMATS)


class Located(NamedTuple):
    """Files on one filesystem, and the folder below which key=value folder names are columns ("": none)."""

    filesystem: Any
    paths: list[str]
    base: str


def of_files(locations: Sequence[str], columns: Sequence[str] | None, use_threads: bool) -> Batches:
    """Read files of one format in the order given, those of a glob or folder by name.

    Columns are united over all files; one that a file lacks is null there. Files are read again whenever the
    result is iterated, in batches of about 131,072 rows.
    """
    found = [located(location) for location in locations]
    filesystem = found[0].filesystem
    for other, location in zip(found, locations, strict=True):
        if other.filesystem != filesystem:
            raise InputError(
                f"{location!r} is on another filesystem than {locations[0]!r}: pass a list of batches()"
            )
    bases = [one.base for one in found if one.base]
    base = os.path.commonpath(bases) if bases else ""
    paths = [path for one in found for path in one.paths]
    formats = {path: format_of(filesystem, path) for path in paths}
    (first, form), *_ = formats.items()
    for path, other_form in formats.items():
        if other_form != form:
            raise InputError(f"{path!r} is {other_form}, {first!r} is {form}: pass one format at a time")
    if form in {"Parquet", "Arrow"}:
        return of_dataset(Located(filesystem, paths, base), form, columns, use_threads)
    with said_of(paths):
        schema = pa.unify_schemas(
            [reader_of(filesystem, path, form, None, use_threads).schema for path in paths],
            promote_options="permissive",
        )

    def read() -> Iterator[Batch]:
        for path in paths:
            with said_of([path]):
                for batch in reader_of(filesystem, path, form, schema, use_threads):
                    yield batch_of(batch)

    return of_schema(schema, None, read, columns)


def of_dataset(files: Located, form: str, columns: Sequence[str] | None, use_threads: bool) -> Batches:
    """Parquet or Arrow files; only the columns asked for are read from disk."""
    options = ds.FileSystemFactoryOptions(
        partition_base_dir=files.base, partitioning=ds.HivePartitioning.discover() if files.base else None
    )
    # Without pre_buffer: with it the scanner keeps every byte it has read of a file until the file's end.
    unbuffered = ds.ParquetFragmentScanOptions(pre_buffer=False)
    kind = (
        ds.IpcFileFormat()
        if form == "Arrow"
        else ds.ParquetFileFormat(default_fragment_scan_options=unbuffered)
    )
    with said_of(files.paths):
        factory = ds.FileSystemDatasetFactory(files.filesystem, files.paths, kind, options)
        dataset = factory.finish(factory.inspect(promote_options="permissive"))
        n_rows = dataset.count_rows()
    if columns is not None:
        refuse_missing(columns, dataset.schema.names)
    wanted = dataset.schema.names if columns is None else list(columns)
    schema = pa.schema([dataset.schema.field(name) for name in wanted])

    def read() -> Iterator[Batch]:
        # A short read-ahead: memory stays at a few batches, and two fragments keep the decoders busy.
        scan = dataset.to_batches(
            columns=wanted,
            batch_size=BATCH_ROWS,
            batch_readahead=4,
            fragment_readahead=2,
            use_threads=use_threads,
        )
        with said_of(files.paths):
            for batch in scan:
                yield batch_of(batch)

    return of_schema(schema, n_rows, read, None)


def of_schema(
    schema: Any, n_rows: int | None, read: Callable[[], Iterable[Batch]], columns: Sequence[str] | None
) -> Batches:
    """Batches of files whose schema pyarrow has read; nothing is opened before the first is asked for."""
    fields = Stream(pa.RecordBatchReader.from_batches(schema, []).__arrow_c_stream__()).fields
    found = Batches(fields, read(), read, n_rows)
    return found if columns is None else found.select(columns)


def batch_of(batch: Any) -> Batch:
    """Make a pyarrow batch one of ours, sharing memory."""
    return batch_from_capsules(*batch.__arrow_c_array__())


def reader_of(filesystem: Any, path: str, form: str, schema: Any, use_threads: bool) -> Any:
    """Open one file, decompressed as its name says; columns take their type from `schema`."""
    stream = filesystem.open_input_stream(path, compression=COMPRESSIONS.get(suffix(path)))
    if form == "Arrow stream":
        return pa.ipc.open_stream(stream)
    if form == "JSON lines":
        return json.open_json(
            stream,
            read_options=json.ReadOptions(use_threads=use_threads, block_size=BLOCK_BYTES),
            parse_options=json.ParseOptions(explicit_schema=schema),
        )
    # An empty cell is null, an empty text in quotes is not; NA is a country, and NaN a number that is none.
    return csv.open_csv(
        stream,
        read_options=csv.ReadOptions(use_threads=use_threads, block_size=BLOCK_BYTES),
        parse_options=csv.ParseOptions(delimiter="\t" if form == "TSV" else ",", newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=schema,
            null_values=["", "NULL", "null", "\\N"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


@contextmanager
def said_of(paths: Sequence[str]) -> Iterator[None]:
    """Turn what pyarrow refuses while reading these files into an InputError that names them."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        where = repr(paths[0]) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
        raise InputError(
            f"cannot read {where}: {error}. If a column changes its type on the way, read the file through "
            "pyarrow with the types you mean and pass its reader"
        ) from error


# ---- places


def located(location: str) -> Located:
    """Find the files that a path, URI, folder or glob names. Raises InputError if there are none."""
    if "://" not in location:
        location = os.path.abspath(os.path.expanduser(location))
    whole = filesystem_of(location)
    if whole is not None:
        filesystem, path = whole
        info = filesystem.get_file_info(path)
        if info.type == fs.FileType.File:
            return Located(filesystem, [path], "")
        if info.type == fs.FileType.Directory:
            paths = [inner for inner in listing(filesystem, path, True) if is_data(inner, path)]
            if not paths:
                raise InputError(f"no data file in the folder {location!r}: {READABLE}")
            return Located(filesystem, paths, path)
    if not has_wildcard(location):
        raise InputError(f"no file {location!r}: check the path")
    segments = location.split("/")
    n_plain = next(i for i, segment in enumerate(segments) if has_wildcard(segment))
    folder, pattern = "/".join(segments[:n_plain]) or "/", segments[n_plain:]
    rooted = filesystem_of(folder)
    if rooted is None:
        raise InputError(f"no filesystem for {location!r}: check the scheme")
    filesystem, base = rooted
    inside = listing(filesystem, base, len(pattern) > 1)
    paths = [path for path in inside if matches(below(path, base).split("/"), pattern)]
    if not paths:
        raise InputError(f"no file matches {location!r}: check the pattern")
    return Located(filesystem, paths, base)


def filesystem_of(location: str) -> tuple[Any, str] | None:
    """Return the filesystem of a location and the path on it, None where a glob in a URI hides it."""
    if "://" not in location:
        return fs.LocalFileSystem(), location
    try:
        filesystem, path = fs.FileSystem.from_uri(location)
    except (pa.ArrowException, OSError, ValueError) as error:
        if has_wildcard(location):
            return None
        raise InputError(f"cannot open {location!r}: {error}") from error
    return filesystem, path


def has_wildcard(text: str) -> bool:
    """Tell whether a path or a part of it is a glob."""
    return any(character in text for character in "*?[")


def listing(filesystem: Any, folder: str, recursive: bool) -> list[str]:
    """List the files in a folder by name; none if it is not there."""
    selector = fs.FileSelector(folder, recursive=recursive, allow_not_found=True)
    found = filesystem.get_file_info(selector)
    return sorted(info.path for info in found if info.type == fs.FileType.File)


def below(path: str, base: str) -> str:
    """Return the part of a path below a folder."""
    return path.removeprefix(base).lstrip("/")


def is_data(path: str, base: str) -> bool:
    """Tell whether a file in a folder is data: a known ending and no hidden part, as _SUCCESS has."""
    hidden = any(part.startswith((".", "_")) for part in below(path, base).split("/"))
    return not hidden and form_by_name(path) is not None


def matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Tell whether folder and file names match a glob's, `**` standing for any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return matches(parts, pattern[1:]) or (bool(parts) and matches(parts[1:], pattern))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and matches(parts[1:], pattern[1:])


# ---- formats


def suffix(path: str) -> str:
    """Return the ending of a name, with its dot, in lower case."""
    return os.path.splitext(path)[1].lower()


def form_by_name(path: str) -> str | None:
    """Return the format a file's name tells, below any ending of a compression."""
    return FORMATS.get(suffix(os.path.splitext(path)[0] if suffix(path) in COMPRESSIONS else path))


def format_of(filesystem: Any, path: str) -> str:
    """Tell one file's format. Raises InputError if name and first bytes disagree, or neither tells."""
    with said_of([path]), filesystem.open_input_file(path) as file:
        head = file.read(8)
    if not head:
        raise InputError(f"{path!r} is an empty file: leave it out")
    by_name = form_by_name(path)
    by_bytes = next((form for magic, form in MAGIC.items() if head.startswith(magic)), None)
    packed = COMPRESSIONS.get(suffix(path))
    if packed is not None and by_name in TEXT:
        if by_bytes not in (packed, None):
            raise InputError(f"{path!r} is {by_bytes}, not {packed} as it is named: rename it")
        return by_name
    if by_name is None:
        if by_bytes in set(FORMATS.values()):
            return by_bytes
        raise InputError(f"{path!r} is {by_bytes or 'of no known format'}: {READABLE}")
    if by_name == "Arrow" and by_bytes == "Arrow stream":
        return by_bytes
    if by_name == "JSON lines" and head.lstrip().startswith(b"["):
        raise InputError(f"{path!r} is one JSON array, not JSON lines: write one object on each line")
    agree = by_bytes in (None, "JSON lines") if by_name in TEXT else by_bytes == by_name
    if not agree:
        raise InputError(
            f"{path!r} is {by_bytes or 'something else'}, not {by_name} as it is named: rename it"
        )
    return by_name
