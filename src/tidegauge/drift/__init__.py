"""Drift: how far the current rows are from the reference, from counts in the reference's own cells.

Pure functions over stacked arrays `[columns, cells]`; one-dimensional arrays work too. No clock, no
randomness, no input or output; SciPy is imported when a p-value is asked for.
"""

from tidegauge.cells import coarse_cell_count, coarse_groups, coarse_starts, coarsen
from tidegauge.drift.characteristic import epps_singleton
from tidegauge.drift.circular import kuiper, kuiper_floor, kuiper_p_value
from tidegauge.drift.contingency import chi_square, cramers_v, cramers_v_floor, g_test
from tidegauge.drift.distances import (
    energy,
    energy_floor,
    ks,
    ks_floor,
    ks_p_value,
    wasserstein,
    wasserstein_floor,
)
from tidegauge.drift.divergences import (
    hellinger,
    hellinger_floor,
    jensen_shannon,
    jensen_shannon_divergence,
    jensen_shannon_divergence_floor,
    jensen_shannon_floor,
    kl,
    kl_floor,
    psi,
    psi_floor,
    psi_interval,
    total_variation,
    total_variation_floor,
)
from tidegauge.drift.extremes import l_infinity, l_infinity_floor, l_infinity_p_value
from tidegauge.drift.hypergeometric import exact_log_p_value, fisher_exact
from tidegauge.drift.intervals import Scan, cell_scan, interval_scan
from tidegauge.drift.moments import mean_change, variance_ratio, variance_ratio_floor, variance_test
from tidegauge.drift.multivariate import (
    covariance_test,
    frechet,
    frechet_floor,
    hotelling_t2,
    mixture_p_value,
    pca_reconstruction_error,
    rff_mmd,
)
from tidegauge.drift.null_laws import hellinger_p_value, jensen_shannon_p_value, kl_p_value, psi_p_value
from tidegauge.drift.omnibus import (
    COMPONENTS,
    Omnibus,
    combine_p_values,
    omnibus_of_categories,
    omnibus_of_numbers,
)
from tidegauge.drift.quadratic import anderson_darling, cramer_von_mises, energy_test, quadratic_p_value
from tidegauge.drift.ranks import mann_whitney, mann_whitney_floor
from tidegauge.drift.shares import share_change, share_p_value, two_proportion_z
from tidegauge.drift.together import Multivariate, multivariate_outcome

__all__ = [
    "COMPONENTS",
    "Multivariate",
    "Omnibus",
    "Scan",
    "anderson_darling",
    "cell_scan",
    "chi_square",
    "coarse_cell_count",
    "coarse_groups",
    "coarse_starts",
    "coarsen",
    "combine_p_values",
    "covariance_test",
    "cramer_von_mises",
    "cramers_v",
    "cramers_v_floor",
    "energy",
    "energy_floor",
    "energy_test",
    "epps_singleton",
    "exact_log_p_value",
    "fisher_exact",
    "frechet",
    "frechet_floor",
    "g_test",
    "hellinger",
    "hellinger_floor",
    "hellinger_p_value",
    "hotelling_t2",
    "interval_scan",
    "jensen_shannon",
    "jensen_shannon_divergence",
    "jensen_shannon_divergence_floor",
    "jensen_shannon_floor",
    "jensen_shannon_p_value",
    "kl",
    "kl_floor",
    "kl_p_value",
    "ks",
    "ks_floor",
    "ks_p_value",
    "kuiper",
    "kuiper_floor",
    "kuiper_p_value",
    "l_infinity",
    "l_infinity_floor",
    "l_infinity_p_value",
    "mann_whitney",
    "mann_whitney_floor",
    "mean_change",
    "mixture_p_value",
    "multivariate_outcome",
    "omnibus_of_categories",
    "omnibus_of_numbers",
    "pca_reconstruction_error",
    "psi",
    "psi_floor",
    "psi_interval",
    "psi_p_value",
    "quadratic_p_value",
    "rff_mmd",
    "share_change",
    "share_p_value",
    "total_variation",
    "total_variation_floor",
    "two_proportion_z",
    "variance_ratio",
    "variance_ratio_floor",
    "variance_test",
    "wasserstein",
    "wasserstein_floor",
]
