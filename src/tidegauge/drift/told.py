"""Statistics and verdicts as Measurements, in the order in which a reader wants them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from tidegauge.drift.columns import Stack
from tidegauge.drift.evidence import Evidence
from tidegauge.drift.statistics import Statistic, home_name
from tidegauge.homes import HOMES
from tidegauge.measurement import Measurement, Status

Floats = npt.NDArray[np.float64]
Table = dict[str, list[float | None]]

_JUDGED_BY_SHARE = tuple(
    f"{home_name(h, ordered=o)}_share_change" for o in (True, False) for h in range(len(HOMES))
)


def teller(
    stack: Stack,
    found: Evidence,
    statistics: Callable[[], dict[str, Statistic]],
    *,
    statuses: list[Status],
    tolerances: tuple[Floats, Floats],
    window: tuple[int, int] | None,
) -> Callable[[int], tuple[Measurement, ...]]:
    """Return a function that gives the measurements of column `i` of the stack.

    Statistics are computed when the first of them is asked for, all at once, and records when they are: a
    thousand columns have thirty each, and most are never read.
    `tolerances` are those of PSI and of a share, `[columns]`. The omnibus p is a measurement of its own,
    `drift`, with the status of the column; PSI, interval and shares carry the tolerance they were held to.
    """

    @cache
    def computed() -> tuple[dict[str, Statistic], dict[str, Table]]:
        told = statistics()
        psi = told["psi"]
        low, high = (None if each is None else np.sqrt(each) for each in (psi.low, psi.high))
        told = {"drift": Statistic(np.sqrt(psi.value), low, high, found.p), **told}
        return told, {name: _listed(each) for name, each in told.items()}

    present = stack.reference.present.tolist(), stack.current.present.tolist()

    def measurements(i: int) -> tuple[Measurement, ...]:
        told, tables = computed()

        def one(name: str, table: Table, status: Status, threshold: float | None) -> Measurement:
            sizes = told[name].sizes
            n, m = present if sizes is None else sizes
            value = table["value"][i]
            return Measurement(
                name=name,
                value=value,
                column=stack.names[i],
                window=window,
                low=table["low"][i],
                high=table["high"][i],
                p_value=table["p"][i],
                reference_value=table["floor"][i],
                n_reference=int(n[i]),
                n_current=int(m[i]),
                direction=told[name].direction,
                threshold=threshold,
                status=status,
            )

        made = []
        for name, table in tables.items():
            value = table["value"][i]
            status: Status = "undefined" if value is None else "ok"
            threshold = None
            if name == "drift":
                status = statuses[i]
            elif name == "psi":
                threshold = float(tolerances[0][i])
                if value is not None and not found.enough[i]:
                    status = "insufficient"
            elif name in _JUDGED_BY_SHARE or name == "interval_change":
                threshold = float(tolerances[1][i])
            made.append(one(name, table, status, threshold))
        return tuple(made)

    return measurements


def _listed(each: Statistic) -> Table:
    """Return the arrays as lists of Python floats, None for NaN, infinities and what there is none of."""
    columns = len(each.value)
    fields = {"value": each.value, "low": each.low, "high": each.high, "p": each.p, "floor": each.floor}
    return {name: [None] * columns if array is None else _numbers(array) for name, array in fields.items()}


def _numbers(values: Floats) -> list[float | None]:
    numbers: list[float | None] = np.asarray(values, dtype=np.float64).tolist()
    for i in np.flatnonzero(~np.isfinite(values)).tolist():
        numbers[i] = None
    return numbers
