from collections import Counter

import numpy as np
import pytest

from tidegauge import _contract

Frequent = _contract.Frequent


def feed(sketch: Frequent, values: list[int]) -> None:
    for value in values:
        sketch.update(value, 1, b"value %d" % value)


def test_exact_counts_and_names() -> None:
    values = (np.random.default_rng(1).zipf(1.5, size=5_000) % 500).tolist()
    sketch = Frequent()
    feed(sketch, values)
    truth = Counter(values)
    expected = sorted(truth.items(), key=lambda item: (-item[1], item[0]))
    assert sketch.is_exact
    assert sketch.n == len(values)
    assert [(h, c) for h, c, _, _ in sketch.top(1000)] == expected
    assert sketch.top(3) == sketch.top(1000)[:3]
    for value, count, name, truncated in sketch.top(1000):
        assert name == (b"value %d" % value if count >= 5 else None)
        assert not truncated


def test_a_rare_name_is_nowhere_in_the_bytes() -> None:
    sketch = Frequent()
    for _ in range(4):
        sketch.update(7, 1, b"a rare secret")
    assert b"secret" not in sketch.to_bytes()
    assert sketch.top(1) == [(7, 4, None, False)]
    sketch.update(7, 1, b"a rare secret")
    assert b"secret" in sketch.to_bytes()


def test_without_values_there_are_no_names() -> None:
    sketch = Frequent(keep_values=False)
    sketch.update(7, 100, b"a secret")
    assert b"secret" not in sketch.to_bytes()
    assert sketch.top(1) == [(7, 100, None, False)]
    named = Frequent()
    named.update(7, 100, b"a secret")
    with pytest.raises(_contract.DecodeError, match="none may be kept"):
        Frequent.from_bytes(named.to_bytes(), False)


@pytest.mark.parametrize("text", ["a" * 256, "é" * 200, "€" * 200, "𝄞" * 200, "x" + "€" * 200])
def test_long_names_are_cut_between_characters(text: str) -> None:
    sketch = Frequent()
    sketch.update(1, 5, text.encode())
    ((_, _, name, truncated),) = sketch.top(1)
    assert text.startswith(name.decode())
    assert truncated == (len(text.encode()) > 256)
    assert 253 <= len(name) <= 256


def test_names_that_are_not_text_are_cut_all_the_same() -> None:
    sketch = Frequent()
    sketch.update(1, 5, b"\x80" * 1000)
    ((_, _, name, truncated),) = sketch.top(1)
    assert truncated
    assert 253 <= len(name) <= 256


def test_bounds_hold_when_it_overflows() -> None:
    values = (np.random.default_rng(2).zipf(1.1, size=100_000) % 20_000).tolist()
    sketch = Frequent(capacity=256)
    feed(sketch, values)
    truth = Counter(values)
    assert not sketch.is_exact
    assert sketch.error <= 2 * sketch.n / 256
    held = {value: count for value, count, _, _ in sketch.top(256)}
    for value, count in truth.items():
        assert held.get(value, 0) <= count <= held.get(value, 0) + sketch.error
    heavy = {value for value, count in truth.items() if count > sketch.error}
    assert heavy
    assert heavy <= held.keys()


def test_weights_are_repetitions_while_it_fits() -> None:
    one, many = Frequent(), Frequent()
    assert one.fits(1024)
    assert not one.fits(1025)
    one.update(3, 7, b"three")
    one.update(3, 0, b"three")
    for _ in range(7):
        many.update(3, 1, b"three")
    assert one.to_bytes() == many.to_bytes()


def test_a_name_earned_by_a_merge_waits_for_its_row() -> None:
    left, right = Frequent(), Frequent()
    left.update(1, 3, b"one")
    right.update(1, 3, b"one")
    left.merge(right)
    assert left.top(1) == [(1, 6, None, False)]
    left.update(1, 1, b"one")
    assert left.top(1) == [(1, 7, b"one", False)]


def test_unlike_parameters_refuse() -> None:
    with pytest.raises(_contract.MergeError, match="same parameters"):
        Frequent().merge(Frequent(keep_values=False))
    with pytest.raises(_contract.MergeError, match="same parameters"):
        Frequent().merge(Frequent(capacity=64))
    with pytest.raises(_contract.SchemaError, match="between 16 and"):
        Frequent(capacity=1)
