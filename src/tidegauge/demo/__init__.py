"""Three weeks of card payments with planted incidents, the service that scores them, and its monitor.

`python -m tidegauge.demo [FOLDER]` writes the data, fits a reference on week one, has several processes score
the two weeks after it, each with a monitor, into one archive, judges every hour, and names what was planted.
"""

from tidegauge.demo.files import ROWS_PER_DAY, fit, write
from tidegauge.demo.incidents import CLEAN_DAYS, INCIDENTS, N_DAYS, REFERENCE_DAYS, Incident, active, planted
from tidegauge.demo.job import Outcome, run
from tidegauge.demo.service import Served, serve

__all__ = [
    "CLEAN_DAYS",
    "INCIDENTS",
    "N_DAYS",
    "REFERENCE_DAYS",
    "ROWS_PER_DAY",
    "Incident",
    "Outcome",
    "Served",
    "active",
    "fit",
    "planted",
    "run",
    "serve",
    "write",
]
