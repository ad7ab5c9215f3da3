import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge import _contract

Exponential = _contract.Exponential
exponential_index = _contract.exponential_index


def exact_index(x: float) -> int:
    """The i with 2^(i/32) < |x| <= 2^((i+1)/32), in integers: |x|^32 against powers of two."""
    numerator, denominator = abs(x).as_integer_ratio()
    return ceil_log2(numerator**32, denominator**32) - 1


def ceil_log2(numerator: int, denominator: int) -> int:
    """The least i with numerator / denominator <= 2^i."""
    i = numerator.bit_length() - denominator.bit_length() - 1
    while numerator > denominator * 2**i if i >= 0 else numerator * 2**-i > denominator:
        i += 1
    return i


def around(x: float) -> list[float]:
    return [math.nextafter(x, 0), x, math.nextafter(x, math.inf)]


def test_every_boundary_of_some_octaves() -> None:
    checked = 0
    for exponent in (-1022, -1, 0, 1, 52, 1023):
        for step in range(32):
            for x in around(math.ldexp(2 ** (step / 32), exponent)):
                if 0 < x < math.inf:
                    assert exponential_index(x) == exact_index(x)
                    checked += 1
    assert checked > 500


@pytest.mark.parametrize("exponent", [-1074, -1073, -1060, -1023, -1022, -700, 0, 700, 1023])
def test_powers_of_two_end_their_bucket(exponent: int) -> None:
    x = math.ldexp(1.0, exponent)
    assert exponential_index(x) == 32 * exponent - 1
    if exponent > -1070:
        assert exponential_index(math.nextafter(x, math.inf)) == 32 * exponent


@given(st.floats(allow_nan=False, allow_infinity=False).filter(bool))
def test_any_double_lies_in_its_bucket(x: float) -> None:
    assert exponential_index(x) == exact_index(x)


def test_counts_are_those_of_the_buckets() -> None:
    values = np.random.default_rng(1).lognormal(sigma=0.5, size=10_000)
    values[::3] *= -1
    values[::10] = 0
    sketch = Exponential()
    sketch.update(values)
    assert sketch.scale == 5
    assert sketch.n_zero == 1000
    for (first, counts), chosen in ((sketch.positive, values > 0), (sketch.negative, values < 0)):
        found = {first + i: count for i, count in enumerate(counts) if count}
        assert found == Counter(exponential_index(values[chosen]).tolist())


def test_a_coarser_scale_is_a_shift() -> None:
    values = np.exp2(np.linspace(-200, 200, 5_001))
    sketch = Exponential()
    sketch.update(values)
    assert sketch.scale == -1  # 400 octaves: 800 buckets at scale 1, 400 at 0, 200 at -1
    first, counts = sketch.positive
    found = {first + i: count for i, count in enumerate(counts) if count}
    assert found == Counter((exponential_index(values) >> 6).tolist())


def test_the_scale_is_the_finest_that_fits() -> None:
    for octaves, scale in ((9.9, 5), (10.1, 4), (19.9, 4), (20.1, 3)):
        sketch = Exponential()
        sketch.update([1.001, 1.001 * 2**octaves])
        assert sketch.scale == scale


def test_the_whole_range_of_doubles() -> None:
    sketch = Exponential()
    sketch.update([5e-324, 1.7976931348623157e308, -5e-324, -1.7976931348623157e308, 0.0, -0.0])
    assert sketch.n == 6
    assert sketch.n_zero == 2
    assert sketch.quantile(0.5) == 0
    assert math.isfinite(sketch.quantile(0))
    assert math.isfinite(sketch.quantile(1))
    assert Exponential.from_bytes(sketch.to_bytes()).to_bytes() == sketch.to_bytes()


def test_quantiles_within_a_bucket() -> None:
    values = np.random.default_rng(2).lognormal(sigma=0.4, size=100_000)
    sketch = Exponential()
    sketch.update(values)
    assert sketch.scale == 5
    assert sketch.quantile_error == pytest.approx((2 ** (1 / 32) - 1) / (2 ** (1 / 32) + 1))
    for q in (0, 0.001, 0.1, 0.5, 0.9, 0.999, 1):
        truth = np.quantile(values, q, method="inverted_cdf")
        assert abs(sketch.quantile(q) / truth - 1) <= 0.011


def test_refusals() -> None:
    with pytest.raises(_contract.SchemaError, match="no values"):
        Exponential().quantile(0.5)
    sketch = Exponential()
    sketch.update([1.0])
    with pytest.raises(_contract.SchemaError, match="outside"):
        sketch.quantile(-0.1)


def test_a_schema_may_ask_for_the_histogram_and_profiles_then_keep_it() -> None:
    import tidegauge as tg

    rows = {"x": np.array([-3.0, 0.0, 0.0, 1.0, 2.0, 2.0, 1000.0]), "y": np.arange(7.0)}
    schema = tg.Schema.infer(rows).replace("x", exponential=True)
    reference = tg.Reference.fit(rows, schema=schema)
    profile = tg.profile(rows, reference)
    found = tg.Profile.from_bytes(profile.to_bytes(), reference)["x"].exponential
    assert found is not None
    assert profile["y"].exponential is None
    assert tg.profile(rows, reference, accumulators="light")["x"].exponential is None
    assert (found.zero_count, found.positive_counts.sum(), found.negative_counts.sum()) == (2, 4, 1)
    # Upper-inclusive: 1 = 2^0 is the top of bucket -1.
    assert found.positive_offset == -1
    assert found.positive_counts[0] == 1
    width = 2.0**-found.scale
    assert 2 ** (found.negative_offset * width) < 3.0 <= 2 ** ((found.negative_offset + 1) * width)
