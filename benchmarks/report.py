"""Write docs/benchmarks.md from a run: `python benchmarks/report.py RUN.json [--peers PEERS.json]`.

Everything in a table was measured in one run on one machine; what to trust elsewhere are the ratios. Goals
come first, met or not (goals.py); cases that tidegauge loses are shown like the others.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from goals import goals_table

ROOT = Path(__file__).parent.parent
PACKAGES = ("numpy", "pyarrow", "polars", "duckdb", "boost-histogram", "datasketches")

GOAL_BYTES = {"full": 8_192, "light": 1_536}  # a numeric column


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def row_of(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def measured(row: dict[str, Any]) -> float:
    """Seconds: the shortest run."""
    return row["stats"]["min"]


def time_table(case: str, rows: list[dict[str, Any]]) -> list[str]:
    ns = {row["extra_info"]["who"]: measured(row) / row["extra_info"]["values"] * 1e9 for row in rows}
    read = {
        row["extra_info"]["who"]: row["extra_info"].get("n_bytes", 0) / measured(row) / 1e9 for row in rows
    }
    plain, own = ns.get("numpy sum"), ns.get("tidegauge full")
    unit = "column" if case.endswith("a column") else "value"
    lines = [
        f"### {case}",
        "",
        f"| | ns/{unit} | GB/s | x `np.sum` | x tidegauge full |",
        "|---|---|---|---|---|",
    ]
    for who, value in sorted(ns.items(), key=lambda item: item[1]):
        ratios = [f"{value / base:.2f}" if base else "" for base in (plain, own)]
        lines.append(row_of(who, number(value), number(read[who]) if read[who] else "", *ratios))
    return [*lines, ""]


def size_table(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["### Bytes of one saved column", "", "| | bytes | goal |", "|---|---|---|"]
    for row in rows:
        who, size = row["extra_info"]["who"], row["extra_info"]["size_bytes"]
        goal = GOAL_BYTES[who.rpartition(" ")[2]] if who.startswith(("number", "integer")) else None
        verdict = "" if goal is None else f"<= {goal:,}: {'met' if size <= goal else '**missed**'}"
        lines.append(f"| {who} | {size:,} | {verdict} |")
    return [*lines, ""]


def import_table(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["### Import, a fresh process (interpreter included)", "", "| | ms |", "|---|---|"]
    lines += [
        f"| {row['extra_info']['who']} | {measured(row) * 1e3:.0f} |" for row in sorted(rows, key=measured)
    ]
    ms = {row["extra_info"]["who"]: measured(row) * 1e3 for row in rows}
    if {"tidegauge", "numpy"} <= set(ms):
        lines += [
            "",
            f"tidegauge adds {ms['tidegauge'] - ms['numpy']:.0f} ms to NumPy's own; goal: at most 15.",
        ]
    return [*lines, ""]


def memory_lines(rows: list[dict[str, Any]]) -> list[str]:
    (info,) = [row["extra_info"] for row in rows]
    grown = info["late_bytes"] - info["early_bytes"]
    return [
        "### Memory",
        "",
        f"{info['who']}: {info['early_bytes']:,} to {info['late_bytes']:,} bytes ({grown:+,}).",
        "",
    ]


def peers_table(peers: dict[str, Any], own_ns: float | None) -> list[str]:
    lines = [
        "## Monitoring libraries, each in its own environment",
        "",
        f"{peers['what']} Their requirements conflict with each other or with today's NumPy and pandas:",
        "each ran in an environment of its own (`benchmarks/peers/`), beside `np.sum` of the same arrays.",
        "",
        "| | version | a plain install, "
        + peers["date"]
        + " | measured with | ns/value | x `np.sum` | x tidegauge full |",
        "|---|---|---|---|---|---|---|",
    ]
    for peer in peers["peers"]:
        ratio = peer["ns"] / peer["numpy_sum_ns"]
        words = [peer[key] for key in ("name", "version", "install", "with")]
        times = number(peer["ns"] / own_ns) if own_ns else ""
        lines.append(row_of(*words, number(peer["ns"]), number(ratio), times))
    return [*lines, ""]


def machine(run: dict[str, Any]) -> str:
    info = run["machine_info"]
    cpu = info["cpu"]
    flags = [flag for flag in ("avx2", "avx512f", "asimd", "sve") if flag in cpu.get("flags", ())]
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{cpu.get('count', '?')} cores of {cpu.get('brand_raw', info['machine'])} ({' '.join(flags)}), "
        f"{info['system']}, {info['python_implementation']} {platform.python_version()}; {packages}. "
        f"Measured on {run['datetime'][:10]}."
    )


def grouped(run: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in run["benchmarks"]:
        groups[row["group"]].append(row)
    return groups


def nanoseconds(groups: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, str], float]:
    """Nanoseconds a value, by case and who."""
    return {
        (case, row["extra_info"]["who"]): measured(row) / row["extra_info"]["values"] * 1e9
        for case, rows in groups.items()
        for row in rows
        if "values" in row["extra_info"]
    }


def document(run: dict[str, Any], peers: dict[str, Any] | None) -> str:
    groups = grouped(run)
    special = {"bytes a column": size_table, "import, a fresh process": import_table, "memory": memory_lines}
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench`. {machine(run)}",
        "",
        "Each case checks its answer before it is timed; the shortest run counts. One thread unless said.",
        "A ratio above 1 means slower than that column's row. Peers answer less than a profile does (a",
        "histogram, a sketch, five moments), each what it is made for; they read 1 M of the 10 M rows.",
        "",
    ]
    lines += goals_table(nanoseconds(groups))
    lines += ["## Times", ""]
    for case in sorted(set(groups) - set(special)):
        lines += time_table(case, groups[case])
    lines += ["## State", ""]
    for case, table in special.items():
        if case in groups:
            lines += table(groups[case])
    own = nanoseconds(groups).get(("float64, 10 M rows", "tidegauge full"))
    return "\n".join(lines + (peers_table(peers, own) if peers else [])).rstrip() + "\n"


# What the README shows: (words, case, who, the row it is divided by).
FIGURES = (
    ("profile a float64 column, full", "float64, 10 M rows", "tidegauge full", "numpy sum"),
    ("profile a float64 column, light", "float64, 10 M rows", "tidegauge light", "numpy sum"),
    (
        "20 variable bins alone, boost-histogram",
        "float64, 10 M rows",
        "boost-histogram, 20 variable bins",
        "numpy sum",
    ),
    ("quantile sketch alone, DataSketches KLL", "float64, 10 M rows", "DataSketches KLL k=200", "numpy sum"),
    ("DuckDB SUMMARIZE, 1 thread", "float64, 10 M rows", "DuckDB SUMMARIZE, 1 thread", "numpy sum"),
    ("profile dictionary text, full", "text, dictionary, 1 M rows", "tidegauge full", None),
    ("profile plain text, full", "text, plain, 1 M rows", "tidegauge full", None),
    (
        "update with 1,000 rows of 20 columns, full",
        "update, 1,000 x 20 float64 (1,000 batches)",
        "tidegauge full",
        None,
    ),
)


def figures(groups: dict[str, list[dict[str, Any]]]) -> str:
    """Make the README's table: a few rows of the report."""
    lines = ["| | ns/value | x `np.sum` of the same array |", "|---|---|---|"]
    for words, case, who, base in FIGURES:
        rows = {row["extra_info"]["who"]: row for row in groups.get(case, ())}
        if who in rows:
            ns = {name: measured(row) / row["extra_info"]["values"] * 1e9 for name, row in rows.items()}
            lines.append(row_of(words, number(ns[who]), number(ns[who] / ns[base]) if base else ""))
    return "\n".join(lines)


def place(readme: Path, block: str) -> None:
    """Put the figures between their marks."""
    head, start, rest = readme.read_text().partition("<!-- figures: written by benchmarks/report.py -->\n")
    _, end, tail = rest.partition("<!-- end of figures -->")
    readme.write_text(f"{head}{start}{block}\n{end}{tail}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--peers", type=Path, default=ROOT / "benchmarks" / "peers" / "results.json")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks.md")
    given = parser.parse_args()
    peers = json.loads(given.peers.read_text()) if given.peers.exists() else None
    run = json.loads(given.run.read_text())
    given.output.write_text(document(run, peers))
    place(ROOT / "README.md", figures(grouped(run)))


if __name__ == "__main__":
    main()
