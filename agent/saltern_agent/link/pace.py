"""How often a master may ask, and how soon a node comes back to one that it lost. Pure.

Who holds the channel's key and no signing key could have a node fetch and look without end. At
most AT_ONCE are heard together and one each second after that; a master that asks more often is
left, and come back to after a pause, so nothing that it had to say is lost.

The pause before the next connection is drawn from 0 to 1, 2, 4 … LONGEST_PAUSE seconds, as attempts
fail; where the master named a longer spread in its last lease, from 0 to that: it knows how many
nodes come back at once. What it names is bounded here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saltern_protocol.messages import MOST_SPREAD, Current, Poke

ASKS: Final = (Poke, Current)
AT_ONCE: Final = 100.0
EACH_SECOND: Final = 1.0
LONGEST_PAUSE: Final = 45.0  # so that after a partition all are back, and done, within a minute


def pause(jitter: float, failures: int, spread: int) -> float:
    """Give the seconds before the next connection. `jitter`: 0 to 1; `spread`: as it was named."""
    named = min(max(spread, 0), MOST_SPREAD)
    return jitter * max(min(LONGEST_PAUSE, 2.0 ** min(failures, 16)), named)


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
