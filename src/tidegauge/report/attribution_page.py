"""Whether a model goes by other features than it did, as one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegauge.report.page import STYLES, environment, joined, policy

if TYPE_CHECKING:
    from tidegauge.attributions import AttributionDrift


def render_attribution(attribution: AttributionDrift, title: str | None = None) -> str:
    """Return the outcome of `attribution_drift` as a whole HTML document that needs nothing else.

    The sentence, nDCG with its interval, and each feature's attribution and place, now and before. A content
    policy forbids scripts and everything from elsewhere. InputError where jinja2 is not installed.
    """
    style = joined(STYLES)
    page: str = (
        environment()
        .get_template("attribution_page.html")
        .render(
            title=title or f"tidegauge: attributions {attribution.status}",
            policy=policy(style, ""),
            style=style,
            attribution=attribution,
        )
    )
    return page
