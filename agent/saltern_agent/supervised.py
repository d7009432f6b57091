"""What systemd is told of the poll loop (sd_notify(3)): that it is ready, turns, and ends.

* WATCHDOG=1 is said by a turn of the loop and by nothing else. A loop that is wedged is silent, and
  systemd ends the agent after WatchdogSec= and starts it again.
* It is said three times in the seconds that systemd allows, so that one that is late does no harm.
  Where systemd waits for no sign, none is given, and the loop makes no turn for it.
* The worker is not spoken for: a package may take its half hour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

SIGNS: Final = 3  # in the time after which systemd loses patience


def seconds_allowed(environment: Mapping[str, str], process: int) -> float:
    """Give the seconds after which silence ends process number `process`; infinite: never.

    WATCHDOG_USEC and WATCHDOG_PID are sd_watchdog_enabled(3)'s.
    """
    micro, whose = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if whose not in ("", str(process)) or not micro.isascii() or not micro.isdigit():
        return math.inf
    return int(micro) / 1e6 or math.inf


class Supervised:
    """What one loop tells: `tell` sends a state, such as "READY=1"; `seconds` are allowed."""

    def __init__(self, tell: Callable[[str], None], seconds: float = math.inf) -> None:
        self._tell = tell
        self._every = seconds / SIGNS
        self._due = -math.inf

    def ready(self) -> None:
        """What is ordered after the agent may start."""
        self._tell("READY=1")

    def wait(self, monotonic: float) -> float:
        """Give the seconds until the next sign is due."""
        return math.inf if math.isinf(self._every) else max(0.0, self._due - monotonic)

    def turned(self, monotonic: float) -> None:
        """The loop has turned: say so, if it is time."""
        if not math.isinf(self._every) and self._due <= monotonic:
            self._due = monotonic + self._every
            self._tell("WATCHDOG=1")

    def ending(self) -> None:
        """The loop has ended; what is in hand may still take a while."""
        self._tell("STOPPING=1")


def untold() -> Supervised:
    """Give one of a loop that nobody supervises."""
    return Supervised(lambda _: None)
