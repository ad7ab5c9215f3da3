"""What a disk may hold after the power was lost, by the log of shim.c.

Promised is what POSIX says: a file's bytes after its fsync, a name after the fsync of its folder. All else
that was done since may be there, in part, or not at all, in any order: writes in pieces of 512 or 4,096 bytes
that lie on the disk or do not, lengths apart from bytes, names apart from the files they name. A rename is
whole or not. A failed fsync is final.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

PIECES = (512, 4_096)
Change = tuple[int, bytes | int]  # where, and what was written; or -1, and how long the file became
Names = dict[int, dict[str, int]]  # the files and folders in each folder, by inode


@dataclass
class File:
    """A file's bytes at its last fsync, and what was done to it since."""

    kept: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def settle(self) -> None:
        for change in self.pending:
            apply(self.kept, change)
        self.pending.clear()


def apply(body: bytearray, change: Change) -> None:
    """Do to bytes what was done to a file."""
    at, what = change
    if isinstance(what, int):
        del body[what:]
        body.extend(bytes(what - len(body)))
        return
    body.extend(bytes(max(0, at - len(body))))
    body[at : at + len(what)] = what


def torn(change: Change, piece: int) -> Iterator[Change]:
    """Split a write at the borders of pieces of the disk."""
    at, what = change
    if isinstance(what, int):
        yield change
        return
    end = at + len(what)
    for begin in range(at // piece * piece, end, piece):
        low, high = max(begin, at), min(begin + piece, end)
        yield low, what[low - at : high - at]


@dataclass(frozen=True)
class Move:
    """Names that change together: (folder, name, file or None)."""

    steps: tuple[tuple[int, str, int | None], ...]

    def apply(self, names: Names) -> None:
        for folder, name, inode in self.steps:
            entries = names.setdefault(folder, {})
            if inode is None:
                entries.pop(name, None)
            else:
                entries[name] = inode


class Disk:
    """The files under a folder, step by step as the log says: what is safe, and what is not yet."""

    def __init__(self, root: str, seed: int = 0) -> None:
        self.root = root
        self.chance = random.Random(seed)
        self.files: dict[int, File] = {}
        self.names: Names = {0: {}}  # 0 is the root
        self.folders = {root: 0}
        self.now: Names = {0: {}}  # as processes see them
        self.pending: list[Move] = []

    def step(self, line: str, data: bytes) -> None:
        """Do what a line of the log says."""
        what, _, rest = line.partition(" ")
        if what == "C":
            inode, _, path = rest.partition(" ")
            self.files[int(inode)] = File()
            self._move((path, int(inode)))
        elif what == "M":
            inode, _, path = rest.partition(" ")
            self.folders[path] = int(inode)
            self.now[int(inode)] = {}
            self._move((path, int(inode)))
        elif what == "W":
            inode, at, _ = rest.split(" ")
            if int(inode) in self.files:
                self.files[int(inode)].pending.append((int(at), data))
        elif what == "T":
            inode, length = rest.split(" ")
            if int(inode) in self.files:
                self.files[int(inode)].pending.append((-1, int(length)))
        elif what == "S":
            self._synced(int(rest))
        elif what == "F" and int(rest) in self.files:
            # The system takes pages for clean after it could not write them, and no later fsync does: each is
            # on the disk, or lost for good.
            pending = self.files[int(rest)].pending
            pending[:] = [each for each in pending if each[0] < 0 or self.chance.random() < 0.5]
        elif what == "R":
            old, new = rest.split("\t")
            self._move((old, None), (new, self._inode(old)))
        elif what == "L":
            old, new = rest.split("\t")
            self._move((new, self._inode(old)))
        elif what == "U":
            self._move((rest, None))

    def _place(self, path: str) -> tuple[int, str]:
        folder, name = os.path.split(path)
        return self.folders[folder], name

    def _inode(self, path: str) -> int:
        folder, name = self._place(path)
        return self.now[folder][name]

    def _move(self, *steps: tuple[str, int | None]) -> None:
        move = Move(tuple((*self._place(path), inode) for path, inode in steps))
        move.apply(self.now)
        self.pending.append(move)

    def _synced(self, inode: int) -> None:
        if inode in self.files:
            self.files[inode].settle()
            return
        folder = inode if inode in self.folders.values() else 0
        for move in self.pending:
            if any(step[0] == folder for step in move.steps):
                move.apply(self.names)
        self.pending = [move for move in self.pending if all(step[0] != folder for step in move.steps)]

    def lose_power(self, folder: Path, chance: random.Random) -> str:
        """Make in a new folder what may be left; return how much was lost, in a word."""
        how = chance.choice(("all", "nothing", "some", "some", "some", "names", "bytes", "order"))
        keeps = {"all": 0.0, "nothing": 1.0, "order": 1.0}.get(how, chance.choice((0.1, 0.5, 0.9)))
        names = {inode: dict(entries) for inode, entries in self.names.items()}
        moves = list(self.pending)
        if how == "order":  # a journal: the first so many, and all of the bytes
            moves = moves[: chance.randint(0, len(moves))]
        else:
            moves = [move for move in moves if how == "bytes" or chance.random() < keeps]
        for move in moves:
            move.apply(names)
        self._make(folder, 0, names, chance, 1.0 if how == "names" else keeps)
        return how

    def _make(self, path: Path, inode: int, names: Names, chance: random.Random, keeps: float) -> None:
        path.mkdir(parents=True)
        for name, each in names.get(inode, {}).items():
            if name.endswith("-shm"):  # memory that happens to be in a file: anything may be left of it
                if chance.random() < 0.5:
                    (path / name).write_bytes(chance.randbytes(32_768))
            elif each in self.files:
                (path / name).write_bytes(left_of(self.files[each], chance, keeps))
            else:
                self._make(path / name, each, names, chance, keeps)


def left_of(file: File, chance: random.Random, keeps: float) -> bytes:
    """Return what may be left of a file: pieces of writes, each kept with a probability, in any order."""
    body = bytearray(file.kept)
    if keeps in (0.0, 1.0):
        changes = file.pending if keeps else []
    else:
        piece = chance.choice(PIECES)
        changes = [part for each in file.pending for part in torn(each, piece) if chance.random() < keeps]
        if chance.random() < 0.3:
            chance.shuffle(changes)
    for change in changes:
        apply(body, change)
    return bytes(body)


def steps(log: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """Give the lines of a log, with the data of those that have some."""
    while line := log.readline().decode().rstrip("\n"):
        yield line, log.read(int(line.rsplit(" ", 1)[1])) if line.startswith("W ") else b""
