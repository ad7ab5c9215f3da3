"""How alike a model treats facets of a population, as one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegauge.outcomes.facets import CLARIFY
from tidegauge.report.page import STYLES, environment, joined, policy
from tidegauge.segments import parse_segment, shown_segment

if TYPE_CHECKING:
    from tidegauge.fairness_result import Fairness
    from tidegauge.measurement import Measurement

LOUD = ("alert", "warning")


def render_fairness(fairness: Fairness, title: str | None = None) -> str:
    """Return the outcome of `fairness` as a whole HTML document that needs nothing else.

    The sentence, the rows of each facet, and of each facet every metric with its interval, the reference's
    value and the limit; facets with an alert or a warning first. A content policy forbids scripts and
    everything from elsewhere. InputError where jinja2 is not installed.
    """
    style = joined(STYLES)
    page: str = (
        environment()
        .get_template("fairness_page.html")
        .render(
            title=title or f"tidegauge: fairness {fairness.status}",
            policy=policy(style, ""),
            style=style,
            fairness=fairness,
            advantaged=shown(fairness.advantaged) if fairness.advantaged else "all others",
            rows_of=[(shown(each.segment), each) for each in fairness.facets],
            metrics_of=by_facet(fairness),
            clarify=CLARIFY,
        )
    )
    return page


def by_facet(fairness: Fairness) -> list[tuple[str, list[Measurement]]]:
    """Return the metrics of each facet that have a value, the loudest facets first, all together last."""
    found: dict[str | None, list[Measurement]] = {}
    for each in fairness.measurements:
        if each.value is not None:
            found.setdefault(each.segment, []).append(each)
    order = sorted(
        found,
        key=lambda facet: (facet is None, -sum(each.status in LOUD for each in found[facet]), facet or ""),
    )
    return [("all facets together" if facet is None else shown(facet), found[facet]) for facet in order]


def shown(segment: str) -> str:
    """Return a facet's segment for people."""
    return shown_segment(parse_segment(segment))
