"""Many tests, one budget: which of a family of p to believe."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def benjamini_hochberg(p: npt.ArrayLike, level: float) -> tuple[Flags, float]:
    """Return (which are rejected, the largest p that would be), `[tests]` and a number.

    The k smallest of F p are rejected, k the largest with p_(k) <= level k / F; Benjamini & Hochberg (1995).
    Under "nothing changed anywhere" the chance that anything is rejected is at most `level` for independent
    and positively dependent p (Simes), so `level` is the number of false incidents to expect; where some did
    change, it bounds the expected share of false ones among those rejected. NaN are no members of the family.
    """
    each = np.asarray(p, dtype=np.float64)
    known = each[~np.isnan(each)]
    if not len(known):
        return np.zeros(each.shape, dtype=np.bool_), 0.0
    limits = level * np.arange(1, len(known) + 1) / len(known)
    passed = np.flatnonzero(np.sort(known) <= limits)
    limit = float(limits[passed[-1]]) if len(passed) else float(limits[0])
    return np.asarray(each <= limit), limit
