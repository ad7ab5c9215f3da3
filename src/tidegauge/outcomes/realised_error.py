"""How far an estimate without labels can be trusted: what it said of rows whose labels have come since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tidegauge.outcomes.binary_counts import BinaryCounts
from tidegauge.outcomes.calibrator import Calibrator
from tidegauge.outcomes.estimated import estimate, first_predicted
from tidegauge.outcomes.sensitivities import sensitivities


@dataclass(frozen=True, slots=True)
class RealisedError:
    """A metric as estimated and as it turned out on the same labelled rows of one window; None: undefined.

    `error` is estimated - realised; `standard_error` is what was stated for it; `n_labelled` the rows.
    """

    estimated: float | None
    realised: float | None
    error: float | None
    standard_error: float | None
    n_labelled: float


@dataclass(frozen=True, slots=True)
class Trust:
    """What the estimates of past windows were worth; None where no window tells.

    `mean_absolute_error` and `bias` (mean of estimated - realised) are in the metric's unit, higher is worse;
    `coverage` is the share of windows whose truth lay within 1.96 stated standard errors: near 0.95 while the
    reference's meaning of a score holds, less when it has moved (concept drift).
    """

    mean_absolute_error: float | None
    bias: float | None
    coverage: float | None
    n_windows: int


def realised_errors(
    window: BinaryCounts | Sequence[BinaryCounts],
    calibrator: Calibrator,
    threshold: float,
    worth: npt.ArrayLike | None = None,
) -> dict[str, RealisedError]:
    """Hold the estimate of a window's labelled rows against their labels, by metric; arguments as `estimate`.

    Only labelled rows count on both sides, so that which labels have come first does not matter.
    """
    parts = [window] if isinstance(window, BinaryCounts) else list(window)
    labelled = [replace(part, unlabelled=np.zeros_like(part.unlabelled)) for part in parts]
    estimates = estimate(labelled, calibrator, threshold, worth)
    positives = np.sum([part.positives for part in parts], axis=0)
    negatives = np.sum([part.negatives for part in parts], axis=0)
    truth = sensitivities(positives, negatives, first_predicted(calibrator.edges, threshold), worth)
    return {
        name: _realised(each.value, float(truth[name].value), each.standard_error, each.n_rows)
        for name, each in estimates.items()
    }


def trust(history: Sequence[RealisedError]) -> Trust:
    """Sum up one metric's realised errors, one for each past window; windows without one have no say."""
    told = [each for each in history if each.error is not None]
    if not told:
        return Trust(None, None, None, 0)
    errors = np.array([each.error for each in told], dtype=np.float64)
    stated = np.array([each.standard_error for each in told], dtype=np.float64)
    # An error of rounding is none: where all probabilities are 0 or 1 the stated error is exactly 0.
    within = np.abs(errors) <= 1.96 * stated + 1e-12
    return Trust(float(np.abs(errors).mean()), float(errors.mean()), float(within.mean()), len(told))


def _realised(
    estimated: float | None, realised: float, standard_error: float | None, n_labelled: float
) -> RealisedError:
    truth = realised if np.isfinite(realised) else None
    error = None if estimated is None or truth is None else estimated - truth
    return RealisedError(estimated, truth, error, standard_error, n_labelled)
