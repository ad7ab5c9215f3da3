"""Whether a model goes by other features than it did: drift of attributions, such as SHAP values."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge.absolute_sums import absolute_sum
from tidegauge.arrow import batches
from tidegauge.arrow.dealing import dealt
from tidegauge.errors import InputError
from tidegauge.measurement import Measurement, Status, arrow_stream, defined
from tidegauge.outcomes.attribution import attribution_ndcg, ndcg_interval, rank_correlation
from tidegauge.performance_measurements import MIN_LABELLED
from tidegauge.profiles import Profile, write_file
from tidegauge.reference import Reference
from tidegauge.tables import escaped, html_table, printable, text_table

Floats = npt.NDArray[np.float64]

THRESHOLD = 0.9  # SageMaker Clarify's and Azure's
MAX_NAMED = 3
_HEADER = ("rank", "before", "attribution", "mean |value|", "reference", "off by at most", "rows")


@dataclass(frozen=True, slots=True)
class Attribution:
    """A feature's attributions: means of their absolute values, and their places from 1, now and before.

    `bound` is by how much `value` can be off because values were counted in cells (`absolute_sums`).
    """

    column: str
    value: float
    bound: float
    reference_value: float
    rank: int
    reference_rank: int
    n_rows: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class AttributionDrift:
    """The outcome of `attribution_drift`.

    `measurements` are `attribution_ndcg`, judged, and `attribution_rank_correlation`; `attributions` the
    features, the largest attribution first. `n_parts` is how many profiles the interval comes from.
    """

    status: Status
    summary: str
    measurements: tuple[Measurement, ...]
    attributions: tuple[Attribution, ...]
    n_parts: int

    @property
    def ndcg(self) -> Measurement:
        """The one that is judged."""
        return self.measurements[0]

    def to_dict(self) -> dict[str, Any]:
        """Return everything by name, JSON-able."""
        return {
            "status": self.status,
            "summary": self.summary,
            "n_parts": self.n_parts,
            "measurements": [each.to_dict() for each in self.measurements],
            "attributions": [each.to_dict() for each in self.attributions],
        }

    def to_html(self, path: str | os.PathLike[str], title: str | None = None) -> None:
        """Write the report, one offline page, whole or not at all (extra `report`). Raises OSError."""
        from tidegauge.report import render_attribution

        write_file(path, render_attribution(self, title).encode())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the measurements, one a row, as an Arrow stream (PyCapsule); imports pyarrow."""
        return arrow_stream(self.measurements, requested_schema)

    def __repr__(self) -> str:
        """Return the summary and a line for each feature."""
        table = text_table(_HEADER, self._rows(), right=(0, 1, 3, 4, 5, 6))
        return f"{printable(self.summary, None)}\n{table}"

    def _repr_html_(self) -> str:
        """Return the same as HTML, without scripts, everything escaped."""
        table = html_table(_HEADER, self._rows(), right=(0, 1, 3, 4, 5, 6))
        return f"<div><p>{escaped(self.summary, None)}</p>{table}</div>"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(each.rank),
                str(each.reference_rank),
                printable(each.column, 40),
                f"{each.value:.4g}",
                f"{each.reference_value:.4g}",
                f"{each.bound:.2g}",
                f"{each.n_rows:,}",
            )
            for each in self.attributions
        ]


def attribution_drift(
    profiles: Profile | Mapping[Any, Profile] | Iterable[Profile],
    reference: Reference,
    *,
    threshold: float = THRESHOLD,
) -> AttributionDrift:
    """Tell whether a model goes by other features than in its reference, from attributions in the data.

    Columns with the role `attribution` (`Schema.infer(..., attribution=[...])`) hold what each feature did to
    each row's score, as SHAP values. Features are ranked by the mean of the absolute values; nDCG of the
    current ranking with the reference's means as gains is 1 where none changed places, and drift below
    `threshold` (SageMaker Clarify's .90).

    `profiles`: one profile, or the parts that make up the rows, such as windows (a mapping, or several):
    from 8 on nDCG has an interval by how these parts differ, and an `alert` needs all of it below the
    threshold; the value alone is a `warning`. `insufficient` with fewer than 100 rows. Raises InputError for
    fewer than two such columns, no profiles, and a threshold outside (0, 1].
    """
    if not 0 < threshold <= 1:
        raise InputError(f"attribution_drift: threshold is {threshold!r}, it must be above 0, and 1 at most")
    several: Any = profiles.values() if isinstance(profiles, Mapping) else profiles
    parts: list[Profile] = [profiles] if isinstance(profiles, Profile) else list(several)
    schema = reference.schema
    names = [name for name in schema.with_role("attribution") if schema[name].kind == "number"]
    if len(names) < 2 or not parts:
        what = "no profiles are given" if not parts else f"the reference's schema has {len(names)} of them"
        raise InputError(
            f"attribution_drift: two columns of numbers with the role attribution are needed, and a profile; "
            f"{what}: name them in Schema.infer(data, attribution=[...])"
        )
    before = summed([reference.profile], names)
    now = summed(parts, names)
    sums, bounds, rows = (each.sum(axis=0) for each in now)
    means, of_reference = mean_of(sums, rows), mean_of(before[0][0], before[2][0])
    n = int(rows.max())
    whole = bool(rows.all())  # else a column is missing, and nothing is known of its rank
    value = attribution_ndcg(of_reference, means) if whole else nan
    low, high = ndcg_interval(of_reference, now[0], now[2]) if whole else (nan, nan)
    judged = Measurement(
        name="attribution_ndcg",
        value=defined(value),
        n_reference=int(before[2].max()),
        n_current=n,
        low=None if defined(low) is None else min(low, value),
        high=None if defined(high) is None else max(high, value),
        direction="lower_is_worse",
        reference_value=1.0,
        threshold=threshold,
        status=status_of(value, high, n, threshold),
    )
    alike = replace(
        judged,
        name="attribution_rank_correlation",
        value=defined(rank_correlation(of_reference, means)) if whole else None,
        low=None,
        high=None,
        threshold=None,
        status="ok" if whole else "undefined",
    )
    places, earlier = places_of(means), places_of(of_reference)
    found = [
        Attribution(
            name,
            float(means[i]),
            float(bounds[i] / rows[i]) if rows[i] else 0.0,
            float(of_reference[i]),
            int(places[i]),
            int(earlier[i]),
            int(rows[i]),
        )
        for i, name in enumerate(names)
    ]
    found.sort(key=lambda each: each.rank)
    made = AttributionDrift(judged.status, "", (judged, alike), tuple(found), len(parts))
    return replace(made, summary=summary_of(made))


def row_parts(data: Any, reference: Reference, n: int = 32) -> list[Profile]:
    """Return light profiles of every n-th row of `data`, from the first, the second, ... on."""
    parts = [Profile.empty(reference, accumulators="light") for _ in range(n)]
    for i, rows in dealt(batches(data), n):
        parts[i]._core.update(rows, 1)
    return parts


def summed(parts: list[Profile], names: list[str]) -> tuple[Floats, Floats, Floats]:
    """Return sums of absolute values, their bounds and rows, `[parts, columns]` each."""
    found = np.zeros((3, len(parts), len(names)))
    for i, part in enumerate(parts):
        for j, name in enumerate(names):
            column = part.get(name)
            known = None if column is None else absolute_sum(column)
            if column is not None and known is not None:
                found[:, i, j] = *known, column.n_present
    return found[0], found[1], found[2]


def mean_of(sums: Floats, rows: Floats) -> Floats:
    """Return the means; 0 of no rows."""
    return np.divide(sums, rows, out=np.zeros_like(sums), where=rows > 0)


def places_of(means: Floats) -> npt.NDArray[np.int64]:
    """Return the place of each, from 1 for the largest."""
    places = np.empty(len(means), np.int64)
    places[np.argsort(-means, kind="stable")] = np.arange(1, len(means) + 1)
    return places


def status_of(value: float, high: float, n: int, threshold: float) -> Status:
    """Return "alert" where the whole interval is below the threshold, "warning" where the value is."""
    if n < MIN_LABELLED:
        return "insufficient"
    if defined(value) is None:
        return "undefined"
    return "alert" if high < threshold else "warning" if value < threshold else "ok"


def summary_of(made: AttributionDrift) -> str:
    """Say in one sentence how alike the rankings are, and which features changed places most."""
    ndcg = made.ndcg
    size = f"{len(made.attributions)} features, {ndcg.n_current or 0:,} rows"
    if ndcg.value is None:
        return f"{made.status}: nothing to rank features by ({size})"
    ends = "" if ndcg.low is None or ndcg.high is None else f" ({ndcg.low:.3g} to {ndcg.high:.3g})"
    moved = sorted(
        (each for each in made.attributions if each.rank != each.reference_rank),
        key=lambda each: -abs(each.value - each.reference_value),
    )
    named = [f"{each.column} from place {each.reference_rank} to {each.rank}" for each in moved[:MAX_NAMED]]
    told = f"; {', '.join(named)}" if named else "; no feature changed places"
    value = f"nDCG of attributions {ndcg.value:.3g}{ends}, limit {ndcg.threshold:.3g}"
    return f"{made.status}: {value}{told} ({size})"
