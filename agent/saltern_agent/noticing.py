"""Noticing: from events and timers to the resources that are to be looked at again. Pure.

* An event names a Watch, a Watch names resources. What is noticed twice before it is looked at
  keeps the first time: drift is as old as its first sign.
* The first event is looked at at once; after a look the resource rests for REST, so that who
  sends events without end costs a bounded share of the CPU.
* What could not be set right is looked at again when its next attempt is due.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from saltern_states.body import Body
from saltern_states.contract import Watch, WatchTimer
from saltern_states.kinds import kind_of

from saltern_agent.recording import Noticed

FULL_LOOK = 60.0  # seconds: the net below all events
REST = 0.02  # seconds between the end of a look at a resource and the next, for events


@dataclass(frozen=True, slots=True)
class Watched:
    """Which resources hang on which watch."""

    by_watch: Mapping[Watch, frozenset[str]]

    @property
    def watches(self) -> frozenset[Watch]:
        """All that some source must listen to."""
        return frozenset(one for one in self.by_watch if not isinstance(one, WatchTimer))

    @property
    def timers(self) -> frozenset[WatchTimer]:
        """All that is to be looked at by the clock."""
        return frozenset(one for one in self.by_watch if isinstance(one, WatchTimer))


def watched(body: Body) -> Watched:
    """Ask every resource what it is to be woken by."""
    found: dict[Watch, set[str]] = {}
    for resource in body.resources:
        for watch in kind_of(resource.spec).watch(resource.spec):
            found.setdefault(watch, set()).add(resource.id)
    return Watched({watch: frozenset(names) for watch, names in found.items()})


@dataclass(slots=True)
class Notices:
    """What waits to be looked at, and when each timer is due. Times: clock() and monotonic."""

    watched: Watched = field(default_factory=lambda: Watched({}))
    waiting: dict[str, Noticed] = field(default_factory=dict)
    full: bool = False
    due: dict[WatchTimer, float] = field(default_factory=dict)
    full_due: float = 0.0
    retries: dict[str, float] = field(default_factory=dict)  # what waits for its next attempt
    rests: dict[str, float] = field(default_factory=dict)  # until when; those of the last look

    def follow(self, watched: Watched, monotonic: float) -> None:
        """Go over to another body."""
        self.watched = watched
        self.waiting.clear()
        self.retries.clear()
        self.rests.clear()
        self.due = {timer: monotonic + timer.seconds for timer in watched.timers}
        self.full_due = monotonic + FULL_LOOK

    def touch(self, watches: Iterable[Watch], seen: str, now: float, by: str = "") -> None:
        """An event came, or a look is due; `by`: the doer, where the kernel tells it."""
        for watch in watches:
            for name in self.watched.by_watch.get(watch, ()):
                first = self.waiting.setdefault(name, Noticed(now, seen, by))
                if by and not first.by:
                    self.waiting[name] = replace(first, seen=seen, by=by)

    def tick(self, monotonic: float, now: float) -> None:
        """See which timers are due."""
        for timer, due in self.due.items():
            if due <= monotonic:
                self.touch((timer,), "look", now)
                self.due[timer] = monotonic + timer.seconds
        for name in [name for name, due in self.retries.items() if due <= monotonic]:
            del self.retries[name]
            self.waiting.setdefault(name, Noticed(now, "look"))
        if self.full_due <= monotonic:
            self.full = True
            self.full_due = monotonic + FULL_LOOK

    def wait(self, monotonic: float) -> float:
        """Give the seconds until something is due."""
        due = (self.full_due, *self.due.values(), *self.retries.values())
        return max(0.0, min(due) - monotonic)

    def rested(self, monotonic: float) -> float:
        """Give the seconds until something that waits may be looked at; infinite: nothing waits."""
        if self.full:
            return 0.0
        until = (self.rests.get(name, monotonic) for name in self.waiting)
        return max(0.0, min(until, default=math.inf) - monotonic)

    def take(self, monotonic: float) -> dict[str, Noticed]:
        """Give what is to be looked at now, and forget it: what does not rest, or all."""
        taken = {
            name: noticed
            for name, noticed in self.waiting.items()
            if self.full or self.rests.get(name, monotonic) <= monotonic
        }
        for name in taken:
            del self.waiting[name]
        return taken

    def looked(self, names: Iterable[str], retries: Mapping[str, float], monotonic: float) -> None:
        """A look at `names` ended; `retries`: what waits for its next attempt, and seconds."""
        self.rests = {name: until for name, until in self.rests.items() if until > monotonic}
        self.rests.update(dict.fromkeys(names, monotonic + REST))
        self.retries = {name: monotonic + wait for name, wait in retries.items()}
