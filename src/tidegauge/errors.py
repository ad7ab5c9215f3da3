"""Every exception and warning that tidegauge raises on purpose; all derive from TidegaugeError."""

from __future__ import annotations

from tidegauge._core import ArrowError, DecodeError, MergeError, SchemaError, TidegaugeError

__all__ = [
    "ArrowError",
    "DecodeError",
    "InputError",
    "InputWarning",
    "MergeError",
    "SchemaError",
    "TidegaugeError",
]


class InputError(TidegaugeError):
    """Data that cannot be found, opened or understood: a path, a file, or an object of no accepted kind."""


class InputWarning(UserWarning):
    """Data that was accepted but is probably not what was meant, such as a stream that was already read."""
