"""The page in Chromium: asks for nothing, paints at once, fits a phone, sorts, searches, acts on no name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tidegauge.comparison import Comparison
from tidegauge.report import render_html


@pytest.fixture
def page(wide: Comparison, tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(render_html(wide), "utf-8")
    return path


def test_it_asks_for_nothing_but_itself_and_complains_of_nothing(browser: Any, page: Path) -> None:
    browser.look(1280, 900)
    browser.open(page)
    browser.run("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    browser.run("new Promise((done) => setTimeout(done, 200))")
    assert browser.requests() == [page.as_uri()]
    assert browser.complaints() == []


def test_the_first_chart_is_painted_within_half_a_second(browser: Any, page: Path) -> None:
    # Measured 0.15 s to the first paint, in which the first charts are: they stand on the first screen.
    browser.look(1280, 900)
    painted = []
    for _ in range(3):
        browser.open(page)
        assert browser.run("document.querySelector('svg').getBoundingClientRect().bottom < innerHeight")
        painted.append(browser.run("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    assert min(painted) < 500


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_it_fits_the_window_and_is_not_blank(browser: Any, page: Path, width: int, dark: bool) -> None:
    browser.look(width, 900, dark=dark)
    browser.open(page)
    browser.run("document.querySelectorAll('details').forEach((each, i) => (each.open = i < 30))")
    assert browser.run("document.documentElement.scrollWidth") <= width
    shown = browser.run("getComputedStyle(document.body).backgroundColor")
    assert shown == ("rgb(20, 23, 26)" if dark else "rgb(251, 251, 249)")
    letters = browser.run(
        "Math.min(...[...document.querySelectorAll('article .chart')].map((svg) => "
        "11 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width))"
    )
    assert letters >= 9, "pixels of the letters in a chart"
    assert len(browser.picture()) > 20_000


def test_the_table_sorts_by_keyboard_and_says_how(browser: Any, page: Path) -> None:
    browser.look(1280, 900)
    browser.open(page)
    first = (
        "[...document.querySelectorAll('#columns > table > tbody > tr:first-child bdi')]"
        ".map((each) => each.textContent)"
    )
    effects = (
        "[...document.querySelectorAll('#columns > table > tbody > tr:first-child > td:nth-child(4)')]"
        ".map((each) => each.dataset.v)"
    )
    order = browser.run(first)
    browser.run("document.querySelectorAll('#columns th button')[0].focus()")
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press("Enter", 13)
    assert browser.run(first) == sorted(order, key=str.lower)
    assert browser.run("document.querySelector('[aria-sort]').textContent") == "column"
    assert browser.run("document.querySelector('[aria-sort]').ariaSort") == "ascending"
    browser.press("Enter", 13)
    assert browser.run(first) == sorted(order, key=str.lower, reverse=True)
    browser.run("document.querySelectorAll('#columns th button')[2].click()")
    assert browser.run("document.querySelectorAll('[aria-sort]').length") == 1
    found = browser.run(effects)
    numbers = [float(each) for each in found if each]
    assert numbers == sorted(numbers, reverse=True)
    assert found == [*found[: len(numbers)], *[""] * (len(found) - len(numbers))], "undefined ones come last"


def test_the_table_is_searched_by_words(browser: Any, page: Path) -> None:
    browser.look(1280, 900)
    browser.open(page)
    search = (
        "{{ const box = document.querySelector('input'); box.value = {!r};"
        " box.dispatchEvent(new Event('input')) }}"
    )
    body = "#columns > table > tbody:not([hidden])"
    shown = (
        f"[...document.querySelectorAll({body!r} + ' > tr:first-child bdi')].map((each) => each.textContent)"
    )
    browser.run(search.format("ALERT temp"))
    assert browser.run(shown) == ["temperature"]
    assert browser.run("document.querySelector('#found').textContent") == "1 of 100 columns"
    browser.run(search.format(""))
    assert browser.run(f"document.querySelectorAll({body!r}).length") == 100


def test_the_first_stop_of_the_keyboard_skips_to_the_table(browser: Any, page: Path) -> None:
    browser.look(1280, 900)
    browser.open(page)
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.className") == "skip"
    browser.press("Enter", 13)
    assert browser.run("location.hash") == "#columns"


def test_it_is_whole_without_its_script(browser: Any, page: Path) -> None:
    browser.look(1280, 900)
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page)
        assert browser.run("document.querySelectorAll('#columns > table > tbody').length") == 100
        assert browser.run("document.querySelectorAll('button').length") == 0
        assert browser.run("document.querySelector('#tools').checkVisibility()") is False
        assert browser.run("document.querySelector('#columns details').checkVisibility()") is True
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_it_prints_its_text_dark_on_light(browser: Any, page: Path) -> None:
    browser.look(800, 900, media="print")
    browser.open(page)
    assert browser.run("document.querySelector('#tools').checkVisibility()") is False
    assert browser.run("document.querySelector('article .chart').checkVisibility()") is True
    browser.look(1280, 900)


def test_hostile_words_act_on_nothing(browser: Any, hostile: Comparison, word: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(render_html(hostile, title=word), "utf-8")
    browser.look(375, 800)
    browser.open(path)
    assert browser.requests() == [path.as_uri()]
    assert browser.complaints() == []
    assert browser.run("document.scripts.length") == 1
    assert browser.run("document.documentElement.scrollWidth") <= 375
