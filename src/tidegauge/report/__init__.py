"""Reports of a comparison for people and for their tools: HTML, Markdown, JSON, JUnit XML, PNG.

Each is a pure function of a `Comparison` (or of one column, of another outcome), and gives the same
bytes for the same one: no clock, no file, no network. Everything that comes from data is hostile text and
escaped for where it stands.
"""

from __future__ import annotations

from tidegauge.report.attribution_page import render_attribution
from tidegauge.report.fairness_page import render_fairness
from tidegauge.report.junit import render_junit
from tidegauge.report.markdown import render_markdown
from tidegauge.report.page import render_html
from tidegauge.report.performance_page import render_performance
from tidegauge.report.picture import column_png
from tidegauge.report.record import render_json

__all__ = [
    "column_png",
    "render_attribution",
    "render_fairness",
    "render_html",
    "render_json",
    "render_junit",
    "render_markdown",
    "render_performance",
]
