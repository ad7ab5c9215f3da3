"""What somebody else sent, in messages: bounded in length, depth and time, whatever it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["shape_text", "shown"]

MAX_CHARACTERS = 60


def shown(value: Any) -> str:
    """Write a value of parsed JSON; a container by its size, since its repr may be as long as the body."""
    if isinstance(value, str):
        return repr(value[:MAX_CHARACTERS]) + ("..." if len(value) > MAX_CHARACTERS else "")
    if type(value) is int and value.bit_length() > 64:  # CPython refuses to write one of 4,301 digits
        return f"an integer of {value.bit_length()} bits"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return "an object" if isinstance(value, Mapping) else f"a {type(value).__qualname__}"


def shape_text(shape: tuple[int, ...]) -> str:
    """Write a shape as its sender did, one of many axes by their number."""
    return f"[{', '.join(map(shown, shape))}]" if len(shape) <= 8 else f"of {len(shape)} axes"
