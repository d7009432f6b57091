"""When waiting is over: for a node to apply, to become good, to come back, to be drained. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from saltern_master.rollouts.model import IN_HAND, Node, Rollout
from saltern_master.rollouts.strategy import Strategy


def impatient(rollout: Rollout, now: float) -> Rollout:
    """Give the rollout after all that has been waited for too long."""
    for name, node in rollout.nodes.items():
        after = _node(node, rollout.strategy, now)
        if after != node:
            rollout = replace(rollout, nodes={**rollout.nodes, name: after})
    late = _late(rollout, now)
    if late and rollout.phase in {"running", "soaking"}:
        return replace(rollout, phase="paused", why=late)
    return rollout


def due(rollout: Rollout, now: float) -> float:
    """Give when time alone changes something next; infinity: never."""
    times = [rollout.soak_until] if rollout.phase == "soaking" else []
    for node in rollout.nodes.values():
        times += [at for at in _ends(node, rollout.strategy) if at > now]
    return min(times, default=float("inf"))


def _ends(node: Node, strategy: Strategy) -> Iterator[float]:
    if node.gone_since and node.stage in {*IN_HAND, "done"}:
        yield node.gone_since + strategy.absence
    if node.bad_since:
        yield node.bad_since + strategy.hold
    if node.stage in {"applying", "settling", "asking"}:
        yield node.since + strategy.patience
    if node.stage == "draining":
        yield node.since + strategy.drain


def _node(node: Node, strategy: Strategy, now: float) -> Node:
    why = _failing(node, strategy, now)
    if why:
        return replace(
            node, stage="failed", since=now, why=why, bad_since=0.0, good_since=0.0, forgiven=False
        )
    if node.stage == "draining" and now - node.since >= strategy.drain:
        if strategy.on_drain_timeout == "force":
            return replace(node, stage="applying", since=now, issued=True)
        if strategy.on_drain_timeout == "skip":
            why = f"its pods did not leave in {strategy.drain:g} s: {node.why or 'no reason given'}"
            return replace(node, stage="skipped", since=now, why=why)
    return node


def _failing(node: Node, strategy: Strategy, now: float) -> str:
    """Say why patience with a node is over; "": it is not."""
    away = node.gone_since and now - node.gone_since >= strategy.absence
    if away and node.issued and node.stage in {"applying", "settling", "done"}:
        return f"it went away in the middle of its turn, and was not back in {strategy.absence:g} s"
    if node.bad_since and now - node.bad_since >= strategy.hold:
        return f"it was good and went bad: {node.why}"
    if node.stage == "applying" and now - node.since >= strategy.patience:
        return f"it did not say within {strategy.patience:g} s how it went"
    if node.stage == "settling" and not node.good_since and now - node.since >= strategy.patience:
        return f"it did not become good in {strategy.patience:g} s: {node.why or 'not looked'}"
    return ""


def _late(rollout: Rollout, now: float) -> str:
    """Say what makes a person be asked; "": nothing."""
    strategy = rollout.strategy
    for name, node in rollout.nodes.items():
        waited = now - node.since
        if node.stage == "asking" and waited >= strategy.patience:
            return f"etcd cannot do without {name}: {node.why or 'it gave no answer'}"
        if node.stage == "draining" and waited >= strategy.drain:
            return f"the pods of {name} do not leave: {node.why or 'no reason given'}"
    return ""
