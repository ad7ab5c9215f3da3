"""What a finding says of an error."""

from __future__ import annotations

import traceback
from pathlib import Path


def raised(error: BaseException) -> str:
    """Return an error and the line that raised it."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{error!r} at {Path(where.filename).name}:{where.lineno}"
