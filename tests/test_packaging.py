"""The source distribution holds what is needed to build the package, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOP = ("pyproject.toml", "CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", "CHANGELOG.md")


def expected() -> set[str]:
    cpp = [
        path
        for path in (ROOT / "cpp").rglob("*")
        if path.suffix in {".cpp", ".hpp"} or path.name == "CMakeLists.txt"
    ]
    package = list((ROOT / "src" / "tidegauge").rglob("*.py"))
    extra = [ROOT / "src" / "tidegauge" / "py.typed", *(ROOT / "src" / "tidegauge").glob("*.pyi")]
    extra += (ROOT / "src" / "tidegauge" / "report" / "templates").iterdir()
    return set(TOP) | {path.relative_to(ROOT).as_posix() for path in [*cpp, *package, *extra]}


def test_sdist_holds_the_allowed_files_only(tmp_path: Path) -> None:
    pytest.importorskip("scikit_build_core")
    build = "import sys; from scikit_build_core.build import build_sdist; print(build_sdist(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        found = {name.partition("/")[2] for name in tar.getnames()}
    assert found == expected() | {"PKG-INFO"}
