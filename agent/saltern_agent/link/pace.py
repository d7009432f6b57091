"""How often a master may ask something of its node: Poke and Current, at a bounded price. Pure.

Who holds the channel's key and no signing key could have a node fetch and look without end. At
most AT_ONCE are heard together and one each second after that; a master that asks more often is
left, and come back to after a pause, so nothing that it had to say is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saltern_protocol.messages import Current, Poke

ASKS: Final = (Poke, Current)
AT_ONCE: Final = 100.0
EACH_SECOND: Final = 1.0


@dataclass(slots=True)
class Pace:
    """What was asked lately."""

    asked: float = 0.0
    at: float = 0.0

    def bears(self, now: float) -> bool:
        """Count one more; False: it is too many. `now`: monotonic seconds."""
        left = max(0.0, self.asked - (now - self.at) * EACH_SECOND)
        self.asked, self.at = min(left + 1, AT_ONCE + 1), now
        return self.asked <= AT_ONCE
