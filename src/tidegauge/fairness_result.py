"""The outcome of `fairness`: a status, a sentence, every metric of every facet, and the rows of each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from tidegauge.measurement import Measurement, Status, arrow_stream
from tidegauge.outcomes.facets import CLARIFY
from tidegauge.profiles import write_file
from tidegauge.segments import parse_segment, shown_segment
from tidegauge.tables import escaped, html_table, printable, text_table

MAX_LINES = 60  # of a repr
_HEADER = ("status", "facet", "metric", "Clarify", "value", "95 % interval", "reference", "limit", "rows")
_RIGHT = (4, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class FacetRows:
    """What was counted of one facet: rows with an answer, those with a label, and shares; None of no rows."""

    segment: str
    n_rows: int
    n_labelled: int
    selection_rate: float | None
    base_rate: float | None
    accuracy: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Fairness:
    """The outcome of `fairness`: how alike the answers of `column` treat the facets `by` a column.

    `advantaged` is the segment that all others are held against, None where each is held against all others.
    Each of the `measurements` has in `segment` the facet it is of, None of all facets together. `facets` are
    the rows, `favourable` which answer is wanted, `group` the column of strata. `notes` say what was not
    judged and why.
    """

    status: Status
    summary: str
    by: str
    column: str
    advantaged: str | None
    favourable: str
    group: str | None
    measurements: tuple[Measurement, ...]
    facets: tuple[FacetRows, ...]
    notes: tuple[str, ...] = ()
    tolerance: float = 0.1

    def measurement(self, name: str, facet: str | None = None) -> Measurement:
        """Return one measurement, of a facet by its value or key; KeyError if there is none.

        `name` is that of a metric, or SageMaker Clarify's ("DI"). `facet` None: of all together, or of the
        only facet there is.
        """
        full = next((each for each, short in CLARIFY.items() if short == name), name)
        found = [each for each in self.measurements if each.name == full]
        of = [each for each in found if facet is None or facet in (each.segment, value_of(each.segment))]
        if len(of) != 1:
            there = ", ".join(sorted({each.name for each in self.measurements}))
            facets = ", ".join(sorted(str(value_of(each.segment)) for each in found))
            raise KeyError(f"{len(of)} metrics {name!r} of facet {facet!r}; {facets or f'there are {there}'}")
        return of[0]

    def value(self, name: str, facet: str | None = None) -> float | None:
        """Return the value of `measurement`, None where it is undefined."""
        return self.measurement(name, facet).value

    def to_dict(self) -> dict[str, Any]:
        """Return everything by name, JSON-able."""
        names = ("status", "summary", "by", "column", "advantaged", "favourable", "group", "tolerance")
        found = {name: getattr(self, name) for name in names}
        return found | {
            "notes": list(self.notes),
            "facets": [each.to_dict() for each in self.facets],
            "measurements": [each.to_dict() for each in self.measurements],
        }

    def to_html(self, path: str | os.PathLike[str], title: str | None = None) -> None:
        """Write the report, one offline page, whole or not at all (extra `report`). Raises OSError."""
        from tidegauge.report import render_fairness

        write_file(path, render_fairness(self, title).encode())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the measurements, one a row, as an Arrow stream (PyCapsule); imports pyarrow."""
        return arrow_stream(self.measurements, requested_schema)

    def __repr__(self) -> str:
        """Return the summary, a table of the metrics, what was judged worst first, and the notes."""
        rows, left = self._rows()
        lines = [self.summary, text_table(_HEADER, rows, right=_RIGHT) if rows else "", left, *self.notes]
        return "\n".join(line if i == 1 else printable(line, None) for i, line in enumerate(lines) if line)

    def _repr_html_(self) -> str:
        """Return the same as HTML, without scripts, everything escaped."""
        rows, left = self._rows()
        table = html_table(_HEADER, rows, right=_RIGHT) if rows else ""
        notes = "".join(f"<p>{escaped(note, None)}</p>" for note in (left, *self.notes) if note)
        return f"<div><p>{escaped(self.summary, None)}</p>{table}{notes}</div>"

    def _rows(self) -> tuple[list[tuple[str, ...]], str]:
        known = [each for each in self.measurements if each.value is not None]
        known.sort(key=lambda each: each.status not in ("alert", "warning"))
        hidden = len(known) - MAX_LINES
        rows: list[tuple[str, ...]] = [
            (
                "" if each.threshold is None else each.status,
                "all" if each.segment is None else shown_segment(parse_segment(each.segment)),
                each.name,
                CLARIFY[each.name],
                f"{each.value:.4g}",
                "" if each.low is None or each.high is None else f"{each.low:.4g} to {each.high:.4g}",
                "" if each.reference_value is None else f"{each.reference_value:.4g}",
                "" if each.threshold is None else f"{each.threshold:.4g}",
                f"{each.n_current or 0:,}",
            )
            for each in known[:MAX_LINES]
        ]
        return rows, f"and {hidden:,} more measurements" if hidden > 0 else ""


def value_of(segment: str | None) -> str | None:
    """Return the value of a facet's segment; None of rows without one, and of all."""
    values = () if segment is None else tuple(parse_segment(segment).values())
    return None if not values or values[0] is None else str(values[0])
