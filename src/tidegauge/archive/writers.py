"""Writers: the processes that fill an archive, and what each last said of itself."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from tidegauge.errors import DecodeError
from tidegauge.window import SECOND, WEEK

KIND = "writers"
SLACK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Writer:
    """One process that stores profiles of a model; times in nanoseconds since 1970-01-01 UTC.

    `seen_ns`: when it last stored its state. `closed_ns`: when it ended in good order, None while it has not.
    `grace_ns`: how long after its end a window of it waits for late rows.
    """

    model: str
    writer: str
    host: str
    pid: int
    started_ns: int
    seen_ns: int
    checkpoint_seconds: float = 60.0
    grace_ns: int = 0
    closed_ns: int | None = None

    def lives(self, now_ns: int) -> bool:
        """Tell whether more may come: not closed, and not silent for five checkpoints and a minute."""
        silent_ns = int((5 * self.checkpoint_seconds + SLACK_SECONDS) * SECOND)
        return self.closed_ns is None and now_ns - self.seen_ns < silent_ns

    def settled(self, now_ns: int) -> bool:
        """Tell whether its checkpoints may be taken for final: closed, or silent for a week and as above.

        A shorter silence may be that of an archive that could not be written, or of a clock that jumped: the
        writer lives, and what it says next takes the place of its checkpoints, if they are there.
        """
        return not self.lives(now_ns) and (self.closed_ns is not None or now_ns - self.seen_ns >= WEEK)

    def to_bytes(self) -> bytes:
        """Encode as JSON."""
        return json.dumps(dataclasses.asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Writer:
        """Read what `to_bytes` wrote; what a later version added is skipped. Raises DecodeError."""
        import msgspec

        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.MsgspecError as error:
            raise DecodeError(f"writer: its document cannot be read: {error}") from error
