"""What was tried, how often, and what was found, as a table in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from trust.part import Part
from trust.totals import Total


def row(part: Part, total: Total | None, goal: int) -> str:
    """Return one line of the table."""
    if total is None:
        return f"| {part.name} | {part.promise} | 0 of {goal:,} {part.unit} | - | - | |"
    facts = [f"{name}: {n:,}" for name, n in sorted(total.counts.items())]
    facts += [f"{name}: {level:g}" for name, level in sorted(total.levels.items())]
    found = str(len(total.findings)) if total.findings else "none"
    tried = f"{total.tried:,} of {goal:,} {part.unit}"
    return (
        f"| {part.name} | {part.promise} | {tried} | {total.seconds:,.0f} s | {found} | {'; '.join(facts)} |"
    )


def table(parts: Sequence[Part], totals: Sequence[Total], code: str, *, is_deep: bool) -> str:
    """Return the table of one state of the code."""
    of = {total.part: total for total in totals if total.code == code}
    lines = ["| part | promise | tried | time | found | what came of it |", "|---|---|---|---|---|---|"]
    lines += [row(part, of.get(part.name), part.deep if is_deep else part.change) for part in parts]
    return "\n".join(lines)


def findings(totals: Sequence[Total], code: str) -> list[str]:
    """Return the defects found in one state of the code, each with its part."""
    return [f"{total.part}: {found}" for total in totals if total.code == code for found in total.findings]
