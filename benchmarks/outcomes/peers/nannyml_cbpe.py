"""NannyML's CBPE on its own three data sets, in its own environment: `python nannyml_cbpe.py FOLDER`.

FOLDER receives, of each data set, its rows as NAME.npz (what the other side reads) and NannyML's answers and
CPU seconds as NAME.json: those of `fit` on the reference and `estimate` on the analysis rows,
the least of three.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from pathlib import Path

os.environ |= {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}
warnings.filterwarnings("ignore")

import nannyml as nml  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

# loader, label, score, prediction, rows of a chunk
SETS = {
    "car_loan": (nml.load_synthetic_car_loan_dataset, "repaid", "y_pred_proba", "y_pred", 5_000),
    "california": (
        nml.load_modified_california_housing_dataset,
        "clf_target",
        "y_pred_proba",
        "y_pred",
        600,
    ),
    "employment": (
        nml.load_us_census_ma_employment_data,
        "employed",
        "predicted_probability",
        "prediction",
        2_000,
    ),
}
METRICS = [
    "roc_auc",
    "accuracy",
    "f1",
    "precision",
    "recall",
    "specificity",
    "average_precision",
    "business_value",
    "confusion_matrix",
]
NOT_FEATURES = {"id", "timestamp", "year"}


def numbers(column: pd.Series) -> np.ndarray:
    if column.dtype.kind in "fi":
        return column.to_numpy(dtype=float)
    return column.astype("category").cat.codes.to_numpy(dtype=float)


def answer(name: str, folder: Path) -> None:
    load, label, score, prediction, size = SETS[name]
    reference, analysis, targets = load()
    np.random.seed(1)  # it resamples for the sampling error of average precision

    def run() -> tuple[nml.CBPE, pd.DataFrame]:
        estimator = nml.CBPE(
            metrics=METRICS,
            y_pred_proba=score,
            y_pred=prediction,
            y_true=label,
            problem_type="classification_binary",
            chunk_size=size,
            business_value_matrix=[[1.0, -5.0], [-2.0, 3.0]],
        ).fit(reference)
        return estimator, estimator.estimate(analysis).filter(period="analysis").to_df()

    seconds = []
    for _ in range(3):
        start = time.process_time()
        estimator, frame = run()
        seconds.append(time.process_time() - start)
    names = [top for top in dict.fromkeys(frame.columns.get_level_values(0)) if top != "chunk"]
    told = {
        "needs_calibration": bool(estimator.needs_calibration),
        "seconds": min(seconds),
        "chunk": size,
        "value": {metric: frame[metric]["value"].tolist() for metric in names},
        "sampling_error": {metric: frame[metric]["sampling_error"].tolist() for metric in names},
        "threshold": {
            metric: [
                float(frame[metric][f"{side}_threshold"].iloc[0] or "nan") for side in ("lower", "upper")
            ]
            for metric in ("roc_auc",)
        },
    }
    (folder / f"{name}.json").write_text(json.dumps(told))
    features = [each for each in reference if each not in {*NOT_FEATURES, label, score, prediction}]
    both = pd.concat([reference[features], analysis[features]], ignore_index=True)
    if name == "employment":
        both = both.astype({each: "category" for each in features if both[each].dtype.kind not in "fi"})
    analysis_labels = analysis.merge(targets, on="id")[label].to_numpy(dtype=float)
    np.savez(
        folder / f"{name}.npz",
        features=np.stack([numbers(both[each]) for each in features], axis=1),
        names=np.array(features),
        categories=np.array([both[each].dtype.kind not in "fi" for each in features]),
        score=np.concatenate([reference[score], analysis[score]]),
        prediction=np.concatenate([reference[prediction], analysis[prediction]]),
        label=np.concatenate([reference[label].to_numpy(dtype=float), analysis_labels]),
        n_reference=len(reference),
    )


if __name__ == "__main__":
    for each in SETS:
        answer(each, Path(sys.argv[1]))
