"""Records merged to profiles, whatever else happens to the archive meanwhile."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tidegauge.archive.records import Found, Key
from tidegauge.archive.store import Store
from tidegauge.errors import ArchiveError, ArchiveWarning, DecodeError, MergeError
from tidegauge.profiles import Profile
from tidegauge.reference import Reference

Group = TypeVar("Group", bound=Hashable)
ATTEMPTS, PATIENCE_SECONDS = 20, 10.0  # a busy machine may need more of the one, or of the other


@dataclass(frozen=True, slots=True)
class Merged:
    """The profile of a group, without edges, and the records whose rows it has."""

    profile: Profile
    keys: list[Key]


def merged_by(
    store: Store,
    find: Callable[[], Sequence[Found]],
    group: Callable[[Key], Group],
    *,
    read_only: bool,
) -> dict[Group, Merged]:
    """Merge the records that `find` lists, those of one group to one profile; groups in order of their keys.

    What is found and what is read are two moments: where a record was compacted or replaced between them, all
    is done again. Records that cannot be read are quarantined, unless `read_only`; those whose profiles do
    not merge with the most rows of their group are left out. An ArchiveWarning names each. Raises
    ArchiveError where the archive cannot be read, or changes all the time.
    """
    until, n = time.monotonic() + PATIENCE_SECONDS, 0
    while n < ATTEMPTS or time.monotonic() < until:
        n += 1
        attempt = _Attempt[Group](find())
        attempt.take(store, group)
        if not attempt.overtaken(find):
            attempt.set_damaged_aside(store, read_only)
            return attempt.largest()
    raise ArchiveError(
        f"archive: it changed under {n} attempts to read it: stop what deletes from it, and try again"
    )


class _Attempt(Generic[Group]):
    """What was found, read and merged at one attempt."""

    def __init__(self, found: Sequence[Found]) -> None:
        self.found = {each.key: each for each in found}
        self.n_missing = len(self.found)
        self.damaged: dict[Key, str] = {}
        self.differs: set[Key] = set()
        self.totals: dict[Group, list[Merged]] = {}

    def take(self, store: Store, group: Callable[[Key], Group]) -> None:
        """Read and merge."""
        for key, state in store.read(list(self.found)):
            self.n_missing -= 1
            try:
                profile = Profile.from_bytes(state)
            except DecodeError as error:
                self.damaged[key] = f"its state is damaged: {error}" if state else "its bytes are unreadable"
                continue
            if profile.n_rows != self.found[key].n_rows:
                self.differs.add(key)
                continue
            parts = self.totals.setdefault(group(key), [])
            for part in parts:
                try:
                    part.profile.merge(profile)
                except MergeError:
                    continue
                part.keys.append(key)
                break
            else:
                parts.append(Merged(profile, [key]))

    def overtaken(self, find: Callable[[], Sequence[Found]]) -> bool:
        """Tell whether records went or grew between being found and being read; if not, some are damaged."""
        if self.n_missing:
            return True
        if self.differs:
            now = {each.key: each for each in find()}
            if any(now.get(key) != self.found[key] for key in self.differs):
                return True
            for key in self.differs:
                self.damaged[key] = (
                    f"its state has not the {self.found[key].n_rows:,} rows it was stored with"
                )
        return False

    def set_damaged_aside(self, store: Store, read_only: bool) -> None:
        for key, why in self.damaged.items():
            aside = "left out" if read_only else "set aside (Archive.quarantined lists it)"
            _warn(f"archive: the profile of {key} is {aside}: {why}")
            if not read_only:
                store.quarantine([key], why)

    def largest(self) -> dict[Group, Merged]:
        """Return the most rows of each group that merge."""
        made: dict[Group, Merged] = {}
        for group, parts in self.totals.items():
            made[group] = max(parts, key=lambda part: part.profile.n_rows)
            for part in parts:
                if part is not made[group]:
                    _warn(
                        f"archive: {len(part.keys):,} profiles, the first of {part.keys[0]}, are left out: "
                        f"they do not merge with those of {made[group].keys[0]}, which have more rows: they "
                        "have other edges or other accumulators ('full' and 'light' do not mix)"
                    )
        return made


def attach(profile: Profile, reference: Reference | None) -> None:
    """Give a decoded profile the edges that its bytes name."""
    if reference is not None:
        held = reference.profile._core
        profile._core.attach([column.spec for column in held.columns], held.joint_spec)


def _warn(message: str) -> None:
    warnings.warn(message, ArchiveWarning, stacklevel=6)
