"""A Parquet file whose list of records is sealed and is no list: set aside, and the others are read."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from tidegauge.archive.parquet_file import NOTE, seal_of
from tidegauge.archive.urls import opened
from tidegauge.errors import ArchiveWarning

WINDOW = [0, 3_600_000_000_000]
ROW = ["m", "1", "r", *WINDOW, "", "w", 0, 1, 1]
WRONG = {
    "no object": [],
    "nothing": {},
    "no records": {"format": 1, "written_ns": 0, "replaces": []},
    "a row cut short": {"format": 1, "written_ns": 0, "records": [ROW[:8]], "replaces": []},
    "a row that is a number": {"format": 1, "written_ns": 0, "records": [5], "replaces": []},
    "a count that is none": {
        "format": 1,
        "written_ns": 0,
        "records": [[*ROW[:8], "many", 1]],
        "replaces": [],
    },
    "a key that is none": {"format": 1, "written_ns": 0, "records": [ROW], "replaces": [["m"]]},
    "a window of nothing": {
        "format": 1,
        "written_ns": 0,
        "records": [[*ROW[:3], 9, 9, *ROW[5:]]],
        "replaces": [],
    },
    "a moment that is none": {"format": 1, "written_ns": "now", "records": [ROW], "replaces": []},
    "a format that is none": {"format": "1", "written_ns": 0, "records": [ROW], "replaces": []},
    "a row too many": {"format": 1, "written_ns": 0, "records": [ROW, ROW, ROW], "replaces": []},
}


@pytest.mark.parametrize("wrong", [*WRONG, "no JSON"])
def test_a_sealed_list_that_is_none_hides_nothing_else(tmp_path, make, wrong):
    store = opened(tmp_path / "a", read_only=False)
    store.append([make.record(0), make.record(0, segment='{"k":"a"}')])
    (file,) = (tmp_path / "a").rglob("*.parquet")
    store.append([make.record(1)])
    body = b"{" if wrong == "no JSON" else json.dumps(WRONG[wrong]).encode()
    pq.write_table(pq.read_table(file).replace_schema_metadata({NOTE: seal_of(body) + body}), file)
    other = opened(tmp_path / "a", read_only=False)
    with pytest.warns(ArchiveWarning, match=r"list of|\d rows"):
        found = other.find()
    assert [each.key for each in found] == [make.key(1)]
    assert len(other.quarantined()) == 1
    for each in (store, other):
        each.close()
