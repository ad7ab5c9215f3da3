"""tidegauge: what a model sees, says and gets right, measured against a fixed reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegauge import errors
from tidegauge.profiles import Profile, merge, profile
from tidegauge.reference import Reference, load
from tidegauge.schema import Column, Schema

if TYPE_CHECKING:
    from tidegauge.comparison import Comparison, compare

__version__ = "0.1.0"

__all__ = [
    "Column",
    "Comparison",
    "Profile",
    "Reference",
    "Schema",
    "__version__",
    "compare",
    "errors",
    "load",
    "merge",
    "profile",
]


def __getattr__(name: str) -> Any:
    """Import what compares only when it is asked for, so that profiling starts in milliseconds."""
    if name in {"compare", "Comparison"}:
        from tidegauge import comparison

        return getattr(comparison, name)
    raise AttributeError(f"module 'tidegauge' has no attribute {name!r}")
