"""What the link needs of the agent that acts, and of the shell that draws and reads clocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from saltern_protocol.lease import Hold
from saltern_protocol.messages import Condition, Health, Message

from saltern_agent.applying import Order
from saltern_agent.link import words


class Deeds(Protocol):
    """What the agent does when the master asks. In the loop's thread; nothing waits."""

    def health(self, nonce: bytes) -> Health:
        """Say how the agent is."""
        ...

    def condition(self) -> Condition | None:
        """Say how the parts of the node are; None: that is not known yet."""
        ...

    def take(self, order: Order, statement: bytes, over: Callable[[str], None]) -> None:
        """Apply a document; its result is told by the outbox, the code of a refusal by `over`."""
        ...

    def consider(self, turn: int, proposal: bytes, say: Callable[[Message], None]) -> None:
        """Plan a proposal, and say the plan, whose last page is the end of it."""
        ...

    def look(self, turn: int, say: Callable[[Message], None]) -> None:
        """Look at everything now, and say what came of it."""
        ...

    def read(self, turn: int, say: Callable[[Message], None]) -> None:
        """Read the node for its adoption, and say what was found, page by page."""
        ...

    def leave(self, hold: Hold | None, since: float) -> None:
        """Leave drift alone, or no longer. `since`: when it was asked for, monotonic."""
        ...

    def let_go(self) -> None:
        """Be a node no more, where nothing of the cluster stands here."""
        ...

    def refuse(self, refusal: words.Refuse) -> None:
        """Tell of a refused document although the disk does not take it now."""
        ...

    def complain(self, trouble: str) -> None:
        """Tell people of a trouble that ends nothing."""
        ...

    def end(self, error: Exception) -> None:
        """End the agent."""
        ...


@dataclass(frozen=True, slots=True)
class Chance:
    """What the shell draws and reads: random numbers, and both clocks in seconds."""

    jitter: Callable[[], float]  # from 0 to 1
    nonce: Callable[[], bytes]
    monotonic: Callable[[], float]
    wall: Callable[[], float]
