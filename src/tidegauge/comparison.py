"""Compare a profile with a reference: every judged column measured, judged, and told in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from tidegauge.column_profiles import ROLES_WITHOUT_VERDICT
from tidegauge.drift.columns import ColumnCounts, ProfileCounts, stack_columns
from tidegauge.drift.statistics import drift_statistics
from tidegauge.drift.told import measurements_by_column
from tidegauge.drift.verdict import SHARE_ALERT, judge_stack, verdict_of_columns
from tidegauge.drift.words import reasons
from tidegauge.errors import MergeError
from tidegauge.measurement import SEVERITY, Measurement, Status, worst
from tidegauge.tables import escaped, html_table, printable, text_table

ORDERED_KINDS = frozenset({"number", "time"})
CATEGORY_KINDS = frozenset({"category", "boolean"})
MAX_LINES = 24  # of a repr: columns that are well are left out first
MAX_NAME_CHARACTERS = 40
_HEADER = ("status", "column", "psi", "why")


@dataclass(frozen=True, slots=True)
class ColumnComparison:
    """What became of one column. `reasons` says why, the gravest first; it is empty when all is well.

    A column that is not judged (`judged=False`: ids, timestamps, kinds without cells, columns that only one
    side has and nobody asked for) has status `undefined`, no measurements, and one reason that says why not.
    """

    name: str
    kind: str
    role: str
    judged: bool
    status: Status
    reasons: tuple[str, ...]
    measurements: tuple[Measurement, ...]

    def value(self, name: str) -> float | None:
        """Return the value of measurement `name`, None where it is undefined; KeyError if there is none."""
        for each in self.measurements:
            if each.name == name:
                return each.value
        have = ", ".join(each.name for each in self.measurements) or "none: it is not judged"
        raise KeyError(f"column {self.name!r} has no measurement {name!r}; it has {have}")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able."""
        return {
            "name": self.name,
            "kind": self.kind,
            "role": self.role,
            "judged": self.judged,
            "status": self.status,
            "reasons": list(self.reasons),
            "measurements": [each.to_dict() for each in self.measurements],
        }


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """The outcome of `compare`: a status, a sentence, and every column in the reference's order.

    `comparison["amount"]` is the column; `comparison.value("psi", column="amount")` one number;
    `pyarrow.table(comparison)` (or Polars, DuckDB, pandas: anything that reads Arrow streams) all of them,
    one row a measurement.
    """

    status: Status
    summary: str
    columns: Mapping[str, ColumnComparison]
    n_reference: int
    n_current: int

    @property
    def measurements(self) -> list[Measurement]:
        """All measurements, column by column."""
        return [each for column in self.columns.values() for each in column.measurements]

    def __getitem__(self, column: str) -> ColumnComparison:
        """Return one column's outcome; KeyError if neither side has it."""
        try:
            return self.columns[column]
        except KeyError:
            have = ", ".join(map(repr, list(self.columns)[:10]))
            raise KeyError(f"no column {column!r} in the comparison; it has {have}") from None

    def value(self, name: str, column: str) -> float | None:
        """Return one number, None where undefined; KeyError if there is no such measurement or column."""
        return self[column].value(name)

    def worst_first(self) -> list[ColumnComparison]:
        """Return the columns by severity, then by PSI, largest first; those not judged last."""
        return sorted(self.columns.values(), key=_gravity)

    def to_dict(self) -> dict[str, Any]:
        """Return status, summary, sizes and columns, JSON-able (no NaN, no NumPy)."""
        return {
            "status": self.status,
            "summary": self.summary,
            "n_reference": self.n_reference,
            "n_current": self.n_current,
            "columns": {name: column.to_dict() for name, column in self.columns.items()},
        }

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the measurements, one a row, as an Arrow stream (PyCapsule); imports pyarrow."""
        import pyarrow as pa

        rows = [each.to_dict() for each in self.measurements]
        return pa.Table.from_pylist(rows, schema=_arrow_schema()).__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        """Return the summary and a table of the columns, the worst first."""
        rows, left = self._rows()
        table = text_table(_HEADER, rows, right=(2,)) if rows else ""
        return "\n".join(part for part in (printable(self.summary, None), table, left) if part)

    def _repr_html_(self) -> str:
        """Return the same as HTML, without scripts, everything escaped."""
        rows, left = self._rows()
        table = html_table(_HEADER, rows, right=(2,)) if rows else ""
        return f"<div><p>{escaped(self.summary, None)}</p>{table}<p>{escaped(left, None)}</p></div>"

    def _rows(self) -> tuple[list[tuple[str, ...]], str]:
        """Return the rows to show and a sentence about those left out."""
        columns = self.worst_first()
        quiet = [c for c in columns if c.status in ("ok", "undefined")]
        loud = columns[: len(columns) - len(quiet)]
        shown = loud + quiet[: max(MAX_LINES - len(loud), 0)]
        hidden = len(columns) - len(shown)
        rows: list[tuple[str, ...]] = [
            (
                c.status if c.judged else "-",
                printable(c.name, MAX_NAME_CHARACTERS),
                _psi(c),
                "; ".join(c.reasons),
            )
            for c in shown
        ]
        return rows, f"and {_count(hidden, 'more column')}, ok or not judged" if hidden else ""


def compare(reference: Any, profile: ProfileCounts) -> Comparison:
    """Compare `profile` with `reference` (a Reference, or a Profile made between the same edges).

    Every column that is judged (`judge=True` in the reference's schema, no id, timestamp, ignored, weight or
    query role) is measured on the reference's own cells: `psi` (nats, bias-corrected, with interval and p),
    the changes of the shares of absent, mistyped, infinite, missing (null or NaN) and out-of-range or unseen
    values, the largest rise of one cell, Jensen-Shannon (base 2), Hellinger and total variation distances,
    the chi-square statistic and, for numbers, Kolmogorov-Smirnov, Wasserstein (in the reference's standard
    deviations), change of mean, ratio of variance.

    A column is named when something both changed (p at most 1/1000 after Bonferroni over all tests of the
    comparison, taking rows as independent) and matters (the lower end of the interval beyond a tolerance):
    PSI above 0.005 `warning`, above 0.1 `alert`; a share up by more than 0.1 % of the rows `warning`, 1 %
    `alert`; one cell or category at least doubled and up by more than 1 % of the rows, `alert`. A judged
    column that the profile lacks is an `alert`; one with too few values is `insufficient`. See
    docs/design/0004-first-verdict.md.

    Raises MergeError when a judged column has another kind or other edges on the two sides.
    """
    before: ProfileCounts = getattr(reference, "profile", reference)
    settings = getattr(reference, "schema", {})
    outcomes: dict[str, ColumnComparison] = {}
    judged: list[str] = []
    for name in before:
        why_not = _why_not_judged(before[name], settings.get(name))
        if why_not:
            outcomes[name] = _listed(name, before[name], why_not)
            continue
        judged.append(name)
        if name in profile:
            _require_equal_cells(name, before[name], profile[name])
        if _lacks(profile, name) and before[name].role == "label":
            judged.remove(name)
            outcomes[name] = _listed(name, before[name], "not judged: no labels yet")
        elif _lacks(profile, name) and not _lacks(before, name):
            outcomes[name] = _missing(name, before[name], before.n_rows, profile.n_rows)
    for ordered, kinds in ((True, ORDERED_KINDS), (False, CATEGORY_KINDS)):
        names = [
            name for name in judged if name not in outcomes and name in profile and before[name].kind in kinds
        ]
        if names:
            outcomes |= dict(_judged(names, ordered, before, profile, len(judged)))
    for name in profile:
        if name not in before:
            outcomes[name] = _listed(name, profile[name], "not in the reference")
    order = [*before, *(name for name in profile if name not in before)]
    columns = {name: outcomes[name] for name in order if name in outcomes}
    status = verdict_of_columns(column.status for column in columns.values() if column.judged)
    summary = _summary(status, columns, profile.n_rows, before.n_rows)
    return Comparison(status, summary, columns, before.n_rows, profile.n_rows)


def _judged(
    names: list[str], ordered: bool, before: ProfileCounts, profile: ProfileCounts, n_judged: int
) -> Iterator[tuple[str, ColumnComparison]]:
    stack = stack_columns(names, ordered, before, profile)
    found = drift_statistics(stack)
    verdict = judge_stack(found, n_judged)
    for i, measured in enumerate(measurements_by_column(stack, found, verdict)):
        name = names[i]
        column = before[name]
        status = worst(each.status for each in measured if each.status != "undefined")
        why = () if status == "ok" else tuple(reasons(stack, found, verdict, i, (column, profile[name])))
        yield name, ColumnComparison(name, column.kind, column.role, True, status, why, measured)


def _why_not_judged(column: ColumnCounts, settings: Any) -> str:
    """Say why a column has no verdict, or "": `settings` is its Column of the reference's schema, or None."""
    if settings is not None and not settings.judge:
        return str(settings.notice or "not judged: judge=False in the schema")
    if column.role in ROLES_WITHOUT_VERDICT:
        return f"not judged: role {column.role}"
    if not column.judge:
        return "not judged: judge=False"
    if column.kind not in ORDERED_KINDS | CATEGORY_KINDS:
        return f"not judged: kind {column.kind}"
    return ""


def _require_equal_cells(name: str, before: ColumnCounts, after: ColumnCounts) -> None:
    remedy = "make the profile with this reference, or fit the reference with edges=old to keep the old edges"
    if before.kind != after.kind:
        raise MergeError(
            f"column {name!r} is a {before.kind} in the reference and a {after.kind} in the profile; {remedy}"
        )
    if before.edges_id != after.edges_id:
        raise MergeError(
            f"column {name!r} has edges {before.edges_id} in the reference and {after.edges_id} in the "
            f"profile, so their cells cannot be compared; {remedy}"
        )


def _lacks(profile: ProfileCounts, name: str) -> bool:
    """Say whether no row of the profile has the column."""
    return name not in profile or 0 < profile[name].n_rows == profile[name].n_absent


def _listed(name: str, column: ColumnCounts, why: str) -> ColumnComparison:
    return ColumnComparison(name, column.kind, column.role, False, "undefined", (why,), ())


def _missing(name: str, column: ColumnCounts, n_reference: int, n_current: int) -> ColumnComparison:
    """Return the outcome of a judged column that no row of the profile has."""
    share = column.n_absent / column.n_rows if column.n_rows else 0.0
    status: Status = "alert" if n_current else "insufficient"
    measured = Measurement(
        name="absent_share_change",
        value=1.0 - share if n_current else None,
        column=name,
        n_reference=n_reference,
        n_current=n_current,
        direction="higher_is_worse",
        reference_value=share,
        threshold=SHARE_ALERT,
        status=status,
    )
    why = "the column is missing" if n_current else "no rows"
    return ColumnComparison(name, column.kind, column.role, True, status, (why,), (measured,))


def _arrow_schema() -> Any:
    """Return the columns of an exported comparison: names as strings, sizes as int64, numbers as float64."""
    import pyarrow as pa

    kinds = {"n_reference": pa.int64(), "n_current": pa.int64(), "window": pa.list_(pa.int64(), 2)}
    numbers = dict.fromkeys(("value", "low", "high", "p_value", "reference_value", "threshold"), pa.float64())
    kinds |= numbers
    return pa.schema([(field.name, kinds.get(field.name, pa.string())) for field in fields(Measurement)])


def _gravity(column: ColumnComparison) -> tuple[bool, int, float]:
    psi = next((each.value for each in column.measurements if each.name == "psi"), None)
    return not column.judged, -SEVERITY.index(column.status), -(psi or 0.0)


def _psi(column: ColumnComparison) -> str:
    psi = next((each.value for each in column.measurements if each.name == "psi"), None)
    return "" if psi is None else f"{psi:.4f}"


def _summary(
    status: Status, columns: Mapping[str, ColumnComparison], n_current: int, n_reference: int
) -> str:
    """Say in one sentence what was found, naming the gravest column and its cause."""
    judged = sorted((c for c in columns.values() if c.judged), key=_gravity)
    sizes = f"{n_current:,} rows against {n_reference:,}"
    counts = {s: sum(c.status == s for c in judged) for s in ("alert", "warning", "insufficient")}
    few = f", {counts['insufficient']} with too few values" if counts["insufficient"] else ""
    if not judged:
        return f"insufficient: no column is judged ({sizes})"
    if status == "ok":
        return f"ok: {_count(len(judged), 'judged column')} as in the reference{few} ({sizes})"
    if status == "insufficient":
        return f"insufficient: {_count(len(judged), 'judged column')}{few} ({sizes})"
    named = " and ".join(f"{_count(counts[s], s)}" for s in ("alert", "warning") if counts[s])
    cause = f"{judged[0].name}: {judged[0].reasons[0]}"
    return f"{status}: {named} in {_count(len(judged), 'judged column')}{few} ({sizes}); {cause}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
