"""What one library names, in the environment made for it: `python alarms.py LIBRARY QUICK`, prints JSON.

Every column of a frame is a run of its own: a reference, and a window without a change, from one population.
The library is asked through its front door, with its own defaults. For the smallest shift that it sees, the
windows' means are moved by more and more, until nine columns of ten are named.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version

os.environ |= {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}  # some of them report their use
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from sizes import SHIFT_SIZES, SIZES  # noqa: E402

SHIFTS = np.round(0.01 * 1.19 ** np.arange(27), 3)  # 0.01 to 0.92
# Columns of a frame, and windows in a row that are asked about at once: nannyml is slow to fit, quick to ask.
COLUMNS, WINDOWS = 50, 1
RUNS = {"evidently": 2, "nannyml": 1, "tidegauge": 4, "whylogs": 4}
COLUMNS_OF_NANNYML, WINDOWS_OF_NANNYML = 20, 10

Named = dict[str, "np.ndarray"]


def zipf(k: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    share = 1.0 / np.arange(1, k + 1)
    words = np.array([f"c{i}" for i in range(k)])
    return lambda rng, n: words[rng.choice(k, n, p=share / share.sum())]


POPULATIONS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "Student t, 3": lambda rng, n: rng.standard_t(3, n),
    "Zipf, 20": zipf(20),
    "Zipf, 100": zipf(100),
    "Zipf, 1,000": zipf(1_000),
}


def evidently(reference: pd.DataFrame, current: pd.DataFrame) -> Named:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    # Of a thousand words it would think that they are texts.
    names = list(current)
    numbers = current[names[0]].dtype.kind == "f"
    told_what = DataDefinition(**{"numerical_columns" if numbers else "categorical_columns": names})
    sides = [Dataset.from_pandas(frame, data_definition=told_what) for frame in (current, reference)]
    found = {}
    for who, options in (("evidently", {}), ("evidently, method='psi'", {"method": "psi"})):
        told = Report([DataDriftPreset(**options)]).run(*sides).dict()
        alarms = []
        for metric in told["metrics"]:
            settings = metric["config"]
            if "column" in settings and "threshold" in settings:
                score, limit = float(metric["value"]), settings["threshold"]
                by_p = "p_value" in settings["method"] or "p-value" in settings["method"]
                alarms.append(score < limit if by_p else score >= limit)
        assert len(alarms) == current.shape[1], told["metrics"][:3]
        found[who] = np.array(alarms)
    return found


def whylogs(reference: pd.DataFrame, current: pd.DataFrame) -> Named:
    import whylogs as why
    from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

    views = [why.log(frame).view() for frame in (current, reference)]
    scores = calculate_drift_scores(target_view=views[0], reference_view=views[1], with_thresholds=True)
    assert len(scores) == current.shape[1]
    return {"whylogs": np.array([scores[name]["drift_category"] == "DRIFT" for name in current])}


def nannyml(reference: pd.DataFrame, current: pd.DataFrame) -> Named:
    import nannyml as nml

    words = [name for name in current if current[name].dtype == object]
    methods = {
        "continuous_methods": ["kolmogorov_smirnov", "jensen_shannon", "wasserstein"],
        "categorical_methods": ["jensen_shannon", "chi2", "l_infinity"],
    }
    calculator = nml.UnivariateDriftCalculator(
        column_names=list(current),
        treat_as_categorical=words,
        chunk_size=len(current) // WINDOWS_OF_NANNYML,
        **methods,
    )
    told = calculator.fit(reference).calculate(current).filter(period="analysis").to_df()
    used = methods["categorical_methods" if words else "continuous_methods"]
    return {
        f"nannyml, {method}": np.array([told[name, method, "alert"].astype(bool) for name in current])
        for method in used
    }


def tidegauge(reference: pd.DataFrame, current: pd.DataFrame) -> Named:
    import tidegauge as tg

    named = []
    for name in current:  # one column a comparison: a family of fifty would share one budget
        alone = tg.Reference.fit(reference[[name]])
        named.append(tg.compare(alone, tg.profile(current[[name]], alone))[name].status)
    return {
        "tidegauge, warning": np.array([status in ("warning", "alert") for status in named]),
        "tidegauge, alert": np.array([status == "alert" for status in named]),
    }


LIBRARIES = {each.__name__: each for each in (evidently, whylogs, nannyml, tidegauge)}


def frames(
    population: str, n: int, m: int, run: int, shape: tuple[int, int], shift: float = 0.0
) -> tuple[pd.DataFrame, ...]:
    rng = np.random.default_rng([list(POPULATIONS).index(population), n, m, run])
    draw = POPULATIONS[population]
    columns, windows = shape
    reference = pd.DataFrame({f"x{i}": draw(rng, n) for i in range(columns)})
    current = pd.DataFrame({f"x{i}": draw(rng, windows * m) for i in range(columns)})
    return reference, current + shift if shift else current


def smallest_shifts(
    ask: Callable[..., Named], n: int, m: int, shape: tuple[int, int]
) -> dict[str, float | None]:
    """Return the least of SHIFTS that nine columns of ten are named for, of each way to ask; by bisection."""
    known: dict[int, Named] = {}

    def named(at: int) -> Named:
        if at not in known:
            known[at] = ask(*frames("normal", n, m, 0, shape, float(SHIFTS[at])))
        return known[at]

    found: dict[str, float | None] = {}
    for who in named(len(SHIFTS) - 1):
        low, high = -1, len(SHIFTS)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if named(middle)[who].mean() >= 0.9 else (middle, high)
        found[who] = float(SHIFTS[high]) if high < len(SHIFTS) else None
    return found


def main() -> None:
    library, quick = sys.argv[1], len(sys.argv) > 2
    ask = LIBRARIES[library]
    shape = (COLUMNS_OF_NANNYML, WINDOWS_OF_NANNYML) if library == "nannyml" else (COLUMNS, WINDOWS)
    runs = 1 if quick else RUNS[library]
    rows = []
    for population in POPULATIONS:
        for n, m in SIZES[1:2] if quick else SIZES:
            found = [ask(*frames(population, n, m, run, shape)) for run in range(runs)]
            for who in found[0]:
                share = float(np.mean([each[who].mean() for each in found]))
                rows.append({"who": who, "population": population, "n": n, "m": m, "named": round(share, 4)})
            print(population, n, m, rows[-1], file=sys.stderr, flush=True)
    shifts: dict[str, list[float | None]] = {}
    for n, m in SHIFT_SIZES[:1] if quick else SHIFT_SIZES:
        for who, least in smallest_shifts(ask, n, m, shape).items():
            shifts.setdefault(who, []).append(least)
    with_ = {"numpy": np.__version__, "pandas": pd.__version__}
    told = {"library": library, "version": version(library), **with_}
    print(json.dumps(told | {"draws": runs * shape[0] * shape[1], "rows": rows, "shifts": shifts}))


if __name__ == "__main__":
    main()
