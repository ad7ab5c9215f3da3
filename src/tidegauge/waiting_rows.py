"""Rows of predictions that wait for their labels: no values of features, no ids, what outcomes are made of.

A row is the hash of its id; a `stamp` that the rows of one block share, by which a prediction is told from
another one of the same id; for each of the reference's outcomes the number and the code that its state reads
(`_core.BinaryOutcomes.read`); and its segment in every dimension. So its count can be taken back and made
again with a label, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge.errors import DecodeError
from tidegauge.frames import decoded, encoded
from tidegauge.outcome_specs import LateOutcomes

EVERY = 2**64 - 1  # the limit of hashes while all rows wait
OTHER = 2**16 - 1  # the most segments of a dimension in one block

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Coded:
    """What a state reads of rows, see `_core.BinaryOutcomes.read`; of labels, without `values`.

    `values` [n], or [n, numbers of a row].
    """

    values: npt.NDArray[Any]
    codes: Bytes
    others: Floats

    def take(self, rows: npt.NDArray[Any]) -> Coded:
        """Return these rows."""
        values, others = (each[rows] if len(each) else each for each in (self.values, self.others))
        return Coded(values, self.codes[rows], others)


@dataclass(frozen=True, slots=True)
class WaitingRows:
    """Rows in order of their hashes, [n, 2]; `segments` [n, dimensions] are numbers of `keys`.

    `limit`: rows whose first half of the hash is above it are left out: of 2^64, so many wait.
    """

    hashes: Hashes
    stamps: npt.NDArray[np.uint32]
    states: tuple[Coded, ...]
    segments: npt.NDArray[np.uint16]
    keys: tuple[tuple[str, ...], ...] = ()
    limit: int = EVERY

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def size(self) -> tuple[int, int]:
        """How many they are, and of up to which hash."""
        return len(self), self.limit

    @property
    def n_bytes(self) -> int:
        """What they take, about."""
        return len(self) * bytes_of_row(self.states, len(self.keys)) + 256

    def take(self, rows: npt.NDArray[Any]) -> WaitingRows:
        """Return some rows, by number or by truth, in the order asked for."""
        states = tuple(each.take(rows) for each in self.states)
        return replace(
            self,
            hashes=self.hashes[rows],
            stamps=self.stamps[rows],
            states=states,
            segments=self.segments[rows],
        )

    def ordered(self) -> WaitingRows:
        """Return the rows in order of their hashes."""
        return self.take(np.lexsort((self.stamps, self.hashes[:, 1], self.hashes[:, 0])))

    def thinned(self, limit: int) -> WaitingRows:
        """Return the rows up to a limit: the same ones, whoever thins them."""
        if limit >= self.limit:
            return self
        return replace(self.take(self.hashes[:, 0] <= np.uint64(limit)), limit=limit)

    def to_bytes(self) -> bytes:
        """Encode them."""
        columns: dict[str, npt.NDArray[Any]] = {"hashes": self.hashes, "stamps": self.stamps}
        for i, each in enumerate(self.states):
            columns |= {f"values{i}": each.values, f"codes{i}": each.codes}
            if len(each.others) == len(self) > 0:
                columns[f"others{i}"] = each.others
        columns["segments"] = self.segments
        about = {"limit": self.limit, "keys": self.keys, "states": len(self.states)}
        return encoded(about, columns)

    @classmethod
    def from_bytes(cls, data: bytes) -> WaitingRows:
        """Read what `to_bytes` wrote. Raises DecodeError."""
        about, columns = decoded(data)
        try:
            none = np.empty(0, np.float64)
            states = tuple(
                Coded(columns[f"values{i}"], columns[f"codes{i}"], columns.get(f"others{i}", none))
                for i in range(int(about["states"]))
            )
            keys = tuple(tuple(str(key) for key in each) for each in about["keys"])
            found = cls(
                columns["hashes"], columns["stamps"], states, columns["segments"], keys, int(about["limit"])
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DecodeError(f"waiting rows: {error!r} is missing or wrong") from error
        sound = (
            found.hashes.dtype == np.uint64
            and found.hashes.shape[1:] == (2,)
            and found.stamps.dtype == np.uint32
            and found.segments.shape == (len(found), len(keys))
            and all(each.codes.dtype == np.uint8 and each.codes.ndim == 1 for each in states)
            and all(
                len(each) > int(found.segments[:, d].max(initial=0)) or not len(found)
                for d, each in enumerate(keys)
            )
        )
        if not sound:
            raise DecodeError("waiting rows: their columns are not those of waiting rows")
        return found


def bytes_of_row(states: Sequence[Coded], n_dimensions: int) -> int:
    """Return how many bytes one row takes."""
    return (
        20
        + 2 * n_dimensions
        + sum(row_bytes_of(each.values) + 1 + (8 if len(each.others) else 0) for each in states)
    )


def row_bytes_of(values: npt.NDArray[Any]) -> int:
    """Return how many bytes the values of one row take."""
    return values.itemsize * (values.shape[1] if values.ndim > 1 else 1)


def coded_rows(outcomes: Sequence[LateOutcomes], batch: _core.Batch) -> tuple[Coded, ...]:
    """Return what each of the reference's outcomes reads of a batch."""
    return tuple(coded(each, *each.read(batch)) for each in outcomes)


def coded(outcomes: LateOutcomes, values: Floats, codes: Bytes, others: Floats) -> Coded:
    """Return them as they are kept: the prediction of a matrix is a code too."""
    small = isinstance(outcomes, _core.ConfusionOutcomes)
    return Coded(values.astype(np.uint8) if small else values, codes, others)


def together(blocks: Sequence[WaitingRows]) -> WaitingRows:
    """Return the rows of blocks of one reference and of like segments, one at least, in order."""
    limit = min(each.limit for each in blocks)
    kept = [each.thinned(limit) for each in blocks]
    n_dimensions = max(len(each.keys) for each in kept)
    keys: list[dict[str, int]] = [{} for _ in range(n_dimensions)]
    segments = []
    for each in kept:
        numbers = np.zeros((len(each), n_dimensions), np.uint16)
        for d, of_dimension in enumerate(each.keys):
            new = [keys[d].setdefault(key, len(keys[d])) for key in of_dimension]
            numbers[:, d] = np.array(new, np.uint16)[each.segments[:, d]] if len(each) else 0
        segments.append(numbers)
    states = tuple(
        Coded(
            *(
                np.concatenate([getattr(each.states[i], field) for each in kept])
                for field in ("values", "codes", "others")
            )
        )
        for i in range(len(kept[0].states))
    )
    return WaitingRows(
        np.concatenate([each.hashes for each in kept]),
        np.concatenate([each.stamps for each in kept]),
        states,
        np.concatenate(segments),
        tuple(tuple(each) for each in keys),
        limit,
    ).ordered()


def pairs(some: Hashes, others: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the numbers of equal hashes, each pair once; both are in order, and may hold some twice."""
    if len(some) > len(others):
        right, left = pairs(others, some)
        return left, right
    first = np.searchsorted(others[:, 0], some[:, 0])
    there = first < len(others)
    there[there] = others[first[there], 0] == some[there, 0]
    rows = np.flatnonzero(there)
    begin = first[rows]
    n = np.searchsorted(others[:, 0], some[rows, 0], side="right") - begin
    left = np.repeat(rows, n)
    right = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + np.repeat(begin, n)
    same = others[right, 1] == some[left, 1]
    return left[same], right[same]
