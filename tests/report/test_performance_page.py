"""The page of how right a model is: whole, safe with hostile words, drawn, and looked at in Chromium."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.performance.rows import days, fitted
from tests.report.test_page import require_sound

import tidegauge as tg
from tidegauge.comparison import Comparison
from tidegauge.measurement import Measurement
from tidegauge.outcomes.calibration import ReliabilityCurve
from tidegauge.report import render_html, render_performance
from tidegauge.report.metric_chart import Point, metric_chart, round_values
from tidegauge.report.reliability_chart import reliability_chart


@pytest.fixture(scope="module")
def scanned() -> tg.PerformanceScan:
    """Ten days, of which the last three have no labels yet and the two before are bad."""
    reference = fitted()
    parts = [days(40, 45), days(45, 47, lost=0.5), days(47, 50, labels=0.0)]
    windows = tg.profile_windows(pa.concat_tables(parts), reference, window="1d")
    return tg.performance_scan(windows, reference)


def sound(text: str) -> Any:
    """The page has no script, and is what every page must be."""
    assert "<script" not in text
    return require_sound(text)


def test_the_page_shows_lines_labels_reliability_and_answers(scanned: tg.PerformanceScan) -> None:
    text = render_performance(scanned.performances, summary=scanned.summary)
    page = sound(text)
    charts = [each for each in page.all("svg") if each["class"] == "chart"]
    assert len(charts) == 13
    assert "realised" in charts[0]["aria-label"]
    assert sum(each["class"] == "square" for each in page.all("svg")) == 1
    assert len(page.all("meter")) == 10
    assert text.count('<td class="num">0</td>') == 3
    assert "Labels by answer" in text
    assert "alert: " in text
    assert render_performance(scanned.performances, summary=scanned.summary) == text


def test_one_window_has_numbers_and_no_lines(scanned: tg.PerformanceScan) -> None:
    page = sound(render_performance(scanned.performances[:1]))
    assert [each["class"] for each in page.all("svg")] == ["square"]
    unlabelled = sound(render_performance(scanned.performances[-1:]))
    assert unlabelled.all("svg") == []
    with pytest.raises(ValueError, match="no windows"):
        render_performance([])


def test_a_comparison_has_it_as_a_section(comparison: Comparison, scanned: tg.PerformanceScan) -> None:
    page = require_sound(render_html(comparison, performances=scanned.performances))
    assert any(attributes.get("id") == "performance" for _, attributes in page.elements)
    plain = require_sound(render_html(comparison))
    assert not any(attributes.get("id") == "performance" for _, attributes in plain.elements)


def poisoned(found: tg.Performance, word: str) -> tg.Performance:
    return replace(
        found,
        summary=word,
        measurements=tuple(
            replace(each, name=f"{i} {word}", column=word) for i, each in enumerate(found.measurements)
        ),
        notes=(word,),
        assumptions=(word,),
        confusion=tuple(replace(each, column=word, classes=(word, word)) for each in found.confusion),
    )


def test_hostile_words_change_nothing_of_the_page(scanned: tg.PerformanceScan, word: str) -> None:
    harmless, hostile = (
        sound(render_performance([poisoned(each, text) for each in scanned.performances], title=text))
        for text in ("word", word)
    )
    assert hostile.shape() == harmless.shape()


def test_a_class_per_row_can_be_hostile_too(word: str) -> None:
    label = np.array(["a", word or "empty", "c"])[np.arange(600) % 3]
    rows = pa.table(
        {"said": pa.array([ascii(each) for each in label]), "is": [ascii(each) for each in label]}
    )
    reference = tg.Reference.fit(rows, schema=tg.Schema.infer(rows, prediction="said", label="is"))
    found = tg.performance(tg.profile(rows, reference), reference)
    replaced = replace(
        found, measurements=tuple(replace(m, label=m.label and word) for m in found.measurements)
    )
    sound(render_performance([replaced]))
    repr(replaced)
    assert "<script>" not in replaced._repr_html_()


def point(value: float | None, low: float | None = None, high: float | None = None) -> Measurement:
    return Measurement(name="m", value=value, low=low, high=high, reference_value=0.5, threshold=0.2)


def test_lines_break_where_nothing_is_known() -> None:
    points = [Point(str(i), point(v) if v else None, None) for i, v in enumerate((0.5, 0.6, None, 0.4, 0.3))]
    svg = metric_chart("m", points)
    (line,) = [part for part in svg.split("<path") if part.startswith(' class="c"')]
    assert line.count("M") == 2
    assert svg.count("<circle") == 4
    assert "NaN" not in svg
    assert metric_chart("m", [Point("0", None, None)]) == ""
    assert metric_chart("m", [Point("0", point(None), None)]) == ""


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.61, 0.64), (-3.0, 2e5), (1e-9, 3e-9), (-0.2, 0.0)])
def test_grids_have_a_few_round_values(low: float, high: float) -> None:
    found = round_values(low, high)
    assert 1 <= len(found) <= 6
    assert all(low <= value <= high for value in found)


def test_a_curve_beyond_the_square_stays_in_it() -> None:
    one = np.array([1.5])
    svg = reliability_chart(ReliabilityCurve(one, one, -one, one, one))
    assert 'cx="212"' in svg


def test_it_is_looked_at(browser: Any, scanned: tg.PerformanceScan, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    scanned.to_html(path)
    for width, dark in ((1280, False), (375, True)):
        browser.look(width, 900, dark=dark)
        browser.open(path)
        assert browser.requests() == [path.as_uri()]
        assert browser.complaints() == []
        assert browser.run("document.documentElement.scrollWidth") <= width
        letters = browser.run(
            "Math.min(...[...document.querySelectorAll('.chart')].map((svg) => "
            "11 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width))"
        )
        assert letters >= 8.5, "pixels of the letters in a chart"
        assert len(browser.picture()) > 20_000
