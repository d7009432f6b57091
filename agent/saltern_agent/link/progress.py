"""Whether the thread that works on the node still gets on. Pure but for what it remembers.

The loop answers the master as long as it turns; the worker may hang in a call that never ends.
Each step that it begins and each end posts something: where it has something in hand and posts
nothing for STUCK seconds, longer than any step may take, it is stuck, and Health says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STUCK: Final = 2100.0
"""The longest step is a package's installation: host/dpkg.py ends it after 1800 seconds."""


@dataclass(slots=True)
class Progress:
    """What was last seen of a worker: how many signs of life it gave, and when that changed."""

    signs: int = -1
    since: float = 0.0

    def stuck(self, waiting: int, signs: int, now: float) -> bool:
        """Take a look. `waiting`: jobs in hand or before it; `now`: monotonic seconds."""
        if not waiting or signs != self.signs:
            self.signs, self.since = signs, now
        return now - self.since >= STUCK
