"""The steps of an e-detector over batches of a bounded metric: plain Python that Numba compiles as it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Follow = Callable[[Floats, Floats, float, Floats, float], int]

# Bet b is best where the mean has risen by about the fraction b. A small rise is seen late and pays for a low
# weight in many rows, a large one hardly: weights fall as 1 / b.
BETS = np.array([0.1, 0.2, 0.4, 0.8, 1.6])
WEIGHTS = (1.0 / BETS) / (1.0 / BETS).sum()


def follow(evidence: Floats, batches: Floats, baseline: float, bets: Floats, limit: float) -> int:
    """Take batches until the evidence reaches `limit`; return the batch that did it, or -1.

    `batches` `[3, batches]` are the rows of each batch, and the sums of x and of x^2 over them, x in [0, 1];
    a negative sum of squares is one not known. `evidence` `[bets]` is the state, changed in place:

        M = (M + n) prod (1 + b (x - baseline)),

    Shiryaev-Roberts over every start of a batch. Of the product only lower bounds are known from the sums,
    and the larger one is taken, so that M stays below a supermartingale + rows: of log (1 + b (x - m)) the
    chord over x in [0, 1] (exact for 0 and 1), and b (x - m) + (x - m)^2 (log (1 - b m) + b m) / m^2 (Fan,
    Grama & Liu 2015; good where x varies little). O(bets) a batch.
    """
    for i in range(batches.shape[1]):
        n, total, squares = batches[0, i], batches[1, i], batches[2, i]
        if n <= 0.0:
            continue
        around = squares - 2.0 * baseline * total + n * baseline * baseline
        weighed = 0.0
        for k in range(len(bets)):
            bet = bets[k]
            up, down = math.log1p(bet * (1.0 - baseline)), math.log1p(-bet * baseline)
            growth = total * up + (n - total) * down
            if squares >= 0.0:
                curve = (down + bet * baseline) / (baseline * baseline)
                growth = max(growth, bet * (total - n * baseline) + around * curve)
            # exp overflows at 709: nothing is lost below, as every limit is far smaller.
            evidence[k] = min((evidence[k] + n) * math.exp(min(growth, 600.0)), 1e300)
            weighed += WEIGHTS[k] * evidence[k]
        if weighed >= limit:
            return i
    return -1


@cache
def compiled_follow() -> Follow:
    """Return `follow` compiled by Numba (imported here, a second or so), for long runs of small batches."""
    import numba

    compiled: Follow = numba.njit(follow)
    return compiled
