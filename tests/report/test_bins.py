"""What is drawn adds up: display bins against a slow loop, and axes whose labels people can read."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge.report.axis import short, ticks
from tidegauge.report.bins import MAX_BINS, Bins, display_bins


def column(edges, counts, below=0, above=0):
    counts = np.asarray(counts)
    n = int(counts.sum()) + below + above
    return SimpleNamespace(
        edges=np.asarray(edges, float), counts=counts, n_below=below, n_above=above, n_present=n
    )


def by_loop(drawn, of):
    """The share of each drawn bin: every fine cell gives each bin its part, by overlap."""
    shares = np.zeros(len(drawn) - 1)
    for i, count in enumerate(of.counts):
        a, b = of.edges[i], of.edges[i + 1]
        for j in range(len(shares)):
            overlap = max(min(b, drawn[j + 1]) - max(a, drawn[j]), 0.0)
            shares[j] += count / of.n_present * overlap / (b - a)
    return shares


counts_of_cells = st.lists(st.integers(0, 1_000), min_size=3, max_size=30)


@given(st.data(), counts_of_cells, st.integers(0, 50), st.integers(0, 50), st.sampled_from([1e-6, 1.0, 1e9]))
def test_bins_are_the_fine_cells_by_overlap(data, counts, below, above, scale) -> None:
    steps = data.draw(st.lists(st.floats(0.01, 100), min_size=len(counts), max_size=len(counts)))
    edges = (np.cumsum([0.37, *steps]) - data.draw(st.sampled_from([0.0, 50.5]))) * scale
    other = data.draw(st.lists(st.integers(0, 9), min_size=len(counts), max_size=len(counts)))
    before, after = column(edges, counts, below, above), column(edges, other, above, below)
    bins = display_bins(before, after)
    if before.n_present == 0:
        assert bins is None
        return
    for side, of in ((0, before), (1, after)):
        shares = (bins.reference, bins.current)[side]
        if of.n_present:
            np.testing.assert_allclose(shares, by_loop(bins.edges, of), atol=1e-9)
        total = shares.sum() + bins.below[side] + bins.above[side]
        assert total == pytest.approx(float(of.n_present > 0), abs=1e-9)
        assert shares.min() >= 0
        assert bins.below[side] >= 0
        assert bins.above[side] > -1e-12


def test_the_tails_left_out_are_small() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=100_000)
    edges = np.quantile(values, np.linspace(0, 1, 257))
    bins = display_bins(column(edges, np.histogram(values, edges)[0]), None)
    assert len(bins.reference) == MAX_BINS
    assert 0.001 < bins.below[0] <= 0.005
    assert 0.001 < bins.above[0] <= 0.005
    assert not bins.current.any()
    middles = (bins.edges[1:] + bins.edges[:-1]) / 2
    expected = np.exp(-(middles**2) / 2) / np.sqrt(2 * np.pi) * np.diff(bins.edges)
    np.testing.assert_allclose(bins.reference, expected, atol=0.002)


def test_a_skewed_positive_column_is_drawn_logarithmically_and_a_zero_forbids_it() -> None:
    rng = np.random.default_rng(2)
    values = rng.lognormal(3, 1.5, 50_000)
    edges = np.quantile(values, np.linspace(0, 1, 257))
    counts = np.histogram(values, edges)[0]
    assert display_bins(column(edges, counts), None).log
    counts[0] += 1_000  # values between zero and the next edge, too many to leave out
    assert not display_bins(column(edges - edges[0], counts), None).log


def test_whole_numbers_have_bins_of_their_own() -> None:
    edges = np.arange(13.0)
    bins = display_bins(column(edges, [50, 100, 300, 400, 300, 200, 100, 50, 30, 20, 10, 10]), None)
    assert bins.whole
    np.testing.assert_array_equal(bins.edges, np.arange(bins.edges[0], bins.edges[0] + len(bins.edges)))
    assert bins.reference.max() == pytest.approx(40 / 157)


def test_whole_numbers_are_labelled_up_to_the_last_one() -> None:
    bins = display_bins(column(np.arange(6.0), [100, 200, 300, 200, 100]), None)
    assert ticks(bins) == [(float(i), str(i)) for i in range(5)]


def test_atoms_of_floats_between_which_nothing_lies_are_whole_numbers_too() -> None:
    atoms = np.array([1.0, 2.0, 5.0])
    edges = np.sort(np.r_[atoms, np.nextafter(atoms, np.inf)])
    bins = display_bins(column(edges, [500, 0, 300, 0, 200]), None)
    assert bins.whole
    filled = bins.edges[:-1][bins.reference > 0]
    np.testing.assert_array_equal(filled, atoms)


@pytest.mark.parametrize("value", [0.0, 7.5, -3.0, 1e300, 1e-300, 2.0**53])
def test_a_constant_is_a_spike(value: float) -> None:
    edges = [value, float(np.nextafter(value, np.inf))]
    bins = display_bins(column(edges, [1_000]), column(edges, [10], 5, 5))
    assert bins.reference.max() == pytest.approx(1.0)
    assert len(bins.reference) >= 5
    assert bins.below[1] == pytest.approx(0.25)
    assert bins.above[1] == pytest.approx(0.25)
    assert ticks(bins)


EXTREME = [
    [-1.7e308, 0.0, 1.7e308],
    [-1.7e308, -1.6e308, -1e-300, 1e-320, 1.7e308],
    [5e-324, 1e-323, 1.5e-323],
    [1e15, 1e15 + 1, 1e15 + 2],
    [0.1, 0.1000000000000001, 0.1000000000000002],
    [1.0, 1e300, 1.7e308],
    [-(2.0**63), 0, 2.0**63],
]


@pytest.mark.parametrize("edges", EXTREME, ids=str)
def test_extreme_edges_are_drawn(edges: list[float]) -> None:
    counts = [900] * (len(edges) - 2) + [100]
    bins = display_bins(column(edges, counts), column(edges, counts))
    assert np.all(np.isfinite(bins.edges))
    assert np.all(np.diff(bins.edges) > 0)
    assert bins.reference.sum() + bins.below[0] + bins.above[0] == pytest.approx(1.0)
    places = bins.place([-np.inf, *edges, np.inf])
    assert np.all((places >= 0) & (places <= 1))
    assert all(np.isfinite(value) and text for value, text in ticks(bins))


def test_values_that_all_lie_beyond_the_edges() -> None:
    bins = display_bins(column([1.5, 2.5, 3.5], [0, 0], 10, 0), column([1.5, 2.5, 3.5], [0, 0], 0, 4))
    assert bins.below == (1.0, 0.0)
    assert bins.above == (0.0, 1.0)


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12), st.booleans())
def test_ticks_lie_within_the_range_and_read_apart(low: float, width: float, log: bool) -> None:
    low = abs(low) + 1e-9 if log else low
    edges = np.geomspace(low, low + width + low * 1e-3, 11) if log else np.linspace(low, low + width, 11)
    if not np.all(np.diff(edges) > abs(low) * 1e-10):
        return
    nothing = np.zeros(10)
    found = ticks(Bins(edges, log, False, nothing, nothing, (0, 0), (0, 0)))
    values, texts = zip(*found, strict=True)
    slack = 1e-9 * width
    assert 1 <= len(found) <= 5
    assert edges[0] - slack <= min(values)
    assert max(values) <= edges[-1] + slack
    assert list(values) == sorted(set(values))
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("value", "apart", "text"),
    [
        (0.0, 1.0, "0"),
        (0.30000000000000004, 0.1, "0.3"),
        (12_000.0, 2_000.0, "12k"),
        (2_500.0, 500.0, "2500"),
        (-3e6, 1e6, "-3M"),
        (5e7, None, "50M"),
        (1.5e-9, None, "1.5e-09"),
        (1e20, 1e20, "1e+20"),
        (1_000_001.0, 1.0, "1000001"),
    ],
)
def test_labels_are_short(value: float, apart: float | None, text: str) -> None:
    assert short(value, apart) == text
