"""Statistics and verdicts as Measurements, in the order in which a reader wants them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tidegauge.drift import verdict
from tidegauge.drift.columns import HOMES, INFINITE, OUTSIDE, Stack
from tidegauge.drift.statistics import Statistics
from tidegauge.drift.verdict import Verdict
from tidegauge.measurement import Direction, Measurement, Status

Floats = npt.NDArray[np.float64]
Numbers = list[float | None]


def measurements_by_column(
    stack: Stack, found: Statistics, judged: Verdict
) -> Iterator[tuple[Measurement, ...]]:
    """Yield the measurements of each column of the stack, in its order.

    `psi` is bias-corrected and, like its interval, cut off at 0. Distances have no status of their own beyond
    `ok` or `undefined`: the verdict rests on `psi`, the shares and `largest_rise`.
    """
    return zip(*_rows(stack, found, judged), strict=True)


def _rows(stack: Stack, found: Statistics, judged: Verdict) -> Iterator[list[Measurement]]:
    """Yield every statistic as one measurement a column."""
    before, after = stack.reference, stack.current
    present = before.present, after.present

    def row(
        name: str,
        value: Floats,
        *,
        low: Floats | None = None,
        high: Floats | None = None,
        p: Floats | None = None,
        against: Floats | None = None,
        sizes: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] = present,
        direction: Direction = "higher_is_worse",
        threshold: float | None = None,
        statuses: npt.NDArray[np.object_] | None = None,
    ) -> list[Measurement]:
        values = _numbers(value)
        told: list[Status] = (
            ["undefined" if v is None else "ok" for v in values] if statuses is None else statuses.tolist()
        )
        columns = zip(
            stack.names,
            values,
            *(
                _numbers(each) if each is not None else [None] * len(values)
                for each in (low, high, p, against)
            ),
            sizes[0].tolist(),
            sizes[1].tolist(),
            told,
            strict=True,
        )
        return [
            Measurement(
                name=name,
                value=v,
                column=column,
                low=lower,
                high=upper,
                p_value=chance,
                reference_value=expected,
                n_reference=n,
                n_current=m,
                direction=direction,
                threshold=threshold,
                status=status,
            )
            for column, v, lower, upper, chance, expected, n, m, status in columns
        ]

    cut = [np.maximum(each, 0.0) for each in (found.psi.value, found.psi.low, found.psi.high)]
    nothing = np.where(found.empty, np.nan, 0.0)
    yield row(
        "psi",
        cut[0],
        low=cut[1],
        high=cut[2],
        p=found.psi.p,
        against=nothing,
        threshold=verdict.PSI_ALERT,
        statuses=judged.psi,
    )
    for home in range(len(HOMES)):
        if home == INFINITE and not stack.ordered:
            continue
        exposed = before.exposed[:, home], after.exposed[:, home]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = before.hits[:, home] / exposed[0]
        each = found.share
        yield row(
            f"{home_name(home, ordered=stack.ordered)}_share_change",
            each.value[:, home],
            low=each.low[:, home],
            high=each.high[:, home],
            p=each.p[:, home],
            against=share,
            sizes=exposed,
            threshold=verdict.SHARE_ALERT,
            statuses=judged.share[:, home],
        )
    rise = found.rise
    yield row(
        "largest_rise",
        rise.value,
        low=rise.low,
        high=rise.high,
        p=rise.p,
        against=found.rise_reference,
        threshold=verdict.RISE_ALERT,
        statuses=judged.rise,
    )
    yield row("jensen_shannon", found.jensen_shannon, against=found.floors["jensen_shannon"])
    yield row("hellinger", found.hellinger, against=found.floors["hellinger"])
    yield row("total_variation", found.total_variation, against=found.floors["total_variation"])
    yield row("chi_square", found.chi_square, p=found.psi.p)
    if stack.ordered:
        yield row("ks", found.ks.value, p=found.ks.p, against=found.floors["ks"])
        yield row("wasserstein", found.wasserstein)
        mean = found.mean
        yield row(
            "mean_change",
            mean.value,
            low=mean.low,
            high=mean.high,
            p=mean.p,
            against=nothing,
            direction="neutral",
        )
        yield row("variance_ratio", found.variance, against=nothing + 1.0, direction="neutral")


def home_name(home: int, *, ordered: bool) -> str:
    """Return a home's name for the world: "outside" is "out_of_range" of numbers, "unseen" of categories."""
    return HOMES[home] if home != OUTSIDE else "out_of_range" if ordered else "unseen"


def _numbers(values: Floats) -> Numbers:
    """Return Python floats, None for NaN and infinities."""
    numbers: Numbers = values.tolist()
    for i in np.flatnonzero(~np.isfinite(values)).tolist():
        numbers[i] = None
    return numbers
