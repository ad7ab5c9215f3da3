"""The same malformed structures given to other libraries, one forked process each; writes docs/capsules.md.

python -m trust.capsules.peers [CASES]
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trust.capsules.child import ArrayProducer
from trust.totals import ROOT

N_CASES = 100_000
MOST = 24  # structures of a class
SECONDS, BYTES = 2, 8 << 30  # for one structure
HEAD = """\
Written by `python -m trust.capsules.peers` with {versions}, over {n} structures, each with one fault that
can be noticed, each in a process of its own. crashed / hung (2 s) / accepted / refused: only the last is
right. A library is shown only what it reads without the fault, so its sums differ. Arrow's own position
is that structures come from producers one trusts; counted is what the bug of such a producer leads to."""
UNNOTICED = """\
## What nobody can notice

The interface gives pointers without sizes. So no consumer can tell a pointer that is wild or freed, a
buffer shorter than offset + length say, a last offset past the text, sizes of view buffers that are
untrue, a schema's children or a view array's buffers fewer than counted (below the limits of 10,000 and
2^31), metadata shorter than its own lengths, a format or name without its NUL, a release that frees
twice, memory of another device, or a producer that writes while we read. And so many rows of no bytes
(`w:0`, one run of 2^62) are sound: they take as long as they are.
Data that crosses a boundary of trust should come as bytes: Arrow IPC or Parquet.
"""
Consumer = Callable[[ArrayProducer], object]


def pyarrow(check: bool | None) -> Consumer:
    """Import and copy every value; with `check`, validate (False) or validate in full (True) first."""
    import pyarrow as pa

    def copied(column: pa.Array) -> object:
        try:
            return column.take(pa.array(range(len(column) - 1, -1, -1), pa.int64()))
        except pa.ArrowNotImplementedError:
            return column.to_pylist()

    def consume(producer: ArrayProducer) -> object:
        batch = pa.record_batch(producer)
        if check is not None:
            batch.validate(full=check)
        return [copied(column) for column in batch.columns]

    return consume


def nanoarrow() -> Consumer:
    import nanoarrow as na

    return lambda producer: na.Array(producer).to_pylist()


def polars() -> Consumer:
    import polars as pl

    return lambda producer: pl.Series(producer).reverse()


def tidegauge() -> Consumer:
    import tidegauge as tg

    return tg.profile


CONSUMERS: dict[str, Callable[[], Consumer]] = {
    "tidegauge": tidegauge,
    "PyArrow": lambda: pyarrow(None),
    "+ validate()": lambda: pyarrow(False),
    "+ validate(full=True)": lambda: pyarrow(True),
    "nanoarrow": nanoarrow,
    "Polars": polars,
}


def outcome_of(consume: Consumer, capsules: Any) -> str:
    """Give a structure to a library in a fork of this process."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            consume(ArrayProducer(capsules))
        except BaseException:  # a Rust panic is no Exception
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGALRM, signal.SIGXCPU}:
        return "hung"
    return "crashed" if os.WIFSIGNALED(status) else "refused" if os.WEXITSTATUS(status) else "accepted"


def measured(n_cases: int) -> dict[str, dict[str, Counter[str]]]:
    """Return how often each library crashed, accepted and refused, by the kind of fault."""
    from tidegauge import _contract

    consumers = {name: load() for name, load in CONSUMERS.items()}
    told: dict[str, dict[str, Counter[str]]] = {}
    n_of: Counter[str] = Counter()
    for number in range(n_cases):
        case = _contract.capsules_case(number, poisoned=False)
        kinds, is_table = case["faults"], len(case["names"]) == 2
        if (
            case["is_stream"]
            or not is_table
            or not case["wrong"]
            or len(kinds) != 1
            or n_of[kinds[0]] >= MOST
        ):
            continue
        n_of[kinds[0]] += 1
        sound = {name: _contract.capsules_case(number, poisoned=False, sound=True) for name in consumers}
        counts = told.setdefault(kinds[0], {name: Counter() for name in consumers})
        for name, consume in consumers.items():
            if outcome_of(consume, sound[name]["capsules"]) == "accepted":
                counts[name][outcome_of(consume, case["capsules"])] += 1
    return told


def page(told: dict[str, dict[str, Counter[str]]]) -> str:
    """Write the page."""
    versions = ", ".join(f"{name} {version(name.lower())}" for name in ("PyArrow", "nanoarrow", "Polars"))
    shown = ("crashed", "hung", "accepted", "refused")

    def row(name: str, counts: dict[str, Counter[str]]) -> str:
        cells = [" / ".join(str(each[what]) for what in shown) for each in counts.values()]
        return f"| {name} | {' | '.join(cells)} |"

    total = {name: sum((each[name] for each in told.values()), Counter[str]()) for name in CONSUMERS}
    n = sum(total["tidegauge"].values())  # which reads them all
    rows = [row(name, told[name]) for name in sorted(told)]
    return "\n".join(
        [
            "# Malformed Arrow structures",
            "",
            HEAD.format(versions=versions, n=n),
            "",
            f"| fault | {' | '.join(CONSUMERS)} |",
            "|---" * (len(CONSUMERS) + 1) + "|",
            row("**all**", total),
            *rows,
            "",
            UNNOTICED,
        ]
    )


if __name__ == "__main__":
    Path(ROOT / "docs" / "capsules.md").write_text(
        page(measured(int(sys.argv[1]) if sys.argv[1:] else N_CASES))
    )
