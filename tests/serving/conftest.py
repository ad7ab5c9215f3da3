"""What the tests of hooks share: a double of the monitor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tidegauge.arrow import batches


class Recorder:
    """Keeps what it is given, and holds errors back as the monitor does."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.batches: list[tuple[set[str], int]] = []
        self.errors: list[str] = []
        self.n_closed = 0

    def record(self, row: Mapping[str, Any]) -> None:
        self.rows.append(dict(row))

    def update(self, data: Any) -> None:
        try:
            self.batches += [({field[0] for field in batch.fields}, batch.n_rows) for batch in batches(data)]
        except Exception as error:
            self.errors.append(str(error))

    def close(self) -> None:
        self.n_closed += 1


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
