"""Every single byte of small states forged behind its checksum: refused, or a state like any other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.forging import resigned

import tidegauge as tg
from tidegauge import _core, arrow
from tidegauge.errors import DecodeError, TidegaugeError

N = 40
RANDOM = np.random.default_rng(11)
COLUMNS: dict[str, Any] = {
    "float": pa.array([*RANDOM.normal(size=N - 3), math.nan, math.inf, None]),
    "whole": pa.array([*RANDOM.integers(0, 9, N - 1), None], pa.int64()),
    "flag": pa.array([*(RANDOM.random(N - 1) < 0.5), None]),
    "word": pa.array([*RANDOM.choice(["a", "bb", "é"], N - 1), None]),
    "when": pa.array(np.arange(N).astype("M8[s]")),
    "vector": pa.FixedSizeListArray.from_arrays(pa.array(RANDOM.normal(size=2 * N)), 2),
    "thing": pa.array([[1]] * N),
}
LARGE = {
    "float": pa.array(RANDOM.normal(size=20_000)),
    "whole": pa.array(RANDOM.integers(-(2**62), 2**62, 5_000)),
    "word": pa.array([f"w{i}" for i in RANDOM.zipf(1.2, 5_000) % 2_000]),
}


def is_signed(data: bytes) -> bool:
    return resigned(data[:-8]) == data


def states() -> Iterator[tuple[str, bytes]]:
    """Small states of every kind of column, alone, so that few bytes say much."""
    for name, array in COLUMNS.items():
        data = {name: array}
        reference = tg.Reference.fit(data)
        for accumulators in ("full", "light"):
            yield f"{name}, {accumulators}", tg.profile(data, accumulators=accumulators).to_bytes()  # type: ignore[arg-type]
            closed = tg.profile(data, reference, accumulators=accumulators)  # type: ignore[arg-type]
            yield f"{name}, {accumulators}, with edges", closed._core.to_bytes(with_edges=True)
    pair = {name: COLUMNS[name] for name in ("float", "whole", "flag")}
    reference = tg.Reference.fit(pair)
    yield "a joint", tg.profile(pair, reference)._core.to_bytes(with_edges=True)
    bits = _core.DISTINCT | _core.QUANTILES | _core.EXPONENTIAL
    for state, array in (("float64", COLUMNS["float"]), ("int64", COLUMNS["whole"])):
        spec = _core.ColumnSpec(name="x", kind="number", state=state, accumulators=bits)
        profile = _core.Profile([spec])
        (batch,) = arrow.batches({"x": array})
        profile.update(batch, 1)
        yield f"exponential, {state}", profile.to_bytes(with_edges=True)
    for name, array in LARGE.items():
        yield f"much of {name}", tg.profile({name: array}).to_bytes()


STATES = dict(states())


def forged(data: bytes, most: int = 350) -> Iterator[bytes]:
    """Each byte as several others, left out and preceded by another, and each cut; signed anew where it was.

    Of a long state that is every so manieth byte.
    """
    body, seal = (data[:-8], resigned) if is_signed(data) else (data, bytes)
    step = max(1, len(body) // most)
    for at in range(0, len(body), step):
        for value in {0, 1, 127, 128, 255, body[at] ^ 1, body[at] ^ 64, (body[at] + 1) % 256}:
            if value != body[at]:
                altered = bytearray(body)
                altered[at] = value
                yield seal(altered)
        yield seal(body[:at] + body[at + 1 :])
        yield seal(body[:at] + b"\0" + body[at:])
        yield seal(body[:at])


def use(profile: tg.Profile, own: tg.Profile) -> None:
    """Whatever was accepted is a state like any other: it tells, saves and merges."""
    assert tg.Profile.from_bytes(profile._core.to_bytes(with_edges=True)) == profile
    for column in profile._core.columns:
        told = tg.profiles.ColumnProfile(column)
        told.to_dict(), told.top(5), told.counts, told.categories, told.error_bounds
        assert told.n_rows == (
            told.n_present + told.n_null + told.n_nan + told.n_inf + told.n_mistyped + told.n_absent
        )
    for call in (lambda: own.copy().merge(profile), lambda: profile.merge(own)):
        try:
            call()
        except TidegaugeError:
            continue
    assert (profile.joint is None) <= (profile._core.joint is None)
    profile.to_bytes()


@pytest.mark.parametrize("name", STATES)
def test_forged_states_are_refused_or_used(name: str) -> None:
    own = tg.Profile.from_bytes(STATES[name])
    n_accepted = 0
    for data in forged(STATES[name]):
        try:
            profile = tg.Profile.from_bytes(data)
        except DecodeError:
            continue
        n_accepted += 1
        use(profile, own)
    assert n_accepted > 0


def outcomes() -> dict[str, Any]:
    data = {
        "score": np.linspace(0, 1, N),
        "label": np.arange(N) % 2,
        "said": np.arange(N) % 3 % 2,
        "weight": np.ones(N),
        "y": np.sin(np.arange(N)),
    }
    edges = np.array([0.0, 0.25, 0.5, 1.0])
    made = {
        "binary": _core.BinaryOutcomes("score", "label", edges, positive=1),
        "binary, weighted": _core.BinaryOutcomes(
            "score", "label", edges, positive=1, negative=0, weight="weight"
        ),
        "confusion": _core.ConfusionOutcomes("said", "label", [0, 1]),
        "regression": _core.RegressionOutcomes("score", "y", np.array([-1.0, 0.0, 1.0])),
    }
    (batch,) = arrow.batches(data)
    for each in made.values():
        each.update(batch)
    return made


@pytest.mark.parametrize("name", ["binary", "binary, weighted", "confusion", "regression"])
def test_forged_outcomes_are_refused_or_used(name: str) -> None:
    own = outcomes()[name]
    n_refused = 0
    for data in forged(own.to_bytes()):
        try:
            found = type(own).from_bytes(data)
        except DecodeError:
            n_refused += 1
            continue
        assert type(own).from_bytes(found.to_bytes()).to_bytes() == found.to_bytes()
        found.homes, found.counts(), found.n_rows
        for call in (lambda found=found: own.copy().merge(found), lambda found=found: found.subtract(own)):
            try:
                call()
            except TidegaugeError:
                continue
    assert n_refused > 0
