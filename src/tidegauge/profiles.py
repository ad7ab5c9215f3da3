"""Profile: a mergeable, bounded summary of one set of rows, and what it tells of each column."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from tidegauge import _core
from tidegauge.arrow import at_once, batches
from tidegauge.column_profiles import ColumnProfile
from tidegauge.errors import SchemaError
from tidegauge.joints import Joint, snapshot
from tidegauge.outcome_specs import light_outcomes
from tidegauge.tables import html_table, text_table

if TYPE_CHECKING:
    from tidegauge.reference import Reference

Accumulators = Literal["full", "light"]

SUMMARY = (
    *("column", "kind", "rows", "null", "nan", "other"),
    *("distinct", "min", "mean", "median", "max", "top"),
)
RIGHT_ALIGNED = tuple(range(2, 11))


class Profile(Mapping[str, ColumnProfile]):
    """A summary of rows: columns by name, in order of appearance; of decoded bytes, in order of their names.

    Made by `tidegauge.profile`, `Profile.empty` or `Profile.from_bytes`. `update` and `merge` change it in
    place; each is atomic, may be called from any thread, and leaves the profile as it was if it raises, save
    where memory runs out halfway: then every later call says so, and the last bytes are what to go on from.
    `profile[name]` is a snapshot that later updates do not change.
    """

    __slots__ = ("_core",)

    def __init__(self, core: _core.Profile) -> None:
        self._core = core

    @classmethod
    def empty(cls, reference: Reference | None = None, *, accumulators: Accumulators = "full") -> Profile:
        """Return a profile of no rows, counted between the edges of `reference` if there is one.

        `accumulators`: "full", or "light" for at most 1.5 KB a numeric column (counters, moments, cells).
        """
        bits = accumulator_bits(accumulators)
        if reference is None:
            return cls(_core.Profile(bits))
        held = reference.profile._core
        specs = [column.spec for column in held.columns]
        if accumulators == "light":
            light = [spec.with_options(spec.accumulators & bits) for spec in specs]
            return cls(_core.Profile(light, outcomes=light_outcomes(held.outcomes, reference.schema)))
        return cls(_core.Profile(specs, held.joint_spec, outcomes=held.outcomes, leaves=held.leaves))

    def update(self, data: Any, *, threads: int = 0) -> None:
        """Add the rows of `data`: anything `tidegauge.arrow.batches` takes.

        `threads`: how many may work on a batch; 0 takes one per core for large batches. The result does not
        depend on it. Data that comes in several batches is added batch by batch: those before a refused one
        stay. Raises InputError, ArrowError or SchemaError.
        """
        batch = at_once(data)
        for part in batches(data) if batch is None else (batch,):
            self._core.update(part, threads)

    def merge(self, other: Profile) -> None:
        """Add the rows of another profile; columns are united by name.

        A column that one side lacks was absent from all its rows, and is counted so. Raises MergeError, and
        changes nothing, if a column of the same name has another kind or other edges.
        """
        if not isinstance(other, Profile):
            raise TypeError(f"merge: a Profile is needed, not a {type(other).__qualname__}")
        self._core.merge(other._core)

    def copy(self) -> Profile:
        """Return an independent profile of the same state."""
        return Profile(self._core.copy())

    @property
    def n_rows(self) -> int:
        """Rows added so far."""
        return self._core.n_rows

    @property
    def unexpected(self) -> dict[str, int]:
        """Columns that batches had but the reference does not know, with the rows of those batches."""
        return self._core.unexpected

    @property
    def joint(self) -> Joint | None:
        """Its numeric columns together, a snapshot; None without a reference and in light profiles.

        Also None of more than 2^38 rows, and of a merge with rows that have none.
        """
        core = self._core.joint
        return None if core is None else snapshot(core)

    def to_bytes(self) -> bytes:
        """Encode the state; equal states give equal bytes. Edges are named by id, not written out."""
        return self._core.to_bytes(with_edges=False)

    @classmethod
    def from_bytes(
        cls, data: bytes | bytearray | memoryview, reference: Reference | Profile | None = None
    ) -> Profile:
        """Read what `to_bytes` or `save` wrote. Raises DecodeError for anything else.

        `reference` gives the edges that the bytes name. Without them the profile merges and compares, but has
        no quantiles and takes no rows.
        """
        core, _ = _core.Profile.from_bytes(data)
        if reference is not None:
            holder = reference if isinstance(reference, Profile) else reference.profile
            core.attach([column.spec for column in holder._core.columns], holder._core.joint_spec)
        return cls(core)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state and its edges to a file, whole or not at all. Raises OSError."""
        write_file(path, self._core.to_bytes(with_edges=True))

    def __getitem__(self, name: str) -> ColumnProfile:
        column = self._core.column(name)
        if column is None and "\\x" in name:  # how iterating tells a name that is not UTF-8
            column = next((each for each in self._core.columns if each.spec.name == name), None)
        if column is None:
            raise KeyError(name)
        return ColumnProfile(column)

    def __iter__(self) -> Iterator[str]:
        return iter(self._core.names)

    def __len__(self) -> int:
        return len(self._core.names)

    def __eq__(self, other: object) -> bool:
        """Compare states, edges included by their ids."""
        return isinstance(other, Profile) and self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]  # it changes in place

    def table(self) -> str:
        """Return one line of text for each column."""
        return text_table(SUMMARY, [summary_row(column) for column in self.values()], RIGHT_ALIGNED)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export one row for each column, through pyarrow."""
        import pyarrow as pa

        rows = [column.to_dict() for column in self.values()]
        names = list(rows[0]) if rows else ["column"]
        columns = {name: [row[name] for row in rows] for name in names}
        return pa.table(columns).__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        return f"Profile of {self.n_rows:,} rows, {len(self)} columns\n{self.table()}"

    def _repr_html_(self) -> str:
        rows = [summary_row(column) for column in self.values()]
        return f"<p>Profile of {self.n_rows:,} rows</p>{html_table(SUMMARY, rows, RIGHT_ALIGNED)}"


def profile(
    data: Any,
    reference: Reference | None = None,
    *,
    threads: int = 0,
    accumulators: Accumulators = "full",
) -> Profile:
    """Describe the rows of `data`, between the edges of `reference` if there is one.

    `data`: anything `tidegauge.arrow.batches` takes, of any size; it is streamed. `threads`: 0 takes one per
    core for large batches; the result does not depend on it. Raises InputError, ArrowError or SchemaError.
    """
    made = Profile.empty(reference, accumulators=accumulators)
    made.update(data, threads=threads)
    return made


def merge(profiles: Iterable[Profile]) -> Profile:
    """Return a new profile of the rows of all `profiles`, of which there must be one at least.

    Raises MergeError if a column has another kind or other edges in one of them.
    """
    total: Profile | None = None
    for part in profiles:
        if total is None:
            total = part.copy()
        else:
            total.merge(part)
    if total is None:
        raise ValueError("merge: no profiles; start from Profile.empty(reference) where there may be none")
    return total


def accumulator_bits(accumulators: Accumulators) -> int:
    """Return the engine's bits for a set of accumulators. Raises SchemaError."""
    if accumulators == "full":
        return _core.DISTINCT | _core.QUANTILES | _core.FREQUENT | _core.COVARIANCE
    if accumulators == "light":
        return 0
    raise SchemaError(f"accumulators: {accumulators!r} is neither 'full' nor 'light'")


def write_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that a reader, a crash or a full disk never sees half of it. Raises OSError."""
    import tempfile  # loads seven modules that profiling never needs

    folder, name = os.path.split(os.fspath(path))
    descriptor, temporary = tempfile.mkstemp(dir=folder or ".", prefix=f".{name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def summary_row(column: ColumnProfile) -> list[str]:
    """Return the cells of one column's line in a table."""
    median = column.quantile(0.5) if column.kind == "number" else None
    top = column.top(1)
    share = "" if not top or top[0][0] is None else f"{top[0][0]!r} {top[0][1] / max(column.n_rows, 1):.0%}"
    return [
        column.name,
        column.kind,
        f"{column.n_rows:,}",
        f"{column.n_null:,}",
        f"{column.n_nan:,}",
        f"{column.n_inf + column.n_mistyped + column.n_absent:,}",
        "" if column.n_distinct is None else f"{column.n_distinct:,}",
        shown(column.min),
        shown(column.mean),
        shown(median),
        shown(column.max),
        share,
    ]


def shown(value: Any) -> str:
    """Return a number for people."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text.rstrip("0").rstrip(".") if "T" in text and "." in text else text  # a time with a fraction
