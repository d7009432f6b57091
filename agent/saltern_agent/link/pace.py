"""How often a master may ask, and how soon a node comes back to one that it lost. Pure.

Who holds the channel's key and no signing key could have a node fetch and look without end. At
most AT_ONCE are heard together and one each second after that; a master that asks more often is
left, and come back to after a pause, so nothing that it had to say is lost.

The pause before the next connection is drawn from 0 to 1, 2, 4 … LONGEST_PAUSE seconds, as attempts
fail; where the master named a longer spread in its last lease, from 0 to that: it knows how many
nodes come back at once. What it names is bounded here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from saltern_protocol.errors import Reason
from saltern_protocol.messages import MOST_SPREAD, Current, Poke, Renew, Survey

LEASE_WAIT: Final = 60.0  # seconds
ANSWER_WAIT: Final = 45.0
AGAIN_WAIT: Final = 1.0
NEWER_ROOT: Final = (Reason.UNSIGNED, Reason.WRONG_EPOCH)
"""What a lease is refused for that was signed under a root which this node has not seen yet."""
ASKS: Final = (Poke, Current, Renew, Survey)
AT_ONCE: Final = 100.0
EACH_SECOND: Final = 1.0
REMOVED: Final = "removed"
REFUSES: Final = "the master refuses"  # so begins why a connection ended that it would not have
SHUT_OUT: Final[Mapping[str, float]] = {"revoked": 600.0, REMOVED: 600.0, "locked": 60.0}
"""Why a key is refused until an operator acted, and seconds until the node tries again."""
MOST_STAGGER: Final = 20.0  # of the minute in which a change has to be proved
LONGEST_PAUSE: Final = 45.0  # so that after a partition all are back, and done, within a minute


def pause(jitter: float, failures: int, spread: int) -> float:
    """Give the seconds before the next connection. `jitter`: 0 to 1; `spread`: as it was named."""
    named = min(max(spread, 0), MOST_SPREAD)
    return jitter * max(min(LONGEST_PAUSE, 2.0 ** min(failures, 16)), named)


def stagger(jitter: float, spread: int) -> float:
    """Give the seconds before a connection that is opened anew on purpose, as all others' are.

    None where the master counts on so few nodes that they may all come in a second.
    """
    return jitter * min(max(spread - 1, 0), MOST_STAGGER)


def shut_out(reason: str, jitter: float) -> float:
    """Give the seconds before the next connection of a key that was refused for such a reason."""
    return SHUT_OUT[reason] + jitter * LONGEST_PAUSE


def overdue(
    up: bool, since: float, lease_until: float, awaited: Mapping[str, float], now: float
) -> str:
    """Say why a connection is to be given up; "" where it is not. `awaited`: what, since when.

    `up`: a lease came over it. `since`: when something came last; before that, when it was begun.
    """
    late = [what for what, at in awaited.items() if now >= at + ANSWER_WAIT]
    if late:
        return f"no answer for {ANSWER_WAIT:.0f} s: {', '.join(sorted(late))}"
    if not up:
        return f"no lease within {LEASE_WAIT:.0f} s" if now >= since + LEASE_WAIT else ""
    if now >= since + ANSWER_WAIT:
        return f"nothing came for {ANSWER_WAIT:.0f} s"
    return "the lease ran out" if now >= lease_until else ""


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
