"""Rows dealt out to several, one by one, as cards are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from tidegauge._core import Batch


def dealt(batches: Iterable[Batch], n: int) -> Iterator[tuple[int, Batch]]:
    """Yield (part, rows): part i of `n` gets every n-th row, from row i on, batch by batch."""
    seen = 0
    for batch in batches:
        for part in range(n):
            if n == 1:
                yield part, batch
            else:
                yield part, batch.take(np.arange((part - seen) % n, batch.n_rows, n, dtype=np.int64))
        seen += batch.n_rows
