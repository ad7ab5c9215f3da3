"""How to run Python or a program over a build with sanitizers: `make sanitized-PRESET` builds it.

    python -m trust.sanitized PRESET [--leaks] PYTEST-ARGUMENT...

runs tests over it, without those that `suppressions/deselected.txt` lists.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Python has no frame pointers: who called it is seen by unwinding slowly, a few frames deep.
LEAKS = "detect_leaks=1:fast_unwind_on_malloc=0:malloc_context_size=12"
SUPPRESSIONS = Path(__file__).resolve().parent / "suppressions"
RUNTIMES = {"asan-ubsan": "libasan.so", "tsan": "libtsan.so"}


def build(preset: str) -> Path:
    """Return the folder of a preset's build. Raises FileNotFoundError with the command that makes it."""
    folder = ROOT / "build" / preset
    if not (ROOT / "build" / f"{preset}-site" / ".built").exists():
        raise FileNotFoundError(f"{folder.relative_to(ROOT)} is not built; run: make sanitized-{preset}")
    return folder


@cache
def _library(name: str) -> str:
    return subprocess.check_output(["g++", f"-print-file-name={name}"], text=True).strip()


def environment(preset: str, *, leaks: bool = False) -> dict[str, str]:
    """Return the variables with which a stock Python imports the package of a preset.

    libstdc++ is preloaded too: without it the first C++ throw under AddressSanitizer ends the process.
    """
    site = build(preset).parent / f"{preset}-site"
    preload = f"{_library(RUNTIMES[preset])} {_library('libstdc++.so')}"
    return os.environ | {
        "PYTHONPATH": str(site),
        "LD_PRELOAD": preload,
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": f"allocator_may_return_null=1:{LEAKS if leaks else 'detect_leaks=0'}",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "LSAN_OPTIONS": f"suppressions={SUPPRESSIONS / 'lsan.txt'}:print_suppressions=0",
        "TSAN_OPTIONS": f"exitcode=66:halt_on_error=1:suppressions={SUPPRESSIONS / 'tsan.txt'}",
    }


def deselected(preset: str) -> list[str]:
    """Return the arguments that keep pytest from the tests that cannot run over a preset's build."""
    lines = (SUPPRESSIONS / "deselected.txt").read_text().splitlines()
    listed = [line.split(maxsplit=2) for line in lines if line and not line.startswith("#")]
    return [f"--deselect={node}" for where, node, _ in listed if where in (preset, "*")]


def main(preset: str, *arguments: str) -> int:
    """Run pytest over a preset's build; return how it ended."""
    leaks = "--leaks" in arguments
    tests = [each for each in arguments if each != "--leaks"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *deselected(preset), *tests]
    return subprocess.run(command, cwd=ROOT, env=environment(preset, leaks=leaks), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
