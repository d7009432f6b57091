"""What core knows -> the traps that stand open, as people are shown them. Pure.

A node's clock is compared with ours at the moment at which its word came. A word that lay on its
way, or waited for a master that was paused, makes a clock look slow and never fast: so of what its
condition and its heartbeat say, the one that is further ahead counts. But a condition is told when
something of it changes, which may be days ago: where its heartbeats have said something else for
STALE seconds, and not by as little as they lag behind, the clock was set since.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final

from saltern_master.api.findings import FindingsView, NodeFindings, noted_views
from saltern_master.cluster.model import Cluster
from saltern_master.core.conditions import finding_views
from saltern_master.core.peer import Peer
from saltern_master.doctor.between import Machine, between
from saltern_master.doctor.file import file_traps

MICRO = 1_000_000
STALE: Final = 60.0
LAG: Final = 30.0
"""Seconds by which a heartbeat may make a clock look slow: it is said every 15 s."""


def diagnosis(
    peers: Mapping[str, Peer],
    gone: Container[str],
    cluster: Cluster | None,
    revision: int,
    now: float,
) -> FindingsView:
    """Give all traps. `peers`: the cluster's nodes; `gone`: those that do not speak now."""
    return FindingsView(
        now=now,
        revision=revision,
        file=noted_views(file_traps(cluster)) if cluster is not None else (),
        between=noted_views(between(_machine(peer) for peer in peers.values())),
        nodes=tuple(
            NodeFindings(
                node=name,
                connected=peer.session.greeted and name not in gone,
                told_at=peer.condition.seen_at if peer.condition else 0.0,
                findings=finding_views(peer.condition),
            )
            for name, peer in sorted(peers.items())
        ),
    )


def _machine(peer: Peer) -> Machine:
    node = peer.node
    facts = {**node.facts, **node.facts_now}
    return Machine(node.name, facts, node.release, _offset(peer))


def _offset(peer: Peer) -> float | None:
    """Give by how many seconds a node's clock is ahead of ours; None where nothing tells."""
    told, beat = peer.condition, peer.health
    by_told = None if told is None else told.at_us / MICRO - told.seen_at
    if beat is None or not peer.session.greeted:
        return by_told
    by_beat = beat.at_us / MICRO - peer.heard
    if told is None or by_told is None:
        return by_beat
    is_stale = peer.heard - told.seen_at > STALE and abs(by_told - by_beat) > LAG
    return by_beat if is_stale else max(by_told, by_beat)
