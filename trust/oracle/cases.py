"""Cases of the part `oracle`: mostly datasets, every fourth one small tables for the drift statistics."""

from __future__ import annotations

import time
import traceback
import warnings
from collections import Counter
from random import Random

from trust.oracle import datasets, statistics
from trust.part import Outcome

TABLES_EVERY = 4  # of so many cases, one is tables of counts
TABLES = 5  # in such a case


def try_case(number: int) -> Counter[str]:
    """Try one case. Returns what was compared; raises AssertionError, or whatever the engine raises."""
    random = Random(number)
    if number % TABLES_EVERY == 0:
        return Counter({"statistics": sum(statistics.check(random) for _ in range(TABLES))})
    return datasets.check(random)


def run(first: int, n: int, seconds: float) -> Outcome:
    """Try cases first … first + n - 1, for about so many seconds."""
    outcome, until = Outcome(0), time.monotonic() + seconds
    tried = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(first, first + n):
            try:
                outcome.counts.update(try_case(number))
            except Exception as error:
                outcome.findings.append(f"{told(error)}: python -m trust try oracle {number}")
            tried += 1
            if time.monotonic() >= until:
                break
    return Outcome(tried, outcome.findings, outcome.counts)


def told(error: BaseException) -> str:
    """Return an error as one line: what it says, and the line of code that said it first."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    where = traceback.extract_tb(cause.__traceback__)[-1]
    words = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {words} [{where.name}: {where.line}]"
