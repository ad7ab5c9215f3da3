"""Three weeks of scored card payments with planted incidents, and a job that finds them.

`python -m tidegauge.demo [FOLDER]` writes the data, fits a reference on week one, judges every later day.
"""

from tidegauge.demo.incidents import CLEAN_DAYS, INCIDENTS, N_DAYS, REFERENCE_DAYS, Incident, active
from tidegauge.demo.job import ROWS_PER_DAY, Day, judge_days, run, write

__all__ = [
    "CLEAN_DAYS",
    "INCIDENTS",
    "N_DAYS",
    "REFERENCE_DAYS",
    "ROWS_PER_DAY",
    "Day",
    "Incident",
    "active",
    "judge_days",
    "run",
    "write",
]
