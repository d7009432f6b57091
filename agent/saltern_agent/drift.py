"""Drift: what a look found, turned into what is recorded and what is set right. Pure.

* Only content counts: an event names what to look at, the look alone says whether it drifted.
  So what we wrote ourselves is never drift, and neither is what was put back before we looked.
* A resource that cannot be looked at since one that it waits for has drifted is not told as
  drift of its own: an image is not gone because docker is stopped.
* What is set right is looked at together with all that comes after it.
* `times` in `minutes` bounds the repairs of one resource; beyond that it is a fight, told and
  not fought.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from saltern_states.body import Body, DriftPolicy

from saltern_agent.plan import Planned, transitive

FIGHT = "a fight: set right too often, so it is only told now"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at some resources means."""

    drifted: tuple[Planned, ...]  # to be recorded
    healthy: tuple[str, ...]  # as declared: an open drift of theirs has gone away by itself


def judge(found: Iterable[Planned], after: Mapping[str, tuple[str, ...]]) -> Verdict:
    """Tell drift from what only follows from it."""
    seen = tuple(found)
    off = {one.step.resource.id for one in seen if one.finding != "as declared"}
    drifted = tuple(
        one
        for one in seen
        if one.finding != "as declared"
        and not (one.hindered and off & set(transitive(after, one.step.resource.id)))
    )
    healthy = tuple(one.step.resource.id for one in seen if one.finding == "as declared")
    return Verdict(drifted, healthy)


def lines(planned: Planned) -> tuple[str, ...]:
    """Say what was found, a line each."""
    return (planned.why,) if planned.hindered else tuple(str(change) for change in planned.changes)


def fights(policy: DriftPolicy, repairs: int) -> bool:
    """Say whether the repairs of the last `policy.minutes` are as many as were allowed."""
    return bool(policy.times) and repairs >= policy.times


def to_repair(body: Body, drifted: Iterable[str], held: frozenset[str]) -> frozenset[str]:
    """Give the ids that may be set right now; `held` are those in a fight."""
    policies = {resource.id: resource.drift for resource in body.resources}
    return frozenset(one for one in drifted if policies[one].mode == "enforce" and one not in held)
