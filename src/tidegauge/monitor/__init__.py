"""The monitor: rows profiled inside the process that scores, windows sent to an archive."""

from tidegauge.monitor.health import Health
from tidegauge.monitor.monitor import Monitor

__all__ = ["Health", "Monitor"]
