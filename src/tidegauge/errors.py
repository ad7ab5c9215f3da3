"""Every exception and warning that tidegauge raises on purpose; all derive from TidegaugeError."""

from __future__ import annotations

from tidegauge._core import ArrowError, DecodeError, MergeError, SchemaError, TidegaugeError

__all__ = [
    "ArchiveError",
    "ArchiveWarning",
    "ArrowError",
    "DecodeError",
    "InputError",
    "InputWarning",
    "MergeError",
    "SchemaError",
    "TidegaugeError",
]


class ArchiveError(TidegaugeError):
    """An archive that cannot be opened, read or written: what it already holds is as it was."""


class ArchiveWarning(UserWarning):
    """Something of an archive was set aside or made anew; what else it holds was read."""


class InputError(TidegaugeError):
    """Data that cannot be found, opened or understood: a path, a file, or an object of no accepted kind."""


class InputWarning(UserWarning):
    """Data that was accepted but is probably not what was meant, such as a stream that was already read."""
