"""Reports: a page of a hundred columns, its charts alone, and the same charts by Vega-Lite."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import vl_convert

import tidegauge as tg
from tidegauge.comparison import Comparison
from tidegauge.report import column_png, render_html, render_json, render_junit, render_markdown
from tidegauge.report.bins import display_bins
from tidegauge.report.charts import column_chart

Timed = Callable[..., None]
CASE, N = "report, a column", 100


@cache
def compared() -> Comparison:
    rng = np.random.default_rng(3)
    before = {f"c{i}": rng.normal(size=100_000) for i in range(N)}
    after = {name: rng.normal(0.05 * (i % 4), 1, 20_000) for i, name in enumerate(before)}
    reference = tg.Reference.fit(before)
    return tg.compare(reference, tg.profile(after, reference))


@pytest.mark.parametrize("render", [render_html, render_markdown, render_json, render_junit])
def test_render(timed: Timed, render: Callable[[Comparison], str]) -> None:
    text = render(compared())
    assert "c99" in text or render is render_markdown
    who = f"tidegauge {render.__name__}"
    timed(lambda: render(compared()), case=CASE, who=who, values=N, n_bytes=len(text.encode()))


def test_charts(timed: Timed) -> None:
    run = lambda: [column_chart(column) for column in compared().columns.values()]  # noqa: E731
    assert all(ET.fromstring(chart).tag == "svg" for chart in run())
    timed(run, case=CASE, who="tidegauge charts", values=N, n_bytes=sum(map(len, run())))


def test_pictures(timed: Timed) -> None:
    columns = list(compared().columns.values())[:10]
    run = lambda: [column_png(column) for column in columns]  # noqa: E731
    assert all(png.startswith(b"\x89PNG") for png in run())
    timed(run, case=CASE, who="tidegauge column_png", values=10, n_bytes=sum(map(len, run())))


def test_charts_vega(timed: Timed) -> None:
    specs = [vega(column) for column in list(compared().columns.values())[:10]]
    run = lambda: [vl_convert.vegalite_to_svg(spec) for spec in specs]  # noqa: E731
    assert all(ET.fromstring(chart).tag.endswith("svg") for chart in run())
    timed(run, case=CASE, who="Vega-Lite charts, vl-convert", values=10, n_bytes=sum(map(len, run())))


def vega(column: Any) -> dict[str, Any]:
    """The same two distributions, without marks, side bars or words."""
    bins = display_bins(column.before, column.after)
    rows = [
        {"start": a, "end": b, "share": share, "side": side}
        for side, shares in (("reference", bins.reference), ("current", bins.current))
        for a, b, share in zip(bins.edges[:-1], bins.edges[1:], shares, strict=True)
    ]
    x = {"field": "start", "type": "quantitative", "title": None}
    y = {"field": "share", "type": "quantitative", "stack": None, "title": None}
    reference, current = ([{"filter": f"datum.side == '{side}'"}] for side in ("reference", "current"))
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 360,
        "height": 176,
        "data": {"values": rows},
        "layer": [
            {
                "transform": reference,
                "mark": "bar",
                "encoding": {"x": x | {"bin": "binned"}, "x2": {"field": "end"}, "y": y},
            },
            {
                "transform": current,
                "mark": {"type": "line", "interpolate": "step-after"},
                "encoding": {"x": x, "y": y},
            },
        ],
    }
