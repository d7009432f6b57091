"""The cut-off: who goes on speaking to deaf ears loses the connection. Pure.

What is dropped costs little, but it has to be read first, and nothing of libzmq's holds back who
speaks faster than we read (sockets.py says why). So a connection of which MOST messages were
dropped is to be shut, but not within GRACE seconds of the first: an honest node that is told to be
quiet, as one in quarantine is, leaves by itself, and shutting takes from it what it has not read.

* A connection is its routing id, which a peer may choose, and choose again when it was shut. So it
  is counted anew then; whoever asks sees to it that only what still stands is shut (loop.py).
* At most REMEMBERED connections are counted: who was dropped longest ago is forgotten first.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

MOST: Final = 200
GRACE: Final = 0.5
REMEMBERED: Final = 4096


class Deaf(Struct, frozen=True):
    """What was dropped of a connection."""

    since: float
    count: int = 0


class Cutoff:
    """Counts what was dropped."""

    def __init__(self) -> None:
        self._deaf: dict[bytes, Deaf] = {}

    def dropped(self, route: bytes, now: float) -> bool:
        """Count one more of a connection, and say whether that is to be shut now.

        now: seconds, monotonic.
        """
        before = self._deaf.pop(route, Deaf(since=now))  # so that it stands last again
        after = replace(before, count=before.count + 1)
        if after.count >= MOST and now - after.since >= GRACE:
            return True
        self._deaf[route] = after
        if len(self._deaf) > REMEMBERED:
            del self._deaf[next(iter(self._deaf))]
        return False
