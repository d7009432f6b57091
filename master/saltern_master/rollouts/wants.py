"""What is to be done for a rollout now. Pure, and the same however often it is asked.

Core does what stands here and tells the machine what came of it. So nothing is forgotten where
core ends between a step and its effect: it asks again, and each effect may be done twice.
"""

from __future__ import annotations

from msgspec import Struct

from saltern_master.rollouts.model import OVER, Node, Rollout, Stage


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
    nodes, given = rollout.nodes, _given(rollout)
    return Wants(
        quorum=_at(rollout, "asking"),
        drain=_at(rollout, "draining"),
        issue=_at(rollout, *given),
        watch=tuple(name for name, one in nodes.items() if _is_watched(rollout, one)),
        uncordon=tuple(
            name
            for name, one in nodes.items()
            if one.may_serve and not (one.issued and rollout.undo == "begun")  # the other one does
        ),
        undo=rollout.undo == "wanted",
    )


def _given(rollout: Rollout) -> tuple[Stage, ...]:
    """Give the stages in which nodes are to have the document.

    Who was set aside gets it when all others have it; from one that takes another back at once, so
    that it finds that one when it comes back, and not what nobody is to have any more.
    """
    if rollout.undo == "begun":
        return ()
    aside = rollout.phase == "done" or (rollout.undoes and rollout.phase != "aborted")
    return ("applying", "aside") if aside else ("applying",)


def _at(rollout: Rollout, *stages: Stage) -> tuple[str, ...]:
    return tuple(name for name, one in rollout.nodes.items() if one.stage in stages)


def _is_watched(rollout: Rollout, node: Node) -> bool:
    if rollout.phase in OVER:
        return False
    soaks = rollout.soak_until > 0 and node.wave == rollout.wave and node.stage == "done"
    return node.stage == "settling" or soaks or node.bad_since > 0
