"""The table of branches: a missed branch lowers its group, and what is below the bound is named."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from trust import coverage


def line(number, function, *counts):
    branches = [{"branchno": i, "count": count} for i, count in enumerate(counts)]
    return {"line_number": number, "function_name": function, "branches": branches}


@pytest.fixture
def measured(tmp_path, monkeypatch):
    engine = {
        "files": [
            {
                "file": "cpp/tidegauge/arrow/check.cpp",
                "lines": [line(7, "check()", 3, 0), line(9, "check()", 1, 1)],
            },
            {
                "file": "cpp/tidegauge/sketch/kll.cpp",
                "lines": [
                    line(5, "Kll<long>::decode(ByteReader&)", 1, 0),
                    line(5, "Kll<double>::decode(ByteReader&)", 0, 2),
                    line(8, "Kll<double>::update()", 0, 0),
                ],
            },
        ]
    }
    python = {"files": {"x/archive/spool.py": {"executed_branches": [[1, 2]], "missing_branches": [[1, 5]]}}}
    (tmp_path / "engine.json").write_text(json.dumps(engine))
    (tmp_path / "archives.json").write_text(json.dumps(python))
    monkeypatch.setattr(coverage, "FOUND", tmp_path)


def test_branches_are_counted_by_line_and_group(measured):
    shown = CliRunner().invoke(coverage.main, ["--measured", "--missed", "--bound", "0.7"])
    assert "| **import** |  | 4 | 3 | 75.0% |" in shown.output
    assert "| **decoders** |  | 2 | 2 | 100.0% |" in shown.output, "either copy of a template will do"
    assert "| **archives** |  | 2 | 1 | 50.0% |" in shown.output
    assert "arrow/check.cpp: 7\n" in shown.output
    assert "below 70%: archives\n" in shown.output
    assert shown.exit_code == 1


def test_what_gcovr_left_out_is_left_out(measured):
    path = coverage.FOUND / "engine.json"
    path.write_text(path.read_text().replace('"count": 0', '"gcovr/excluded": true, "count": 0'))
    assert "| **import** |  | 3 | 3 | 100.0% |" in CliRunner().invoke(coverage.main, ["--measured"]).output


def test_at_the_bound_nothing_is_said(measured):
    shown = CliRunner().invoke(coverage.main, ["--measured", "--bound", "0.5"])
    assert shown.exit_code == 0
    assert "below" not in shown.output
