"""What slices that are told are worth: how often one is told where none is worse, and how true its gap is.

    python -m benchmarks.outcomes.slices [RUNS]

Answers are right in .8 of rows; rows fall into ten values of one column and five of another, and the fifty
crosses of both. A planted slice is right in fewer. Each run is told with a half held out, and without.
"""

from __future__ import annotations

import sys

import numpy as np

from tidegauge.outcomes.slices import confirmed_slices, discovered_slices
from tidegauge.outcomes.sums import Sums
from tidegauge.segments import segment_key

RIGHT = 0.8
FIRST, SECOND = 10, 5
SHARES = np.outer(np.arange(1, FIRST + 1), np.arange(1, SECOND + 1)).astype(np.float64)
SHARES /= SHARES.sum()


def drawn(rng: np.random.Generator, n: int, right: np.ndarray) -> dict[str, Sums]:
    """Return the sums of right answers in every value and cross of `n` rows."""
    rows = rng.multinomial(n, SHARES.ravel()).reshape(SHARES.shape)
    hits = rng.binomial(rows, right)
    found: dict[str, Sums] = {}

    def put(key: dict[str, str], n_rows: float, n_right: float) -> None:
        found[segment_key(key)] = Sums(float(n_rows), float(n_right), float(n_right))

    for i in range(FIRST):
        put({"a": str(i)}, rows[i].sum(), hits[i].sum())
        for j in range(SECOND):
            put({"a": str(i), "b": str(j)}, rows[i, j], hits[i, j])
    for j in range(SECOND):
        put({"b": str(j)}, rows[:, j].sum(), hits[:, j].sum())
    return found


def planted(kind: str, gap: float) -> tuple[np.ndarray, str, float]:
    """Return the share of right answers by cross, the worse slice, and its gap to all other rows."""
    right = np.full(SHARES.shape, RIGHT)
    if kind == "value":
        right[4] -= gap
        return right, segment_key({"a": "4"}), gap
    if kind == "cross":
        right[6, 3] -= gap
        return right, segment_key({"a": "6", "b": "3"}), gap
    return right, "", 0.0


def run(rng: np.random.Generator, n: int, kind: str, gap: float, *, held_out: bool) -> tuple[float, ...]:
    """Return (any is told, the planted one is, gap told less true, true one in its interval) of one run."""
    right, key, true = planted(kind, gap)
    if held_out:
        halves = [drawn(rng, n // 2, right) for _ in range(2)]
        found = confirmed_slices(*halves, higher_is_worse=False)
    else:
        found = discovered_slices(drawn(rng, n, right), higher_is_worse=False)
    named = [each for each in found if each.confirmed]
    # With a half held out the gap is told of all that were chosen, and unbiased of these.
    its = next((each for each in found if each.segment == key and not each.without), None)
    if its is None:
        return float(bool(named)), 0.0, np.nan, np.nan, np.nan
    low, high = its.gap_interval
    wrong = [each for each in named if each.segment != key]
    return (
        float(bool(named)),
        float(its.confirmed),
        its.gap - true,
        float(low <= true <= high),
        float(len(wrong)),
    )


def main(runs: int) -> None:
    """Print a line of a table for each case."""
    print("| rows | worse slice | gap | held out | any told | it is told | bias | coverage | others told |")
    print("|---|---|---|---|---|---|---|---|---|")
    cases = [("none", 0.0), ("value", 0.03), ("value", 0.06), ("cross", 0.10), ("cross", 0.20)]
    for n in (5_000, 50_000):
        for kind, gap in cases:
            for held_out in (True, False):
                rng = np.random.default_rng([n, int(gap * 100), held_out])
                each = np.array([run(rng, n, kind, gap, held_out=held_out) for _ in range(runs)])
                known = each[~np.isnan(each[:, 2])]
                bias, coverage, wrong = known[:, 2:].mean(axis=0) if len(known) else (np.nan,) * 3
                words = (f"{n:,}", kind, f"{gap:.2f}", "yes" if held_out else "no")
                shares = (f"{each[:, 0].mean():.3f}", f"{each[:, 1].mean():.3f}")
                told = ("", "", "") if kind == "none" else (f"{bias:+.4f}", f"{coverage:.3f}", f"{wrong:.2f}")
                print("| " + " | ".join((*words, *shares, *told)) + " |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
