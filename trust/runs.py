"""The two runs: what a change must pass, and what goes on for as long as it is given."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from itertools import pairwise

from trust.part import Outcome, Part
from trust.slices import Slice, run_apart
from trust.totals import Total, code_digest

SLICE_SECONDS = 60.0
SETTLED = "false alarms of the harness"
CHANGE_SECONDS = 600.0  # of a slice: a limit on a machine that is slow beyond use, not a goal

Report = Callable[[Slice, Outcome, float], None]


def n_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def today() -> str:
    """Return the day, UTC."""
    return datetime.now(UTC).date().isoformat()


def total_of(part: Part, totals: list[Total], code: str) -> Total:
    """Return the total of a part over this code, a new one if there is none."""
    for total in totals:
        if (total.part, total.code) == (part.name, code):
            return total
    totals.append(Total(part.name, code, today(), today()))
    return totals[-1]


def shares(part: Part, n_shares: int) -> Iterator[Slice]:
    """Yield the cases of a change, split over the cores where the part shares the machine."""
    n_shares = 1 if part.alone else min(n_shares, part.change)
    bounds = [part.change * i // n_shares for i in range(n_shares + 1)]
    for first, end in pairwise(bounds):
        yield Slice(part, first, end - first, CHANGE_SECONDS)


def change(parts: Sequence[Part], report: Report) -> list[Total]:
    """Try what every change must pass, always the same cases; return the totals."""
    totals: list[Total] = []
    code = code_digest()
    together = [piece for part in parts if not part.alone for piece in shares(part, n_cores())]
    alone = [piece for part in parts if part.alone for piece in shares(part, 1)]
    for pieces, n_workers in ((together, n_cores()), (alone, 1)):
        with ThreadPoolExecutor(n_workers) as pool:
            for piece, (outcome, seconds) in zip(pieces, pool.map(run_apart, pieces), strict=True):
                total_of(piece.part, totals, code).add(outcome, seconds, today())
                report(piece, outcome, seconds)
    return totals


def next_slice(
    parts: Sequence[Part], totals: list[Total], numbers: dict[str, int], running: Sequence[Slice]
) -> Slice | None:
    """Return the next cases of the part furthest from its goal, and reserve their numbers.

    None when every part has reached its goal or has the rest of it running. A slice has as many cases as its
    part tries in a slice's time. When it is the turn of a part that needs the machine for itself, nothing
    begins until all that runs has ended.
    """
    if any(piece.part.alone for piece in running):
        return None
    code = code_digest()
    kept = {part.name: total_of(part, totals, code) for part in parts}
    begun = Counter({name: total.tried for name, total in kept.items()})
    for piece in running:
        begun[piece.part.name] += piece.n
    done = {part: begun[part.name] / part.deep for part in parts if begun[part.name] < part.deep}
    if not done:
        return None
    part = min(done, key=lambda part: (done[part], not part.alone))
    if part.alone and running:
        return None
    if not part.alone:
        busy = Counter(piece.part.name for piece in running)
        part = min((each for each in done if not each.alone), key=lambda each: (busy[each.name], done[each]))
    total = kept[part.name]
    rate = total.tried / total.seconds if total.tried and total.seconds else part.change / SLICE_SECONDS
    n = max(1, min(int(rate * SLICE_SECONDS), part.deep - begun[part.name]))
    first = numbers.get(part.name, part.change)
    numbers[part.name] = first + n
    return Slice(part, first, n, SLICE_SECONDS)


def settle(parts: Sequence[Part], totals: list[Total], report: Report) -> None:
    """Try the findings over this code again, and count those it no longer shows: the harness was wrong."""
    by_name = {part.name: part for part in parts}
    for total in totals:
        if total.code != code_digest() or total.part not in by_name:
            continue
        still = []
        for finding in total.findings:
            number = re.search(rf"try {re.escape(total.part)} (\d+)", finding)
            if number is None:
                still.append(finding)
                continue
            piece = Slice(by_name[total.part], int(number[1]), 1, CHANGE_SECONDS)
            outcome, seconds = run_apart(piece)
            report(piece, outcome, seconds)
            if outcome.findings:
                still.append(finding)
            else:
                total.counts[SETTLED] = total.counts.get(SETTLED, 0) + 1
        total.findings = still


def deep(
    parts: Sequence[Part],
    budget_seconds: float,
    numbers: dict[str, int],
    totals: list[Total],
    report: Report,
) -> None:
    """Try new cases, slice after slice on every core, until each part has reached its goal or time is over.

    Adds to `numbers` and `totals` in place; `report` is called after each slice, when both are up to date.
    """
    until = time.monotonic() + budget_seconds
    running: dict[Future[tuple[Outcome, float]], Slice] = {}
    with ThreadPoolExecutor(n_cores()) as pool:
        while True:
            piece = None
            if len(running) < n_cores() and time.monotonic() < until:
                piece = next_slice(parts, totals, numbers, list(running.values()))
            if piece is not None:
                running[pool.submit(run_apart, piece)] = piece
                continue
            if not running:
                return
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                piece = running.pop(done)
                outcome, seconds = done.result()
                total_of(piece.part, totals, code_digest()).add(outcome, seconds, today())
                report(piece, outcome, seconds)
