"""Converge: plan all steps, then do what the plan said of each, and nothing else.

* A pass begins with a plan (plan.py). Each step is looked at once more when its turn comes, and is
  done where what there is to do is, line by line, what the plan said. Else it is left: what was
  hindered in the plan stays hindered, and what turned out otherwise waits for the next pass.
* Where something was changed, all is planned once more. What there is to do then is done in a pass
  of its own, told as beyond the plan (Done.beyond): what turned out otherwise, or what a later step
  undid. There are at most PASSES; what is still not as declared then has failed.
* A failed or blocked resource stops what comes after it, and nothing else.
* A node that moved while a step was done is looked at again, at most RETRIES times.
* What may never reach the disk ends it: nothing of that is called converged (durable.py).
* What another process goes on with ends it too, for this agent: the one that it starts goes on.
* The journal knows that a resource is ours before the node does: a crash in between leaves
  something to take back, never something forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from saltern_states.body import Resource
from saltern_states.contract import Change
from saltern_states.kinds import kind_of
from saltern_states.ports import Host, HostError, MovedError
from saltern_states.upgrade_ports import HandedOverError

from saltern_agent.durable import NotDurableError
from saltern_agent.host.reasons import no_room
from saltern_agent.plan import Planned, fault, look, plan, waits_for_hindered
from saltern_agent.steps import Step

RETRIES = 3
PASSES = 3

BEYOND = "the plan could not foresee it, so it was planned anew once the rest was done"

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
    beyond: tuple[Change, ...] = ()  # those of `changes` that the plan of the whole did not say
    untried: bool = False  # it was left as it is: a further pass may come to it
    otherwise: bool = False  # of those: what there is to do is not what was planned

    @property
    def bad(self) -> bool:
        """Whether what comes after it must not be done."""
        return self.outcome in ("failed", "blocked")


@dataclass(frozen=True, slots=True)
class Result:
    """How all steps ended."""

    done: tuple[Done, ...]
    interrupted: bool = False  # a newer document came; the rest was not begun
    handed_over: Resource | None = None  # that another process goes on with: interrupted, too

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
    found: dict[str, Done] = {}
    finished, handed_over, todo = True, None, tuple(steps)
    for number in range(PASSES + 1):
        failed = {
            one.step.resource.id: one for one in found.values() if one.bad and not one.untried
        }
        planned = plan(host, todo, hindered=failed).steps
        found |= {
            one.step.key: _now_hindered(one, found) for one in planned if found and one.hindered
        }
        if number == PASSES:
            found |= {one.step.key: _undone(one, found[one.step.key]) for one in _open(planned)}
            break
        going = Pass(host, owns, told, newer, failed, beyond=number > 0)
        finished = going.through(planned if number == 0 else _open(planned), found)
        found |= going.done
        handed_over = going.handed_over
        todo = tuple(one.step for one in found.values() if _comes_again(one))
        if not finished or not going.made:
            break
    for key in [one.step.key for one in found.values() if one.untried]:
        found[key] = _given_up(found[key])
        told.done(found[key])
    done = tuple(found[step.key] for step in steps if step.key in found)
    return Result(done, interrupted=not finished, handed_over=handed_over)


def _open(planned: Sequence[Planned]) -> tuple[Planned, ...]:
    """Give what a pass beyond the first has to do."""
    return tuple(one for one in planned if one.finding == "to change")


def _comes_again(done: Done) -> bool:
    """Say whether a further pass looks at a step: what is held may be undone by a later one."""
    return done.untried or (done.step.verb == "hold" and not done.bad)


def _now_hindered(planned: Planned, found: Mapping[str, Done]) -> Done:
    """Say of a step that it is hindered, also where it was well before."""
    before, now = found[planned.step.key], _left(planned, ())
    return before if before.bad else replace(now, changes=before.changes, beyond=before.beyond)


def _undone(planned: Planned, before: Done) -> Done:
    """Say of a step that after all passes it is not as declared: something of them undoes it."""
    what = "; ".join(str(change) for change in planned.changes)
    why = f"after {PASSES} passes there is still, or again: {what}"
    return replace(before, outcome="blocked", why=why, untried=True, otherwise=True)


def converge_one(host: Host, step: Step, owns: Owns, told: Told = SILENCE) -> Done:
    """Converge one step alone."""
    return converge(host, (step,), owns, told).done[0]


@dataclass(slots=True)
class Pass:
    """One way through steps that were planned: nothing is done that the plan does not say."""

    host: Host
    owns: Owns
    told: Told
    newer: Callable[[], bool]
    failed: Mapping[str, Done]  # by earlier passes, by the ids of their resources
    beyond: bool  # the plan is not the first of this converge
    done: dict[str, Done] = field(default_factory=dict)
    made: int = 0  # changes
    handed_over: Resource | None = None

    def through(self, planned: Sequence[Planned], before: Mapping[str, Done]) -> bool:
        """Go through all of it; False: something newer came, and the rest was not begun.

        `before`: what earlier passes came to. What is blocked may yet come, and is told at the end.
        """
        bad = dict(self.failed)
        for one in planned:
            if self.newer():
                return False
            waits = waits_for_hindered(one.step, bad)
            try:
                done = _left(waits, ()) if waits else self._step(one)
            except HandedOverError:
                self.handed_over = one.step.resource
                return False
            done = _together(before.get(one.step.key), done) if self.beyond else done
            if done.bad:
                bad[one.step.resource.id] = done
            self.done[one.step.key] = done
            if not done.untried:
                self.told.done(done)
        return True

    def _step(self, planned: Planned) -> Done:
        """Do what was planned of one step."""
        step = planned.step
        if step.verb == "forget":
            self.owns.disown(step.resource.id)
            return Done(step, "as declared")
        if step.verb == "hold":
            self.owns.own(step.resource)
        if planned.hindered:
            return _left(planned, ())
        if planned.finding == "as declared" and not self.made:
            return _well(step, self.owns, ())  # nothing was done since it was looked at
        return self._try(planned)

    def _try(self, planned: Planned) -> Done:
        """Make the changes that were planned, looked at once more before and after."""
        step, made = planned.step, list[Change]()
        for _ in range(RETRIES + 1):
            now = look(self.host, step)
            if now.finding == "as declared":
                return _well(step, self.owns, tuple(made))
            if now.hindered or not as_planned(now, planned, len(made)):
                return _otherwise(planned, now, tuple(made))
            failed = self._make(step, now.changes, made)
            if failed is not None:
                return failed
        return Done(step, "failed", tuple(made), f"it moved {RETRIES} times while it was done")

    def _make(self, step: Step, changes: tuple[Change, ...], made: list[Change]) -> Done | None:
        """Make changes, as far as the node is as it was; give how it failed, if it did."""
        try:
            self._apply(step, changes, made)
        except MovedError:
            return None
        except HostError as error:
            why, full = str(error), no_room(error)
            return Done(step, "failed", tuple(made), why, error.detail, full)
        except (NotDurableError, HandedOverError):
            raise
        except Exception as error:  # noqa: BLE001  # one kind's fault must not leave the rest unheld
            return Done(step, "failed", tuple(made), fault(error))
        return None

    def _apply(self, step: Step, changes: tuple[Change, ...], made: list[Change]) -> None:
        kind = kind_of(step.resource.spec)
        for change in changes:
            self.told.making(step, change)
            self.made += 1  # before: what failed may have changed something
            kind.apply(self.host, change)
            made.append(change)


def as_planned(now: Planned, planned: Planned, made: int) -> bool:
    """Say whether what there is to do now is what was planned, less what was made of it.

    Where the plan supposed something, or something came before of which more may come than can
    be foreseen, part of it may be as declared by then. More than was planned it never is.
    """
    left, found = said(planned.changes[made:]), said(now.changes)
    if not (planned.supposing or planned.loose):
        return found == left
    rest = iter(said(planned.changes))
    return all(any(one == other for other in rest) for one in found)


def said(changes: Sequence[Change]) -> tuple[tuple[str, str], ...]:
    """Give what changes do: what two plans have in common that say one thing."""
    return tuple((change.deed, change.impact.value) for change in changes)


def _left(found: Planned, made: tuple[Change, ...]) -> Done:
    """Leave a step that is hindered."""
    outcome: Outcome = "blocked" if found.finding == "blocked" else "failed"
    return Done(found.step, outcome, made, found.why, untried=True)


def _otherwise(planned: Planned, now: Planned, made: tuple[Change, ...]) -> Done:
    """Leave a step that turned out hindered, or to need something else than was planned."""
    if now.finding == "unreadable":
        return Done(now.step, "failed", made, now.why)
    if now.hindered:
        return _left(now, made)
    what = "; ".join(str(change) for change in now.changes)
    all_made = made and len(made) == len(planned.changes)
    why = "after all changes there is still" if all_made else "not as planned, there is now"
    return Done(now.step, "blocked", made, f"{why}: {what}", untried=True, otherwise=True)


def _given_up(done: Done) -> Done:
    """Give what a step came to that no further pass comes to."""
    return replace(done, outcome="failed" if done.otherwise else done.outcome, untried=False)


def _together(before: Done | None, done: Done) -> Done:
    """Join what a pass beyond the plan came to with what was made before."""
    made = before.changes if before else ()
    earlier = before.beyond if before else ()
    why = done.why or (BEYOND if done.changes else "")
    return replace(
        done,
        changes=(*made, *done.changes),
        beyond=(*earlier, *done.changes),
        why=why,
        outcome="changed" if made and done.outcome == "as declared" else done.outcome,
    )


def _well(step: Step, owns: Owns, made: tuple[Change, ...]) -> Done:
    """The last look found it as declared."""
    if step.verb == "remove":
        owns.disown(step.resource.id)
    return Done(step, "changed" if made else "as declared", made)
