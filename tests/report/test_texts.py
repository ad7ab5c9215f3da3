"""Markdown, JSON and JUnit XML: short, inert, and read by others' parsers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt

from tidegauge.comparison import Comparison
from tidegauge.errors import InputError
from tidegauge.report import column_png, render_html, render_json, render_junit, render_markdown
from tidegauge.report.figures import effect_text, figure, p_text, value_text, window_text
from tidegauge.tables import printable

LOUD = ("warning", "alert", "insufficient")


def inline_tokens(text: str) -> list[Any]:
    """The leaves of a parsed document, as CommonMark with GitHub's tables and strikethrough reads it."""
    parsed = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return [leaf for token in parsed for leaf in token.children or ()]


def cells(text: str) -> list[list[str]]:
    """The table's rows, header first, each cell as its text."""
    parsed = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    found: list[list[str]] = []
    for i, token in enumerate(parsed):
        if token.type == "tr_open":
            found.append([])
        elif token.type in ("th_open", "td_open"):
            found[-1].append("".join(leaf.content for leaf in parsed[i + 1].children or ()))
    return found


def test_markdown_names_the_changed_columns_worst_first(comparison: Comparison) -> None:
    header, *told = cells(render_markdown(comparison))
    assert header == ["status", "column", "effect (sd)", "p", "why"]
    expected = [c.name for c in comparison.worst_first() if c.status in LOUD]
    assert [row[1] for row in told] == expected
    assert told[0][0] == "🔴 alert"
    quiet = len(comparison.columns) - len(expected)
    assert f"{quiet} others ok or not judged." in render_markdown(comparison)
    assert comparison.assumptions[0] in render_markdown(comparison)


def test_hostile_words_stay_words_in_markdown(hostile: Comparison, word: str) -> None:
    text = render_markdown(hostile)
    header, *told = cells(text)
    assert len(header) == 5
    loud = [c for c in hostile.worst_first() if c.status in LOUD]
    assert len(told) == len(loud)
    shown = re.sub(r"\\(?=\\*\|)", r"\\x5c", printable(word, 80))
    for row in told:
        assert len(row) == 5
        assert row[1].strip() == shown.strip()
    for leaf in inline_tokens(text):
        assert leaf.type in ("text", "code_inline", "html_inline", "text_special"), leaf
        assert leaf.type != "html_inline" or leaf.content == "<br>"
        if leaf.type == "text":
            assert not re.search(r"@\w|#\d|GH-\d|https?://|www\.", leaf.content), leaf.content


def test_hostile_sentences_read_as_they_are(hostile: Comparison, word: str) -> None:
    leaves = inline_tokens(render_markdown(hostile))
    paragraph = "".join(leaf.content for leaf in leaves).replace("\u200b", "")
    assert f"alert: {printable(word, 500)}"[:500].strip() in paragraph


def test_markdown_is_at_most_60_kb(changed_all: Comparison) -> None:
    many = {
        f"{i}-{name}": replace(column, name=f"{i} {'é' * 70} {name}", reasons=("|" * 300,) * 3)
        for i in range(10)
        for name, column in changed_all.columns.items()
    }
    text = render_markdown(replace(changed_all, columns=many))
    assert 57_000 < len(text.encode()) <= 60_000
    told = cells(text)[1:]
    (more,) = re.findall(r"([\d,]+) more with a warning", text)
    loud = [c for c in many.values() if c.status in LOUD]
    assert int(more.replace(",", "")) + len(told) == len(loud)
    assert changed_all.assumptions[0] in text


def test_json_is_the_whole_comparison_in_ascii(comparison: Comparison) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    text = render_json(comparison)
    assert text.isascii()
    assert json.loads(text, parse_constant=refuse) == comparison.to_dict()


def test_json_survives_hostile_words(hostile: Comparison, word: str) -> None:
    read = json.loads(render_json(hostile).encode().decode())
    assert read["columns"]["0"]["name"] == word


def test_json_refuses_nan(comparison: Comparison) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        render_json(replace(comparison, budget=float("nan")))


def suite_of(comparison: Any, **settings: Any) -> ET.Element:
    return ET.fromstring(render_junit(comparison, **settings))


def with_statuses(comparison: Comparison) -> Comparison:
    """Columns of every status, and one that is not judged."""
    statuses = ("ok", "undefined", "immature", "insufficient", "warning", "alert")
    like = comparison["amount"]
    columns = {status: replace(like, name=status, status=status) for status in statuses}
    columns["ok"] = replace(columns["ok"], reasons=())
    columns["id"] = replace(like, name="id", judged=False, status="undefined")
    return replace(comparison, columns=columns, multivariate=None)


@pytest.mark.parametrize(
    ("fail_on", "failed", "skipped"),
    [
        ("alert", {"alert"}, {"undefined", "immature", "insufficient"}),
        ("warning", {"alert", "warning"}, {"undefined", "immature", "insufficient"}),
        ("insufficient", {"alert", "warning", "insufficient"}, {"undefined", "immature"}),
    ],
)
def test_junit_fails_what_is_grave_enough(
    comparison: Comparison, fail_on: str, failed: set[str], skipped: set[str]
) -> None:
    suite = suite_of(with_statuses(comparison), fail_on=fail_on)
    cases = {case.attrib["name"]: case for case in suite.iter("testcase")}
    assert set(cases) == {"ok", "undefined", "immature", "insufficient", "warning", "alert"}
    assert {name for name, case in cases.items() if case.find("failure") is not None} == failed
    assert {name for name, case in cases.items() if case.find("skipped") is not None} == skipped
    counted = [int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")]
    assert counted == [6, len(failed), 0, len(skipped)]
    assert suite.attrib["name"] == "tidegauge"
    reason = comparison["amount"].reasons[0]
    assert cases["alert"].find("failure").attrib == {"type": "alert", "message": reason}
    if fail_on == "alert":
        assert reason in cases["warning"].findtext("system-out")
    assert list(cases["ok"]) == []


def test_junit_has_a_case_for_the_columns_together(comparison: Comparison, together: SimpleNamespace) -> None:
    both = SimpleNamespace(
        worst_first=comparison.worst_first,
        status=comparison.status,
        summary=comparison.summary,
        n_reference=1,
        n_current=1,
        multivariate=together,
    )
    case = list(suite_of(both, fail_on="warning").iter("testcase"))[-1]
    assert case.find("failure").attrib["message"] == together.summary


def test_junit_survives_hostile_words(hostile: Comparison, word: str) -> None:
    text = render_junit(hostile)
    text.encode("utf-8")
    suite = ET.fromstring(text)
    assert {each.tag for each in suite.iter()} <= {
        *("testsuite", "properties", "property", "testcase", "failure", "skipped", "system-out")
    }
    names = [case.attrib["name"] for case in suite.iter("testcase")]
    n_judged = sum(c.judged for c in hostile.columns.values())
    assert names == [*[printable(word, 200)] * n_judged, "(columns together)"]


def test_junit_refuses_another_limit(comparison: Comparison) -> None:
    with pytest.raises(InputError, match="fail_on is 'ok'; use 'insufficient', 'warning' or 'alert'"):
        render_junit(comparison, fail_on="ok")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("package", "run"),
    [("jinja2", render_html), ("vl_convert", lambda comparison: column_png(comparison["amount"]))],
)
def test_a_missing_package_is_named_with_its_remedy(
    comparison: Comparison, package: str, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    from tidegauge.report import page

    page.environment.cache_clear()
    real = importlib.import_module

    def import_module(name: str, *more: Any) -> Any:
        if name == package:
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(InputError, match=r"is not installed.*pip install 'tidegauge\[report\]'"):
        run(comparison)


def test_figures_read_well() -> None:
    assert [p_text(p) for p in (None, 0.0, 1e-9, 4.2e-5, 0.004, 0.034, 1.0)] == [
        *("–", "< 0.000001", "< 0.000001", "0.00004", "0.004", "0.034", "1.000")
    ]
    assert [figure(x) for x in (None, 0.0, 1.94e-5, 0.0306, 1.2, -55.79, 1234.5, 3e12)] == [
        *("–", "0", "1.9e-05", "0.031", "1.20", "-55.8", "1,234", "3e+12")
    ]
    assert value_text(0.5, 0.25, 0.75) == "0.50 [0.25, 0.75]"
    assert effect_text(0.0065, (0.0, 0.031)) == "0.01 [0.00, 0.03]"
    assert effect_text(None) == "–"
    assert window_text((0, 3_600 * 10**9)) == "1970-01-01 00:00:00 to 1970-01-01 01:00:00 UTC"
    assert "ns" in window_text((-(2**63), 2**63 - 1)) or "1677" in window_text((-(2**63), 2**63 - 1))
