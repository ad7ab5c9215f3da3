"""What became of labels, and how far they have come."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tidegauge.window import Window


@dataclass(frozen=True, slots=True)
class LabelReport:
    """What became of labels that were told: each row of the data is in one of the counts up to `n_null_id`.

    `n_given`: the prediction has its label now. `n_corrected`: it had another one, which was taken back.
    `n_duplicate`: it had this one. `n_early`: there is no such prediction yet; the label is kept and tried
    again. `n_dropped`: there were too many of those, or the prediction is no longer kept (it is older than
    `wait`, or not of the sample that waits). `n_unknown`: not one of the classes, or no finite number.
    `n_mistyped`: of another type. `n_null`: no label. `n_null_id`: no id.

    `n_joined_early`: labels told earlier whose prediction was there this time. `n_early_kept`: those that
    wait now. `stored`: False where the archive could not be written: then nothing has changed; tell them
    again.
    """

    n_rows: int = 0
    n_given: int = 0
    n_corrected: int = 0
    n_duplicate: int = 0
    n_early: int = 0
    n_dropped: int = 0
    n_unknown: int = 0
    n_mistyped: int = 0
    n_null: int = 0
    n_null_id: int = 0
    n_joined_early: int = 0
    n_early_kept: int = 0
    stored: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the counts by name, JSON-able."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many rows of a window have their labels.

    `n_rows`: all rows. `n_labelled`: those with a label, whenever it came. `n_waiting`: predictions that are
    kept for their labels, labelled ones among them. `rate`: the share of rows that is kept so, 1 while all
    are; compare n_labelled with `rate * n_rows`. `age_seconds`: how long after the window's end labels came,
    as quantiles (.5, .9, .99) of those that came late; {} where there are none, or their record is older than
    predictions are kept. `labels_unresolved`: there are labels whose rows are not in the archive: no
    label is counted then.
    """

    window: Window
    n_rows: int
    n_labelled: int
    n_waiting: int
    rate: float
    age_seconds: dict[float, float]
    labels_unresolved: bool = False

    @property
    def share(self) -> float | None:
        """Labelled rows of those that could have a label by now; None without rows."""
        expected = self.n_rows * self.rate
        return min(1.0, self.n_labelled / expected) if expected else None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, JSON-able; the window as [start, end) in nanoseconds."""
        found = asdict(self)
        found["window"] = [self.window.start_ns, self.window.end_ns]
        found["age_seconds"] = {f"{q:g}": seconds for q, seconds in self.age_seconds.items()}
        return found | {"share": self.share}
