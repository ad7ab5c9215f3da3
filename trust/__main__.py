"""The front door.

    python -m trust change                       what every change must pass, always the same cases
    python -m trust deep --budget 2h             new cases for so long, added to the totals kept so far
    python -m trust try PART FIRST [N]           these cases again
    python -m trust settle                       what was found over the code as it is, again
    python -m trust table                        the totals of deep runs over the code as it is
    python -m trust page                         writes the totals into docs/reliability.md

Each ends with 1 if anything was found.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import click

from trust import runs, slices, totals
from trust.part import Outcome, Part
from trust.parts import PARTS
from trust.slices import Slice
from trust.table import findings, table, with_totals

KEPT = totals.ROOT / "trust" / "totals.json"  # kept with the project: a later run goes on from it
PAGE = totals.ROOT / "docs" / "reliability.md"
NAMES = click.Choice([part.name for part in PARTS])
SECONDS = {"s": 1, "m": 60, "h": 3600, "": 1}


def chosen(names: tuple[str, ...]) -> list[Part]:
    """Return the parts of these names, all if there are none."""
    return [part for part in PARTS if not names or part.name in names]


def tell(piece: Slice, outcome: Outcome, seconds: float) -> None:
    """Print a line about a slice, and what it found."""
    found = f"{len(outcome.findings)} found" if outcome.findings else "nothing found"
    click.echo(
        f"{piece.part.name}: {outcome.tried:,} {piece.part.unit} in {seconds:.1f} s, {found}", err=True
    )
    for each in outcome.findings:
        click.echo(f"  {each}", err=True)


def close(kept: list[totals.Total], parts: list[Part], *, is_deep: bool) -> None:
    """Print the table, then what was found; end with 1 if anything was."""
    code = totals.code_digest()
    click.echo(table(parts, kept, code, is_deep=is_deep))
    found = findings(kept, code)
    click.echo("\n".join(["", *found]) if found else "\nNothing was found.")
    raise SystemExit(bool(found))


@click.group(help=__doc__.partition("\n")[0] if __doc__ else None)
def main() -> None:
    """Try to break the engine."""


@main.command(name="change")
@click.option("--part", "names", multiple=True, type=NAMES)
def change_(names: tuple[str, ...]) -> None:
    """Try what every change must pass."""
    parts = chosen(names)
    close(runs.change(parts, tell), parts, is_deep=False)


@main.command(name="deep")
@click.option("--budget", required=True, help="how long: 90s, 30m, 8h")
@click.option("--part", "names", multiple=True, type=NAMES)
@click.option("--totals", "path", type=click.Path(dir_okay=False, path_type=Path), default=KEPT)
def deep_(budget: str, names: tuple[str, ...], path: Path) -> None:
    """Try new cases for so long; totals are kept after every slice: a run may be killed and taken up."""
    told = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", budget)
    if told is None:
        raise click.BadParameter(f"{budget!r} is no time; write 90s, 30m or 8h", param_hint="--budget")
    parts = chosen(names)
    numbers, kept = totals.load(path)

    def report(piece: Slice, outcome: Outcome, seconds: float) -> None:
        totals.save(path, numbers, kept)
        tell(piece, outcome, seconds)

    runs.deep(parts, float(told[1]) * SECONDS[told[2]], numbers, kept, report)
    close(kept, parts, is_deep=True)


@main.command(name="try")
@click.argument("name", type=NAMES)
@click.argument("first", type=int)
@click.argument("n", type=int, default=1)
@click.option("--seconds", type=float, default=runs.CHANGE_SECONDS)
@click.option("--json", "is_json", is_flag=True)
def try_(name: str, first: int, n: int, seconds: float, is_json: bool) -> None:
    """Try cases FIRST … FIRST + N - 1 of a part."""
    (part,) = chosen((name,))
    began = time.monotonic()
    outcome = part.run(first, n, seconds)
    if is_json:
        click.echo("\n" + slices.encoded(outcome))
        return
    tell(Slice(part, first, n, seconds), outcome, time.monotonic() - began)
    for what, count in outcome.counts.most_common():
        click.echo(f"{count:9,} {what}")
    for what, level in outcome.levels.items():
        click.echo(f"{level:9g} {what}")
    raise SystemExit(bool(outcome.findings))


@main.command(name="settle")
@click.option("--totals", "path", type=click.Path(dir_okay=False, path_type=Path), default=KEPT)
def settle_(path: Path) -> None:
    """Try what was found again: what the same code no longer shows was the harness, since fixed."""
    numbers, kept = totals.load(path)
    runs.settle(PARTS, kept, tell)
    totals.save(path, numbers, kept)
    close(kept, PARTS, is_deep=True)


@main.command(name="table")
@click.option("--totals", "path", type=click.Path(dir_okay=False, path_type=Path), default=KEPT)
def table_(path: Path) -> None:
    """Print the totals of deep runs over the code as it is."""
    close(totals.load(path)[1], PARTS, is_deep=True)


@main.command(name="page")
@click.option("--totals", "path", type=click.Path(dir_okay=False, path_type=Path), default=KEPT)
def page_(path: Path) -> None:
    """Write what deep runs have tried into the page of promises."""
    PAGE.write_text(with_totals(PAGE.read_text(), PARTS, totals.load(path)[1]))


if __name__ == "__main__":
    main()
