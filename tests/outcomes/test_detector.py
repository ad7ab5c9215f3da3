"""The e-detector: its bounds, its promises simulated, compiled and not."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge.outcomes.detector import Detector, bets_for, start_detector, step
from tidegauge.outcomes.evidence import BETS, WEIGHTS, compiled_follow, follow


def batches_of(rows: np.ndarray, size: int) -> np.ndarray:
    cut = rows.reshape(-1, size).astype(np.float64)
    return np.stack([np.full(len(cut), float(size)), cut.sum(axis=1), (cut * cut).sum(axis=1)])


def alarm_of(rows: np.ndarray, size: int, baseline: float, length: float) -> int:
    """Return the rows until the alarm, -1 for none."""
    found = compiled_follow()(
        np.zeros(len(BETS)), batches_of(rows, size), baseline, bets_for(baseline), length
    )
    return -1 if found < 0 else (found + 1) * size


@given(st.integers(0, 2**32), st.floats(0.01, 0.95), st.integers(1, 50), st.booleans())
def test_evidence_never_exceeds_the_products(seed: int, baseline: float, n: int, binary: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.beta(*rng.uniform(0.2, 20, 2), n)
    rows = (rows > 0.5).astype(float) if binary else rows
    evidence = np.zeros(len(BETS))
    follow(evidence, batches_of(rows, n), baseline, bets_for(baseline), math.inf)
    for bet, told in zip(bets_for(baseline), evidence, strict=True):
        product = n * float(np.prod(1 + bet * (rows - baseline)))
        assert told <= product * (1 + 1e-9)
        if binary:
            assert told == pytest.approx(product, rel=1e-9)


def test_rows_one_by_one_are_shiryaev_roberts() -> None:
    rows = np.array([1.0, 0, 0, 1, 1, 0, 1])
    detector, slow = start_detector(0.3), np.zeros(len(BETS))
    for x in rows:
        detector = step(detector, 1, x)
        slow = (slow + 1) * (1 + BETS * (x - 0.3))
    np.testing.assert_allclose(detector.evidence, slow)
    assert detector.weight == pytest.approx(float(slow @ WEIGHTS))
    assert detector.n_rows == 7


@given(st.integers(0, 2**32))
def test_compiled_and_plain_are_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    batches = batches_of(rng.beta(1, 6, 60), 3)
    batches[2, ::2] = -1.0  # not known
    found = []
    for run in (follow, compiled_follow()):
        evidence = np.zeros(len(BETS))
        found.append((run(evidence, batches, 0.1, bets_for(0.1), 40.0), evidence))
    assert found[0][0] == found[1][0]
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-12)


def test_it_runs_with_the_compiler_off_and_steps_without_numba() -> None:
    program = """
import sys, numpy as np
from tidegauge.outcomes.detector import start_detector, step
detector = start_detector(0.1)
for _ in range(30): detector = step(detector, 100, 40.0)
assert detector.alarm and "numba" not in sys.modules
from tidegauge.outcomes.evidence import BETS, compiled_follow, follow
assert compiled_follow() is follow
print(compiled_follow()(np.zeros(len(BETS)), np.full((3, 9), 50.0), 0.1, BETS, 1e4))
"""
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    evidence = np.zeros(len(BETS))
    expected = follow(evidence, np.full((3, 9), 50.0), 0.1, BETS, 1e4)
    assert told.stdout.split() == [str(expected)]
    assert expected >= 0


@pytest.mark.parametrize(("size", "longest", "early"), [(1, 1_700, 0.15), (100, 1_900, 0.12)])
def test_a_rise_from_ten_to_twelve_in_a_hundred(size: int, longest: float, early: float) -> None:
    before, seeds = 5_000, 200
    rates = np.where(np.arange(25_000) < before, 0.10, 0.12)
    alarms = np.array(
        [alarm_of(np.random.default_rng(s).random(25_000) < rates, size, 0.1, 30_000) for s in range(seeds)]
    )
    assert (alarms > 0).all()
    assert (alarms <= before).mean() <= early
    assert (alarms[alarms > before] - before).mean() <= longest


@pytest.mark.parametrize(("size", "a", "b"), [(1, 0, 0), (50, 0, 0), (20, 0.4, 3.6), (20, 4.0, 36.0)])
def test_alarms_without_a_rise_are_as_rare_as_promised(size: int, a: float, b: float) -> None:
    promised, runs = 400, []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        rows = rng.beta(a, b, 20_000) if a else rng.random(20_000) < 0.1
        alarm = alarm_of(rows, size, 0.1, promised)
        runs.append(20_000 if alarm < 0 else alarm)
    # Of 150 exponential run lengths the mean is off by a twelfth; the promise is a lower bound.
    assert np.mean(runs) >= 0.9 * promised


def test_squares_find_a_quiet_metric_sooner() -> None:
    rng = np.random.default_rng(0)
    rows = rng.beta(11, 89, 4_000)  # mean .11, standard deviation .03
    batches = batches_of(rows, 50)
    blind = batches.copy()
    blind[2] = -1.0
    found = [follow(np.zeros(len(BETS)), each, 0.1, BETS, 1e4) for each in (batches, blind)]
    assert found[0] >= 0
    assert found[1] < 0 or found[1] > 1.3 * found[0]


def test_workers_add_up_before_the_step() -> None:
    together = step(start_detector(0.2), 70, 31.0, 20.0)
    added = step(start_detector(0.2), 30 + 40, 11.0 + 20.0, 8.0 + 12.0)
    np.testing.assert_array_equal(together.evidence, added.evidence)


def test_a_fall_is_a_rise_of_the_rest() -> None:
    detector = start_detector(1 - 0.9)
    for _ in range(40):
        detector = step(detector, 100, 100 - 85.0)  # accuracy .85 where .90 was usual
    assert detector.alarm


def test_nothing_overflows_and_nothing_is_changed() -> None:
    start = start_detector(0.1)
    huge = step(start, 10**9, 5.0 * 10**8)
    assert np.isfinite(huge.evidence).all()
    assert huge.alarm
    assert np.isfinite(step(huge, 10**9, 0.0).evidence).all()
    assert not step(start, 10**9, 0.0).alarm
    assert start.evidence.tolist() == [0.0] * len(BETS)
    empty = step(huge, 0, 0.0)
    np.testing.assert_array_equal(empty.evidence, huge.evidence)


@pytest.mark.parametrize("baseline", [0.0, 1.0, -0.1, math.nan, math.inf])
def test_a_baseline_lies_within_zero_and_one(baseline: float) -> None:
    with pytest.raises(ValueError, match="baseline"):
        start_detector(baseline)


@pytest.mark.parametrize("length", [0.5, math.inf, math.nan, -3])
def test_a_run_length_is_a_number_of_rows(length: float) -> None:
    with pytest.raises(ValueError, match="average run length"):
        start_detector(0.1, length)


@pytest.mark.parametrize(
    ("n_rows", "total", "squares", "words"),
    [
        (-1, 0, None, "batch of -1"),
        (math.nan, 0, None, "batch of nan"),
        (math.inf, 0, None, "batch of inf"),
        (10, 11, None, "sum to 11"),
        (10, -1, None, "sum to -1"),
        (10, math.nan, None, "sum to nan"),
        (0, 1, None, "sum to 1"),
        (10, 5, 6, "squares"),
        (10, 5, 2, "from 2.5 to 5"),
        (10, 5, math.nan, "squares"),
    ],
)
def test_sums_of_no_rows_are_refused(n_rows: float, total: float, squares: float | None, words: str) -> None:
    detector: Detector = step(start_detector(0.1), 10, 5.0)
    before = detector.evidence.copy()
    with pytest.raises(ValueError, match=words):
        step(detector, n_rows, total, squares)
    np.testing.assert_array_equal(detector.evidence, before)
