"""The malformed structures: that the harness notices what is missed, and what no one can notice."""

from __future__ import annotations

import ctypes
import struct
import tempfile
from pathlib import Path

import pytest
from trust.capsules import child, part

pytest.importorskip("tidegauge._contract")

N = 26_000  # more than there are pairs of a layout and a fault, twice

# What each fault alone must come to, whatever the layout; the rest depends on where it falls.
REFUSED = {
    "schema released", "format NULL", "format empty", "format broken", "schema children NULL",
    "schema cyclic",
    "schema child NULL", "schema wide", "codes no integers", "length negative", "offset negative",
    "length and offset overflow", "size overflow", "null_count out of range", "dictionary missing",
    "dictionary too long", "get_schema fails", "get_next fails", "get_next fails without words",
    "get_schema NULL", "get_next NULL", "stream released",
}  # fmt: skip
ACCEPTED = {"nothing wrong", "unaligned", "release keeps itself"}


def tried(mode: str, n: int, tmp_path, first: int = 0) -> dict:
    from tidegauge import _contract

    progress = tmp_path / "progress"
    progress.write_bytes(bytes(8))
    return _contract.capsules_run(first, n, 1, 60.0, str(progress), mode == "blind")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return tried("engine", N, tmp_path_factory.mktemp("capsules"))


def test_every_layout_meets_every_fault_and_nothing_is_found(told):
    from tidegauge import _contract

    assert told["findings"] == []
    assert told["tried"] == N > 2 * _contract.capsules_pairs()
    assert (
        min(told["counts"][what] for what in ("refused", "accepted", "in a stream", "of several faults"))
        > N / 10
    )
    assert told["counts"]["spared: none could notice"] < N / 50


def test_what_can_be_noticed_is_refused_and_what_is_right_is_not(told):
    alone = told["alone"]  # in layouts that are read
    assert {name for name in REFUSED if name not in alone or alone[name][1]} == set()
    assert {name for name in ACCEPTED if name not in alone or alone[name][0]} == set()
    assert sum(1 for n_refused, _ in alone.values() if n_refused) > 55, "kinds of faults"


def test_an_engine_that_notices_nothing_is_found_out(tmp_path):
    blind = tried("blind", 3_000, tmp_path)
    found = {finding.partition(" (")[0] for finding in blind["findings"]}
    assert len(found) > 1_000
    assert any("is accepted, but" in finding for finding in blind["findings"])
    assert any("is read as other values" in finding for finding in tried("blind", N, tmp_path)["findings"])


def test_a_case_that_kills_its_process_is_named_and_the_next_are_tried(monkeypatch):
    planted = """
import os, signal, sys
from trust.capsules import child
mode, first, n, step, seconds, progress = sys.argv[1:]
bad = 7
if int(first) <= bad < int(first) + int(n):
    open(progress, "r+b").write(bad.to_bytes(8, "little"))
    os.kill(os.getpid(), signal.SIGSEGV)
child.main(mode, int(first), int(n), int(step), float(seconds), child.Path(progress))
"""
    start = part.subprocess.Popen

    def popen(arguments, **how):
        return start([arguments[0], "-c", planted, *arguments[3:]], **how)

    monkeypatch.setattr(part.subprocess, "Popen", popen)
    outcome = part.tried_apart("engine", 0, 20, 1, 60.0)
    assert outcome.tried == 20
    (found,) = outcome.findings
    assert found.startswith("case 7 dies by SIGSEGV")
    assert outcome.counts["refused"] + outcome.counts["accepted"] == 12, "those after it"


def test_the_part_tries_some_again(monkeypatch):
    monkeypatch.setattr(part.sanitized, "environment", missing)
    outcome = part.run(100, 530, 60.0)
    assert (outcome.tried, outcome.findings) == (530, [])
    assert outcome.counts["again through Python"] == 10
    assert outcome.counts["not tried under sanitizers: not built"] == 48


def missing(preset):
    raise FileNotFoundError(preset)


def test_through_python_a_wrong_answer_is_a_finding(monkeypatch):
    from tidegauge import _contract

    honest = _contract.capsules_case
    monkeypatch.setattr(
        _contract, "capsules_case", lambda number: honest(number) | {"wrong": [], "n_rows": 10}
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(8))
        file.flush()
        told = child.through_python(0, 40, 1, 60.0, Path(file.name))
    assert len(told["findings"]) > 20


def test_capsules_that_nobody_takes_are_released_by_themselves():
    from tidegauge import _contract

    for number in range(50):
        _contract.capsules_case(number)
    assert _contract.capsules_settle() == []
    kept = _contract.capsules_case(1_000_003)
    assert len(_contract.capsules_settle()) >= 1, "a leak is noticed"
    ctypes.pythonapi.Py_IncRef(
        ctypes.py_object(kept["capsules"])
    )  # its memory is gone: never look at it again


# What none can notice. The structures hold more memory than they say, so that reading on is harmless here.


def column(n_offsets: int, last: int) -> tuple[dict, dict]:
    offsets = struct.pack(f"<{n_offsets}i", *range(n_offsets - 1), last)
    schema = {"format": b"u\0", "name": b"x\0"}
    return schema, {"length": n_offsets - 1, "buffers": [None, offsets, b"abcdefgh" + b"?" * 100]}


def test_a_last_offset_past_the_text_reads_on():
    """No sizes come with the pointers: 8 bytes were meant, 40 are believed."""
    from tidegauge import _contract

    schema, array = column(4, 40)
    told = _contract.arrow_import_built(schema, array)
    assert told["refused"] is None
    assert told["columns"][0]["values"][-1] == b"cdefgh" + b"?" * 32


def test_a_buffer_shorter_than_the_length_reads_on():
    from tidegauge import _contract

    schema, array = column(20, 19)
    array["length"] = 10  # what the producer has; the truth would be 5, and nothing says so
    assert len(_contract.arrow_import_built(schema, array)["columns"][0]["values"]) == 10


def test_metadata_that_is_shorter_than_it_says_reads_on():
    from tidegauge import _contract

    key = b"ARROW:extension:name"
    metadata = struct.pack("<ii", 1, len(key)) + key + struct.pack("<i", 9) + b"meant" + b"memory"
    schema, array = column(4, 3)
    told = _contract.arrow_import_built(schema | {"metadata": metadata}, array)
    assert told["columns"][0]["extension"] == b"meantmemo"


def test_a_name_without_its_end_reads_on():
    from tidegauge import _contract

    schema, array = column(4, 3)
    told = _contract.arrow_import_built(schema | {"name": b"x, and what follows\0"}, array)
    assert told["columns"][0]["name"] == b"x, and what follows"


def test_views_believe_the_sizes_they_are_given():
    from tidegauge import _contract

    view = struct.pack("<i4sii", 20, b"text", 0, 30)
    array = {"length": 1, "buffers": [None, view, b"text" * 25, struct.pack("<q", 50)]}  # meant: 40
    told = _contract.arrow_import_built({"format": b"vu\0", "name": b"x\0"}, array)
    assert told["columns"][0]["values"] == [b"xt" + b"text" * 4 + b"te"]
