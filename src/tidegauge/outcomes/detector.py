"""Has a labelled mean (an error rate, Brier, any metric in [0, 1]) risen? Safe to ask after every batch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.evidence import BETS, WEIGHTS, follow

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """An e-detector that watches a mean for a rise above `baseline`; make one with `start_detector`.

    While the mean of every row, given those before it, is at most `baseline`, the first alarm comes after
    `average_run_length` rows on average, or later: for any distribution in [0, 1], any sizes of batches,
    looked at after each. `evidence` `[bets]` is all of its state; `n_rows` is what it has seen.
    """

    baseline: float
    average_run_length: float
    evidence: Floats
    n_rows: float

    @property
    def weight(self) -> float:
        """The evidence of a rise, in rows: an alarm at `average_run_length`. Higher is worse."""
        return float(self.evidence @ WEIGHTS)

    @property
    def alarm(self) -> bool:
        """Whether the evidence has reached `average_run_length`; start anew once it was heard."""
        return self.weight >= self.average_run_length


def start_detector(baseline: float, average_run_length: float = 30_000) -> Detector:
    """Return a detector that has seen nothing.

    `baseline` in (0, 1) is the mean that is still right: where it was measured on a reference, pass the upper
    end of its interval, or the noise of the reference is taken for a rise. To watch a metric for a fall
    (accuracy), watch 1 - x against 1 - its mean. Shin, Ramdas & Rinaldo (2022), e-detectors: E-SR with a
    mixture of bets. ValueError for a baseline outside (0, 1) or a run length outside [1, 1e15].
    """
    if not 0.0 < baseline < 1.0:
        raise ValueError(
            f"the baseline of a detector is {baseline!r}; scale the metric to [0, 1] and pass "
            "its usual mean, within (0, 1)"
        )
    if not 1.0 <= average_run_length <= 1e15:
        raise ValueError(
            f"the average run length is {average_run_length!r} rows; pass a number from 1 to 1e15"
        )
    return Detector(float(baseline), float(average_run_length), np.zeros(len(BETS)), 0.0)


def step(detector: Detector, n_rows: float, total: float, squares: float | None = None) -> Detector:
    """Return the detector after a batch of `n_rows` rows.

    Their metric sums to `total`, its squares to `squares`. Sums of workers or of windows add up before the
    step: a batch is one look, and small ones find a rise sooner. Without `squares` a metric is taken for as
    noisy as 0s and 1s of its mean. A batch without rows changes nothing. ValueError for sums that no rows in
    [0, 1] have; the detector passed is never changed.
    """
    _check(n_rows, total, squares)
    evidence = detector.evidence.copy()
    batch = np.array([[n_rows], [total], [-1.0 if squares is None else squares]], dtype=np.float64)
    follow(evidence, batch, detector.baseline, bets_for(detector.baseline), math.inf)
    return replace(detector, evidence=evidence, n_rows=detector.n_rows + n_rows)


def bets_for(baseline: float) -> Floats:
    """Return the bets, `[bets]`, kept small enough that no single row can lose all: b baseline <= 0.9."""
    return np.asarray(np.minimum(BETS, 0.9 / baseline))


def _check(n_rows: float, total: float, squares: float | None) -> None:
    if not 0.0 <= n_rows < math.inf:
        raise ValueError(f"a batch of {n_rows!r} rows; pass a finite number, not negative")
    slack = 1e-9 * max(n_rows, 1.0)  # what summing floats may cost
    if not -slack <= total <= n_rows + slack:
        raise ValueError(f"{n_rows:g} rows sum to {total!r}; scale the metric to [0, 1]")
    least = total * total / n_rows if n_rows else 0.0
    if squares is not None and not least - slack <= squares <= total + slack:
        raise ValueError(
            f"{n_rows:g} rows that sum to {total:g} have squares that sum to {squares!r}; within [0, 1] that "
            f"is from {least:g} to {total:g}"
        )
