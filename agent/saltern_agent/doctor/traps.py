"""All traps that can be seen from a node, in the order in which they are told. Pure.

Another trap: a function from Surroundings to what it found, in the table of its file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from saltern_protocol.condition import MAX_FINDINGS, Finding

from saltern_agent.doctor.firewall import FIREWALL
from saltern_agent.doctor.kubernetes import KUBERNETES
from saltern_agent.doctor.machine import MACHINE
from saltern_agent.doctor.network import NETWORK
from saltern_agent.doctor.surroundings import Surroundings
from saltern_agent.doctor.trap import Found, Trap

MOST_EACH = 8  # findings of one trap: a hundred routes that overlap have one cause


def _unseen(seen: Surroundings) -> Iterator[Found]:
    """Something could not be looked at, so the traps that need it are not told.

    Sources: a silent doctor is taken for a healthy node
    """
    for text in seen.unseen:
        yield Found(text, "what it says hinders looking; saltern-agent doctor looks again", False)


TRAPS: Final[tuple[Trap, ...]] = (
    *NETWORK,
    *FIREWALL,
    *MACHINE,
    *KUBERNETES,
    Trap("cannot-tell", _unseen),
)


def findings(seen: Surroundings) -> tuple[Finding, ...]:
    """Give all traps that stand open, at most as many as a message carries; the bad ones first."""
    found = [one for trap in TRAPS for one in tuple(trap.findings(seen))[:MOST_EACH]]
    return tuple(sorted(found, key=lambda one: not one.bad)[:MAX_FINDINGS])
