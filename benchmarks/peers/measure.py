"""Time one library on 4 float64 columns, in the environment made for it: `python measure.py LIBRARY`.

Prints JSON: ns a value of its profile or drift report and, on the same arrays in the same process, of np.sum.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import pandas as pd

os.environ |= {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}  # some of them report their use
N_ROWS = 200_000
rng = np.random.default_rng(1)
reference, current = (
    pd.DataFrame({f"x{i}": rng.lognormal(3.0, 1.0, N_ROWS) for i in range(4)}) for _ in range(2)
)


def whylogs() -> tuple[Callable[[], object], int]:
    import whylogs as why

    run = lambda: why.log(current).view()  # noqa: E731
    counts = run().get_column("x0").to_summary_dict()["counts/n"]
    assert counts == N_ROWS
    why.log(pd.DataFrame({"word": ["a", "b"]}))  # most frames hold text too
    return run, current.size


def evidently() -> tuple[Callable[[], object], int]:
    from evidently import Report
    from evidently.presets import DataDriftPreset

    run = lambda: Report([DataDriftPreset()]).run(current, reference).dict()  # noqa: E731
    assert "x0" in json.dumps(run(), default=str)
    return run, current.size + reference.size


def nannyml() -> tuple[Callable[[], object], int]:
    import nannyml as nml

    def run() -> object:
        methods = ["kolmogorov_smirnov", "jensen_shannon", "wasserstein"]
        calculator = nml.UnivariateDriftCalculator(
            column_names=list(current), continuous_methods=methods, chunk_number=10
        )
        return calculator.fit(reference).calculate(current).to_df()

    assert len(run()) == 20
    return run, current.size + reference.size


def best(run: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


if __name__ == "__main__":
    (library,) = sys.argv[1:]
    run, n_values = {"whylogs": whylogs, "evidently": evidently, "nannyml": nannyml}[library]()
    arrays = [current[name].to_numpy().copy() for name in current]
    print(
        json.dumps(
            {
                "name": library,
                "version": version(library),
                "with": f"numpy {np.__version__}, pandas {pd.__version__}",
                "ns": best(run) / n_values * 1e9,
                "numpy_sum_ns": best(lambda: [array.sum() for array in arrays]) / current.size * 1e9,
            }
        )
    )
