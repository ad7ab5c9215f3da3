"""Estimates without labels beside NannyML's and the truth: `python -m benchmarks.outcomes.cbpe FOLDER`.

FOLDER is where benchmarks/peers/run.py makes its environments (nannyml is made if missing), and where
NannyML's own data sets and answers are kept (FOLDER/answers). A second folder, of public data sets, adds what
estimates by segments gain on them (segments.py). Every estimate is made from score cells alone.
Times are the least CPU seconds of some runs, from raw rows to the estimates of all chunks.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from benchmarks.outcomes.segments import compare_all
from benchmarks.statistics.peers.run import environment

from tidegauge.outcomes.binary_counts import BinaryCounts, count_binary
from tidegauge.outcomes.calibrator import fit_calibrator
from tidegauge.outcomes.estimated import Estimate, estimate, first_predicted
from tidegauge.outcomes.leaf_calibrator import fit_leaf_calibrator, unsupported_leaves
from tidegauge.outcomes.leaves import leaf_of, learn_leaves
from tidegauge.outcomes.sampling_error import sampling_errors
from tidegauge.outcomes.sensitivities import sensitivities
from tidegauge.score_cells import score_edges

Floats = np.ndarray
HERE = Path(__file__).parent
VALUES = [[1.0, -5.0], [-2.0, 3.0]]
PEERS_NAME = {
    "true_positives": "true_positive",
    "true_negatives": "true_negative",
    "false_positives": "false_positive",
    "false_negatives": "false_negative",
}
# Equal to NannyML's within 1e-4. Average precision is another: here, as in scikit-learn, rows of one score
# (or cell) are one step, there each row is, in the order of the sort.
FRACTIONS = {"accuracy", "precision", "recall", "specificity", "f1", "roc_auc"}
# What NannyML published ("Compare Estimated and Realized Performance", "Examples California Housing").
PUBLISHED = {
    ("car_loan", "accuracy"): [
        0.941792,
        0.943321,
        0.945492,
        0.944816,
        0.944645,
        0.910714,
        0.911149,
        0.911193,
        0.914389,
        0.911731,
    ],
}


def bins_of(features: Floats, categories: Floats, n_reference: int, bins: int = 64) -> np.ndarray:
    """Number the bins of every column: 0 is missing, then categories, or equal mass of the reference."""
    codes = np.zeros(features.shape, dtype=np.uint8)
    for j, column in enumerate(features.T):
        if categories[j]:
            codes[:, j] = np.clip(column, -1, bins - 2) + 1
        else:
            edges = np.unique(np.nanquantile(column[:n_reference], np.linspace(0, 1, bins)[1:-1]))
            codes[:, j] = np.where(np.isnan(column), 0, np.searchsorted(edges, column, side="right") + 1)
    return codes


def realised(score: Floats, label: Floats, threshold: float) -> dict[str, float]:
    """Return the exact metrics of raw rows: every score is a cell of its own."""
    counts = count_binary(score, label, np.union1d(score, [threshold]))
    first = first_predicted(counts.edges, threshold)
    found = sensitivities(counts.positives, counts.negatives, first, VALUES)
    return {name: each.value for name, each in found.items()}


def row_by_row(p: Floats, score: Floats) -> float:
    """Return NannyML's average precision: one step a row, in any order of the rows that tie."""
    order = np.argsort(score)[::-1]
    found = np.cumsum(p[order])
    return float((p[order] * found / np.arange(1, len(p) + 1)).sum() / found[-1])


def threshold_of(score: Floats, prediction: Floats) -> float:
    """Return the least score that was predicted 1: the data sets tell predictions, not their threshold."""
    return float(score[prediction == 1].min())


def errors(estimates: list[dict[str, Estimate]], truths: list[dict[str, float]], metric: str) -> Floats:
    pairs = [(each[metric].value, truth[metric]) for each, truth in zip(estimates, truths, strict=True)]
    return np.array([np.nan if a is None else a - b for a, b in pairs])


def compare(name: str, folder: Path) -> None:
    told = json.loads((folder / f"{name}.json").read_text())
    data = np.load(folder / f"{name}.npz")
    score, label, n = data["score"], data["label"], int(data["n_reference"])
    threshold = threshold_of(score, data["prediction"])
    agree = np.mean((score >= threshold) == (data["prediction"] == 1))
    size = told["chunk"]
    starts = range(n, len(score) - (len(score) - n) % size, size)
    seconds = []
    for _ in range(20):
        begun = time.process_time()
        edges = score_edges(score[:n], label[:n], [threshold])
        reference = count_binary(score[:n], label[:n], edges)
        calibrator = fit_calibrator(reference)
        nothing = np.full(size, np.nan)
        windows = [count_binary(score[at : at + size], nothing, edges) for at in starts]
        found = [estimate(window, calibrator, threshold, VALUES) for window in windows]
        seconds.append(time.process_time() - begun)
    print(f"\n## {name}: {n} + {len(score) - n} rows, {len(found)} chunks of {size}, {len(edges) + 1} cells")
    print(
        f"threshold {threshold:.6g} tells {agree:.4%} of the predictions; NannyML {told['seconds']:.2f} s, "
        f"ours {min(seconds) * 1e3:.1f} ms: {told['seconds'] / min(seconds):.0f} x"
    )
    chunks = [slice(at, at + size) for at in starts]
    truths = [realised(score[rows], label[rows], threshold) for rows in chunks]
    stated = sampling_errors(reference, threshold, size, VALUES)
    print(
        "| metric | max difference from NannyML | MAE ours | MAE NannyML | truth in value +- 1.96 errors "
        "| sampling error ours | NannyML's |\n|---|---|---|---|---|---|---|"
    )
    for metric in found[0]:
        peers = np.array(told["value"][PEERS_NAME.get(metric, metric)][: len(found)])
        peers = peers / size if metric == "business_value" else peers
        ours = np.array([each[metric].value for each in found], dtype=float)  # None is NaN
        truth = np.array([each[metric] for each in truths])
        spread = np.array([each[metric].standard_error for each in found], dtype=float)
        known = np.isfinite(ours) & np.isfinite(truth)
        covered = np.mean(np.abs(ours - truth)[known] <= 1.96 * spread[known])
        peers_error = told["sampling_error"][PEERS_NAME.get(metric, metric)][0]
        peers_error = peers_error / size if metric == "business_value" else peers_error
        print(
            f"| {metric} | {np.nanmax(np.abs(ours - peers)):.2e} | {np.nanmean(np.abs(ours - truth)):.5f} "
            f"| {np.nanmean(np.abs(peers - truth)):.5f} | {covered:.2f} | {stated[metric]:.6f} "
            f"| {peers_error:.6f} |"
        )
        if metric in FRACTIONS:
            assert np.nanmax(np.abs(ours - peers)) <= 1e-4, metric
        if (name, metric) in PUBLISHED:
            print(f"| published {metric} | {np.abs(ours - PUBLISHED[name, metric]).max():.2e} |")
    p = calibrator.probabilities[np.searchsorted(edges, score, side="right")]
    steps = np.array([row_by_row(p[rows], score[rows]) for rows in chunks])
    off = np.abs(steps - np.array(told["value"]["average_precision"][: len(steps)])).max()
    assert off <= 1e-4, off
    print(f"average precision with a step a row, from our probabilities: within {off:.1e} of NannyML's")
    segments(data, threshold, edges, size, found, truths)


def segments(
    data: np.lib.npyio.NpzFile,
    threshold: float,
    edges: Floats,
    size: int,
    plain: list[dict[str, Estimate]],
    truths: list[dict[str, float]],
) -> None:
    """Compare the estimate by leaves with the plain one, in mean absolute error."""
    score, label, n = data["score"], data["label"], int(data["n_reference"])
    codes = bins_of(data["features"], data["categories"], n)
    cell = np.searchsorted(edges, score[:n], side="right")
    calibrator = fit_calibrator(count_binary(score[:n], label[:n], edges))
    begun = time.process_time()
    leaves = learn_leaves(codes[:n], label[:n] - calibrator.probabilities[cell], data["categories"])
    leaf = leaf_of(leaves, codes)
    took = time.process_time() - begun

    def by_leaf(rows: slice, labels: Floats) -> list[BinaryCounts]:
        return [
            count_binary(score[rows][leaf[rows] == k], labels[leaf[rows] == k], edges)
            for k in range(leaves.n_leaves)
        ]

    reference = by_leaf(slice(0, n), label[:n])
    fitted = fit_leaf_calibrator(reference)
    found, flagged = [], 0
    for at in range(n, n + size * len(plain), size):
        window = by_leaf(slice(at, at + size), np.full(size, np.nan))
        found.append(estimate(window, fitted, threshold, VALUES))
        flagged += bool(unsupported_leaves(reference, window).any())
    print(
        f"segments: {leaves.n_leaves} leaves learned in {took * 1e3:.0f} ms; {flagged} chunks out of support"
    )
    for metric in ("accuracy", "f1", "roc_auc", "average_precision"):
        off, plain_off = errors(found, truths, metric), errors(plain, truths, metric)
        spread = np.array([each[metric].standard_error for each in found], dtype=float)
        print(
            f"  {metric}: MAE {np.nanmean(np.abs(off)):.5f} by leaves, {np.nanmean(np.abs(plain_off)):.5f} "
            f"plain; truth in value +- 1.96 errors {np.mean(np.abs(off) <= 1.96 * spread):.2f}"
        )


def main() -> None:
    folder = Path(sys.argv[1])
    answers = folder / "answers"
    if not answers.exists():
        answers.mkdir(parents=True)
        asked = [environment(folder, "nannyml"), HERE / "peers" / "nannyml_cbpe.py", answers]
        subprocess.run(asked, check=True)
    for path in sorted(answers.glob("*.json")):
        compare(path.stem, answers)
    if len(sys.argv) > 2:
        compare_all(folder / "sets", Path(sys.argv[2]))


if __name__ == "__main__":
    main()
