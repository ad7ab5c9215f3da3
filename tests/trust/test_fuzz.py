"""Decoders and the importer under hostile bytes; what planted defects come to; what was found before."""

import importlib.util
import json
import subprocess

import pytest
from trust.fuzz import parts

from tidegauge import _core

CORPUS = sorted(path for path in parts.CORPUS.glob("*/*"))
DECODERS = {
    "profile": _core.Profile.from_bytes,
    "binary": _core.BinaryOutcomes.from_bytes,
    "binary_weighted": _core.BinaryOutcomes.from_bytes,
    "confusion": _core.ConfusionOutcomes.from_bytes,
    "regression": _core.RegressionOutcomes.from_bytes,
    "multiclass": _core.MulticlassOutcomes.from_bytes,
    "leaves": _core.LeafOutcomes.from_bytes,
    "ranking": _core.RankingOutcomes.from_bytes,
}
REFUSED = [p for p in CORPUS if p.name.startswith("refused-") and p.parent.name in DECODERS]


@pytest.fixture(scope="module")
def built():
    try:
        return parts.program()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_read_by_mistake_is_refused(path):
    with pytest.raises(_core.DecodeError):
        DECODERS[path.parent.name](path.read_bytes())


def test_the_corpus_is_small_and_made_by_its_script():
    assert sum(path.stat().st_size for path in CORPUS) < 300_000
    spec = importlib.util.find_spec("trust.fuzz.make_corpus")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    for name, content in made.made():
        assert (made.FOLDER / name).read_bytes() == content, name


@pytest.mark.parametrize("folder", sorted({path.parent for path in CORPUS}), ids=lambda folder: folder.name)
def test_every_file_of_the_corpus_is_run_within_the_limits(built, folder):
    files = sorted(folder.iterdir())
    done = subprocess.run([built, "one", folder.name, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["findings"] == []
    n_refused = sum(path.name.startswith("refused-") for path in files)
    assert report["targets"][folder.name] == [len(files), len(files) - n_refused]


def test_hostile_bytes_find_nothing(built):
    outcome = parts.drive("run", 0, 40_000, 600.0)
    assert outcome.findings == []
    assert outcome.tried == 40_000
    assert outcome.counts["profile"] > 5_000
    assert outcome.counts["import"] > 5_000
    assert 0.1 < outcome.counts["accepted"] / outcome.tried < 0.9


def test_altered_files_find_nothing(built):
    outcome = parts.drive("sweep", 0, 4_000, 600.0)
    assert outcome.findings == []
    assert outcome.tried == 4_000


def test_a_deep_sweep_has_a_number_for_every_case(built):
    command = [built, "sweep", parts.CORPUS, *parts.GOLDEN, "--runs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["total"] <= parts.SWEEP.deep


def test_an_execution_is_made_from_its_number(built, tmp_path):
    def input_of(first, n):
        current = tmp_path / "current"
        subprocess.run(
            [built, "run", parts.CORPUS, "--first", str(first), "--runs", str(n), "--current", current],
            check=True,
            capture_output=True,
        )
        return current.read_bytes()

    assert input_of(1_000, 1) == input_of(1_000, 1)
    assert input_of(990, 11)[:48] == input_of(1_000, 1)[:48]
    assert input_of(1_001, 1) != input_of(1_000, 1)


PLANTED = {
    "overread": "AddressSanitizer: heap-buffer-overflow",
    "overflow": "runtime error: signed integer overflow",
    "leak": "leaks 24 bytes",
    "allocate": "allocates 16777216 bytes at once",
    "hog": "bytes at a time",
    "lie": "not the bytes it was read from",
    "stray": "throws std::bad_alloc",
    "crawl": "hangs",
}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) if kind == "crawl" else kind for kind in PLANTED]
)
def test_a_planted_defect_is_found_and_named(built, monkeypatch, tmp_path, kind):
    monkeypatch.setattr(parts, "KEPT", tmp_path)
    outcome = parts.drive("run", 0, 4_000, 600.0, "--plant", kind)
    finding = outcome.findings[0]
    assert PLANTED[kind] in finding
    number = int(finding.partition(" ")[0])
    assert f"again: python -m trust try fuzz {number}" in finding
    alone = parts.drive("run", number, 1, 600.0, "--plant", kind)
    assert PLANTED[kind] in alone.findings[0]
    if kind in ("overread", "overflow", "crawl"):  # they end the program: its input is kept
        (file,) = tmp_path.iterdir()
        assert file.read_bytes().startswith(b"\x42")
