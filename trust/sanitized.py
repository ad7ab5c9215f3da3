"""How to run Python or a program over a build with sanitizers: `make sanitized-PRESET` builds it."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
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
        "ASAN_OPTIONS": f"detect_leaks={int(leaks)}:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": "exitcode=66:halt_on_error=1",
    }
