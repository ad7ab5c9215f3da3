"""How far a p is believed: as far as the windows of the history let it, and no farther."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge.drift.history import calibrated, tail_of

P = st.floats(1e-280, 1.0)


@given(st.lists(P, min_size=6, max_size=60), st.lists(P, min_size=1, max_size=20))
def test_a_p_is_never_believed_to_be_smaller_and_their_order_stays(
    past: list[float], now: list[float]
) -> None:
    tail = tail_of(past)
    ordered = np.sort(now)
    believed = calibrated(ordered, tail)
    assert (believed >= ordered).all()
    assert (believed <= 1.0).all()
    assert (np.diff(believed) >= -1e-12).all()


def test_where_the_law_holds_a_window_alarms_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    for windows in (20, 60, 400):
        believed = np.array(
            [float(calibrated(rng.random(), tail_of(rng.random(windows)))) for _ in range(20_000)]
        )
        for level in (0.05, 0.01, 0.001):
            assert (believed <= level).mean() <= 1.2 * level + 3.5 * np.sqrt(level / 20_000)
        assert (believed <= 0.05).mean() >= 0.3 * 0.05


def test_bursts_of_the_past_are_expected_again() -> None:
    # By its law one window in ten is impossible; so are those to come.
    rng = np.random.default_rng(2)

    def windows(n: int) -> np.ndarray:
        return np.where(rng.random(n) < 0.1, 10.0 ** -rng.exponential(20.0, n), rng.random(n))

    found = np.array([float(calibrated(windows(1)[0], tail_of(windows(150)))) for _ in range(20_000)])
    assert (found <= 0.01).mean() <= 0.015
    assert (found <= 0.001).mean() <= 0.003


def test_more_windows_let_a_p_be_believed_farther() -> None:
    rng = np.random.default_rng(3)
    believed = [float(calibrated(1e-9, tail_of(rng.random(n)))) for n in (8, 30, 100, 1_000)]
    assert believed == sorted(believed, reverse=True)
    assert believed[0] > 1e-3
    assert believed[-1] < 1e-6


def test_inside_the_history_it_is_a_rank() -> None:
    past = np.arange(1, 100) / 100.0
    assert calibrated(0.505, tail_of(past)) == pytest.approx(0.51)
    assert calibrated(0.5, tail_of(past / 50)) == 1.0
    assert np.isnan(calibrated(np.nan, tail_of(past)))
    assert calibrated(0.0, tail_of(np.zeros(10))) > 0.3  # all of them were as impossible
