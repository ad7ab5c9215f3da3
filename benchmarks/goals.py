"""What the project holds itself to, each goal a ratio or a figure of one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

# Nanoseconds for one value of a case (of one column, of one process), by (case, who).
Nanoseconds = Mapping[tuple[str, str], float]

ONE_THREAD, FOUR_THREADS = "tidegauge full, 1 threads", "tidegauge full, 4 threads"
FULL, LIGHT, OPEN = "tidegauge full", "tidegauge light", "tidegauge full, no reference"
FLOAT64, SUM = "float64, 10 M rows", "numpy sum"
SHAPES = ("sorted", "constant", "all equal but one", "alternating extremes")
ROWS_1000, ROWS_1 = "update, 1,000 x 20 float64 (1,000 batches)", "update, 1 x 20 float64 (1,000 batches)"
MERGE, TWENTY, IMPORT = "decode and merge, a column", "20 x 1 M float64", "import, a fresh process"
REPORT = "report, a column"
APPEND, WEEK = "archive, append, a record of 20 columns", "archive, a week of hours x 20 segments, a record"
SEGMENTS = "segments: 100,000 x 20 in 1,000"
THREADS = tuple(
    f"one profile, batches of {n_rows} x 20, {segments}"
    for n_rows in ("10,000", "1,000")
    for segments in ("no segments", "10 segments")
)


class Goal(NamedTuple):
    """`what`, in words; the time of `of` divided by that of `over` (None: in nanoseconds) is at most `most`.

    With `inverted` the goal is how many times faster, or how many a second: at least `most`.
    """

    what: str
    of: tuple[str, str]
    over: tuple[str, str] | None
    most: float
    inverted: bool = False


GOALS = (
    Goal("full against a reference, times `np.sum`", (FLOAT64, FULL), (FLOAT64, SUM), 6),
    Goal("the same, what we would like", (FLOAT64, FULL), (FLOAT64, SUM), 4),
    Goal("times faster than KLL alone", (FLOAT64, "DataSketches KLL k=200"), (FLOAT64, FULL), 10, True),
    Goal("times faster than `SUMMARIZE`", (FLOAT64, "DuckDB SUMMARIZE, 1 thread"), (FLOAT64, FULL), 40, True),
    Goal("without a reference, times `np.sum`", (FLOAT64, OPEN), (FLOAT64, SUM), 8),
    Goal("float32 against float64", ("float32, 10 M rows", FULL), (FLOAT64, FULL), 1),
    Goal("int64 against float64", ("int64, 10 M rows", FULL), (FLOAT64, FULL), 1),
    Goal(
        "int64 of few thousand values against float64",
        ("int64 of few thousand values, 10 M rows", FULL),
        (FLOAT64, FULL),
        1,
    ),
    Goal("10 % nulls against none", ("float64, 10 % nulls, 10 M rows", FULL), (FLOAT64, FULL), 1.5),
    *(Goal(f"{shape} against random", (f"{shape}, 10 M rows", FULL), (FLOAT64, FULL), 2) for shape in SHAPES),
    Goal("dictionary text, ns a value", ("text, dictionary, 1 M rows", FULL), None, 1.5),
    Goal("plain text of 100 values, ns a value", ("text, plain, 1 M rows", FULL), None, 8),
    Goal("all-distinct text, ns a value", ("text, all distinct, 1 M rows", FULL), None, 25),
    Goal(
        "two threads, times faster than one",
        (TWENTY, f"{FULL}, threads=1"),
        (TWENTY, f"{FULL}, threads=2"),
        1.8,
        True,
    ),
    Goal("batch of 1,000 rows x 20, ns a value (150 µs)", (ROWS_1000, FULL), None, 7.5),
    Goal("batch of 1 row x 20, ns a value (25 µs)", (ROWS_1, FULL), None, 1250),
    Goal("decode and merge, full, ns a column (30,000 a second)", (MERGE, FULL), None, 33_333),
    Goal("decode and merge, light, ns a column (100,000 a second)", (MERGE, LIGHT), None, 10_000),
    Goal("archive, ns an appended record (2,000 a second)", (APPEND, "SQLite, 20 an append"), None, 500_000),
    Goal("the same, singly", (APPEND, "SQLite, 1 an append"), None, 500_000),
    Goal("a week of hours x 20 segments, ns a record (1 s)", (WEEK, "SQLite, by the hour"), None, 297_619),
    Goal(
        "1,000 segments of 100 rows and the total, light, times the total alone (4 for the segments)",
        (SEGMENTS, "tidegauge light, total and segments"),
        (SEGMENTS, "tidegauge light, total alone"),
        5,
    ),
    *(
        Goal(
            f"four threads, {case}, times faster than one",
            (case, ONE_THREAD),
            (case, FOUR_THREADS),
            1.7,
            True,
        )
        for case in THREADS
    ),
    Goal("HTML report, ns a column (2 s for 100)", (REPORT, "tidegauge render_html"), None, 20_000_000),
)


def goals_table(ns: Nanoseconds) -> list[str]:
    """Return the lines of a Markdown table; goals whose cases are not in the run are left out."""
    lines = ["## Goals", "", "| | goal | measured | |", "|---|---|---|---|"]
    for goal in GOALS:
        if goal.of in ns and (goal.over is None or goal.over in ns):
            value = ns[goal.of] / (1 if goal.over is None else ns[goal.over])
            met = value >= goal.most if goal.inverted else value <= goal.most
            sign = "≥" if goal.inverted else "≤"
            lines.append(
                f"| {goal.what} | {sign} {goal.most:,g} | {value:,.4g} | {'met' if met else '**missed**'} |"
            )
    return [*lines, ""]
