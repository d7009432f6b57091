"""Drift: what a look found, turned into what is recorded and what is set right. Pure.

* Only content counts: an event names what to look at, the look alone says whether it drifted.
  So what we wrote ourselves is never drift, and neither is what was put back before we looked.
* A resource that cannot be looked at since one that it waits for has drifted is not told as
  drift of its own: an image is not gone because docker is stopped.
* What is set right is looked at together with all that comes after it and may be set right.
* `times` in `minutes` bounds the attempts to repair one resource, also those that failed;
  beyond that it is a fight, told and not fought.
* What only has to be restarted since its binary has drifted, and is put back now, is no drift of
  its own: it is set right in the wake of that.
* After an attempt that failed the next one waits, twice as long each time, up to LONGEST: a
  repair may itself cause the event that asks for the next one. Up to ROOM where it failed since a
  disk took nothing: that costs little to try, and mends itself when somebody makes room.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from saltern_protocol.errors import printable
from saltern_states.body import Body, DriftPolicy
from saltern_states.contract import Change
from saltern_states.order import dependents
from saltern_states.unit import Unit
from saltern_states.unit_changes import RestartUnit

from saltern_agent.converge import Done
from saltern_agent.items import cut_diff
from saltern_agent.plan import Planned, transitive

FIGHT = "a fight: set right {} and off again, so it is tried no oftener"
IN_VAIN = "tried {} in vain, so it is tried no oftener{}"
TOLD = "its policy is to report"
WAKE = "healed in the wake of {}"
MAX_FOUND = 16 * 1024  # bytes of one record
LONGEST = 60.0  # seconds
ROOM = 20.0  # seconds


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at some resources means."""

    drifted: tuple[Planned, ...]  # to be recorded
    healthy: tuple[str, ...]  # as declared: an open drift of theirs has gone away by itself


@dataclass(frozen=True, slots=True)
class Failures:
    """Attempts to repair one resource that failed, one after the other."""

    number: int = 0
    last: float = 0.0
    longest: float = LONGEST
    why: str = ""  # the last one failed
    hindered: bool = False  # since then something stood in the way, and it was not even tried

    def next(self, now: float, longest: float = LONGEST, why: str = "") -> Failures:
        """Count one more; the next attempt waits at most so many seconds."""
        return Failures(self.number + 1, now, longest, why)

    @property
    def pause(self) -> float:
        """Give the seconds between the last attempt and the next: 1, 2, 4 … `longest`."""
        return min(self.longest, 2.0 ** min(self.number - 1, 16)) if self.number else 0.0

    def wait(self, now: float) -> float:
        """Give the seconds until the next attempt; none where the clock was set back."""
        return max(0.0, self.last + self.pause - now) if self.last <= now else 0.0

    def look(self, now: float) -> float | None:
        """Give the seconds until it is looked at for this; None: what hinders it has to tell."""
        wait = self.wait(now)
        return None if self.hindered and not wait else wait


def judge(
    found: Iterable[Planned], after: Mapping[str, tuple[str, ...]], known: Iterable[str] = ()
) -> Verdict:
    """Tell drift from what only follows from it. `known`: whose drift is open already."""
    seen = tuple(found)
    off = set(known) - {one.step.resource.id for one in seen}
    off |= {one.step.resource.id for one in seen if one.finding != "as declared"}
    drifted = tuple(
        one
        for one in seen
        if one.finding != "as declared"
        and not (one.hindered and off & set(transitive(after, one.step.resource.id)))
    )
    healthy = tuple(one.step.resource.id for one in seen if one.finding == "as declared")
    return Verdict(drifted, healthy)


def lines(planned: Planned) -> tuple[str, ...]:
    """Say what was found, a line each: fit for any file and terminal, and MAX_FOUND bytes long."""
    if planned.hindered:
        return bounded((printable(planned.why),))
    return lines_of(planned.changes)


def lines_of(changes: Iterable[Change]) -> tuple[str, ...]:
    """Say what changes do, as lines() does."""
    return bounded(tuple(printable(str(change)) for change in changes))


def diffs(changes: Iterable[Change]) -> str:
    """Give the unified diffs of changes, redacted as a plan shows them, MAX_DETAIL bytes long."""
    return cut_diff("".join(_ended(change.detail) for change in changes))


def bounded(said: tuple[str, ...]) -> tuple[str, ...]:
    """Give as many lines as go into MAX_FOUND bytes, and say how many there are beside them."""
    left = MAX_FOUND - len(f"… and {len(said)} more".encode())
    for number, line in enumerate(said):
        left -= len(line.encode())
        if left < 0:
            return (*said[:number], f"… and {len(said) - number} more")
    return said


def fights(policy: DriftPolicy, attempts: Iterable[float], now: float) -> bool:
    """Say whether the attempts of the last `policy.minutes` are as many as are allowed.

    What lies in the future was written before the clock was set back, and says nothing.
    """
    since = now - policy.minutes * 60
    return bool(policy.times) and sum(since <= at <= now for at in attempts) >= policy.times


def fight(policy: DriftPolicy, failed: Failures | None) -> str:
    """Say that all attempts are used up. `failed`: none, where they succeeded and were undone."""
    if failed is None:
        return FIGHT.format(_bound(policy))
    why = f": {failed.why}" if failed.why else ""
    return IN_VAIN.format(_bound(policy), why)


def _bound(policy: DriftPolicy) -> str:
    """Say how often within how long."""
    times = "once" if policy.times == 1 else f"{policy.times} times"
    return f"{times} in {'a minute' if policy.minutes == 1 else f'{policy.minutes} minutes'}"


def in_the_wake(
    drifted: Iterable[Planned], repaired: frozenset[str], after: Mapping[str, tuple[str, ...]]
) -> frozenset[str]:
    """Give the units that lack a restart only since their binary drifted, which is `repaired`."""
    seen = tuple(drifted)
    written = {
        one.step.resource.id: one.step.resource.paths
        for one in seen
        if one.step.resource.id in repaired
    }
    return frozenset(
        one.step.resource.id
        for one in seen
        if (binary := _lacks_binary(one))
        and any(
            binary in written.get(before, ()) for before in transitive(after, one.step.resource.id)
        )
    )


def to_repair(body: Body, drifted: Iterable[str], held: frozenset[str]) -> frozenset[str]:
    """Give the ids that may be set right now; `held` are those in a fight or that wait."""
    policies = {resource.id: resource.drift for resource in body.resources}
    return frozenset(one for one in drifted if policies[one].mode == "enforce" and one not in held)


def to_touch(body: Body, repaired: frozenset[str], drifted: frozenset[str]) -> frozenset[str]:
    """Give what is gone through to set `repaired` right: with it, what comes after it.

    Not what drifted and is not repaired now, and never what is only to be told.
    """
    following = dependents(body.after, repaired) - drifted
    return repaired | to_repair(body, following, frozenset())


def mended(done: Done) -> Done:
    """Give how a step ended, now that its resource is as declared."""
    return replace(done, outcome="changed" if done.changes else "as declared", why="")


def _lacks_binary(planned: Planned) -> str:
    """Give the binary of a unit that is to be restarted for one reason; "" of all else."""
    spec = planned.step.resource.spec
    if not isinstance(spec, Unit) or spec.binary is None or planned.finding != "to change":
        return ""
    restarts = all(
        isinstance(change, RestartUnit) and len(change.why) == 1 for change in planned.changes
    )
    return str(spec.binary) if restarts else ""


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
