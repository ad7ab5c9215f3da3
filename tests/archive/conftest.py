"""Places to keep an archive in: SQLite, a directory, and a bucket of a server that speaks S3."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tidegauge as tg
from tidegauge.archive import Archive, Key, Record, Store
from tidegauge.archive.urls import opened
from tidegauge.window import HOUR, Window

KINDS = ("sqlite", "directory", "s3")
NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of moto's server, in a process of its own, as long as the tests run.

    It is no proof of what S3 does under load: it never throttles, its listings never lag, and no request of
    it fails halfway.
    """
    pytest.importorskip("moto")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # AWS's own library looks for the region of a bucket, and for credentials, beyond this machine otherwise.
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    server = subprocess.Popen(
        [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/data.json", timeout=5):
                    break
            except OSError:
                assert server.poll() is None, "moto's server ended"
                assert time.monotonic() < deadline, "moto's server does not answer"
                time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for an archive that is not there yet, of each kind."""
    return url_of(request.param, request, tmp_path)


@pytest.fixture(params=KINDS[:2])
def local_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same on this machine alone."""
    return url_of(request.param, request, tmp_path)


def url_of(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/archive.db"
    if kind == "directory":
        return f"file://{tmp_path}/archive"
    address = request.getfixturevalue("s3")
    bucket = f"bucket{next(NUMBERS)}"
    urllib.request.urlopen(
        urllib.request.Request(f"http://{address}/{bucket}", method="PUT"), timeout=30
    ).close()
    return f"s3://key:secret@{bucket}/a/prefix?endpoint_override={address}&scheme=http&region=us-east-1"


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    made = opened(url, read_only=False, spool=tmp_path / "spool")
    yield made
    made.close()


@pytest.fixture
def archive(url: str, tmp_path: Path) -> Iterator[Archive]:
    with Archive(url, spool=tmp_path / "spool") as made:
        yield made


def rows(seed: int, n: int = 50) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=n), "k": np.array(["a", "b", "c"])[rng.integers(0, 3, n)]}


@pytest.fixture(scope="session")
def reference() -> tg.Reference:
    return tg.Reference.fit(rows(0, 5_000))


@pytest.fixture(scope="session")
def profiled(reference: tg.Reference) -> Callable[..., tg.Profile]:
    return lambda seed, n=50, accumulators="light": tg.profile(
        rows(seed, n), reference, accumulators=accumulators
    )


def key(hour: int = 0, **fields: object) -> Key:
    """A key of the window of an hour, of model m, version 1, reference r, writer w, unless told otherwise."""
    named = {"model": "m", "version": "1", "reference_id": "r", "writer": "w"} | fields
    return Key(window=Window(hour * HOUR, (hour + 1) * HOUR), **named)


def record(
    hour: int = 0, state: bytes = b"state", n_rows: int = 1, final: bool = True, **fields: object
) -> Record:
    return Record(key(hour, **fields), n_rows, state, final)


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """`make.key(hour, ...)`, `make.record(hour, state, n_rows, final, ...)`, `make.rows(seed, n)`."""
    return SimpleNamespace(key=key, record=record, rows=rows)
