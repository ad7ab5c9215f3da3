"""Estimates by segments beside one calibrator, NannyML's and the truth, on real rows (`model_sets.py`).

Everything goes the public way: `Reference.fit`, `profile` of each chunk without its labels, and what
`performance` estimates from. The settings of the tree were chosen on NannyML's own data sets (cbpe.py), and
its rule (by how much it must help) on the first 60 % of each reference here, held against the other 40 %; no
row of production had a say.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from benchmarks.outcomes.model_sets import PREDICTED, SCORED, ModelRows
from benchmarks.statistics.peers.run import environment

import tidegauge
from tidegauge.outcomes.binary_counts import count_binary
from tidegauge.outcomes.counted import all_counted
from tidegauge.outcomes.estimated import Estimate, estimate, first_predicted
from tidegauge.outcomes.sensitivities import sensitivities
from tidegauge.performance_estimates import Estimator, leaf_estimator, plain_estimator
from tidegauge.performances import alike

Floats = np.ndarray
HERE = Path(__file__).parent
METRICS = ("accuracy", "f1", "roc_auc")
NUMBERS = ("mean_absolute_error", "root_mean_squared_error", "mean_squared_error", "bias")


@dataclass(frozen=True, slots=True)
class Estimated:
    """What was estimated of each chunk: `metric` to `[chunks]`, and the standard errors."""

    values: dict[str, Floats]
    errors: dict[str, Floats]


def chunks_of(rows: ModelRows) -> list[pa.Table]:
    """Return the whole chunks of production."""
    n = (len(rows.rows) - rows.n_reference) // rows.chunk
    return [rows.rows.slice(rows.n_reference + i * rows.chunk, rows.chunk) for i in range(n)]


def truths(chunks: list[pa.Table], threshold: float) -> dict[str, Floats]:
    """Return the exact metrics of each chunk: every score is a cell of its own."""
    found = []
    for chunk in chunks:
        score, label = chunk["score"].to_numpy(), chunk["label"].to_numpy()
        counts = count_binary(score, label, np.union1d(score, [threshold]))
        first = first_predicted(counts.edges, threshold)
        found.append(sensitivities(counts.positives, counts.negatives, first))
    return {metric: np.array([each[metric].value for each in found]) for metric in METRICS}


def estimated(found: list[Estimator]) -> Estimated:
    """Return the estimates of each chunk."""
    told: list[dict[str, Estimate]] = [
        estimate(each.window, each.calibrator, each.threshold) for each in found
    ]
    return Estimated(
        {metric: np.array([each[metric].value for each in told], dtype=float) for metric in METRICS},
        {metric: np.array([each[metric].standard_error for each in told], dtype=float) for metric in METRICS},
    )


def save(rows: ModelRows, folder: Path) -> None:
    """Write what NannyML needs of a set."""
    score, label = rows.rows["score"].to_numpy(), rows.rows["label"].to_numpy()
    np.savez(
        folder / f"{rows.name}.npz",
        score=score,
        prediction=(score >= rows.threshold).astype(np.int64),
        label=label,
        n_reference=rows.n_reference,
        chunk=rows.chunk,
    )


def compare(rows: ModelRows, folder: Path) -> list[str]:
    """Return the lines of a set."""
    reference_rows = rows.rows.slice(0, rows.n_reference)
    schema = tidegauge.Schema.infer(
        reference_rows, score="score", label="label", positive=1, threshold=rows.threshold
    )
    begun = time.process_time()
    reference = tidegauge.Reference.fit(reference_rows, schema=schema, threads=1)
    seconds = time.process_time() - begun
    before = all_counted(reference.profile._core.outcomes, schema)
    leaves = reference.profile._core.leaves
    chunks = chunks_of(rows)
    plain, by_leaf, far = [], [], 0
    for chunk in chunks:
        profile = tidegauge.profile(chunk.drop_columns(["label"]), reference)
        current = all_counted(profile._core.outcomes, schema)[0]
        plain.append(plain_estimator(current, alike(current, before)))
        told = leaf_estimator(current, profile._core.leaves, leaves)
        by_leaf.append(told or plain[-1])
        far += told is not None and "ten times" in told.words
    truth = truths(chunks, rows.threshold)
    ours, one = estimated(by_leaf), estimated(plain)
    peers = json.loads((folder / f"{rows.name}.json").read_text())
    constant = truths([reference_rows], rows.threshold)
    size = f"{len(chunks)} x {rows.chunk:,}"
    told = f"{1 if leaves is None else leaves.n_leaves} ({seconds:.1f} s, {far} chunks out of support)"
    lines = []
    for metric in METRICS:
        off = {
            "leaves": ours.values[metric] - truth[metric],
            "plain": one.values[metric] - truth[metric],
            "nannyml": np.array(peers[metric][: len(chunks)]) - truth[metric],
            "constant": constant[metric] - truth[metric],
        }
        mae = {name: float(np.nanmean(np.abs(each))) for name, each in off.items()}
        within = [
            float(np.mean(np.abs(off[name]) <= 1.96 * each.errors[metric]))
            for name, each in (("leaves", ours), ("plain", one))
        ]
        change = "the same" if leaves is None else f"{mae['leaves'] / mae['plain'] - 1:+.0%}"
        lines.append(
            f"| {rows.name} | {size} | {told} | {metric} | {mae['leaves']:.5f} | {mae['plain']:.5f} "
            f"| {change} | {mae['nannyml']:.5f} | {mae['constant']:.5f} | {within[0]:.2f} | {within[1]:.2f} |"
        )
        size = told = ""
    return lines


def compare_numbers(rows: ModelRows) -> list[str]:
    """Return the lines of a set with a predicted number, beside the reference's own error for every chunk."""
    reference_rows = rows.rows.slice(0, rows.n_reference)
    schema = tidegauge.Schema.infer(reference_rows, prediction="prediction", label="label")
    reference = tidegauge.Reference.fit(reference_rows, schema=schema, threads=1)
    leaves = reference.profile._core.leaves
    chunks = chunks_of(rows)
    size = f"{rows.name} | {len(chunks)} x {rows.chunk:,} | {1 if leaves is None else leaves.n_leaves}"
    if leaves is None:
        return [f"| {size} | no estimate | | | | |"]
    off: dict[str, list[tuple[float, float, bool]]] = {metric: [] for metric in NUMBERS}
    before = tidegauge.performance(reference.profile, reference)
    for chunk in chunks:
        profile = tidegauge.profile(chunk.drop_columns(["label"]), reference)
        told = tidegauge.performance(profile, reference)
        truth = tidegauge.performance(tidegauge.profile(chunk, reference), reference)
        for metric, found in off.items():
            each, value = told.measurement(metric, "estimated"), truth.value(metric)
            within = each.low <= value <= each.high
            found.append((each.value - value, before.value(metric) - value, within))
    lines = []
    for metric, found in off.items():
        ours, constant, within = np.array(found).T
        mae = np.abs(ours).mean(), np.abs(constant).mean()
        lines.append(
            f"| {size} | {metric} | {mae[0]:.4g} | {mae[1]:.4g} | {mae[0] / mae[1] - 1:+.0%} "
            f"| {within.mean():.2f} |"
        )
        size = f"{rows.name} | | "
    return lines


def compare_all(folder: Path, data: Path) -> None:
    """Print the table of all sets."""
    folder.mkdir(parents=True, exist_ok=True)
    sets = [make(data) for make in SCORED]
    for rows in sets:
        save(rows, folder)
    asked = [environment(folder.parent, "nannyml"), HERE / "peers" / "nannyml_scores.py", folder]
    subprocess.run(asked, check=True, capture_output=True)
    print("\n## Mean absolute error of estimates by segments, on real rows")
    print(
        "| set | chunks | leaves | metric | by leaves | one calibrator | change | NannyML | reference's own "
        "| truth in 1.96 errors, by leaves | one calibrator |\n|---|---|---|---|---|---|---|---|---|---|---|"
    )
    for rows in sets:
        print("\n".join(compare(rows, folder)), flush=True)
    print("\n## Mean absolute error of estimated errors of a predicted number, on real rows")
    print("| set | chunks | leaves | metric | by leaves | reference's own | change | truth in the interval |")
    print("|---|---|---|---|---|---|---|---|")
    for make in PREDICTED:
        print("\n".join(compare_numbers(make(data))), flush=True)
