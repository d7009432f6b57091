"""Virtual time, and a proxy between two machines that drops, doubles and delays; above CURVE."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random


class Ether:
    """What is to happen, and when; and the clock, in virtual seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen later; of two at one time the first that was said is first."""
        heapq.heappush(self._due, (self.now + seconds, next(self._numbers), what))

    def next_at(self) -> float:
        return self._due[0][0] if self._due else math.inf

    def run(self, until: float) -> None:
        """Go on to a time, and let happen what is due then."""
        self.now = max(self.now, until)
        while self._due and self._due[0][0] <= self.now:
            heapq.heappop(self._due)[2]()


@dataclass
class Wall:
    """A wall clock beside virtual time: it can be set, and it can stand still."""

    ether: Ether
    offset: float
    stopped: float | None = None

    def __call__(self) -> float:
        return self.offset + self.ether.now if self.stopped is None else self.stopped

    def set_by(self, seconds: float) -> None:
        self.offset += seconds
        self.stopped = None

    def stop(self) -> None:
        self.stopped = self()

    def set_right(self, start: float) -> None:
        """Tell what somebody with a clock that was never set would."""
        self.offset, self.stopped = start, None


@dataclass
class Proxy:
    """Between two machines: what comes through, how often and when. From `calm` on all does."""

    ether: Ether
    chance: Random
    drop: float
    double: float
    delay: float
    calm: float
    done: Counter[str] = field(default_factory=Counter)

    def carry(self, give: Callable[[], None]) -> None:
        """Take one message to the other side; or not, or twice, or late."""
        if self.ether.now >= self.calm:
            self.ether.after(0.001, give)
            return
        if self.chance.random() < self.drop:
            self.done["dropped"] += 1
            return
        copies = 1 + (self.chance.random() < self.double) * self.chance.randrange(1, 4)
        self.done["doubled"] += copies - 1
        for number in range(copies):
            late = self.chance.random() < (0.7 if number else self.delay)  # a copy is a replay
            self.done["delayed"] += late
            self.ether.after(self.chance.choice((0.05, 0.5, 3.0, 50.0)) if late else 0.001, give)
