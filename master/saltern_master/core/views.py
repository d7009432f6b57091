"""What core knows -> what people are shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from saltern_protocol.keys import fingerprint

from saltern_master.api.service import AlarmView, DriftView, NodeView, TokenView
from saltern_master.cluster.model import Cluster
from saltern_master.compile.allocation import Allocation
from saltern_master.core.alarms import Alarm
from saltern_master.core.conditions import finding_views, part_views
from saltern_master.core.peer import Peer
from saltern_master.records.drift import Drift
from saltern_master.records.drift_log import name_of
from saltern_master.records.health import Health
from saltern_master.records.nodes import Node, Pending
from saltern_master.records.tokens import Token

SHOWN: Final = frozenset({"joined", "locked", "revoked", "removing", "removed"})
"""States of a node that people are shown: one that is signed for by hand is no node of ours."""

DRIFTED: Final = "drifted"


def node_view(
    node: Node, peer: Peer | None, connected: bool, health: Health | None, where: NodeView
) -> NodeView:
    """Give a node. `peer`: None where it may not speak; `where`: what the cluster file says."""
    if node.state == "offline":
        raise AssertionError("a node that never joined is not shown")
    now = node.facts_now
    there = connected and peer is not None and peer.session.greeted
    told = peer.condition if peer is not None else None
    seen_at = max(
        max(peer.heard, peer.spoke) if peer else 0.0,
        health.seen_at if health else 0.0,
        told.seen_at if told else 0.0,
    )
    return NodeView(
        name=node.name,
        node_class=node.node_class,
        state=node.state,
        fingerprint=fingerprint(bytes.fromhex(node.key)),
        incarnation=node.incarnation,
        connected=there,
        seen_at=seen_at,
        health=_health(peer, health),
        version=peer.session.held if peer and peer.session.greeted else _version(health),
        wanted=node.version,
        drift=len(peer.drift) if peer else 0,
        release=node.release,
        address=where.address,
        pods=where.pods,
        roles=where.roles,
        labels=where.labels,
        facts=dict(node.facts),
        facts_now={key: now[key] for key in sorted(now) if node.facts.get(key) != now[key]},
        load=health.load if health else 0.0,
        memory_kib=health.memory_kib if health else 0,
        disk_kib=health.disk_kib if health else 0,
        parts=part_views(told, there, seen_at),
        findings=finding_views(told),
    )


def pending_view(pending: Pending, where: NodeView) -> NodeView:
    """Give a machine that waits to be let in."""
    return NodeView(
        name=pending.node,
        node_class=pending.node_class,
        state="pending",
        fingerprint=fingerprint(bytes.fromhex(pending.key)),
        seen_at=pending.asked,
        release=pending.release,
        address=where.address,
        pods=where.pods,
        roles=where.roles,
        labels=where.labels,
        facts=dict(pending.facts),
    )


def places(cluster: Cluster | None, allocation: Allocation) -> Mapping[str, NodeView]:
    """Give what the cluster file says of each node, by name."""
    return {
        node.name: NodeView(
            name=node.name,
            node_class=node.node_class,
            state="joined",
            fingerprint="",
            address=node.address,
            pods=allocation.ranges.get(node.name, ""),
            roles=node.roles,
            labels=dict(node.labels),
        )
        for node in (cluster.nodes if cluster is not None else ())
    }


def nowhere(name: str) -> NodeView:
    """Give what the cluster file says of a node that is not in it."""
    return NodeView(name=name, node_class="", state="joined", fingerprint="")


def token_view(token: Token, text: str = "") -> TokenView:
    """Give a token; `text` only to whom it is made for."""
    return TokenView(
        id=token.id[:12],
        node=token.node,
        node_class=token.node_class,
        expires=token.expires,
        used=bool(token.used_by),
        approval=token.approval,
        token=text,
    )


def alarm_view(alarm: Alarm) -> AlarmView:
    """Give an alarm."""
    return AlarmView(
        kind=alarm.kind,
        node=alarm.node,
        since=alarm.since,
        why=alarm.why,
        remedy=alarm.remedy,
        resource=alarm.resource,
    )


def drift_view(drift: Drift, incarnation: str) -> DriftView:
    """Give one deviation as people are shown it; `incarnation`: its node's own by now."""
    return DriftView(
        id=name_of(drift, incarnation),
        node=drift.node,
        number=drift.number,
        resource=drift.resource,
        kind=drift.kind,
        since=drift.since,
        recorded=drift.recorded,
        stored=drift.stored,
        seen=drift.seen,
        found=drift.found,
        healed=drift.healed,
        outcome=drift.outcome,
        detail=drift.detail,
        by=drift.by,
        nature=drift.nature.value,
        hindrance=drift.hindrance,
        attempts=drift.attempts,
        incident=drift.incident,
    )


def _health(peer: Peer | None, health: Health | None) -> str:
    if peer is not None and peer.wedged:
        return "not working"
    if peer is not None and peer.session.greeted and peer.is_ahead:
        return "ahead of the master's store: apply again"
    told = health.state if health is not None else ""
    return told if peer is None else _as_open(told, bool(peer.drift))


def _as_open(state: str, drifts: bool) -> str:
    """Give what a node says of itself, as the drift that is open has it: reports come sooner."""
    told = {("converged", True): DRIFTED, (DRIFTED, False): "converged"}
    return told.get((state, drifts), state)


def _version(health: Health | None) -> int:
    return health.version if health is not None else 0
