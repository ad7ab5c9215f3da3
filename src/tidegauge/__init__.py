"""tidegauge: what a model sees, says and gets right, measured against a fixed reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegauge import errors
from tidegauge.profiles import Profile, merge, profile
from tidegauge.reference import Reference, load
from tidegauge.schema import Column, Schema

if TYPE_CHECKING:
    from tidegauge.archive import Archive
    from tidegauge.attributions import AttributionDrift, attribution_drift
    from tidegauge.comparison import Comparison, compare
    from tidegauge.fairness_result import Fairness
    from tidegauge.fairnesses import fairness
    from tidegauge.judging import judge
    from tidegauge.monitor import Health, Monitor
    from tidegauge.performance_result import Performance
    from tidegauge.performance_windows import PerformanceScan, performance_scan
    from tidegauge.performances import performance
    from tidegauge.scan_result import ScanResult
    from tidegauge.segment_profiles import profile_segments
    from tidegauge.slice_search import Slices, find_slices
    from tidegauge.verdict import Verdict, verdicts
    from tidegauge.window import Window
    from tidegauge.window_profiles import profile_windows
    from tidegauge.window_scan import scan

__version__ = "0.1.0"

__all__ = [
    "Archive",
    "AttributionDrift",
    "Column",
    "Comparison",
    "Fairness",
    "Health",
    "Monitor",
    "Performance",
    "PerformanceScan",
    "Profile",
    "Reference",
    "ScanResult",
    "Schema",
    "Slices",
    "Verdict",
    "Window",
    "__version__",
    "attribution_drift",
    "compare",
    "errors",
    "fairness",
    "find_slices",
    "judge",
    "load",
    "merge",
    "performance",
    "performance_scan",
    "profile",
    "profile_segments",
    "profile_windows",
    "scan",
    "verdicts",
]

# Imported only when asked for, so that profiling starts in milliseconds.
_LATER = {
    "Archive": "archive",
    "Health": "monitor",
    "Monitor": "monitor",
    "Verdict": "verdict",
    "judge": "judging",
    "verdicts": "verdict",
    "Comparison": "comparison",
    "compare": "comparison",
    "Performance": "performance_result",
    "performance": "performances",
    "PerformanceScan": "performance_windows",
    "performance_scan": "performance_windows",
    "Window": "window",
    "profile_segments": "segment_profiles",
    "AttributionDrift": "attributions",
    "attribution_drift": "attributions",
    "Slices": "slice_search",
    "Fairness": "fairness_result",
    "fairness": "fairnesses",
    "find_slices": "slice_search",
    "profile_windows": "window_profiles",
    "ScanResult": "scan_result",
    "scan": "window_scan",
}


def __getattr__(name: str) -> Any:
    """Import what stands in _LATER."""
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(f"tidegauge.{_LATER[name]}"), name)
    raise AttributeError(f"module 'tidegauge' has no attribute {name!r}")
