"""The typed stub of the engine says what the engine has: no name, parameter or default more or less."""

from __future__ import annotations

import ast
import re
import types
from pathlib import Path

import tidegauge
from tidegauge import _core

STUB = Path(tidegauge.__file__).with_name("_core.pyi")
Signature = tuple[str, ...]


def stubbed() -> dict[str, str | Signature]:
    """Each public name with its sort, or for functions the parameters; methods as Class.name."""
    found: dict[str, str | Signature] = {}
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.ClassDef):
            bases = ", ".join(base.id for base in node.bases if isinstance(base, ast.Name))
            found[node.name] = f"class({bases})"
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    found[f"{node.name}.{inner.name}"] = sort_of(inner)
        elif isinstance(node, ast.FunctionDef):
            found[node.name] = parameters(node.args)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = "constant"
    return found


def sort_of(function: ast.FunctionDef) -> str | Signature:
    marks = [mark.id for mark in function.decorator_list if isinstance(mark, ast.Name)]
    return "property" if "property" in marks else parameters(function.args)


def parameters(arguments: ast.arguments) -> Signature:
    """Names but self's; a default is marked by "=", and what may not be named is "_"."""
    required = len(arguments.posonlyargs + arguments.args) - len(arguments.defaults)
    told = ["_" for _ in arguments.posonlyargs] + [argument.arg for argument in arguments.args]
    told = [name + ("=" if i >= required else "") for i, name in enumerate(told)]
    told += [
        argument.arg + ("=" if default is not None else "")
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    positional = [*arguments.posonlyargs, *arguments.args]
    return tuple(told[1:] if positional and positional[0].arg == "self" else told)


def built() -> dict[str, str | Signature]:
    """The same of the module itself, as its docstrings announce it."""
    found: dict[str, str | Signature] = {}
    for name, value in vars(_core).items():
        if name.startswith("_"):
            continue
        if isinstance(value, type):
            bases = [base.__name__ for base in value.__bases__ if base.__name__ != "pybind11_object"]
            found[name] = f"class({', '.join(bases)})"
            for inner, attribute in vars(value).items():
                if isinstance(attribute, property):
                    found[f"{name}.{inner}"] = "property"
                elif callable(attribute) and is_own(inner, attribute):
                    found[f"{name}.{inner}"] = announced(getattr(value, inner).__doc__ or "", of_class=name)
        else:
            found[name] = announced(value.__doc__ or "") if callable(value) else "constant"
    return found


def is_own(name: str, attribute: object) -> bool:
    inherited = isinstance(attribute, types.WrapperDescriptorType)
    return not inherited and name not in {"__new__", "_pybind11_conduit_v1_"}


def announced(docstring: str, of_class: str = "") -> Signature:
    """Read "name(self: Class, a: int, b: str = '') -> ..." of pybind11; overloads give one parameter."""
    overloads = re.findall(r"^\d+\. \w+\((.*)\) -> ", docstring, re.MULTILINE)
    if overloads:
        names = {announced(f"f({one}) -> None", of_class) for one in overloads}
        return ("_",) if len(names) > 1 else names.pop()
    (inside,) = re.findall(r"^\w+\((.*)\) -> ", docstring.splitlines()[0])
    told = []
    for part in re.split(r", (?=\w+: |\*)", inside):
        name, _, rest = part.partition(":")
        if name in {"", "*"} or (of_class and name == "self") or "arg0: object" in part:
            continue
        unnamed = re.fullmatch(r"arg\d+", name) or name == "from"  # which Python cannot say
        told.append(("_" if unnamed else name) + ("=" if " = " in rest else ""))
    return tuple(told)


def test_the_stub_and_the_engine_have_the_same_names() -> None:
    assert sorted(stubbed()) == sorted(built())


def test_sorts_parameters_and_defaults_agree() -> None:
    engine = built()
    overloaded = {"Profile.__init__"}  # of accumulators, or of specs
    unlike = {
        name: (what, engine[name])
        for name, what in stubbed().items()
        if what != engine[name] and name not in overloaded
    }
    assert not unlike
    assert stubbed()["Profile.__init__"] == ("specs", "joint=", "with_parts=", "outcomes=", "leaves=")
    assert engine["Profile.__init__"] == ("_",)


def test_what_the_engine_gives_has_the_stubbed_type() -> None:
    """Scalar properties of live objects against the annotation of each."""
    columns = tidegauge.profile(
        {"f": [1.5], "i": [1], "b": [True], "s": ["x"], "v": [[1.0, 2.0]], "u": [{}]}
    )._core.columns
    scalars = {"int": int, "float": float, "str": str, "bool": bool}
    checked = set()
    for node in ast.parse(STUB.read_text()).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for inner in node.body:
            if not isinstance(inner, ast.FunctionDef) or sort_of(inner) != "property":
                continue
            expected = scalars.get(ast.unparse(inner.returns)) if inner.returns else None
            for column in (*columns, *(column.spec for column in columns)):
                if expected and isinstance(column, getattr(_core, node.name)):
                    assert type(getattr(column, inner.name)) is expected, (node.name, inner.name)
                    checked.add(node.name)
    assert checked == {
        "BooleanColumn",
        "CategoryColumn",
        "Column",
        "ColumnSpec",
        "EmbeddingColumn",
        "FloatColumn",
        "IntegerColumn",
    }
