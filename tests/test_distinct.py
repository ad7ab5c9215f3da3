import numpy as np
import pytest

from tidegauge import _contract

Distinct = _contract.Distinct


def hashes(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, size=n, dtype=np.uint64)


def test_exact_up_to_512() -> None:
    sketch = Distinct()
    values = hashes(513)
    for n in (1, 2, 17, 256, 512):
        sketch.update(values[:n])
        sketch.update(values[:n])
        assert sketch.is_exact
        assert sketch.estimate() == n
    sketch.update(values)
    assert not sketch.is_exact


def test_standard_error_without_a_bump() -> None:
    cardinalities = [513, 600, 1_000, 2_000, 4_000, 8_000, 16_000, 50_000]
    errors = _contract.distinct_errors(cardinalities, runs=1000)
    assert np.all(np.sqrt(np.mean(errors**2, axis=0)) <= 0.013)
    # The mean of 1,000 runs has a standard error of 0.0004 at most.
    assert np.all(np.abs(errors.mean(axis=0)) <= 0.0016)


def test_large_cardinalities() -> None:
    errors = _contract.distinct_errors([10**6], runs=10)
    assert np.abs(errors).max() <= 0.04


@pytest.mark.parametrize("exponent", [30, 40, 50])
def test_cardinalities_that_nobody_can_count_to(exponent: int) -> None:
    """Registers drawn from the distribution that 2^exponent hashes would leave."""
    random = np.random.default_rng(exponent)
    rate = 2.0**exponent / 4096
    levels = np.arange(1, 54)
    share = 2.0 ** -np.minimum(levels, 52)
    seen = random.random((4096, 53)) < -np.expm1(-rate * share)
    highest = 53 - np.argmax(seen[:, ::-1], axis=1)
    rows = np.arange(4096)
    registers = 4 * highest + 2 * seen[rows, highest - 2] + seen[rows, highest - 3]
    sketch = Distinct.from_bytes(b"\x01" + registers.astype(np.uint8).tobytes())
    assert sketch.estimate() == pytest.approx(2.0**exponent, rel=0.06)


def test_four_kilobytes() -> None:
    sketch = Distinct()
    sketch.update(hashes(10**5))
    assert len(sketch.to_bytes()) == 1 + 4096


def test_limit_drops_nearly_everything_once_warm() -> None:
    sketch = Distinct()
    assert sketch.limit == 2**64 - 1
    sketch.update(hashes(10**6))
    fresh = hashes(10**6, seed=2)
    passing = (fresh << np.uint64(12)) < np.uint64(sketch.limit)
    assert passing.mean() < 0.1
    filtered = Distinct.from_bytes(sketch.to_bytes())
    filtered.update(fresh[passing])
    sketch.update(fresh)
    assert filtered.to_bytes() == sketch.to_bytes()


def test_all_registers_full_still_answers() -> None:
    full = Distinct.from_bytes(b"\x01" + bytes([53 * 4 + 3]) * 4096)
    assert 2.0**60 < full.estimate() < 2.0**65


def test_unions_are_counted_once() -> None:
    values = hashes(30_000)
    left, right, both = Distinct(), Distinct(), Distinct()
    left.update(values[:20_000])
    right.update(values[10_000:])
    both.update(values)
    left.merge(right)
    assert left.to_bytes() == both.to_bytes()


def test_as_accurate_as_datasketches() -> None:
    datasketches = pytest.importorskip("datasketches")
    ours, theirs = [], []
    for seed in range(30):
        values = hashes(20_000, seed)
        sketch, peer = Distinct(), datasketches.hll_sketch(12, datasketches.HLL_8)
        sketch.update(values)
        for value in values.tolist():
            peer.update(str(value))
        ours.append(sketch.estimate() / 20_000 - 1)
        theirs.append(peer.get_estimate() / 20_000 - 1)
    assert np.std(ours) <= 1.3 * np.std(theirs)
