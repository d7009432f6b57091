"""A scene -> numbers: one function for each group of families. Pure.

Whatever a node says of itself becomes a label only where it is one of few words: see families.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, get_args

from msgspec import Struct
from saltern_protocol.condition import PARTS as KNOWN_PARTS
from saltern_states.kinds import KINDS

from saltern_master.api.rollouts import RolloutPhase
from saltern_master.api.service import NodeView
from saltern_master.metrics import families as known
from saltern_master.metrics.families import Family
from saltern_master.metrics.scene import Scene
from saltern_master.metrics.tally import Spread
from saltern_master.rollouts.model import Stage

Labels = tuple[str, ...]
NAMES: Final = frozenset(kind.name.partition("/")[0] for kind in KINDS)
GOOD: Final = "good"
OTHER: Final = "other"
STATES: Final = ("connected", "away", "pending", "locked", "revoked", "removing")
IN: Final = frozenset({"joined", "removing"})
FRONT: Final = {
    "messages": known.FRONT_MESSAGES,
    "refused": known.FRONT_REFUSED,
    "malformed": known.FRONT_MALFORMED,
    "dropped": known.FRONT_DROPPED,
}


class Measured(Struct, frozen=True):
    """The numbers of one family, each with the values of its labels."""

    family: Family
    numbers: tuple[tuple[Labels, float], ...] = ()
    spreads: tuple[tuple[Labels, Spread], ...] = ()  # of a histogram


def measure(scene: Scene) -> tuple[Measured, ...]:
    """Give all numbers, one entry for each family, in their order."""
    found = {one.family.name: one for part in PARTS for one in part(scene)}
    return tuple(found.get(one.name, Measured(one)) for one in known.FAMILIES)


def _whole(scene: Scene) -> Iterator[Measured]:
    cluster = scene.cluster
    yield Measured(known.BUILD, (((scene.release,), 1.0),))
    yield _one(known.REVISION, cluster.revision)
    ready = cluster.kubernetes.items()
    yield Measured(
        known.KUBERNETES, tuple(((name,), float(told == "ready")) for name, told in ready)
    )
    states = Counter(map(state_of, cluster.nodes))
    yield Measured(known.AGENTS, tuple(((one,), float(states[one])) for one in STATES))
    kinds = Counter(one.kind for one in cluster.alarms)
    yield _by(known.ALARMS, kinds)


def state_of(node: NodeView) -> str:
    """Give the word of STATES that a node is counted under."""
    if node.state == "joined":
        return "connected" if node.connected else "away"
    return node.state


def _nodes(scene: Scene) -> Iterator[Measured]:
    nodes = [one for one in scene.cluster.nodes if one.state in IN]
    yield Measured(
        known.NODE,
        tuple(((one.name, one.node_class, one.release, one.address), 1.0) for one in nodes),
    )
    yield Measured(known.CONNECTED, tuple(((one.name,), float(one.connected)) for one in nodes))
    yield Measured(known.SEEN, tuple(((one.name,), one.seen_at) for one in nodes))
    yield Measured(known.HELD, tuple(((one.name,), float(one.hold is not None)) for one in nodes))
    parts = [
        (one.name, part.name if part.name in KNOWN_PARTS else OTHER, part.state)
        for one in nodes
        for part in one.parts
    ]
    bad = dict.fromkeys(name for name in parts if name[2] != GOOD)  # a series is told once
    yield Measured(known.PART, tuple((name, 1.0) for name in bad))
    yield _by_two(known.PARTS, Counter((part, state) for _, part, state in parts))
    yield Measured(
        known.BEHIND, tuple(((one.name,), float(one.version < one.wanted)) for one in nodes)
    )


def _drift(scene: Scene) -> Iterator[Measured]:
    counted: Counter[Labels] = Counter()
    for one in scene.drift:
        kind = one.kind.partition("/")[0]
        counted[one.node, kind if kind in NAMES else OTHER] += 1
    yield Measured(known.DRIFT_OPEN, tuple((name, float(n)) for name, n in sorted(counted.items())))
    oldest = min((one.since for one in scene.drift), default=scene.now)
    yield _one(known.DRIFT_OLDEST, max(0.0, scene.now - oldest))
    yield _by(known.INCIDENTS, Counter(one.node for one in scene.drift if one.incident))
    counts = scene.counts
    yield _by(known.DRIFT, counts.natures)
    yield _one(known.FIGHTS, counts.fights)
    detect = ((("record",), counts.to_record), (("store",), counts.to_store))
    yield Measured(known.DETECT, spreads=detect)
    yield Measured(known.HEAL, spreads=(((), counts.heal),))


def _rollout(scene: Scene) -> Iterator[Measured]:
    rollout = scene.rollout
    phase, stages = (rollout.phase, rollout.stages) if rollout is not None else ("", {})
    phases, known_stages = get_args(RolloutPhase), get_args(Stage)
    yield Measured(known.ROLLOUT, tuple(((one,), float(one == phase)) for one in phases))
    yield _one(known.ROLLOUT_NUMBER, rollout.rollout if rollout is not None else 0)
    yield Measured(
        known.ROLLOUT_NODES, tuple(((one,), float(stages.get(one, 0))) for one in known_stages)
    )


def _expiries(scene: Scene) -> Iterator[Measured]:
    here = {one.name for one in scene.cluster.nodes if one.state in IN}
    yield Measured(
        known.CERTIFICATE,
        tuple(
            ((one.node, one.issued.resource), float(one.issued.not_after))
            for one in scene.certificates
            if one.node in here
        ),
    )
    yield _by(known.TRUST, scene.ends)


def _messages(scene: Scene) -> Iterator[Measured]:
    yield _by_two(known.MESSAGES, scene.counts.messages)
    unheard: Counter[str] = Counter()
    for why, count in scene.unheard.items():
        word = {"of no node": "unknown", "unwritten": "unwritten"}.get(why, "failed")
        unheard[word] += count
    yield _by(known.UNHEARD, unheard)
    front = scene.cluster.front
    if front:
        for name, family in FRONT.items():
            yield _one(family, front.get(name, 0))
        way = (("in", "bytes_in"), ("out", "bytes_out"))
        numbers = tuple(((word,), float(front.get(name, 0))) for word, name in way)
        yield Measured(known.FRONT_BYTES, numbers)
        yield _one(known.FRONT_CPU, front.get("cpu_us", 0) / 1e6)
        yield _one(known.FRONT_SESSIONS, front.get("peers", 0))
        yield _one(known.FRONT_DESCRIPTORS, front.get("descriptors_percent", 0) / 100)


def _notify(scene: Scene) -> Iterator[Measured]:
    yield _by(known.NOTIFY_WAITING, scene.waiting)
    yield _by_two(known.NOTIFY_TRIES, scene.counts.tries)


PARTS: Final = (_whole, _nodes, _drift, _rollout, _expiries, _messages, _notify)


def _one(family: Family, value: float) -> Measured:
    return Measured(family, (((), float(value)),))


def _by(family: Family, values: Mapping[str, float]) -> Measured:
    return Measured(family, tuple(((name,), float(n)) for name, n in sorted(values.items())))


def _by_two(family: Family, values: Mapping[tuple[str, str], int]) -> Measured:
    return Measured(family, tuple((name, float(n)) for name, n in sorted(values.items())))
