"""Listening: what hears of the keeper's work while it is done, in the keeper's thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from saltern_states.contract import Change

from saltern_agent.converge import Done
from saltern_agent.drift_record import Drift
from saltern_agent.plan import Planned
from saltern_agent.steps import Step


class Listener(Protocol):
    """What hears of the keeper's work while it is done."""

    def planned(self, planned: Planned) -> None:
        """One step was planned."""
        ...

    def making(self, step: Step, change: Change, cause: str) -> None:
        """A change is about to be made."""
        ...

    def done(self, done: Done, cause: str) -> None:
        """One step was gone through; `cause` is "document", "drift" or "boot"."""
        ...

    def drifted(self, drift: Drift, took: float) -> None:
        """Drift was recorded, `took` seconds after it was noticed."""
        ...

    def healed(self, drift: Drift, outcome: str, now: float) -> None:
        """Drift ended."""
        ...


@dataclass(frozen=True, slots=True)
class Hearing:
    """A listener that hears why a converge goes on."""

    listener: Listener
    cause: str

    def making(self, step: Step, change: Change) -> None:
        """A change is about to be made."""
        self.listener.making(step, change, self.cause)

    def done(self, done: Done) -> None:
        """A step was gone through."""
        self.listener.done(done, self.cause)


@dataclass(frozen=True, slots=True)
class Repairing(Hearing):
    """Hears of a repair, and what each resource came to as soon as it is known."""

    ended: Callable[[Done, bool], None]
    tried: set[str] = field(default_factory=set)

    def making(self, step: Step, change: Change) -> None:
        """A change is about to be made: from here on it was an attempt, however it ends."""
        Hearing.making(self, step, change)
        self.tried.add(step.resource.id)

    def done(self, done: Done) -> None:
        """A step was gone through."""
        Hearing.done(self, done)
        self.ended(done, done.step.resource.id in self.tried)
