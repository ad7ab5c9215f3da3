"""Reference: frozen edges and categories, and the counts of the rows they were chosen from."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import Any, Literal

import numpy as np

from tidegauge import _core
from tidegauge.arrow import batches
from tidegauge.arrow.batches import refuse_missing
from tidegauge.edges import fit_edges
from tidegauge.errors import DecodeError, InputError, SchemaError
from tidegauge.feature_rows import FeatureRows
from tidegauge.label_ages import AgeCounter, LabelAge, by_row
from tidegauge.label_ages import from_note as from_ages
from tidegauge.label_ages import to_note as to_ages
from tidegauge.outcome_specs import LabelledRows, Outcomes, chosen_outcomes, light_outcomes
from tidegauge.outcomes.leaf_errors import LeafErrors
from tidegauge.outcomes.windowed import WindowedNote, from_note, to_note, windowed_metrics
from tidegauge.profiles import Profile, accumulator_bits, write_file
from tidegauge.reference_windows import ReferenceWindows, Splitter, from_text, to_text
from tidegauge.schema import Column, Schema, with_notices
from tidegauge.scores import N_WAVES, Scores, sampled_scores
from tidegauge.segments import key_of, parse_segment

SAMPLED_ROWS = 1 << 20
SAMPLED_BYTES = 1 << 28
MAX_CATEGORIES = 4096
MAX_SEGMENTS = 2_000
NAMED_FROM = 5  # a category seen fewer times is counted but not stored by name

# What the engine calls a column whose values it does not read.
COUNTED_ROLES = ("id", "query", "labelled_at")


class Reference:
    """What profiles are compared with: edges, categories and counts, frozen.

    `schema`: a `Schema`, with notices on columns that are profiled but not judged. `profile`: the reference's
    own rows, a `Profile`. `windows`: how they lay in time (`ReferenceWindows`), None unless `fit` was told.
    `segments`: light profiles of the rows of each segment by its key, {} unless `fit` was told. `label_ages`:
    its outcomes as they were known when its labels were still coming, () unless a column of the schema says
    when they came. `leaf_errors`: how far a predicted number was off, by the leaves of a tree, None unless
    one was found (`LeafErrors`). Made by `fit` or `from_bytes`; immutable.
    """

    __slots__ = ("_specs", "label_ages", "leaf_errors", "profile", "schema", "segments", "windows")

    def __init__(  # noqa: PLR0917
        self,
        profile: Profile,
        schema: Schema,
        windows: ReferenceWindows | None = None,
        segments: Mapping[str, Profile] | None = None,
        label_ages: Sequence[LabelAge] = (),
        leaf_errors: LeafErrors | None = None,
    ) -> None:
        self.profile = profile
        self.leaf_errors = leaf_errors
        self.schema = schema
        self.windows = windows
        self.segments = dict(segments or {})
        self.label_ages = tuple(label_ages)
        self._specs = {column.spec.name: column.spec for column in profile._core.columns}

    @classmethod
    def fit(
        cls,
        data: Any,
        *,
        schema: Schema | None = None,
        edges: Reference | None = None,
        timestamp: str | None = None,
        window: str | float | timedelta | None = None,
        segments: Sequence[str | Sequence[str]] = (),
        accumulators: Literal["full", "light"] = "full",
        threads: int = 0,
    ) -> Reference:
        """Choose edges and categories from `data` and count its rows between them.

        `data`: anything `tidegauge.arrow.batches` takes. Re-readable data is read twice, and edges come
        from up to 2^20 rows spread over it; a stream is read once, and edges come from its first 2^20 rows,
        which are held until then. Either way every row is counted, exactly.
        `edges`: an older reference whose edges are kept, so that profiles counted with it still compare; only
        columns that it lacks get new ones, and its segments for estimates are kept. `threads`: 0 takes one
        per core.
        `window`: how long the windows are that will be compared, such as "1h", "1d" or a timedelta. The
        reference then keeps how its own windows of that length differed, by the column `timestamp` (None
        takes the one with that role in `schema`), and judges later ones by that; take a month or more. Rows
        without a time count in the reference and in no window, and an InputWarning says how many.
        Among rows with a label it looks for segments in which a score means something else, or a predicted
        number is further off, than elsewhere: up to 16 leaves of a tree on the judged features, kept if they
        predict rows better that the tree was not grown on. `performance` then estimates by them.
        `segments`: columns, or several together, whose values are counted apart as well (a category, a
        boolean, a whole number): a verdict then tells in which of them a change lies.

        Raises InputError for unreadable or empty data and for an impossible or missing window, SchemaError
        for a column of the schema that the data lacks or holds as another kind.
        """
        rows = batches(data)
        if timestamp is not None and window is None:
            raise InputError(f"reference: timestamp={timestamp!r} is given without window=, such as '1d'")
        if schema is None:
            schema = Schema.infer(rows, timestamp=timestamp)
        opened = iter(rows)
        kept = [] if edges is None else edges.profile._core.outcomes
        labelled = LabelledRows(Schema() if kept else schema)  # of which nothing is chosen
        is_light = accumulators == "light"
        leaves = None if edges is None or is_light else leaves_to_keep(edges, schema)
        grows = not kept and not is_light
        sums = edges is not None and leaves is not None and edges.leaf_errors is not None
        by_feature = FeatureRows(schema if grows or sums else Schema())
        drawn = (labelled, by_feature)
        sampled, held = sample(opened, schema, accumulators, drawn, hold=not rows.rereadable)
        specs, schema = frozen_specs(sampled, schema, {} if edges is None else edges._specs)
        joint = None if is_light else joint_spec(sampled, specs, schema, edges)
        outcomes = kept or chosen_outcomes(schema, labelled)
        by_leaf: LeafErrors | None = None
        if grows or sums:
            from tidegauge.leaf_trees import chosen_leaves, leaf_errors  # which profiling needs not

            leaves = chosen_leaves(schema, specs, by_feature, outcomes) if grows else leaves
            by_leaf = leaf_errors(leaves, by_feature, outcomes)
        profile = Profile(_core.Profile(specs, joint, with_parts=True, outcomes=outcomes, leaves=leaves))
        light = light_outcomes(outcomes, schema)
        split = None if window is None else Splitter(specs, timestamp_of(schema, timestamp), window, light)
        dimensions = dimensions_of(segments, schema)
        by_segment = segmented(specs, dimensions, light) if dimensions else None
        by_age = age_counter(schema, outcomes, timestamp)
        for batch in rows if rows.rereadable else chain(held, opened):
            profile._core.update(batch, threads)
            if split is not None:
                split.update(batch, threads)
            if by_segment is not None:
                by_segment.update(batch, threads)
            if by_age is not None:
                by_age.update(batch)
        judged = [column.name for column in schema.values() if column.judge and column.role != "ignored"]
        windows = None
        if split is not None:
            from tidegauge.outcomes.counted import all_counted  # and every metric, which profiling needs not

            windows = split.windows(
                profile,
                judged,
                lambda parts: windowed_metrics(all_counted(each, schema) for each in parts),
            )
        shown = with_shown_names(profile)
        found = {} if by_segment is None else profiles_of(by_segment, dimensions, shown)
        ages = () if by_age is None else by_age.ages()
        return cls(shown, schema, windows, found, ages, by_leaf)

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def to_bytes(self) -> bytes:
        """Encode edges, counts, schema and windows; equal references give equal bytes."""
        columns: Any = [told(column) for column in self.schema.values()]
        whole = {"columns": columns}
        if self.windows is not None:
            whole["windows"] = to_text(self.windows)
            if self.windows.metrics:
                whole["metrics"] = [dataclasses.asdict(to_note(each)) for each in self.windows.metrics]
        if self.segments:
            whole["segments"] = {
                key: base64.b64encode(each.to_bytes()).decode() for key, each in self.segments.items()
            }
        if self.label_ages:
            whole["label_ages"] = to_ages(self.label_ages)
        if self.leaf_errors is not None:
            whole["leaf_errors"] = dataclasses.asdict(self.leaf_errors)
        note = json.dumps(whole if len(whole) > 1 else columns)
        return self.profile._core.to_bytes(with_edges=True, note=note)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Reference:
        """Read what `to_bytes` wrote. Raises DecodeError for anything else, a profile's bytes included."""
        found = decoded(data)
        if not isinstance(found, Reference):
            raise DecodeError("reference: the bytes hold a profile; read it with Profile.from_bytes")
        return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_bytes` to a file, whole or not at all. Raises OSError."""
        write_file(path, self.to_bytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __repr__(self) -> str:
        return f"Reference of {self.profile.n_rows:,} rows\n{self.profile.table()}"

    def _repr_html_(self) -> str:
        return self.profile._repr_html_()


def load(path: str | os.PathLike[str]) -> Profile | Reference:
    """Read what `Profile.save` or `Reference.save` wrote. Raises OSError, or DecodeError for other files."""
    try:
        with open(path, "rb") as file:
            return decoded(file.read())
    except DecodeError as error:
        raise DecodeError(f"{os.fspath(path)}: {error}") from None


def decoded(data: bytes | bytearray | memoryview) -> Profile | Reference:
    """Return the profile, or the reference, that these bytes hold. Raises DecodeError."""
    core, note = _core.Profile.from_bytes(data)
    if not note:
        return Profile(core)
    profile = Profile(core)
    found = note_of(note)
    windows = None if found.windows is None else from_text(found.windows, profile)
    if windows is not None:
        metrics = tuple(from_note(each, len(windows)) for each in found.metrics)
        windows = dataclasses.replace(windows, metrics=metrics)
    try:
        schema = Schema(found.columns)
        segments = {
            key: Profile.from_bytes(base64.b64decode(state, validate=True), profile)
            for key, state in found.segments.items()
            if parse_segment(key)
        }
    except (SchemaError, InputError, binascii.Error) as error:
        raise DecodeError(f"reference: its schema or segments cannot be read: {error}") from error
    ages = from_ages(found.label_ages, core.outcomes)
    return Reference(profile, schema, windows, segments, ages, checked(found.leaf_errors, profile))


def checked(errors: LeafErrors | None, profile: Profile) -> LeafErrors | None:
    """Return the errors by leaf. Raises DecodeError unless they are sums, one for each of its leaves."""
    if errors is None:
        return None
    leaves = profile._core.leaves
    sums = dataclasses.astuple(errors)
    if leaves is None or any(len(each) != leaves.n_leaves for each in sums):
        raise DecodeError("reference: errors by leaf, but not one for each leaf of its tree")
    if not np.isfinite(sums).all() or min(map(min, (sums[0], *sums[2:]))) < 0:
        raise DecodeError("reference: errors by leaf that no rows have")
    return errors


def sample(
    rows: Iterator[_core.Batch],
    schema: Schema,
    accumulators: Literal["full", "light"],
    kept: Iterable[LabelledRows | FeatureRows],
    *,
    hold: bool,
) -> tuple[list[Sampled], list[_core.Batch]]:
    """Draw values from `rows`, and rows to keep; with `hold`, only from the first, returned as well."""
    drawn: _core.Sample | None = None
    specs: list[_core.ColumnSpec] = []
    held: list[_core.Batch] = []
    n_rows = 0
    for batch in rows:
        if drawn is None:
            specs = first_specs(batch, schema, accumulators)
            max_rows = min(SAMPLED_ROWS, max(1 << 14, SAMPLED_BYTES // (16 * max(len(specs), 1))))
            drawn = _core.Sample(specs, max_rows)
        drawn.update(batch)
        for each in kept:
            each.update(batch)
        n_rows += batch.n_rows
        if hold:
            held.append(batch)
            if n_rows >= SAMPLED_ROWS:
                break
    if drawn is None or n_rows == 0:
        raise InputError("reference: the data has no rows, so there is nothing to compare with")
    return [Sampled(spec, drawn, i) for i, spec in enumerate(specs)], held


@dataclasses.dataclass(frozen=True, slots=True)
class Sampled:
    """The sampled values of one column."""

    spec: _core.ColumnSpec
    drawn: _core.Sample
    at: int


def first_specs(
    batch: _core.Batch, schema: Schema, accumulators: Literal["full", "light"]
) -> list[_core.ColumnSpec]:
    """Return the engine's specs for a schema's columns, with number types as the first batch has them."""
    announced = {spec.name: spec for spec in _core.default_specs(batch, accumulator_bits("full"))}
    specs = []
    for column in schema.values():
        if column.role == "ignored":
            continue
        if column.name not in announced:
            raise SchemaError(f"column {column.name!r}: the schema has it, but the data does not")
        light = "light" in (column.accumulators, accumulators)
        specs.append(
            first_spec(column, announced[column.name], accumulator_bits("light" if light else "full"))
        )
    return specs


def first_spec(column: Column, announced: _core.ColumnSpec, accumulators: int) -> _core.ColumnSpec:
    """Return the spec of one column without edges. Raises SchemaError if the data is of another kind."""
    counted = column.role in COUNTED_ROLES or column.kind == "unsupported"
    as_category = column.kind == "category" and announced.kind in {"number", "boolean"}
    if column.kind != announced.kind and not as_category and not counted:
        raise SchemaError(
            f"column {column.name!r}: the schema says {column.kind}, but the data holds a {announced.kind}"
        )
    allowed = _core.DISTINCT | _core.FREQUENT if as_category else announced.accumulators
    return _core.ColumnSpec(
        name=column.name,
        kind="unsupported" if counted else column.kind,
        role=column.role,
        state="" if counted or as_category else announced.state,
        unit="" if counted or as_category else announced.unit,
        width=0 if counted or as_category else announced.width,
        accumulators=0 if counted else accumulators & allowed | _core.EXPONENTIAL * column.exponential,
        counted_only=counted,
        keep_values=column.keep_values is not False,
    )


def frozen_specs(
    sampled: Iterable[Sampled], schema: Schema, old: dict[str, _core.ColumnSpec]
) -> tuple[list[_core.ColumnSpec], Schema]:
    """Return specs with edges, and the schema with notices on what must not be judged."""
    specs: list[_core.ColumnSpec] = []
    notices: dict[str, str] = {}
    for column in sampled:
        name, spec = column.spec.name, column.spec
        reason = None
        if spec.kind == "number":
            values = column.drawn.values(column.at)
            reason = why_an_index(values)
            spec = spec.with_edges(fit_edges(values)) if len(values) else spec
        elif spec.kind == "category":
            spec, reason = with_categories(column, schema[name])
        if name in old and old[name].kind == spec.kind and old[name].edges_id:
            spec = spec.with_edges_of(old[name])
        specs.append(spec)
        if reason and schema[name].judge and schema[name].role in {"feature", "segment"}:
            notices[name] = reason
    return specs, with_notices(schema, notices)


def joint_spec(
    sampled: Iterable[Sampled], specs: list[_core.ColumnSpec], schema: Schema, old: Reference | None
) -> _core.JointSpec | None:
    """Freeze the scores of judged numeric and boolean features, or keep the old ones; None below two."""
    kept = None if old is None else old.profile._core.joint_spec
    if old is not None and kept is not None:
        held = {spec.name: (spec.kind, spec.edges_id) for spec in specs}
        if all(held.get(name) == (old._specs[name].kind, old._specs[name].edges_id) for name in kept.names):
            return kept
    scores: dict[str, Scores] = {}
    for column, spec in zip(sampled, specs, strict=True):
        settings = schema[spec.name]
        scored = spec.kind == "boolean" or (spec.edges is not None and spec.accumulators & _core.QUANTILES)
        if scored and settings.judge and settings.role == "feature" and len(scores) < _core.MAX_JOINT_COLUMNS:
            values = column.drawn.values(column.at)
            if len(values):
                scores[spec.name] = sampled_scores(spec, values)
    return _core.JointSpec(list(scores), list(scores.values()), N_WAVES) if len(scores) > 1 else None


def why_an_index(values: np.ndarray[Any, Any]) -> str | None:
    """Say why integers look like a row number or a key rather than a measurement, or None."""
    if values.dtype != np.int64 or len(values) < 100:
        return None
    steps = np.diff(values)
    if (steps > 0).all() or (steps < 0).all():
        return "not judged: its values always grow or always fall, as a row number does"
    if len(np.unique(values)) == len(values):
        return "not judged: all its values differ, as those of a key do"
    return None


def with_categories(column: Sampled, settings: Column) -> tuple[_core.ColumnSpec, str | None]:
    """Freeze the most frequent categories; all-distinct texts get none, and their values are not kept."""
    n_present = column.drawn.n_present(column.at)
    found = column.drawn.categories(column.at, MAX_CATEGORIES)
    spec = column.spec
    # Distinct counts above a few hundred are estimates, good to some 1 %.
    if n_present >= 100 and column.drawn.n_distinct(column.at) >= 0.95 * n_present:
        spec = spec.without_values() if settings.keep_values is None else spec
        nothing = spec.with_categories(np.empty(0, np.uint64), [])
        return nothing, "not judged: all its values differ, as those of a key do"
    hashes = np.array([entry[0] for entry in found], np.uint64)
    names = [entry[2] for entry in found] if spec.keep_values else []
    return spec.with_categories(hashes, names), None


def with_shown_names(profile: Profile) -> Profile:
    """Drop the names of categories that were seen fewer than NAMED_FROM times in all rows."""
    profile._core.hide_rare_names(NAMED_FROM)
    return profile


def told(column: Column) -> dict[str, Any]:
    """Return the settings of a column that are not the usual ones: a later release may add more of them."""
    fields = dataclasses.fields(column)
    return {f.name: getattr(column, f.name) for f in fields if getattr(column, f.name) != f.default}


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """What is written beside the counts of a reference with more than columns; else those alone."""

    columns: list[Column]
    windows: str | None = None
    metrics: list[WindowedNote] = dataclasses.field(default_factory=list)
    segments: dict[str, str] = dataclasses.field(default_factory=dict)
    label_ages: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    leaf_errors: LeafErrors | None = None


def note_of(note: str) -> Note:
    """Return what is written beside a reference's counts. Raises DecodeError."""
    import msgspec

    try:
        found: Note | list[Column] = msgspec.json.decode(note, type=Note | list[Column])
    except (msgspec.MsgspecError, SchemaError) as error:
        raise DecodeError(f"reference: its schema cannot be read: {error}") from error
    return Note(found) if isinstance(found, list) else found


def dimensions_of(segments: Sequence[str | Sequence[str]], schema: Schema) -> list[list[str]]:
    """Return each dimension as its columns. Raises InputError for one that the schema lacks."""
    found = [[each] if isinstance(each, str) else list(each) for each in segments]
    refuse_missing(dict.fromkeys(name for names in found for name in names), list(schema))
    return found


def leaves_to_keep(old: Reference, schema: Schema) -> _core.LeafOutcomes | None:
    """Return the leaves of an older reference, None where a column is gone that its tree asks for."""
    leaves = old.profile._core.leaves
    if leaves is None or any(each.name not in schema for each in leaves.columns):
        return None
    return leaves


def age_counter(schema: Schema, outcomes: Sequence[Outcomes], timestamp: str | None) -> AgeCounter | None:
    """Return what counts rows by the age of their labels, None where the schema does not say when they came.

    Raises InputError where it says when labels came, and not of when the rows are.
    """
    labelled_at = next(iter(schema.with_role("labelled_at")), None)
    if labelled_at is None or not by_row(outcomes):
        return None
    return AgeCounter(outcomes, timestamp_of(schema, timestamp), labelled_at)


def segmented(
    specs: list[_core.ColumnSpec], dimensions: list[list[str]], outcomes: list[Outcomes]
) -> _core.SegmentedProfile:
    """Return light counts of each segment of no rows yet."""
    light = [spec.with_options(spec.accumulators & accumulator_bits("light")) for spec in specs]
    return _core.SegmentedProfile(
        light, None, dimensions=dimensions, max_segments=MAX_SEGMENTS, segment_outcomes=outcomes
    )


def profiles_of(
    counted: _core.SegmentedProfile, dimensions: list[list[str]], holder: Profile
) -> dict[str, Profile]:
    """Return the profile of each segment by its key, between the edges of `holder`."""
    parts = counted.take_changed(everything=True)
    return {
        key_of(dimensions[dimension], values): Profile.from_bytes(state, holder)
        for dimension, values, _, state in parts
        if dimension >= 0
    }


def timestamp_of(schema: Schema, timestamp: str | None) -> str:
    """Return the column that tells the time of a row. Raises SchemaError if nothing says which."""
    names = schema.with_role("timestamp") if timestamp is None else (timestamp,)
    if not names:
        raise SchemaError(
            "reference: windows, and ages of labels, need to know which column holds the time: "
            "pass timestamp='COLUMN', or a schema in which a column has the role timestamp"
        )
    return names[0]
