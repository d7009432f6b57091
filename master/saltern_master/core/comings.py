"""What the master's log tells of itself and of its nodes: that it is ready, who comes, who goes.

* A line each, and no more than LINES allows: the next line says how many were left out.
* Names come from tokens that operators made; keys are shown by their fingerprints only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from saltern_protocol.keys import fingerprint

from saltern_master.core.front import Log
from saltern_master.core.settings import Settings, addresses_of
from saltern_master.front.budget import Bucket, Rate, spend
from saltern_master.front.frames import Ready
from saltern_master.signing.home import link_public

LINES: Final = Rate(burst=100, per_second=2)


class Comings:
    """Tells of nodes that come and go. `clock`: seconds; one that is set back counts as still."""

    def __init__(self, log: Log, clock: Callable[[], float]) -> None:
        self._log, self._clock = log, clock
        self._bucket, self._left_out = Bucket(at=clock()), 0

    def came(self, name: str) -> None:
        """A node's session begins."""
        self._say(f"node {name} is here")

    def went(self, name: str) -> None:
        """A node's session ended."""
        self._say(f"node {name} is gone")

    def _say(self, line: str) -> None:
        bucket = spend(self._bucket, LINES, 1, max(self._clock(), self._bucket.at))
        if bucket is None:
            self._left_out += 1
            return
        self._bucket = bucket
        left = f" ({self._left_out} such lines left out before)" if self._left_out else ""
        self._left_out = 0
        self._log(f"{line}{left}")


def ready_lines(ready: Ready, settings: Settings, secret: bytes, api: Path) -> tuple[str, ...]:
    """Say where nodes and people find this master, and by which key nodes know it."""
    listens = f"{settings.listen} ports {ready.link_port} (link) and {ready.door_port} (door)"
    return (
        f"ready: listens on {listens}; tokens say {', '.join(addresses_of(settings))}",
        f"ready: the API is on {api}; its key has the fingerprint "
        f"{fingerprint(link_public(secret))}",
    )
