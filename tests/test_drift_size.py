"""What an alarm is worth, in a few seconds: `make statistics` has the whole grid and the page made from it."""

from __future__ import annotations

from benchmarks.statistics.populations import Counted
from benchmarks.statistics.weigh import weigh
from tidegauge.drift.evidence import PARTS

import numpy as np
UNSEEN = PARTS.index("outside")


def test_a_reference_that_saw_every_category_is_no_reason_for_an_alarm() -> None:
    # Sixteen categories seen once: a fresh sample would have 1.6 % unseen rows, unless there is nothing unseen.
    shares = np.r_[np.full(79, 960 / 79), np.full(5, 2.0), np.full(16, 1.0)]
    reference = Counted(kind="category", counts=shares.astype(np.int64))
    window = Counted(kind="category", counts=np.rint(shares * 20).astype(np.int64))
    found = weigh([reference], [window])
    assert found.p[0] > 0.1
    assert np.isnan(found.parts[0, UNSEEN])
    more = Counted(kind="category", counts=window.counts, n_unseen=1_000)
    assert weigh([reference], [more]).parts[0, UNSEEN] < 0.01
