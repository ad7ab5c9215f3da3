"""What a monitor costs a FastAPI service that records one row of 20 features a request: requests a second.

Two services of one worker each stay up, one plain and one watched, and are loaded in turns (A B, B A, ...),
so that what else the machine does falls on both; the service's CPU time a request is told as well, which that
hardly changes. The loader is wrk where it is installed (Debian: wrk), else processes of http.client. Loopback
only.

    python benchmarks/load_fastapi.py [--rounds 10] [--seconds 3] [--connections 16]
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

import tidegauge as tg

N_FEATURES = 20
NAMES = [f"f{i:02d}" for i in range(N_FEATURES)]
N_BODIES = 200
BAR = 0.97
FOLDER = "TIDEGAUGE_LOAD_FOLDER"  # of the watched service's reference and archive; the plain one has none


# ---- the service


def make_app() -> Any:
    """Return the application; a factory for uvicorn."""
    import fastapi
    import pydantic

    from tidegauge.serving import lifespan, watched

    folder = os.environ.get(FOLDER)
    features = pydantic.create_model("Features", **dict.fromkeys(NAMES, (float, ...)))
    weights = dict(zip(NAMES, np.random.default_rng(1).normal(0, 0.1, N_FEATURES).tolist(), strict=True))

    def score(row: Any) -> float:
        z = sum(weight * getattr(row, name) for name, weight in weights.items())
        return 1 / (1 + math.exp(-z))

    if folder is None:
        app = fastapi.FastAPI()
    else:
        archive = f"sqlite:///{folder}/load.db"
        make_monitor = lambda: tg.Monitor("load", f"{folder}/reference.tg", window="1h", archive=archive)  # noqa: E731
        app = fastapi.FastAPI(lifespan=lifespan(make_monitor))
        score = watched(lambda: app.state.monitor)(score)

    async def answer(row: Any) -> dict[str, float]:
        return {"score": score(row)}

    answer.__annotations__["row"] = features
    app.post("/score")(answer)
    return app


class Service:
    """One uvicorn worker on a port of its own."""

    def __init__(self, folder: Path | None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        environment = {**os.environ, **({FOLDER: str(folder)} if folder else {})}
        command = [sys.executable, "-m", "uvicorn", "benchmarks.load_fastapi:make_app", "--factory"]
        command += ["--port", str(self.port), "--no-access-log", "--log-level", "warning"]
        root = Path(__file__).parent.parent
        self.process = subprocess.Popen(command, env=environment, cwd=root)
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the service did not start")

    def cpu_seconds(self) -> float:
        """Return the time all its threads were running, which /proc/PID/stat rounds to 10 ms."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(each.read_text().split()[0]) for each in threads) / 1e9

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(30) not in {0, -signal.SIGTERM}:
            raise RuntimeError(f"the service ended with {self.process.returncode}")


# ---- the load


@dataclass(frozen=True)
class Load:
    """What one turn saw; latencies in milliseconds, `cpu` in microseconds of the service a request."""

    requests: int
    rate: float
    p50: float
    p99: float
    cpu: float = math.nan


def bodies() -> list[str]:
    rows = np.random.default_rng(2).normal(size=(N_BODIES, N_FEATURES)).round(4).tolist()
    return [json.dumps(dict(zip(NAMES, row, strict=True))) for row in rows]


def wrk(port: int, seconds: float, connections: int, script: Path) -> Load:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", "-s", str(script)]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/score"], capture_output=True, text=True, check=True, timeout=120
    )
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(done.stdout)
    of = lambda pattern: re.search(pattern, done.stdout).groups()  # noqa: E731
    scale = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    p50, p99 = (float(x) * scale[unit] for x, unit in (of(rf" {q}%\s+([\d.]+)(us|ms|s)") for q in (50, 99)))
    return Load(int(of(r"(\d+) requests in")[0]), float(of(r"Requests/sec:\s+([\d.]+)")[0]), p50, p99)


def wrk_script(folder: Path) -> Path:
    listed = ",\n".join(f"'{body}'" for body in bodies())
    script = folder / "post.lua"
    script.write_text(
        f"local bodies = {{{listed}}}\nlocal i = 0\nwrk.method = 'POST'\n"
        "wrk.headers['Content-Type'] = 'application/json'\n"
        "function request() i = i % #bodies + 1; return wrk.format(nil, nil, nil, bodies[i]) end\n"
    )
    return script


def one_client(port: int, seconds: float) -> list[float]:
    """Send one request after the other; return their milliseconds."""
    connection, taken = http.client.HTTPConnection("127.0.0.1", port, timeout=10), []
    sent, headers = bodies(), {"Content-Type": "application/json"}
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        connection.request("POST", "/score", sent[len(taken) % N_BODIES], headers)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"status {response.status}")
        taken.append((time.perf_counter() - begin) * 1e3)
    return taken


def clients(pool: ProcessPoolExecutor, n: int, port: int, seconds: float) -> Load:
    taken = np.concatenate(list(pool.map(one_client, repeat(port, n), repeat(seconds, n))))
    return Load(len(taken), len(taken) / seconds, *np.quantile(taken, [0.5, 0.99]).tolist())


# ---- the comparison


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """Return the geometric mean of the rounds' ratios with its 95 % t interval."""
    from scipy import stats

    logs = np.log(ratios)
    mean, half = logs.mean(), 0.0
    if len(logs) > 1:
        half = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def archived_rows(folder: Path) -> int:
    with tg.Archive(f"sqlite:///{folder}/load.db") as archive:
        return sum(found.n_rows for found in archive.store.find(segment=""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        train = {name: rng.normal(size=50_000) for name in NAMES} | {"score": rng.uniform(size=50_000)}
        tg.Reference.fit(train).save(folder / "reference.tg")
        script = wrk_script(folder)
        with ProcessPoolExecutor(2) as pool:  # started before the services, so that none is forked from them
            services = {"plain": Service(None), "watched": Service(folder)}

            def turn(who: str, seconds: float) -> Load:
                service = services[who]
                before = service.cpu_seconds()
                if shutil.which("wrk"):
                    load = wrk(service.port, seconds, options.connections, script)
                else:
                    load = clients(pool, 2, service.port, seconds)
                return replace(load, cpu=(service.cpu_seconds() - before) / load.requests * 1e6)

            loads: dict[str, list[Load]] = {"plain": [], "watched": []}
            warm = [turn(who, 1.0) for who in services]
            for i in range(options.rounds):
                for who in ("plain", "watched") if i % 2 == 0 else ("watched", "plain"):
                    loads[who].append(turn(who, options.seconds))
            for service in services.values():
                service.stop()
        n_answered = warm[1].requests + sum(load.requests for load in loads["watched"])
        n_archived = archived_rows(folder)
    n_cut_off = (1 + options.rounds) * options.connections  # at most: what was underway at the end of a turn
    if not n_answered <= n_archived <= n_answered + n_cut_off:
        raise SystemExit(f"{n_answered:,} requests were answered, {n_archived:,} rows are in the archive")
    for who, seen in loads.items():
        _, rate, p50, p99, cpu = np.median([astuple(load) for load in seen], axis=0)
        print(f"{who:8} {rate:7.0f} requests/s   p50 {p50:.2f} ms   p99 {p99:.2f} ms   CPU {cpu:.1f} us")
    pairs = list(zip(loads["plain"], loads["watched"], strict=True))
    for what, ratios in {
        "throughput": [b.rate / a.rate for a, b in pairs],
        "requests a CPU second": [a.cpu / b.cpu for a, b in pairs],
    }.items():
        mean, low, high = interval(ratios)
        print(f"{what}: ratio {mean:.4f}, 95 % interval [{low:.4f}, {high:.4f}]; bar {BAR}")
    print(f"{n_archived:,} rows in the archive for {n_answered:,} answered requests")


if __name__ == "__main__":
    main()
