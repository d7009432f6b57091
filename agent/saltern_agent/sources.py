"""What tells the agent that something may have changed, in one shape.

* An event is a reason to look, never a fact: it names Watches, and only what a look then
  finds counts.
* Nothing goes by in silence. Where events were lost, `lost` says: look again at everything
  that this source watches. Where something cannot be listened to, `trouble()` says what and why.
* A look made after set_watches() misses nothing: the watches are heard from then on, and
  one that can only be heard a moment later is touched once when it is.
* read() never blocks. It may leave events for the next time; the descriptor then stays readable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from saltern_states.contract import Watch

READ_EVERY: Final = 1.0
"""Seconds between two readings of what no event tells of."""


@dataclass(frozen=True, slots=True)
class Events:
    """What to look at again."""

    touched: frozenset[Watch] = frozenset()
    lost: bool = False
    causes: Mapping[Watch, str] = field(default_factory=dict, hash=False)
    """Who did it, of those touched, where the kernel tells: "iptables (pid 4711)"."""


class Source(Protocol):
    """Something to wait on in the agent's one poll loop."""

    def fileno(self) -> int:
        """Give the descriptor to poll for reading. It is the same for the source's whole life."""
        ...

    def set_watches(self, watches: frozenset[Watch]) -> None:
        """Listen to these, of all that this source knows how to hear, and to nothing else."""
        ...

    def read(self) -> Events:
        """Give what has come since; call it whenever the descriptor is readable."""
        ...

    def trouble(self) -> str:
        """Say what cannot be listened to and why; "" where all is heard."""
        ...

    def close(self) -> None:
        """Let go of every descriptor."""
        ...
