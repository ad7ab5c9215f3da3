"""How right a model is, as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidegauge.measurement import worst
from tidegauge.report.page import STYLES, environment, joined, policy
from tidegauge.report.performance_section import section

if TYPE_CHECKING:
    from tidegauge.performance_result import Performance


def render_performance(
    performances: Sequence[Performance], title: str | None = None, summary: str | None = None
) -> str:
    """Return successive windows' performances as a whole HTML document that needs nothing else.

    The sentence; each judged metric over the windows, as realised and as estimated with their intervals, the
    reference and the limit (the gravest first, at most 24); the share of rows with labels; reliability,
    confusion matrices and all numbers of the last window with labels. A content policy forbids scripts and
    everything from elsewhere. ValueError for no windows, InputError where jinja2 is not installed.
    """
    if not performances:
        raise ValueError("render_performance: no windows; pass the performance of one at least")
    status = worst(each.status for each in performances)
    style = joined(STYLES)
    page: str = (
        environment()
        .get_template("performance_page.html")
        .render(
            title=title or f"tidegauge: performance {status}",
            policy=policy(style, ""),
            style=style,
            **section(performances, summary),
        )
    )
    return page
