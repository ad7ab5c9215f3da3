"""Rows of a reference that trees are grown on: what they may ask for, what is judged, and its label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge.schema import Column, Schema

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint8]

SAMPLED_ROWS = 1 << 16
MOST_COLUMNS = 64


class FeatureRows:
    """Rows of the columns that a tree could ask for, of what is judged and of the label, spread over all.

    What is judged is the first score, without one the first prediction that is a number. At most
    SAMPLED_ROWS. None are taken for a schema without these, or with a weight: counts by leaf have none.
    """

    def __init__(self, schema: Schema) -> None:
        label = schema.with_role("label")[:1]
        numbers = [name for name in schema.with_role("prediction") if schema[name].kind == "number"]
        judged = (schema.with_role("score") or tuple(numbers))[:1]
        counted = bool(label and judged) and not schema.with_role("weight")
        features = [column.name for column in schema.values() if is_asked(column)][:MOST_COLUMNS]
        self.names = list(dict.fromkeys([*features, *judged, *label])) if counted else []
        self._stride, self._n_seen = 1, 0
        self._parts: list[tuple[int, _core.Batch]] = []  # the number of the first row of each

    def update(self, batch: _core.Batch) -> None:
        """Take every stride-th row; the stride doubles whenever there would be too many."""
        if not self.names:
            return
        while -(-(self._n_seen + batch.n_rows) // self._stride) > SAMPLED_ROWS:
            self._stride *= 2
            self._parts = [part for each in self._parts if (part := self._thinned(*each))[1].n_rows]
        first = -self._n_seen % self._stride
        taken = np.arange(first, batch.n_rows, self._stride, dtype=np.int64)
        there = [field[0] for field in batch.fields]
        places = [there.index(name) for name in self.names if name in there]
        if len(taken):
            self._parts.append((self._n_seen + first, batch.select(places).take(taken)))
        self._n_seen += batch.n_rows

    def _thinned(self, first: int, part: _core.Batch) -> tuple[int, _core.Batch]:
        """Keep the rows whose number is a multiple of the new stride: every other one."""
        skipped = int(first % self._stride != 0)
        kept = np.arange(skipped, part.n_rows, 2, dtype=np.int64)
        return first + skipped * self._stride // 2, part.take(kept)

    @property
    def n_rows(self) -> int:
        """Rows taken."""
        return sum(part.n_rows for _, part in self._parts)

    def codes(self, columns: Sequence[_core.LeafColumn]) -> Codes:
        """The code of each row in each column, `[rows, columns]`."""
        found = [np.stack([each.read(part) for each in columns], axis=1) for _, part in self._parts]
        return np.concatenate(found) if found else np.empty((0, len(columns)), dtype=np.uint8)

    def leaf(self, leaves: _core.LeafOutcomes) -> Codes:
        """The leaf of each row."""
        return np.concatenate([leaves.leaf_of(part) for _, part in self._parts])

    def scored(self, outcomes: _core.BinaryOutcomes) -> tuple[Floats, Codes]:
        """The score of each row and what became of it: 0 and 1 are labels, above them it is not counted."""
        scores, labels, _ = self._read(outcomes)
        return scores, labels.astype(np.uint8)

    def errors(self, outcomes: _core.RegressionOutcomes) -> Floats:
        """Prediction - label of each row, NaN where one of them is not there."""
        predictions, answers, labels = self._read(outcomes)
        first = predictions.reshape(len(answers), -1)[:, 0]  # of each row's numbers
        return np.where(answers == 0, first - labels, np.nan)

    def _read(self, outcomes: _core.BinaryOutcomes | _core.RegressionOutcomes) -> tuple[Floats, ...]:
        found = [outcomes.read(part) for _, part in self._parts]
        return tuple(np.concatenate(each) for each in zip(*found, strict=True))


def is_asked(column: Column) -> bool:
    """Tell whether a tree may ask for a column: a feature or segment that is judged, of few codes."""
    asked = column.role in {"feature", "segment"} and column.judge
    return asked and column.kind in {"number", "boolean", "category"}
