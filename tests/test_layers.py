"""The layers of the project: each imports only what lies below it, in Python and in C++."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "tidegauge"

# From the bottom up. Names on one line never import each other.
PYTHON_LAYERS = [
    {"_core"},
    {"errors"},
    {
        *("window", "measurement", "tables", "edges", "cells", "homes", "arrow", "scores", "segments"),
        *("isotonic", "mix_and_rate"),
    },
    {"frames"},
    {"schema", "ranks", "joints", "calendar", "score_cells"},
    {"column_profiles", "outcome_specs", "feature_rows"},
    {"waiting_rows", "outcomes", "label_ages", "absolute_sums"},
    {"late_labels", "leaf_trees"},
    {"profiles"},
    {"reference_windows"},
    {"reference", "window_profiles"},
    {"segment_profiles"},
    {"drift", "quality", "intake", "archive"},
    {"seasons", "performance_result", "performance_estimates", "fairness_result"},
    {"performance_measurements", "performance_causes"},
    {"comparison", "performances", "slice_search", "fairnesses", "attributions"},
    {"scan_result"},
    {"window_scan"},
    {"performance_windows"},
    {"alerts", "export", "report", "interop"},
    {"verdict"},
    {"judging"},
    {"distributed", "config"},
    {"monitor"},
    {"serving"},
    {"cli", "demo"},
]
# Methods that draw what they are asked of: the upper layer is imported inside them, when they are called.
LATE = {
    ("tidegauge.comparison", "report"),
    ("tidegauge.performance_result", "report"),
    ("tidegauge.fairness_result", "report"),
    ("tidegauge.attributions", "report"),
    ("tidegauge.performance_windows", "report"),
}
RANK = {name: rank for rank, layer in enumerate(PYTHON_LAYERS) for name in layer}
CPP_LAYERS = [
    {"base"},
    {"arrow", "kernels"},
    {"binning", "store"},
    {"sketch", "joint"},
    {"profile"},
    {"python"},
]
CPP_RANK = {name: rank for rank, layer in enumerate(CPP_LAYERS) for name in layer}


def module_name(path: Path) -> str:
    parts = ("tidegauge", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str, module: str, *, is_package: bool) -> set[str]:
    """The absolute names a module imports, wherever in it they stand, except under `if TYPE_CHECKING`."""
    found: set[str] = set()
    package = module if is_package else module.rpartition(".")[0]
    for node in walk_run_time(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            found |= {origin if origin != "tidegauge" else f"tidegauge.{alias.name}" for alias in node.names}
    return found


def walk_run_time(tree: ast.AST):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from walk_run_time(node)


def layer_of(imported: str) -> str | None:
    """The layer an absolute import reaches, None where it leaves the package or names the package itself."""
    parts = imported.split(".")
    return parts[1] if parts[0] == "tidegauge" and len(parts) > 1 and parts[1] in RANK else None


def breaches(source: str, module: str, *, is_package: bool = False) -> list[str]:
    own = layer_of(module)
    if own is None:
        return []  # the package's own __init__
    reached = {layer_of(name) for name in imports_of(source, module, is_package=is_package)} - {None, own}
    return [
        f"{module} ({own}, rank {RANK[own]}) imports {name} (rank {RANK[name]})"
        for name in sorted(reached)
        if RANK[name] >= RANK[own] and (module, name) not in LATE
    ]


def python_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", python_files(), ids=module_name)
def test_python_module_imports_only_lower_layers(path: Path) -> None:
    module = module_name(path)
    if module != "tidegauge":
        assert layer_of(module), f"{module} has no layer: place it in PYTHON_LAYERS"
    assert breaches(path.read_text(), module, is_package=path.name == "__init__.py") == []


def test_what_may_be_imported_late_is_imported_inside_functions() -> None:
    for module, name in LATE:
        tree = ast.parse((PACKAGE / f"{module.removeprefix('tidegauge.')}.py").read_text())
        at_the_top = ast.unparse(
            ast.Module([node for node in tree.body if not isinstance(node, ast.ClassDef)], [])
        )
        assert f"tidegauge.{name}" not in at_the_top
        assert f"tidegauge.{name}" in ast.unparse(tree)


@pytest.mark.parametrize(
    "source",
    [
        "import tidegauge.comparison",
        "from tidegauge import comparison",
        "from tidegauge.comparison import compare",
        "from ..comparison import compare",
        "from .. import comparison",
        "def later():\n    from tidegauge.archive import sqlite",  # a sibling, and not at the top
    ],
)
def test_a_breach_is_found(source: str) -> None:
    assert breaches(source, "tidegauge.drift.psi")


def test_what_is_only_for_the_type_checker_is_no_breach() -> None:
    source = "if TYPE_CHECKING:\n    from tidegauge.comparison import Comparison"
    assert breaches(source, "tidegauge.drift.psi") == []


def test_only_the_top_layer_imports_the_package_itself() -> None:
    for path in python_files():
        module = module_name(path)
        names = imports_of(path.read_text(), module, is_package=path.name == "__init__.py")
        whole = sorted(name for name in names if name.partition(".")[0] == "tidegauge" and not layer_of(name))
        if whole and module != "tidegauge":
            assert layer_of(module) in PYTHON_LAYERS[-1], (
                f"{module} imports {whole} from the package: name the module"
            )


@pytest.mark.parametrize(
    "package",
    ["tidegauge", "tidegauge.drift", "tidegauge.demo", "tidegauge.report", "tidegauge.serving"],
)
def test_no_public_function_shares_a_submodules_name(package: str) -> None:
    module = import_module(package)
    submodules = {info.name for info in pkgutil.iter_modules(module.__path__)}
    functions = {name for name, value in vars(module).items() if inspect.isroutine(value)}
    assert submodules & functions == set(), "import order would decide which of the two a caller gets"


def cpp_files() -> list[Path]:
    return sorted(path for path in (ROOT / "cpp").rglob("*") if path.suffix in {".cpp", ".hpp"})


def cpp_layer(path: Path) -> str:
    return path.parent.name


@pytest.mark.parametrize("path", cpp_files(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_cpp_file_includes_only_lower_layers(path: Path) -> None:
    own = cpp_layer(path)
    assert own in CPP_RANK, f"{path} has no layer: place its folder in CPP_LAYERS"
    text = path.read_text()
    for included in re.findall(r'#\s*include\s*[<"]tidegauge/(\w+)/', text):
        assert included == own or CPP_RANK[included] < CPP_RANK[own], f"{path} includes {included}"
    if own != "python":
        assert not re.search(r"#\s*include\s*[<\"](pybind11|Python\.h)", text), f"{path} knows Python"
