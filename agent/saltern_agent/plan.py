"""Plan: what each step would change, found by looking and comparing; nothing here writes.

Each step is looked at as the steps before it will have left the node (foreseen.py). Where it is
hindered by what those will mend in a way that nobody foresees (no package yet, no docker yet),
the plan shows what will be done then: the kind says so in Blocked.then. What waits for a
hindered resource is hindered itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast

from saltern_states.contract import Blocked, Change, Impact
from saltern_states.kinds import kind_of
from saltern_states.ports import Host, HostError

from saltern_agent.foreseen import ForeseenHost
from saltern_agent.steps import Step

Finding = Literal["as declared", "to change", "blocked", "unreadable"]


@dataclass(frozen=True, slots=True)
class Planned:
    """What one step would do, or why it cannot."""

    step: Step
    finding: Finding
    changes: tuple[Change, ...] = ()
    why: str = ""  # of blocked and unreadable; of "to change": what has to come true for it
    loose: bool = False  # what is done before may bring part of it along: a package, a module

    @property
    def impact(self) -> Impact:
        """The greatest impact of its changes."""
        order = list(Impact)
        return max((change.impact for change in self.changes), key=order.index, default=Impact.NONE)

    @property
    def supposing(self) -> bool:
        """Whether it rests on what nobody foresees: it is done as planned, or not at all."""
        return self.finding == "to change" and bool(self.why)

    @property
    def hindered(self) -> bool:
        """Whether it cannot be done as things are."""
        return self.finding in ("blocked", "unreadable")


@dataclass(frozen=True, slots=True)
class Plan:
    """What all steps would do, in order."""

    steps: tuple[Planned, ...]

    @property
    def pending(self) -> tuple[Planned, ...]:
        """The steps that are not as declared."""
        return tuple(one for one in self.steps if one.finding != "as declared")

    @property
    def changes(self) -> int:
        """How many changes it would make."""
        return sum(len(one.changes) for one in self.steps)


def plan(
    host: Host,
    steps: tuple[Step, ...],
    told: Callable[[Planned], None] = lambda _planned: None,
    hindered: Mapping[str, object] | None = None,
) -> Plan:
    """Give what would be done on this node; `told` hears of each step as it is planned.

    `hindered`: ids of resources that are known to be so already.
    """
    after = {step.resource.id: step.resource.after for step in steps if step.verb == "hold"}
    coming: dict[str, tuple[Change, ...]] = {}
    supposed: set[str] = set()
    opened = False
    stopped = dict(hindered or {})
    found: list[Planned] = []
    foreseen = cast(Host, ForeseenHost(host))
    for step in steps:
        planned = waits_for_hindered(step, stopped)
        if planned is None:
            held = coming and step.verb == "hold"
            earlier = transitive(after, step.resource.id) if held else ()
            before = tuple(change for one in earlier for change in coming.get(one, ()))
            planned = look(foreseen, step, before)
            planned = _provided(planned, next((one for one in earlier if one in supposed), ""))
        unknown = unforeseen(foreseen, step, planned.changes)
        if planned.hindered:
            stopped[step.resource.id] = planned
        elif step.verb == "hold" and unknown:
            coming[step.resource.id] = unknown
        if planned.supposing:
            supposed.add(step.resource.id)
        planned = replace(planned, loose=opened) if opened else planned
        opened = opened or bool(unknown)
        found.append(planned)
        told(planned)
    return Plan(tuple(found))


def unforeseen(host: Host, step: Step, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Make changes on a foreseen host; give those of which nobody foresees what they do."""
    kind = kind_of(step.resource.spec)
    unknown: list[Change] = []
    for change in changes:
        if change.opens:
            unknown.append(change)
        try:
            kind.apply(host, change)
        except Exception:  # noqa: BLE001  # that its effects are unknown is all that follows
            unknown.append(change)
    return tuple(unknown)


def look(host: Host, step: Step, before: tuple[Change, ...] = ()) -> Planned:
    """Observe and compare one step.

    `before`: changes whose effects are unknown, and that will have been made when its turn comes.
    """
    if step.verb == "forget":
        return Planned(step, "as declared")
    kind, want = kind_of(step.resource.spec), step.want
    try:
        observe = kind.observe if step.verb == "remove" else kind.observe_for_diff
        have = observe(host, want)
        now = kind.remove(want, have) if step.verb == "remove" else kind.diff(want, have)
        changes = kind.foresee(want, have, before) if before else now
    except HostError as error:
        return Planned(step, "unreadable", why=str(error))
    except Exception as error:  # noqa: BLE001  # one kind's fault must not leave the rest unheld
        return Planned(step, "unreadable", why=fault(error))
    blocked = [change.why for change in changes if isinstance(change, Blocked)]
    if blocked:
        return Planned(step, "blocked", why="; ".join(blocked))
    supposed = _supposed(now) if changes != now else ""
    return Planned(step, "to change" if changes else "as declared", changes, supposed)


def _provided(planned: Planned, first: str) -> Planned:
    """Say that what comes after a resource that may turn out hindered may do so too."""
    if not first or planned.finding != "to change" or planned.why:
        return planned
    return replace(planned, why=f"provided that {first}, which comes before, can be done")


def _supposed(now: tuple[Change, ...]) -> str:
    """Say what hinders something now, and is supposed to be lifted by what comes before."""
    lacking = "; ".join(change.why for change in now if isinstance(change, Blocked))
    return f"provided that what comes before mends this: {lacking or 'nobody foresees all of it'}"


def fault(error: Exception) -> str:
    """Tell an error that no port and no kind should have raised."""
    return f"a fault of the agent's own, please report it: {type(error).__name__}: {error}"


def waits_for_hindered(step: Step, hindered: Mapping[str, object]) -> Planned | None:
    """Say that a step cannot be done because one that it waits for cannot."""
    if step.verb == "hold" and step.resource.id in hindered:
        return Planned(step, "blocked", why="what it was before could not be taken back")
    first = next((one for one in step.resource.after if one in hindered), None)
    if step.verb != "hold" or first is None:
        return None
    return Planned(step, "blocked", why=f"it comes after {first}, which could not be done")


def transitive(after: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    """Give all that comes before `name`, directly or not, in a fixed order."""
    found: dict[str, None] = {}
    waiting = list(after.get(name, ()))
    while waiting:
        one = waiting.pop(0)
        if one not in found:
            found[one] = None
            waiting.extend(after.get(one, ()))
    return tuple(found)
