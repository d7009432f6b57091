"""What is to be done for a rollout now. Pure, and the same however often it is asked.

Core does what stands here and tells the machine what came of it. So nothing is forgotten where
core ends between a step and its effect: it asks again, and each effect may be done twice.
"""

from __future__ import annotations

from msgspec import Struct

from saltern_master.rollouts.model import Node, Rollout


class Wants(Struct, frozen=True, kw_only=True):
    """Names of nodes, each for what it needs."""

    quorum: tuple[str, ...] = ()  # ask whether etcd can do without it
    drain: tuple[str, ...] = ()  # cordon, and have its pods leave
    issue: tuple[str, ...] = ()  # give it the document of this revision
    watch: tuple[str, ...] = ()  # look at its gates
    uncordon: tuple[str, ...] = ()
    undo: bool = False  # begin the rollout that takes this one back


def wants(rollout: Rollout) -> Wants:
    """Say what is to be done."""
    nodes = rollout.nodes
    return Wants(
        quorum=_at(rollout, "asking"),
        drain=_at(rollout, "draining"),
        issue=_at(rollout, "applying", *(("aside",) if rollout.phase == "done" else ())),
        watch=tuple(name for name, one in nodes.items() if _is_watched(rollout, one)),
        uncordon=tuple(name for name, one in nodes.items() if one.may_serve),
        undo=rollout.undo == "wanted",
    )


def _at(rollout: Rollout, *stages: str) -> tuple[str, ...]:
    return tuple(name for name, one in rollout.nodes.items() if one.stage in stages)


def _is_watched(rollout: Rollout, node: Node) -> bool:
    soaks = rollout.soak_until > 0 and node.wave == rollout.wave and node.stage == "done"
    return node.stage == "settling" or soaks or node.bad_since > 0
