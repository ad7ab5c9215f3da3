"""When a change began: the best estimate from the windows before an alarm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_ROUNDS = 5


def onset(expected: npt.ArrayLike, counts: npt.ArrayLike, first: int, latest: int) -> int:
    """Return the window with which a change began that lasts until the last window; at most `latest`.

    `counts` `[windows, cells]`; `expected` the shares without a change, of the same shape or `[cells]`;
    `first` a first guess, the start of the windows with the strongest evidence. The cells' change is
    estimated from the windows since the guess, shrunk by the part of it that noise explains (James & Stein
    1961); the onset is where the summed log likelihood ratio of "changed" to "unchanged" from there on is
    largest; and so again from there, a few times.
    """
    b = np.asarray(counts, dtype=np.float64)
    p = np.broadcast_to(np.asarray(expected, dtype=np.float64), b.shape)
    at = min(first, latest)
    for _ in range(_ROUNDS):
        ratio = _shrunk_ratio(p[at:], b[at:])
        with np.errstate(divide="ignore", invalid="ignore"):
            total = (p * ratio).sum(axis=1)
            gain = (b * np.log(ratio)).sum(axis=1) - b.sum(axis=1) * np.log(np.where(total > 0, total, 1.0))
        since = np.cumsum(gain[::-1])[::-1]
        found = int(np.argmax(since[: latest + 1]))
        if found == at:
            break
        at = found
    return at


def _shrunk_ratio(p: Floats, b: Floats) -> Floats:
    """Return what each cell's share is multiplied by, `[cells]`; 1 in cells without rows or expectation."""
    rows = b.sum(axis=1)
    mixed, observed = (p * rows[:, None]).sum(axis=0), b.sum(axis=0)
    usable = (mixed > 0) & (observed > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.where(usable, np.log((observed + 0.5) / (mixed + 0.5)), 0.0)
    excess = 2.0 * float((observed * log_ratio).sum())
    degrees = max(int(usable.sum()) - 1, 1)
    kept = max(1.0 - degrees / excess, 0.1) if excess > 0 else 0.1
    return np.exp(kept * log_ratio)
