"""Unheard: what was changed and is only read now and then, for no event tells of it. Pure.

Who breaks it again before the next reading leaves it as it read when it was broken before: no
difference, and no reason to look. So it is looked at once more, when it has been read since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field
from typing import Final

from saltern_states.body import Resource
from saltern_states.contract import WatchLegacyRules, WatchReading
from saltern_states.kinds import kind_of

from saltern_agent.converge import Done
from saltern_agent.sources import READ_EVERY

AGAIN: Final = 1.5 * READ_EVERY
"""Seconds after a change; a reading that comes late is in them."""


@dataclass(slots=True)
class Unheard:
    """What is to be looked at once more, and when. Seconds, by one clock that is never set."""

    now: Callable[[], float]
    due: dict[str, float] = field(default_factory=dict)  # by resource

    def changed(self, done: Iterable[Done]) -> None:
        """These were gone through: those that were changed may be broken again unread."""
        for one in done:
            if one.changes and one.step.verb == "hold" and _is_read(one.step.resource):
                self.due[one.step.resource.id] = self.now() + AGAIN

    def looked(self, names: Set[str]) -> None:
        """Only these are held, and they are looked at now: that was it, of those that are due."""
        now = self.now()
        self.due = {name: due for name, due in self.due.items() if name not in names or due > now}

    def keep_only(self, names: Set[str]) -> None:
        """Another body is held."""
        self.due = {name: due for name, due in self.due.items() if name in names}

    def retries(self) -> dict[str, float]:
        """Give what is to be looked at again, and in how many seconds."""
        now = self.now()
        return {name: max(0.0, due - now) for name, due in self.due.items()}


def _is_read(resource: Resource) -> bool:
    watches = kind_of(resource.spec).watch(resource.spec)
    return any(isinstance(one, WatchReading | WatchLegacyRules) for one in watches)
