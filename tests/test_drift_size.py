"""What an alarm is worth, in a few seconds: `make statistics` has the whole grid, and a page made from it."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.statistics import bars, sequences, size, tolerance, unlike_windows
from benchmarks.statistics.populations import NUMBERS, Counted, Numbers
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


@pytest.mark.parametrize(
    ("population", "n", "m", "missing"),
    [
        ("normal", 20_000, 10_000, 0.0),
        ("zero-inflated", 3_200, 1_000, 0.0),
        ("rounded", 3_200, 100_000, 0.02),
        ("Zipf, 20", 100_000, 10_000, 0.3),
        ("Zipf, 100", 3_200, 100_000, 0.0),
        ("Zipf, 100", 1_000, 20_000, 0.0),
        ("Zipf, 1,000", 3_200, 1_000, 0.0),
        ("normal", 320, 20_000, 0.0),
    ],
)
def test_nothing_changed(population: str, n: int, m: int, missing: float) -> None:
    found = size.case(population, n, m, 1_000, missing)
    assert not bars.too_many(found), found
    assert found["realised"]["0.05"][0] >= 0.2  # not asleep


def test_a_test_of_the_tolerance_holds_its_size_and_the_interval_the_truth() -> None:
    for change in tolerance.CHANGES:
        p, held = tolerance.case(change, 20_000, 2_000, 0.05, 300)
        assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.045)
        assert held.mean() >= 0.93


def test_a_small_change_shows_in_merged_windows_and_is_no_alert() -> None:
    for run in range(2):
        warned, alerted = sequences.delay(100_000, 1, 60, 0.001, "mean + 0.05 sd", 1, run)
        assert warned <= 30
        assert alerted == 60
    for change in ("mean + 0.20 sd", "2 % of rows stuck at one value"):
        delays = [sequences.delay(100_000, 1, 30, 0.001, change, 1, run) for run in range(3)]
        assert max(warned for warned, _ in delays) <= 4
        assert np.mean([alerted for _, alerted in delays]) <= 15


@pytest.mark.parametrize("name", ["batches, dispersion 10", "mean wanders, AR(1) 0.8", "hours of the week"])
def test_windows_that_always_differed_are_no_news(name: str) -> None:
    by_windows, by_rows = unlike_windows.case(name, 3, 0, later=32)
    for scale, p in enumerate(by_windows[:4]):
        assert (p <= 0.01).mean() <= 0.025 + 3.5 * np.sqrt(0.01 / p.size), scale
    assert (by_rows[3] <= 0.01).mean() > 0.2


@pytest.mark.parametrize("population", NUMBERS, ids=lambda each: each.name)
def test_masses_are_the_shares_of_rows(population: Numbers) -> None:
    rng = np.random.default_rng(41)
    frozen = population.freeze(rng, 2_000)
    edges = frozen.column.edges
    assert edges is not None
    place = np.searchsorted(edges, population.draw(rng, 200_000), side="right")
    share = np.bincount(place, minlength=len(edges) + 1) / 200_000
    error = np.sqrt(frozen.mass * (1 - frozen.mass) / 200_000) + 1e-5
    assert (np.abs(share - frozen.mass) <= 5 * error).all()
