"""By what a reference counts how right a model is: which columns, cells and classes."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge.errors import InputWarning
from tidegauge.schema import Column, Schema
from tidegauge.score_cells import balanced_edges, score_edges

LateOutcomes = (
    _core.BinaryOutcomes | _core.ConfusionOutcomes | _core.RegressionOutcomes | _core.MulticlassOutcomes
)
Outcomes = LateOutcomes | _core.RankingOutcomes
Value = str | float | bool
Floats = npt.NDArray[np.float64]

CELLS, LIGHT_CELLS = 1_000, 100
CLASS_CELLS, LIGHT_CLASS_CELLS = 100, 20  # of the score of each class
RESIDUAL_CELLS = 200
MOST_WHOLE_CLASSES = 20  # labels that are whole numbers, and no more of them, are classes
THRESHOLD = 0.5
SAMPLED_ROWS = 1 << 20
SAMPLED_VALUES = 1 << 23  # of all columns


class LabelledRows:
    """Rows of the columns that outcomes are about, spread over all that came.

    At most SAMPLED_ROWS, and fewer where they would be more than SAMPLED_VALUES of many columns.

    None are taken for a schema without a label, or without a score or prediction that it could be of.
    """

    def __init__(self, schema: Schema) -> None:
        label = schema.with_role("label")[:1]
        judged = [*schema.with_role("score"), *schema.with_role("prediction")]
        self.names = [*label, *judged] if label and judged else []
        self._most = min(SAMPLED_ROWS, SAMPLED_VALUES // max(len(self.names), 1))
        self._stride, self._n_seen = 1, 0
        self._rows: dict[str, list[Any]] = {name: [] for name in self.names}

    def update(self, batch: _core.Batch) -> None:
        """Take every stride-th row; the stride doubles whenever there are too many."""
        if not self.names:
            return
        taken = np.arange(-self._n_seen % self._stride, batch.n_rows, self._stride, dtype=np.int64)
        self._n_seen += batch.n_rows
        there = [field[0] for field in batch.fields]
        found = [name for name in self.names if name in there]
        part = batch.select([there.index(name) for name in found]).take(taken)
        for name in self.names:
            known = name in found
            self._rows[name] += part.to_pylist(found.index(name)) if known else [None] * len(taken)
        while self.n_rows > self._most:
            self._stride *= 2
            self._rows = {name: values[::2] for name, values in self._rows.items()}

    @property
    def n_rows(self) -> int:
        """Rows taken."""
        return max(map(len, self._rows.values()), default=0)

    def of(self, name: str) -> list[Any]:
        """The values of a column, None where there is none."""
        return self._rows[name]


def chosen_outcomes(schema: Schema, rows: LabelledRows) -> list[Outcomes]:
    """Return counts of no rows for each score and prediction of a schema that has a label; else [].

    A score is counted by cells against a binary label and, where a query says which rows are ranked together,
    by what is first in it; a prediction by a matrix against classes or by its error against a number. Warns
    (InputWarning) of a label that leaves open which of these it is.
    """
    if not rows.names:
        return []
    label = schema[rows.names[0]]
    weight = next(iter(schema.with_role("weight")), "")
    seen = Counter(value for value in rows.of(label.name) if is_known(value))
    if not seen:
        warn(f"label {label.name!r} has no value in the reference, so nothing is known of how right it is")
        return []
    found: list[Outcomes] = []
    scores = [each for each in schema.values() if each.role == "score" and each.kind == "number"]
    by_class = [each for each in scores if each.of_class is not None]
    scores = [each for each in scores if each.of_class is None]
    positive, negative = sides(label, seen)
    query = next(iter(schema.with_role("query")), None)
    if query is not None and scores and label.kind in {"number", "boolean"}:
        found.append(_core.RankingOutcomes(query, scores[0].name, label.name))
    elif scores and positive is None:
        warn(
            f"label {label.name!r} has the values {sorted(map(repr, seen))[:5]}: say which of them the score "
            "is the probability of, with Schema.infer(..., positive=VALUE)"
        )
    if positive is not None:
        truth = np.array([of_side(value, positive) for value in rows.of(label.name)])
        for score in scores:
            edges = score_edges(numbers(rows.of(score.name)), truth, thresholds_of(score), CELLS)
            counts = _core.BinaryOutcomes(
                score.name, label.name, edges, positive=positive, negative=negative, weight=weight
            )
            found.append(counts)
    if by_class:
        found.append(of_classes(by_class, label, rows, seen))
    bounds: tuple[str, ...] = (*schema.with_role("lower"), *schema.with_role("upper"))
    for name in schema.with_role("prediction"):
        found.append(of_prediction(schema[name], label, rows, seen, bounds))
        bounds = ()  # of the first alone
    return found


def late_outcomes(outcomes: Sequence[Outcomes]) -> list[LateOutcomes]:
    """Return those that a label can reach after its row: a ranked list is counted whole, with its labels."""
    return [each for each in outcomes if not isinstance(each, _core.RankingOutcomes)]


def of_classes(
    scores: Sequence[Column], label: Column, rows: LabelledRows, seen: Counter[Value]
) -> _core.MulticlassOutcomes:
    """Return counts by cell of the score of each class. Warns of labels of which none is a class."""
    classes = [score.of_class for score in scores if score.of_class is not None]
    if not set(seen) & set(classes):
        warn(
            f"label {label.name!r} has the values {sorted(map(repr, seen))[:5]}, none of which is a class "
            f"with a score, as are {classes[:5]}: give the classes as the label has them"
        )
    labels = rows.of(label.name)
    edges = []
    for score, each in zip(scores, classes, strict=True):
        truth = np.array([of_side(value, each) for value in labels])
        edges.append(balanced_edges(numbers(rows.of(score.name)), truth, CLASS_CELLS))
    return _core.MulticlassOutcomes([score.name for score in scores], label.name, edges, classes)


def of_prediction(
    prediction: Column, label: Column, rows: LabelledRows, seen: Counter[Value], bounds: Sequence[str] = ()
) -> Outcomes:
    """Return counts by class, or by error where label and prediction are numbers that are no classes.

    `bounds` are the columns of the lower and the upper bound of a predicted interval, if there are such.
    """
    predicted = Counter(value for value in rows.of(prediction.name) if is_known(value))
    if prediction.kind == label.kind == "number" and not are_classes(seen, predicted):
        error = numbers(rows.of(prediction.name)) - numbers(rows.of(label.name))
        known = error[np.isfinite(error)]
        ranks = np.linspace(0.0, 1.0, RESIDUAL_CELLS - 1)
        edges = np.unique(np.quantile(known, ranks, method="inverted_cdf")) if len(known) else np.zeros(1)
        lower, upper = bounds or ("", "")
        return _core.RegressionOutcomes(prediction.name, label.name, edges + 0.0, lower=lower, upper=upper)
    ranked = [value for value, _ in (seen + predicted).most_common(_core.MAX_CLASSES)]
    classes = sorted(ranked, key=lambda value: (isinstance(value, str), value))
    return _core.ConfusionOutcomes(prediction.name, label.name, classes)


def light_outcomes(outcomes: Sequence[Outcomes], schema: Schema) -> list[Outcomes]:
    """Return the same of no rows, scores in fewer cells: some of the edges are left out."""
    found: list[Outcomes] = []
    for each in outcomes:
        if isinstance(each, _core.BinaryOutcomes):
            found.append(coarser(each, thresholds_of(schema[each.score])))
        elif isinstance(each, _core.MulticlassOutcomes):
            edges = [some_of(of_class, LIGHT_CLASS_CELLS) for of_class in each.edges]
            found.append(_core.MulticlassOutcomes(each.scores, each.label, edges, each.classes))
        else:
            found.append(each)
    return found


def some_of(edges: Floats, cells: int, kept: Sequence[float] = ()) -> Floats:
    """Return edges of at most so many cells, spread evenly over these, those of `kept` among them."""
    if len(edges) < cells:
        return edges
    even = edges[np.linspace(0, len(edges) - 1, cells - 1 - len(kept)).astype(np.int64)]
    return np.union1d(even, [edge for edge in kept if edge in edges])


def coarser(counts: _core.BinaryOutcomes, kept: Sequence[float]) -> _core.BinaryOutcomes:
    """Return counts of no rows between at most LIGHT_CELLS - 1 of the edges, those of `kept` among them."""
    if len(counts.edges) < LIGHT_CELLS:
        return counts
    some = some_of(counts.edges, LIGHT_CELLS, kept)
    return _core.BinaryOutcomes(
        counts.score,
        counts.label,
        some,
        positive=counts.positive,
        negative=counts.negative,
        weight=counts.weight,
    )


def n_labelled(counts: Outcomes) -> int:
    """Return how many rows have a label that is counted."""
    if isinstance(counts, _core.BinaryOutcomes):
        return int(counts.counts()[0][:2].sum())
    if isinstance(counts, _core.ConfusionOutcomes):
        return int(counts.counts()[:, :-1].sum())
    if isinstance(counts, _core.MulticlassOutcomes):
        return int(counts.counts()[0][:, :, :2].sum())
    if isinstance(counts, _core.RankingOutcomes):
        return counts.homes["ranked"] + counts.homes["set_aside"]
    return counts.homes["labelled"]


def sides(label: Column, seen: Counter[Value]) -> tuple[Value | None, Value | None]:
    """Return the positive and the negative value of a binary label; None, None if it is not known to be one.

    The negative is None where more than two values are there: any other is negative then.
    """
    values = set(seen)
    positive: Value | None = label.positive
    if positive is None and values <= {0, 1}:  # of numbers and of booleans
        positive = 1
    if positive is None:
        return None, None
    if values <= {0, 1} and positive in {0, 1}:
        return positive, 1 - int(positive)
    others = sorted(values - {positive}, key=repr)
    return positive, others[0] if len(others) == 1 else None


def of_side(value: Any, positive: Value) -> float:
    """Return 1 for the positive value, 0 for another, NaN for none."""
    return float(value == positive) if is_known(value) else np.nan


def are_classes(labels: Counter[Value], predictions: Counter[Value]) -> bool:
    """Tell whether numbers are names of classes: whole, few, and predicted by nothing but themselves."""
    values = set(labels) | set(predictions)
    return len(values) <= MOST_WHOLE_CLASSES and all(float(value).is_integer() for value in values)


def thresholds_of(score: Column) -> tuple[float, ...]:
    """Return from which score on a row is predicted positive."""
    return (THRESHOLD if score.threshold is None else score.threshold,)


def numbers(values: Sequence[Any]) -> npt.NDArray[np.float64]:
    """Return numbers as float64, NaN for what is none."""
    return np.array(
        [float(value) if isinstance(value, int | float) else np.nan for value in values], np.float64
    )


def is_known(value: Any) -> bool:
    """Tell whether a value is a text, a boolean or a number."""
    return isinstance(value, str | bool | int) or (isinstance(value, float) and not np.isnan(value))


def warn(message: str) -> None:
    """Warn the caller of `Reference.fit`."""
    warnings.warn(f"reference: {message}", InputWarning, stacklevel=5)
