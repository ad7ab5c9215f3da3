"""Workers of a real gunicorn: every kind, preloaded or not; stops, reloads and recycling lose no row."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import numpy as np
import pytest

import tidegauge as tg

WSGI = """
import json, os, time
import tidegauge as tg
from tidegauge.serving import watched

monitor = tg.Monitor("served", "reference.tg", archive="sqlite:///served.db", checkpoint_seconds=0.5)

@watched(monitor)
def score(features):
    time.sleep(features.get("sleep", 0.0))
    return 0.5 * features["x"]

def app(environ, start_response):
    row = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    body = json.dumps(score(row)).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""

ASGI = """
import fastapi
import tidegauge as tg
from tidegauge.serving import lifespan, watched

def make_monitor():
    return tg.Monitor("served", "reference.tg", archive="sqlite:///served.db", checkpoint_seconds=0.5)

watching = lifespan(make_monitor)
app = fastapi.FastAPI(lifespan=watching)

@watched(lambda: watching.monitor)
def score(features):
    return 0.5 * features["x"]

@app.post("/score")
async def answer(row: dict[str, float]) -> float:
    return score(row)
"""

CONFIG = "from tidegauge.serving.gunicorn import worker_exit\n"
ARCHIVE = "sqlite:///{}/served.db"
KINDS = ["sync", "gthread", "asgi", "uvicorn.workers.UvicornWorker"]
ROWS = [{"x": float(i)} for i in range(120)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    train = {"x": np.arange(1_000.0), "score": 0.5 * np.arange(1_000.0)}
    tg.Reference.fit(train).save(tmp_path / "reference.tg")
    (tmp_path / "app.py").write_text("raise SystemExit('set in the test')")
    (tmp_path / "gunicorn.conf.py").write_text(CONFIG)
    return tmp_path


def options(kind: str, *, preload: bool) -> list[str]:
    chosen = ["app:app", "-k", kind, "-w", "2", "--graceful-timeout", "5"]
    chosen += ["--threads", "4"] if kind == "gthread" else []
    return [*chosen, *(["--preload"] if preload else [])]


def write_app(folder: Path, kind: str) -> None:
    (folder / "app.py").write_text(ASGI if kind not in {"sync", "gthread"} else WSGI)


GRID = [(kind, preload) for kind in KINDS for preload in (False, True)]
SMALL = {("gthread", True), ("asgi", False)}


@pytest.mark.parametrize(
    ("kind", "preload"),
    [pytest.param(*each, marks=() if each in SMALL else pytest.mark.slow) for each in GRID],
)
def test_recycling_a_reload_and_a_stop_lose_no_row(folder, served, archived_rows, kind, preload):
    write_app(folder, kind)
    with served(folder, *options(kind, preload=preload), "--max-requests", "45") as server:
        assert server.score(ROWS) == [0.5 * row["x"] for row in ROWS]
        server.wait_for("Booting worker", 3)  # one had its 45 requests
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("Booting worker", 5)
        assert server.score(ROWS) == [0.5 * row["x"] for row in ROWS]
        server.stop()
        assert "Exception" not in server.log.read_text()
    n_more = archived_rows(ARCHIVE.format(folder)) - 2 * len(ROWS)
    if kind.startswith("uvicorn"):  # which closes connections unanswered when it is recycled
        assert 0 <= n_more <= server.n_unanswered
    else:
        assert n_more == server.n_unanswered == 0


def test_an_interrupted_asgi_worker_closes_its_monitor_though_the_lifespan_is_skipped(
    folder, served, archived_rows
):
    write_app(folder, "asgi")
    with served(folder, *options("asgi", preload=False)) as server:
        server.score(ROWS)
        server.stop(signal.SIGINT)
    assert archived_rows(ARCHIVE.format(folder)) == len(ROWS)


def test_a_request_that_hangs_does_not_keep_the_rows(folder, served, archived_rows):
    """gunicorn kills a worker whose threads do not end; the monitor is closed before that."""
    write_app(folder, "gthread")
    with served(folder, *options("gthread", preload=False), "--graceful-timeout", "2") as server:
        server.score(ROWS)
        with ThreadPoolExecutor(1) as pool:
            hanging = pool.submit(server.request, "POST", "/score", {"x": 1.0, "sleep": 30.0})
            time.sleep(0.5)
            server.stop()
            with pytest.raises((OSError, HTTPException)):
                hanging.result()
    assert archived_rows(ARCHIVE.format(folder)) == len(ROWS)
