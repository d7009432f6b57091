"""The keeper: all work on the node, one job after the other, in one thread.

It holds the host, the journal and the accepted body, and has four jobs: take() a statement,
plan() one, look() for drift, and start(). It never waits for the master and never reads a
clock: `clock` is given. What it finds it tells to `told`; what it is, it shows as a Status.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from saltern_protocol.documents import Document, Identity, encode_statement
from saltern_protocol.errors import ProtocolError
from saltern_protocol.lease import Hold
from saltern_protocol.report import Applied
from saltern_protocol.trust import Trust
from saltern_states.body import Body, BodyError, Resource
from saltern_states.kinds import kind_of
from saltern_states.ports import Host

from saltern_agent.accept import considered, current, held_before, proposed, refuse_taken_back
from saltern_agent.boots import Boot
from saltern_agent.confirm import WHY
from saltern_agent.converge import Done, Result, converge
from saltern_agent.doubts import Doubts
from saltern_agent.drift import in_the_wake, judge, mended, to_touch
from saltern_agent.fighting import Fighting
from saltern_agent.glance import Glance
from saltern_agent.holding import Holding
from saltern_agent.items import Asked, applied, broken_off, refused_statement, taken_back
from saltern_agent.journal import Journal, JournalError
from saltern_agent.ledger import Ledger
from saltern_agent.listening import Hearing, Listener, Repairing
from saltern_agent.plan import Plan, look, plan, transitive
from saltern_agent.plan_digest import refuse_stale
from saltern_agent.recording import Noticed, Recorder
from saltern_agent.steps import Step, steps
from saltern_agent.trying import Confirming, Trying, nobody
from saltern_agent.unheard import Unheard
from saltern_agent.way_back import WayBack

AWAITED = 3600.0
"""Seconds for which a blob may wait for the document that needs it."""


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
    trust: Trust | None = None  # the root and the policy that the document came under
    tried: Document | None = None  # the accepted one, also where it was taken back
    last: Result | None = None
    owing: bool = False  # something is still to be taken back
    trouble: str = ""  # why nothing is held although something was accepted
    asked: Asked = field(default_factory=Asked)  # whose turn the accepted document came with
    made: int = 0  # changes by looks and after the boot, since the start
    back: str = ""  # why what was held before the accepted document is held, and not that one
    confirming: Confirming = field(default_factory=nobody)
    monotonic: Callable[[], float] | None = None  # None: `clock` is never set
    ledger: Ledger = field(init=False)
    trying: Trying = field(init=False)
    doubts: Doubts = field(init=False)
    holding: Holding = field(init=False)
    fighting: Fighting = field(init=False)
    unheard: Unheard = field(init=False)
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.journal)
        self.trying = Trying(self.confirming, self.ledger)
        self.doubts = Doubts(self.host)
        self.holding = Holding(self.now, self.monotonic or self.now)
        self.fighting = Fighting(self.ledger.attempts)
        self.unheard = Unheard(self.monotonic or self.now)
        self.recorder = Recorder(self.ledger, self.holding, self.fighting, self.listener, self.now)

    def now(self) -> float:
        """Give the time, Unix seconds."""
        return self.clock()

    def load(self) -> bool:
        """Take up what was accepted before. True: an apply of it was cut off.

        JournalError: the journal cannot be read.
        """
        kept = self.journal.hold.read()
        held = self.holding.load(kept, self.boot.fresh())
        if held != kept:
            self.ledger.hold(held)
        accepted = self.journal.accepted()
        if accepted is None:
            return False
        self.asked = Asked(accepted.turn, accepted.at)
        try:
            taken = current(self.identity, accepted)
            self.body, self.document, self.trust = taken.body, taken.document, taken.trust
            self._take_up(self.journal.way_back.read())
        except (BodyError, ProtocolError) as error:  # another release wrote it, or its policy did
            self.trouble = f"cannot read what was accepted: {error}; give this node a new statement"
            self.body, self.document = Body(), None
            return False
        self.ledger.load(self.body)
        self.owing = any(step.verb != "hold" for step in self._steps())
        return accepted.unfinished

    def restore_after_boot(self) -> int:
        """Bring back what a reboot took: links, routes, chains. Gives how many changes it made.

        It touches no unit, so the agent can do it before systemd starts docker and the kubelet.
        """
        fresh = self.boot.fresh()
        if self.trying.restart(fresh):
            self._go_back()
        if not fresh:
            return 0
        volatile = tuple(step for step in self._hold() if kind_of(step.resource.spec).volatile)
        told = Hearing(self.listener, "boot")
        changes = self._converge(volatile, told).changes
        self.boot.mark()
        return changes

    def take(
        self,
        statement: bytes,
        newer: Callable[[], bool] = lambda: False,
        turn: int = 0,
        expects: bytes = b"",
    ) -> Result:
        """Verify, remember, converge. RefusedError or BodyError: nothing was changed.

        `expects`: the digest of the plan that this shall come to; another one is refused as stale.

        JournalError: it was not remembered, and nothing was changed; or something new of it
        was not, and so not made: a look goes on with it. `turn`: of the master's.
        """
        asked = Asked(turn, self.clock())
        try:
            taken = proposed(self.identity, self.journal.accepted(), statement, asked.at)
            refuse_taken_back(self.back, taken.document, self.tried)
            if expects and taken.document != self.document:  # what is held was agreed to before
                refuse_stale(self._planned(taken.body), expects)
            self.ledger.accept(encode_statement(taken.statement), asked.at, turn)
            self.body, self.document, self.trust = taken.body, taken.document, taken.trust
            self.trouble, self.back, self.tried = "", "", taken.document
            self.asked = asked
            self.trying.accepted()
        except (ProtocolError, BodyError, JournalError) as error:
            self.ledger.tell(refused_statement(asked, statement, error, self.clock()))
            raise
        try:
            return self.converge_all(newer)
        except JournalError as error:
            self.ledger.tell(broken_off(asked, taken.document, error, self.clock()))
            raise

    def converge_all(self, newer: Callable[[], bool] = lambda: False) -> Result:
        """Bring the node to the accepted body."""
        held = {resource.id for resource in self.body.resources}
        for name in self.ledger.open.keys() - held:
            self.recorder.heal(name, "no longer declared", self.clock())
        self.fighting.forget()
        self.unheard.keep_only(held)
        told = Hearing(self.listener, "document")
        self.last = None  # where the journal refuses, what is held already is looked at again
        try:
            guard, stop = self.trying.hearing(told), lambda: self.trying.over() or newer()
            result = converge(self.host, self._steps(), self.ledger, guard, stop)
        finally:
            self.trying.ended()
        self.unheard.changed(result.done)
        now = self.clock()
        said = applied(self.asked, self.tried, result, now)
        self._tell(taken_back(said, self.back) if self.back else said, result)
        if not result.interrupted:
            for name in tuple(self.ledger.open):
                if name not in {one.step.resource.id for one in result.bad}:
                    self.recorder.heal(name, "a document came", now)
        self.owing = any(one.step.verb != "hold" for one in result.bad)
        self.last = result
        self._let_go()
        return result

    def _tell(self, said: Applied, result: Result) -> None:
        """Tell how a document was gone through; what is not proved yet, once it is."""
        if result.interrupted:  # a taking back is told itself, a handing over once it has ended
            if not self.trying.over() and result.handed_over is None:
                self.ledger.tell(said)
        elif self.trying.trial.open:
            self.trying.unsaid = said
        else:
            self.ledger.finish(said)
            if self.back:
                self.trying.stop_timer()

    def _let_go(self) -> None:
        """Keep no blob that neither the body needs nor the way back."""
        if self.last is not None and self.last.converged and not self.trying.trial.open:
            self.host.blobs.keep_only(self.body.blobs, self.clock() - AWAITED)

    def confirm(self) -> None:
        """See whether what is open was proved meanwhile."""
        if self.trying.settle():
            self._let_go()

    def end_trial(self, newer: Callable[[], bool] = lambda: False) -> bool:
        """Take back what was not proved in time, or go on with that; False: there is nothing."""
        self.confirm()
        if self.trying.over() or (self.trying.trial.open and self.boot.fresh()):
            self._go_back()
        going = bool(self.back) and self.journal.is_unfinished()
        if going:
            self.converge_all(newer)
            self.confirming.opened(None)
        elif not self.trying.trial.open:
            self.trying.stop_timer()
        return going

    def _go_back(self) -> None:
        """Hold the node to what it was held to before; converge_all() brings it there."""
        way = self.journal.way_back.read()
        try:
            if way is not None:
                self._take_up(replace(way, phase="back", why=WHY))
                self.ledger.go_back(WHY)
                self.trying.gave_up(WHY)
        except (BodyError, ProtocolError) as error:  # another release wrote it
            self.ledger.spare()
            self.trying.close(f"cannot take back what was not confirmed: {error}")

    def _take_up(self, way: WayBack | None) -> None:
        """Go on as the journal says. BodyError, ProtocolError: it cannot be read."""
        accepted = self.document
        if way is not None and way.phase == "back":
            before, self.body = held_before(self.identity, way)
            self.back, self.document = way.why, before or accepted
        self.tried = accepted
        self.trying.load(way)

    def plan(self, statement: bytes | None) -> Plan:
        """Plan a statement, or the accepted one. Nothing is remembered."""
        body = self.body
        if statement is not None:
            accepted = self.journal.accepted()
            body = proposed(self.identity, accepted, statement, self.clock()).body
        return plan(self.host, steps(body, self.journal.owned()), self.listener.planned)

    def consider(self, proposal: bytes) -> Plan:
        """Plan a proposal: a statement that has one in its document's place."""
        return self._planned(
            considered(self.identity, self.journal.accepted(), proposal, self.clock())
        )

    def _planned(self, body: Body) -> Plan:
        return plan(self.host, steps(body, self.journal.owned()))

    def look(self, noticed: Mapping[str, Noticed], whole: bool) -> int:
        """Look at what was noticed, or at the whole body; record drift, and set it right as told.

        Gives how many are not as declared at the end. A journal that does not answer hinders
        nothing of it; the ledger's trouble tells.
        """
        if self.last is not None and self.last.interrupted:
            self.unheard.keep_only(frozenset())
            return 0  # what was not begun is not drift: the apply that comes goes on with it
        whole = self.holding.take_ended() or whole
        held = self.holding.current() is not None
        if whole:
            self.ledger.catch_up()
        if whole and self.owing and not held:
            self._take_back()
        began = Noticed(self.clock(), "look")
        chosen = [step for step in self._hold() if whole or step.resource.id in noticed]
        self.unheard.looked({step.resource.id for step in chosen})
        owed = self._owed()
        wanted = [step for step in chosen if step.resource.id not in owed]
        glance = cast(Host, Glance(self.host))
        found = tuple(look(glance, step) for step in wanted)
        verdict = judge(found, self.body.after, self.ledger.open)
        if verdict.drifted and self.doubts.shutting_down():
            return len(verdict.drifted)  # systemd stops what we hold, and it is right to
        for planned in found:
            if planned.step.resource.id in verdict.healthy:
                self._well(planned.step.resource, "went away by itself")
        drifted = self.doubts.not_to_come(
            self.doubts.seen_twice(found, verdict.drifted, self.ledger.open.keys())
        )
        names = frozenset(one.step.resource.id for one in drifted)
        repaired = self.recorder.may_repair(self.body, names)
        wake = in_the_wake(drifted, repaired, self.body.after) - self.ledger.open.keys()
        late = {one.step.resource.id for one in self.last.bad} if self.last else set[str]()
        for planned in drifted:
            name = planned.step.resource.id
            if name not in wake:
                self.recorder.record(planned, noticed.get(name, began), name in late)
        return self._repair(names - wake, repaired - wake)

    def hold_off(self, hold: Hold | None, since: float) -> bool:
        """Leave drift alone as a believed lease says, whose nonce was sent at `since`, monotonic.

        None: no longer. True: that is otherwise than before, so that all is to be looked at.
        """
        news = self.holding.give(hold, since)
        if news:
            self.ledger.hold(self.holding.held)
            self.ledger.failures.clear()  # what waited for its next try is tried when it ends
        return news

    def _take_back(self) -> None:
        """Try again what could not be taken back when its document came."""
        try:
            left = tuple(step for step in self._steps() if step.verb != "hold")
        except JournalError as error:
            self.ledger.trouble = str(error)
            return
        result = self._converge(left, Hearing(self.listener, "document"))
        self.owing = bool(result.bad)
        if self.last is not None:
            now = {one.step.key: one for one in result.done}
            done = tuple(now.get(one.step.key, one) for one in self.last.done)
            self.last = replace(self.last, done=done)

    def _owed(self) -> frozenset[str]:
        """Give the ids that still stand where they stood before: that is taken back first."""
        if not self.owing:
            return frozenset()
        try:
            return frozenset(step.resource.id for step in self._steps() if step.verb != "hold")
        except JournalError:
            return frozenset(resource.id for resource in self.body.resources)

    def _converge(self, chosen: tuple[Step, ...], told: Hearing) -> Result:
        """Converge what is held already: where the journal refuses something new, go on later."""
        try:
            result = converge(self.host, chosen, self.ledger, told)
        except JournalError:  # the ledger's trouble tells it
            return Result((), interrupted=True)
        self.made += result.changes
        self.unheard.changed(result.done)
        return result

    def _repair(self, drifted: frozenset[str], repaired: frozenset[str]) -> int:
        if not repaired:
            return len(drifted)
        touched = to_touch(self.body, repaired, drifted | self.recorder.fought(self.body))
        touched -= self.doubts.to_come(self.body, touched - repaired)
        chosen = tuple(step for step in self._hold() if step.resource.id in touched)

        def ended(done: Done, tried: bool) -> None:
            resource, after = done.step.resource, self.body.after
            before = (one for one in transitive(after, resource.id) if one in repaired)
            self.recorder.repaired(done, tried, tuple(before))
            if not done.bad:
                self._mend(resource.id)

        result = self._converge(chosen, Repairing(self.listener, "drift", ended))
        if (handed := result.handed_over) is not None:
            self.ledger.attempt(handed.id, handed.drift, self.clock())
        if result.interrupted:
            return len(drifted)
        return len(result.bad) + len(drifted - repaired)

    def retries(self) -> dict[str, float]:
        """Give what is to be looked at again, and in how many seconds."""
        doubted = self.doubts.retries(self.ledger.open.keys())
        waits = {**doubted, **self.recorder.retries(self.body)}
        for name, wait in self.unheard.retries().items():
            waits[name] = min(wait, waits.get(name, wait))
        return waits

    def _well(self, resource: Resource, outcome: str) -> None:
        """A resource is as declared: its drift ends, and what the last converge left of it."""
        self.recorder.well(resource.id, resource.drift, outcome)
        self._mend(resource.id)

    def _mend(self, name: str) -> None:
        if self.last is not None and any(one.step.key == name for one in self.last.bad):
            done = tuple(mended(one) if one.step.key == name else one for one in self.last.done)
            self.last = replace(self.last, done=done)

    def _hold(self) -> tuple[Step, ...]:
        return tuple(Step("hold", resource) for resource in self.body.resources)

    def _steps(self) -> tuple[Step, ...]:
        return steps(self.body, self.journal.owned())
