"""Measurement: what it refuses, what it writes, and the order of severity."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from tidegauge.measurement import SEVERITY, Measurement, arrow_stream, defined, worst


@pytest.mark.parametrize(
    "field",
    [
        *("value", "low", "high", "p_value", "reference_value", "threshold"),
        *("bound", "constant", "coverage"),
    ],
)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_no_field_holds_nan_or_an_infinity(field: str, bad: float) -> None:
    with pytest.raises(ValueError, match=f"'psi' of column 'amount': {field} is .*None"):
        Measurement(**({"name": "psi", "column": "amount", "value": 0.1} | {field: bad}))


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'bad'.*ok, undefined"):
        Measurement(name="psi", value=None, status="bad")  # type: ignore[arg-type]


def test_it_is_frozen_and_has_no_other_fields() -> None:
    measurement = Measurement(name="psi", value=0.1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        measurement.value = 0.2  # type: ignore[misc]
    assert not hasattr(measurement, "__dict__")


def test_to_dict_is_json() -> None:
    measurement = Measurement(name="ks", value=None, window=(0, 3_600_000_000_000), status="undefined")
    told = json.loads(json.dumps(measurement.to_dict(), allow_nan=False))
    assert told["value"] is None
    assert told["window"] == [0, 3_600_000_000_000]
    assert set(told) == {field.name for field in dataclasses.fields(Measurement)}


def test_an_arrow_stream_has_a_row_a_measurement_and_a_type_a_field() -> None:
    import pyarrow as pa

    told = [
        Measurement(name="ks", value=0.5, window=(0, 1), n_current=3),
        Measurement(name="recall", value=None, kind="realised", label="cat", coverage=0.5, status="immature"),
    ]

    class Stream:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return arrow_stream(told, requested_schema)

    table = pa.table(Stream())
    assert table.column_names == [field.name for field in dataclasses.fields(Measurement)]
    assert table.to_pylist() == [each.to_dict() for each in told]
    assert table.schema.field("bound").type == pa.float64()
    assert table.schema.field("label").type == pa.string()


def test_defined() -> None:
    assert defined(0.5) == 0.5
    assert [defined(x) for x in (math.nan, math.inf, -math.inf)] == [None] * 3


def test_worst_is_the_most_severe() -> None:
    assert worst([]) == "ok"
    for i, status in enumerate(SEVERITY):
        assert worst(SEVERITY[: i + 1]) == status
        assert worst(reversed(SEVERITY[: i + 1])) == status
