"""A comparison as Markdown for pull requests: short, worst first, and inert whatever names it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tidegauge.report.figures import effect_text, p_text, sentence
from tidegauge.tables import printable

if TYPE_CHECKING:
    from tidegauge.comparison import ColumnComparison, Comparison

MAX_BYTES = 60_000  # GitHub takes comments of 65,536 characters
MAX_NAME_CHARACTERS, MAX_WORDS, MAX_REASONS = 80, 200, 3
SIGNS = {"ok": "🟢", "warning": "🟡", "alert": "🔴"}  # always beside the word
HEADER = "| status | column | effect (sd) | p | why |\n|---|---|--:|--:|---|\n"
# What starts a mention, a reference or a link although it is only text: a space of no width breaks it.
_BREAK = "\u200b"
_ACTIVE = re.compile(r"(@)(?=\w)|(#)(?=\d)|(\bGH-)(?=\d)|(:)(?=//)|(\bwww)(?=\.)", re.IGNORECASE)
_MARKUP = re.compile(r"([\\`*_\[\]|~$#])")


def render_markdown(comparison: Comparison) -> str:
    """Return a title, the sentence, a table of columns, the worst first, and how it was judged.

    At most 60,000 bytes of UTF-8: columns that are well are left out, and so are the last of the others where
    there are too many; a line says how many. Column names stand in code spans, all other words have their
    markup escaped, and mentions, references and links are broken, so nothing a name holds acts.
    """
    columns = comparison.worst_first()
    loud = [column for column in columns if column.status not in ("ok", "undefined")]
    head = f"### tidegauge: {_status(comparison.status)}\n\n{_prose(comparison.summary, 600)}\n\n"
    tail = "".join(f"- {line}\n" for line in _assumptions(comparison))
    rows: list[str] = []
    left = MAX_BYTES - len((head + HEADER + tail).encode()) - 200
    for column in loud:
        row = _row(column)
        left -= len(row.encode())
        if left < 0:
            break
        rows.append(row)
    table = HEADER + "".join(rows) + "\n" if rows else ""
    hidden, quiet = len(loud) - len(rows), len(columns) - len(loud)
    more = [f"{hidden:,} more with a warning, an alert or too few values"] if hidden else []
    more += [f"{quiet:,} {'others' if loud else 'columns'} ok or not judged"] if quiet else []
    return f"{head}{table}{'; '.join(more)}{'.' if more else ''}\n\n{tail}"


def _row(column: ColumnComparison) -> str:
    why = "<br>".join(_prose(reason, MAX_WORDS) for reason in column.reasons[:MAX_REASONS])
    cells = (
        _status(column.status),
        _code(column.name),
        effect_text(column.effect, column.interval),
        p_text(column.p_value),
    )
    return f"| {' | '.join(cells)} | {why} |\n"


def _assumptions(comparison: Comparison) -> Iterator[str]:
    yield f"{comparison.n_current:,} rows against {comparison.n_reference:,} of the reference"
    yield f"{comparison.budget:g} false incidents are expected a window in which nothing changed"
    yield f"a PSI up to {comparison.tolerance:g} does not matter"
    together = getattr(comparison, "multivariate", None)
    if together is not None:
        yield f"columns together: {_prose(together.summary, MAX_WORDS)}"
    yield from (_prose(each, MAX_WORDS) for each in comparison.assumptions[:10])


def _status(status: str) -> str:
    return f"{SIGNS.get(status, '⚪')} {status}"


def _code(text: str) -> str:
    """Return a code span that is one cell of a table, whatever `text` holds.

    A table is divided into cells before anything else is read, so pipes are escaped even here, and a
    backslash before one would undo that: it is written as its escape.
    """
    shown = re.sub(r"\\(?=\\*\|)", r"\\x5c", printable(text, MAX_NAME_CHARACTERS)).replace("|", "\\|")
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    space = " " if shown[:1] in ("`", " ", "") or shown[-1:] in ("`", " ") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def _prose(text: str, most: int) -> str:
    """Return words without markup: every mark that Markdown or HTML reads is escaped, links are broken."""
    broken = _ACTIVE.sub(lambda match: match[0] + _BREAK, sentence(text, most))
    return _MARKUP.sub(r"\\\1", broken).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
