"""Segments in which a score means something else, or errors are larger: a small tree, kept if it helps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge.feature_rows import MOST_COLUMNS, FeatureRows, is_asked
from tidegauge.outcome_specs import Outcomes, coarser, thresholds_of
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.calibrator import fit_calibrator
from tidegauge.outcomes.leaf_calibrator import fit_leaf_calibrator
from tidegauge.outcomes.leaf_errors import LeafErrors, sum_errors
from tidegauge.outcomes.leaves import Leaves, leaf_of, learn_leaves, pruned
from tidegauge.schema import Schema

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

CUTS = 62  # of a number, and categories told apart; one more code for any other value, one for none
LEAVES = (2, 4, 8, 16)
BLOCKS = 5
GAIN_ERRORS = 2.0  # standard errors that a gain on rows not learned from must have
MIN_LABELLED, MIN_RARER = 2_000, 100
WITHIN = 0.99  # a larger error counts as the error of this rank


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Labelled rows of a score: `codes` `[rows, columns]`, the `cell` of the score and the `label` `[rows]`.

    `unordered` `[columns]` says whose codes have no order; `edges` are those of the score's cells.
    """

    codes: Codes
    unordered: Flags
    cell: Ints
    label: Floats
    edges: Floats

    def where(self, kept: Flags) -> Labelled:
        """Return some of the rows."""
        return replace(self, codes=self.codes[kept], cell=self.cell[kept], label=self.label[kept])

    def residual(self) -> Floats:
        """Return what a tree is grown on: label - calibrated score."""
        (whole,) = self.counts(np.zeros(len(self.label), dtype=np.int64), 1)
        return self.label - fit_calibrator(whole).probabilities[self.cell]

    def loss(self, learned: Labelled, leaf_here: Ints, leaf_there: Ints, n_leaves: int) -> float:
        """Return the squared error of what the leaves of `learned` say of these rows."""
        told = fit_leaf_calibrator(learned.counts(leaf_there, n_leaves)).probabilities[leaf_here, self.cell]
        return float(((told - self.label) ** 2).sum())

    def counts(self, leaf: Ints, n_leaves: int) -> list[BinaryCounts]:
        """Return the rows of each leaf by cell and label; their scores are not summed."""
        n_cells = len(self.edges) + 1
        at, nothing = leaf * n_cells + self.cell, np.zeros(n_cells)
        shape = (n_leaves, n_cells)
        rows = np.bincount(at, minlength=n_leaves * n_cells).reshape(shape).astype(np.float64)
        found = np.bincount(at, weights=self.label, minlength=n_leaves * n_cells).reshape(shape)
        return [
            BinaryCounts(self.edges, found[k], rows[k] - found[k], nothing, nothing, nothing)
            for k in range(n_leaves)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Missed:
    """Labelled rows of a predicted number: `missed` `[rows]` is by how much; the others as in `Labelled`."""

    codes: Codes
    unordered: Flags
    missed: Floats

    def where(self, kept: Flags) -> Missed:
        """Return some of the rows."""
        return replace(self, codes=self.codes[kept], missed=self.missed[kept])

    def residual(self) -> Floats:
        """Return what a tree is grown on."""
        return self.missed - float(self.missed.mean())

    def loss(self, learned: Missed, leaf_here: Ints, leaf_there: Ints, n_leaves: int) -> float:
        """Return the squared error of the leaves' means."""
        rows = np.maximum(np.bincount(leaf_there, minlength=n_leaves), 1)
        means = np.bincount(leaf_there, weights=learned.missed, minlength=n_leaves) / rows
        return float(((self.missed - means[leaf_here]) ** 2).sum())


Rows = TypeVar("Rows", Labelled, Missed)


def chosen_leaves(
    schema: Schema, specs: Iterable[_core.ColumnSpec], rows: FeatureRows, outcomes: Sequence[Outcomes]
) -> _core.LeafOutcomes | None:
    """Return counts by leaf of no rows, None where a tree would not help.

    The tree of 2, 4, 8 or 16 leaves is grown on label - calibrated score, or on |prediction - label|
    (`learn_leaves`). How many is asked of blocks of the rows, in their order: with what the leaves of the
    other four mean, each of five is predicted. The size with the least squared error is taken, if its gain
    over no tree is 2 standard errors, by how blocks differ. It takes 2,000 labelled rows, of a score 100 of
    the rarer class.
    """
    judged = next((each for each in outcomes if judged_by(each) in rows.names), None)
    if not rows.n_rows:
        return None
    if isinstance(judged, _core.BinaryOutcomes):
        counts = coarser(judged, thresholds_of(schema[judged.score]))
        columns = leaf_columns(specs, schema)
        score, label = rows.scored(counts)
        known = (label < 2) & np.isfinite(score)
        truth = label[known].astype(np.float64)
        if not columns or min(truth.sum(), (1 - truth).sum()) < MIN_RARER:
            return None
        cell = np.searchsorted(counts.edges, score[known], side="right")
        given = Labelled(rows.codes(columns)[known], unordered(columns), cell, truth, counts.edges)
        return tree_that_helps(given, columns, counts)
    if isinstance(judged, _core.RegressionOutcomes):
        columns = leaf_columns(specs, schema, judged.prediction)
        missed = np.abs(rows.errors(judged))
        known = np.isfinite(missed)
        if not columns or not known.any():
            return None
        # A few errors far out would take all leaves for themselves.
        missed = np.minimum(missed[known], np.quantile(missed[known], WITHIN))
        far = Missed(rows.codes(columns)[known], unordered(columns), missed)
        return tree_that_helps(far, columns, judged)
    return None


def tree_that_helps(
    rows: Rows,
    columns: Sequence[_core.LeafColumn],
    counts: _core.BinaryOutcomes | _core.RegressionOutcomes,
) -> _core.LeafOutcomes | None:
    """Return counts by leaf of no rows, None for too few rows or where no tree helps surely."""
    if len(rows.codes) < MIN_LABELLED:
        return None
    n_leaves = leaves_that_help(rows)
    if n_leaves < 2:
        return None
    tree = grown(rows, n_leaves)
    if tree.n_leaves < 2:
        return None
    return _core.LeafOutcomes(counts, *native(with_unseen(tree, rows.codes, columns), columns))


def leaf_errors(
    leaves: _core.LeafOutcomes | None, rows: FeatureRows, outcomes: Sequence[Outcomes]
) -> LeafErrors | None:
    """Return the errors of the labelled rows by leaf, where these are of a predicted number."""
    for each in outcomes:
        if isinstance(each, _core.RegressionOutcomes) and leaves and leaves.column == each.prediction:
            error = rows.errors(each)
            known = np.isfinite(error)
            return sum_errors(error[known], rows.leaf(leaves)[known], leaves.n_leaves)
    return None


def judged_by(outcomes: Outcomes) -> str | None:
    """Return the score or the predicted number, None for what is neither."""
    if isinstance(outcomes, _core.BinaryOutcomes):
        return outcomes.score
    return outcomes.prediction if isinstance(outcomes, _core.RegressionOutcomes) else None


def unordered(columns: Sequence[_core.LeafColumn]) -> Flags:
    """Tell whose codes have no order, `[columns]`."""
    return np.array([column.kind != "number" for column in columns])


def leaf_columns(
    specs: Iterable[_core.ColumnSpec], schema: Schema, prediction: str = ""
) -> list[_core.LeafColumn]:
    """Return the columns that a tree may ask for, a predicted number among them."""
    asked = [spec for spec in specs if is_asked(schema[spec.name]) or spec.name == prediction]
    found = [column for spec in asked if (column := leaf_column(spec)) is not None]
    return found[:MOST_COLUMNS]


def leaf_column(spec: _core.ColumnSpec) -> _core.LeafColumn | None:
    """Return a column as a tree asks for it, by some of its edges or categories; None if it has none."""
    if spec.kind == "boolean":
        return _core.LeafColumn(spec.name, "boolean")
    if spec.kind == "number" and spec.edges is not None and len(spec.edges):
        edges = np.unique(spec.edges.astype(np.float64)) + 0.0
        some = np.unique(np.linspace(0, len(edges) - 1, min(CUTS, len(edges))).astype(np.int64))
        return _core.LeafColumn(spec.name, "number", cuts=edges[some])
    hashes = spec.category_hashes
    if spec.kind == "category" and hashes is not None and len(hashes):
        return _core.LeafColumn(spec.name, "category", hashes=hashes[:CUTS])
    return None


def leaves_that_help(rows: Rows) -> int:
    """Return how many leaves predict rows best that they were not learned from; 1 where none does surely."""
    n = len(rows.codes)
    gains = np.array([gains_on(rows, np.arange(n) * BLOCKS // n == k) for k in range(BLOCKS)])
    best = int(np.argmax(gains.sum(axis=0)))
    gain = gains[:, best]
    error = gain.std(ddof=1) * np.sqrt(BLOCKS)  # of their sum
    return LEAVES[best] if gain.sum() > GAIN_ERRORS * error else 1


def gains_on(rows: Rows, held: Flags) -> list[float]:
    """Return by how much the squared error of the `held` rows falls, for each number of leaves."""
    learned, left_out = rows.where(~held), rows.where(held)
    largest = grown(learned, LEAVES[-1])

    def loss(most: int) -> float:
        tree = pruned(largest, most)
        here, there = leaf_of(tree, left_out.codes), leaf_of(tree, learned.codes)
        return left_out.loss(learned, here, there, tree.n_leaves)

    whole = loss(1)
    return [whole - loss(most) for most in LEAVES]


def grown(rows: Rows, most: int) -> Leaves:
    """Grow a tree on what one answer for all leaves over."""
    return learn_leaves(rows.codes, rows.residual(), rows.unordered, most)


def with_unseen(tree: Leaves, codes: Codes, columns: Sequence[_core.LeafColumn]) -> Leaves:
    """Send what a node never saw to its larger side: a missing value, and a category or boolean.

    A number that it never saw lies between others, which have a side. `goes_left` becomes as wide as the
    column with most codes.
    """
    n_codes = max(column.n_codes for column in columns)
    goes_left = np.zeros((len(tree.column), n_codes), dtype=np.bool_)
    goes_left[:, : tree.goes_left.shape[1]] = tree.goes_left
    rows = {0: np.arange(len(codes))}
    for node in np.flatnonzero(tree.column >= 0).tolist():
        at = int(tree.column[node])
        code = codes[rows[node], at]
        chosen = goes_left[node, code]
        rows[int(tree.left[node])], rows[int(tree.right[node])] = rows[node][chosen], rows[node][~chosen]
        unseen = np.bincount(code, minlength=n_codes) == 0
        if columns[at].kind == "number":
            unseen[: columns[at].n_codes - 1] = False
        goes_left[node, unseen] = 2 * chosen.sum() > len(code)
    return Leaves(tree.column, goes_left, tree.left, tree.right, tree.leaf)


def native(
    tree: Leaves, columns: Sequence[_core.LeafColumn]
) -> tuple[list[_core.LeafColumn], list[tuple[int, Codes, int, int]]]:
    """Return the columns that a tree asks for, with the cuts and categories it tells apart, and nodes."""
    used = list(dict.fromkeys(tree.column[tree.column >= 0].tolist()))
    kept = []
    codes_of: dict[int, npt.NDArray[np.int64]] = {}  # of a column, those that stand for all its codes
    for at in used:
        column = columns[at]
        tables = tree.goes_left[tree.column == at, : column.n_codes]
        if column.kind == "boolean":
            codes_of[at] = np.arange(3)
            kept.append(column)
            continue
        last = column.n_codes - 2  # numbers beyond all cuts, or any other category
        if column.kind == "number":
            told = np.flatnonzero((tables[:, 1 : last + 1] != tables[:, :last]).any(axis=0))
            told = told if len(told) else np.zeros(1, dtype=np.int64)  # there or missing: any cut will do
            kept.append(_core.LeafColumn(column.name, "number", cuts=column.cuts[told]))
        else:
            told = np.flatnonzero((tables[:, :last] != tables[:, last : last + 1]).any(axis=0))
            kept.append(_core.LeafColumn(column.name, "category", hashes=column.hashes[told]))
        codes_of[at] = np.concatenate([told, [last, last + 1]])
    nodes: list[tuple[int, Codes, int, int]] = []
    for node, at in enumerate(tree.column.tolist()):
        if at < 0:
            nodes.append((-1, np.empty(0, dtype=np.uint8), 0, 0))
            continue
        sides = tree.goes_left[node, codes_of[at]].astype(np.uint8)
        nodes.append((used.index(at), sides, int(tree.left[node]), int(tree.right[node])))
    return kept, nodes
