"""Watched functions: rows, lists of rows and batches, and that nothing of the function changes."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
from collections import ChainMap, UserDict
from dataclasses import dataclass

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest

from tidegauge.errors import InputError
from tidegauge.serving import watched

ROW = {"amount": 12.5, "country": "SE"}
BATCH = {"amount": np.array([1.0, 2.0, 3.0]), "country": ["SE", "DE", "SE"]}


@dataclass
class Plain:
    amount: float
    country: str


@dataclass(slots=True)
class Slotted:
    amount: float
    country: str


class Model(pydantic.BaseModel):
    amount: float
    country: str


class Struct(msgspec.Struct):
    amount: float
    country: str


# ---- rows


@pytest.mark.parametrize(
    "features",
    [ROW, ChainMap(ROW), Plain(**ROW), Slotted(**ROW), Model(**ROW), Struct(**ROW)],
    ids=lambda features: type(features).__name__,
)
@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (0.5, {"score": 0.5}),
        (1, {"score": 1}),
        (True, {"score": True}),
        ("fraud", {"score": "fraud"}),
        (None, {"score": None}),
        (np.float32(0.5), {"score": 0.5}),
        (np.array(0.5), {"score": 0.5}),
        ({"fraud": 0.5, "label": "no"}, {"fraud": 0.5, "label": "no"}),
        (Plain(1.0, "NO"), {"amount": 1.0, "country": "NO"}),
        (np.array([0.5, 0.25]), {"score": [0.5, 0.25]}),
    ],
    ids=str,
)
def test_a_row(recorder, features, result, outcome):
    function = watched(recorder)(lambda features: result)
    assert function(features) is result
    (row,) = recorder.rows
    assert {name: getattr(v, "tolist", lambda v=v: v)() for name, v in row.items()} == {**ROW, **outcome}
    assert not recorder.batches
    assert not recorder.errors


def test_the_score_has_the_name_that_is_given(recorder):
    watched(recorder, output="p")(lambda features: 0.5)(ROW)
    assert recorder.rows == [{**ROW, "p": 0.5}]


def test_the_features_are_not_changed(recorder):
    features = dict(ROW)
    watched(recorder)(lambda features: 0.5)(features)
    assert features == ROW


def test_a_row_with_an_embedding_is_a_row(recorder):
    watched(recorder)(lambda features: 0.5)({"e": [1.0, 2.0]})
    watched(recorder)(lambda features: {"p": [0.1, 0.9]})({"e": [1.0, 2.0], "n": 1})
    assert recorder.rows == [{"e": [1.0, 2.0], "score": 0.5}, {"e": [1.0, 2.0], "n": 1, "p": [0.1, 0.9]}]


def test_a_list_of_rows(recorder):
    watched(recorder)(lambda features: [0.1, 0.2])([ROW, Model(**ROW)])
    watched(recorder)(lambda features: np.array([0.1, 0.2]))([ROW, ROW])
    watched(recorder)(lambda features: [{"p": 0.1}, {"p": 0.2}])((ROW, ROW))
    assert recorder.rows == [{**ROW, name: p} for name in ("score", "score", "p") for p in (0.1, 0.2)]
    assert not recorder.errors


# ---- batches

FRAMES = [
    BATCH,
    pd.DataFrame(BATCH),
    pl.DataFrame(BATCH),
    pa.table(BATCH),
    pa.table(BATCH).to_batches()[0],
]
SCORES = [0.1, 0.2, 0.3]


@pytest.mark.parametrize("features", FRAMES, ids=lambda frame: type(frame).__qualname__)
@pytest.mark.parametrize(
    "result",
    [
        SCORES,
        *(make(SCORES) for make in (np.array, pd.Series, pl.Series, pa.array)),
        *(make({"score": SCORES}) for make in (dict, pd.DataFrame, pl.DataFrame, pa.table)),
    ],
    ids=lambda result: f"{type(result).__module__.partition('.')[0]}.{type(result).__qualname__}",
)
def test_a_batch(recorder, features, result):
    assert watched(recorder)(lambda features: result)(features) is result
    assert recorder.errors == []
    assert recorder.rows == []
    names = {name for batch_names, _ in recorder.batches for name in batch_names}
    assert names == {"amount", "country", "score"}
    assert sum(n_rows for _, n_rows in recorder.batches) == 3


def test_probabilities_of_several_classes_are_an_embedding(recorder):
    watched(recorder)(lambda features: np.ones((3, 4)))(pd.DataFrame(BATCH))
    assert recorder.batches == [({"amount", "country", "score"}, 3)]


# ---- any function


def test_an_async_function(recorder):
    @watched(recorder)
    async def score(features):
        await asyncio.sleep(0)
        return 0.5

    assert inspect.iscoroutinefunction(score)
    assert asyncio.run(score(ROW)) == 0.5
    assert recorder.rows == [{**ROW, "score": 0.5}]


def test_a_cancelled_call_is_not_recorded_and_stays_cancelled(recorder):
    @watched(recorder)
    async def score(features):
        await asyncio.sleep(60)

    async def cancel():
        task = asyncio.create_task(score(ROW))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    assert recorder.rows == []


def test_methods_and_objects_that_are_called(recorder):
    class Scorer:
        @watched(recorder)
        def score(self, features):
            return 0.5

        @watched(recorder)
        async def later(self, features):
            return 0.25

        @classmethod
        @watched(recorder)
        def of_class(cls, features):
            return 0.125

        @staticmethod
        @watched(recorder)
        def of_none(features):
            return 0.0625

        def __call__(self, features):
            return 1.0

    class Later:
        async def __call__(self, features):
            return 2.0

    scorer = Scorer()
    assert scorer.score(ROW) == 0.5
    assert asyncio.run(scorer.later(features=ROW)) == 0.25
    assert Scorer.of_class(ROW) == 0.125
    assert scorer.of_none(ROW) == 0.0625
    assert watched(recorder)(scorer)(ROW) == 1.0
    assert asyncio.run(watched(recorder)(Later())(ROW)) == 2.0
    assert watched(recorder)(functools.partial(lambda bias, features: bias, 3.0))(ROW) == 3.0
    assert [row["score"] for row in recorder.rows] == [0.5, 0.25, 0.125, 0.0625, 1.0, 2.0, 3.0]
    assert all(row.items() >= ROW.items() for row in recorder.rows)


def test_the_parameter_with_the_features_may_be_named(recorder):
    @watched(recorder, inputs="features")
    def score(request, features=ROW, *, bias=0.0):
        """Score."""
        return 0.5 + bias

    assert score("r", ROW) == 0.5
    assert score(features=ROW, request="r", bias=0.25) == 0.75
    assert [row["score"] for row in recorder.rows] == [0.5, 0.75]
    assert (score.__name__, score.__doc__) == ("score", "Score.")
    assert list(inspect.signature(score).parameters) == ["request", "features", "bias"]


def test_exceptions_pass_and_their_calls_are_not_recorded(recorder):
    error = KeyError("amount")

    @watched(recorder)
    def score(features):
        raise error

    with pytest.raises(KeyError) as raised:
        score(ROW)
    assert raised.value is error
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        score()
    assert not recorder.rows
    assert not recorder.errors


# ---- what cannot be understood


class Hostile(UserDict):
    def __getitem__(self, name):
        raise ZeroDivisionError("hostile")


@pytest.mark.parametrize(
    ("features", "result", "said"),
    [
        (object(), 0.5, "cannot read features of type object"),
        (np.ones((3, 2)), np.ones(3), "cannot read features of type ndarray"),
        ("text", 0.5, "cannot read features of type str"),
        (pd.DataFrame(BATCH), 0.5, "column 'score' is a builtins.float, not an array"),
        (pd.DataFrame(BATCH), None, "column 'score' is a builtins.NoneType"),
        (BATCH, None, "column 'score' is a builtins.NoneType"),
        (BATCH, np.ones(2), "score"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), np.ones(1), r"stands twice in \['a', 'a'\]"),
        ([ROW, ROW], [0.5], "2 rows went in and 1 came out"),
        ([ROW, ROW], 0.5, "2 rows went in and one float came out"),
        ([1, 2], [0.5, 0.5], "a list of int is no list of rows"),
        (Hostile(a=1), 0.5, "hostile"),
    ],
    ids=range(12),
)
def test_what_is_not_understood_is_counted_and_changes_nothing(recorder, features, result, said):
    assert watched(recorder)(lambda features: result)(features) is result
    assert recorder.rows == []
    (error,) = recorder.errors
    assert re.search(said, error)


def test_a_call_without_features_is_counted(recorder):
    assert watched(recorder)(lambda features=None: 0.5)() == 0.5
    assert recorder.errors == ["'features'"]


def test_a_monitor_made_later(recorder, caplog):
    made = []
    score = watched(lambda: made[0])(lambda features: 0.5)
    assert [score(ROW), score(ROW)] == [0.5, 0.5]
    assert [record.getMessage() for record in caplog.records] == [
        "calls are not recorded, no monitor: IndexError('list index out of range')"
    ]
    made.append(recorder)
    assert score(ROW) == 0.5
    assert recorder.rows == [{**ROW, "score": 0.5}]


def test_what_is_no_scoring_function_is_refused(recorder):
    def rows():
        yield 0.5

    async def later():
        yield 0.5

    refusals = {
        "yields": [rows, later],
        "no parameter for the features": [lambda: 0.5, type("C", (), {"m": lambda self: 0.5}).m],
        "goes below @staticmethod": [staticmethod(lambda features: 0.5)],
        "goes below @classmethod": [classmethod(lambda cls, features: 0.5)],
    }
    for said, functions in refusals.items():
        for function in functions:
            with pytest.raises(InputError, match=said):
                watched(recorder)(function)
    with pytest.raises(InputError, match=r"has no parameter 'x', only \['features'\]"):
        watched(recorder, inputs="x")(lambda features: 0.5)
