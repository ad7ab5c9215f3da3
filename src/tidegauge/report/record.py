"""A comparison as JSON, for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidegauge.comparison import Comparison


def render_json(comparison: Comparison) -> str:
    """Return `comparison.to_dict()` as JSON in ASCII: whatever a name holds, any parser reads it.

    Undefined numbers are null, never NaN (ValueError, should one get in).
    """
    return json.dumps(comparison.to_dict(), allow_nan=False, separators=(",", ":"))
