"""What `import tidegauge` loads, how long it takes, and that the serving path needs NumPy alone."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "pyarrow",
    "numba",
    "scipy",
    "msgspec",
    "click",
    "rich",
    "pandas",
    "polars",
    "duckdb",
    "sqlite3",
    "asyncio",
)

# What serving must not need. (Reading a reference's schema may use msgspec, so it is not among them.)
BLOCKED = ("pyarrow", "numba", "scipy", "pandas", "polars", "duckdb", "click", "rich")

BLOCK = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Blocked())
"""

SERVE = """
import numpy as np
import tidegauge as tg

rng = np.random.default_rng(1)
def rows(n, shift=0.0):
    return {"amount": rng.lognormal(3.0 + shift, 1.0, n), "n": rng.poisson(3, n), "new": rng.random(n) < 0.1,
            "country": np.array(["SE", "DE", "US"])[rng.integers(0, 3, n)]}

reference = tg.Reference.fit(rows(5_000))
morning, evening = tg.profile(rows(1_000), reference), tg.profile(rows(1_000), reference)
morning.update(rows(10))
day = tg.merge([morning, evening])
morning.merge(evening)
assert day.n_rows == morning.n_rows == 2_010
again = tg.Profile.from_bytes(day.to_bytes())
assert again == day
assert again["amount"].n_rows == 2_010
assert tg.Reference.from_bytes(reference.to_bytes()).profile == reference.profile
"""


def python(source: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_numpy_and_the_engine_only() -> None:
    loaded = python("import tidegauge, sys; print(*sys.modules)").split()
    top = {name.partition(".")[0] for name in loaded}
    assert "numpy" in top
    assert "tidegauge._core" in loaded
    assert top & set(HEAVY) == set()


def test_import_costs_little_beyond_numpy() -> None:
    measure = "import time, numpy; t = time.perf_counter(); import tidegauge; print(time.perf_counter() - t)"
    assert min(float(python(measure)) for _ in range(5)) < 0.08


def test_the_serving_path_runs_with_everything_but_numpy_blocked() -> None:
    python(BLOCK + SERVE)


def test_the_block_blocks() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCK + "import pyarrow"], capture_output=True, check=False)
    assert done.returncode != 0


def test_the_hooks_of_a_server_load_no_server() -> None:
    loaded = python("import tidegauge.serving, tidegauge.serving.inference, sys; print(*sys.modules)").split()
    servers = {"fastapi", "starlette", "gunicorn", "uvicorn", "pydantic"}
    assert {name.partition(".")[0] for name in loaded} & (set(HEAVY) | servers) == set()
