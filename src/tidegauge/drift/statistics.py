"""Every drift statistic of a stack of columns at once: arrays in, arrays out, nothing judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegauge.drift import (
    characteristic,
    circular,
    contingency,
    distances,
    divergences,
    extremes,
    moments,
    null_laws,
    quadratic,
    ranks,
    shares,
)
from tidegauge.drift.baseline import Baseline
from tidegauge.drift.columns import Stack
from tidegauge.drift.evidence import SCAN, Evidence
from tidegauge.drift.hypergeometric import exact_log_p_value
from tidegauge.drift.omnibus import combine_p_values
from tidegauge.homes import HOMES, INFINITE
from tidegauge.measurement import Direction

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic of every column, `[columns]` each; NaN where undefined, None where there is none.

    `low` and `high` are a 95 % interval, `p` is for "nothing changed", `floor` the value to expect when
    nothing did. `sizes` are the rows of each side that it is about, where those are not the present values.
    """

    value: Floats
    low: Floats | None = None
    high: Floats | None = None
    p: Floats | None = None
    floor: Floats | None = None
    direction: Direction = "higher_is_worse"
    sizes: tuple[Integers, Integers] | None = None


def statistics_of(stack: Stack, found: Evidence) -> dict[str, Statistic]:
    """Compute all statistics by name, in the order in which a reader wants them.

    Formulas, sources and units are with the functions called. Divergences are of the coarse cells, tests of
    ordered values of the fine ones.
    """
    told = {"psi": psi_of(found)}
    told |= _shares(stack)
    if stack.baseline is not None:
        told["history_rank"] = _history_rank(stack.baseline, found)
    told["interval_change"] = _interval_change(found)
    told |= _divergences(found)
    if stack.ordered:
        told |= _ordered(stack, found)
    else:
        told["cramers_v"] = Statistic(
            contingency.cramers_v(*found.coarse),
            p=contingency.chi_square(*found.coarse)[2],
            floor=contingency.cramers_v_floor(*found.coarse),
        )
    # Of numbers, whose cells are arbitrary, the largest change is told of the coarse ones.
    told["l_infinity"] = _l_infinity(
        *(found.coarse if stack.ordered else (stack.reference.cells, stack.current.cells))
    )
    return told


def effect(found: Evidence) -> tuple[Floats, Floats, Floats]:
    """Return (d, low, high) `[columns]`: the PSI, bias-corrected, as the shift of a mean that has as much.

    d = sqrt(PSI) is the shift of a normal variable's mean in its standard deviations; 95 % interval.
    """
    told = psi_of(found)
    low, high = told.low, told.high
    assert low is not None
    assert high is not None
    d, low, high = (np.sqrt(each) for each in (told.value, low, high))
    return d, low, high


def psi_of(found: Evidence) -> Statistic:
    """Return the PSI of the coarse cells, bias-corrected, at least 0; nats."""
    numbers = divergences.psi_interval(*found.coarse, found.dispersion)
    value, low, high = (np.maximum(each, 0.0) for each in numbers)
    p = null_laws.psi_p_value(*found.coarse) if (found.dispersion == 1.0).all() else None
    floor = divergences.psi_floor(*found.coarse) * found.dispersion
    # The estimate has the floor taken off, so 0 is what to expect of it.
    return Statistic(
        value, low, high, found.parts[:, 1] if p is None else p, np.where(np.isnan(floor), np.nan, 0.0)
    )


def _shares(stack: Stack) -> dict[str, Statistic]:
    told = {}
    all_hits, all_exposed = stack.reference_homes
    for home in range(len(HOMES)):
        if home == INFINITE and not stack.ordered:
            continue
        hits, exposed = all_hits[:, home], all_exposed[:, home]
        now = stack.current.hits[:, home], stack.current.exposed[:, home]
        own = stack.outside_factor if HOMES[home] == "outside" else 1.0
        value, low, high = shares.share_change(hits / own, exposed / own, *now)
        p = np.where((exposed > 0) & (now[1] > 0), 1.0, np.nan)
        some = hits + now[0] > 0
        whole = np.floor(hits / own)[some], np.floor(exposed / own)[some]
        p[some] = np.exp(exact_log_p_value(*whole, *(each[some] for each in now)))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = hits / exposed
        told[f"{home_name(home, ordered=stack.ordered)}_share_change"] = Statistic(
            value, low, high, p, share, sizes=(exposed, now[1])
        )
    return told


def home_name(home: int, *, ordered: bool) -> str:
    """Return a home's name in measurements: "outside" is "out_of_range" or, of categories, "unseen"."""
    if HOMES[home] == "outside":
        return "out_of_range" if ordered else "unseen"
    return HOMES[home]


def _interval_change(found: Evidence) -> Statistic:
    """Return the change of share of the interval of cells (or category) that changed most beyond chance."""
    from scipy.special import ndtri

    before, after = found.sides
    n, m = before.sum(axis=1), after.sum(axis=1)
    a, b = (rows_in(side, found.scanned.start, found.scanned.stop) for side in found.sides)
    looked = np.maximum(((before + after) > 0).sum(axis=1), 1)
    f = found.dispersion
    value, low, high = shares.share_change(a / f, n / f, b / f, m / f, z=-ndtri(0.025 / looked))
    with np.errstate(divide="ignore", invalid="ignore"):
        return Statistic(value, low, high, found.scanned.p, a / n, direction="neutral")


def _history_rank(baseline: Baseline, found: Evidence) -> Statistic:
    """Return how many of the reference's own blocks were as strange: (1 + those that were) / (blocks + 1).

    By the omnibus p of their present values, each block against all. A p that assumes nothing but that the
    window is one like the others, and cannot be below 1 / (blocks + 1); the lower, the stranger.
    """
    values = combine_p_values(found.parts[:, : SCAN + 1])
    rank = np.array(
        [
            np.nan if tail is None or np.isnan(p) else (1 + (tail.p <= p).sum()) / (len(tail.p) + 1)
            for p, tail in zip(values, baseline.tails, strict=True)
        ]
    )
    return Statistic(rank, p=rank, direction="lower_is_worse")


def rows_in(cells: Integers, start: Integers, stop: Integers) -> Integers:
    """Return the rows in cells [start, stop) of each column."""
    through = np.concatenate([np.zeros((len(cells), 1), np.int64), np.cumsum(cells, axis=1)], axis=1)
    rows = np.arange(len(cells))
    return np.asarray(through[rows, stop] - through[rows, start])


def _divergences(found: Evidence) -> dict[str, Statistic]:
    a, b = found.coarse
    of_kl, of_js, of_h = (
        law(a, b)
        for law in (null_laws.kl_p_value, null_laws.jensen_shannon_p_value, null_laws.hellinger_p_value)
    )
    statistic, degrees, p = contingency.chi_square(a, b)
    g, _, of_g = contingency.g_test(a, b)
    return {
        "kl": Statistic(divergences.kl(a, b), p=of_kl, floor=divergences.kl_floor(a, b)),
        "jensen_shannon": Statistic(
            divergences.jensen_shannon(a, b), p=of_js, floor=divergences.jensen_shannon_floor(a, b)
        ),
        "hellinger": Statistic(divergences.hellinger(a, b), p=of_h, floor=divergences.hellinger_floor(a, b)),
        "total_variation": Statistic(
            divergences.total_variation(a, b), floor=divergences.total_variation_floor(a, b)
        ),
        "chi_square": Statistic(statistic, p=p, floor=np.where(np.isnan(statistic), np.nan, degrees)),
        "g_test": Statistic(g, p=of_g, floor=np.where(np.isnan(g), np.nan, degrees)),
    }


def _ordered(stack: Stack, found: Evidence) -> dict[str, Statistic]:
    before, after = stack.reference, stack.current
    a, b, edges = before.cells, after.cells, stack.edges
    assert edges is not None
    n, m = before.present, after.present
    ends = ((before.low, before.high), (after.low, after.high))
    sd = np.sqrt(np.where(before.variance > 0, before.variance, np.nan))
    d, v = distances.ks(a, b), circular.kuiper(a, b)
    anderson, cramer, energy = quadratic.ordered_tests(a, b, edges, found.darling)
    greater, of_greater = ranks.mann_whitney(a, b)
    points = np.concatenate([edges[:, :1], edges[:, :-1] / 2.0 + edges[:, 1:] / 2.0, edges[:, -1:]], axis=1)
    singleton, of_singleton = characteristic.epps_singleton(a, b, points)
    sides = (a, b, edges, *ends)
    wasserstein, floor = distances.wasserstein(*sides), distances.wasserstein_floor(*sides)
    energy_distance, energy_floor = distances.energy(*sides), distances.energy_floor(*sides)
    with np.errstate(over="ignore"):  # of a spread far below the distance
        by_sd = [each / sd for each in (wasserstein, floor, energy_distance, energy_floor)]
    return {
        "ks": Statistic(d, p=distances.ks_p_value(d, n, m), floor=distances.ks_floor(n, m)),
        "kuiper": Statistic(v, p=circular.kuiper_p_value(v, n, m), floor=circular.kuiper_floor(n, m)),
        "cramer_von_mises": Statistic(cramer[0], p=cramer[2], floor=cramer[1]),
        "anderson_darling": Statistic(anderson[0], p=anderson[2], floor=anderson[1]),
        "energy": Statistic(by_sd[2], p=energy[2], floor=by_sd[3]),
        "wasserstein": Statistic(by_sd[0], floor=by_sd[1]),
        "wasserstein_raw": Statistic(wasserstein, floor=floor),
        "mann_whitney": Statistic(
            greater, p=of_greater, floor=np.where(np.isnan(greater), np.nan, 0.5), direction="neutral"
        ),
        **moments_of(stack),
        "epps_singleton": Statistic(
            singleton, p=of_singleton, floor=np.where(np.isnan(singleton), np.nan, 4.0)
        ),
    }


def moments_of(stack: Stack) -> dict[str, Statistic]:
    """Return "mean_change" (in standard deviations of the reference) and "variance_ratio" of numbers."""
    before, after = stack.reference, stack.current
    n, m = before.present, after.present
    nothing = np.where((n > 0) & (m > 0), 0.0, np.nan)
    change = moments.mean_change((n, before.mean, before.variance), (m, after.mean, after.variance))
    ratio, low, high, p = moments.variance_test(
        moments.power_sums(n, before.variance, before.kurtosis),
        moments.power_sums(m, after.variance, after.kurtosis),
    )
    plain = moments.variance_ratio(before.variance, after.variance)
    return {
        "mean_change": Statistic(*change, nothing, "neutral"),
        "variance_ratio": Statistic(
            np.where(np.isnan(ratio), plain, ratio), low, high, p, nothing + 1.0, "neutral"
        ),
    }


def _l_infinity(a: Integers, b: Integers) -> Statistic:
    return Statistic(
        extremes.l_infinity(a, b), p=extremes.l_infinity_p_value(a, b), floor=extremes.l_infinity_floor(a, b)
    )
