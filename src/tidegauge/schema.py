"""Schema: what each column is and how it is watched."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Literal, get_args

from tidegauge.errors import SchemaError
from tidegauge.tables import html_table

Kind = Literal["number", "boolean", "category", "time", "embedding", "unsupported"]
Role = Literal[
    "feature",
    "score",
    "prediction",
    "label",
    "id",
    "timestamp",
    "labelled_at",
    "segment",
    "weight",
    "query",
    "lower",
    "upper",
    "attribution",
    "ignored",
]
Accumulators = Literal["full", "light"]

# Roles that only some kinds can fill, and roles that one column of a schema can fill.
KINDS_OF_ROLE: dict[str, tuple[str, ...]] = {
    "score": ("number", "embedding"),
    "attribution": ("number", "embedding"),
    "weight": ("number",),
    "lower": ("number",),
    "upper": ("number",),
    "timestamp": ("time",),
    "labelled_at": ("time",),
    "segment": ("category", "boolean", "number"),
}
MOST_CLASSES = 253  # that labels can be told apart by
SINGLE_ROLES = ("timestamp", "labelled_at", "weight", "query", "lower", "upper")
UNJUDGED_ROLES = ("id", "timestamp", "labelled_at", "query", "ignored")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it means and how it is watched.

    `kind`: number, boolean, category, time, embedding or unsupported. `accumulators`: "full" (at most 8 KB
    a number) or "light" (at most 1.5 KB). `judge=False` profiles without a verdict. `tolerance`: the PSI,
    above 0, up to which a change does not matter; None takes the monitor's. `circular`: the value wraps
    around, as an hour does. `importance` weighs the column, 0 or more. `keep_values=False` stores keyed
    hashes of categories only; None decides from the data. `exponential` also keeps a number's base-2
    exponential histogram, in the buckets of OpenTelemetry and Prometheus. `positive`: of a label, the value
    that the scores are the probability of. `threshold`: of a score, from where on a row is predicted
    positive; None is .5. `of_class`: of a score, the class that it is the probability of, where each class
    has one. `notice`: why a setting was chosen for the user. Raises SchemaError for a value that is not
    allowed.
    """

    name: str
    kind: Kind
    role: Role = "feature"
    accumulators: Accumulators = "full"
    judge: bool = True
    tolerance: float | None = None
    circular: bool = False
    importance: float | None = None
    keep_values: bool | None = None
    exponential: bool = False
    positive: str | int | float | bool | None = None
    threshold: float | None = None
    of_class: str | int | float | bool | None = None
    notice: str = ""

    def __post_init__(self) -> None:
        self._require_one_of("kind", get_args(Kind))
        self._require_one_of("role", get_args(Role))
        self._require_one_of("accumulators", get_args(Accumulators))
        if self.tolerance is not None and not 0 < self.tolerance < float("inf"):
            raise SchemaError(f"column {self.name!r}: tolerance is {self.tolerance!r}, it must be above 0")
        if self.importance is not None and not 0 <= self.importance < float("inf"):
            raise SchemaError(
                f"column {self.name!r}: importance is {self.importance!r}, it must be 0 or more"
            )
        if self.exponential and self.kind != "number":
            raise SchemaError(
                f"column {self.name!r}: a {self.kind} has no exponential histogram, a number has"
            )
        if self.circular and self.kind not in {"number", "time"}:
            raise SchemaError(
                f"column {self.name!r}: a {self.kind} is not circular, only number and time are"
            )
        for field, role in (("positive", "label"), ("threshold", "score"), ("of_class", "score")):
            if getattr(self, field) is not None and self.role != role:
                raise SchemaError(f"column {self.name!r}: {field} is of a {role}, not of a {self.role}")
        if self.threshold is not None and not abs(self.threshold) < float("inf"):
            raise SchemaError(f"column {self.name!r}: threshold is {self.threshold!r}, it must be finite")
        if self.of_class is not None and (self.threshold is not None or self.kind != "number"):
            raise SchemaError(
                f"column {self.name!r}: the score of one of several classes is a number without a threshold, "
                "for the class with the highest score is the answer"
            )
        for field in ("positive", "of_class"):
            value = getattr(self, field)
            if isinstance(value, float) and isnan(value):
                raise SchemaError(f"column {self.name!r}: {field} is NaN, which is no value")
        kinds = KINDS_OF_ROLE.get(self.role)
        if kinds and self.kind not in kinds:
            raise SchemaError(
                f"column {self.name!r} is of kind {self.kind}, but a {self.role} is {' or '.join(kinds)}: "
                "convert it, or give another column that role"
            )

    def _require_one_of(self, field: str, allowed: Sequence[str]) -> None:
        value = getattr(self, field)
        if value not in allowed:
            raise SchemaError(f"column {self.name!r}: {field} is {value!r}, allowed are {', '.join(allowed)}")


class Schema(Mapping[str, Column]):
    """Columns by name, in order; immutable and hashable.

    Raises SchemaError for a name given twice, for a second column of a role that one column fills, for one
    bound of an interval without the other, and for scores of classes that are not 2 to 253 unlike ones.
    """

    __slots__ = ("_columns",)

    def __init__(self, columns: Iterable[Column] = ()) -> None:
        self._columns: dict[str, Column] = {}
        for column in columns:
            if column.name in self._columns:
                raise SchemaError(f"column {column.name!r} is there twice: rename one of them")
            self._columns[column.name] = column
        for role in SINGLE_ROLES:
            names = self.with_role(role)
            if len(names) > 1:
                raise SchemaError(f"columns {list(names)} all have the role {role}: one column has it")
        require_classes({name: c.of_class for name, c in self._columns.items() if c.of_class is not None})
        bounds = [*self.with_role("lower"), *self.with_role("upper")]
        if len(bounds) == 1:
            raise SchemaError(
                f"column {bounds[0]!r} is one bound of a predicted interval: name both, lower= and upper="
            )

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __eq__(self, other: object) -> bool:
        """Compare columns, their settings and their order."""
        return isinstance(other, Schema) and tuple(self.values()) == tuple(other.values())

    def __hash__(self) -> int:
        return hash(tuple(self.values()))

    def __repr__(self) -> str:
        rows = [f"  {column.name!r}: {summary(column)}" for column in self.values()]
        return "\n".join([f"Schema of {len(self)} columns", *rows])

    def _repr_html_(self) -> str:
        return html_table(
            ("column", "settings"), [(column.name, summary(column)) for column in self.values()]
        )

    def with_role(self, role: Role | str) -> tuple[str, ...]:
        """Return the names of the columns that have this role."""
        return tuple(column.name for column in self.values() if column.role == role)

    def replace(self, name: str, **changes: Any) -> Schema:
        """Return a schema in which these fields of one column are changed. Raises SchemaError."""
        require_names(self, [name])
        unknown = set(changes) - set(column_fields())
        if unknown:
            raise SchemaError(f"column {name!r} has no field {near_miss(min(unknown), column_fields())}")
        changed = dataclasses.replace(self[name], **changes)
        return Schema(changed if column.name == name else column for column in self.values())

    @classmethod
    def infer(
        cls,
        data: Any,
        *,
        score: str | Sequence[str] | Mapping[Any, str] = (),
        prediction: str | Sequence[str] = (),
        label: str | Sequence[str] = (),
        positive: str | int | float | bool | None = None,
        threshold: float | None = None,
        id: str | Sequence[str] = (),
        timestamp: str | None = None,
        labelled_at: str | None = None,
        segments: str | Sequence[str] = (),
        weight: str | None = None,
        query: str | None = None,
        lower: str | None = None,
        upper: str | None = None,
        attribution: str | Sequence[str] = (),
        ignored: str | Sequence[str] = (),
    ) -> Schema:
        """Read kinds from what `data` announces, and roles from the arguments; reads no row of a table.

        `score` may be a column for each class, {class: column}. `positive` is that of the labels, `threshold`
        that of the scores (see `Column`). `labelled_at` is when a row's label became known: a reference with
        it knows how right the model seemed at any age of its labels, so that windows whose labels are still
        coming are held against the like. `lower` and `upper` are the bounds of an interval that is predicted
        beside a number: how often the label lies in it is told with the first `prediction`. Rows of one
        `query`, all in one batch, are ranked by the first score; labels say how relevant they are, 0 or more.
        `data` is anything `tidegauge.arrow.batches` takes. Ids, timestamps, queries, ignored columns, times
        and unsupported columns are not judged. Raises SchemaError, with near misses, for a missing name,
        one given two roles, and a kind that cannot fill its role.
        """
        from tidegauge.arrow import batches

        class_of = {}
        if isinstance(score, Mapping):  # classes as a model has them may be NumPy's
            class_of = {name: each.item() if hasattr(each, "item") else each for each, name in score.items()}
        if isinstance(score, Mapping) and len(class_of) < len(score):
            raise SchemaError(f"score={dict(score)!r} gives two classes one column: each has its own score")
        given = {
            "score": list(class_of) if isinstance(score, Mapping) else score,
            "prediction": prediction,
            "label": label,
            "id": id,
            "timestamp": timestamp,
            "labelled_at": labelled_at,
            "segment": segments,
            "weight": weight,
            "query": query,
            "lower": lower,
            "upper": upper,
            "attribution": attribution,
            "ignored": ignored,
        }
        fields = batches(data).fields
        role_of = roles_by_name({role: as_names(names) for role, names in given.items()})
        require_names([field.name for field in fields], role_of)
        for setting, value, role in (("positive", positive, "label"), ("threshold", threshold, "score")):
            if value is not None and role not in role_of.values():
                raise SchemaError(f"{setting}={value!r} is given without a {role}: say which column it is of")
        of_role: dict[str, dict[str, Any]] = {
            "label": {"positive": positive},
            "score": {"threshold": threshold},
        }
        columns = [
            inferred(field.name, field.kind, role_of.get(field.name, "feature"), field.format)
            for field in fields
        ]
        return cls(
            dataclasses.replace(column, of_class=class_of.get(column.name), **of_role.get(column.role, {}))
            for column in columns
        )

    @classmethod
    def from_toml(cls, source: str | os.PathLike[str]) -> Schema:
        """Read a schema from a TOML file, or from TOML text: several lines, or one that begins with `[`.

        Raises SchemaError that names the file and the field's path, such as `columns.amount.role`.
        """
        import tomllib

        is_text = isinstance(source, str) and ("\n" in source or source.startswith("["))
        where = "schema" if is_text else os.fspath(source)
        try:
            if is_text:
                document = tomllib.loads(os.fspath(source))
            else:
                with open(source, "rb") as file:
                    document = tomllib.load(file)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SchemaError(f"{where}: {error}") from error
        unknown = set(document) - {"columns"}
        if unknown or not isinstance(document.get("columns", {}), dict):
            what = min(unknown, default="columns")
            raise SchemaError(f"{where}: {what} is no table of columns: write [columns.NAME]")
        return cls(column_of(where, name, body) for name, body in document.get("columns", {}).items())

    def to_toml(self) -> str:
        """Return TOML text that `from_toml` reads back to an equal schema; defaults are left out."""
        return "\n".join(table_of(column) for column in self.values()) or "[columns]\n"


def with_notices(schema: Schema, notices: Mapping[str, str]) -> Schema:
    """Return a schema that profiles the named columns without judging them, each with its reason."""
    require_names(schema, notices)
    return Schema(
        dataclasses.replace(column, judge=False, notice=notices[name]) if name in notices else column
        for name, column in schema.items()
    )


def require_classes(class_of: Mapping[str, Any]) -> None:
    """Raise SchemaError unless these scores are of no classes, or of several unlike ones of one type."""
    if not class_of:
        return
    if not 2 <= len(class_of) <= MOST_CLASSES:
        raise SchemaError(
            f"columns {list(class_of)[:5]} are scores of {len(class_of)} classes: 2 to {MOST_CLASSES} can be "
            "told apart; a score of yes or no is score='COLUMN'"
        )
    if len({isinstance(value, str) for value in class_of.values()}) > 1:
        raise SchemaError(
            f"classes {list(class_of.values())[:5]} are texts and numbers: give all as one of them"
        )
    seen: dict[Any, str] = {}
    for name, value in class_of.items():
        if value in seen:
            raise SchemaError(f"columns {seen[value]!r} and {name!r} are both scores of class {value!r}")
        seen[value] = name


def inferred(name: str, kind: Any, role: Any, announced: str) -> Column:
    """Return one column with the settings its kind and role imply."""
    if kind == "unsupported":
        why = f"unsupported type {announced!r}: rows are counted, values are not read"
        return Column(name, kind, role, judge=False, notice=why)
    if role in UNJUDGED_ROLES:
        return Column(name, kind, role, judge=False, notice=f"not judged: its role is {role}")
    if kind == "time":
        return Column(name, kind, role, judge=False, notice="not judged: times always move")
    return Column(name, kind, role)


def as_names(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return one name, several or none as a tuple."""
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)


def roles_by_name(names_of_role: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the role of each named column. Raises SchemaError if a column is given two."""
    role_of: dict[str, str] = {}
    for role, names in names_of_role.items():
        for name in names:
            if name in role_of:
                raise SchemaError(
                    f"column {name!r} is given two roles, {role_of[name]} and {role}: give it one"
                )
            role_of[name] = role
    return role_of


def require_names(there: Iterable[str], names: Iterable[str]) -> None:
    """Raise SchemaError, with near misses, for the first name that is not there."""
    known = list(there)
    for name in names:
        if name not in known:
            raise SchemaError(f"no column {near_miss(name, known)}")


def near_miss(name: str, known: Sequence[str]) -> str:
    """Return the name and what was probably meant, or what there is."""
    import difflib

    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"{name!r}: did you mean {' or '.join(map(repr, near))}?"
    return f"{name!r}: there are {', '.join(map(repr, known[:20])) or 'none'}"


def column_fields() -> list[str]:
    """Return the names of a column's settings."""
    return [field.name for field in dataclasses.fields(Column)]


def column_of(where: str, name: str, body: Any) -> Column:
    """Return the column of one TOML table, checked by msgspec."""
    import msgspec

    if not isinstance(body, dict):
        raise SchemaError(f"{where}: columns.{name} is no table: write [columns.{name}]")
    settings = [field for field in column_fields() if field != "name"]
    for key in body:
        if key not in settings:
            raise SchemaError(f"{where}: columns.{name} has no field {near_miss(key, settings)}")
    try:
        return msgspec.convert({**body, "name": name}, Column)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise SchemaError(f"{where}: columns.{name}{path.removesuffix('`')}: {message}") from error


def table_of(column: Column) -> str:
    """Return one column as a TOML table, without what has its default value."""
    lines = [f"[columns.{quoted(column.name)}]"]
    for field in dataclasses.fields(column):
        value = getattr(column, field.name)
        if field.name != "name" and value != field.default:
            lines.append(f"{field.name} = {quoted(value) if isinstance(value, str) else json.dumps(value)}")
    return "\n".join([*lines, ""])


def quoted(text: str) -> str:
    """Return a TOML basic string: JSON's, and the one control character JSON leaves bare."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def summary(column: Column) -> str:
    """Return the settings of a column that differ from the usual, in one line."""
    parts: list[str] = [column.kind, *([] if column.role == "feature" else [column.role])]
    parts += [] if column.judge or column.notice.startswith("not judged") else ["not judged"]
    parts += [column.accumulators] if column.accumulators != "full" else []
    parts += ["circular"] if column.circular else []
    parts += ["exponential histogram"] if column.exponential else []
    for name in ("tolerance", "importance", "keep_values", "positive", "threshold", "of_class"):
        value = getattr(column, name)
        parts += [] if value is None else [f"{name}={value}"]
    return ", ".join(parts) + (f" ({column.notice})" if column.notice else "")
