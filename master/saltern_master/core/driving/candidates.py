"""Who takes part in a rollout, and what is known of each. Pure.

* Who keeps its body has no part in it: it is not restarted, drained or looked at.
* `down` is who serves nobody now: it has no document yet, or Kubernetes says that it is not Ready;
  where Kubernetes says nothing of it, who does not say `converged`.
* Who cannot take its body (see core/rollout.py) is left out, and named in the notes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from saltern_master.cluster.model import Cluster, Node
from saltern_master.core.gates import Look
from saltern_master.core.peer import Peer
from saltern_master.core.turns import Standing
from saltern_master.rollouts.waves import Candidate, Impact

ZONES: Final = ("topology.kubernetes.io/zone", "zone")
CONTROL: Final = frozenset({"control-plane", "etcd"})


def candidates(
    names: Iterable[str],
    cluster: Cluster,
    peers: Mapping[str, Peer],
    gone: Collection[str],
    look: Look,
    impacts: Mapping[str, Impact],
) -> tuple[Candidate, ...]:
    """Give these nodes of a cluster file as a rollout takes them."""
    places = {node.name: node for node in cluster.nodes}
    return tuple(
        _candidate(places[name], peers[name], name in gone, look, impacts.get(name, "unknown"))
        for name in names
        if name in places and name in peers
    )


def left_out(settled: Mapping[str, Standing]) -> tuple[str, ...]:
    """Say of those who cannot take their body why."""
    return tuple(f"{name} has no part in it: {one.why}" for name, one in sorted(settled.items()))


def rises(before: Cluster | None, after: Cluster) -> bool:
    """Tell whether Kubernetes' version becomes a newer one."""
    return before is not None and _version(before) < _version(after)


def _version(cluster: Cluster) -> tuple[int, ...]:
    return tuple(map(int, cluster.kubernetes.version.split(".")))


def _candidate(node: Node, peer: Peer, away: bool, look: Look, impact: Impact) -> Candidate:
    return Candidate(
        name=node.name,
        group="bare" if node.is_bare else node.node_class,
        zone=next((node.labels[key] for key in ZONES if key in node.labels), ""),
        control_plane=bool(CONTROL & set(node.roles)),
        impact=impact,
        down=not away and _is_down(peer, look),
        away=away,
    )


def _is_down(peer: Peer, look: Look) -> bool:
    if peer.document is None:
        return True
    ready = look.is_ready(peer.node.name)
    if ready is not None:
        return not ready
    return peer.health is not None and not peer.health.state.startswith("converged")
