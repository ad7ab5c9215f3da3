"""What `performance` says of inputs and concept, and of the columns behind the inputs' part."""

from __future__ import annotations

import json
import re

import pytest
from tests.performance.segmented_rows import SEGMENTS, fitted, rows_of

import tidegauge as tg
from tidegauge.report import render_performance


@pytest.fixture(scope="module")
def reference() -> tg.Reference:
    return fitted()


def told(reference: tg.Reference, **options: object) -> tg.Performance:
    rows = rows_of(10_000, 31, **options)
    return tg.performance(
        tg.profile(rows, reference), reference, segments=tg.profile_segments(rows, reference, SEGMENTS)
    )


def test_other_rows_are_told_from_another_meaning(reference: tg.Reference) -> None:
    mixed = told(reference, shares=(0.05, 0.05, 0.9))
    each = mixed.shift_of("roc_auc")
    assert each.inputs_interval[1] < 0
    assert abs(each.concept) < 0.15 * abs(each.inputs)
    assert each.inputs + each.concept == pytest.approx(
        mixed.value("roc_auc") - mixed.measurement("roc_auc").reference_value
    )
    lost = told(reference, lost={"SE": 0.6, "DE": 0.6})
    each = lost.shift_of("roc_auc")
    assert each.concept_interval[1] < 0
    assert each.inputs_interval[0] < 0 < each.inputs_interval[1]
    assert "inputs explain " in lost.summary
    assert "concept drift -" in lost.summary
    json.dumps(lost.to_dict(), allow_nan=False)


def test_labels_that_have_not_come_are_not_held_against_the_inputs(reference: tg.Reference) -> None:
    early = told(reference, labels=0.3)
    assert early.shift_of("accuracy").concept is None
    assert early.shift_of("accuracy").n_rows == 10_000
    assert "needs labels" in render_performance([early])
    with pytest.raises(KeyError, match="no parts of a change of 'kappa'; there are accuracy, "):
        early.shift_of("kappa")


def test_columns_are_ranked_by_what_their_mix_does(reference: tg.Reference) -> None:
    rows = rows_of(10_000, 32, shares=(0.05, 0.05, 0.9), labels=0.0)
    profile = tg.profile(rows, reference)
    segments = tg.profile_segments(rows, reference, SEGMENTS)
    channels = tg.Reference.fit(
        rows_of(20_000, 1), schema=reference.schema, edges=reference, segments=[*SEGMENTS, "channel"]
    )
    segments |= tg.profile_segments(rows, reference, ["channel"])
    made = tg.performance(profile, channels, segments=segments)
    found = made.columns("accuracy", comparison=tg.compare(channels, profile))
    assert [each.by for each in found][-1] == ("channel",)
    by = {each.by: each for each in found}
    country, channel = by["country",], by["channel",]
    assert country.interval[1] < 0 < channel.interval[1]
    assert abs(channel.part) < 0.1 * abs(country.part)
    assert country.drift == "alert"
    assert country.effect > 0.5
    assert channel.drift == "ok"
    assert by["channel", "country"].drift is None
    assert country.share == pytest.approx(
        country.part / made.cause("accuracy", "country", "estimated").change
    )
    with pytest.raises(KeyError, match="no realised change of 'accuracy' is split; there are none"):
        made.columns("accuracy", "realised")


def test_the_page_has_both_parts(reference: tg.Reference) -> None:
    page = render_performance([told(reference, lost={"SE": 0.6})])
    assert 'class="shift"' in page
    assert 'class="causes"' in page
    assert 'class="columns-of-change"' in page


def test_a_repr_tells_the_largest_part_of_what_was_judged_worse(reference: tg.Reference) -> None:
    found = told(reference, lost={"SE": 0.6})
    cells = [re.split(r"  +", line) for line in repr(found).splitlines()]
    (row,) = [each for each in cells if each[:1] == ["realised accuracy"] and each[2] == "country"]
    part = found.cause("accuracy", "country").segments[0].part
    assert row[-1] == f"country=SE {part:+.3g}"
    assert "largest part" in found._repr_html_()
    assert [len(each.by) for each in found.told_causes()] == sorted(
        len(each.by) for each in found.told_causes()
    )
    assert "largest part" not in repr(tg.performance(tg.profile(rows_of(500, 1), reference), reference))
