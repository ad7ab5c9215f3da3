"""Whether a model of incomes treats people alike, on census data (adults.parquet of the UCI set "Adult").

    python fairness.py adults.parquet report.html

A first half of the rows fits a small model of education, age, hours and capital; a quarter is the reference,
the last quarter is watched. Answers are held against each other by sex, within occupations, and by race.
"""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import tidegauge as tg

NUMBERS = ("age", "education-num", "hours-per-week", "capital-gain", "capital-loss")


def scored(path: str) -> pa.Table:
    """Return the later half of the rows with a score from a least-squares fit to the first half."""
    rows = pq.read_table(path)
    rows = rows.take(np.random.default_rng(0).permutation(rows.num_rows))
    x = np.column_stack([np.log1p(rows[name].to_numpy().astype(float)) for name in NUMBERS])
    married = pc.equal(pc.cast(rows["marital-status"], pa.string()), "Married-civ-spouse")
    x = np.column_stack([np.ones(len(x)), x, married.to_numpy().astype(float)])
    y = pc.equal(pc.cast(rows["class"], pa.string()), ">50K").to_numpy().astype(int)
    half = len(y) // 2
    weights = np.linalg.lstsq(x[:half], y[:half], rcond=None)[0]
    score = np.clip(x @ weights, 0.0, 1.0)
    kept = rows.select(["sex", "race", "occupation"])
    return kept.append_column("score", pa.array(score)).append_column("rich", pa.array(y)).slice(half)


def main(path: str, report: str | None = None) -> int:
    """Print what is found by sex and by race; return 1 where a facet is treated unlike."""
    rows = scored(path)
    quarter = rows.num_rows // 2
    segments = ["sex", "race", ("sex", "occupation")]
    schema = tg.Schema.infer(rows, score="score", label="rich", positive=1, threshold=0.5)
    reference = tg.Reference.fit(rows.slice(0, quarter), schema=schema, segments=segments)
    watched = tg.profile_segments(rows.slice(quarter), reference, segments)
    by_sex = tg.fairness(watched, reference, "sex", advantaged="Male", group="occupation")
    by_race = tg.fairness(watched, reference, "race")
    print(by_sex, by_race, sep="\n\n")
    if report:
        by_sex.to_html(report)
    return int("alert" in (by_sex.status, by_race.status))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
