"""The shim (shim.c) between a process and its files: building it, running Python with it, driving it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from enum import IntEnum, IntFlag
from functools import cache
from pathlib import Path

from trust.part import Outcome
from trust.slices import decoded
from trust.totals import ROOT

SOURCE = Path(__file__).with_name("shim.c")
BUILT = ROOT / "build" / "shim.so"


class Kind(IntFlag):
    """Operations on files."""

    OPEN = 1
    WRITE = 2
    FSYNC = 4
    RENAME = 8
    CLOSE = 16
    UNLINK = 32
    TRUNCATE = 64
    MKDIR = 128
    LINK = 256
    READ = 512
    NEW = 1024  # C++'s operator new, in the thread that armed the shim


ALL = Kind(1023)
CHANGES = ALL & ~(Kind.READ | Kind.CLOSE)  # those that leave something behind


class Mode(IntEnum):
    """What happens at the k-th operation."""

    ONCE = 0  # it fails
    FOR_GOOD = 1  # it and all after it fail
    SHORT = 2  # half of a write or read is done; another operation fails
    KILL_BEFORE = 3
    KILL_HALFWAY = 4  # a write half done; another operation done
    KILL_AFTER = 5


class Shim:
    """The shim in this process, which was started by `run_apart`."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(os.environ["LD_PRELOAD"].split()[0])
        for name in ("seen", "hits", "changes"):
            getattr(self._library, f"trust_{name}").restype = ctypes.c_long

    def watch(self, folder: Path, log: int = -1) -> None:
        """Watch the files under a folder, and no others; write down what is done to them in `log`."""
        self._library.trust_watch(os.fsencode(folder), log)

    def arm(self, kinds: int, k: int, mode: Mode, error: int = 0) -> None:
        """Have the k-th operation of these kinds fail with an errno, or kill; counts from 1, anew."""
        self._library.trust_arm(int(kinds), ctypes.c_long(k), int(mode), error)

    def disarm(self) -> None:
        """Let everything pass, and count no more."""
        self._library.trust_disarm()

    def mark(self) -> None:
        """Count changes from here."""
        self._library.trust_mark()

    def note(self, text: str) -> None:
        """Put a line into the log."""
        self._library.trust_note(text.encode())

    @property
    def seen(self) -> int:
        """Operations since arming, of the kinds armed for."""
        return int(self._library.trust_seen())

    @property
    def hits(self) -> int:
        """Those of them that failed, were cut short, or killed."""
        return int(self._library.trust_hits())

    @property
    def changes(self) -> int:
        """Changes that went well since `mark`, in all processes that this one forked too."""
        return int(self._library.trust_changes())


@cache
def built() -> Path:
    """Compile the shim if it is not there or older than its source. Raises CalledProcessError."""
    if not BUILT.exists() or BUILT.stat().st_mtime < SOURCE.stat().st_mtime:
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or "g++ -xc"
        BUILT.parent.mkdir(exist_ok=True)
        beside = BUILT.with_suffix(f".{os.getpid()}")  # two slices may build it at once
        options = ["-std=gnu11", "-O1", "-fexceptions", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
        command = [
            *compiler.split(),
            *options,
            "-o",
            str(beside),
            str(SOURCE),
            "-ldl",
            "-lpthread",
            "-lstdc++",
        ]
        subprocess.run(command, check=True)
        beside.replace(BUILT)
    return BUILT


def run_apart(module: str, *arguments: object) -> Outcome:
    """Run `python -m MODULE ARGUMENTS` with the shim, and return the outcome that is its last line.

    What kills it, or it raises, is raised here, so that the slice ends with it and it becomes a finding.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"LD_PRELOAD": str(built())},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return decoded(done.stdout.strip().rpartition("\n")[2])


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Return a folder in memory if there is one: what is tested is our order of calls, not the disk."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)
