"""What is counted as it happens: drift that began and ended, messages, tries of notifications.

* It counts since core started and is kept nowhere.
* A drift counts once as begun, however often its node tells it again; one that was open when core
  started counts as begun before. `know()` gives those.
* Only what its node set right counts as healed: not what went away by itself, nor what ended
  because it is no longer declared, or with its node.
* Seconds below 0 (two clocks are compared) count as 0.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from msgspec import Struct

DETECT: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0),
)
"""Bounds of the buckets, in seconds: 50 ms and 2 s are what the agents are held to."""
HEAL: Final = (
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
    *(60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0),
)
SET_RIGHT: Final = ("healed", "a document came")
"""How the end of a drift begins that its node set right, as agents tell it. What it did in the wake
of one ended as it began, and says nothing of how long healing takes."""


class Spread(Struct, frozen=True):
    """How seconds spread: the count in each bucket (the last: above all bounds), and their sum."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float = 0.0

    def with_one(self, seconds: float) -> Spread:
        """Give it with one more."""
        at, taken = bisect_left(self.bounds, max(0.0, seconds)), max(0.0, seconds)
        counts = (*self.counts[:at], self.counts[at] + 1, *self.counts[at + 1 :])
        return Spread(self.bounds, counts, self.sum + taken)


def spread(bounds: tuple[float, ...]) -> Spread:
    """Give one with nothing in it."""
    return Spread(bounds, (0,) * (len(bounds) + 1))


class Counts(Struct, frozen=True):
    """What was counted until now."""

    natures: Mapping[str, int] = {}
    fights: int = 0
    to_record: Spread = spread(DETECT)
    to_store: Spread = spread(DETECT)
    heal: Spread = spread(HEAL)
    messages: Mapping[tuple[str, str], int] = {}  # by type and direction
    tries: Mapping[tuple[str, str], int] = {}  # by receiver and result


class Told(Protocol):
    """A drift as nodes tell it: the store's record, or the API's view of it."""

    @property
    def node(self) -> str:
        """Whose it is."""
        ...

    @property
    def number(self) -> int:
        """In the node's journal."""
        ...

    @property
    def resource(self) -> str:
        """What is not as declared."""
        ...

    @property
    def kind(self) -> str:
        """Of what kind that is."""
        ...

    @property
    def since(self) -> float:
        """When it began, by the node's clock."""
        ...

    @property
    def recorded(self) -> float:
        """When the node wrote it down."""
        ...

    @property
    def stored(self) -> float:
        """When it was in the master's store."""
        ...

    @property
    def healed(self) -> float:
        """When it ended; 0: not yet."""
        ...

    @property
    def outcome(self) -> str:
        """How it ended."""
        ...

    @property
    def nature(self) -> str:
        """Whose doing it is."""
        ...

    @property
    def incident(self) -> bool:
        """Whether it is a fight."""
        ...


class Tally:
    """Counts; one event loop alone uses it."""

    def __init__(self) -> None:
        self._counts = Counts()
        self._open: dict[tuple[str, str], tuple[int, bool]] = {}
        self._natures: Counter[str] = Counter()
        self._messages: Counter[tuple[str, str]] = Counter()
        self._tries: Counter[tuple[str, str]] = Counter()

    @property
    def counts(self) -> Counts:
        """Give what was counted until now."""
        made = self._counts
        return Counts(
            natures=dict(self._natures),
            fights=made.fights,
            to_record=made.to_record,
            to_store=made.to_store,
            heal=made.heal,
            messages=dict(self._messages),
            tries=dict(self._tries),
        )

    def know(self, drifts: Iterable[Told]) -> None:
        """Take what was open before core started: it counts as begun before."""
        for one in drifts:
            self._open[one.node, one.resource] = (one.number, one.incident)

    def drift(self, one: Told) -> None:
        """Take a drift that was stored, is otherwise, or ended."""
        name = (one.node, one.resource)
        number, fought = self._open.get(name, (0, False))
        if one.healed:
            if number == one.number:
                del self._open[name]
            if one.nature != "corrective" and one.outcome.startswith(SET_RIGHT):
                self._heals(one.healed - one.since)
            return
        if number != one.number:
            fought = False
            self._begins(one)
        self._open[name] = (one.number, one.incident or fought)
        if one.incident and not fought:
            self._fights()

    def message(self, type_: str, direction: str) -> None:
        """Take a message of a type (its class's name), in or out."""
        self._messages[type_, direction] += 1

    def tried(self, receiver: str, result: str) -> None:
        """Take a try to tell a receiver: delivered, failed or dropped."""
        self._tries[receiver, result] += 1

    def _begins(self, one: Told) -> None:
        self._natures[one.nature] += 1
        made = self._counts
        self._counts = Counts(
            fights=made.fights,
            to_record=made.to_record.with_one(one.recorded - one.since),
            to_store=made.to_store.with_one(one.stored - one.since),
            heal=made.heal,
        )

    def _heals(self, seconds: float) -> None:
        made = self._counts
        self._counts = Counts(
            fights=made.fights,
            to_record=made.to_record,
            to_store=made.to_store,
            heal=made.heal.with_one(seconds),
        )

    def _fights(self) -> None:
        made = self._counts
        self._counts = Counts(
            fights=made.fights + 1,
            to_record=made.to_record,
            to_store=made.to_store,
            heal=made.heal,
        )
