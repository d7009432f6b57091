"""Converge: plan a step, apply it, plan it again; what is left over is a failure.

* There is one path: a plan is this without apply.
* A failed or blocked resource stops what comes after it, and nothing else.
* The node that moved between plan and apply is looked at again, at most RETRIES times.
* What may never reach the disk ends it: nothing of that is called converged (durable.py).
* The journal knows that a resource is ours before the node does: a crash in between leaves
  something to take back, never something forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from saltern_states.body import Resource
from saltern_states.contract import Change
from saltern_states.kinds import kind_of
from saltern_states.ports import Host, HostError, MovedError

from saltern_agent.durable import NotDurableError
from saltern_agent.host.reasons import no_room
from saltern_agent.plan import fault, look, waits_for_hindered
from saltern_agent.steps import Step

RETRIES = 3

Outcome = Literal["as declared", "changed", "failed", "blocked"]


@dataclass(frozen=True, slots=True)
class Done:
    """How one step ended."""

    step: Step
    outcome: Outcome
    changes: tuple[Change, ...] = ()  # those that were made
    why: str = ""  # of failed and blocked: one line
    detail: str = ""  # what a program said of it, for a log
    no_room: bool = False  # it failed since a disk took nothing: full, or read-only

    @property
    def bad(self) -> bool:
        """Whether what comes after it must not be done."""
        return self.outcome in ("failed", "blocked")


@dataclass(frozen=True, slots=True)
class Result:
    """How all steps ended."""

    done: tuple[Done, ...]
    interrupted: bool = False  # a newer document came; the rest was not begun

    @property
    def changes(self) -> int:
        """How many changes were made."""
        return sum(len(one.changes) for one in self.done)

    @property
    def bad(self) -> tuple[Done, ...]:
        """The steps that failed or were blocked."""
        return tuple(one for one in self.done if one.bad)

    @property
    def converged(self) -> bool:
        """Whether the node is as declared."""
        return not self.bad and not self.interrupted


class Told(Protocol):
    """What hears of a converge while it goes on."""

    def making(self, step: Step, change: Change) -> None:
        """A change is about to be made; some take long."""
        ...

    def done(self, done: Done) -> None:
        """A step was gone through."""
        ...


class Silence:
    """Hears nothing."""

    def making(self, step: Step, change: Change) -> None:
        """Nothing."""

    def done(self, done: Done) -> None:
        """Nothing."""


SILENCE = Silence()


class Owns(Protocol):
    """What remembers which resources are ours."""

    def own(self, resource: Resource) -> None:
        """Remember, durably, that we are about to make it."""
        ...

    def disown(self, resource_id: str) -> None:
        """Forget it: it has been taken back."""
        ...


def converge(
    host: Host,
    steps: Sequence[Step],
    owns: Owns,
    told: Told = SILENCE,
    newer: Callable[[], bool] = lambda: False,
) -> Result:
    """Bring the node to what the steps say. `newer` is asked between two resources."""
    bad: dict[str, Done] = {}
    done: list[Done] = []
    for step in steps:
        if newer():
            return Result(tuple(done), interrupted=True)
        waits = waits_for_hindered(step, bad)
        one = (
            Done(step, "blocked", why=waits.why) if waits else converge_one(host, step, owns, told)
        )
        if one.bad:
            bad[step.resource.id] = one
        done.append(one)
        told.done(one)
    return Result(tuple(done))


def converge_one(host: Host, step: Step, owns: Owns, told: Told = SILENCE) -> Done:
    """Plan, apply, plan again: one step."""
    if step.verb == "forget":
        owns.disown(step.resource.id)
        return Done(step, "as declared")
    if step.verb == "hold":
        owns.own(step.resource)
    made: list[Change] = []
    for _ in range(RETRIES):
        planned = look(host, step)
        if planned.hindered:
            outcome: Outcome = "blocked" if planned.finding == "blocked" else "failed"
            return Done(step, outcome, tuple(made), planned.why)
        if planned.finding == "as declared":
            return _well(step, owns, tuple(made))
        try:
            _apply(host, step, planned.changes, made, told)
        except MovedError:
            continue
        except HostError as error:
            return Done(step, "failed", tuple(made), str(error), error.detail, no_room(error))
        except NotDurableError:
            raise
        except Exception as error:  # noqa: BLE001  # one kind's fault must not leave the rest unheld
            return Done(step, "failed", tuple(made), fault(error))
    return _end(host, step, owns, tuple(made))


def _apply(
    host: Host, step: Step, changes: tuple[Change, ...], made: list[Change], told: Told
) -> None:
    kind = kind_of(step.resource.spec)
    for change in changes:
        told.making(step, change)
        kind.apply(host, change)
        made.append(change)


def _end(host: Host, step: Step, owns: Owns, made: tuple[Change, ...]) -> Done:
    left = look(host, step)
    if left.finding != "as declared":
        what = left.why or "; ".join(str(change) for change in left.changes)
        return Done(step, "failed", made, f"after all changes there is still: {what}")
    return _well(step, owns, made)


def _well(step: Step, owns: Owns, made: tuple[Change, ...]) -> Done:
    """The last look found it as declared."""
    if step.verb == "remove":
        owns.disown(step.resource.id)
    return Done(step, "changed" if made else "as declared", made)
