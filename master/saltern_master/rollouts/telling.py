"""What a rollout waits for now, in words for a person. Pure."""

from __future__ import annotations

from saltern_master.rollouts.machine import who_goes_before, who_is_away
from saltern_master.rollouts.model import OVER, Node, Rollout
from saltern_master.rollouts.strategy import number

DOES = {
    "asking": "etcd is asked whether it can do without {}",
    "draining": "pods leave {}",
    "applying": "{} applies",
    "settling": "{} becomes good",
}


def waits_for(rollout: Rollout, now: float) -> str:
    """Say in one line what has to happen before it goes on."""
    if rollout.phase in {*OVER, "paused", "stopped"}:
        return rollout.why or rollout.phase
    doing = [_doing(name, node, now) for name, node in rollout.nodes.items() if node.stage in DOES]
    turn = {name: one for name, one in rollout.nodes.items() if one.wave <= rollout.wave}
    waiting = [name for name, one in turn.items() if one.stage == "waiting"]
    bad = [f"{name} went bad: {one.why}" for name, one in turn.items() if one.bad_since]
    parts = doing + bad
    parts += _room(rollout, waiting)
    if not parts and rollout.phase == "soaking":
        left = max(0.0, rollout.soak_until - now)
        done = sum(1 for one in turn.values() if one.stage == "done")
        parts.append(f"soaks for {left:.0f} s more; {done} done")
    return "; ".join(parts)


def _room(rollout: Rollout, waiting: list[str]) -> list[str]:
    """Say for each group with nodes that wait who takes up its room."""
    parts = []
    before = {name: who_goes_before(rollout, rollout.nodes[name]) for name in waiting}
    for name in waiting:
        if before[name]:
            first = ", ".join(before[name])
            parts.append(f"{name} waits for {first}: one of the control plane at a time")
    waiting = [name for name in waiting if not before[name]]
    for group in sorted({rollout.nodes[name].group for name in waiting}):
        count = sum(1 for name in waiting if rollout.nodes[name].group == group)
        away = ", ".join(f"{name} ({stage})" for name, stage in who_is_away(rollout, group))
        parts.append(f"{count} of {group} wait for room, which is taken by {away}")
    return parts


def failures(rollout: Rollout) -> tuple[int, int]:
    """Give how many failed, and how many may."""
    failed = sum(1 for one in rollout.nodes.values() if one.stage == "failed")
    return failed, number(rollout.strategy.budget, len(rollout.nodes))


def _doing(name: str, node: Node, now: float) -> str:
    for_so_long = f" ({now - node.since:.0f} s"
    why = f", {node.why})" if node.why else ")"
    away = f"; it is away for {now - node.gone_since:.0f} s" if node.gone_since else ""
    return DOES[node.stage].format(name) + for_so_long + why + away
