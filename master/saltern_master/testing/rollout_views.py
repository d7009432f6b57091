"""A rollout of a master in memory as the API tells it. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from msgspec.structs import replace

from saltern_master.api.rollouts import RolloutAsk, RolloutNode, RolloutView
from saltern_master.rollouts.model import OVER, Node, Rollout
from saltern_master.rollouts.telling import failures, waits_for


@dataclass(frozen=True, slots=True)
class Kept:
    """A rollout, and what the machine need not know of it."""

    rollout: Rollout
    ask: RolloutAsk
    queued: bool = False
    ended: float = 0.0
    undone_by: int = 0

    @property
    def goes_on(self) -> bool:
        """Whether no other one may begin."""
        return not self.queued and self.rollout.phase not in OVER


def head_view(kept: Kept, now: float) -> RolloutView:
    """Give a rollout without its nodes."""
    rollout = kept.rollout
    failed, may_fail = failures(rollout)
    return RolloutView(
        rollout=rollout.number,
        revision=rollout.revision,
        before=rollout.before,
        phase="queued" if kept.queued else rollout.phase,
        wave=rollout.wave,
        waves=rollout.waves,
        began=rollout.began,
        ended=kept.ended,
        by=kept.ask.by,
        why=rollout.why,
        waits_for="the one before it" if kept.queued else waits_for(rollout, now),
        soak_until=rollout.soak_until,
        failed=failed,
        may_fail=may_fail,
        total=len(rollout.nodes),
        stages=dict(Counter(one.stage for one in rollout.nodes.values())),
        undoes=rollout.undoes,
        undone_by=kept.undone_by,
        undo=rollout.undo,
        strategy=rollout.strategy,
    )


def whole_view(kept: Kept, now: float) -> RolloutView:
    """Give a rollout with its nodes, in the order of their turns."""
    nodes = tuple(node_view(name, one) for name, one in kept.rollout.nodes.items())
    return replace(head_view(kept, now), nodes=nodes)


def node_view(name: str, node: Node) -> RolloutNode:
    """Give one node."""
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
