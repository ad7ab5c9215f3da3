"""What a score means in each segment: a calibrator a leaf, leaning on the whole where a leaf is small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tidegauge.isotonic import isotonic
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.calibrator import Calibrator, fit_calibrator, pools_of

Floats = npt.NDArray[np.float64]

# From how many labelled rows a leaf's own curve beats an offset, and the rows that the whole counts for
# against a leaf's own offset: both measured on census and housing data (benchmarks/outcomes/cbpe.py).
ENOUGH_FOR_A_CURVE = 1_000
ROWS_OF_THE_WHOLE = 200
UNLIKE_SHARE = 10.0


def fit_leaf_calibrator(reference: Sequence[BinaryCounts]) -> Calibrator:
    """Learn P(label is 1) by leaf and cell, `[leaves, cells]`, from the labelled rows of each leaf's counts.

    A leaf of at least 1,000 labelled rows has its own isotonic curve over the pools of the whole reference's.
    A smaller one has the whole's curve, shifted on the logit scale by the offset that makes its expected
    positives equal its own, shrunk by n / (n + 200). Then all leaves are shifted, pool by pool of the whole,
    so that at the reference's own mix they expect together what the whole does: monotone curves of leaves in
    which a score means little, or the opposite, would not. ValueError for no leaf, or leaves over unlike
    edges.
    """
    if not reference:
        raise ValueError("no leaf's counts to calibrate on; pass the counts of at least one leaf")
    whole = fit_calibrator(_sum(reference))
    curves: list[Floats] = []
    pools: list[npt.NDArray[np.int64]] = []
    weights: list[Floats] = []
    for leaf in reference:
        labelled = leaf.positives + leaf.negatives
        if labelled.sum() >= ENOUGH_FOR_A_CURVE:
            curve = _own_curve(leaf.positives, labelled, whole.pools)
            pool = pools_of(curve)
            weight = np.maximum(np.bincount(pool, weights=labelled), 1.0)
        else:
            curve = _shifted(whole.probabilities, leaf.positives, labelled)
            pool = np.zeros(len(curve), dtype=np.int64)
            weight = np.array([labelled.sum() + ROWS_OF_THE_WHOLE])
        pools.append(pool + sum(len(each) for each in weights))
        curves.append(curve)
        weights.append(weight)
    agreed = np.array(curves) if len(curves) == 1 else _agreed(np.array(curves), reference, whole.pools)
    return Calibrator(whole.edges, agreed, np.array(pools), np.concatenate(weights))


def unsupported_leaves(
    reference: Sequence[BinaryCounts], window: Sequence[BinaryCounts]
) -> npt.NDArray[np.bool_]:
    """Say of each leaf, `[leaves]`, whether its share of the window's rows is over 10 times the reference's.

    Estimates of such a window rest on few of the reference's rows: unreliable. ValueError for unlike numbers.
    """
    if len(reference) != len(window):
        raise ValueError(
            f"{len(window)} leaves of a window, {len(reference)} of the reference; pass one for one"
        )
    before, now = (np.array([_rows(leaf) for leaf in side]) for side in (reference, window))
    return far_more(before, now)


def far_more(before: npt.NDArray[np.float64], now: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Say of each leaf, `[leaves]`, whether its share of the rows is over 10 times that of `before`."""
    return np.asarray(now * before.sum() > UNLIKE_SHARE * before * now.sum())


def _rows(counts: BinaryCounts) -> float:
    return float(counts.positives.sum() + counts.negatives.sum() + counts.unlabelled.sum())


def _sum(parts: Sequence[BinaryCounts]) -> BinaryCounts:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _own_curve(positives: Floats, labelled: Floats, pools: npt.NDArray[np.int64]) -> Floats:
    found, rows = np.bincount(pools, weights=positives), np.bincount(pools, weights=labelled)
    return isotonic(found / np.where(rows > 0, rows, 1.0), rows)[pools]


def _shifted(probabilities: Floats, positives: Floats, labelled: Floats) -> Floats:
    n = float(labelled.sum())
    open_cells = (probabilities > 0) & (probabilities < 1)
    offset = _offset(probabilities[open_cells], labelled[open_cells], positives[open_cells].sum())
    shrunk = offset * n / (n + ROWS_OF_THE_WHOLE)
    return _moved(probabilities, shrunk)


def _agreed(curves: Floats, reference: Sequence[BinaryCounts], pools: npt.NDArray[np.int64]) -> Floats:
    """Shift curves `[leaves, cells]` on the logit scale so that each pool expects the positives it has."""
    labelled = np.array([leaf.positives + leaf.negatives for leaf in reference])
    found = np.bincount(pools, weights=np.sum([leaf.positives for leaf in reference], axis=0))
    low, high = np.full(len(found), -10.0), np.full(len(found), 10.0)
    for _ in range(60):
        middle = (low + high) / 2.0
        expected = np.bincount(pools, weights=(labelled * _moved(curves, middle[pools])).sum(axis=0))
        few = expected < found
        low, high = np.where(few, middle, low), np.where(few, high, middle)
    known = np.bincount(pools, weights=labelled.sum(axis=0)) > 0
    return _moved(curves, np.where(known, (low + high) / 2.0, 0.0)[pools])


def _moved(p: Floats, offset: float | Floats) -> Floats:
    """Add an offset to p on the logit scale: p e^o / (1 - p + p e^o); 0 and 1 stay."""
    odds = np.exp(offset)
    return np.asarray(p * odds / (1.0 - p + p * odds))


def _offset(p: Floats, rows: Floats, found: float) -> float:
    """Return o with sum rows x moved(p, o) = found, by bisection within +-10; 0 where no row tells."""
    if not rows.sum() > 0:
        return 0.0
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2.0
        if float(rows @ _moved(p, middle)) < found:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0
