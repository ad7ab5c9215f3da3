"""NannyML's CBPE on scores and labels alone, in its own environment: `python nannyml_scores.py FOLDER`.

Of every NAME.npz in FOLDER (score, prediction, label, n_reference, chunk) it tells what it estimates of each
chunk behind the reference, as NAME.json.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

os.environ |= {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}
warnings.filterwarnings("ignore")

import nannyml as nml  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

METRICS = ["accuracy", "f1", "roc_auc"]


def answer(path: Path) -> None:
    data = np.load(path)
    rows = pd.DataFrame({name: data[name] for name in ("score", "prediction", "label")})
    n = int(data["n_reference"])
    estimator = nml.CBPE(
        metrics=METRICS,
        y_pred_proba="score",
        y_pred="prediction",
        y_true="label",
        problem_type="classification_binary",
        chunk_size=int(data["chunk"]),
    ).fit(rows[:n])
    frame = estimator.estimate(rows[n:].drop(columns="label")).filter(period="analysis").to_df()
    told = {metric: frame[metric]["value"].tolist() for metric in METRICS}
    path.with_suffix(".json").write_text(json.dumps(told))


if __name__ == "__main__":
    for each in sorted(Path(sys.argv[1]).glob("*.npz")):
        answer(each)
