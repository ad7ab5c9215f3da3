"""The process that may die: cases given to the engine, or through Python's own capsules to the package.

    python -m trust.capsules.child MODE FIRST N STEP SECONDS PROGRESS      MODE is engine, blind or python

Prints one line of JSON. The number of the case being tried stands in the file PROGRESS, as 8 bytes.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any


class Producer:
    """A PyCapsule producer of one case."""

    def __init__(self, capsules: Any) -> None:
        self._capsules = capsules


class ArrayProducer(Producer):
    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return self._capsules


class StreamProducer(Producer):
    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return self._capsules


def problem_of(case: dict[str, Any], profile: Any) -> str | None:
    """Give a case to a profile that has rows already; tell what is not as it must be."""
    from tidegauge.errors import ArrowError, InputError

    producer = (StreamProducer if case["is_stream"] else ArrayProducer)(case["capsules"])
    before, n_rows = profile.to_bytes(), profile.n_rows
    names = case["names"]
    is_unnamed = len(set(names)) < len(names) or names == [b""]
    wrong, n_expected = case["wrong"], case["n_rows"]
    try:
        profile.update(producer)
    except ArrowError as error:
        is_said = any(words in str(error) for words in wrong)
        if not is_said and not (case["is_consumed"] and "capsule was already consumed" in str(error)):
            return f"says {error}"
        if is_unnamed:  # noticed before the rows or after, as the input comes
            return None
    except InputError as error:
        if not is_unnamed:
            return f"says {error}"
        n_expected = 0
    else:
        if wrong or is_unnamed:
            return f"is accepted, but {wrong or names}"
    if profile.n_rows - n_rows != n_expected:
        return f"adds {profile.n_rows - n_rows} rows, not {n_expected}"
    if case["n_batches"] == 0 and wrong and profile.to_bytes() != before:
        return "changes a profile that refuses it"
    return None


def through_python(first: int, n: int, step: int, seconds: float, progress: Path) -> dict[str, Any]:
    import tidegauge as tg
    from tidegauge import _contract

    warnings.simplefilter("ignore")  # a stream without rows is worth one elsewhere
    until = time.monotonic() + seconds
    findings: list[str] = []
    counts: Counter[str] = Counter()
    tried = 0
    start = tg.Profile.empty()
    start.update({"z": [1.0, 2.0]})
    with progress.open("r+b", buffering=0) as file:
        while tried < n and time.monotonic() < until:
            file.seek(0)
            file.write((first + tried).to_bytes(8, "little"))
            case = _contract.capsules_case(first + tried)
            problem = problem_of(case, start.copy())
            counts["refused" if case["wrong"] else "accepted"] += 1
            title = case["title"]
            del case
            if problem is not None:
                findings.append(f"{title} through Python {problem}")
            tried += step
            if tried // step % 100 == 0 or tried >= n:
                gc.collect()
                findings += _contract.capsules_settle()
    gc.collect()
    findings += _contract.capsules_settle()
    return {"tried": min(tried, n), "findings": findings, "counts": counts}


def main(mode: str, first: int, n: int, step: int, seconds: float, progress: Path) -> None:
    from tidegauge import _contract

    if mode == "python":
        told = through_python(first, n, step, seconds, progress)
    else:
        told = _contract.capsules_run(first, n, step, seconds, str(progress), mode == "blind")
    print("\n" + json.dumps(told))


if __name__ == "__main__":
    _, mode, first, n, step, seconds, progress = sys.argv
    main(mode, int(first), int(n), int(step), float(seconds), Path(progress))
