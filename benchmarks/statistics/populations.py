"""Populations whose cells have a known mass, so that a window is drawn as counts and never as rows.

A reference is drawn row by row, because its edges and categories come from its own rows and that is part of
what is to be measured. The counts of a window between those edges are then one multinomial draw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtr

from tidegauge.edges import fit_edges

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Counts of one column, as a profile has them (`tidegauge.drift.columns.ColumnCounts`); no moments."""

    kind: str
    counts: Integers
    n_below: int = 0
    n_above: int = 0
    n_unseen: int = 0
    n_null: int = 0
    edges: Floats | None = None
    role: str = "feature"
    judge: bool = True
    edges_id: str = "frozen"
    n_absent: int = 0
    n_mistyped: int = 0
    n_nan: int = 0
    n_inf: int = 0
    categories: None = None
    mean: None = None
    variance: None = None
    kurtosis: None = None
    min: None = None
    max: None = None

    @property
    def n_present(self) -> int:
        return int(self.counts.sum()) + self.n_below + self.n_above + self.n_unseen

    @property
    def n_rows(self) -> int:
        return self.n_present + self.n_null


class Columns(dict[str, Counted]):
    """A profile of such columns."""

    n_rows = 0


@dataclass(frozen=True, slots=True)
class Frozen:
    """A reference's column, and its population's mass in (below, cells, above) or (categories, unseen)."""

    column: Counted
    mass: Floats

    def window(self, rng: np.random.Generator, n_rows: int, mass: Floats | None = None) -> Counted:
        """Draw a window of its population, or of one with other masses."""
        return self.of_counts(rng.multinomial(n_rows, self.mass if mass is None else mass))

    def of_counts(self, counts: Integers, n_null: int = 0) -> Counted:
        if self.column.kind == "number":
            return Counted(
                kind="number",
                counts=counts[1:-1],
                n_below=int(counts[0]),
                n_above=int(counts[-1]),
                n_null=n_null,
                edges=self.column.edges,
            )
        return Counted(kind="category", counts=counts[:-1], n_unseen=int(counts[-1]), n_null=n_null)


@dataclass(frozen=True, slots=True)
class Numbers:
    """A population of numbers: how its values are drawn, and P(X < x)."""

    name: str
    draw: Callable[[np.random.Generator, int], Floats]
    below: Callable[[Floats], Floats]

    def freeze(self, rng: np.random.Generator, n_rows: int) -> Frozen:
        return self.freeze_values(self.draw(rng, n_rows))

    def freeze_values(self, values: Floats) -> Frozen:
        edges = np.asarray(fit_edges(values), dtype=np.float64)
        return Frozen(
            Counted(kind="number", counts=np.histogram(values, edges)[0].astype(np.int64), edges=edges),
            self.mass_between(edges),
        )

    def mass_between(self, edges: Floats) -> Floats:
        return positive(np.diff(np.r_[0.0, self.below(edges), 1.0]))


@dataclass(frozen=True, slots=True)
class Categories:
    """A population of categories with the given shares; a reference keeps those it has seen."""

    name: str
    share: Floats

    def freeze(self, rng: np.random.Generator, n_rows: int) -> Frozen:
        counts = rng.multinomial(n_rows, self.share)
        seen = np.flatnonzero(counts)
        seen = seen[np.argsort(-counts[seen], kind="stable")]
        mass = np.append(self.share[seen], np.delete(self.share, seen).sum())
        return Frozen(Counted(kind="category", counts=counts[seen]), positive(mass))


def positive(mass: Floats) -> Floats:
    """Return shares that add up to 1 and are none below 0, whatever a difference rounds to."""
    kept = np.maximum(mass, 0.0)
    return kept / kept.sum()


def zipf(n: int) -> Categories:
    share = 1.0 / np.arange(1, n + 1)
    return Categories(f"Zipf, {n:,}", share / share.sum())


NUMBERS = (
    Numbers("normal", lambda rng, n: rng.normal(size=n), ndtr),
    Numbers("lognormal", lambda rng, n: rng.lognormal(size=n), lambda x: ndtr(np.log(np.maximum(x, 1e-300)))),
    Numbers("Student t, 3", lambda rng, n: rng.standard_t(3, n), lambda x: stdtr(3, x)),
    # Two rows of five are 0, the others exponential.
    Numbers(
        "zero-inflated",
        lambda rng, n: np.maximum(rng.exponential(size=n) * (rng.random(n) < 0.6), 0.0),
        lambda x: np.where(x > 0, 1.0 - 0.6 * np.exp(-np.maximum(x, 0.0)), 0.0),
    ),
    # Whole numbers of mean 50 and deviation 10.
    Numbers(
        "rounded",
        lambda rng, n: np.rint(rng.normal(50.0, 10.0, n)),
        lambda x: ndtr((np.ceil(x) - 0.5 - 50.0) / 10.0),
    ),
)
CATEGORIES = tuple(zipf(n) for n in (5, 20, 100, 1_000))
POPULATIONS: dict[str, Any] = {each.name: each for each in (*NUMBERS, *CATEGORIES)}
