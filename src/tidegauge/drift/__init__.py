"""Drift: how far the current rows are from the reference, from counts in the reference's own cells.

Pure functions over stacked arrays `[columns, cells]`; one-dimensional arrays work too. No clock, no
randomness, no input or output; SciPy is imported when a p-value is asked for.
"""

from tidegauge.drift.cells import coarse_cell_count, coarse_groups, coarse_starts, coarsen
from tidegauge.drift.contingency import chi_square
from tidegauge.drift.distances import ks, ks_floor, ks_p_value, wasserstein
from tidegauge.drift.divergences import (
    hellinger,
    hellinger_floor,
    jensen_shannon,
    jensen_shannon_floor,
    psi,
    psi_floor,
    psi_interval,
    total_variation,
    total_variation_floor,
)
from tidegauge.drift.moments import mean_change, variance_ratio
from tidegauge.drift.shares import share_change, share_p_value

__all__ = [
    "chi_square",
    "coarse_cell_count",
    "coarse_groups",
    "coarse_starts",
    "coarsen",
    "hellinger",
    "hellinger_floor",
    "jensen_shannon",
    "jensen_shannon_floor",
    "ks",
    "ks_floor",
    "ks_p_value",
    "mean_change",
    "psi",
    "psi_floor",
    "psi_interval",
    "share_change",
    "share_p_value",
    "total_variation",
    "total_variation_floor",
    "variance_ratio",
    "wasserstein",
]
