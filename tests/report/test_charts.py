"""Charts: what is marked, what is left to words, and a picture that is not blank."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import replace
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tidegauge.comparison import Comparison
from tidegauge.drift.causes import Cause
from tidegauge.errors import InputError
from tidegauge.report import column_png
from tidegauge.report.bars import category_bars
from tidegauge.report.charts import column_chart, thumbnail
from tidegauge.report.strip import effect_strip
from tidegauge.tables import printable

CURRENT, REFERENCE, PAPER = (0x16, 0x68, 0xB8), (0xB6, 0xBE, 0xC7), (255, 255, 255)


def texts(svg: str, style: str = "") -> list[str]:
    return [each.text or "" for each in ET.fromstring(svg).iter("text") if style in each.attrib["class"]]


def test_a_number_has_its_values_beyond_the_range_beside_it(comparison: Comparison) -> None:
    svg = column_chart(comparison["amount"])
    labels = texts(svg)
    (beyond,) = [label for label in labels if label.startswith("≥ ")]
    assert re.fullmatch(r"≥ [\d.]+k?", beyond)
    assert any(re.fullmatch(r"<?[\d.]+ → 1\d %", label) for label in labels), labels
    assert "1" in texts(svg, "k")
    assert "no value" not in labels
    assert "10" in labels, "powers of ten on a logarithmic axis"


def test_rows_without_a_value_have_a_bar(comparison: Comparison) -> None:
    labels = texts(column_chart(comparison["balance"]))
    assert "no value" in labels
    assert any(re.fullmatch(r"0 → [67]\.\d %", label) for label in labels), labels


def test_a_stuck_value_is_marked_where_it_is(comparison: Comparison) -> None:
    column = comparison["temperature"]
    assert column.component == "stuck value"
    svg = ET.fromstring(column_chart(column))
    marks = [each.attrib for each in svg.iter("rect") if each.attrib["class"] == "g"]
    assert marks
    assert all(float(mark["width"]) < 30 for mark in marks)
    line = next(each.attrib["d"] for each in svg.iter("path") if each.attrib["class"] == "c")
    peak = max(
        re.findall(r"H([\d.]+)V([\d.]+)", line), key=lambda point: -float(point[1])
    )  # the highest: SVG goes down
    near = [float(mark["x"]) - 8 <= float(peak[0]) <= float(mark["x"]) + 30 for mark in marks]
    assert any(near)


def test_a_cause_that_is_half_the_axis_has_a_bar_and_no_tint(comparison: Comparison) -> None:
    column = comparison["temperature"]
    n = len(column.before.counts)
    half = replace(column, causes=(replace(column.causes[0], start=1, stop=n // 2),))
    rects = [each.attrib for each in ET.fromstring(column_chart(half)).iter("rect")]
    assert [rect["class"] for rect in rects] == ["h"]
    assert float(rects[0]["width"]) > 100


def test_a_cause_within_a_graver_one_is_left_to_the_table(comparison: Comparison) -> None:
    column = comparison["temperature"]
    outer = replace(column.causes[0], start=100, stop=150)
    inner, other = replace(outer, start=120, stop=130), replace(outer, start=20, stop=40)
    svg = column_chart(replace(column, causes=(outer, inner, other)))
    assert texts(svg, "k") == ["1", "3"]


def test_a_new_category_is_named_and_marked(comparison: Comparison) -> None:
    svg = column_chart(comparison["country"])
    assert "new: BR" in texts(svg, "e")
    assert texts(svg, "k")[-1] == "1"


def test_the_words_say_what_the_chart_shows(comparison: Comparison) -> None:
    label = ET.fromstring(column_chart(comparison["amount"])).attrib["aria-label"]
    assert label.startswith("amount: 8,000 current values over 20,000 of the reference. Changed most: ")
    assert comparison["amount"].causes[0].where in label


def test_a_column_that_is_gone_shows_the_reference_alone(comparison: Comparison) -> None:
    column = comparison["gone"]
    assert column.after is None
    assert 'class="r"' in column_chart(column)
    assert 'class="c"' not in column_chart(column)
    assert thumbnail(column)


def test_nothing_is_drawn_of_nothing(comparison: Comparison) -> None:
    for column in (replace(comparison["amount"], before=None), without_cells(comparison)):
        assert column_chart(column) == ""
        assert thumbnail(column) == ""
        with pytest.raises(InputError, match="nothing to draw"):
            column_png(column)


def without_cells(comparison: Comparison):
    before = comparison["amount"].before
    bare = SimpleNamespace(counts=None, edges=None, n_present=before.n_present)
    return replace(comparison["amount"], before=bare)


def counts_of(counts: list[int], names: list[str | None], n_unseen: int = 0, n_null: int = 0):
    n = sum(counts) + n_unseen
    return SimpleNamespace(
        counts=np.array(counts),
        edges=None,
        categories=names,
        n_unseen=n_unseen,
        n_present=n,
        n_rows=n + n_null,
        unseen_top=[],
    )


def cause(start: int, where: str) -> Cause:
    return Cause(where, 0.2, 0.1, -3.0, 0.5, start, start + 1)


def test_bars_add_up_and_keep_the_causes() -> None:
    names = [f"n{i}" for i in range(30)]
    before, after = (
        counts_of([100 - i for i in range(30)], names),
        counts_of([1] * 29 + [500], names, 71, 400),
    )
    bars = category_bars(before, after, [cause(29, "'n29'"), cause(28, "'n28'")])
    values, missing = bars[:-1], bars[-1]
    assert sum(bar.reference for bar in values) == pytest.approx(1.0)
    assert sum(bar.current for bar in values) == pytest.approx(1.0)
    assert (missing.label, missing.current) == ("no value", 400 / 1_000)
    ranks = {bar.label: bar.rank for bar in bars if bar.rank}
    assert ranks == {"n29": 1, "n28": 2}
    assert [bar.label for bar in values[-2:]] == ["19 others", "unseen before"]


def test_rare_categories_together_are_a_cause_of_the_others() -> None:
    names = [f"n{i}" for i in range(30)]
    before = counts_of([100] * 30, names)
    bars = category_bars(before, before, [cause(12, "all rarer categories")])
    assert {bar.label: bar.rank for bar in bars if bar.rank} == {"20 others": 1}


def test_unseen_categories_are_the_last_place_however_wide_the_stack_is() -> None:
    before, after = counts_of([50, 50], ["a", "b"]), counts_of([50, 40], ["a", "b"], 10)
    for place in (2, 4_096):
        bars = category_bars(before, after, [cause(place, "unseen categories")])
        assert {bar.label: bar.rank for bar in bars if bar.rank} == {"unseen before": 1}


def test_names_that_are_not_kept_are_said_to_be_so() -> None:
    before = counts_of([50, 50], [None, None])
    assert {bar.label for bar in category_bars(before, None, [])} == {"(name not kept)"}
    few = counts_of([50, 50], [None, None], 4)
    few.unseen_top = [("secret", 4)]
    assert "secret" not in [bar.label for bar in category_bars(before, few, [])][-1]


def test_hostile_names_are_text_in_a_chart(hostile: Comparison, word: str) -> None:
    for column in hostile.columns.values():
        svg = column_chart(column)
        if svg:
            found = {each.tag for each in ET.fromstring(svg).iter()}
            assert found <= {"svg", "path", "rect", "text"}
            assert printable(word, 60) in ET.fromstring(svg).attrib["aria-label"]


def test_a_strip_lies_within_its_box() -> None:
    assert effect_strip(None, None, 0.1, 1.0) == ""
    assert effect_strip(0.5, None, 0.1, 0.0) == ""
    svg = ET.fromstring(effect_strip(0.5, (0.25, 9.0), 0.1, 1.0))
    assert float(svg.find("circle").attrib["cx"]) == pytest.approx(80)
    bar = svg.find("rect").attrib
    assert float(bar["x"]) == pytest.approx(42)
    assert float(bar["x"]) + float(bar["width"]) == pytest.approx(156)


def pixels(png: bytes) -> np.ndarray:
    """Decode a PNG of 8-bit RGBA: chunks, zlib, and the five filters of the standard."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", chunks[0][1][:10])
    assert (depth, colour) == (8, 6)
    raw = zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT"))
    lines = np.frombuffer(raw, np.uint8).reshape(height, 1 + 4 * width)
    above = np.zeros(4 * width, int)
    out = np.empty((height, 4 * width), np.uint8)
    for i, line in enumerate(lines):
        above = unfiltered(int(line[0]), line[1:].astype(int), above)
        out[i] = above
    return out.reshape(height, width, 4)


def unfiltered(kind: int, line: np.ndarray, above: np.ndarray) -> np.ndarray:
    if kind in (0, 2):
        return (line + above * (kind == 2)) % 256
    done = line.tolist()
    up = above.tolist()
    for i in range(len(done)):
        left, corner = (done[i - 4], up[i - 4]) if i >= 4 else (0, 0)
        guess = {1: left, 3: (left + up[i]) // 2}.get(kind)
        if guess is None:
            p = left + up[i] - corner
            guess = min((left, up[i], corner), key=lambda each: abs(p - each))
        done[i] = (done[i] + guess) % 256
    return np.array(done)


@pytest.mark.parametrize("name", ["amount", "country"])
def test_a_picture_shows_both_sides_and_letters(comparison: Comparison, name: str) -> None:
    image = pixels(column_png(comparison[name], width=360, scale=1))[..., :3]
    assert image.shape[1] == 360
    for colour, least in ((CURRENT, 300), (REFERENCE, 2_000), (PAPER, 10_000)):
        assert np.all(image == colour, axis=-1).sum() > least
    dark = (image.max(axis=-1) < 120).sum()  # of letters only: nothing else is that dark
    assert dark > 50


def test_a_picture_has_the_size_asked_for_and_the_same_bytes(comparison: Comparison) -> None:
    one = column_png(comparison["amount"], width=500, scale=1.5)
    assert struct.unpack(">I", one[16:20]) == (750,)
    assert one == column_png(comparison["amount"], width=500, scale=1.5)
    assert one != column_png(comparison["balance"], width=500, scale=1.5)


@pytest.mark.parametrize(
    ("width", "scale"), [(0, 1), (-5, 1), (100, 0), (100, -1), (100, float("nan")), (9_000, 2)]
)
def test_a_picture_of_no_size_is_refused(comparison: Comparison, width: int, scale: float) -> None:
    with pytest.raises(InputError, match="16,384 pixels"):
        column_png(comparison["amount"], width, scale)


def test_hostile_names_are_drawn(hostile: Comparison) -> None:
    assert column_png(hostile.columns["2"], width=100, scale=1)
