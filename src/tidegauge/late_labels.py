"""Labels by the hashes of ids, coded as the reference's outcomes read them, and what each code means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from tidegauge import _core
from tidegauge.errors import DecodeError
from tidegauge.frames import decoded, encoded
from tidegauge.outcome_specs import LateOutcomes
from tidegauge.waiting_rows import Bytes, Coded, Hashes

NONE = np.empty(0, np.float64)


class Told(IntEnum):
    """What a label is; where several outcomes read it, the last of these counts."""

    KNOWN = 0
    NULL = 1
    UNKNOWN = 2
    MISTYPED = 3


# Codes as the engine has them (joint::Outcome, joint::Answer; of a matrix behind its classes and any other).
OF_BINARY = {2: Told.NULL, 7: Told.UNKNOWN, 8: Told.MISTYPED}
OF_REGRESSION = {1: Told.NULL, 6: Told.MISTYPED, 7: Told.UNKNOWN, 8: Told.UNKNOWN}


def meanings(outcomes: LateOutcomes) -> npt.NDArray[np.uint8]:
    """Return what each code of a label, of 256, tells."""
    if isinstance(outcomes, _core.BinaryOutcomes):
        told = OF_BINARY
    elif isinstance(outcomes, _core.RegressionOutcomes):
        told = OF_REGRESSION
    else:
        n = len(outcomes.classes)
        told = {n + 1: Told.NULL, n + 2: Told.MISTYPED}
        if isinstance(outcomes, _core.MulticlassOutcomes):
            told[n] = Told.UNKNOWN
    found = np.zeros(256, np.uint8)
    for code, meaning in told.items():
        found[code] = meaning
    return found


def told(outcomes: Sequence[LateOutcomes], states: Sequence[Coded], n: int) -> npt.NDArray[np.uint8]:
    """Return a `Told` for each of n labels."""
    found = np.zeros(n, np.uint8)
    for each, state in zip(outcomes, states, strict=True):
        found = np.maximum(found, meanings(each)[state.codes])
    return found


def unlabelled(outcomes: LateOutcomes) -> int:
    """Return the code of a row without a label."""
    return int(np.flatnonzero(meanings(outcomes) == Told.NULL)[0])


def takes_labels(outcomes: LateOutcomes, codes: Bytes) -> npt.NDArray[np.bool_]:
    """Tell which rows have a place for a label: not those whose score, weight or own label is amiss."""
    if isinstance(outcomes, _core.BinaryOutcomes):
        return codes <= 2
    if isinstance(outcomes, _core.RegressionOutcomes):
        return codes <= 1
    takes: npt.NDArray[np.bool_] = codes <= unlabelled(outcomes)
    if isinstance(outcomes, _core.MulticlassOutcomes):  # a row that lacks a score has the code behind
        takes &= codes != len(outcomes.classes)
    return takes


@dataclass(frozen=True, slots=True)
class LateLabels:
    """Labels in order of their hashes, [n, 2], and of telling; `at_ns`: when each was told.

    `stamps`: of labels that were given, which row they were given to (`WaitingRows.stamps`); else 0.
    """

    hashes: Hashes
    stamps: npt.NDArray[np.uint32]
    states: tuple[Coded, ...]
    at_ns: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.hashes)

    def take(self, rows: npt.NDArray[Any]) -> LateLabels:
        """Return some of them, by number or by truth."""
        states = tuple(each.take(rows) for each in self.states)
        return LateLabels(self.hashes[rows], self.stamps[rows], states, self.at_ns[rows])

    def ordered(self) -> LateLabels:
        """Return them in order of their hashes; those of one hash as they stand."""
        return self.take(np.lexsort((self.hashes[:, 1], self.hashes[:, 0])))

    def to_bytes(self) -> bytes:
        """Encode them."""
        columns: dict[str, npt.NDArray[Any]] = {
            "hashes": self.hashes,
            "stamps": self.stamps,
            "at_ns": self.at_ns,
        }
        for i, each in enumerate(self.states):
            columns[f"codes{i}"] = each.codes
            if len(each.others) == len(self) > 0:
                columns[f"others{i}"] = each.others
        return encoded({"states": len(self.states)}, columns)

    @classmethod
    def from_bytes(cls, data: bytes) -> LateLabels:
        """Read what `to_bytes` wrote. Raises DecodeError."""
        about, columns = decoded(data)
        try:
            states = tuple(
                Coded(NONE, columns[f"codes{i}"], columns.get(f"others{i}", NONE))
                for i in range(int(about["states"]))
            )
            found = cls(columns["hashes"], columns["stamps"], states, columns["at_ns"])
        except (KeyError, TypeError, ValueError) as error:
            raise DecodeError(f"labels: {error!r} is missing or wrong") from error
        if found.hashes.dtype != np.uint64 or found.hashes.shape[1:] != (2,):
            raise DecodeError("labels: their columns are not those of labels")
        return found


def one_after_the_other(parts: Sequence[LateLabels]) -> LateLabels:
    """Return the labels of several, at least one, as they were told."""
    states = tuple(
        Coded(
            NONE,
            np.concatenate([each.states[i].codes for each in parts]),
            np.concatenate([each.states[i].others for each in parts]),
        )
        for i in range(len(parts[0].states))
    )
    return LateLabels(
        np.concatenate([each.hashes for each in parts]),
        np.concatenate([each.stamps for each in parts]),
        states,
        np.concatenate([each.at_ns for each in parts]),
    )


def own_labels(outcomes: Sequence[LateOutcomes], states: Sequence[Coded]) -> tuple[Coded, ...]:
    """Return the labels that rows came with."""
    return tuple(
        Coded(NONE, state.codes, state.others if isinstance(each, _core.RegressionOutcomes) else NONE)
        for each, state in zip(outcomes, states, strict=True)
    )


def equal(states: Sequence[Coded], others: Sequence[Coded]) -> npt.NDArray[np.bool_]:
    """Tell which labels are the same for all outcomes."""
    same: npt.NDArray[np.bool_] | None = None
    for one, other in zip(states, others, strict=True):
        here = one.codes == other.codes
        if len(one.others):  # labels that are numbers
            here = here & (one.others == other.others)
        same = here if same is None else same & here
    assert same is not None
    return same
