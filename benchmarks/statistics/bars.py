"""What the project holds itself to, each bar with the figure that decides it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

Found = dict[str, Any]

MOST = 1.2  # of the nominal rate of false alarms, and three standard errors
LEAST = 0.3


class Bar(NamedTuple):
    """`what` in words, its `goal`, what was `measured`, and whether that `met` it."""

    what: str
    goal: str
    measured: str
    met: bool


def bars(found: Found) -> Iterator[Bar]:
    """Yield the bars whose results are there."""
    for part, write in (
        ("no_change", _sizes),
        ("small_references", _small),
        ("missing_values", _missing),
        ("power", _power),
        ("quiet", _quiet),
        ("delays", _delays),
        ("never", _never),
        ("unlike_windows", _unlike),
        ("tolerance", _tolerance),
        ("speed", _speed),
    ):
        if part in found:
            yield from write(found[part]["rows"])


def too_many(row: Found) -> list[str]:
    """Return the levels at which a row of sizes has too many false alarms."""
    return [level for level, (ratio, error) in row["realised"].items() if ratio > MOST + 3 * error]


def _size_bar(what: str, rows: list[Found]) -> Bar:
    failed = sum(len(too_many(row)) for row in rows)
    highest = {level: max(row["realised"][level][0] for row in rows) for level in ("0.05", "0.01", "0.001")}
    told = ", ".join(f"{ratio:.2f} at {level}" for level, ratio in highest.items())
    goal = f"<= {MOST} + 3 se everywhere"
    return Bar(what, goal, f"{failed} of {3 * len(rows)} above; highest {told}", failed == 0)


def _sizes(rows: list[Found]) -> Iterator[Bar]:
    yield _size_bar("false alarms over nominal, nothing changed", rows)
    enough = [row for row in rows if row["m"] >= 1_000]
    lowest = min(row["realised"]["0.05"][0] for row in enough)
    # At .01 and .001 too few alarms are to be expected for a bound from below to say much.
    asleep = [
        level
        for row in enough
        for level, (ratio, error) in row["realised"].items()
        if ratio + 3 * error < LEAST
    ]
    low01 = min(row["realised"]["0.01"][0] for row in enough)
    yield Bar(
        "not asleep: the same, windows of 1,000 rows and more",
        f">= {LEAST}",
        f"lowest {lowest:.2f} at 0.05, {low01:.2f} at 0.01",
        not asleep and lowest >= LEAST,
    )


def _small(rows: list[Found]) -> Iterator[Bar]:
    yield _size_bar("the same, references of 320 and 1,000 rows", rows)


def _missing(rows: list[Found]) -> Iterator[Bar]:
    yield _size_bar("the same, columns with missing values", rows)


def _power(rows: list[Found]) -> Iterator[Bar]:
    goals = {(20_000, 2_000): 0.60, (50_000, 10_000): 0.85}
    for (n, m), goal in goals.items():
        some = [row["power"] for row in rows if (row["n"], row["m"]) == (n, m)][1:]
        if some:
            mean = {who: sum(each[who][0] for each in some) / len(some) for who in some[0]}
            ours = mean.pop("tidegauge")
            others = ", ".join(f"{who} {share:.2f}" for who, share in mean.items())
            yield Bar(
                f"mean power over eight changes, {m:,} rows against {n:,}",
                f">= {goal:.2f}",
                f"{ours:.3f} ({others})",
                ours >= goal,
            )


def _quiet(rows: list[Found]) -> Iterator[Bar]:
    for row in rows:
        share, error = row["named"]
        if row["columns"] > 1:
            yield Bar(
                f"{row['columns']} columns, budget {row['budget']}: false incidents a window",
                "<= 0.011",
                f"{share:.4f} ± {error:.4f}",
                share <= 0.011,
            )
        else:
            yield Bar(
                f"one column at the default budget, reference {row['n']:,}: windows between alarms",
                ">= 1,000",
                f"{row['run_length']:,}",
                row["run_length"] >= 1_000,
            )


def _delays(rows: list[Found]) -> Iterator[Bar]:
    goals = {
        ("mean + 0.05 sd", 1): ("warning", 20),
        ("mean + 0.05 sd", 50): ("warning", 25),
        ("mean + 0.20 sd", 1): ("alert", 8),
        ("2 % of rows stuck at one value", 1): ("alert", 8),
    }
    for row in rows:
        status, most = goals[row["change"], row["columns"]]
        mean, error = row[status]["mean"]
        yield Bar(
            f"{row['change']}, {row['changed']} of {row['columns']} columns, reference {row['n']:,}: "
            f"`{status}`",
            f"within {most} windows",
            f"{mean:.1f} ± {error:.1f} on average, {row[status]['seen']:.0%} seen",
            mean <= most and row[status]["seen"] == 1,
        )


def _never(row: Found) -> Iterator[Bar]:
    yield Bar(
        f"mean + 0.05 sd for {row['windows']:,} windows: `alert` at the default tolerance",
        "never",
        f"{row['alerts']}",
        row["alerts"] == 0,
    )


def _unlike(rows: list[Found]) -> Iterator[Bar]:
    for name in dict.fromkeys(row["windows"] for row in rows):
        tested = [row for row in rows if row["windows"] == name and row["tested"] > 0]
        worst = max(tested, key=lambda row: row["by windows"][0])
        share, error = worst["by windows"]
        plain = max(row["by rows"][0] for row in tested)
        above = [row for row in tested if row["by windows"][0] > 0.025 + 3 * row["by windows"][1]]
        yield Bar(
            f"windows: {name}; false alarms at nominal 1 %, every length",
            "<= 2.5 % + 3 se",
            f"at most {share:.1%} ± {error:.1%} ({worst['merged']} merged); rows as independent: {plain:.0%}",
            not above,
        )


def _tolerance(rows: list[Found]) -> Iterator[Bar]:
    tested = [row["size"] for row in rows if "size" in row]
    sizes = [size for size, _ in tested]
    yield Bar(
        "test of the tolerance, size at the boundary, nominal 5 %",
        "4 to 6 %, within 3 se",
        f"{min(sizes):.1%} to {max(sizes):.1%}, mean {sum(sizes) / len(sizes):.2%}",
        all(abs(size - 0.05) <= 0.01 + 3 * error for size, error in tested),
    )
    least = min(row["coverage"][0] for row in rows)
    yield Bar("coverage of the effect's 95 % interval", ">= 0.93", f"{least:.3f} and more", least >= 0.93)


def _speed(row: Found) -> Iterator[Bar]:
    seconds = row["statistics_seconds"] * 1_000 / row["columns"]
    yield Bar("all statistics of 1,000 numeric columns", "<= 0.25 s", f"{seconds:.2f} s", seconds <= 0.25)
