"""What a profile has counted of one score or prediction, ready to be told: its state and its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge.outcome_specs import Outcomes
from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.class_scores import ClassScores, class_score_metrics, class_scores
from tidegauge.outcomes.class_scores import coarser as class_scores_between
from tidegauge.outcomes.confusion import confusion_at
from tidegauge.outcomes.metric import Metric
from tidegauge.outcomes.metric_sets import (
    Worth,
    answer_metrics,
    class_metrics,
    number_metrics,
    score_metrics,
)
from tidegauge.outcomes.ranking import RankingSums, ranking_metrics
from tidegauge.outcomes.regression import RegressionSums
from tidegauge.outcomes.states import (
    binary_counts,
    class_name,
    coarser,
    confusion_matrix,
    ranking_sums,
    regression_sums,
    told_apart,
    two_by_two,
)
from tidegauge.schema import Column, Schema

Floats = npt.NDArray[np.float64]
Task = Literal["score", "scores", "answer", "class", "number", "ranking"]

THRESHOLD = 0.5  # where the schema of a score has none


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """The outcomes of one column `column`: `task` is what it is, a score or a prediction of some kind.

    Of the scores of all classes it is the label's column: each has one of its own. Of ranked lists it is the
    query's, and rows are queries: those that were counted, and those that wait for labels.

    `n_rows` are the rows with a usable score or prediction, `n_labelled` those of them with a label.
    `n_rarer` is the least number of labelled rows of a class that has any (of two classes, of both). `state`
    are the labelled rows; of a score, `every` are all, labelled or not, `threshold` is where its answers turn
    positive, and `edge` the edge of its cells that is nearest to that. A confusion matrix `[label,
    prediction]` is in `matrix`, of a score at its threshold, with the names of its classes; `positive` is the
    place of the positive one of two. With weights, `state` and `every` count as many rows as the weights are
    worth and `matrix` shares out the labelled rows by weight; `apart` is that of `score_metrics`.
    """

    column: str
    task: Task
    n_rows: int
    n_labelled: int
    n_rarer: int
    state: BinaryCounts | RegressionSums | ClassScores | tuple[RankingSums, ...] | None = None
    every: BinaryCounts | None = None
    threshold: float = THRESHOLD
    edge: float = THRESHOLD
    matrix: Floats | None = None
    classes: tuple[str, ...] = ()
    positive: int | None = None
    apart: tuple[float, float] = (1.0, 1.0)

    def metrics(self, worth: Worth | None = None) -> dict[str, Metric]:
        """Return its metrics by name; of two classes with `worth`, the business value too."""
        if isinstance(self.state, BinaryCounts):
            found = score_metrics(self.state, self.threshold, worth, self.apart)
            return {name: replace(each, n=float(self.n_labelled)) for name, each in found.items()}
        if isinstance(self.state, RegressionSums):
            return number_metrics(self.state)
        if isinstance(self.state, ClassScores):
            return class_score_metrics(self.state)
        if isinstance(self.state, tuple):
            return {name: each for sums in self.state for name, each in ranking_metrics(sums).items()}
        assert self.matrix is not None
        if self.positive is not None:
            return answer_metrics(two_by_two(self.matrix, self.positive), worth)
        return class_metrics(self.matrix)


def all_counted(outcomes: Sequence[Outcomes], schema: Schema) -> list[Counted]:
    """Return what was counted, scores before predictions, then by name."""
    found = [counted(each, schema) for each in outcomes]
    order = ("score", "scores", "answer", "class", "number", "ranking")
    return sorted(found, key=lambda each: (order.index(each.task), each.column))


def counted(outcomes: Outcomes, schema: Schema, whole: Outcomes | None = None) -> Counted:
    """Return what was counted of a column; `schema` has the threshold of scores and which label is positive.

    `whole`: what the outcomes are a part of, whose scale of weights they take. A prediction of two classes,
    one of which the schema says is positive, is a yes-or-no answer.
    """
    if isinstance(outcomes, _core.BinaryOutcomes):
        return of_score(outcomes, schema, whole if isinstance(whole, _core.BinaryOutcomes) else outcomes)
    if isinstance(outcomes, _core.RegressionOutcomes):
        sums = regression_sums(outcomes)
        n = round(sums.errors.n)
        homes = outcomes.homes
        return Counted(outcomes.prediction, "number", homes["labelled"] + homes["unlabelled"], n, n, sums)
    if isinstance(outcomes, _core.MulticlassOutcomes):
        return of_scores(outcomes)
    if isinstance(outcomes, _core.RankingOutcomes):
        n = outcomes.queries["counted"]
        waiting = outcomes.queries["unlabelled"]
        return Counted(outcomes.query, "ranking", n + waiting, n, n, ranking_sums(outcomes))
    matrix, names = confusion_matrix(outcomes)
    label = schema.get(outcomes.label)
    positive = None if label is None else place_of(label, outcomes, names)
    if positive is not None:
        table = two_by_two(matrix, positive)
        others = [i for i in range(len(names)) if i != positive]
        matrix = np.array(
            [
                [table.true_negatives, table.false_positives],
                [table.false_negatives, table.true_positives],
            ]
        )
        names, positive = ("/".join(names[i] for i in others), names[positive]), 1
    labels = matrix.sum(axis=1)
    rarer = labels if positive is not None else labels[labels > 0]
    return Counted(
        outcomes.prediction,
        "class" if positive is None else "answer",
        round(float(outcomes.counts().sum())),
        round(float(labels.sum())),
        round(float(rarer.min(initial=np.inf))) if len(rarer) else 0,
        matrix=matrix,
        classes=names,
        positive=positive,
    )


def of_score(outcomes: _core.BinaryOutcomes, schema: Schema, whole: _core.BinaryOutcomes) -> Counted:
    """Return what was counted of a score; weights are scaled as those of `whole`."""
    rows = outcomes.counts()[0].sum(axis=1)
    column = schema.get(outcomes.score)
    threshold = THRESHOLD if column is None or column.threshold is None else column.threshold
    state = binary_counts(outcomes, labelled=True, whole=whole)
    table = confusion_at(state, threshold)
    negative = "not " + class_name(outcomes.positive)
    n_labelled = int(rows[:2].sum())
    matrix = np.array(
        [[table.true_negatives, table.false_positives], [table.false_negatives, table.true_positives]]
    )
    if table.n > 0 and outcomes.weight:
        all_of = binary_counts(whole, labelled=True)
        matrix *= whole.counts()[0][:2].sum() / (all_of.positives.sum() + all_of.negatives.sum())
    return Counted(
        outcomes.score,
        "score",
        int(rows.sum()),
        n_labelled,
        int(rows[:2].min()),
        state,
        binary_counts(outcomes, whole=whole),
        threshold,
        threshold if table.threshold is None else table.threshold,
        matrix,
        (
            negative if outcomes.negative is None else class_name(outcomes.negative),
            class_name(outcomes.positive),
        ),
        1,
        told_apart(whole),
    )


def of_scores(outcomes: _core.MulticlassOutcomes) -> Counted:
    """Return what was counted of the scores of all classes."""
    state = class_scores(outcomes)
    labels = [float(each[:, :, 1].sum()) for each in state.cells]
    return Counted(
        outcomes.label,
        "scores",
        round(float(state.cells[0].sum())),
        round(state.n_labelled),
        round(min((n for n in labels if n), default=0)),
        state,
        classes=tuple(map(class_name, outcomes.classes)),
    )


def place_of(label: Column, outcomes: _core.ConfusionOutcomes, names: Sequence[str]) -> int | None:
    """Return the place of the positive class where there are two, None where that is not so."""
    positive = label.positive
    if positive is None and set(outcomes.classes) == {0.0, 1.0}:  # of booleans too
        positive = 1
    if positive is None or len(outcomes.classes) != 2:
        return None
    name = class_name(positive if isinstance(positive, str) else float(positive))
    return names.index(name) if name in names else None


def in_cells_of(reference: Counted, current: Counted) -> Counted:
    """Return a reference's score in the coarser cells that `current` was counted in; else the same.

    ValueError where those are no cells of the reference.
    """
    if isinstance(reference.state, ClassScores) and isinstance(current.state, ClassScores):
        return replace(reference, state=class_scores_between(reference.state, current.state.edges))
    if not isinstance(reference.state, BinaryCounts) or not isinstance(current.state, BinaryCounts):
        return reference
    assert reference.every is not None
    edges = current.state.edges
    return replace(reference, state=coarser(reference.state, edges), every=coarser(reference.every, edges))
