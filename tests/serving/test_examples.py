"""The examples run as their README says, and what they watched is in the archive, to the row."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidegauge as tg
from tidegauge.segments import segment_key

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
COUNTRIES = {"SE": 40, "DE": 20}


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_the_fastapi_service(tmp_path, served, archived_rows):
    folder = tmp_path / "fastapi_service"
    shutil.copytree(EXAMPLES / "fastapi_service", folder)
    run("fit.py", cwd=folder)
    rows = [
        {"amount": 10.0 + i, "age_days": i, "country": country}
        for country, n in COUNTRIES.items()
        for i in range(n)
    ]
    with served(folder) as server:
        scores = [answer["score"] for answer in server.score(rows)]
        health = server.request("GET", "/health")
        server.stop()
    assert (health["status"], health["n_rows_refused"]) == ("ok", 0)
    archive = f"sqlite:///{folder}/tidegauge.db"
    assert archived_rows(archive) == len(rows)
    with tg.Archive(archive) as opened:
        found = opened.store.find()
        profiles = [
            tg.Profile.from_bytes(s)
            for _, s in opened.store.read([f.key for f in found if not f.key.segment])
        ]
    total = sum(profile["score"].mean * profile.n_rows for profile in profiles)
    assert total == pytest.approx(sum(scores), rel=1e-9)
    for country, n in COUNTRIES.items():
        key = segment_key({"country": country})
        assert sum(each.n_rows for each in found if each.key.segment == key) == n


def test_the_batch_job(tmp_path):
    run(EXAMPLES / "fastapi_service" / "fit.py", cwd=tmp_path)
    rng = np.random.default_rng(1)
    n_rows = 200_000
    payments = {
        "amount": rng.lognormal(3.0, 1.0, n_rows),
        "age_days": rng.integers(0, 2_000, n_rows),
        "country": rng.choice(["SE", "DE", "US"], n_rows),
    }
    pq.write_table(pa.table(payments), tmp_path / "october.parquet")
    said = run(EXAMPLES / "batch_job.py", "reference.tg", "october.parquet", "october.db", cwd=tmp_path)
    assert said.splitlines()[0] == "200,000 of 200,000 rows archived, 0 refused"
