"""One way to time: the answer is checked first, then the shortest of several runs counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def timed(benchmark: Any) -> Callable[..., None]:
    """`timed(run, case=, who=, values=, n_bytes=)`: time `run` as `who`'s answer to `case`.

    `values` and `n_bytes` are what one run reads; the report divides by them. Cases of a name share a table.
    """

    def time_it(
        run: Callable[[], object], *, case: str, who: str, values: int, n_bytes: int = 0, rounds: int = 5
    ) -> None:
        benchmark.group = case
        benchmark.extra_info.update(who=who, values=values, n_bytes=n_bytes)
        benchmark.pedantic(run, rounds=rounds, iterations=1, warmup_rounds=1)

    return time_it
