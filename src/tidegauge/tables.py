"""Tables as plain text and as HTML without scripts, shared by every repr; all content is escaped."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

MAX_CELL_CHARACTERS = 120
_STYLE = "border-collapse:collapse;font-variant-numeric:tabular-nums"
_CELL_STYLE = "padding:2px 10px;border-bottom:1px solid #ccc;text-align:{}"
_COLOURS = {"alert": "#b00020", "warning": "#8a5a00", "ok": "#1b6e3c"}


def printable(text: str, limit: int | None = MAX_CELL_CHARACTERS) -> str:
    """Return `text` on one line and without control or direction characters, cut to `limit` characters.

    Names and values are hostile: a newline would forge a row, an escape sequence would drive the terminal, a
    right-to-left override would show another name. Each such character is written as its escape.
    """
    safe = "".join(
        c if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} else ascii(c)[1:-1]
        for c in text
    )
    return safe if limit is None or len(safe) <= limit else safe[: limit - 1] + "…"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return an aligned table; columns numbered in `right` are right-aligned. No trailing spaces."""
    lines = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(_width(line[i]) for line in lines) for i in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(_padded(*cell) for cell in zip(line, widths, _sides(header, right), strict=True)).rstrip()
        for line in lines
    )


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return a `<table>` with inline styles, no scripts, everything escaped; statuses are coloured."""
    sides = _sides(header, right)
    head = "".join(_html_cell("th", text, side) for text, side in zip(header, sides, strict=True))
    body = "".join(
        "<tr>"
        + "".join(_html_cell("td", text, side) for text, side in zip(row, sides, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<table style="{_STYLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def escaped(text: str, limit: int | None = MAX_CELL_CHARACTERS) -> str:
    """Return `text` printable and with <, >, & and both quotes escaped, for HTML content and attributes."""
    import html

    return html.escape(printable(text, limit), quote=True)


def _sides(header: Sequence[str], right: Sequence[int]) -> list[str]:
    return ["right" if i in right else "left" for i in range(len(header))]


def _html_cell(tag: str, text: str, side: str) -> str:
    colour = f";color:{_COLOURS[text]};font-weight:bold" if text in _COLOURS else ""
    return f'<{tag} style="{_CELL_STYLE.format(side)}{colour}">{escaped(text)}</{tag}>'


def _padded(text: str, width: int, side: str) -> str:
    space = " " * (width - _width(text))
    return space + text if side == "right" else text + space


def _width(text: str) -> int:
    """Return the columns of a terminal that `text` takes: wide characters two, combining ones none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in {"W", "F"} else 1
        for c in text
    )
