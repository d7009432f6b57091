"""The keeper: all work on the node, one job after the other, in one thread.

It holds the host, the journal and the accepted body, and has four jobs: take() a statement,
plan() one, look() for drift, and start(). It never waits for the master and never reads a
clock: `clock` is given. What it finds it tells to `told`; what it is, it shows as a Status.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from saltern_protocol.documents import Document, Identity, encode_statement
from saltern_states.body import Body
from saltern_states.contract import Change
from saltern_states.kinds import kind_of
from saltern_states.order import dependents
from saltern_states.ports import Host, HostError
from saltern_states.unit_changes import StartUnit

from saltern_agent.accept import current, proposed
from saltern_agent.converge import Done, Result, converge
from saltern_agent.drift import FIGHT, fights, judge, lines, to_repair
from saltern_agent.glance import Glance
from saltern_agent.journal import Drift, Journal
from saltern_agent.plan import Plan, Planned, look, plan
from saltern_agent.steps import Step, steps

AWAITED = 3600.0
"""Seconds for which a blob may wait for the document that needs it."""


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

    def drifted(self, planned: Planned, seen: str, took: float) -> None:
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

    ended: Callable[[Done], None]

    def done(self, done: Done) -> None:
        """A step was gone through."""
        Hearing.done(self, done)
        self.ended(done)


class Boot(Protocol):
    """Whether the agent has been here since the node booted."""

    def fresh(self) -> bool:
        """Say whether nothing was restored since the boot."""
        ...

    def mark(self) -> None:
        """Remember, until the next boot, that it was."""
        ...


@dataclass(frozen=True, slots=True)
class Noticed:
    """When and how it was noticed that a resource may have drifted."""

    since: float
    seen: str  # "look", or "event" with the cause where the kernel tells it


@dataclass(slots=True)
class Keeper:
    """Holds one node to one body."""

    host: Host
    journal: Journal
    identity: Identity
    clock: Callable[[], float]
    listener: Listener
    boot: Boot
    body: Body = field(default_factory=Body)
    document: Document | None = None
    last: Result | None = None
    owing: bool = False  # something is still to be taken back

    def load(self) -> bool:
        """Take up what was accepted before. True: an apply of it was cut off."""
        accepted = self.journal.accepted()
        if accepted is None:
            return False
        taken = current(self.identity, accepted)
        self.body, self.document = taken.body, taken.document
        self.owing = any(step.verb != "hold" for step in self._steps())
        return accepted.unfinished

    def restore_after_boot(self) -> int:
        """Bring back what a reboot took: links, routes, chains. Gives how many changes it made.

        It touches no unit, so the agent can do it before systemd starts docker and the kubelet.
        """
        if not self.boot.fresh():
            return 0
        volatile = tuple(step for step in self._hold() if kind_of(step.resource.spec).volatile)
        told = Hearing(self.listener, "boot")
        changes = converge(self.host, volatile, self.journal, told).changes
        self.boot.mark()
        return changes

    def take(self, statement: bytes, newer: Callable[[], bool] = lambda: False) -> Result:
        """Verify, remember, converge. RefusedError or BodyError: nothing was changed."""
        now = self.clock()
        taken = proposed(self.identity, self.journal.accepted(), statement, now)
        self.journal.accept(encode_statement(taken.statement), now)
        self.body, self.document = taken.body, taken.document
        return self.converge_all(newer)

    def converge_all(self, newer: Callable[[], bool] = lambda: False) -> Result:
        """Bring the node to the accepted body."""
        told = Hearing(self.listener, "document")
        result = converge(self.host, self._steps(), self.journal, told, newer)
        if not result.interrupted:
            self.journal.finish()
            now = self.clock()
            for name in self.journal.open_drift():
                if name not in {one.step.resource.id for one in result.bad}:
                    self._heal(name, "a document came", now)
        self.owing = any(one.step.verb != "hold" for one in result.bad)
        if result.converged:
            self.host.blobs.keep_only(self.body.blobs, self.clock() - AWAITED)
        self.last = result
        return result

    def plan(self, statement: bytes | None) -> Plan:
        """Plan a statement, or the accepted one. Nothing is remembered."""
        body = self.body
        if statement is not None:
            accepted = self.journal.accepted()
            body = proposed(self.identity, accepted, statement, self.clock()).body
        return plan(self.host, steps(body, self.journal.owned()), self.listener.planned)

    def look(self, noticed: Mapping[str, Noticed], whole: bool) -> int:
        """Look at what was noticed, or at the whole body; record drift, and set it right as told.

        Gives how many are not as declared at the end.
        """
        if whole and self.owing:
            self._take_back()
        began = Noticed(self.clock(), "look")
        wanted = [step for step in self._hold() if whole or step.resource.id in noticed]
        glance = cast(Host, Glance(self.host))
        found = tuple(look(glance, step) for step in wanted)
        verdict = judge(found, self.body.after)
        if verdict.drifted and self._shutting_down():
            return len(verdict.drifted)  # systemd stops what we hold, and it is right to
        still_open = self.journal.open_drift()
        for name in verdict.healthy:
            if name in still_open:
                self._heal(name, "went away by itself", self.clock())
        drifted = self._not_to_come(verdict.drifted)
        for planned in drifted:
            name = planned.step.resource.id
            self._record(planned, noticed.get(name, began), name in still_open)
        return self._repair(frozenset(one.step.resource.id for one in drifted))

    def _take_back(self) -> None:
        """Try again what could not be taken back when its document came."""
        left = tuple(step for step in self._steps() if step.verb != "hold")
        result = converge(self.host, left, self.journal, Hearing(self.listener, "document"))
        self.owing = bool(result.bad)

    def _not_to_come(self, drifted: tuple[Planned, ...]) -> tuple[Planned, ...]:
        """Leave out the units that a boot has not come to yet: systemd starts them in its order.

        Each tells by an event when it starts or fails, and is looked at then.
        """
        waiting = tuple(one for one in drifted if _is_to_start(one))
        try:
            booting = bool(waiting) and self.host.units.starting_up()
        except HostError:  # no systemd answers: then it starts nothing either
            booting = False
        return tuple(one for one in drifted if one not in waiting) if booting else drifted

    def _shutting_down(self) -> bool:
        try:
            return self.host.units.shutting_down()
        except HostError:  # no systemd answers: then it stops nothing either
            return False

    def _record(self, planned: Planned, noticed: Noticed, known: bool) -> None:
        resource = planned.step.resource
        kind = kind_of(resource.spec).name
        now = self.clock()
        self.journal.record(resource.id, kind, noticed.since, noticed.seen, lines(planned), now)
        if not known:
            self.listener.drifted(planned, noticed.seen, self.clock() - noticed.since)

    def _repair(self, drifted: frozenset[str]) -> int:
        held = frozenset(one for one in drifted if self._fights(one))
        for name in held:
            self.journal.hinder(name, FIGHT)
        repaired = to_repair(self.body, drifted, held)
        if not repaired:
            return len(drifted)
        touched = repaired | (dependents(self.body.after, repaired) - drifted)
        chosen = tuple(step for step in self._hold() if step.resource.id in touched)
        told = Repairing(self.listener, "drift", lambda done: self._repaired(done, repaired))
        result = converge(self.host, chosen, self.journal, told)
        return len(result.bad) + len(drifted - repaired)

    def _repaired(self, done: Done, drifted: frozenset[str]) -> None:
        name = done.step.resource.id
        if done.bad:
            self.journal.hinder(name, done.why)
        elif name in drifted:
            self._heal(name, "healed", self.clock())

    def _fights(self, name: str) -> bool:
        policy = next(one.drift for one in self.body.resources if one.id == name)
        since = self.clock() - policy.minutes * 60
        return bool(policy.times) and fights(policy, self.journal.repairs_since(name, since))

    def _heal(self, name: str, outcome: str, now: float) -> None:
        drift = self.journal.open_drift().get(name)
        if drift is not None:
            self.journal.heal(name, outcome, now)
            self.listener.healed(drift, outcome, now)

    def _hold(self) -> tuple[Step, ...]:
        return tuple(Step("hold", resource) for resource in self.body.resources)

    def _steps(self) -> tuple[Step, ...]:
        return steps(self.body, self.journal.owned())


def _is_to_start(planned: Planned) -> bool:
    """Say whether all that a unit lacks is to be started."""
    return planned.finding == "to change" and all(
        isinstance(change, StartUnit) for change in planned.changes
    )
