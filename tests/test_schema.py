"""Schema: roles, checks, inference, TOML."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegauge.errors import SchemaError
from tidegauge.schema import Column, Schema, with_notices

DATA = {
    "amount": np.array([1.0, 2.0]),
    "country": ["SE", "DE"],
    "score": np.array([0.1, 0.9]),
    "fraud": np.array([True, False]),
    "at": np.array([1, 2], dtype="M8[s]"),
    "key": ["k1", "k2"],
    "emb": np.zeros((2, 3)),
    "odd": np.array([1j, 2j]),
    "w": np.array([1.0, 1.0]),
}


def inferred(**roles):
    return Schema.infer(DATA, **roles)


def test_kinds_and_roles():
    schema = inferred(
        score="score", label="fraud", timestamp="at", id=["key"], segments=["country"], weight="w"
    )
    assert {name: column.kind for name, column in schema.items()} == {
        "amount": "number",
        "country": "category",
        "score": "number",
        "fraud": "boolean",
        "at": "time",
        "key": "category",
        "emb": "embedding",
        "odd": "unsupported",
        "w": "number",
    }
    assert schema.with_role("score") == ("score",)
    assert schema.with_role("segment") == ("country",)
    assert schema.with_role("feature") == ("amount", "emb", "odd")
    assert {name for name, column in schema.items() if not column.judge} == {"at", "key", "odd"}
    assert "complex128" in schema["odd"].notice


def test_inference_reads_a_schema_of_any_input():
    table = pa.table({"a": [1], "t": pa.array([0], pa.timestamp("s", "UTC"))})
    assert Schema.infer(table) == Schema.infer(table.to_reader()) == Schema.infer([table])


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ({"score": "scor"}, "no column 'scor': did you mean 'score'"),
        ({"label": "zzz"}, "no column 'zzz': there are 'amount', 'country'"),
        ({"score": "amount", "label": "amount"}, "'amount' is given two roles, score and label"),
        ({"score": "country"}, "'country' is of kind category, but a score is number or embedding"),
        ({"timestamp": "amount"}, "'amount' is of kind number, but a timestamp is time"),
        ({"weight": "fraud"}, "a weight is number"),
        ({"segments": ["emb"]}, "a segment is category or boolean or number"),
        ({"score": "odd"}, "'odd' is of kind unsupported"),
    ],
)
def test_inference_refuses(roles, said):
    with pytest.raises(SchemaError, match=said):
        inferred(**roles)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "numeric"}, "kind is 'numeric', allowed are number, boolean, category"),
        ({"role": "target"}, "role is 'target', allowed are feature, score"),
        ({"accumulators": "all"}, "allowed are full, light"),
        ({"tolerance": 0.0}, "tolerance is 0.0, it must be above 0"),
        ({"tolerance": float("nan")}, "tolerance is nan"),
        ({"importance": -1.0}, "importance is -1.0"),
        ({"kind": "category", "circular": True}, "a category is not circular"),
    ],
)
def test_a_column_refuses(settings, said):
    with pytest.raises(SchemaError, match=said):
        Column(**{"name": "a", "kind": "number", **settings})


def test_a_schema_refuses_two_of_one():
    with pytest.raises(SchemaError, match="'a' is there twice"):
        Schema([Column("a", "number"), Column("a", "number")])
    with pytest.raises(SchemaError, match="all have the role weight"):
        Schema([Column("a", "number", "weight"), Column("b", "number", "weight")])


def test_a_schema_does_not_change():
    schema = Schema([Column("a", "number")])
    with pytest.raises(dataclasses.FrozenInstanceError):
        schema["a"].judge = False
    with pytest.raises(TypeError):
        schema["b"] = Column("b", "number")
    changed = schema.replace("a", tolerance=0.2, role="score")
    assert changed["a"] == Column("a", "number", "score", tolerance=0.2)
    assert schema["a"].tolerance is None
    assert len({schema, changed, Schema(schema.values())}) == 2


def test_replace_refuses():
    schema = Schema([Column("a", "number")])
    with pytest.raises(SchemaError, match="no column 'b'"):
        schema.replace("b", judge=False)
    with pytest.raises(SchemaError, match="no field 'tolerence': did you mean 'tolerance'"):
        schema.replace("a", tolerence=0.1)
    with pytest.raises(SchemaError, match="role is 'x'"):
        schema.replace("a", role="x")


def test_equality_is_of_settings_and_order():
    a, b = Column("a", "number"), Column("b", "category")
    assert Schema([a, b]) == Schema([a, b])
    assert Schema([a, b]) != Schema([b, a])
    assert Schema([a]) != Schema([Column("a", "number", judge=False)])
    assert Schema([a]) != {"a": a}


def test_with_notices():
    schema = with_notices(Schema([Column("a", "number"), Column("b", "number")]), {"a": "all values differ"})
    assert not schema["a"].judge
    assert schema["a"].notice == "all values differ"
    assert schema["b"].judge
    with pytest.raises(SchemaError, match="no column 'c'"):
        with_notices(schema, {"c": "why"})


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
POSITIVE = st.floats(1e-300, 1e300)
COLUMNS = st.builds(
    Column,
    name=TEXTS,
    kind=st.sampled_from(["number", "time"]),
    role=st.sampled_from(["feature", "label", "id", "ignored"]),
    accumulators=st.sampled_from(["full", "light"]),
    judge=st.booleans(),
    tolerance=st.none() | POSITIVE,
    circular=st.booleans(),
    importance=st.none() | POSITIVE | st.just(0.0),
    keep_values=st.none() | st.booleans(),
    notice=st.just("") | TEXTS,
)


@given(st.lists(COLUMNS, unique_by=lambda column: column.name))
def test_toml_gives_back_what_it_was_given(columns):
    schema = Schema(columns)
    assert Schema.from_toml(schema.to_toml()) == schema


def test_toml_from_a_file(tmp_path):
    path = tmp_path / "schema.toml"
    path.write_text(
        '[columns.amount]\nkind = "number"\ntolerance = 1\n\n[columns."card country"]\nkind = "category"\n'
    )
    schema = Schema.from_toml(path)
    assert schema == Schema([Column("amount", "number", tolerance=1.0), Column("card country", "category")])
    assert Schema.from_toml(str(path)) == schema


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[columns.a]\nkind = "nmber"', r"columns\.a\.kind: Invalid enum value 'nmber'"),
        ('[columns.a]\nkind = "number"\ntolerance = "big"', r"columns\.a\.tolerance: Expected `float"),
        ('[columns.a]\nkind = "number"\njudge = 1', r"columns\.a\.judge: Expected `bool`"),
        ('[columns.a]\nkind = "number"\ntolerance = -1', r"columns\.a: column 'a': tolerance is -1"),
        (
            '[columns.a]\nkind = "number"\nroll = "score"',
            r"columns\.a has no field 'roll': did you mean 'role'",
        ),
        ("[columns.a]", r"columns\.a: .*missing required field `kind`"),
        ("[columns]\na = 1", r"columns\.a is no table"),
        ("[colums.a]\n", "colums is no table of columns"),
        ("columns = 3\n", "columns is no table of columns"),
        ("[columns.a\n", "schema: "),
    ],
)
def test_toml_errors_name_the_path(text, said):
    with pytest.raises(SchemaError, match=said):
        Schema.from_toml(text)


def test_toml_errors_name_the_file(tmp_path):
    path = tmp_path / "s.toml"
    with pytest.raises(SchemaError, match=r"s\.toml"):
        Schema.from_toml(path)
    path.write_text('[columns.a]\nkind = "x"')
    with pytest.raises(SchemaError, match=r"s\.toml: columns\.a\.kind"):
        Schema.from_toml(path)


def test_what_is_shown_is_short_and_escaped():
    schema = Schema([Column("<b>", "number", "score", judge=False, notice="a & b"), Column("c", "category")])
    assert repr(schema) == "Schema of 2 columns\n  '<b>': number, score, not judged (a & b)\n  'c': category"
    shown = schema._repr_html_()
    assert "<b>" not in shown
    assert "&lt;b&gt;" in shown
    assert "a &amp; b" in shown


def test_msgspec_is_loaded_when_first_used():
    code = "import sys, tidegauge.schema; assert 'msgspec' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
