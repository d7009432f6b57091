"""Beginning a rollout, and beginning the one that takes it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from saltern_master.rollouts.model import Node, Rollout
from saltern_master.rollouts.strategy import Strategy
from saltern_master.rollouts.waves import Candidate, waves


def begin(
    number: int,
    revision: int,
    before: int,
    strategy: Strategy,
    candidates: Iterable[Candidate],
    now: float,
    *,
    control_plane_first: bool,
) -> Rollout:
    """Give a rollout before its first step."""
    everybody = {one.name: one for one in candidates}
    cut = waves(everybody.values(), strategy, control_plane_first)
    nodes = {name: _node(everybody[name], at, now) for at, wave in enumerate(cut) for name in wave}
    return Rollout(
        number=number,
        revision=revision,
        before=before,
        strategy=strategy,
        began=now,
        nodes=nodes,
        waves=len(cut),
    )


def taken_back(rollout: Rollout, impacts: Mapping[str, Candidate]) -> tuple[Candidate, ...]:
    """Give the nodes of an undo: all that got this rollout's document, or will as they come back;
    who failed serves nobody.

    `impacts`: what going back means for each, planned anew.
    """
    ahead = rollout.phase == "done"
    touched = {
        name: one
        for name, one in rollout.nodes.items()
        if one.issued or (ahead and one.stage == "aside")
    }
    return tuple(
        Candidate(
            name=name,
            group=node.group,
            zone=impacts[name].zone if name in impacts else "",
            control_plane=node.control_plane,
            impact=impacts[name].impact if name in impacts else "unknown",
            down=node.stage == "failed",
            away=impacts[name].away if name in impacts else node.gone_since > 0,
            cordoned=node.cordoned,
        )
        for name, node in touched.items()
    )


def _node(one: Candidate, wave: int, now: float) -> Node:
    return Node(
        wave=wave,
        group=one.group,
        impact=one.impact,
        control_plane=one.control_plane,
        down=one.down,
        cordoned=one.cordoned,
        gone_since=now if one.away else 0.0,
    )
