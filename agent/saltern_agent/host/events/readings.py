"""WatchReading and WatchLegacyRules: what no event tells of, read every second.

* A read is a system call or three of what the kernel holds in memory; a look, which costs more,
  is made only where it reads otherwise than before.
* What was told is set right within milliseconds, and may be broken again before it is read the
  next time. So it is read again SOON after it was told; and what does not read as it did in calm is
  told again, after 1, 2, 4 … readings. What reads the same for CALM of them is calm: nobody will
  set it right.
* What cannot be read reads as its error: that it can be read by now is a difference.
* Where nothing is watched, nothing wakes the agent.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from saltern_states.contract import Watch, WatchLegacyRules, WatchReading

from saltern_agent.host.events.legacy import LegacyRules
from saltern_agent.host.events.timer import Timer
from saltern_agent.sources import Events

EVERY_SECONDS: Final = 1.0
SOON_SECONDS: Final = 0.05
MOST_BYTES: Final = 64 * 1024  # of one file of /proc or /sys
CALM: Final = 64  # readings
LONG: Final = 256  # bytes beyond which a hash is kept in place of what was read

Readable = WatchReading | WatchLegacyRules


@dataclass(frozen=True, slots=True)
class Reading:
    """What a thing read in calm, what it reads now, and for how many readings it has since."""

    calm: bytes
    now: bytes
    times: int = 0

    def next(self, found: bytes) -> Reading:
        """Give what is known after one more reading."""
        times = self.times + 1 if found == self.now else 1
        if found == self.calm or times >= CALM:
            return Reading(found, found, 0 if found == self.now else 1)
        return Reading(self.calm, found, times)

    @property
    def tells(self) -> bool:
        """Say whether this reading is a reason to look: it changed, or it may have meanwhile."""
        return self.times > 0 and self.times & (self.times - 1) == 0


class ReadingSource:
    """Tells when a reading differs from the one before."""

    def __init__(self, every: float = EVERY_SECONDS, legacy: LegacyRules | None = None) -> None:
        self._every = every
        self._legacy = legacy or LegacyRules()
        self._timer = Timer()
        self._soon = False  # whether the next reading is the one soon after what was told
        self._readings: dict[Readable, Reading] = {}

    def fileno(self) -> int:
        """Give the timer's descriptor."""
        return self._timer.fileno()

    def set_watches(self, watches: frozenset[Watch]) -> None:
        """Read these from now on; the first reading is made here, before any look."""
        mine = [one for one in watches if isinstance(one, WatchReading | WatchLegacyRules)]
        known = self._readings
        for one in mine:
            if one not in known:
                first = self._read(one)
                known[one] = Reading(first, first)
        self._readings = {one: known[one] for one in mine}
        self._timer.set(self._every if mine else 0)

    def read(self) -> Events:
        """Give what reads otherwise now, if it is time to read."""
        if not self._timer.is_due() or not self._readings:
            return Events()
        self._readings = {one: was.next(self._read(one)) for one, was in self._readings.items()}
        touched = frozenset(one for one, found in self._readings.items() if found.tells)
        self._soon = bool(touched) and not self._soon  # what changes all the while: twice a second
        self._timer.set(min(SOON_SECONDS, self._every) if self._soon else self._every)
        return Events(touched)

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
