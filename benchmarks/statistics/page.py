"""Write the tables of docs/statistics.md from results: bars, met or missed, then the figures behind them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .bars import bars
from .peers.sizes import SHIFT_SIZES, SIZES
from .rates import LEVELS

START, END = "<!-- tables: written by benchmarks/statistics -->\n", "<!-- end of tables -->"
Found = dict[str, Any]


def compact(told: Found) -> str:
    """Return JSON with one row a line, so that a change of a figure is a change of a line."""
    rows = told["rows"]
    if isinstance(rows, dict):
        return json.dumps(told) + "\n"
    head = json.dumps({key: value for key, value in told.items() if key != "rows"})
    lines = ",\n".join(json.dumps(row) for row in rows)
    return f'{head[:-1]}, "rows": [\n{lines}\n]}}\n'


def place(path: Path, block: str) -> None:
    """Put the tables between their marks."""
    head, start, rest = path.read_text().partition(START)
    _, end, tail = rest.partition(END)
    if not start or not end:
        raise SystemExit(f"{path}: the marks {START.strip()} and {END} are missing")
    path.write_text(f"{head}{start}{block}{end}{tail}")


def block(found: Found) -> str:
    """Return the tables of the results there are."""
    sections = (
        ("no_change", _sizes),
        ("small_references", _small),
        ("missing_values", _missing),
        ("power", _power),
        ("quiet", _quiet),
        ("delays", _delays),
        ("unlike_windows", _unlike),
        ("tolerance", _tolerance),
        ("speed", _speed),
        ("peers", _peers),
    )
    lines = _bars(found)
    for part, write in sections:
        if found.get(part):
            lines += write(found[part])
    return "\n".join(lines) + "\n"


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> list[str]:
    names = list(head)
    return [_row(*names), _row(*["---"] * len(names)), *(_row(*row) for row in rows), ""]


def _with_error(pair: list[float], digits: int) -> str:
    return f"{pair[0]:.{digits}f} ± {pair[1]:.{digits}f}"


def _bars(found: Found) -> list[str]:
    rows = [
        (each.what, each.goal, each.measured, "met" if each.met else "**missed**") for each in bars(found)
    ]
    return ["", "## Bars", "", *_table(("", "goal", "measured", ""), rows)]


def _span(rows: list[Found], level: float) -> str:
    """Return the lowest and the highest ratio, and the error of the highest."""
    pairs = sorted(row["realised"][str(level)] for row in rows)
    return f"{pairs[0][0]:.2f} to {pairs[-1][0]:.2f} ± {pairs[-1][1]:.2f}"


def _sizes(told: Found) -> list[str]:
    rows = told["rows"]
    lines = [
        "## Where nothing changed",
        "",
        "How often a column's p falls below a level, over that level: 1 is exact, below 1 is careful.",
        "Lowest to highest over references of 3,200, 20,000 and 100,000 rows; ± is a standard error",
        f"({rows[0]['draws']:,} windows for each pair of sizes).",
        "",
    ]
    names = dict.fromkeys(row["population"] for row in rows)
    head = ("population", "rows of a window", *(f"p < {level}" for level in LEVELS))
    body = []
    for name in names:
        for few in (True, False):
            some = [row for row in rows if row["population"] == name and (row["m"] < 1_000) == few]
            body.append(
                (name, "100" if few else "1,000 to 100,000", *(_span(some, level) for level in LEVELS))
            )
    return [*lines, *_table(head, body)]


def _ratios(row: Found) -> list[str]:
    return [_with_error(row["realised"][str(level)], 2) for level in LEVELS]


def _small(told: Found) -> list[str]:
    head = ("population", "reference", "window", *(f"p < {level}" for level in LEVELS))
    body = [(row["population"], f"{row['n']:,}", f"{row['m']:,}", *_ratios(row)) for row in told["rows"]]
    return ["### Small references", "", *_table(head, body)]


def _missing(told: Found) -> list[str]:
    head = ("population", "missing", "reference", "window", *(f"p < {level}" for level in LEVELS))
    body = [
        (row["population"], f"{row['missing']:.1%}", f"{row['n']:,}", f"{row['m']:,}", *_ratios(row))
        for row in told["rows"]
    ]
    return ["### Columns with missing values", "", *_table(head, body)]


def _power(told: Found) -> list[str]:
    lines = ["## What is seen", ""]
    rows = told["rows"]
    for n, m in dict.fromkeys((row["n"], row["m"]) for row in rows):
        some = [row for row in rows if (row["n"], row["m"]) == (n, m)]
        who = list(some[0]["power"])
        changed = some[1:]
        mean = ["**mean**"]
        mean += [f"**{sum(row['power'][name][0] for row in changed) / len(changed):.3f}**" for name in who]
        body = [(row["change"], *(f"{row['power'][name][0]:.3f}" for name in who)) for row in some]
        lines += [
            f"Share of windows of {m:,} rows, against {n:,}, in which a change is seen at the 1 % level "
            f"({some[0]['draws']:,} windows each, standard error up to {0.5 / some[0]['draws'] ** 0.5:.3f}). "
            "The others' critical values are their own 99 % quantiles without a change.",
            "",
            *_table(("change", *who), [*body, mean]),
        ]
    return lines


def _quiet(told: Found) -> list[str]:
    head = (
        "columns",
        "reference",
        "budget",
        "windows",
        "named a window",
        "alarms",
        "windows an alarm",
        "alerts",
    )
    body = [
        (
            row["columns"],
            f"{row['n']:,}",
            row["budget"],
            f"{row['windows']:,}",
            _with_error(row["named"], 5),
            row["alarms"],
            f"{row['run_length']:,}",
            row["alerts"],
        )
        for row in told["rows"]
    ]
    words = (
        "Windows of 1,000 rows in which nothing changed, judged by `scan`. An alarm may last several windows."
    )
    return ["## One window after another", "", words, "", *_table(head, body)]


def _delays(told: Found) -> list[str]:
    head = (
        "change",
        "columns",
        "reference",
        "budget",
        "runs",
        "warning after",
        "within (95 %)",
        "alert after",
        "within",
    )
    body = []
    for row in told["rows"]:
        cells: list[str] = []
        for which in ("warning", "alert"):
            some = row[which]
            cells += [_with_error(some["mean"], 1), str(some["most"])] if some["seen"] else ["never", ""]
        columns = f"{row['changed']} of {row['columns']}"
        body.append((row["change"], columns, f"{row['n']:,}", row["budget"], row["runs"], *cells))
    words = "How many windows of 1,000 rows a change lasts before it is named; 1 is the first changed window."
    return [words, "", *_table(head, body)]


def _unlike(told: Found) -> list[str]:
    head = ("windows", "merged", "by the reference's windows", "as if rows were independent")
    body = []
    for row in told["rows"]:
        tested = row["tested"] > 0
        own = _with_error([100 * each for each in row["by windows"]], 1) if tested else "not tested"
        body.append(
            (row["windows"], row["merged"], own, _with_error([100 * each for each in row["by rows"]], 1))
        )
    words = [
        "## Windows that differ when nothing is wrong",
        "",
        "False alarms in per cent at a nominal 1 %: hourly windows of 1,000 rows, two weeks of them in",
        "the reference (six for hours of the week), alone and merged. Merged windows of more than a quarter",
        "of the reference's history are not tested.",
        "",
    ]
    return [*words, *_table(head, body)]


def _tolerance(told: Found) -> list[str]:
    rows = told["rows"]
    tested = [row for row in rows if "size" in row]
    lines = [
        "## Does it matter",
        "",
        "Windows whose PSI is exactly what is tolerated; the test says 'more' in so many per cent of them,",
        f"nominal 5 ({rows[0]['draws']:,} windows each).",
        "",
        *_pivot(tested, "size"),
        "Per cent of the 95 % intervals of the effect d = sqrt(PSI) that hold the truth.",
        "",
        *_pivot(rows, "coverage"),
    ]
    return lines


def _pivot(rows: list[Found], what: str) -> list[str]:
    """Return a table of `what` in per cent, by change and sizes, one column for each PSI."""
    levels = list(dict.fromkeys(row["psi"] for row in rows))
    body = []
    for change, n, m in dict.fromkeys((row["change"], row["n"], row["m"]) for row in rows):
        some = {
            row["psi"]: row[what] for row in rows if (row["change"], row["n"], row["m"]) == (change, n, m)
        }
        cells = [_with_error([100 * each for each in some[level]], 1) for level in levels]
        body.append([change, f"{n:,}", f"{m:,}", *cells])
    return _table(("change", "reference", "window", *(f"PSI {level}" for level in levels)), body)


def _speed(told: Found) -> list[str]:
    row = told["rows"]
    return [
        "## What it costs",
        "",
        f"{row['columns']:,} numeric columns, profile against profile, the shortest of five runs on a core: "
        f"{row['verdict_seconds']:.2f} s for the verdict, {row['statistics_seconds']:.2f} s with all "
        f"{row['statistics']} statistics of each column, {row['records_seconds']:.2f} s with records.",
        "",
    ]


def _peers(told: list[Found]) -> list[str]:
    asked = [each for each in told if "rows" in each]
    rows = [row for each in asked for row in each["rows"]]
    draws = min(each["draws"] for each in asked)
    lines = [
        "## Beside other libraries",
        "",
        "Each in its own environment (`benchmarks/statistics/peers/`), with its default thresholds: per cent",
        "of windows in which it names a column that did not change, by rows of reference / window.",
        f"{draws:,} windows and more of each kind; standard error up to {50 / draws**0.5:.1f}.",
        "",
    ]
    named = {(row["population"], row["who"], row["n"], row["m"]): row["named"] for row in rows}
    body = []
    for name in dict.fromkeys(row["population"] for row in rows):
        for who in dict.fromkeys(row["who"] for row in rows if row["population"] == name):
            body.append([name, who, *(f"{100 * named[name, who, n, m]:.1f}" for n, m in SIZES)])
    lines += _table(("population", "library", *(f"{n:,} / {m:,}" for n, m in SIZES)), body)
    lines += [
        "The smallest shift of the mean of a normal column, in standard deviations, that each names in nine",
        "of ten windows:",
        "",
    ]
    shifts = {who: each for answer in asked for who, each in answer["shifts"].items()}
    body = [
        [who, *("none up to 0.9" if x is None else f"{x:.3f}" for x in each)] for who, each in shifts.items()
    ]
    lines += _table(("library", *(f"{n:,} / {m:,}" for n, m in SHIFT_SIZES)), body)
    lines += [
        "nannyml learns its thresholds from the windows of the reference: from two, where they have 500 of",
        "1,000 rows.",
        "",
    ]
    for each in told:
        if "rows" in each:
            with_ = f"with NumPy {each['numpy']} and pandas {each['pandas']}"
            lines.append(
                f"- {each['library']} {each['version']}, {with_}: {each['draws']} windows of each kind."
            )
        else:
            lines.append(f"- {each['library']} could not be asked: `{each['error']}`")
    return [*lines, ""]
