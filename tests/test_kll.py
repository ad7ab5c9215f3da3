import numpy as np
import pytest

from tidegauge import _contract

KllFloat = _contract.KllFloat
KllInteger = _contract.KllInteger


def test_exact_while_small() -> None:
    values = np.random.default_rng(1).normal(size=200)
    sketch = KllFloat()
    sketch.update(values)
    assert sketch.is_exact
    assert sketch.rank_error == 0
    for q in (0.0, 0.1, 0.5, 0.99, 1.0):
        assert sketch.quantile(q) == np.quantile(values, q, method="inverted_cdf")
    for x in (values.min(), 0.0, values.max()):
        assert sketch.rank(x) == np.mean(values <= x)


def test_accuracy_at_a_million() -> None:
    errors = _contract.kll_errors("ranks", 2**20, runs=200)
    assert errors[:, 0].mean() <= 0.0070
    assert np.all(errors[:, 0] <= errors[:, 1])
    assert errors[:, 1].max() <= 0.0133  # what DataSketches promises for k = 200, with the same confidence


@pytest.mark.parametrize("shape", _contract.SHAPES)
@pytest.mark.parametrize("n_parts", [1, 2, 37])
def test_every_stream_keeps_its_bound(shape: str, n_parts: int) -> None:
    errors = _contract.kll_errors(shape, 50_000, n_parts=n_parts, runs=5)
    assert np.all(errors[:, 0] <= errors[:, 1])


@pytest.mark.parametrize("k", [16, 200, 800])
def test_the_bound_is_not_idle(k: int) -> None:
    errors = _contract.kll_errors("lognormal", 100_000, k=k, runs=5)
    assert np.all(errors[:, 0] > errors[:, 1] / 10)
    assert np.all(errors[:, 1] < 3.5 / k)


def test_the_sampler_neither_drifts_nor_grows() -> None:
    block = np.random.default_rng(2).random(1_000_003)
    sketch = KllFloat()
    for _ in range(20):
        sketch.update(block)
    assert sketch.n == 20 * len(block)
    assert sketch.size < 1000
    q = np.linspace(0.01, 0.99, 99)
    ranks = np.array([np.mean(block <= sketch.quantile(p)) for p in q])
    assert np.abs(ranks - q).max() <= sketch.rank_error


def test_many_workers_with_one_seed() -> None:
    random = np.random.default_rng(3)
    merged, everything = KllFloat(), random.normal(size=(300, 2_000))
    for rows in everything:
        one = KllFloat()
        one.update(rows)
        merged.merge(one)
    x = np.linspace(-2, 2, 41)
    truth = np.array([np.mean(everything <= v) for v in x])
    error = np.abs([merged.rank(v) for v in x] - truth).max()
    assert 0 < error <= merged.rank_error < 0.02


def test_integers_keep_all_64_bits() -> None:
    values = np.array([2**62 + 1, 2**62, -(2**63), 2**63 - 1], dtype=np.int64)
    sketch = KllInteger()
    sketch.update(values)
    assert sketch.quantile(0.5) == 2**62
    assert sketch.quantile(0.75) == 2**62 + 1
    assert sketch.quantile(0) == -(2**63)


def test_negative_zero_is_zero() -> None:
    plus, minus = KllFloat(), KllFloat()
    plus.update([0.0])
    minus.update([-0.0])
    assert plus.to_bytes() == minus.to_bytes()


def test_refusals_name_the_remedy() -> None:
    with pytest.raises(_contract.SchemaError, match="empty"):
        KllFloat().quantile(0.5)
    with pytest.raises(_contract.SchemaError, match="between 8 and"):
        KllFloat(k=3)
    sketch = KllFloat()
    sketch.update([1.0])
    with pytest.raises(_contract.SchemaError, match="outside"):
        sketch.quantile(1.5)
    with pytest.raises(_contract.SchemaError, match="outside"):
        sketch.quantile(float("nan"))
    with pytest.raises(_contract.MergeError, match="same parameters"):
        sketch.merge(KllFloat(seed=1))
    with pytest.raises(_contract.MergeError, match="same parameters"):
        sketch.merge(KllFloat(k=100))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.0])
def test_a_value_that_cannot_be_is_refused(bad: float) -> None:
    sketch = KllFloat()
    sketch.update([1.5])
    good = sketch.to_bytes()
    altered = good.replace(np.float64(1.5).tobytes(), np.float64(bad).tobytes())
    assert altered != good
    with pytest.raises(_contract.DecodeError, match="not finite"):
        KllFloat.from_bytes(altered)


def test_as_accurate_as_datasketches() -> None:
    datasketches = pytest.importorskip("datasketches")
    random, ours, theirs = np.random.default_rng(4), [], []
    grid = np.linspace(0, 1, 201)
    for seed in range(20):
        values = random.random(100_000)
        sketch, peer = KllFloat(seed=seed), datasketches.kll_doubles_sketch(200)
        sketch.update(values)
        for value in values:
            peer.update(value)
        truth = np.searchsorted(np.sort(values), grid, side="right") / len(values)
        ours.append(np.abs([sketch.rank(x) for x in grid] - truth).max())
        theirs.append(np.abs([peer.get_rank(x, True) for x in grid] - truth).max())
    assert np.mean(ours) <= 1.1 * np.mean(theirs)
