"""Every law on every accumulator. The laws are written once, in contract/laws.hpp."""

import pytest

from tidegauge import _contract


@pytest.mark.parametrize(("accumulator", "law"), _contract.laws())
def test_law(accumulator: str, law: str) -> None:
    _contract.check_law(accumulator, law)


def test_every_accumulator_has_its_laws() -> None:
    names = {accumulator.split()[0].rstrip(",") for accumulator, _ in _contract.laws()}
    assert names >= {
        "kll",
        "distinct",
        "frequent",
        "exponential",
        "joint",
        "binary",
        "confusion",
        "leaves",
        "regression",
        "multiclass",
        "ranking",
    }
