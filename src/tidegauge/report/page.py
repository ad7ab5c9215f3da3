"""A comparison as one HTML file: what changed most, why, and how sure that is."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from tidegauge.drift.readable import percent
from tidegauge.report.charts import column_chart, thumbnail
from tidegauge.report.extra import require
from tidegauge.report.figures import effect_text, figure, p_text, sentence, value_text, window_text
from tidegauge.report.homes import moved_homes
from tidegauge.report.performance_section import section
from tidegauge.report.strip import effect_strip
from tidegauge.tables import printable

if TYPE_CHECKING:
    from tidegauge.comparison import Comparison
    from tidegauge.performance_result import Performance

MAX_TOLD = 60  # columns with a section of their own; more are found in the table
MAX_DRAWN = 200  # columns whose chart and numbers the page holds; more have their row of figures
MAX_HOMES = 100
MAX_NAME_CHARACTERS, MAX_WORDS = 120, 600
STYLES = ("colours.css", "page.css", "chart.css", "performance.css")
STATUSES = ("alert", "warning", "ok", "insufficient", "immature", "undefined")


def render_html(
    comparison: Comparison, title: str | None = None, performances: Sequence[Performance] = ()
) -> str:
    """Return the comparison as a whole HTML document that needs nothing else: no network, no other file.

    It reads from the verdict to the doubts: the verdict; the columns with a warning or an alert (the worst
    60), with distributions, causes and numbers; rows that changed their home; the columns together; how right
    the model was in the successive windows of `performances`; a table of all columns; what was assumed. Its
    script only sorts and searches that table, and a content policy forbids everything else: a name that
    slipped through every escape could still do nothing. About 10 KB a column up to 200 columns, 1 KB for each
    one more. `title` is "tidegauge" and the status unless given.
    Raises InputError where jinja2 is not installed.
    """
    columns = comparison.worst_first()
    loud = [column for column in columns if column.judged and column.status in ("warning", "alert")]
    reach = [column.interval[1] if column.interval else column.effect or 0.0 for column in loud]
    homes = moved_homes(columns)
    judged = [column for column in columns if column.judged]
    style, script = (joined(names) for names in (STYLES, ("table.js",)))
    told = section(performances) if performances else {"performances": ()}
    page: str = (
        environment()
        .get_template("page.html")
        .render(
            comparison=comparison,
            together=getattr(comparison, "multivariate", None),
            title=title or f"tidegauge: {comparison.status}",
            policy=policy(style, script),
            style=style,
            script=script,
            columns=[(f"column-{i}", column) for i, column in enumerate(columns)],
            told=len(loud[:MAX_TOLD]),
            loud=len(loud),
            drawn=MAX_DRAWN,
            full=max(reach, default=0.0) or 1.0,
            tallies=[(status, sum(c.status == status for c in judged)) for status in STATUSES],
            unjudged=len(columns) - len(judged),
            homes=homes[:MAX_HOMES],
            more_homes=len(homes[MAX_HOMES:]),
            **told,
        )
    )
    return page


def policy(style: str, script: str) -> str:
    """Return a content policy that allows this style sheet and this script (none if ""), and nothing else."""
    sums = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    scripts = f"'sha256-{sums[1]}'" if script else "'none'"
    return (
        f"default-src 'none'; style-src 'sha256-{sums[0]}'; script-src {scripts}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _sentence(text: str) -> str:
    """Return words of the comparison in which no number loses its unit to the next line."""
    return sentence(text, MAX_WORDS).replace(" %", "\u00a0%")


@cache
def joined(names: tuple[str, ...]) -> str:
    """Return templates one after another."""
    templates = resources.files("tidegauge.report") / "templates"
    return "".join((templates / name).read_text("utf-8") for name in names)


@cache
def environment() -> Any:
    """Return the pages' templates: everything in them is escaped but charts and our own style and script."""
    jinja2 = require("jinja2", "jinja2")
    markup = require("markupsafe", "jinja2").Markup
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("tidegauge.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "shown": _sentence,
        "named": lambda text: printable(text, MAX_NAME_CHARACTERS),
        "percent": lambda share: percent(share).replace(" %", "\u00a0%"),
        "figure": figure,
        "p": p_text,
        "count": lambda n: f"{n:,}",
        "ours": markup,  # only for what this package wrote
    }
    made.globals |= {
        "chart": lambda column: markup(column_chart(column)),
        "thumbnail": lambda column: markup(thumbnail(column)),
        "strip": lambda *arguments: markup(effect_strip(*arguments)),
        "effect_text": effect_text,
        "value_text": value_text,
        "window_text": window_text,
    }
    return made
