"""How to run Python or a program over a build with sanitizers: `make sanitized-PRESET` builds it.

    python -m trust.sanitized PRESET [--leaks] PYTEST-ARGUMENT...

runs tests over it, without those that `suppressions/deselected.txt` lists.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
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


def environment(preset: str, *, leaks: bool = False, reports: Path | None = None) -> dict[str, str]:
    """Return the variables with which a stock Python imports the package of a preset.

    `reports`: a folder for what is found, where the program's own output may be caught by another.
    libstdc++ is preloaded too: without it the first C++ throw under AddressSanitizer ends the process.
    """
    site = build(preset).parent / f"{preset}-site"
    to = "" if reports is None else f":log_path={reports / 'report'}"
    preload = f"{_library(RUNTIMES[preset])} {_library('libstdc++.so')}"
    return os.environ | {
        "PYTHONPATH": str(site),
        "LD_PRELOAD": preload,
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": f"allocator_may_return_null=1:{LEAKS if leaks else 'detect_leaks=0'}{to}",
        "UBSAN_OPTIONS": f"print_stacktrace=1{to}",
        "LSAN_OPTIONS": f"suppressions={SUPPRESSIONS / 'lsan.txt'}:print_suppressions=0",
        # At a fork OpenBLAS takes more locks than the detector of deadlocks has room for, and that ends it.
        "TSAN_OPTIONS": "exitcode=66:halt_on_error=1:detect_deadlocks=0:"
        f"suppressions={SUPPRESSIONS / 'tsan.txt'}{to}",
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
    with (
        tempfile.TemporaryDirectory() as folder
    ):  # pytest keeps what is written while a test ends the process
        reports = Path(folder)
        env = environment(preset, leaks=leaks, reports=reports)
        code = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
        if code:
            for report in sorted(reports.iterdir()):
                sys.stderr.write(report.read_text(errors="replace"))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
