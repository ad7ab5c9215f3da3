"""What an alarm is worth, in a few seconds: `make statistics` has the whole grid, and a page made from it."""

from __future__ import annotations

import numpy as np
from benchmarks.statistics.populations import Counted
from benchmarks.statistics.weigh import weigh

from tidegauge.drift.evidence import PARTS

UNSEEN = PARTS.index("outside")


def test_a_reference_that_saw_every_category_is_no_reason_for_an_alarm() -> None:
    # Sixteen categories seen once: a fresh sample would have 1.6 % unseen rows, unless all there are were
    # seen.
    shares = np.r_[np.full(79, 960 / 79), np.full(5, 2.0), np.full(16, 1.0)]
    reference = Counted(kind="category", counts=shares.astype(np.int64))
    window = Counted(kind="category", counts=np.rint(shares * 20).astype(np.int64))
    found = weigh([reference], [window])
    assert found.p[0] > 0.1
    assert np.isnan(found.parts[0, UNSEEN])
    more = Counted(kind="category", counts=window.counts, n_unseen=1_000)
    assert weigh([reference], [more]).parts[0, UNSEEN] < 0.01


def test_a_category_that_the_reference_missed_by_bad_luck_is_weighed_as_such() -> None:
    # A hundred categories with about six rows each: that one more of the kind was missed is no news, that one
    # with sixty was is.
    rare = np.repeat([4, 5, 6, 7, 8], 20)
    reference = Counted(kind="category", counts=np.r_[2_600, rare].astype(np.int64))
    many = np.r_[2_600, rare].astype(np.int64) * 30

    def unseen(n_unseen: int) -> float:
        window = Counted(kind="category", counts=many, n_unseen=n_unseen)
        return float(weigh([reference], [window]).parts[0, UNSEEN])

    assert unseen(6 * 30) > 0.05
    assert unseen(60 * 30) < 1e-9
    # Without rare categories six rows are news enough.
    frequent = Counted(kind="category", counts=np.full(10, 320))
    window = Counted(kind="category", counts=np.full(10, 9_600), n_unseen=6 * 30)
    assert weigh([frequent], [window]).parts[0, UNSEEN] < 0.01
