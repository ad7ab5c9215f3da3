"""What was tried, how often, and what was found, as a table in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from trust.part import Part
from trust.totals import Total

BEGIN, END = "<!-- totals: begin -->", "<!-- totals: end -->"


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


def with_totals(page: str, parts: Sequence[Part], totals: Sequence[Total]) -> str:
    """Return the page with totals between its marks: of each part, over the code tried most."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    lines = ["| part | tried | time | found | last, code | what came of it |", "|---|---|---|---|---|---|"]
    for part in parts:
        of_part = [total for total in totals if total.part == part.name]
        if not of_part:
            lines.append(f"| {part.name} | 0 of {part.deep:,} {part.unit} | | | | |")
            continue
        most = max(reversed(of_part), key=lambda total: total.tried)  # the latest of equals
        cells = row(part, most, part.deep).strip("| ").split(" | ")
        lines.append(
            f"| {cells[0]} | {' | '.join(cells[2:5])} | {most.last}, {most.code} | {' | '.join(cells[5:])} |"
        )
    return f"{head}{BEGIN}\n{chr(10).join(lines)}\n{END}{tail}"


def findings(totals: Sequence[Total], code: str) -> list[str]:
    """Return the defects found in one state of the code, each with its part."""
    return [f"{total.part}: {found}" for total in totals if total.code == code for found in total.findings]
