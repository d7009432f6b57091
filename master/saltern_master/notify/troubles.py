"""What core knows -> what is wrong now, and what happened. Pure.

* An alarm is a trouble by its kind; a fight is told as `incident`, a part that is bad as `part`, a
  rollout that waits as `rollout`.
* Drift is told of a node as one trouble, once its oldest has been in the store for long; what was
  intended is not as long as the node is held, which this master alone decides.
* A node is away once it was not heard for long. That it never came is not known as that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from saltern_master.api.rollouts import RolloutView
from saltern_master.api.service import AlarmView, ClusterView, DriftView
from saltern_master.notify.model import Event, Happened, Looked, Trouble

NAMED: Final = 5
OWN: Final[Mapping[str, Event]] = {"fight": "incident", "part-bad": "part"}
PERSONAL: Final = frozenset({"ahead", "clock", "not-working", "part-bad", "stuck"})
"""Alarms that a node's own word begins and ends."""
ROLLOUT: Final = "rollout-"


class After(Struct, frozen=True, kw_only=True):
    """How long something is the case before it is told, in seconds."""

    drift: float = 600.0
    away: float = 300.0


class Known(Struct, frozen=True, kw_only=True):
    """What is looked at."""

    cluster: ClusterView
    drift: tuple[DriftView, ...] = ()  # open
    rollouts: tuple[RolloutView, ...] = ()  # the newest


def look(known: Known, after: After, now: float) -> Looked:
    """Give what is wrong."""
    nodes = known.cluster.nodes
    troubles = (
        *map(_alarm, known.cluster.alarms),
        *_drift(known, after.drift, now),
        *_away(known.cluster, after.away, now),
    )
    return Looked(
        troubles=troubles,
        happened=tuple(one for each in known.rollouts for one in _over(each)),
        unsure=frozenset(one.name for one in nodes if one.state == "joined" and not one.connected),
    )


def _alarm(alarm: AlarmView) -> Trouble:
    event, word = _called(alarm.kind)
    return Trouble(
        event=event,
        word=word,
        node=alarm.node,
        subject=alarm.resource,
        since=alarm.since,
        why=alarm.why,
        remedy=alarm.remedy,
        personal=alarm.kind in PERSONAL,
    )


def _called(kind: str) -> tuple[Event, str]:
    """Give the event that an alarm is, and its word within that."""
    if kind.startswith(ROLLOUT):
        return "rollout", kind.removeprefix(ROLLOUT)
    own = OWN.get(kind)
    return (own, "") if own is not None else ("alarm", kind)


def _drift(known: Known, after: float, now: float) -> Iterator[Trouble]:
    held = {one.name for one in known.cluster.nodes if one.hold is not None}
    nodes: dict[str, list[DriftView]] = defaultdict(list)
    for one in known.drift:
        is_meant = one.nature == "intended" and one.node in held
        if not is_meant and now - one.stored >= after:
            nodes[one.node].append(one)
    for name, found in sorted(nodes.items()):
        found.sort(key=lambda one: (one.since, one.resource))
        named = ", ".join(one.resource for one in found[:NAMED])
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        yield Trouble(
            event="drift",
            node=name,
            since=found[0].since,
            why=f"not as declared for long: {named}{more}{_reasons(found)}",
            remedy=f"saltern drift explain {found[0].id or f'{name}:{found[0].number}'}",
        )


def _reasons(found: list[DriftView]) -> str:
    """Say why what is named is not set right: once what holds for all, else for each its own."""
    whose: dict[str, list[str]] = defaultdict(list)
    for one in found[:NAMED]:
        whose[one.hindrance].append(one.resource)
    if {one.hindrance for one in found} == whose.keys() and len(whose) == 1:
        return "".join(f"; {why}" for why in whose if why)
    return "".join(f"; {', '.join(names)}: {why}" for why, names in whose.items() if why)


def _away(cluster: ClusterView, after: float, now: float) -> Iterator[Trouble]:
    for one in cluster.nodes:
        away = one.state == "joined" and not one.connected and one.seen_at
        if away and now - one.seen_at >= after:
            silent = _long(round(after))
            yield Trouble(
                event="away",
                node=one.name,
                since=one.seen_at,
                why=f"its agent was not heard for {silent} or longer; what it holds, it holds on",
                remedy=f"on {one.name}: systemctl status saltern-agent; and the network to here",
            )


def _long(seconds: int) -> str:
    """Give a span in the largest unit that has no rest: 90 s, 5 min."""
    units = ((86400, "d"), (3600, "h"), (60, "min"))
    size, unit = next((one for one in units if seconds and not seconds % one[0]), (1, "s"))
    return f"{seconds // size} {unit}"


def _over(rollout: RolloutView) -> Iterator[Happened]:
    """Give the end of a rollout; one that is taken back ends with the rollout that does it."""
    if not rollout.ended or rollout.undone_by:
        return
    word: str = rollout.phase
    what = f"rollout {rollout.rollout} is {rollout.phase}"
    if rollout.undoes:
        word = "undone" if rollout.phase == "done" else rollout.phase
        what = f"{what}; it takes rollout {rollout.undoes} back"
    stages = ", ".join(f"{count} {stage}" for stage, count in sorted(rollout.stages.items()))
    yield Happened(
        event="rollout",
        word=word,
        subject=str(rollout.rollout),
        at=rollout.ended,
        why=f"{what} ({stages}){': ' if rollout.why else ''}{rollout.why}",
        remedy=f"saltern rollout show {rollout.rollout}",
    )
