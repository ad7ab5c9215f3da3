"""The p of every f-divergence by one law: near no change all of them are multiples of Pearson's chi-square.

PSI = 2 KL = 8 JSD = 8 H^2 to second order (JSD in nats, H the Hellinger distance), and N PSI with N = nm / (n
+ m) is chi-square with B - 1 degrees of freedom, B the cells that are not empty on both sides. Good where
about 10 rows and more are expected in every cell of the smaller sample (sizes are measured in the tests). All
take counts `[..., cells]` of both samples and return p `[...]`; 1 for a single cell, NaN where a side has no
rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidegauge.drift import divergences

Floats = npt.NDArray[np.float64]


def psi_p_value(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return the p of `psi`: the chi-square tail of N PSI."""
    return _p_value(divergences.psi(reference, current), reference, current)


def kl_p_value(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return the p of `kl`: the chi-square tail of 2N KL."""
    return _p_value(2.0 * divergences.kl(reference, current), reference, current)


def jensen_shannon_p_value(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return the p of `jensen_shannon` and its square in bits: the chi-square tail of 8 ln 2 N JSD."""
    divergence = divergences.jensen_shannon_divergence(reference, current)
    return _p_value(8.0 * np.log(2.0) * divergence, reference, current)


def hellinger_p_value(reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    """Return the p of `hellinger`: the chi-square tail of 8N H^2."""
    return _p_value(8.0 * divergences.hellinger(reference, current) ** 2, reference, current)


def _p_value(psi_equivalent: Floats, reference: npt.ArrayLike, current: npt.ArrayLike) -> Floats:
    from scipy.special import chdtrc

    a, b = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    n, m = a.sum(axis=-1), b.sum(axis=-1)
    degrees = np.maximum(((a + b) > 0).sum(axis=-1) - 1, 0).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = chdtrc(np.maximum(degrees, 1.0), n * m / (n + m) * psi_equivalent)
    return np.where((n > 0) & (m > 0), np.where(degrees > 0, p, 1.0), np.nan)
