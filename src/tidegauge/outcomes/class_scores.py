"""Metrics of a classifier that scores every class, from cells of each score, ranks and sums of losses.

Areas come from cells, with their bound; all else is exact. Of equal scores the last class counts as the
highest, as in scikit-learn's top-k accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, nan

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.discrimination import roc_auc
from tidegauge.outcomes.intervals import NO_INTERVAL, wilson
from tidegauge.outcomes.metric import Metric, measured
from tidegauge.outcomes.sums import Sums

Floats = npt.NDArray[np.float64]

_NO_ROWS = "no row has a label and a score of every class"


@dataclass(frozen=True, slots=True, eq=False)
class ClassScores:
    """Rows of a classifier by class: `edges[c]` of its score, `cells[c]` `[cells, 2, 3]` of its counts.

    Counts are by whether the score was the highest of its row (1) or not (0), and by whether the label is
    another class (0), this one (1) or none yet (2). `ranks` `[k]` counts labelled rows by the rank of their
    label's score, as far as it was counted. `log_loss` and `brier` sum the losses of labelled rows; of
    `n_improbable` others a score lies outside [0, 1].
    """

    edges: tuple[Floats, ...]
    cells: tuple[Floats, ...]
    ranks: Floats
    log_loss: Sums
    brier: Sums
    n_improbable: float = 0.0

    @property
    def n_labelled(self) -> float:
        """Rows with a label."""
        return float(self.cells[0][:, :, :2].sum())


def class_scores(outcomes: _core.MulticlassOutcomes) -> ClassScores:
    """Return what was counted of the scores of all classes."""
    cells = tuple(each.astype(np.float64) for each in outcomes.counts())
    losses = outcomes.losses()
    n = float(losses["n"])
    return ClassScores(
        tuple(outcomes.edges),
        cells,
        outcomes.ranks().astype(np.float64),
        Sums(n, losses["log_loss"], losses["log_loss_squared"]),
        Sums(n, losses["brier"], losses["brier_squared"]),
        float(cells[0][:, :, :2].sum()) - n,
    )


def coarser(counts: ClassScores, edges: Sequence[Floats]) -> ClassScores:
    """Return the same rows between fewer edges, all of which `counts` has; ValueError for others."""
    cells = []
    for own, wanted, of_class in zip(counts.edges, edges, counts.cells, strict=True):
        at = np.searchsorted(own, wanted)
        if (at == len(own)).any() or (own[np.minimum(at, len(own) - 1)] != wanted).any():
            raise ValueError("the edges to coarsen to are not all edges of the counts")
        cells.append(np.add.reduceat(of_class, np.concatenate([[0], at + 1]), axis=0))
    return replace(counts, edges=tuple(edges), cells=tuple(cells))


def one_against_the_rest(counts: ClassScores, position: int) -> BinaryCounts:
    """Return the rows of one class's score, positive where the label is that class; sums of scores are 0."""
    return _binary(counts.edges[position], counts.cells[position].sum(axis=1))


def as_answer(counts: ClassScores, position: int) -> BinaryCounts:
    """Return the rows in which one class's score is the highest, positive where that is right."""
    return _binary(counts.edges[position], counts.cells[position][:, 1])


def class_area(counts: ClassScores, position: int) -> Metric:
    """Return the area under the ROC curve of one class's score, this class against all others."""
    return roc_auc(one_against_the_rest(counts, position))


def macro_roc_auc(counts: ClassScores) -> Metric:
    """Return the mean of the areas of the classes that have a label, one against the rest."""
    labels = _labels(counts)
    return _averaged("macro_roc_auc", counts, (labels > 0).astype(np.float64))


def weighted_roc_auc(counts: ClassScores) -> Metric:
    """Return the mean of the areas of the classes, one against the rest, by their labelled rows."""
    return _averaged("weighted_roc_auc", counts, _labels(counts))


def top_k_accuracy(counts: ClassScores, k: int) -> Metric:
    """Return the share of labelled rows whose label has one of the k highest scores, with Wilson's interval.

    ValueError for a k that was not counted.
    """
    if not 1 <= k <= len(counts.ranks):
        raise ValueError(f"k is {k}; ranks up to {len(counts.ranks)} were counted")
    n = counts.n_labelled
    share = float(counts.ranks[:k].sum()) / n if n else nan
    labels = np.sort(_labels(counts))[::-1]
    return measured(
        f"top_{k}_accuracy",
        share,
        wilson(share, n),
        n=n,
        direction="lower_is_worse",
        reason=_NO_ROWS,
        constant=float(labels[:k].sum()) / n if n else nan,
    )


def log_loss(counts: ClassScores) -> Metric:
    """Return the mean of -log of the label's score, in nats; scores are kept 2^-52 away from 0 and 1.

    `constant` is the entropy of the labels.
    """
    shares = _labels(counts) / max(counts.n_labelled, 1.0)
    some = shares[shares > 0]
    return _loss("log_loss", counts, counts.log_loss, -float((some * np.log(some)).sum()))


def brier(counts: ClassScores) -> Metric:
    """Return the mean over rows of the sum over classes of (score - 1 or 0)^2, range [0, 2]."""
    shares = _labels(counts) / max(counts.n_labelled, 1.0)
    return _loss("brier", counts, counts.brier, float((shares * (1 - shares)).sum()))


def class_score_metrics(counts: ClassScores) -> dict[str, Metric]:
    """Return what is told of the scores of all classes; with all of them among the first k nothing is."""
    most = min(len(counts.ranks), len(counts.cells) - 1)
    found = [
        macro_roc_auc(counts),
        weighted_roc_auc(counts),
        *(top_k_accuracy(counts, k) for k in range(1, most + 1)),
        log_loss(counts),
        brier(counts),
    ]
    return {metric.name: metric for metric in found}


def _binary(edges: Floats, cells: Floats) -> BinaryCounts:
    nothing = np.zeros(len(cells))
    return BinaryCounts(edges, cells[:, 1], cells[:, 0], cells[:, 2], nothing, nothing)


def _labels(counts: ClassScores) -> Floats:
    """Return labelled rows by class."""
    return np.array([each[:, :, 1].sum() for each in counts.cells])


def _averaged(name: str, counts: ClassScores, weights: Floats) -> Metric:
    """Return a mean of areas, its interval of the means of their ends: as if all classes erred together."""
    n = counts.n_labelled
    areas = [class_area(counts, i) if weight > 0 else None for i, weight in enumerate(weights)]
    some = [(w, each) for w, each in zip(weights, areas, strict=True) if each is not None]
    total = sum(w for w, _ in some)

    def mean(of: str) -> float:
        parts = [(w, getattr(each, of)) for w, each in some]
        return nan if not parts or any(x is None for _, x in parts) else sum(w * x for w, x in parts) / total

    value = mean("value")
    reason = "all labels are one class" if n else _NO_ROWS
    return measured(
        name,
        value,
        (mean("low"), mean("high")) if isfinite(value) else NO_INTERVAL,
        n=n,
        direction="lower_is_worse",
        reason=reason,
        bound=mean("bound") if isfinite(value) else 0.0,
        constant=0.5,
    )


def _loss(name: str, counts: ClassScores, sums: Sums, constant: float) -> Metric:
    low, high = sums.interval
    value = sums.mean if counts.n_improbable == 0 else inf
    reason = _NO_ROWS if sums.n == 0 and not counts.n_improbable else "some scores lie outside [0, 1]"
    return measured(
        name,
        value,
        (max(low, 0.0) if isfinite(low) else nan, high),
        n=sums.n,
        direction="higher_is_worse",
        reason=reason,
        constant=constant,
    )
