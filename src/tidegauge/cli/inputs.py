"""What commands read: data files, profiles, references."""

from __future__ import annotations

from pathlib import Path

import tidegauge as tg
from tidegauge.arrow import batches
from tidegauge.cli.outputs import progress
from tidegauge.errors import InputError
from tidegauge.profiles import Accumulators

SEGMENTS = "A column whose values are counted apart, or several with commas; may be repeated."


def dimensions(segments: tuple[str, ...]) -> list[str | list[str]]:
    """Return what --segment names: columns, and lists of them."""
    return [each.split(",") if "," in each else each for each in segments]


def saved_profiles(data: tuple[str, ...]) -> list[tg.Profile]:
    """Load saved profiles; [] where the data are files to be read. Raises InputError for some of both."""
    saved = [path for path in data if Path(path).suffix == ".tg"]
    if saved and len(saved) < len(data):
        raise InputError(
            f"{saved[0]} is a saved profile and {data[0]!r} or another is not: give one kind at a time"
        )
    return [load_profile(Path(path)) for path in saved]


def read(
    data: tuple[str, ...], against: tg.Reference | None, threads: int | None, accumulators: Accumulators
) -> tg.Profile:
    """Profile files batch by batch: memory stays flat, and the rows are counted as they pass."""
    source = batches(list(data))
    made = tg.Profile.empty(against, accumulators=accumulators)
    for batch in progress(source, source.n_rows):
        made.update(batch, threads=threads or 0)
    return made


def load_reference(path: Path) -> tg.Reference:
    """Load a reference, and refuse a profile."""
    loaded = tg.load(path)
    if not isinstance(loaded, tg.Reference):
        raise InputError(
            f"{path} is a profile, not a reference; make one with `tidegauge reference DATA -o ref.tg`"
        )
    return loaded


def load_profile(path: Path) -> tg.Profile:
    """Load a profile; of a reference, the counts."""
    loaded = tg.load(path)
    return loaded.profile if isinstance(loaded, tg.Reference) else loaded
