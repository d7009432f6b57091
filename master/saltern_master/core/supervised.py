"""What systemd is told of core (sd_notify(3)): the front listens, the loop turns, it ends.

* WATCHDOG=1 is said from inside the event loop and from nowhere else, three times in the seconds
  that systemd allows: where the loop is wedged it is silent, and systemd ends core and starts it
  again. The front is looked after by core itself (core/front.py).
* READY=1 is said when the front listens: until then no node can be served.
* A word that systemd does not take is lost and ends nothing: it may be starting itself anew.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

SIGNS: Final = 3  # in the time after which systemd loses patience
SECONDS: Final = 1.0  # that a full queue of systemd's may keep us


class Supervised:
    """Whom core tells how it goes: `environment` is a process's own, `process` its number."""

    def __init__(self, environment: Mapping[str, str], process: int) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._every = seconds_allowed(environment, process) / SIGNS

    @property
    def is_watched(self) -> bool:
        """Whether silence would end us."""
        return self._every < math.inf

    def ready(self) -> None:
        """Nodes can be served."""
        self._tell("READY=1")

    def ending(self) -> None:
        """It was told to stop; what is under way is ended first."""
        self._tell("STOPPING=1")

    async def turn(self) -> None:
        """Say that the loop turns, for as long as it does; at once nothing where nobody waits."""
        while self.is_watched:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self._every)

    def _tell(self, state: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        address = self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(SECONDS)
            sender.connect(address.replace("@", "\0", 1) if address[0] == "@" else address)
            sender.send(state.encode())


def seconds_allowed(environment: Mapping[str, str], process: int) -> float:
    """Give the seconds after which silence ends process number `process`; infinite: never.

    WATCHDOG_USEC and WATCHDOG_PID are sd_watchdog_enabled(3)'s.
    """
    micro, whose = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if whose not in ("", str(process)) or not micro.isascii() or not micro.isdigit():
        return math.inf
    return int(micro) / 1e6 or math.inf
