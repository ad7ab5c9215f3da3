"""Files of every format version there was are read, tell what they told, and are written as they were."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

import tidegauge as tg

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("v*/*.tg"))


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_are_there_and_small():
    assert {file.stem for file in FILES} == {"reference", "full", "light", "open", "merged"}
    for folder in {file.parent for file in FILES}:
        assert sum(file.stat().st_size for file in folder.glob("*.tg")) < 70_000


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_file_tells_what_it_told(file, make):
    assert make.told(tg.load(file)) == json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_file_is_written_as_it_was(file, make):
    assert make.encoded(tg.load(file)) == file.read_bytes()


def test_the_same_rows_give_the_same_files_today(make):
    for name, held in make.made().items():
        assert make.encoded(held) == (GOLDEN / make.VERSION / f"{name}.tg").read_bytes(), name


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_file_lives_on(file, make):
    held = tg.load(file)
    profile = held.profile.copy() if isinstance(held, tg.Reference) else held
    n_rows = profile.n_rows
    profile.update(make.rows(100, 4))
    profile.merge(profile)
    assert profile.n_rows == 2 * (n_rows + 100)


def test_profiles_of_golden_references_merge_and_compare(make):
    folder = GOLDEN / make.VERSION
    reference, full = tg.load(folder / "reference.tg"), tg.load(folder / "full.tg")
    now = tg.profile(make.rows(500, 5), reference)
    full.merge(now)
    assert full.n_rows == 900
    assert {c.edges_id for c in full.values()} == {c.edges_id for c in reference.profile.values()}
    assert tg.compare(reference, full).columns["amount"].status
