"""A rollout with what is kept beside it: what is written of it, and as people see it. Pure.

* An event writes the head and the nodes that it moved, and nothing else.
* `turns` names for each node the turn that its document went out with: who is in it was given it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec
from msgspec.structs import replace as replace_struct

from saltern_master.api.rollouts import RolloutNode, RolloutPhase, RolloutView
from saltern_master.records.rollouts import Head, KeptNode, head_of, put_head, put_node
from saltern_master.rollouts.model import OVER, Node, Rollout
from saltern_master.rollouts.telling import waits_for
from saltern_master.rollouts.wants import wants
from saltern_master.store import Write


@dataclass(frozen=True, slots=True)
class Driven:
    """One rollout."""

    head: Head
    rollout: Rollout
    turns: Mapping[str, int] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """By which it is known."""
        return self.rollout.number

    @property
    def unissued(self) -> tuple[str, ...]:
        """Name those who are to be given their document, and were not yet."""
        return tuple(one for one in wants(self.rollout).issue if one not in self.turns)

    def moved(self, rollout: Rollout, now: float) -> Driven:
        """Give the same with the machine's next value."""
        over = rollout.phase in OVER
        ended = (self.head.ended or now) if over else 0.0
        open_still = not over or _is_left(rollout)
        head = replace_struct(self.head, ended=ended, open=open_still)
        return replace(self, head=head_of(head, rollout), rollout=rollout)

    def with_head(self, **fields: object) -> Driven:
        """Give the same with other fields of its head; it is open where it waits."""
        head = msgspec.structs.replace(self.head, **fields)
        return replace(self, head=msgspec.structs.replace(head, open=head.open or head.queued))

    def given(self, names: Iterator[str], turn: int) -> Driven:
        """Give the same with a turn that brings these nodes their document."""
        return replace(self, turns={**self.turns, **dict.fromkeys(names, turn)})


def _is_left(rollout: Rollout) -> bool:
    wanted = wants(rollout)
    return bool(wanted.undo or wanted.uncordon or wanted.issue)


def new_driven(rollout: Rollout, by: str, notes: tuple[str, ...], target: str = "") -> Driven:
    """Give a rollout that has just been made."""
    head = Head(rollout=rollout, by=by, notes=notes, target=target)
    return Driven(head_of(head, rollout), rollout)


def of_records(head: Head, nodes: Mapping[str, KeptNode]) -> Driven:
    """Give a rollout as it was kept."""
    rollout = replace_struct(head.rollout, nodes={name: one.node for name, one in nodes.items()})
    return Driven(head, rollout, {name: one.turn for name, one in nodes.items() if one.turn})


def writes(before: Driven | None, after: Driven) -> Iterator[Write]:
    """Give what is written where a rollout has become another."""
    yield put_head(after.head)
    were = before.rollout.nodes if before is not None else {}
    turns = before.turns if before is not None else {}
    for place, (name, node) in enumerate(after.rollout.nodes.items()):
        turn = after.turns.get(name, 0)
        was = were.get(name)
        if (was is not node and was != node) or turns.get(name, 0) != turn:
            yield put_node(after.number, name, KeptNode(node=node, place=place, turn=turn))


def moved_nodes(before: Driven | None, after: Driven) -> tuple[str, ...]:
    """Name those who are where they were not before."""
    were = before.rollout.nodes if before is not None else {}
    return tuple(
        name
        for name, node in after.rollout.nodes.items()
        if (was := were.get(name)) is not node
        and (was is None or _shown(name, was) != _shown(name, node))
    )


def node_view(driven: Driven, name: str) -> RolloutNode:
    """Give one node as people see it."""
    return _shown(name, driven.rollout.nodes[name])


def view_of(driven: Driven, now: float) -> RolloutView:
    """Give all of it."""
    nodes = tuple(node_view(driven, name) for name in driven.rollout.nodes)
    waits = "" if driven.head.queued else waits_for(driven.rollout, now)
    return replace_struct(head_view(driven.head), nodes=nodes, waits_for=waits)


def head_view(head: Head, waits: str = "") -> RolloutView:
    """Give it without its nodes."""
    rollout = head.rollout
    phase: RolloutPhase = "queued" if head.queued else rollout.phase
    return RolloutView(
        rollout=rollout.number,
        revision=rollout.revision,
        before=rollout.before,
        phase=phase,
        wave=rollout.wave,
        waves=rollout.waves,
        began=rollout.began,
        ended=head.ended,
        by=head.by,
        why=rollout.why,
        waits_for=waits,
        soak_until=rollout.soak_until,
        failed=head.failed,
        may_fail=head.may_fail,
        total=head.total,
        stages=head.stages,
        undoes=rollout.undoes,
        undone_by=head.undone_by,
        undo=rollout.undo,
        strategy=rollout.strategy,
        notes=head.notes,
    )


def _shown(name: str, node: Node) -> RolloutNode:
    return RolloutNode(
        node=name,
        wave=node.wave,
        group=node.group,
        stage=node.stage,
        impact=node.impact,
        since=node.since,
        away=node.gone_since > 0,
        cordoned=node.cordoned,
        why=node.why,
    )
