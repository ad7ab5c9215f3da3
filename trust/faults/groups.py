"""Cases in groups that share an archive: what `kills` and `labels` have in common."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from trust.faults.shim import Shim
from trust.part import Outcome

Group = Callable[[Shim, range, str, float], Outcome]  # cases of one archive, of a kind, until a time


def by_groups(group: Group, cases: range, seconds: float, *, size: int, directories: int) -> Outcome:
    """Try cases, `size` to an archive, with the shim; every `directories`-th is a directory, others SQLite.

    Stops after the first group that ends early, which has found something or is out of time.
    """
    import pyarrow.parquet  # noqa: F401  # here, and not in each child

    shim, until = Shim(), time.monotonic() + seconds
    tried, findings, counts = 0, list[str](), Counter[str]()
    for which in range(cases.start // size, (cases.stop - 1) // size + 1):
        numbers = range(max(cases.start, which * size), min(cases.stop, (which + 1) * size))
        outcome = group(shim, numbers, "sqlite" if which % directories else "directory", until)
        tried += outcome.tried
        findings += outcome.findings
        counts += outcome.counts
        if outcome.tried < len(numbers):
            break
    return Outcome(tried, findings, counts)
