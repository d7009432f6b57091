"""What a trap is: a name for ever, and a pure function that finds it in what was seen.

The function's docstring is the trap's page in docs/reference/traps.md: what it is and whom it
bit, the sources after "Sources:".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from saltern_protocol.condition import Finding
from saltern_protocol.errors import printable

from saltern_agent.doctor.surroundings import Surroundings

MAX_WORDS: Final = 1024
NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Found:
    """That a trap stands open: what was seen, what to do, and whether it bites already."""

    what: str
    remedy: str
    bad: bool = True


Find = Callable[[Surroundings], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Trap:
    """One row of the table."""

    name: str
    find: Find

    def findings(self, seen: Surroundings) -> Iterator[Finding]:
        """Give all of it that is found, in the words of the protocol."""
        for one in self.find(seen):
            what, remedy = (printable(text)[:MAX_WORDS] for text in (one.what, one.remedy))
            yield Finding(trap=self.name, what=what, remedy=remedy, bad=one.bad)


def listed(names: list[str]) -> str:
    """Give names as a list, the first few of many."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
