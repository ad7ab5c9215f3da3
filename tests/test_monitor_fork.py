"""A monitor across processes and their ends: each row once in the archive, no hang, exit code 0."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import tidegauge as tg

LIMIT_SECONDS = 120

# What every program below begins with: `monitor` on an archive in the working folder, and rows to give it.
BEGIN = """
import multiprocessing, os, signal, sys, threading, time
import numpy as np
import tidegauge as tg

ROWS = {"x": np.arange(100.0)}

def make(checkpoint_seconds=60.0):
    return tg.Monitor("m", "reference.tg", archive="sqlite:///m.db", checkpoint_seconds=checkpoint_seconds)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tg.Reference.fit({"x": np.arange(1_000.0)}).save(tmp_path / "reference.tg")
    return tmp_path


def start(folder: Path, program: str) -> subprocess.Popen[str]:
    path = folder / "program.py"
    path.write_text(BEGIN + textwrap.dedent(program))
    return subprocess.Popen(
        [sys.executable, str(path)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def end(process: subprocess.Popen[str]) -> str:
    try:
        out, err = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"it hangs: {process.communicate()}")
    assert (process.returncode, err) == (0, "")
    return out


def archived(folder: Path) -> dict[str, int]:
    """The rows of each writer, counted in the profiles themselves."""
    with tg.Archive(f"sqlite:///{folder}/m.db") as archive:
        keys = [found.key for found in archive.store.find(segment="")]
        rows: dict[str, int] = {}
        for key, state in archive.store.read(keys):
            rows[key.writer] = rows.get(key.writer, 0) + tg.Profile.from_bytes(state).n_rows
        return rows


# ---- forks


def test_a_child_starts_without_a_row_and_the_parent_keeps_its_own(folder):
    program = """
        monitor = make()
        monitor.update(ROWS)
        name = monitor.health.writer
        pid = os.fork()
        if pid == 0:
            fresh = monitor.health
            good = fresh.n_rows == 0 and fresh.writer != name and fresh.status == "ok"
            monitor.record({"x": 1.0})
            monitor.close()
            os._exit(0 if good and monitor.health.n_rows_archived == 1 else 1)
        assert os.waitpid(pid, 0)[1] == 0
        monitor.update(ROWS)
        assert monitor.health.writer == name
    """
    end(start(folder, program))
    assert sorted(archived(folder).values()) == [1, 200]


def test_a_grandchild_is_a_writer_of_its_own(folder):
    program = """
        monitor = make()
        def down(depth):
            monitor.record({"x": float(depth)})
            if depth == 3:
                return
            pid = os.fork()
            if pid == 0:
                down(depth + 1)
            else:
                assert os.waitpid(pid, 0)[1] == 0
        down(0)
    """
    end(start(folder, program))
    assert sorted(archived(folder).values()) == [1, 1, 1, 1]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(folder, method):
    program = f"""
        def inherit(n):
            for _ in range(n):
                monitor.update(ROWS)

        def own(n):
            with make() as mine:
                for _ in range(n):
                    mine.update(ROWS)

        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            monitor = make()
            monitor.update(ROWS)
            work = inherit if {method!r} == "fork" else own
            children = [context.Process(target=work, args=(n,)) for n in (1, 2, 3)]
            for child in children:
                child.start()
            for child in children:
                child.join()
                assert child.exitcode == 0
    """
    end(start(folder, program))
    assert sorted(archived(folder).values()) == [100, 100, 200, 300]


def test_a_pool_of_forked_workers_that_is_terminated_loses_a_checkpoint_at_most(folder):
    program = """
        def work(n):
            monitor.update(ROWS)
            return n

        if __name__ == "__main__":
            monitor = make(checkpoint_seconds=0.2)
            pool = multiprocessing.get_context("fork").Pool(2)
            assert len(pool.map(work, range(40))) == 40
            time.sleep(4)
            pool.terminate()
            pool.join()
    """
    end(start(folder, program))
    assert sum(archived(folder).values()) == 4_000


# ---- the end of a process


@pytest.mark.parametrize(
    "last",
    [
        "",
        "sys.exit(0)",
        "del monitor",
        "threading.Thread(target=lambda: monitor.update(ROWS)).start(); expected += 100",
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); os.kill(os.getpid(), signal.SIGTERM)",
        "monitor.close(); monitor.close()",
    ],
    ids=["runs out", "exit", "deleted", "thread", "handled SIGTERM", "closed twice"],
)
def test_a_process_that_ends_without_close_loses_nothing(folder, last):
    program = f"""
        expected = 107
        monitor = make()
        monitor.update(ROWS)
        for i in range(7):
            monitor.record({{"x": float(i)}})
        print(expected, flush=True)
        {last}
    """
    end(start(folder, program))
    assert sum(archived(folder).values()) == 107 + 100 * (last.startswith("threading"))


def test_an_exception_that_ends_the_process_loses_nothing(folder):
    process = start(folder, "monitor = make()\nmonitor.update(ROWS)\nraise SystemError('the end')\n")
    _, err = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 1
    assert err.rstrip().endswith("SystemError: the end")
    assert sum(archived(folder).values()) == 100


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_loses_one_checkpoint_at_most(folder, how):
    program = """
        monitor = make(checkpoint_seconds=0.1)
        monitor.update(ROWS)
        while monitor.health.n_rows_archived < 100:
            time.sleep(0.05)
        print("archived", flush=True)
        while True:
            monitor.record({"x": 1.0})
            time.sleep(0.01)
    """
    process = start(folder, program)
    assert process.stdout.readline() == "archived\n"
    process.send_signal(how)
    process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == -how
    assert sum(archived(folder).values()) >= 100


BUSY = """
    monitor = make(checkpoint_seconds=0.05)

    def work():
        while True:
            monitor.update(ROWS)
            monitor.record({"x": 1.0})

    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(%s)
"""


def exits_while_threads_run(folder: Path, times: int) -> None:
    """Threads may be told, once, that they came too late; nothing else is said, and the exit code is 0."""
    for i in range(times):
        process = start(folder, BUSY % (0.005 * (i % 20)))
        _, err = process.communicate(timeout=LIMIT_SECONDS)
        assert process.returncode == 0, err
        assert [line for line in err.splitlines() if "closed and takes no more rows" not in line] == []


def test_an_interpreter_ends_while_threads_run(folder):
    exits_while_threads_run(folder, 8)


@pytest.mark.slow
def test_an_interpreter_ends_a_hundred_times_while_threads_run(folder):
    exits_while_threads_run(folder, 100)
