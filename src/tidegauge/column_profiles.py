"""ColumnProfile: everything that a profile knows of one column, as a snapshot.

Longer than most files: one property for each thing a profile tells, most of it their docstrings.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge.joints import symmetric
from tidegauge.ranks import quantile_of, rank_error, rank_of
from tidegauge.schema import UNJUDGED_ROLES

Counts = npt.NDArray[np.uint64]

ROLES_WITHOUT_VERDICT = (*UNJUDGED_ROLES, "weight")
SHOWN_UNSEEN = 5


class ExponentialHistogram(NamedTuple):
    """Counts in buckets whose bounds grow by 2^(2^-scale), as OpenTelemetry defines them.

    Bucket i of the positive values holds (2^(i / 2^scale), 2^((i + 1) / 2^scale)], the negative ones mirror
    it; the first count of each side is of bucket `offset`.
    """

    scale: int
    zero_count: int
    positive_offset: int
    positive_counts: Counts
    negative_offset: int
    negative_counts: Counts


class ColumnProfile:
    """What is known of one column of a profile. A value that is not defined, or not collected, is None.

    Every row offered has one home, and the homes add up: n_rows = n_present + n_null + n_nan + n_inf +
    n_mistyped + n_absent, and with edges n_present = counts.sum() + n_below + n_above + n_unseen.
    """

    __slots__ = ("_column", "_counted", "_homes", "_kind", "_powers", "_spec")

    def __init__(self, column: _core.Column) -> None:
        self._homes = column
        self._column: Any = column  # the same; what else it can tell depends on its class
        self._spec = column.spec
        self._kind: str = column.spec.kind
        # A snapshot does not change, and asking the engine copies: each is asked for once.
        self._counted: Counts | None = None
        self._powers: tuple[int, float, float, float, float] | None = None

    # What the column is.

    @property
    def name(self) -> str:
        """The column's name."""
        return self._spec.name

    @property
    def kind(self) -> str:
        """Number, boolean, category, time, embedding or unsupported."""
        return self._kind

    @property
    def role(self) -> str:
        """What the column is for: feature, score, prediction, label, id, ..."""
        return self._spec.role

    @property
    def judge(self) -> bool:
        """Whether the column is compared with a verdict, as far as its kind and role say."""
        return (
            self.kind not in {"time", "unsupported"}
            and self.role not in ROLES_WITHOUT_VERDICT
            and not self._spec.counted_only
        )

    @property
    def edges_id(self) -> str | None:
        """The name of the frozen edges or categories; columns with equal names of edges compare."""
        if self.kind == "boolean":
            return "boolean"
        return f"{self._spec.edges_id:016x}" if self._spec.edges_id else None

    # The homes of its rows.

    @property
    def n_rows(self) -> int:
        """Rows offered."""
        return self._homes.n_rows

    @property
    def n_absent(self) -> int:
        """Rows of batches in which the column was not there."""
        return self._homes.n_absent

    @property
    def n_null(self) -> int:
        """Nulls."""
        return self._homes.n_null

    @property
    def n_mistyped(self) -> int:
        """Values that the column's type cannot hold exactly, or of another kind."""
        return self._homes.n_mistyped

    @property
    def n_nan(self) -> int:
        """Values that are not a number; embeddings with a component that is none."""
        return self._homes.n_nan

    @property
    def n_inf(self) -> int:
        """Infinities of either sign."""
        return self._homes.n_pos_inf + self._homes.n_neg_inf

    @property
    def n_present(self) -> int:
        """Rows with a usable value."""
        return self._homes.n_present

    @property
    def n_zero(self) -> int | None:
        """Values equal to zero; numbers only."""
        found: int | None = self._get("n_zero")
        return found

    @property
    def n_negative(self) -> int | None:
        """Finite values below zero; numbers only."""
        found: int | None = self._get("n_negative")
        return found

    @property
    def n_below(self) -> int:
        """Values below the first edge; 0 without edges."""
        cells = self._cells()
        return int(cells[0]) if self._is_numeric() and len(cells) else 0

    @property
    def n_above(self) -> int:
        """Values at or above the last edge; 0 without edges."""
        cells = self._cells()
        return int(cells[-1]) if self._is_numeric() and len(cells) else 0

    @property
    def n_unseen(self) -> int:
        """Values that are none of the frozen categories; 0 without any."""
        hashed = self.hash_counts
        return 0 if hashed is None else int(hashed.sum())

    # The values.

    @property
    def n_distinct(self) -> int | None:
        """Distinct values: exact up to 512, then estimated with a relative standard error of about 1.3 %."""
        if self.kind == "boolean":
            return int(self._column.n_true > 0) + int(self._column.n_false > 0)
        estimate = self._get("n_distinct")
        return None if estimate is None else round(estimate)

    @property
    def min(self) -> Any:
        """The smallest finite value: float, int, or datetime64 of a time."""
        return self._extreme("min")

    @property
    def max(self) -> Any:
        """The largest finite value: float, int, or datetime64 of a time."""
        return self._extreme("max")

    @property
    def sum(self) -> int | float | None:
        """The sum of the finite values, exact for integers; None where a double cannot hold it."""
        if self.kind != "number":
            return None
        total: int | float = self._column.sum
        return total if isinstance(total, int) or math.isfinite(total) else None

    @property
    def mean(self) -> float | None:
        """The mean of the finite values; None without any."""
        central = self._central()
        return None if central is None else central[1]

    @property
    def variance(self) -> float | None:
        """The unbiased variance, sum (x - mean)^2 / (n - 1); None for fewer than two values."""
        central = self._central()
        return None if central is None or central[0] < 2 else finite(central[2] / (central[0] - 1))

    @property
    def skewness(self) -> float | None:
        """g1 = m3 / m2^1.5 of the central moments m_k = sum (x - mean)^k / n; None for a constant."""
        central = self._central()
        if central is None or central[2] <= 0:
            return None
        n, _, m2, m3, _ = central
        return finite(math.sqrt(n) * m3 / m2 / math.sqrt(m2))

    @property
    def kurtosis(self) -> float | None:
        """The excess g2 = m4 / m2^2 - 3, zero for a normal distribution; None for a constant."""
        central = self._central()
        if central is None or central[2] <= 0:
            return None
        n, _, m2, _, m4 = central
        return finite(n * m4 / m2 / m2 - 3)

    @property
    def mean_vector(self) -> npt.NDArray[np.float64] | None:
        """The mean of an embedding's rows, float64 of shape [width]; None without any."""
        return self._column.mean if self.kind == "embedding" and self.n_present else None

    @property
    def covariance(self) -> npt.NDArray[np.float64] | None:
        """The covariance of an embedding's rows, float64 `[width, width]`, divided by n.

        None like `mean_vector`, in light profiles, of more than 256 floats a row, and where a sum leaves
        the range of a double. From sums of products, so some digits go where a mean is much larger than the
        spread about it.
        """
        mean = self.mean_vector
        if mean is None or self._column.products is None:
            return None
        covariance = symmetric(self._column.products / self.n_present, len(mean)) - np.outer(mean, mean)
        return covariance if np.isfinite(covariance).all() else None

    @property
    def norms(self) -> dict[str, float | None] | None:
        """Mean, variance, min and max of the Euclidean norms; None like `mean_vector`."""
        if self.kind != "embedding" or not self.n_present:
            return None
        n, mean, m2, _, _ = self._column.norm_central
        return {
            "mean": finite(mean),
            "variance": finite(m2 / (n - 1)) if n > 1 else None,
            "min": self._column.norm_min,
            "max": self._column.norm_max,
        }

    # The cells.

    @property
    def edges(self) -> npt.NDArray[Any] | None:
        """Frozen edges, float64 or int64 of shape [cells + 1]; cell i holds edges[i] <= x < edges[i + 1]."""
        return self._spec.edges

    @property
    def counts(self) -> Counts | None:
        """Values in each cell: between the edges, or of each category, uint64 of shape [cells]."""
        if self.kind == "boolean":
            return np.array([self._column.n_false, self._column.n_true], np.uint64)
        cells = self._cells()
        if not len(cells):
            return None
        return cells[1:-1] if self._is_numeric() else cells[:-256]

    @property
    def hash_counts(self) -> Counts | None:
        """Values that are no frozen category, by the first byte of their hash: uint64 of shape [256]."""
        cells = self._cells()
        return cells[-256:] if self.kind == "category" and len(cells) else None

    @property
    def categories(self) -> list[str | None] | None:
        """Names of the frozen categories, None for one that is not shown; of a boolean, false and true."""
        if self.kind == "boolean":
            return ["false", "true"]
        names = self._spec.category_names
        if names is None or self.counts is None:
            return None
        return names or [None] * len(self.counts)

    @property
    def unseen_top(self) -> list[tuple[str, int]]:
        """Names and counts of the most frequent values that are none of the frozen categories."""
        if self.kind != "category" or self.counts is None:
            return []
        return [(name, count) for _, count, name in self._column.top(SHOWN_UNSEEN) if name is not None]

    def top(self, k: int) -> list[tuple[str | bool | None, int]]:
        """Return up to k of the most frequent values with their counts, most frequent first.

        A value that is not to be shown, because it was seen fewer than 5 times or values are not kept, is
        None. Counts of unfrozen values may be short by `error_bounds["top"]`. Numbers and times give none.
        """
        if self.kind not in {"boolean", "category"}:
            return []
        found: list[tuple[str | bool | None, int]] = []
        if self.kind == "boolean":
            found = [(True, self._column.n_true), (False, self._column.n_false)]
        else:
            found = [(name, count) for _, count, name in self._column.top(k)]
            if self.counts is not None and self.categories is not None:
                pairs = zip(self.categories, self.counts.tolist(), strict=True)
                found += list(pairs)
        return sorted((pair for pair in found if pair[1] > 0), key=lambda pair: -pair[1])[:k]

    def quantile(self, q: float | npt.ArrayLike) -> Any:
        """Return the value below which a fraction q in [0, 1] of the finite values lies; q may be an array.

        Between edges, values are taken as spread evenly over their cell, so the rank is wrong by at most the
        cell's share; outside them, and without edges, by at most `error_bounds["rank"]`. Returns float, int
        or datetime64 like `min`, or an array of them; None without values, edges or sketch. Raises
        ValueError for q outside [0, 1].
        """
        fractions = np.atleast_1d(np.asarray(q, np.float64))
        if not ((fractions >= 0) & (fractions <= 1)).all():
            raise ValueError(f"quantile: q must lie in [0, 1], not {q!r}")
        if not self._is_numeric() or self.n_present == 0 or not self._can_rank():
            return None
        values = [self._as_value(quantile_of(self._column, float(fraction))) for fraction in fractions]
        return values[0] if np.ndim(q) == 0 else np.array(values)

    def rank(self, x: float) -> float | None:
        """Return the fraction of finite values that are <= x, in [0, 1], with the error of `quantile`."""
        if not self._is_numeric() or self.n_present == 0 or not self._can_rank():
            return None
        if math.isnan(x):
            raise ValueError("rank: x must be a number, not nan")
        if x >= self._column.max:
            return 1.0
        if x < self._column.min:
            return 0.0
        return rank_of(self._column, x)

    @property
    def error_bounds(self) -> dict[str, float]:
        """How far off the approximate answers may be.

        "rank": of `quantile` and `rank`, as a fraction of the finite values. "n_distinct": relative standard
        error, 0 where the count is exact. "top": counts of unfrozen values may be short by this many.
        """
        bounds: dict[str, float] = {}
        if self._is_numeric() and self.n_present and self._can_rank():
            bounds["rank"] = rank_error(self._column)
        if self._get("n_distinct") is not None:
            bounds["n_distinct"] = 0.0 if self._column.distinct_is_exact else 0.013
        if self.kind == "category":
            bounds["top"] = float(self._column.frequent_error)
        return bounds

    @property
    def exponential(self) -> ExponentialHistogram | None:
        """The base-2 exponential histogram of the finite values, where the schema asked for one."""
        found = self._get("exponential")
        return None if found is None else ExponentialHistogram(*found)

    def to_dict(self) -> dict[str, Any]:
        """Return the column's numbers by name, for tables and JSON; undefined ones are None."""
        names = (
            "n_rows n_present n_null n_nan n_inf n_mistyped n_absent n_zero n_negative n_below n_above "
            "n_unseen n_distinct sum mean variance skewness kurtosis"
        )
        told: dict[str, Any] = {"column": self.name, "kind": self.kind, "role": self.role}
        told.update((name, getattr(self, name)) for name in names.split())
        told["sum"] = None if told["sum"] is None else float(told["sum"])
        for name in ("min", "max"):
            value = getattr(self, name)
            told[name] = float(value) if self.kind == "number" and value is not None else None
        for name, q in (("p01", 0.01), ("p50", 0.5), ("p99", 0.99)):
            value = self.quantile(q) if self.kind == "number" else None
            told[name] = None if value is None else float(value)
        return told

    def __repr__(self) -> str:
        lines = [f"{self.name}: {self.kind}, {self.role}"]
        for name, value in self.to_dict().items():
            if name not in {"column", "kind", "role"} and value is not None:
                lines.append(
                    f"  {name:<11} {value:,.10g}" if isinstance(value, float) else f"  {name:<11} {value:,}"
                )
        for value, count in self.top(5):
            lines.append(f"  {count:>11,} {value!r}" if value is not None else f"  {count:>11,} (not shown)")
        return "\n".join(lines)

    # How it is known.

    def _get(self, name: str) -> Any:
        return getattr(self._column, name, None)

    def _is_numeric(self) -> bool:
        return isinstance(self._column, _core.FloatColumn | _core.IntegerColumn)

    def _cells(self) -> Counts:
        # For reading only: the same array is given to everyone who asks.
        if self._counted is None:
            cells: Counts = getattr(self._column, "cells", np.empty(0, np.uint64))
            cells.flags.writeable = False
            self._counted = cells
        return self._counted

    def _central(self) -> tuple[int, float, float, float, float] | None:
        if self._powers is None:
            if self._kind != "number" or self.n_present == 0:
                return None
            self._powers = self._column.central
        assert self._powers is not None
        return self._powers if math.isfinite(self._powers[1]) else None

    def _extreme(self, name: str) -> Any:
        if not self._is_numeric() or self.n_present == 0:
            return None
        return self._as_value(getattr(self._column, name))

    def _as_value(self, value: float) -> Any:
        unit: Any = self._spec.unit  # one of those that datetime64 has
        return np.datetime64(int(value), unit) if self.kind == "time" else value

    def _can_rank(self) -> bool:
        # Without its edges a column has a sketch of what lay outside them, which says nothing of the rest.
        return self.edges is not None or (not len(self._cells()) and bool(self._column.n_quantiles))


def finite(value: float) -> float | None:
    """Return the value, or None where a double cannot hold it."""
    return value if math.isfinite(value) else None
