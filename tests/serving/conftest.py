"""What the tests of hooks share: a double of the monitor, real servers, and counts of what they archived."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import tidegauge as tg
from tidegauge.arrow import batches

LIMIT_SECONDS = 60


class Recorder:
    """Keeps what it is given, and holds errors back as the monitor does."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.batches: list[tuple[set[str], int]] = []
        self.errors: list[str] = []
        self.n_closed = 0

    def record(self, row: Mapping[str, Any]) -> None:
        self.rows.append(dict(row))

    def update(self, data: Any) -> None:
        try:
            self.batches += [({field[0] for field in batch.fields}, batch.n_rows) for batch in batches(data)]
        except Exception as error:
            self.errors.append(str(error))

    def close(self) -> None:
        self.n_closed += 1


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


class Server:
    """A running gunicorn on a loopback port of its own."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log
        self.n_unanswered = 0  # requests
        (port,) = self.wait_for(r"Listening at: http://127\.0\.0\.1:(\d+)")
        self.port = int(port)

    def wait_for(self, pattern: str, times: int = 1) -> list[str]:
        """Wait until the log has the pattern so many times."""
        end = time.monotonic() + LIMIT_SECONDS
        while len(found := re.findall(pattern, self.log.read_text())) < times:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)
        return found

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Return the JSON of one answer, over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_SECONDS)
        try:
            headers = {"Content-Type": "application/json", "Connection": "close"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            told = answer.read()
            assert answer.status == 200, told
            return json.loads(told)
        finally:
            connection.close()

    def score(self, rows: list[dict[str, Any]]) -> list[Any]:
        """Ask for a score of each row, four at a time; again where the server ended before it answered."""

        def ask(row: dict[str, Any]) -> Any:
            for _ in range(100):
                with suppress(OSError, http.client.HTTPException):
                    return self.request("POST", "/score", row)
                self.n_unanswered += 1
                time.sleep(0.1)
            raise AssertionError(self.log.read_text())

        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(ask, rows))

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server, its workers first."""
        self.process.send_signal(how)
        assert self.process.wait(LIMIT_SECONDS) == 0, self.log.read_text()


@contextmanager
def run_gunicorn(folder: Path, *options: str, **environment: str) -> Iterator[Server]:
    """Run gunicorn in a folder; whatever happens, it is gone in the end."""
    log = folder / "gunicorn.log"
    command = [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0", "--no-control-socket", *options]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=stream, stderr=stream
        )
    try:
        yield Server(process, log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(LIMIT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def count_archived(url: str) -> int:
    """Return how many rows an archive has, counted in the profiles themselves."""
    with tg.Archive(url) as archive:
        found = archive.store.find(segment="")
        profiles = [tg.Profile.from_bytes(state) for _, state in archive.store.read([f.key for f in found])]
        assert [profile.n_rows for profile in profiles] == [each.n_rows for each in found]
        return sum(profile.n_rows for profile in profiles)


@pytest.fixture
def served() -> Callable[..., AbstractContextManager[Server]]:
    """`with served(folder, *options, **environment) as server`: a gunicorn that runs meanwhile."""
    return run_gunicorn


@pytest.fixture
def archived_rows() -> Callable[[str], int]:
    """`archived_rows(url)`: how many rows an archive has."""
    return count_archived
