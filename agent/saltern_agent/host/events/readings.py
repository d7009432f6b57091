"""WatchReading and WatchLegacyRules: what no event tells of, read every second.

* A read is a system call or three of what the kernel holds in memory; a look, which costs more,
  is made only where it reads otherwise than before.
* What is set right and broken again between two readings reads as before: unheard.py has that
  looked at again.
* What cannot be read reads as its error: that it can be read by now is a difference.
* Where nothing is watched, nothing wakes the agent.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import Final

from saltern_states.contract import Watch, WatchLegacyRules, WatchReading

from saltern_agent.host.events.legacy import LegacyRules
from saltern_agent.host.events.timer import Timer
from saltern_agent.sources import READ_EVERY, Events

MOST_BYTES: Final = 64 * 1024  # of one file of /proc or /sys
LONG: Final = 256  # bytes beyond which a hash is kept in place of what was read

Readable = WatchReading | WatchLegacyRules


class ReadingSource:
    """Tells when a reading differs from the one before."""

    def __init__(self, every: float = READ_EVERY, legacy: LegacyRules | None = None) -> None:
        self._every = every
        self._legacy = legacy or LegacyRules()
        self._timer = Timer()
        self._readings: dict[Readable, bytes] = {}

    def fileno(self) -> int:
        """Give the timer's descriptor."""
        return self._timer.fileno()

    def set_watches(self, watches: frozenset[Watch]) -> None:
        """Read these from now on; the first reading is made here, before any look."""
        mine = [one for one in watches if isinstance(one, WatchReading | WatchLegacyRules)]
        known = self._readings
        self._readings = {one: known[one] if one in known else self._read(one) for one in mine}
        self._timer.set(self._every if mine else 0)

    def read(self) -> Events:
        """Give what reads otherwise now, if it is time to read."""
        if not self._timer.is_due() or not self._readings:
            return Events()
        self._timer.set(self._every)
        before, self._readings = self._readings, {one: self._read(one) for one in self._readings}
        return Events(frozenset(one for one, was in before.items() if self._readings[one] != was))

    def trouble(self) -> str:
        """Nothing: what cannot be read now may be there later, and is not silent then."""
        return ""

    def close(self) -> None:
        """Let go of the timer."""
        self._timer.close()

    def _read(self, watch: Readable) -> bytes:
        try:
            if isinstance(watch, WatchLegacyRules):
                reading = b"=" + self._legacy.read(watch.table)
            else:
                reading = b"=" + _content(os.fspath(watch.path))
        except OSError as error:
            return f"errno {error.errno}".encode()
        return reading if len(reading) <= LONG else blake2b(reading, digest_size=32).digest()


def _content(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(handle, MOST_BYTES)
    finally:
        os.close(handle)
