"""The front door of the harness: every case tried once, nothing lost between runs, a crash is a finding."""

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from trust import runs, slices, totals
from trust import table as table_module
from trust.part import Outcome, Part
from trust.slices import Slice
from trust.table import findings, table


def part(name="p", *, change=10, deep=1_000, alone=False, run=lambda first, n, seconds: Outcome(n)):
    return Part(name, "cases", "nothing breaks", run, change, deep, alone)


def in_process(piece: Slice):
    return piece.part.run(piece.first, piece.n, piece.seconds), 60.0


@pytest.fixture
def seen(monkeypatch):
    """Slices run here, at a pretended minute each, and are noted."""
    pieces = []

    def run(piece):
        pieces.append(piece)
        return in_process(piece)

    monkeypatch.setattr(runs, "run_apart", run)
    return pieces


@pytest.mark.parametrize("alone", [False, True])
def test_a_change_tries_each_of_its_cases_once(seen, alone):
    kept = runs.change([part(change=11, alone=alone)], lambda *_: None)
    tried = [case for piece in seen for case in range(piece.first, piece.first + piece.n)]
    assert sorted(tried) == list(range(11))
    assert [total.tried for total in kept] == [11]
    assert len(seen) == 1 or not alone


def test_a_deep_run_tries_new_cases_up_to_the_goal_and_goes_on_where_it_stopped(seen, tmp_path):
    path = tmp_path / "kept" / "totals.json"
    parts = [part("a", deep=45), part("b", deep=25), part("c", deep=12, alone=True)]
    for budget in (0.0, 60.0, 60.0):
        numbers, kept = totals.load(path)
        runs.deep(parts, budget, numbers, kept, lambda *_, n=numbers, k=kept: totals.save(path, n, k))
        assert (len(seen) > 0) == (budget > 0)
    numbers, kept = totals.load(path)
    assert {total.part: total.tried for total in kept} == {"a": 45, "b": 25, "c": 12}
    for each in parts:
        tried = [c for piece in seen if piece.part is each for c in range(piece.first, piece.first + piece.n)]
        assert sorted(tried) == list(range(10, 10 + each.deep)), "each once, none of a change's"
        assert numbers[each.name] == 10 + each.deep


def test_a_part_that_is_alone_waits_for_its_turn_and_has_nothing_beside_it():
    shared, alone = part("a"), part("b", alone=True)
    code = totals.code_digest()
    assert runs.next_slice([shared, alone], [], {}, []).part is alone
    assert runs.next_slice([shared, alone], [], {}, [Slice(shared, 0, 1, 1.0)]) is None, (
        "it waits for its turn"
    )
    assert runs.next_slice([shared, alone], [], {}, [Slice(alone, 0, 1, 1.0)]) is None
    begun = [totals.Total("b", code, "", "", tried=500)]
    assert runs.next_slice([shared, alone], begun, {}, []).part is shared
    done = [totals.Total("a", code, "", "", tried=1_000)]
    assert runs.next_slice([shared, alone], done, {}, []).part is alone


def test_parts_that_share_the_machine_run_side_by_side():
    parts = [part("a"), part("b"), part("c")]
    first = runs.next_slice(parts, [], {}, [])
    second = runs.next_slice(parts, [], {}, [first])
    assert (first.part.name, second.part.name) == ("a", "b")


def test_what_a_run_comes_to_adds_up():
    total = totals.Total("p", "code", "2026-01-01", "2026-01-01")
    total.add(Outcome(3, ["bad"], Counter(refused=2), {"slope": 1.5}), 1.0, "2026-01-02")
    total.add(Outcome(4, [], Counter(refused=3, other=1), {"slope": 0.5}), 2.0, "2026-01-03")
    assert (total.tried, total.seconds, total.findings) == (7, 3.0, ["bad"])
    assert (total.counts, total.levels) == ({"refused": 5, "other": 1}, {"slope": 1.5})
    assert (total.first, total.last) == ("2026-01-01", "2026-01-03")
    shown = table([part(), part("q")], [total], "code", is_deep=True)
    assert "| p | nothing breaks | 7 of 1,000 cases | 3 s | 1 | other: 1; refused: 5; slope: 1.5 |" in shown
    assert "| q | nothing breaks | 0 of 1,000 cases |" in shown
    assert "| p | nothing breaks | 0 of 10 cases |" in table([part()], [total], "other", is_deep=False)
    assert findings([total], "code") == ["p: bad"]
    assert findings([total], "other code") == []


def test_a_totals_file_cut_short_never_replaces_the_whole_one(tmp_path):
    path = tmp_path / "totals.json"
    totals.save(path, {"p": 5}, [totals.Total("p", "c", "a", "b", 5)])
    path.with_suffix(".new").write_text('{"next": {')  # a run killed while it wrote
    assert totals.load(path) == ({"p": 5}, [totals.Total("p", "c", "a", "b", 5)])


def child(returncode, stdout="", stderr=""):
    return subprocess.CompletedProcess([], returncode, stdout, stderr)


def test_a_slice_that_dies_is_a_finding_with_its_command():
    piece = Slice(part("fuzz"), 7, 2, 1.0)
    whole = Outcome(2, ["x"], Counter(a=1), {"b": 2.0})
    assert slices.told_by(child(0, "chatter\n" + slices.encoded(whole) + "\n"), piece) == whole
    (died,) = slices.told_by(child(-signal.SIGSEGV, "", "Segmentation fault"), piece).findings
    assert died == "died by SIGSEGV (Segmentation fault): python -m trust try fuzz 7 2"
    (ended,) = slices.told_by(child(3, '{"tried": 1}', "Traceback\nValueError: no"), piece).findings
    assert ended == "ended with 3 (ValueError: no): python -m trust try fuzz 7 2"


def test_a_slice_runs_in_a_process_of_its_own(monkeypatch, tmp_path):
    """A stand-in for the interpreter that says what it was asked, then is killed."""
    stand_in = tmp_path / "python"
    stand_in.write_text('#!/bin/sh\necho "$@" >&2\nkill -9 $$\n')
    stand_in.chmod(0o755)
    monkeypatch.setattr(slices.sys, "executable", os.fspath(stand_in))
    outcome, _ = slices.run_apart(Slice(part("p"), 3, 4, 1.0))
    assert outcome.tried == 0
    assert outcome.findings == [
        "died by SIGKILL (-m trust try p 3 4 --seconds 1.0 --json): python -m trust try p 3 4"
    ]


def test_totals_are_of_the_code_as_it_is():
    digest = totals.code_digest.__wrapped__()
    assert digest == totals.code_digest.__wrapped__()
    assert len(digest) == 12
    stray = Path(totals.ROOT) / "src" / "tidegauge" / "stray_for_a_test.py"
    try:
        stray.write_text("")
        assert totals.code_digest.__wrapped__() != digest
    finally:
        stray.unlink()
    json.dumps(digest)


def test_the_page_gets_the_totals_of_the_code_that_was_tried_most():
    kept = [
        totals.Total("p", "old", "2026-01-01", "2026-01-02", 900, 60.0, [], {"refused": 3}),
        totals.Total("p", "new", "2026-01-03", "2026-01-03", 10, 1.0),
    ]
    page = f"before {table_module.BEGIN}\nstale\n{table_module.END} after"
    written = table_module.with_totals(page, [part(), part("q")], kept)
    assert written.startswith("before ")
    assert written.endswith(" after")
    assert "stale" not in written
    assert "| p | 900 of 1,000 cases | 60 s | none | 2026-01-02, old | refused: 3 |" in written
    assert "| q | 0 of 1,000 cases |" in written
    assert table_module.with_totals(written, [part(), part("q")], kept) == written


def test_a_finding_that_the_same_code_no_longer_shows_is_settled():
    """Case 2 still breaks; case 1 was the harness, and a crash that names no case stays."""
    broken = part(run=lambda first, n, seconds: Outcome(n, ["bad"] if first == 2 else []))
    found = ["worse; again: python -m trust try p 1", "bad; again: python -m trust try p 2", "crashed"]
    here = totals.Total("p", totals.code_digest(), "", "", 9, findings=list(found))
    other = totals.Total("p", "other code", "", "", 9, findings=list(found))
    told = []
    apart = lambda piece: (piece.part.run(piece.first, piece.n, piece.seconds), 0.0)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "run_apart", apart)
        runs.settle([broken], [here, other], lambda piece, *_: told.append(piece.first))
    assert told == [1, 2]
    assert here.findings == found[1:]
    assert here.counts == {runs.SETTLED: 1}
    assert other.findings == found
