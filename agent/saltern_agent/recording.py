"""Recording: what a look and a repair come to, as the ledger has it.

* A drift is told with all that stands in the way of setting it right, in one record: a hold, a
  fight, a policy that only reports. What an attempt failed by comes with the attempt.
* `nature`: intended is what was found while the node is held, but for what a document has not come
  to yet; corrective is what a repair changed in the wake of another drift, over as it is told, or
  open where that failed; all else is external.
* A fight is told when its last attempt is made in vain, or undone; it ends as fighting.py says.
* While the node is held nothing is tried and no attempt is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace
from saltern_protocol.errors import printable
from saltern_protocol.report import Nature
from saltern_states.body import Body, DriftPolicy, Resource
from saltern_states.kinds import kind_of

from saltern_agent.converge import Done
from saltern_agent.drift import (
    LONGEST,
    ROOM,
    TOLD,
    WAKE,
    Failures,
    bounded,
    diffs,
    fight,
    lines,
    lines_of,
    to_repair,
)
from saltern_agent.drift_record import Drift
from saltern_agent.fighting import Fighting
from saltern_agent.holding import Holding, words
from saltern_agent.ledger import Ledger
from saltern_agent.listening import Listener
from saltern_agent.plan import Planned

HEALED = "healed"


@dataclass(frozen=True, slots=True)
class Noticed:
    """When and how it was noticed that a resource may have drifted."""

    since: float
    seen: str  # event, look
    by: str = ""  # the doer, where the kernel tells it


def as_drift(planned: Planned, noticed: Noticed, now: float) -> Drift:
    """Give a drift as a look found it, with nothing of what stands in its way."""
    resource = planned.step.resource
    return Drift(
        resource=resource.id,
        kind=kind_of(resource.spec).name,
        since=noticed.since,
        recorded=now,
        seen=noticed.seen,
        by=printable(noticed.by),
        found=lines(planned),
        detail="" if planned.hindered else diffs(planned.changes),
    )


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes drift down. One thread uses one Recorder."""

    ledger: Ledger
    holding: Holding
    fighting: Fighting
    listener: Listener
    clock: Callable[[], float]

    def record(self, planned: Planned, noticed: Noticed, late: bool) -> None:
        """Open a drift, or say anew what an open one is. `late`: no document came to it yet."""
        resource, now = planned.step.resource, self.clock()
        name, policy = resource.id, resource.drift
        self.fighting.off(name, policy, now)
        known, fought = self.ledger.open.get(name), self._fought(resource, now)
        held = self.holding.current()
        drift = replace(
            as_drift(planned, noticed, now),
            nature=Nature.INTENDED if held and not late else Nature.EXTERNAL,
            hindrance=self._hindrance(name, policy, now) or (known.hindrance if known else ""),
            attempts=self._attempts(name, policy, now),
            incident=fought or (known is not None and known.incident),
        )
        self.ledger.record(drift)
        if known is None:
            self.listener.drifted(drift, now - noticed.since)

    def may_repair(self, body: Body, drifted: frozenset[str]) -> frozenset[str]:
        """Give what of this is set right now."""
        if not drifted or self.holding.current() is not None:
            return frozenset()
        now = self.clock()
        waits = frozenset(one for one in drifted if self._failures(one).wait(now))
        return to_repair(body, drifted, waits | (drifted & self.fought(body)))

    def fought(self, body: Body) -> frozenset[str]:
        """Give what may not be tried again yet, since all attempts are used up."""
        now = self.clock()
        return frozenset(one.id for one in body.resources if self._fought(one, now))

    def repaired(self, done: Done, tried: bool, before: tuple[str, ...]) -> None:
        """A step of a repair ended; `before`: what was repaired and comes before it."""
        resource, now = done.step.resource, self.clock()
        if tried:
            self.ledger.attempt(resource.id, resource.drift, now)
        if tried and resource.id not in self.ledger.open:
            self._follow(done, now, before)
        elif not done.bad:
            self.well(resource.id, resource.drift, HEALED)
        if done.bad:
            self._failed(done, tried, now)

    def well(self, name: str, policy: DriftPolicy, outcome: str) -> None:
        """A resource is as declared: its drift ends, unless it is a fight that may go on."""
        drift, at = self.ledger.open.get(name), self.clock()
        if drift is None:
            return
        if drift.incident or (policy.times and outcome == HEALED):
            since, how = self.fighting.put_right(name, outcome, at)
            if drift.incident and self.fighting.unrest(name, policy, at):
                return
            at, outcome = (since, how) if drift.incident else (at, outcome)
        self.heal(name, outcome, at)

    def heal(self, name: str, outcome: str, at: float) -> None:
        """End a drift, where there is one."""
        drift = self.ledger.heal(name, outcome, at)
        if drift is None:
            return
        if drift.incident:
            self.fighting.over(name)
        self.listener.healed(drift, outcome, at)

    def retries(self, body: Body) -> Mapping[str, float]:
        """Give what of the open drift is to be looked at again, and in how many seconds."""
        now, left = self.clock(), self.holding.left()
        waits: dict[str, float] = {}
        for one in body.resources:
            if one.id in self.ledger.open:
                wait = left or self._wait(one.id, one.drift, now)
                if wait is not None:
                    waits[one.id] = wait
        late = {name: max(0.0, due - now) for name, due in self.ledger.late.items()}
        return {name: min(waits.get(name, wait), wait) for name, wait in (late | waits).items()}

    def _wait(self, name: str, policy: DriftPolicy, now: float) -> float | None:
        """Give the seconds until an open drift is looked at again; None: nothing is waited for."""
        if name in self.fighting.right:
            return self.fighting.unrest(name, policy, now)
        if self.fighting.fought(name, policy, now):
            return self.fighting.wait(name, policy, now) if policy.mode == "enforce" else None
        failures = self.ledger.failures.get(name)
        return failures.look(now) if failures else None

    def _failed(self, done: Done, tried: bool, now: float) -> None:
        """A step of a repair is not as declared; a try of it is counted, and waits the longer."""
        resource = done.step.resource
        name, policy, drift = resource.id, resource.drift, self.ledger.open.get(resource.id)
        why, fought = done.why, False
        if tried:
            longest = ROOM if done.no_room else LONGEST
            failures, fought = (
                self.ledger.fail(name, now, longest, why),
                self._fought(resource, now),
            )
            why = f"{why}; tried again in {failures.pause:.0f} s"
            why = fight(policy, failures) if fought else why
        else:
            self.ledger.hinder(name)
        if drift is not None:
            self.ledger.record(
                replace(
                    drift,
                    recorded=now,
                    hindrance=printable(why),
                    attempts=self._attempts(name, policy, now),
                    incident=drift.incident or fought,
                )
            )

    def _follow(self, done: Done, now: float, before: tuple[str, ...]) -> None:
        """Record what was changed, or tried, in the wake of another drift."""
        resource = done.step.resource
        made = lines_of(done.changes) if done.changes else bounded((printable(done.why),))
        self.ledger.record(
            Drift(
                resource=resource.id,
                kind=kind_of(resource.spec).name,
                since=now,
                recorded=now,
                seen="look",
                found=made,
                detail=diffs(done.changes),
                nature=Nature.CORRECTIVE,
                attempts=self._attempts(resource.id, resource.drift, now),
            )
        )
        if not done.bad:
            after = ", ".join(before) or "another repair"
            self.ledger.heal(resource.id, WAKE.format(after), now)

    def _hindrance(self, name: str, policy: DriftPolicy, now: float) -> str:
        held = self.holding.current()
        if held is not None:
            return words(held)
        if policy.mode == "report":
            return TOLD
        if self.fighting.fought(name, policy, now):
            return printable(fight(policy, self.ledger.failures.get(name)))
        return ""

    def _attempts(self, name: str, policy: DriftPolicy, now: float) -> int:
        since = now - policy.minutes * 60
        return sum(since <= at <= now for at in self.ledger.attempts(name))

    def _fought(self, resource: Resource, now: float) -> bool:
        return self.fighting.fought(resource.id, resource.drift, now)

    def _failures(self, name: str) -> Failures:
        return self.ledger.failures.get(name, Failures())
