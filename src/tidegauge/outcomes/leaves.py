"""Where a calibrator errs: the segments, found by a small regression tree over binned columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Leaves:
    """A tree as arrays, node 0 its root; leaves are numbered from 0 in the order of their nodes.

    `column` `[nodes]` is the column a node asks about, -1 in a leaf; `goes_left` `[nodes, bins]` sends each
    bin of it to the node `left` or else `right` `[nodes]`; `leaf` `[nodes]` is a leaf's number, -1 within.
    """

    column: Ints
    goes_left: Flags
    left: Ints
    right: Ints
    leaf: Ints

    @property
    def n_leaves(self) -> int:
        """How many leaves there are, at least 1."""
        return int((self.column < 0).sum())


def learn_leaves(
    bins: npt.ArrayLike,
    residuals: npt.ArrayLike,
    categorical: npt.ArrayLike,
    max_leaves: int = 16,
    min_rows: int | None = None,
) -> Leaves:
    """Grow a regression tree on the rows of a reference, greedily by the squares that a split explains.

    `bins` `[rows, columns]` are small non-negative integers, `residuals` `[rows]` are label - calibrated
    score, `categorical` `[columns]` says whose bins have no order: those are cut by their mean residual
    (Fisher 1958). The best split of all leaves comes next, S_l^2/n_l + S_r^2/n_r - S^2/n, as long as it
    gains, no side has fewer than `min_rows` rows (1,000, or of few rows n / 32), and there are at most
    `max_leaves`. Ties go to the first node, column and bin. O(rows x columns) for each node. ValueError for
    unlike lengths, or residuals that are not finite.
    """
    codes, residual = np.asarray(bins), np.asarray(residuals, dtype=np.float64)
    unordered = np.asarray(categorical, dtype=np.bool_)
    _check(codes, residual, unordered)
    n_bins = int(codes.max(initial=0)) + 1
    least = max(min(1_000, len(residual) // 32) if min_rows is None else min_rows, 1)
    # Splits that explain no more than rounding explain nothing.
    rounding = 1e-12 * float(residual @ residual)
    places = codes + n_bins * np.arange(codes.shape[1])  # of each bin among those of all columns
    rows_of = [np.arange(len(residual))]
    column, left, right = [-1], [-1], [-1]
    goes_left = [np.zeros(n_bins, dtype=np.bool_)]
    tables = [_tables(places, residual, n_bins)]
    best = [_best_split(*tables[0], unordered, least, rounding)]
    for _ in range(max_leaves - 1):
        node = int(np.argmax([gain for gain, _, _ in best]))
        gain, at, side = best[node]
        if not gain > 0:
            break
        rows = rows_of[node]
        chosen = side[codes[rows, at]]
        column[node], goes_left[node] = at, side
        left[node], right[node] = len(column), len(column) + 1
        best[node] = (0.0, -1, side)
        parts = rows[chosen], rows[~chosen]
        # What is in one of the two is not in the other: only the smaller one is counted.
        fewer = int(len(parts[1]) < len(parts[0]))
        counted = _tables(places[parts[fewer]], residual[parts[fewer]], n_bins)
        rest = tables[node][0] - counted[0], tables[node][1] - counted[1]
        for part, table in zip(parts, (rest, counted) if fewer else (counted, rest), strict=True):
            rows_of.append(part)
            tables.append(table)
            column.append(-1)
            left.append(-1)
            right.append(-1)
            goes_left.append(np.zeros(n_bins, dtype=np.bool_))
            best.append(_best_split(*table, unordered, least, rounding))
    ends = np.asarray(column, dtype=np.int64) < 0
    return Leaves(
        np.asarray(column, dtype=np.int64),
        np.asarray(goes_left),
        np.asarray(left, dtype=np.int64),
        np.asarray(right, dtype=np.int64),
        np.where(ends, np.cumsum(ends) - 1, -1).astype(np.int64),
    )


def pruned(leaves: Leaves, max_leaves: int) -> Leaves:
    """Return the tree as it was when it had `max_leaves` leaves; the same if it has no more."""
    n_nodes = min(2 * max_leaves - 1, len(leaves.column))
    column, left, right = (each[:n_nodes].copy() for each in (leaves.column, leaves.left, leaves.right))
    later = left >= n_nodes
    column[later] = left[later] = right[later] = -1
    ends = column < 0
    leaf = np.where(ends, np.cumsum(ends) - 1, -1).astype(np.int64)
    return Leaves(column, leaves.goes_left[:n_nodes], left, right, leaf)


def leaf_of(leaves: Leaves, bins: npt.ArrayLike) -> Ints:
    """Return the leaf of every row of `bins` `[rows, columns]`, `[rows]`; a bin never seen goes right."""
    codes = np.asarray(bins)
    node = np.zeros(len(codes), dtype=np.int64)
    inner = np.flatnonzero(leaves.column[node] >= 0)
    n_bins = leaves.goes_left.shape[1]
    while inner.size:
        at = node[inner]
        code = codes[inner, leaves.column[at]]
        known = code < n_bins
        goes_left = known & leaves.goes_left[at, np.where(known, code, 0)]
        node[inner] = np.where(goes_left, leaves.left[at], leaves.right[at])
        inner = inner[leaves.column[node[inner]] >= 0]
    return leaves.leaf[node]


def _check(codes: npt.NDArray[np.generic], residual: Floats, unordered: Flags) -> None:
    if codes.ndim != 2 or codes.dtype.kind not in "ui" or codes.shape != (len(residual), len(unordered)):
        raise ValueError(
            f"bins are {codes.dtype} of shape {codes.shape} for {len(residual)} residuals and "
            f"{len(unordered)} columns; pass integers [rows, columns]"
        )
    if codes.size and (codes.min() < 0 or codes.max() > 65_535):
        raise ValueError(f"bins run from {codes.min()} to {codes.max()}; number them from 0, up to 65,535")
    if not np.isfinite(residual).all():
        raise ValueError("residuals must be finite; leave out rows without a label or a score")


def _tables(places: Ints, residual: Floats, n_bins: int) -> tuple[Floats, Floats]:
    """Return the rows and the sum of residuals of each bin, `[columns, bins]`."""
    n_columns = places.shape[1]
    at, size = places.ravel(), n_columns * n_bins
    rows = np.bincount(at, minlength=size).astype(np.float64)
    sums = np.bincount(at, weights=np.repeat(residual, n_columns), minlength=size).astype(np.float64)
    return rows.reshape(n_columns, n_bins), sums.reshape(n_columns, n_bins)


def _best_split(
    rows: Floats, sums: Floats, unordered: Flags, min_rows: int, rounding: float
) -> tuple[float, int, Flags]:
    """Return (squares explained, column, which bins go left); the first is 0 where no split is to be had."""
    n_columns, n_bins = rows.shape
    side = np.zeros(n_bins, dtype=np.bool_)
    if n_columns == 0 or n_bins < 2:
        return 0.0, -1, side
    n, total = float(rows[0].sum()), float(sums[0].sum())
    means = np.where(rows > 0, sums / np.maximum(rows, 1.0), 0.0)
    order = np.where(unordered[:, np.newaxis], np.argsort(means, axis=1, kind="stable"), np.arange(n_bins))
    n_left = np.cumsum(np.take_along_axis(rows, order, axis=1), axis=1)[:, :-1]
    s_left = np.cumsum(np.take_along_axis(sums, order, axis=1), axis=1)[:, :-1]
    n_right, s_right = n - n_left, total - s_left
    between = s_left**2 / np.maximum(n_left, 1.0) + s_right**2 / np.maximum(n_right, 1.0)
    allowed = (n_left >= min_rows) & (n_right >= min_rows)
    gains = np.where(allowed, between - total**2 / max(n, 1.0), -np.inf)
    at, cut = divmod(int(np.argmax(gains)), n_bins - 1)
    if not gains[at, cut] > rounding:
        return 0.0, -1, side
    side[order[at, : cut + 1]] = True
    return float(gains[at, cut]), at, side
